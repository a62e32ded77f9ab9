/* SPDX-License-Identifier: BSD-3-Clause */
#include "crew.h"

#include "json.h"
#include "report.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>

#define KEEP_OUTPUT ((size_t)1 << 20)    /* of one job, before it waits for its turn */
#define KEEP_FINISHED ((size_t)64 << 20) /* of all jobs that are done, before those that follow wait */

/* What a job that is done leaves behind until its turn. */
struct leftover {
	struct text output;
	struct text messages;
	bool done;
};

struct crew {
	struct run *run;
	void (*work)(struct job *job);
	void *context;
	size_t count;
	/* The rest is under the lock. */
	pthread_mutex_t lock;
	pthread_cond_t turned;
	size_t next;                /* the job that begins next */
	size_t turn;                /* the job whose turn it is */
	size_t kept;                /* bytes in `leftovers` */
	struct leftover *leftovers; /* NULL for a single thread */
};

/* Standard output is broken: says so once and makes everybody stop. */
static void output_broken(struct run *run)
{
	if (atomic_exchange(&run->stop, true))
		return;
	run->failed = true;
	progress_hide(&run->progress);
	report_line("standard output", report_reason(run->sink.error));
}

static void flush(struct run *run)
{
	if (run->sink.size)
		progress_hide(&run->progress);
	if (sink_flush(&run->sink) != 0)
		output_broken(run);
}

/* Writes what a job has for standard output and error. Only for the one that has the turn. */
static void publish(struct run *run, struct text *output, struct text *messages)
{
	if (output->size && sink_write(&run->sink, output->data, output->size) != 0)
		output_broken(run);
	if (messages->size || run->sink.terminal)
		flush(run);
	if (messages->size) {
		progress_hide(&run->progress);
		report_text(messages);
	}
	text_free(output);
	text_free(messages);
}

/* Waits for the turn; what was kept is written then. */
static int take_turn(struct job *job)
{
	struct crew *crew = job->crew;
	if (!job->has_turn) {
		pthread_mutex_lock(&crew->lock);
		while (crew->turn != job->index)
			pthread_cond_wait(&crew->turned, &crew->lock);
		pthread_mutex_unlock(&crew->lock);
		job->has_turn = true;
		if (job->output.size && sink_write(&job->run->sink, job->output.data, job->output.size) != 0)
			output_broken(job->run);
		text_free(&job->output);
	}
	return job->run->sink.error;
}

int job_write(struct job *job, const void *data, size_t size)
{
	if (!job->has_turn) {
		text_add(&job->output, data, size);
		return job->output.size > KEEP_OUTPUT ? take_turn(job) : 0;
	}
	int error = sink_write(&job->run->sink, data, size);
	if (error)
		output_broken(job->run);
	return error;
}

int job_printf(struct job *job, const char *format, ...)
{
	struct text text = {0};
	va_list arguments;
	va_start(arguments, format);
	text_vprintf(&text, format, arguments);
	va_end(arguments);
	int error = job_write(job, text.data, text.size);
	text_free(&text);
	return error;
}

int job_write_json(struct job *job, struct json_object *object)
{
	struct text text = {0};
	json_finish(object, &text);
	int error = job_write(job, text.data, text.size);
	text_free(&text);
	return error;
}

int job_flush(struct job *job)
{
	int error = take_turn(job);
	if (error)
		return error;
	flush(job->run);
	return job->run->sink.error;
}

void job_output_broken(struct job *job, int error)
{
	if (!job->run->sink.error)
		job->run->sink.error = error;
	output_broken(job->run);
}

void job_message(struct job *job, const char *name, const char *format, ...)
{
	va_list arguments;
	report_begin(&job->messages, name);
	va_start(arguments, format);
	text_vprintf(&job->messages, format, arguments);
	va_end(arguments);
	text_add_string(&job->messages, "\n");
}

/* Passes the turn on, publishing what jobs that are done already have left. Only for the one that has it. */
static void pass_turn(struct crew *crew)
{
	pthread_mutex_lock(&crew->lock);
	crew->turn++;
	while (crew->turn < crew->count && crew->leftovers[crew->turn].done) {
		struct leftover *leftover = &crew->leftovers[crew->turn];
		crew->kept -= leftover->output.size;
		pthread_mutex_unlock(&crew->lock);
		publish(crew->run, &leftover->output, &leftover->messages);
		pthread_mutex_lock(&crew->lock);
		crew->turn++;
	}
	pthread_cond_broadcast(&crew->turned);
	pthread_mutex_unlock(&crew->lock);
}

/* Leaves the job's output for its turn. Returns false, leaving nothing, when it is its turn already. */
static bool leave(struct crew *crew, struct job *job)
{
	pthread_mutex_lock(&crew->lock);
	while (crew->turn != job->index && crew->kept > KEEP_FINISHED)
		pthread_cond_wait(&crew->turned, &crew->lock);
	bool left = crew->turn != job->index;
	if (left) {
		crew->leftovers[job->index] = (struct leftover){job->output, job->messages, true};
		crew->kept += job->output.size;
	}
	pthread_mutex_unlock(&crew->lock);
	return left;
}

static void do_job(struct crew *crew, size_t index, bool alone)
{
	struct job job = {
		.run = crew->run, .context = crew->context, .index = index, .crew = crew, .has_turn = alone};
	if (!crew->run->stop)
		crew->work(&job);
	if (!job.has_turn && leave(crew, &job))
		return;
	publish(crew->run, &job.output, &job.messages);
	if (!alone)
		pass_turn(crew);
}

static void *thread_main(void *argument)
{
	struct crew *crew = argument;
	for (;;) {
		pthread_mutex_lock(&crew->lock);
		size_t index = crew->next;
		if (index < crew->count)
			crew->next++;
		pthread_mutex_unlock(&crew->lock);
		if (index >= crew->count)
			return NULL;
		do_job(crew, index, false);
	}
}

/* The caller is one of the threads; where the system gives no more threads, fewer do the work. */
static void work_together(struct crew *crew, size_t threads)
{
	pthread_t *others = memory_new(threads, sizeof *others);
	size_t made = 0;
	crew->leftovers = memory_new(crew->count, sizeof *crew->leftovers);
	while (made + 1 < threads && pthread_create(&others[made], NULL, thread_main, crew) == 0)
		made++;
	thread_main(crew);
	while (made > 0)
		pthread_join(others[--made], NULL);
	free(crew->leftovers);
	free(others);
}

void crew_work(struct run *run, size_t count, void (*work)(struct job *job), void *context)
{
	struct crew crew = {.run = run,
	                    .work = work,
	                    .context = context,
	                    .count = count,
	                    .lock = PTHREAD_MUTEX_INITIALIZER,
	                    .turned = PTHREAD_COND_INITIALIZER};
	size_t threads = run->options->threads < count ? run->options->threads : count;
	if (threads > 1) {
		work_together(&crew, threads);
	} else {
		for (size_t i = 0; i < count; i++)
			do_job(&crew, i, true);
	}
	flush(run);
}
