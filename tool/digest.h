/* SPDX-License-Identifier: BSD-3-Clause */
/* The hash algorithms, behind one face. */
#ifndef SMMAP_TOOL_DIGEST_H
#define SMMAP_TOOL_DIGEST_H

#include <stdbool.h>
#include <stddef.h>

enum { DIGEST_MAX_SIZE = 32, DIGEST_STATE_ROOM = 1024 };

/* The state of one computation; aligned as vector instructions like it. */
struct digest_state {
	_Alignas(64) unsigned char room[DIGEST_STATE_ROOM];
};

struct digest {
	const char *name;   /* as --algorithm has it */
	const char *tag;    /* as lists in BSD's style have it */
	size_t size;        /* bytes of the result */
	bool escapes_names; /* its lists write newlines in names as \n, with a backslash before the line */
	/* Each of the first two returns false when there is no memory. */
	bool (*begin)(struct digest_state *state);
	bool (*update)(struct digest_state *state, const void *data, size_t size);
	/* Must be called once for each successful begin. */
	void (*finish)(struct digest_state *state, unsigned char result[DIGEST_MAX_SIZE]);
};

/* Whether there is an algorithm of that name; costs nothing. */
bool digest_known(const char *name);

/*
 * The algorithm of that name, ready for use. NULL when it cannot be had here; `*why` then says why (static
 * storage). Call once, before threads are made.
 */
const struct digest *digest_load(const char *name, const char **why);

#endif
