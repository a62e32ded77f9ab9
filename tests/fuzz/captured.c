/* SPDX-License-Identifier: BSD-3-Clause */
#include "fuzz/captured.h"

#include "escape.h"
#include "report.h"

#include <smmap.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct text reported_output;
struct text reported_error;

void reported_clear(void)
{
	reported_output.size = 0;
	reported_error.size = 0;
}

int write_all(int fd, const void *data, size_t size, size_t *written)
{
	text_add(fd == STDOUT_FILENO ? &reported_output : &reported_error, data, size);
	if (written != NULL)
		*written = size;
	return 0;
}

const char *report_reason(int code)
{
	return smmap_strerror(code);
}

void report_text(const struct text *text)
{
	(void)write_all(STDERR_FILENO, text->data, text->size, NULL);
}

void report_begin(struct text *text, const char *name)
{
	text_add_string(text, "smmap: ");
	escape_for_message(text, name);
	text_add_string(text, ": ");
}

void report_line(const char *name, const char *reason)
{
	report_begin(&reported_error, name);
	text_printf(&reported_error, "%s\n", reason);
}

void report_count(const char *name, size_t count, const char *one, const char *many)
{
	report_begin(&reported_error, name != NULL ? name : "all");
	text_printf(&reported_error, "WARNING: %zu %s\n", count, count == 1 ? one : many);
}

bool report_stdio(void)
{
	return fflush(stdout) == 0;
}
