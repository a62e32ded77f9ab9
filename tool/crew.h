/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The crew works on a list of jobs, --threads of them at a time, and keeps their output in order.
 *
 * The job with the lowest number that is not done yet has the *turn*: what it writes goes straight to
 * standard output. The others keep what they write; one that has kept much waits for its turn. Jobs begin in
 * order, so the one that has the turn is always at work and nobody waits for ever. Messages for standard
 * error are kept until the job is done, so that they come in order too. A single thread is the caller's own:
 * none is made.
 */
#ifndef SMMAP_TOOL_CREW_H
#define SMMAP_TOOL_CREW_H

#include "run.h"
#include "text.h"

#include <stdbool.h>
#include <stddef.h>

struct crew;
struct json_object;

/* One job, in the hands of one thread. */
struct job {
	struct run *run;
	void *context; /* what was given to crew_work */
	size_t index;
	/* The rest belongs to the crew. */
	struct crew *crew;
	bool has_turn;
	struct text output;
	struct text messages;
};

/* Calls `work` for jobs 0 ... count - 1 and returns when all are done. */
void crew_work(struct run *run, size_t count, void (*work)(struct job *job), void *context);

/* Standard output of the job. Returns 0, or a negative errno once standard output is broken. */
int job_write(struct job *job, const void *data, size_t size);
int job_printf(struct job *job, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Writes the object, taking it, as one line. */
int job_write_json(struct job *job, struct json_object *object);

/*
 * Waits for the turn and passes everything that was kept on to the system: what follows may be written to the
 * descriptor of standard output. The job must say when that fails.
 */
int job_flush(struct job *job);
void job_output_broken(struct job *job, int error);

/* Adds a line to the job's messages: "smmap: NAME: text". */
void job_message(struct job *job, const char *name, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
