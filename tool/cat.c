/* SPDX-License-Identifier: BSD-3-Clause */
/* smmap cat: files, or a part of each, to standard output, written from where they are mapped. */
#include "commands.h"
#include "crew.h"
#include "report.h"
#include "scan.h"

#include <errno.h>
#include <unistd.h>

/*
 * Writes one piece. Where the system could not read the mapping (EFAULT) the file was cut there, or cannot be mapped
 * just now but can be read (a full tmpfs): then the rest is read. Returns 0 or an error code; errors of standard output
 * go to `output_error`.
 */
static int write_piece(struct scan *scan, const struct piece *piece, int *output_error)
{
	size_t written = 0;
	int error = write_all(STDOUT_FILENO, piece->data, piece->size, &written);
	if (error == -EFAULT)
		return scan_by_reading(scan, piece->offset + written);
	*output_error = error;
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
