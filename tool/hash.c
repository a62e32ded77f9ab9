/* SPDX-License-Identifier: BSD-3-Clause */
/* smmap hash: the hash of each file, in the lines that xxhsum and sha256sum write. */
#include "hash.h"

#include "check.h"
#include "commands.h"
#include "escape.h"
#include "json.h"
#include "report.h"
#include "scan.h"

#include <stdlib.h>

static int hash_pieces(struct scan *scan, const struct digest *digest, struct digest_state *state)
{
	struct piece piece;
	int got;
	while ((got = scan_next(scan, &piece)) > 0)
		if (!digest->update(state, piece.data, piece.size))
			return SMMAP_ENOMEM;
	return got;
}

static int hash_once(struct scan *scan, const struct digest *digest, unsigned char result[DIGEST_MAX_SIZE])
{
	struct digest_state state;
	if (!digest->begin(&state))
		return SMMAP_ENOMEM;
	int code = hash_pieces(scan, digest, &state);
	digest->finish(&state, result);
	return code;
}

/* A page that cannot be mapped although it can be read (a full tmpfs) has shown zeros: then all is read anew. */
int hash_scan(struct scan *scan, const struct digest *digest, unsigned char result[DIGEST_MAX_SIZE])
{
	int code = hash_once(scan, digest, result);
	if (code != SMMAP_EFAULTED)
		return code;
	code = scan_by_reading(scan, 0);
	return code == 0 ? hash_once(scan, digest, result) : code;
}

void hash_format(char to[HASH_TEXT_ROOM], const struct digest *digest, const unsigned char *result)
{
	static const char digits[] = "0123456789abcdef";
	for (size_t i = 0; i < digest->size; i++) {
		*to++ = digits[result[i] >> 4];
		*to++ = digits[result[i] & 15];
	}
	*to = 0;
}

static void print_line(struct job *job, const struct digest *digest, const char *hash, const char *name)
{
	struct text line = {0};
	if (digest->escapes_names && escape_for_list_needed(name)) {
		text_printf(&line, "\\%s  ", hash);
		escape_for_list(&line, name);
	} else {
		text_printf(&line, "%s  %s", hash, name);
	}
	text_add_string(&line, "\n");
	job_write(job, line.data, line.size);
	text_free(&line);
}

/* `hash` is NULL when `code` tells why there is none. */
static void print_json(struct job *job, const struct digest *digest, const char *hash,
                       const struct scan *scan, int code)
{
	struct json_object *object = json_new("file");
	json_add_name(object, scan->name);
	json_add_text(object, "algorithm", digest->name);
	if (hash) {
		json_add_text(object, "hash", hash);
		json_add_number(object, "size", scan->size);
	} else {
		json_add_error(object, code);
	}
	job_write_json(job, object);
}

static void hash_file(struct job *job)
{
	const struct options *options = job->run->options;
	const struct digest *digest = *(const struct digest **)job->context;
	unsigned char result[DIGEST_MAX_SIZE] = {0};
	char hash[HASH_TEXT_ROOM];
	struct scan scan;
	int code = scan_open(&scan, job, options->files[job->index]);
	if (code == 0)
		code = hash_scan(&scan, digest, result);
	if (code < 0)
		scan_report(&scan, code);
	else
		hash_format(hash, digest, result);
	if (options->json)
		print_json(job, digest, code < 0 ? NULL : hash, &scan, code);
	else if (code == 0)
		print_line(job, digest, hash, scan.name);
	scan_close(&scan);
}

void command_hash(struct run *run)
{
	const struct options *options = run->options;
	const char *why = NULL;
	const struct digest *digest = digest_load(options->algorithm, &why);
	if (!digest) {
		report_line(options->algorithm, why);
		run->failed = true;
	} else if (options->check) {
		check_lists(run, digest);
	} else {
		progress_expect_files(&run->progress, options->files, options->file_count);
		crew_work(run, options->file_count, hash_file, &digest);
	}
}
