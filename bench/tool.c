/* SPDX-License-Identifier: BSD-3-Clause */
/* The command-line tool against xxhsum, grep and cat: wall time of whole processes, all output to /dev/null. */
#include "crew.h"
#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

typedef struct command {
	const char *argv[12];
	const char *cold; /* path that is dropped from the page cache before each run, or NULL */
} command;

static pid_t start_command(const command *c)
{
	posix_spawn_file_actions_t actions;
	pid_t pid;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO,
	                                 STDERR_FILENO); /* xxhsum clears its line there */
	int error = posix_spawnp(&pid, c->argv[0], &actions, NULL, (char *const *)(uintptr_t)c->argv, environ);
	if (error != 0)
		bench_die(c->argv[0], error);
	posix_spawn_file_actions_destroy(&actions);
	return pid;
}

/* Exit codes up to 1 are answers (nothing found), all else is a failure. */
static void await_command(const command *c, pid_t pid)
{
	int status = 0;
	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status) || WEXITSTATUS(status) > 1)
		bench_die(c->argv[0], ECHILD);
}

static uint64_t run_command(void *context, uint64_t count)
{
	const command *c = context;
	for (uint64_t i = 0; i < count; i++)
		await_command(c, start_command(c));
	return count;
}

static void prepare(void *context)
{
	const command *c = context;
	if (c->cold != NULL)
		files_drop(c->cold);
}

static bool can_run(const char *program)
{
	char text[256];
	snprintf(text, sizeof text, "command -v %s >/dev/null 2>&1", program);
	return system(text) == 0;
}

static void compare(bench *b, figure f, command ours, command peer)
{
	bool fast = f.sense == AT_MOST; /* small work, many times */
	contestant all[] = {
		{.name = f.name, .run = run_command, .prepare = prepare, .context = &ours, .count = fast ? 20 : 1},
		{.name = f.peer, .run = run_command, .prepare = prepare, .context = &peer, .count = fast ? 20 : 1},
	};
	f.group = "tool";
	if (!can_run(peer.argv[0])) {
		bench_note(b, "tool", "%s is not there: %s is left out", peer.argv[0], f.name);
		return;
	}
	run_command(&ours, 1);
	run_command(&peer, 1);
	bench_race(b, all, 2);
	if (fast)
		bench_record_time(b, &f, &all[0], &all[1]);
	else
		bench_record_speed(b, &f, &all[0], &all[1]);
}

/* Both commands at the same time. */
static uint64_t run_apart(void *context, uint64_t count)
{
	const command *both = context;
	for (uint64_t i = 0; i < count; i++) {
		pid_t first = start_command(&both[0]);
		pid_t second = start_command(&both[1]);
		await_command(&both[0], first);
		await_command(&both[1], second);
	}
	return count;
}

static void record_gain(bench *b, const figure *f, const contestant *one, const contestant *two,
                        const double *most)
{
	double gains[BENCH_ROUNDS_MAX];
	crew_gains(b, one, two, gains);
	for (unsigned i = 0; i < b->rounds; i++)
		gains[i] /= most[i];
	bench_record(b, f, gains, b->rounds);
}

/* Two equal files: of unequal ones the longer bounds the gain, whatever the threads do. */
static void two_threads(bench *b, enum folios folios)
{
	const char *x = files_warm(b, folios);
	const char *y = files_warm_second(b, folios);
	command one = {.argv = {b->tool, "hash", "--threads", "1", x, y}};
	command two = {.argv = {b->tool, "hash", "--threads", "2", x, y}};
	command apart[2] = {{.argv = {b->tool, "hash", "--threads", "1", x}},
	                    {.argv = {b->tool, "hash", "--threads", "1", y}}};
	crew single = {1, crew_count, NULL};
	crew pair = {2, crew_count, NULL};
	double most[BENCH_ROUNDS_MAX];
	contestant all[] = {
		{.name = "hash, 1 thread", .run = run_command, .context = &one, .count = 5},
		{.name = "hash, 2 threads", .run = run_command, .context = &two, .count = 5},
		{.name = "hash, 2 processes", .run = run_apart, .context = apart, .count = 5},
		{.name = "counter, 1 thread", .run = crew_run, .context = &single},
		{.name = "counter, 2 threads", .run = crew_run, .context = &pair},
	};
	bench_race(b, all, 5);
	crew_gains(b, &all[3], &all[4], most);
	figure f = {.group = "tool",
	            .name = "hash two files: gain of two threads",
	            .peer = "gain of private counters",
	            .condition = folios == FOLIOS_LARGE ? "warm, large folios" : "warm, small folios",
	            .sense = AT_LEAST,
	            .bar = 0.9};
	record_gain(b, &f, &all[0], &all[1], most);
	f.name = "hash two files: gain of two processes";
	f.sense = REPORTED;
	f.bar = 0;
	record_gain(b, &f, &all[0], &all[2], most);
}

void group_tool(bench *b)
{
	static const char needle[] = "a needle that is not there";
	if (b->tool == NULL) {
		bench_note(b, "tool", "left out: give the tool by --tool");
		return;
	}
	setenv("LC_ALL", "C", 1); /* grep at its fastest */
	const char *large = files_warm(b, FOLIOS_LARGE);
	const char *small = files_warm(b, FOLIOS_SMALL);
	const char *byte = files_random(b, "byte", 1);
	const char *cold = files_random(b, "cold", 512 * MIB);
	const char *tool = b->tool;
	compare(b,
	        (figure){.name = "hash, throughput",
	                 .peer = "xxhsum -H2",
	                 .condition = "warm, large folios",
	                 .sense = AT_LEAST,
	                 .bar = 1.2,
	                 .goal = 1.3},
	        (command){.argv = {tool, "hash", large}}, (command){.argv = {"xxhsum", "-H2", large}});
	compare(b, (figure){.name = "hash, throughput", .peer = "xxhsum -H2", .condition = "warm, small folios"},
	        (command){.argv = {tool, "hash", small}}, (command){.argv = {"xxhsum", "-H2", small}});
	compare(b,
	        (figure){.name = "find --count, throughput",
	                 .peer = "grep -c -F -a",
	                 .condition = "warm, large folios",
	                 .sense = AT_LEAST,
	                 .goal = 1.3},
	        (command){.argv = {tool, "find", "--count", needle, large}},
	        (command){.argv = {"grep", "-c", "-F", "-a", needle, large}});
	two_threads(b, FOLIOS_LARGE);
	two_threads(b, FOLIOS_SMALL);
	compare(
		b,
		(figure){
			.name = "hash of a 1-byte file, wall time", .peer = "xxhsum -H2", .sense = AT_MOST, .goal = 1.3},
		(command){.argv = {tool, "hash", byte}}, (command){.argv = {"xxhsum", "-H2", byte}});
	compare(b,
	        (figure){
				.name = "hash, throughput", .peer = "cat", .condition = "cold", .sense = AT_LEAST, .goal = 1},
	        (command){{tool, "hash", cold}, cold}, (command){{"cat", cold}, cold});
	compare(b,
	        (figure){.name = "find --count, throughput",
	                 .peer = "cat",
	                 .condition = "cold",
	                 .sense = AT_LEAST,
	                 .goal = 1},
	        (command){{tool, "find", "--count", needle, cold}, cold}, (command){{"cat", cold}, cold});
	unlink(cold);
}
