/* SPDX-License-Identifier: BSD-3-Clause */
#include "harness/harness.h"
#include "sanitizers.h"

#include "os/os.h"

#include <err.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
	EXIT_SKIPPED = 77,
	SECONDS_DEFAULT = 60,
	WRAPPER_WORDS_MAX = 30,
};

#define SKIPPED "skipped: "

/* ---- in the test's own process ---- */

static const test_case *running;
static bool skipped;

/* cmocka handles these itself during a test; ours must meet them as the program was started with. */
static const int cmocka_signals[] = {SIGFPE, SIGILL, SIGSEGV, SIGBUS, SIGSYS};
enum { CMOCKA_SIGNALS = sizeof(cmocka_signals) / sizeof(cmocka_signals[0]) };
static struct sigaction signals_before[CMOCKA_SIGNALS];

static void save_signals(void)
{
	for (int i = 0; i < CMOCKA_SIGNALS; i++)
		sigaction(cmocka_signals[i], NULL, &signals_before[i]);
}

static void restore_signals(void)
{
	for (int i = 0; i < CMOCKA_SIGNALS; i++)
		sigaction(cmocka_signals[i], &signals_before[i], NULL);
}

void skip_test(const char *reason, ...)
{
	va_list arguments;
	va_start(arguments, reason);
	printf(SKIPPED);
	vprintf(reason, arguments);
	printf("\n");
	va_end(arguments);
	skipped = true;
	skip();
	abort(); /* skip() does not return */
}

size_t test_rounds(size_t rounds)
{
	const char *effort = getenv("SMMAP_TEST_EFFORT");
	size_t share = effort != NULL ? (size_t)((double)rounds * strtod(effort, NULL)) : rounds;
	return share != 0 ? share : 1;
}

static void skip_if_not_for_this_system(void)
{
	size_t unit = smmap__os_facts_now.granularity;
	if (running->unit != 0 && unit > running->unit)
		skip_test("its figures are for mappings in units of %zu KiB, not %zu", running->unit / 1024,
		          unit / 1024);
	if (running->stable && !smmap__os_facts_now.can_zap)
		skip_test("it is about stable placement, which needs a system that gives pages back");
}

static void run_under_cmocka(void **state)
{
	(void)state;
	restore_signals();
	skip_if_not_for_this_system();
	/* The lock of the books would order threads that the library leaves unordered. */
	bool with_books = !running->no_books && !THREAD_SANITIZER;
	if (with_books)
		books_open();
	running->run();
	inject_disarm();
	if (with_books && !books_balanced())
		fail_msg("not all was given back");
}

static int run_here(const test_case *test)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	running = test;
	smmap__os_init();
	system_install();
	save_signals();
	const struct CMUnitTest tests[] = {{test->name, run_under_cmocka, NULL, NULL, NULL}};
	int failures = cmocka_run_group_tests_name(test->name, tests, NULL, NULL);
	files_remove_own_dir();
	if (failures != 0)
		return EXIT_FAILURE;
	return skipped ? EXIT_SKIPPED : EXIT_SUCCESS;
}

/* ---- in the runner ---- */

static char self[PATH_MAX];
static const char *program; /* the name of the program, without directories */

enum outcome { PASSED, FAILED, SKIPPED_TEST, OUTCOMES };

/* What became of a test's process. */
struct ending {
	int status; /* as wait(2) has it */
	bool timed_out;
	double seconds;
	char *output;
};

static double now(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static double time_limit(const test_case *test)
{
	const char *factor = getenv("SMMAP_TEST_TIMEOUT");
	return (test->seconds != 0 ? test->seconds : SECONDS_DEFAULT) *
	       (factor != NULL ? strtod(factor, NULL) : 1);
}

/* Becomes the test: never returns. */
static void become_test(const test_case *test, int output, const char *dir)
{
	/* Its own group, so that its children end with it; and it ends with the runner. */
	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setenv(FILES_DIR_VARIABLE, dir, 1);
	if (freopen("/dev/null", "r", stdin) == NULL || dup2(output, 1) < 0 || dup2(output, 2) < 0)
		err(127, "the test's input and output");

	char *arguments[WRAPPER_WORDS_MAX + 4];
	int count = 0;
	const char *wrapper = getenv("SMMAP_TEST_WRAPPER");
	char *rest = strdup(wrapper != NULL ? wrapper : "");
	for (char *word; count < WRAPPER_WORDS_MAX && (word = strtok_r(NULL, " ", &rest)) != NULL;)
		arguments[count++] = word;
	arguments[count++] = self;
	arguments[count++] = strdup("--run");
	arguments[count++] = strdup(test->name);
	arguments[count] = NULL;
	execvp(arguments[0], arguments);
	err(127, "%s", arguments[0]);
}

/* Waits for the process; false when the time was up. */
static bool wait_for(pid_t child, double seconds)
{
	/* By its number: not every C library has a function for it. */
	int handle = (int)syscall(SYS_pidfd_open, child, 0);
	if (handle < 0)
		err(1, "pidfd_open");
	struct pollfd wait = {handle, POLLIN, 0};
	int ready = poll(&wait, 1, (int)(seconds * 1000));
	if (ready < 0)
		err(1, "poll");
	close(handle);
	return ready == 1;
}

static char *read_all(int descriptor)
{
	off_t size = lseek(descriptor, 0, SEEK_END);
	char *text = calloc((size_t)size + 1, 1);
	if (text == NULL || pread(descriptor, text, (size_t)size, 0) < 0)
		err(1, "the test's output");
	return text;
}

static struct ending run_in_child(const test_case *test)
{
	struct ending ending = {0};
	int output = memfd_create("output", MFD_CLOEXEC);
	if (output < 0)
		err(1, "memfd_create");
	char *dir = files_create_dir();
	double start = now();
	fflush(stdout);
	pid_t child = fork();
	if (child < 0)
		err(1, "fork");
	if (child == 0)
		become_test(test, output, dir);
	setpgid(child, child);

	ending.timed_out = !wait_for(child, time_limit(test));
	kill(-child, SIGKILL); /* also what the test has left behind */
	waitpid(child, &ending.status, 0);
	ending.seconds = now() - start;
	ending.output = read_all(output);
	close(output);
	files_remove_dir(dir);
	free(dir);
	return ending;
}

static enum outcome judge(const struct ending *ending)
{
	if (ending->timed_out || !WIFEXITED(ending->status))
		return FAILED;
	switch (WEXITSTATUS(ending->status)) {
	case EXIT_SUCCESS:
		return PASSED;
	case EXIT_SKIPPED:
		return SKIPPED_TEST;
	default:
		return FAILED;
	}
}

static void print_failure(const test_case *test, const struct ending *ending)
{
	printf("FAILED   %s:%s ", program, test->name);
	if (ending->timed_out)
		printf("(timeout after %.0f s)\n", ending->seconds);
	else if (WIFSIGNALED(ending->status))
		printf("(killed by signal %d, %s)\n", WTERMSIG(ending->status), strsignal(WTERMSIG(ending->status)));
	else
		printf("(exit code %d)\n", WEXITSTATUS(ending->status));
	char *rest = ending->output;
	for (char *line; (line = strsep(&rest, "\n")) != NULL;)
		if (*line != 0)
			printf("    | %s\n", line);
	printf("    | alone: %s --run %s\n", self, test->name);
}

static void print_skipped(const test_case *test, const struct ending *ending)
{
	char *reason = strstr(ending->output, SKIPPED);
	reason = reason != NULL ? reason + strlen(SKIPPED) : ending->output;
	printf("skipped  %s:%s (%.*s)\n", program, test->name, (int)strcspn(reason, "\n"), reason);
}

static void print_notes(const struct ending *ending)
{
	char *rest = ending->output;
	for (char *line; (line = strsep(&rest, "\n")) != NULL;)
		if (strncmp(line, "note: ", 6) == 0)
			puts(line);
}

static enum outcome run_and_report(const test_case *test)
{
	struct ending ending = run_in_child(test);
	enum outcome outcome = judge(&ending);
	switch (outcome) {
	case PASSED:
		printf("ok       %s:%s (%.2f s)\n", program, test->name, ending.seconds);
		print_notes(&ending);
		break;
	case SKIPPED_TEST:
		print_skipped(test, &ending);
		break;
	default:
		print_failure(test, &ending);
	}
	free(ending.output);
	return outcome;
}

static const test_case *find_test(const test_case *tests, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(tests[i].name, name) == 0)
			return &tests[i];
	errx(2, "there is no test called %s; --list tells the names", name);
}

int run_test_program(int argc, char **argv, const test_case *tests, size_t count)
{
	if (argc == 3 && strcmp(argv[1], "--run") == 0)
		return run_here(find_test(tests, count, argv[2]));
	if (argc == 2 && strcmp(argv[1], "--list") == 0) {
		for (size_t i = 0; i < count; i++)
			puts(tests[i].name);
		return 0;
	}
	/* Not the link itself: a wrapper would find its own program behind it. */
	if (readlink("/proc/self/exe", self, sizeof(self) - 1) < 0)
		err(1, "/proc/self/exe");
	program = program_invocation_short_name;

	size_t outcomes[OUTCOMES] = {0};
	for (size_t i = 0; i < count && argc == 1; i++)
		outcomes[run_and_report(&tests[i])]++;
	for (int i = 1; i < argc; i++)
		outcomes[run_and_report(find_test(tests, count, argv[i]))]++;
	printf("%zu passed, %zu failed, %zu skipped\n", outcomes[PASSED], outcomes[FAILED],
	       outcomes[SKIPPED_TEST]);
	return outcomes[FAILED] == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
