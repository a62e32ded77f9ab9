/* SPDX-License-Identifier: BSD-3-Clause */
/* File names are bytes that somebody else chose: how to show them without letting them act. */
#ifndef SMMAP_TOOL_ESCAPE_H
#define SMMAP_TOOL_ESCAPE_H

#include "text.h"

#include <stdbool.h>
#include <stddef.h>

/*
 * Adds `name` for people to read: control characters, marks that change the direction of writing, and bytes
 * that are not UTF-8 become \n, \t, \x1b ...; a backslash becomes two.
 */
void escape_for_message(struct text *text, const char *name);

/*
 * Adds `name` as sha256sum writes names behind its leading backslash: newline, carriage return and backslash
 * become \n, \r and \\. The second tells whether that changes anything.
 */
void escape_for_list(struct text *text, const char *name);
bool escape_for_list_needed(const char *name);

/* Undoes escape_for_list in place. Returns false for a backslash that it cannot have written. */
bool unescape_from_list(char *name);

/* The number of bytes (1 to 4) of the UTF-8 character at `string`; 0 when there is none. */
size_t utf8_length(const char *string);

#endif
