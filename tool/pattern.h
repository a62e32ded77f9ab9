/* SPDX-License-Identifier: BSD-3-Clause */
/* Looking for a string of bytes in memory, about as fast as memory can be read. */
#ifndef SMMAP_TOOL_PATTERN_H
#define SMMAP_TOOL_PATTERN_H

#include <stdbool.h>
#include <stddef.h>

struct pattern {
	unsigned char *bytes;
	size_t size;
	/* The two bytes that are looked for first: places in `bytes`, first <= second (equal for one byte). */
	size_t first;
	size_t second;
};

/* Says what is wrong with the pattern as it was given (static storage); NULL: nothing. */
const char *pattern_check(const char *string, bool hex);

/* Makes the pattern of a string that pattern_check has nothing against. */
void pattern_make(struct pattern *pattern, const char *string, bool hex);
void pattern_free(struct pattern *pattern);

/* The first place in [data, data + size) where the whole pattern stands; NULL: nowhere. */
const unsigned char *pattern_find(const struct pattern *pattern, const unsigned char *data, size_t size);

#endif
