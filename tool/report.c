/* SPDX-License-Identifier: BSD-3-Clause */
#include "report.h"

#include "escape.h"
#include "smmap.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MAX_WRITE ((size_t)1 << 30) /* one write(2) moves at most 2 GiB less a page */

int write_all(int fd, const void *data, size_t size, size_t *written)
{
	const char *from = data;
	size_t done = 0;
	int error = 0;
	while (done < size && !error) {
		size_t part = size - done < MAX_WRITE ? size - done : MAX_WRITE;
		ssize_t count = write(fd, from + done, part);
		if (count > 0)
			done += (size_t)count;
		else if (count == 0)
			error = -EIO;
		else if (errno == EAGAIN || errno == EWOULDBLOCK)
			poll(&(struct pollfd){.fd = fd, .events = POLLOUT}, 1, -1);
		else if (errno != EINTR)
			error = -errno;
	}
	if (written)
		*written = done;
	return error;
}

const char *report_reason(int code)
{
	return strcmp(smmap_err_name(code), "SMMAP_EUNKNOWN") == 0 ? strerror(-code) : smmap_strerror(code);
}

void report_text(const struct text *text)
{
	write_all(STDERR_FILENO, text->data, text->size, NULL); /* there is nowhere left to say that it failed */
}

void report_begin(struct text *text, const char *name)
{
	text_add_string(text, "smmap: ");
	escape_for_message(text, name);
	text_add_string(text, ": ");
}

void report_line(const char *name, const char *reason)
{
	struct text text = {0};
	report_begin(&text, name);
	text_printf(&text, "%s\n", reason);
	report_text(&text);
	text_free(&text);
}

void report_count(const char *name, size_t count, const char *one, const char *many)
{
	struct text text = {0};
	if (name)
		report_begin(&text, name);
	else
		text_add_string(&text, "smmap: ");
	text_printf(&text, "WARNING: %zu %s\n", count, count == 1 ? one : many);
	report_text(&text);
	text_free(&text);
}

bool report_stdio(void)
{
	errno = 0;
	if (fflush(stdout) == 0 && !ferror(stdout))
		return true;
	report_line("standard output", report_reason(errno ? -errno : SMMAP_EIO));
	return false;
}
