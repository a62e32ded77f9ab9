/* SPDX-License-Identifier: BSD-3-Clause */
#include "scan.h"

#include "report.h"

#include <inttypes.h>
#include <stdlib.h>

#define PIECE ((uint64_t)1 << 20) /* small enough to find an error soon, large enough to cost nothing */
#define COPIED_PIECE ((uint64_t)256 << 10) /* stays in the cache of a core */

static uint64_t smaller(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

int scan_open(struct scan *scan, struct job *job, const char *name)
{
	*scan = (struct scan){.job = job, .name = name, .cursor = SMMAP_CURSOR_INIT};
	int code = smmap_cursor_open(&scan->cursor, job->run->manager, name, 0);
	if (code < 0)
		return code;
	code = smmap_cursor_status(&scan->cursor, &scan->status);
	if (code < 0)
		return code;
	scan->size = scan->end = scan->status.size;
	scan->copier.refused =
		scan->size < 8 * PIECE || scan->status.backing == SMMAP_BACKING_MEMORY || !job->run->options->copy;
	if (scan->size > PIECE)
		smmap_advise(&scan->cursor, SMMAP_ADVICE_SEQUENTIAL, 0, 0); /* only advice: may fail */
	return 0;
}

void scan_map_only(struct scan *scan)
{
	scan->copier.refused = true;
}

void scan_limit(struct scan *scan, uint64_t offset, uint64_t length)
{
	scan->next = smaller(offset, scan->size);
	scan->end = scan->next + smaller(length, scan->size - scan->next);
}

int scan_by_reading(struct scan *scan, uint64_t next)
{
	if (!scan->room)
		scan->room = malloc(COPIED_PIECE);
	if (!scan->room)
		return SMMAP_ENOMEM;
	scan->by_reading = true;
	scan->located = false;
	scan->piece = 0;
	scan->next = next;
	return 0;
}

int scan_failed_at(struct scan *scan, uint64_t offset, int code)
{
	uint64_t faulted;
	bool known = !scan->by_reading && smmap_cursor_error(&scan->cursor, &faulted) < 0;
	scan->failed = known ? faulted : offset;
	scan->located = true;
	return code;
}

int scan_check(struct scan *scan)
{
	uint64_t faulted = 0;
	/* Bytes that were read are what they are, whatever the map shows. */
	int code = scan->by_reading ? 0 : smmap_cursor_error(&scan->cursor, &faulted);
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
	uint64_t window = scan->status.window_size;
	int64_t got = smmap_cursor_use_region(&scan->cursor, scan->next, window - scan->next % window);
	if (got <= 0)
		return scan_failed_at(scan, scan->next, got < 0 ? (int)got : SMMAP_ETRUNCATED);
	return 0;
}

static int next_mapped(struct scan *scan, struct piece *piece)
{
	int code = smmap_cursor_includes_ofs(&scan->cursor, scan->next) ? 0 : move_window(scan);
	if (code < 0)
		return code;
	uint64_t mapped = smmap_cursor_ofs_end(&scan->cursor) - scan->next;
	uint64_t size = smaller(smaller(mapped, PIECE), scan->end - scan->next);
	piece->data = smmap_cursor_at(&scan->cursor, scan->next, size);
	piece->size = (size_t)size;
	piece->more = (size_t)(mapped - size);
	copier_piece_begins(&scan->copier);
	return 1;
}

static int next_copied(struct scan *scan, struct piece *piece)
{
	uint64_t size = smaller(COPIED_PIECE, scan->end - scan->next);
	uint64_t more = smaller(scan->reach, scan->size - scan->next - size);
	smmap_cursor_unuse_region(&scan->cursor);
	int64_t got = copier_read(&scan->copier, scan->next, (size_t)(size + more), (size_t)size);
	if (got < 0 || (uint64_t)got < size + more)
		return scan_failed_at(scan, scan->next, got < 0 ? (int)got : SMMAP_ETRUNCATED);
	scan->job->run->probe.copied += size;
	piece->data = scan->copier.buffer;
	piece->size = (size_t)size;
	piece->more = (size_t)more;
	return 1;
}

static int next_read(struct scan *scan, struct piece *piece)
{
	uint64_t size = smaller(COPIED_PIECE, scan->end - scan->next);
	int64_t got = smmap_read(&scan->cursor, scan->next, scan->room, size);
	if (got <= 0)
		return scan_failed_at(scan, scan->next, got < 0 ? (int)got : SMMAP_ETRUNCATED);
	piece->data = scan->room;
	piece->size = (size_t)got;
	piece->more = 0;
	return 1;
}

static bool is_copy_better(struct scan *scan)
{
	return scan->reach <= COPIED_PIECE && copier_wanted(&scan->copier, &scan->cursor, scan->next) &&
	       copier_open(&scan->copier, scan->name, &scan->status, COPIED_PIECE + (size_t)scan->reach);
}

/* The caller is done with the piece that it was given. */
static int finish_piece(struct scan *scan)
{
	int code = scan_check(scan);
	if (smmap_cursor_is_valid(&scan->cursor))
		copier_piece_ends(&scan->copier, scan->piece);
	progress_add(&scan->job->run->progress, scan->piece);
	probe_sample(&scan->job->run->probe);
	scan->piece = 0;
	return code;
}

int scan_next(struct scan *scan, struct piece *piece)
{
	int code = scan->piece ? finish_piece(scan) : 0;
	if (code < 0 || scan->job->run->stop)
		return code;
	if (scan->next >= scan->end)
		return check_end(scan);
	piece->offset = scan->next;
	if (scan->by_reading)
		code = next_read(scan, piece);
	else
		code = is_copy_better(scan) ? next_copied(scan, piece) : next_mapped(scan, piece);
	if (code < 0)
		return code;
	scan->next += piece->size;
	scan->piece = piece->size;
	return 1;
}

void scan_report(struct scan *scan, int code)
{
	scan->job->run->failed = true;
	if (scan->located)
		job_message(scan->job, scan->name, "%s (at offset %" PRIu64 ")", report_reason(code), scan->failed);
	else
		job_message(scan->job, scan->name, "%s", report_reason(code));
}

void scan_close(struct scan *scan)
{
	copier_close(&scan->copier);
	free(scan->room);
	if (!smmap_cursor_is_associated(&scan->cursor))
		return;
	smmap_cursor_close(&scan->cursor);
	/* Read once: its mapping goes here, by the thread that read it, and not at the end by one thread for all. */
	smmap_manager_release_path(scan->job->run->manager, scan->name, NULL);
}
