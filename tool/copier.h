/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reading by copy, for the files that are read faster so.
 *
 * The page cache holds a file in folios. Where they are large, one page fault maps up to 2 MiB and reading
 * through a mapping beats read(2), which copies. Where they are small (files written in small pieces, or long
 * ago), there are 8 to 16 faults for each MiB, and the faults cost more than the copy: xxhsum -H2 takes half
 * the time of a mapping then. Nothing tells the size of the folios; the number of page faults does.
 */
#ifndef SMMAP_TOOL_COPIER_H
#define SMMAP_TOOL_COPIER_H

#include "smmap.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct copier {
	bool refused; /* this file is not read by copy */
	int fd;       /* valid when `buffer` is not NULL */
	unsigned char *buffer;
	/* Counting faults, which is done for a few pieces now and then: it costs some microseconds. */
	uint64_t faults;   /* of this thread, when the piece began */
	unsigned counted;  /* pieces that were looked at in a row */
	uint64_t run;      /* bytes to be read in the way that was found better, before the next look */
	uint64_t run_left; /* of them */
	bool copying;      /* which way that is, now */
	bool copied;       /* and was at the last look */
	bool confirmed;    /* the data of this run is in the page cache */
};

/* Around each piece of `size` bytes that is read through the mapping. */
void copier_piece_begins(struct copier *copier);
void copier_piece_ends(struct copier *copier, uint64_t size);

/*
 * Whether the next piece, which begins at `offset`, is better read by copy: faults were many, and the data is
 * in the page cache. Data that is not is read through the mapping: what that costs is not the faults.
 */
bool copier_wanted(struct copier *copier, smmap_cursor *cursor, uint64_t offset);

/*
 * Opens the file and makes room for pieces of `room` bytes, once. Returns false when that cannot be, or when
 * the name means another file now than `status` does; the copier is not wanted any more then.
 */
bool copier_open(struct copier *copier, const char *name, const smmap_file_status *status, size_t room);

/*
 * Reads `size` bytes (at most that room) into the buffer, of which `counted` count as read. Returns how many
 * there are: fewer only at the end of the file; or a negative errno.
 */
int64_t copier_read(struct copier *copier, uint64_t offset, size_t size, size_t counted);

void copier_close(struct copier *copier);

#endif
