/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * smmap find: where a pattern stands in files. Matches do not overlap, as with grep -o: the search goes on
 * behind a match.
 *
 * Pieces of a file that are mapped together are one array, so a match may reach from one into the next. Where
 * a mapping ends, the bytes around the border are copied and searched apart: those matches begin before the
 * border and end behind it. A pattern that is longer than a window is found in the same way, by borders
 * alone.
 */
#include "commands.h"
#include "crew.h"
#include "json.h"
#include "pattern.h"
#include "scan.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH = 4096 };

struct search {
	struct job *job;
	struct scan scan;
	const struct pattern *pattern;
	uint64_t from;  /* no match begins before it: the end of the last match */
	uint64_t count; /* matches that were reported */
	size_t pending; /* matches in `batch`: found, but not yet known to be in good data */
	uint64_t batch[BATCH];
	unsigned char *border; /* room for the bytes around a border */
};

static bool wanted(const struct search *search)
{
	return search->count + search->pending < search->job->run->options->max && !search->job->run->stop;
}

static void print_match(struct search *search, uint64_t offset)
{
	const struct options *options = search->job->run->options;
	if (options->json) {
		struct json_object *object = json_new("match");
		json_add_name(object, search->scan.name);
		json_add_number(object, "offset", offset);
		job_write_json(search->job, object);
	} else {
		char line[24];
		int size = snprintf(line, sizeof line, "%" PRIu64 "\n", offset);
		if (options->file_count > 1) {
			job_write(search->job, search->scan.name, strlen(search->scan.name));
			job_write(search->job, ":", 1);
		}
		job_write(search->job, line, (size_t)size);
	}
}

/* Reports the matches that wait, once the data that they were found in has shown no error. */
static int report_matches(struct search *search)
{
	if (!search->pending)
		return 0;
	int code = scan_check(&search->scan);
	if (code < 0)
		return code;
	if (!search->job->run->options->count)
		for (size_t i = 0; i < search->pending; i++)
			print_match(search, search->batch[i]);
	search->count += search->pending;
	search->pending = 0;
	return 0;
}

/* Finds the matches that lie wholly in `data`, which stands at `offset` in the file. */
static int search_bytes(struct search *search, const unsigned char *data, uint64_t offset, size_t size)
{
	size_t at = search->from > offset ? (size_t)(search->from - offset) : 0;
	while (at < size && wanted(search)) {
		const unsigned char *match = pattern_find(search->pattern, data + at, size - at);
		if (!match)
			break;
		if (search->pending == BATCH) {
			int code = report_matches(search);
			if (code < 0)
				return code;
		}
		search->batch[search->pending++] = offset + (uint64_t)(match - data);
		at = (size_t)(match - data) + search->pattern->size;
		search->from = offset + at;
	}
	return 0;
}

/* Finds the matches that begin before `border`, where a mapping ends, and end behind it. */
static int search_border(struct search *search, uint64_t border)
{
	uint64_t reach = search->pattern->size - 1;
	uint64_t begin = border > reach ? border - reach : 0;
	if (begin < search->from)
		begin = search->from;
	uint64_t end = reach < search->scan.size - border ? border + reach : search->scan.size;
	if (begin >= border || end - begin < search->pattern->size)
		return 0;
	int64_t got = smmap_read(&search->scan.cursor, begin, search->border, end - begin);
	if (got < 0 || (uint64_t)got < end - begin)
		return scan_failed_at(&search->scan, begin, got < 0 ? (int)got : SMMAP_ETRUNCATED);
	return search_bytes(search, search->border, begin, (size_t)got);
}

static int search_piece(struct search *search, const struct piece *piece)
{
	size_t reach = search->pattern->size - 1;
	size_t size = piece->size + (reach < piece->more ? reach : piece->more);
	int code = search_bytes(search, piece->data, piece->offset, size);
	if (code == 0 && piece->more == 0 && search->scan.next < search->scan.end)
		code = search_border(search, search->scan.next);
	return code < 0 ? code : report_matches(search);
}

static int search_file(struct search *search)
{
	struct piece piece;
	int state = 0;
	while (wanted(search) && (state = scan_next(&search->scan, &piece)) > 0) {
		state = search_piece(search, &piece);
		if (state < 0)
			break;
	}
	return state < 0 ? state : 0;
}

static void print_summary(struct search *search, int code)
{
	const struct options *options = search->job->run->options;
	if (options->json) {
		struct json_object *object = json_new("file");
		json_add_name(object, search->scan.name);
		if (code < 0)
			json_add_error(object, code);
		else
			json_add_number(object, "matches", search->count);
		job_write_json(search->job, object);
	} else if (options->count && code == 0) {
		if (options->file_count > 1)
			job_printf(search->job, "%s:", search->scan.name);
		job_printf(search->job, "%" PRIu64 "\n", search->count);
	}
}

static void find_in_file(struct job *job)
{
	struct search *search = memory_new(1, sizeof *search);
	search->job = job;
	search->pattern = job->context;
	search->border = memory_new(2, search->pattern->size);
	int code = scan_open(&search->scan, job, job->run->options->files[job->index]);
	search->scan.reach = search->pattern->size - 1;
	if (code == 0)
		code = search_file(search);
	if (code < 0)
		scan_report(&search->scan, code);
	print_summary(search, code);
	if (search->count)
		job->run->found = true;
	scan_close(&search->scan);
	free(search->border);
	free(search);
}

void command_find(struct run *run)
{
	const struct options *options = run->options;
	struct pattern pattern;
	pattern_make(&pattern, options->pattern, options->hex);
	progress_expect_files(&run->progress, options->files, options->file_count);
	crew_work(run, options->file_count, find_in_file, &pattern);
	pattern_free(&pattern);
}
