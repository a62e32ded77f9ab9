/* SPDX-License-Identifier: BSD-3-Clause */
/* smmap cat: files, or a part of each, to standard output, written from where they are mapped. */
#include "commands.h"
#include "crew.h"
#include "report.h"
#include "scan.h"

#include <errno.h>
#include <unistd.h>

enum { COPY_ROOM = 64 << 10 };

/*
 * The system could not read the mapping at `offset` (EFAULT): the file was cut there, or cannot be mapped
 * just now but can be read (a full tmpfs). Copies up to `size` bytes instead. Returns how many, or an error
 * code.
 */
static int64_t write_copy(struct scan *scan, uint64_t offset, size_t size, int *output_error)
{
	char copy[COPY_ROOM];
	size_t part = size < sizeof copy ? size : sizeof copy;
	int64_t got = smmap_read(&scan->cursor, offset, copy, part);
	if (got <= 0)
		return scan_failed_at(scan, offset, got < 0 ? (int)got : SMMAP_ETRUNCATED);
	*output_error = write_all(STDOUT_FILENO, copy, (size_t)got, NULL);
	return got;
}

/*
 * Writes one piece. Returns 0 or the error code of the file; errors of standard output go to `output_error`.
 */
static int write_piece(struct scan *scan, const struct piece *piece, int *output_error)
{
	size_t done = 0;
	while (done < piece->size && !*output_error) {
		size_t written = 0;
		int error = write_all(STDOUT_FILENO, piece->data + done, piece->size - done, &written);
		done += written;
		if (error != -EFAULT) {
			*output_error = error;
			continue;
		}
		int64_t got = write_copy(scan, piece->offset + done, piece->size - done, output_error);
		if (got < 0)
			return (int)got;
		done += (size_t)got;
	}
	return 0;
}

static int write_file(struct scan *scan)
{
	struct piece piece;
	int output_error = job_flush(scan->job);
	int state = 0;
	while (!output_error && (state = scan_next(scan, &piece)) > 0) {
		int code = write_piece(scan, &piece, &output_error);
		if (code < 0)
			return code;
	}
	if (output_error)
		job_output_broken(scan->job, output_error);
	return state;
}

static void cat_file(struct job *job)
{
	const struct options *options = job->run->options;
	struct scan scan;
	int code = scan_open(&scan, job, options->files[job->index]);
	if (code == 0) {
		scan_map_only(&scan); /* the system copies anyway */
		scan_limit(&scan, options->offset, options->length);
		code = write_file(&scan);
	}
	if (code < 0)
		scan_report(&scan, code);
	scan_close(&scan);
}

void command_cat(struct run *run)
{
	progress_expect_files(&run->progress, run->options->files, run->options->file_count);
	crew_work(run, run->options->file_count, cat_file, NULL);
}
