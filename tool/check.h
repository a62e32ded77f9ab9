/* SPDX-License-Identifier: BSD-3-Clause */
/* smmap hash --check: hashes files that are named in lists and compares. */
#ifndef SMMAP_TOOL_CHECK_H
#define SMMAP_TOOL_CHECK_H

#include "digest.h"
#include "run.h"

#include <stdbool.h>

/* Works on the lists that are the operands of the run. */
void check_lists(struct run *run, const struct digest *digest);

/*
 * Takes one line of a list apart, in place, without its newline. Two styles are known, and both with a
 * backslash before the line when backslashes in the name are to be undone:
 *	HASH  NAME	with a space or * before the name
 *	TAG (NAME) = HASH
 * Returns false for a line that is no such thing.
 */
bool check_parse_line(char *line, const struct digest *digest, char **name, unsigned char *hash);

#endif
