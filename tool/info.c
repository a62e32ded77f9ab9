/* SPDX-License-Identifier: BSD-3-Clause */
/* smmap info: what a file is, how it is mapped, and how much of it is in the page cache, as a bar. */
#include "commands.h"
#include "crew.h"
#include "escape.h"
#include "json.h"
#include "size.h"

#include <inttypes.h>
#include <langinfo.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

enum { CELLS = 48 };

#define PIECE_PAGES ((uint64_t)64 << 10) /* asked for at once */

/* How the text is drawn: plain, or for a terminal that has more. */
struct style {
	const char *levels[9]; /* of a cell, from nothing to all of its pages */
	const char *bold;
	const char *normal;
};

static const struct style plain_style = {{" ", ".", ".", "-", "-", "+", "+", "*", "#"}, "", ""};
static const struct style terminal_style = {
	{" ", ".", ".", "-", "-", "+", "+", "*", "#"}, "\033[1m", "\033[0m"};
static const struct style unicode_style = {
	{" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"}, "\033[1m", "\033[0m"};

/* What is known of one file. */
struct facts {
	smmap_file_status status;
	bool counted; /* the residency is known */
	uint64_t page;
	uint64_t pages;
	uint64_t resident;
	uint64_t cell_resident[CELLS];
};

/*
 * The first page of cell `cell`; that of cell CELLS is behind the last page. Whole bytes of 64 bits suffice.
 */
static uint64_t cell_begin(uint64_t pages, uint64_t cell)
{
	return pages / CELLS * cell + pages % CELLS * cell / CELLS;
}

static void count_piece(struct facts *facts, const unsigned char *map, uint64_t first, uint64_t count,
                        uint64_t *cell)
{
	for (uint64_t i = 0; i < count; i++) {
		while (first + i >= cell_begin(facts->pages, *cell + 1))
			++*cell;
		uint64_t in = map[i] & 1;
		facts->cell_resident[*cell] += in;
		facts->resident += in;
	}
}

/* Returns 0 or an error code; a file that was read into memory has no answer, which is no error. */
static int count_residency(struct job *job, smmap_cursor *cursor, struct facts *facts)
{
	facts->page = (uint64_t)sysconf(_SC_PAGESIZE);
	facts->pages = facts->status.size / facts->page + (facts->status.size % facts->page != 0);
	unsigned char *map = memory_new(PIECE_PAGES, 1);
	uint64_t cell = 0;
	int64_t got = 0;
	for (uint64_t at = 0; at < facts->pages && got >= 0; at += PIECE_PAGES) {
		uint64_t offset = at * facts->page;
		got = smmap_cursor_residency(cursor, offset, PIECE_PAGES * facts->page, map, PIECE_PAGES);
		if (got > 0)
			count_piece(facts, map, at, (uint64_t)got, &cell);
		uint64_t left = facts->status.size - offset;
		uint64_t size = PIECE_PAGES * facts->page;
		progress_add(&job->run->progress, left < size ? left : size);
	}
	free(map);
	facts->counted = got >= 0;
	return got < 0 && got != SMMAP_ENOTSUP ? (int)got : 0;
}

static const char *placement_name(const smmap_file_status *status)
{
	return status->placement == SMMAP_PLACEMENT_STABLE ? "stable" : "detached";
}

static const char *backing_name(const smmap_file_status *status)
{
	static const char *const names[] = {"shared", "private", "memory"};
	return status->backing >= 0 && status->backing < 3 ? names[status->backing] : "unknown";
}

static uint64_t region_count(const smmap_file_status *status)
{
	uint64_t window = status->window_size;
	return window ? status->size / window + (status->size % window != 0) : 0;
}

/* "2024-05-01 12:34:56.123456789 +0200" */
static void format_date(char *to, size_t room, int64_t ns)
{
	int64_t fraction = ns % 1000000000;
	if (fraction < 0)
		fraction += 1000000000;
	time_t seconds = (time_t)((ns - fraction) / 1000000000);
	struct tm local;
	char date[64] = "?";
	char zone[16] = "";
	if (localtime_r(&seconds, &local)) {
		strftime(date, sizeof date, "%Y-%m-%d %H:%M:%S", &local);
		strftime(zone, sizeof zone, "%z", &local);
	}
	snprintf(to, room, "%s.%09" PRId64 " %s", date, fraction, zone);
}

static void add_bar(struct text *text, const struct facts *facts, const struct style *style)
{
	for (uint64_t cell = 0; cell < CELLS; cell++) {
		uint64_t pages = cell_begin(facts->pages, cell + 1) - cell_begin(facts->pages, cell);
		uint64_t level = pages ? facts->cell_resident[cell] * 8 / pages : 0;
		if (level == 0 && facts->cell_resident[cell])
			level = 1;
		if (pages) /* a file of fewer pages has fewer cells */
			text_add_string(text, style->levels[level]);
	}
}

static void add_residency(struct text *text, const struct facts *facts, const struct style *style)
{
	char resident[SIZE_TEXT_ROOM];
	char all[SIZE_TEXT_ROOM];
	if (!facts->counted) {
		text_add_string(text, "  in cache   not known: the file is read into memory\n");
		return;
	}
	if (!facts->pages) {
		text_add_string(text, "  in cache   nothing to hold\n");
		return;
	}
	text_add_string(text, "  in cache   [");
	add_bar(text, facts, style);
	text_printf(text, "] %3.0f%%\n             %s of %s, %" PRIu64 " of %" PRIu64 " pages\n",
	            100.0 * (double)facts->resident / (double)facts->pages,
	            size_format(resident, (double)facts->resident * (double)facts->page),
	            size_format(all, (double)facts->pages * (double)facts->page), facts->resident, facts->pages);
}

static const struct style *choose_style(void)
{
	if (isatty(STDOUT_FILENO) != 1)
		return &plain_style;
	const char *codeset = setlocale(LC_CTYPE, "") ? nl_langinfo(CODESET) : "";
	return strcmp(codeset, "UTF-8") == 0 ? &unicode_style : &terminal_style;
}

static void print_text(struct job *job, const char *name, const struct facts *facts)
{
	const struct style *style = *(const struct style **)job->context;
	const smmap_file_status *status = &facts->status;
	struct text text = {0};
	char size[SIZE_TEXT_ROOM];
	char date[128];
	format_date(date, sizeof date, status->mtime_ns);
	text_add_string(&text, style->bold);
	escape_for_message(&text, name);
	text_printf(&text, "%s\n", style->normal);
	text_printf(&text, "  size       %s (%" PRIu64 " bytes)\n", size_format(size, (double)status->size),
	            status->size);
	text_printf(&text, "  identity   device %u:%u, inode %" PRIu64 "\n", major(status->device),
	            minor(status->device), status->inode);
	text_printf(&text, "  modified   %s\n", date);
	text_printf(&text, "  placement  %s, backing %s\n", placement_name(status), backing_name(status));
	text_printf(&text, "  window     %s, regions %" PRIu64 " (%" PRIu64 " mapped)\n",
	            size_format(size, (double)status->window_size), region_count(status), status->regions);
	add_residency(&text, facts, style);
	job_write(job, text.data, text.size);
	text_free(&text);
}

static void print_json(struct job *job, const char *name, const struct facts *facts, int code)
{
	const smmap_file_status *status = &facts->status;
	struct json_object *object = json_new("file");
	json_add_name(object, name);
	if (code < 0) {
		json_add_error(object, code);
		job_write_json(job, object);
		return;
	}
	json_add_number(object, "size", status->size);
	json_add_number(object, "device", status->device);
	json_add_number(object, "inode", status->inode);
	json_add_signed(object, "mtime_ns", status->mtime_ns);
	json_add_signed(object, "ctime_ns", status->ctime_ns);
	json_add_text(object, "placement", placement_name(status));
	json_add_text(object, "backing", backing_name(status));
	json_add_number(object, "window_size", status->window_size);
	json_add_number(object, "regions", region_count(status));
	json_add_number(object, "regions_mapped", status->regions);
	json_add_number(object, "page_size", facts->page);
	json_add_number(object, "pages", facts->pages);
	if (facts->counted)
		json_add_number(object, "pages_resident", facts->resident);
	job_write_json(job, object);
}

static void info_of_file(struct job *job)
{
	const char *name = job->run->options->files[job->index];
	struct facts facts = {0};
	smmap_cursor cursor = SMMAP_CURSOR_INIT;
	int code = smmap_cursor_open(&cursor, job->run->manager, name, 0);
	if (code == 0)
		code = smmap_cursor_status(&cursor, &facts.status);
	if (code == 0)
		code = count_residency(job, &cursor, &facts);
	if (code < 0) {
		job->run->failed = true;
		job_message(job, name, "%s", smmap_strerror(code));
	}
	if (job->run->options->json)
		print_json(job, name, &facts, code);
	else if (code == 0)
		print_text(job, name, &facts);
	smmap_cursor_close(&cursor);
}

void command_info(struct run *run)
{
	const struct style *style = choose_style();
	progress_expect_files(&run->progress, run->options->files, run->options->file_count);
	crew_work(run, run->options->file_count, info_of_file, &style);
}
