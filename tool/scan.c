/* SPDX-License-Identifier: BSD-3-Clause */
#include "scan.h"

#include <inttypes.h>

#define PIECE ((uint64_t)1 << 20) /* small enough to find an error soon, large enough to cost nothing */

int scan_open(struct scan *scan, struct job *job, const char *name)
{
	*scan = (struct scan){.job = job, .name = name, .cursor = SMMAP_CURSOR_INIT};
	int code = smmap_cursor_open(&scan->cursor, job->run->manager, name, 0);
	if (code < 0)
		return code;
	smmap_file_status status;
	code = smmap_cursor_status(&scan->cursor, &status);
	if (code < 0)
		return code;
	scan->size = scan->end = status.size;
	scan->window = status.window_size;
	if (scan->size > PIECE)
		smmap_advise(&scan->cursor, SMMAP_ADVICE_SEQUENTIAL, 0, 0); /* only advice: may fail */
	return 0;
}

void scan_limit(struct scan *scan, uint64_t offset, uint64_t length)
{
	scan->next = offset < scan->size ? offset : scan->size;
	scan->end = length < scan->size - scan->next ? scan->next + length : scan->size;
}

int scan_failed_at(struct scan *scan, uint64_t offset, int code)
{
	uint64_t faulted;
	scan->failed = smmap_cursor_error(&scan->cursor, &faulted) < 0 ? faulted : offset;
	scan->located = true;
	return code;
}

int scan_check(struct scan *scan)
{
	uint64_t faulted = 0;
	int code = smmap_cursor_error(&scan->cursor, &faulted);
	return code < 0 ? scan_failed_at(scan, faulted, code) : 0;
}

/* Behind the last piece: a file that was cut inside its last page has shown zeros, and no signal tells. */
static int check_end(struct scan *scan)
{
	if (scan->size == 0)
		return 0;
	int changes = smmap_verify(&scan->cursor);
	if (changes < 0 || !(changes & SMMAP_CHANGE_SHRANK) || (changes & SMMAP_CHANGE_REPLACED))
		return 0;
	return SMMAP_ETRUNCATED;
}

/* Moves the window to scan->next, up to the border of the region that is there. */
static int move_window(struct scan *scan)
{
	uint64_t size = scan->window - scan->next % scan->window;
	int64_t got = smmap_cursor_use_region(&scan->cursor, scan->next, size);
	if (got <= 0)
		return scan_failed_at(scan, scan->next, got < 0 ? (int)got : SMMAP_ETRUNCATED);
	return 0;
}

int scan_next(struct scan *scan, struct piece *piece)
{
	int code = 0;
	if (scan->piece) {
		code = scan_check(scan);
		progress_add(&scan->job->run->progress, scan->piece);
		probe_sample(&scan->job->run->probe);
		scan->piece = 0;
	}
	if (code < 0 || scan->job->run->stop)
		return code;
	if (scan->next >= scan->end)
		return check_end(scan);
	if (!smmap_cursor_includes_ofs(&scan->cursor, scan->next))
		code = move_window(scan);
	if (code < 0)
		return code;
	uint64_t mapped = smmap_cursor_ofs_end(&scan->cursor) - scan->next;
	uint64_t size = mapped < PIECE ? mapped : PIECE;
	if (size > scan->end - scan->next)
		size = scan->end - scan->next;
	piece->data = smmap_cursor_at(&scan->cursor, scan->next, size);
	piece->offset = scan->next;
	piece->size = (size_t)size;
	piece->more = (size_t)(mapped - size);
	scan->next += size;
	scan->piece = size;
	return 1;
}

void scan_report(struct scan *scan, int code)
{
	scan->job->run->failed = true;
	if (scan->located)
		job_message(scan->job, scan->name, "%s (at offset %" PRIu64 ")", smmap_strerror(code), scan->failed);
	else
		job_message(scan->job, scan->name, "%s", smmap_strerror(code));
}

void scan_close(struct scan *scan)
{
	smmap_cursor_close(&scan->cursor);
}
