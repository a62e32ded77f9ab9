/* SPDX-License-Identifier: BSD-3-Clause */
/* Lines on standard error. */
#ifndef SMMAP_TOOL_REPORT_H
#define SMMAP_TOOL_REPORT_H

#include "text.h"

#include <stdbool.h>
#include <stddef.h>

/*
 * Writes all of `size` bytes to a descriptor, waiting where it does not block. Returns 0 or a negative errno;
 * `written`, when not NULL, is set to the number of bytes that were written in any case.
 */
int write_all(int fd, const void *data, size_t size, size_t *written);

/* The reason of an error in plain words: the library's for its codes, the system's for the others. */
const char *report_reason(int code);

/* Writes the whole text at once, so that lines of threads do not mix. */
void report_text(const struct text *text);

/* Adds "smmap: NAME: " with the name escaped. */
void report_begin(struct text *text, const char *name);

/* Writes "smmap: NAME: reason" and a newline. */
void report_line(const char *name, const char *reason);

/* Writes a warning about `count` things: "smmap: NAME: WARNING: 2 lines are ..."; `name` may be NULL. */
void report_count(const char *name, size_t count, const char *one, const char *many);

/* Flushes stdio's standard output. Returns false, having reported it, when that fails. */
bool report_stdio(void);

#endif
