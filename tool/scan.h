/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reads a file from one offset to another in pieces, in order; mapped ones, or copies where those are faster:
 *
 *	struct scan scan;
 *	struct piece piece;
 *	int state = scan_open(&scan, job, name);
 *	if (state == 0)
 *		while ((state = scan_next(&scan, &piece)) > 0)
 *			use(piece.data, piece.size);
 *	if (state < 0)
 *		scan_report(&scan, state);
 *	scan_close(&scan);
 *
 * A file can shrink or fail while it is read. The guard then shows zeros instead of ending the process, so
 * what was made of a piece counts only after scan_check, or the next scan_next, has said that the piece was
 * good.
 */
#ifndef SMMAP_TOOL_SCAN_H
#define SMMAP_TOOL_SCAN_H

#include "copier.h"
#include "crew.h"
#include "smmap.h"

#include <stdint.h>

struct scan {
	struct job *job;
	const char *name;
	smmap_cursor cursor;
	smmap_file_status status;
	uint64_t size; /* of the file */
	uint64_t
		reach; /* bytes behind each piece that the caller wants to see with it, if they are cheap to have */
	struct copier copier;
	uint64_t next;   /* where the next piece begins */
	uint64_t end;    /* where the last piece ends */
	uint64_t piece;  /* size of the piece that is out */
	uint64_t failed; /* where it failed, when `located` */
	bool located;
	bool by_reading;     /* pieces are read: the map shows zeros somewhere, or nothing */
	unsigned char *room; /* for them */
};

struct piece {
	const unsigned char *data;
	uint64_t offset;
	size_t size;
	size_t
		more; /* bytes of the file that are mapped behind the piece: data[size] ... data[size + more - 1] */
};

/* Opens the file; the scan goes over all of it, and may be limited then. Returns 0 or an error code. */
int scan_open(struct scan *scan, struct job *job, const char *name);

/* Limits the scan to `length` bytes from `offset` on, as far as the file has them. */
void scan_limit(struct scan *scan, uint64_t offset, uint64_t length);

/* Makes all pieces mapped ones. */
void scan_map_only(struct scan *scan);

/*
 * Makes all further pieces read ones, from `next` on: for a file that cannot be mapped just now but perhaps read, or read up
 * to an error that tells more. Returns 0 or SMMAP_ENOMEM.
 */
int scan_by_reading(struct scan *scan, uint64_t next);

/* Sets the next piece and returns 1; returns 0 behind the last one, or an error code. */
int scan_next(struct scan *scan, struct piece *piece);

/* Returns 0 when everything that was read so far was good, or the error code. */
int scan_check(struct scan *scan);

/*
 * Notes where an error was met, for the report: at `offset`, or where the file's first fault was. Returns
 * `code`.
 */
int scan_failed_at(struct scan *scan, uint64_t offset, int code);

/* Reports an error of this scan on standard error, as a failure of the run. */
void scan_report(struct scan *scan, int code);

/* Harmless after a failed scan_open. */
void scan_close(struct scan *scan);

#endif
