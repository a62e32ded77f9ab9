/* SPDX-License-Identifier: BSD-3-Clause */
#include "progress.h"

#include "report.h"
#include "size.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define INTERVAL 100000000u /* between two drawings */
#define SECOND 1000000000u
#define LINE_ROOM 512

uint64_t clock_now(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * SECOND + (uint64_t)now.tv_nsec;
}

void progress_init(struct progress *progress, const struct options *options)
{
	*progress = (struct progress){.lock = PTHREAD_MUTEX_INITIALIZER};
	if (options->progress == WHEN_NEVER)
		return;
	progress->terminal = isatty(STDERR_FILENO) == 1;
	progress->on = progress->terminal || options->progress == WHEN_ALWAYS;
	if (progress->on)
		progress->drawn = progress->began = clock_now();
}

void progress_expect_files(struct progress *progress, char **files, size_t count)
{
	if (!progress->on)
		return;
	for (size_t i = 0; i < count; i++) {
		struct stat status;
		if (stat(files[i], &status) == 0 && S_ISREG(status.st_mode))
			progress->total += (uint64_t)status.st_size;
	}
}

/* Columns of the terminal; 79 where there is none. */
static size_t columns(const struct progress *progress)
{
	struct winsize size;
	if (progress->terminal && ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1)
		return size.ws_col - 1u;
	return 79;
}

static void format_time(char to[SIZE_TEXT_ROOM], double seconds)
{
	uint64_t whole = seconds < 1e9 ? (uint64_t)(seconds + 0.5) : 1000000000;
	unsigned long hours = (unsigned long)(whole / 3600);
	unsigned minutes = (unsigned)(whole / 60 % 60);
	if (hours)
		snprintf(to, SIZE_TEXT_ROOM, "%lu:%02u:%02u", hours, minutes, (unsigned)(whole % 60));
	else
		snprintf(to, SIZE_TEXT_ROOM, "%u:%02u", minutes, (unsigned)(whole % 60));
}

/* "1.2 GiB of 2.6 GiB, 3.1 GiB/s, 0:12 left" */
static void format_figures(char *to, size_t room, double done, double total, double seconds)
{
	char done_text[SIZE_TEXT_ROOM];
	char total_text[SIZE_TEXT_ROOM];
	char rate_text[SIZE_TEXT_ROOM];
	char time_text[SIZE_TEXT_ROOM];
	double rate = seconds > 0 ? done / seconds : 0;
	bool over = done >= total;
	format_time(time_text, over || rate <= 0 ? seconds : (total - done) / rate);
	snprintf(to, room, "%s of %s, %s/s, %s %s", size_format(done_text, done), size_format(total_text, total),
	         size_format(rate_text, rate), over ? "in" : time_text, over ? time_text : "left");
}

/* Room for the bar itself: what the other parts of the line leave, at most 40 columns. */
static size_t bar_width(size_t width, size_t figures)
{
	size_t taken = sizeof "100% [] " - 1 + figures;
	if (width <= taken)
		return 0;
	return width - taken < 40 ? width - taken : 40;
}

static void draw_locked(struct progress *progress, uint64_t now, const char *end)
{
	char figures[160];
	char bar[41];
	char line[LINE_ROOM];
	double done = (double)progress->done;
	double total = progress->total ? (double)progress->total : done;
	double share = total > 0 ? done / total : 1;
	if (share > 1)
		share = 1;
	format_figures(figures, sizeof figures, done, total, (double)(now - progress->began) / SECOND);
	size_t width = columns(progress);
	size_t wide = bar_width(width, strlen(figures));
	size_t full = (size_t)(share * (double)wide);
	memset(bar, '#', full);
	memset(bar + full, '.', wide - full);
	bar[wide] = 0;
	int size = snprintf(line, sizeof line, "%3d%% [%s] %s", (int)(share * 100), bar, figures);
	if (size < 0)
		return;
	size_t used = (size_t)size < width ? (size_t)size : width;
	struct text text = {0};
	text_printf(&text, "\r%.*s%s%s", (int)used, line, progress->terminal ? "\033[K" : "", end);
	report_text(&text);
	text_free(&text);
	progress->visible = true;
}

void progress_add(struct progress *progress, uint64_t size)
{
	if (!progress->on)
		return;
	progress->done += size;
	uint64_t now = clock_now();
	uint64_t drawn = progress->drawn;
	if (now - drawn < INTERVAL || !atomic_compare_exchange_strong(&progress->drawn, &drawn, now))
		return;
	pthread_mutex_lock(&progress->lock);
	draw_locked(progress, now, "");
	pthread_mutex_unlock(&progress->lock);
}

void progress_hide(struct progress *progress)
{
	if (!progress->on)
		return;
	pthread_mutex_lock(&progress->lock);
	if (progress->visible) {
		struct text text = {0};
		text_add_string(&text, progress->terminal ? "\r\033[K" : "\n");
		report_text(&text);
		text_free(&text);
		progress->visible = false;
	}
	pthread_mutex_unlock(&progress->lock);
}

void progress_finish(struct progress *progress)
{
	if (!progress->on)
		return;
	pthread_mutex_lock(&progress->lock);
	draw_locked(progress, clock_now(), "\n");
	progress->visible = false;
	pthread_mutex_unlock(&progress->lock);
}
