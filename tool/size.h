/* SPDX-License-Identifier: BSD-3-Clause */
/* Sizes and numbers as people write and read them. */
#ifndef SMMAP_TOOL_SIZE_H
#define SMMAP_TOOL_SIZE_H

#include <stdint.h>

/*
 * Reads a size in bytes: digits, perhaps a fraction of at most six digits, perhaps a unit, in any case:
 *   K M G T P E and KiB MiB GiB TiB PiB EiB: powers of 1024;  kB MB GB TB PB EB: powers of 1000;  B: bytes.
 * A fraction needs a unit and is rounded down to whole bytes. Returns NULL and sets `value`, or says what is
 * wrong (static storage).
 */
const char *size_parse(const char *string, uint64_t *value);

/* Reads a whole decimal number. Returns NULL and sets `value`, or says what is wrong. */
const char *number_parse(const char *string, uint64_t *value);

/* The value of a hexadecimal digit; negative for what is none. */
int hex_digit(char digit);

#define SIZE_TEXT_ROOM 32

/* Writes `value` with a unit and at most four digits ("1.5 GiB", "0 B") to `to`; returns `to`. */
const char *size_format(char to[SIZE_TEXT_ROOM], double value);

#endif
