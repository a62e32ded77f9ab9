/* SPDX-License-Identifier: BSD-3-Clause */
#include "check.h"

#include "crew.h"
#include "escape.h"
#include "hash.h"
#include "json.h"
#include "report.h"
#include "size.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct entry {
	char *name;
	unsigned char hash[DIGEST_MAX_SIZE];
};

/* All entries of all lists, and what became of them. */
struct check {
	const struct digest *digest;
	struct entry *entries;
	size_t count;
	size_t room;
	_Atomic size_t unreadable;
	_Atomic size_t different;
};

/* Reads the digits of one hash. Returns the place behind them, or NULL. */
static char *parse_hash(char *text, const struct digest *digest, unsigned char *hash)
{
	for (size_t i = 0; i < digest->size; i++) {
		int high = hex_digit(text[2 * i]);
		int low = high < 0 ? -1 : hex_digit(text[2 * i + 1]);
		if (low < 0)
			return NULL;
		hash[i] = (unsigned char)(high * 16 + low);
	}
	return text + 2 * digest->size;
}

/* "TAG (NAME) = HASH"; the name may have anything in it, so the end is looked for from behind. */
static bool parse_tagged(char *line, const struct digest *digest, char **name, unsigned char *hash)
{
	size_t tag = strlen(digest->tag);
	size_t length = strlen(line);
	size_t tail = strlen(") = ") + 2 * digest->size;
	if (strncmp(line, digest->tag, tag) != 0 || strncmp(line + tag, " (", 2) != 0 || length < tag + 3 + tail)
		return false;
	char *end = line + length - tail;
	if (strncmp(end, ") = ", 4) != 0 || !parse_hash(end + 4, digest, hash))
		return false;
	*end = 0;
	*name = line + tag + 2;
	return true;
}

bool check_parse_line(char *line, const struct digest *digest, char **name, unsigned char *hash)
{
	bool escaped = *line == '\\';
	if (escaped)
		line++;
	if (!parse_tagged(line, digest, name, hash)) {
		char *end = parse_hash(line, digest, hash);
		if (!end || end[0] != ' ' || (end[1] != ' ' && end[1] != '*') || !end[2])
			return false;
		*name = end + 2;
	}
	return !escaped || unescape_from_list(*name);
}

static void add_entry(struct check *check, const char *name, const unsigned char *hash)
{
	if (check->count == check->room) {
		check->room = check->room ? check->room * 2 : 64;
		check->entries = memory_resize(check->entries, check->room, sizeof *check->entries);
	}
	struct entry *entry = &check->entries[check->count++];
	size_t size = strlen(name) + 1;
	entry->name = memcpy(memory_new(size, 1), name, size);
	memcpy(entry->hash, hash, sizeof entry->hash);
}

/* Returns the number of lines that are neither entries nor comments nor empty. */
static size_t read_lines(struct check *check, FILE *list)
{
	char *line = NULL;
	size_t room = 0;
	size_t malformed = 0;
	for (ssize_t size; (size = getline(&line, &room, list)) > 0;) {
		char *name;
		unsigned char hash[DIGEST_MAX_SIZE] = {0};
		if (line[size - 1] == '\n')
			line[--size] = 0;
		if (size == 0 || *line == '#')
			continue;
		bool text = memchr(line, 0, (size_t)size) == NULL;
		if (text && check_parse_line(line, check->digest, &name, hash))
			add_entry(check, name, hash);
		else
			malformed++;
	}
	free(line);
	return malformed;
}

static void list_failed(struct run *run, const char *name, const char *reason)
{
	run->failed = true;
	report_line(name, reason);
}

static void read_list(struct run *run, struct check *check, const char *name)
{
	bool standard = strcmp(name, "-") == 0;
	FILE *list = standard ? stdin : fopen(name, "re");
	if (!list) {
		list_failed(run, name, report_reason(-errno));
		return;
	}
	size_t before = check->count;
	errno = 0;
	size_t malformed = read_lines(check, list);
	int error = ferror(list) ? errno : 0;
	if (!standard)
		fclose(list);
	if (error)
		list_failed(run, name, report_reason(-error));
	else if (check->count == before)
		list_failed(run, name, "no line is a checksum of this algorithm");
	else if (malformed)
		report_count(name, malformed, "line is improperly formatted", "lines are improperly formatted");
}

enum outcome { OUTCOME_OK, OUTCOME_DIFFERENT, OUTCOME_UNREADABLE };

static void print_outcome(struct job *job, const struct digest *digest, const char *name,
                          enum outcome outcome)
{
	static const char *const words[] = {"OK", "FAILED", "FAILED open or read"};
	struct text line = {0};
	if (digest->escapes_names && escape_for_list_needed(name)) {
		text_add_string(&line, "\\");
		escape_for_list(&line, name);
	} else {
		text_add_string(&line, name);
	}
	text_printf(&line, ": %s\n", words[outcome]);
	job_write(job, line.data, line.size);
	text_free(&line);
}

static void print_outcome_json(struct job *job, const struct digest *digest, const char *name,
                               enum outcome outcome, int code)
{
	static const char *const words[] = {"ok", "different", "unreadable"};
	struct json_object *object = json_new("check");
	json_add_name(object, name);
	json_add_text(object, "algorithm", digest->name);
	json_add_text(object, "result", words[outcome]);
	if (code < 0)
		json_add_error(object, code);
	job_write_json(job, object);
}

static void check_entry(struct job *job)
{
	struct check *check = job->context;
	const struct entry *entry = &check->entries[job->index];
	unsigned char result[DIGEST_MAX_SIZE] = {0};
	enum outcome outcome = OUTCOME_OK;
	struct scan scan;
	int code = scan_open(&scan, job, entry->name);
	if (code == 0)
		code = hash_scan(&scan, check->digest, result);
	if (code < 0) {
		scan_report(&scan, code);
		outcome = OUTCOME_UNREADABLE;
		check->unreadable++;
	} else if (memcmp(result, entry->hash, check->digest->size) != 0) {
		outcome = OUTCOME_DIFFERENT;
		check->different++;
	}
	if (job->run->options->json)
		print_outcome_json(job, check->digest, entry->name, outcome, code);
	else
		print_outcome(job, check->digest, entry->name, outcome);
	scan_close(&scan);
}

static void expect_entries(struct run *run, const struct check *check)
{
	for (size_t i = 0; i < check->count; i++)
		progress_expect_files(&run->progress, &check->entries[i].name, 1);
}

void check_lists(struct run *run, const struct digest *digest)
{
	struct check check = {.digest = digest};
	for (size_t i = 0; i < run->options->file_count; i++)
		read_list(run, &check, run->options->files[i]);
	expect_entries(run, &check);
	crew_work(run, check.count, check_entry, &check);
	if (!run->stop && check.unreadable)
		report_count(NULL, check.unreadable, "listed file could not be read",
		             "listed files could not be read");
	if (!run->stop && check.different)
		report_count(NULL, check.different, "computed checksum did NOT match",
		             "computed checksums did NOT match");
	if (check.different)
		run->failed = true;
	for (size_t i = 0; i < check.count; i++)
		free(check.entries[i].name);
	free(check.entries);
}
