/* SPDX-License-Identifier: BSD-3-Clause */
/* The progress bar on standard error: share done, bytes, rate, time left. */
#ifndef SMMAP_TOOL_PROGRESS_H
#define SMMAP_TOOL_PROGRESS_H

#include "options.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct progress {
	bool on;
	bool terminal;
	uint64_t total; /* bytes */
	uint64_t began; /* nanoseconds, as all times here */
	_Atomic uint64_t done;
	_Atomic uint64_t drawn;
	pthread_mutex_t lock; /* over what follows, and over the line on the terminal */
	bool visible;
};

/* Nanoseconds of a clock that never goes back. */
uint64_t clock_now(void);

/* Decides whether there is a bar at all; nothing is drawn yet. */
void progress_init(struct progress *progress, const struct options *options);

/* Sets what 100% is: the sizes of the files together. Looks them up only when there is a bar. */
void progress_expect_files(struct progress *progress, char **files, size_t count);

/* `size` more bytes are done. Draws now and then. Any thread. */
void progress_add(struct progress *progress, uint64_t size);

/*
 * Takes the bar off the terminal, so that a line can be written there; the next progress_add draws it again.
 */
void progress_hide(struct progress *progress);

/* Draws the bar for the last time and leaves it there. */
void progress_finish(struct progress *progress);

#endif
