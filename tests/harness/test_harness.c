/* SPDX-License-Identifier: BSD-3-Clause */
/* The harness catches what it is there to catch: runs the victims and looks at what is reported. */
#include "harness/harness.h"

#include "os/os.h"

#include <err.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char report[65536];

/* Runs one victim, keeps what was printed in `report` and returns the exit code. */
static int run_victim(const char *name)
{
	char self[PATH_MAX] = "", command[PATH_MAX + 300];
	const char *emulator = getenv("SMMAP_TEST_EMULATOR");
	if (readlink("/proc/self/exe", self, sizeof(self) - 1) < 0)
		err(1, "/proc/self/exe");
	snprintf(command, sizeof(command), "%s '%s/victims' %s", emulator != NULL ? emulator : "", dirname(self),
	         name);
	FILE *pipe = popen(command, "re"); /* NOLINT(cert-env33-c): the command is our own */
	assert_non_null(pipe);
	report[fread(report, 1, sizeof(report) - 1, pipe)] = 0;
	int status = pclose(pipe);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void assert_reported(const char *text)
{
	if (strstr(report, text) == NULL)
		fail_msg("no \"%s\" in:\n%s", text, report);
}

static void assert_caught(const char *victim, const char *text)
{
	assert_int_equal(run_victim(victim), 1);
	assert_reported("FAILED");
	assert_reported(text);
	assert_reported("0 passed, 1 failed, 0 skipped");
}

/* The books are not kept under ThreadSanitizer. */
static void need_books(void)
{
	books_figures before = books_now();
	void *block = smmap__os.allocate(1);
	bool kept = books_now().allocations == before.allocations + 1;
	smmap__os.deallocate(block);
	if (!kept)
		skip_test("no books are kept in this build");
}

static void catches_a_leaked_descriptor(void)
{
	need_books();
	assert_caught("leaks_a_descriptor", "leaked descriptor: ");
	assert_reported("/dev/null");
}

static void catches_a_closed_foreign_descriptor(void)
{
	need_books();
	assert_caught("closes_a_foreign_descriptor", "descriptor 0 was closed");
}

static void catches_a_leaked_allocation(void)
{
	need_books();
	assert_caught("leaks_an_allocation", "leaked allocation: number 1, 123 bytes");
}

static void catches_a_leaked_mapping(void)
{
	need_books();
	char expected[64];
	snprintf(expected, sizeof(expected), "leaked mapping: %zu bytes", 3 * smmap__os_facts_now.granularity);
	assert_caught("leaks_a_mapping", expected);
}

static void catches_a_hang(void)
{
	setenv("SMMAP_TEST_TIMEOUT", "1", 1); /* however slow the build is: a hang is one after a second, too */
	assert_caught("hangs", "timeout after ");
}

static void catches_a_crash(void)
{
	assert_caught("crashes", "killed by signal 6");
}

static void catches_a_failed_assertion(void)
{
	assert_caught("fails_an_assertion", "victims.c:");
	assert_reported("SMMAP_TEST_SEED=");
}

static void tells_why_a_test_was_skipped(void)
{
	assert_int_equal(run_victim("is_skipped"), 0);
	assert_reported("skipped  victims:is_skipped (there is no moon)");
	assert_reported("0 passed, 0 failed, 1 skipped");
}

static void passes_what_is_right_and_removes_its_files(void)
{
	assert_int_equal(run_victim("passes"), 0);
	assert_reported("1 passed, 0 failed, 0 skipped");

	/* Once more as under a debugger: that prints the directory. */
	unsetenv(FILES_DIR_VARIABLE);
	assert_int_equal(run_victim("--run passes"), 0);
	char *dir = strstr(report, "/smmap-test-");
	assert_non_null(dir);
	*strchr(dir, '\n') = 0;
	while (dir > report && dir[-1] != '\n')
		dir--;
	struct stat status;
	assert_int_not_equal(stat(dir, &status), 0);
}

static void fails_the_call_that_is_asked_for(void)
{
	void *first, *second, *third;
	inject_arm(INJECT_ALLOCATE, 2, SMMAP_ENOMEM, false);
	first = smmap__os.allocate(1);
	second = smmap__os.allocate(1);
	third = smmap__os.allocate(1);
	inject_disarm();
	assert_int_equal(inject_count(), 3);
	assert_true(inject_fired());
	assert_non_null(first);
	assert_null(second);
	assert_non_null(third);
	smmap__os.deallocate(first);
	smmap__os.deallocate(third);

	inject_arm(INJECT_ANY, 1, SMMAP_EIO, true);
	smmap__identity identity;
	int descriptor;
	assert_int_equal(smmap__os.open("/dev/null", 0, &descriptor), SMMAP_EIO);
	assert_int_equal(smmap__os.identify_path("/dev/null", &identity), SMMAP_EIO);
}

static void fails_each_call_in_turn(void)
{
	books_figures before = books_now();
	int rounds = 0;
	INJECT_EACH(INJECT_ANY, SMMAP_ENOMEM, false)
	{
		rounds++;
		void *a = smmap__os.allocate(10);
		void *b = a != NULL ? smmap__os.allocate(10) : NULL;
		inject_disarm();
		assert_int_equal(b == NULL, inject_fired());
		smmap__os.deallocate(b);
		smmap__os.deallocate(a);
		books_assert_same(&before);
	}
	assert_int_equal(rounds, 3);
}

static void content_is_a_function_of_seed_and_offset(void)
{
	uint64_t seed = random_seed();
	unsigned char data[1000], part[333];
	files_fill(data, 5, sizeof(data), seed);
	files_fill(part, 105, sizeof(part), seed);
	assert_memory_equal(data + 100, part, sizeof(part));
	assert_int_equal(data[7], files_byte(12, seed));
	assert_int_equal(files_compare(data, 5, sizeof(data), seed), sizeof(data));
	data[998] ^= 1;
	assert_int_equal(files_compare(data, 5, sizeof(data), seed), 998);
}

static void files_hold_their_content(void)
{
	uint64_t seed = random_seed();
	static unsigned char data[3000000];
	FILE *file = fopen(files_make("a", sizeof(data), seed), "re");
	assert_int_equal(fread(data, 1, sizeof(data), file), sizeof(data));
	files_assert(data, 0, sizeof(data), seed);
	fclose(file);

	const uint64_t far = UINT64_C(5) << 32;
	const char *sparse = files_make_sparse("b", far + 100);
	files_write(sparse, far, 100, seed);
	file = fopen(sparse, "re");
	assert_int_equal(fseeko(file, (off_t)far - 100, SEEK_SET), 0);
	assert_int_equal(fread(data, 1, 300, file), 200);
	fclose(file);
	static const unsigned char zeros[100];
	assert_memory_equal(data, zeros, 100);
	files_assert(data + 100, far, 100, seed);
}

static void ranges_are_booked_by_the_byte(void)
{
	need_books();
	size_t page = smmap__os_facts_now.granularity;
	books_figures before = books_now();
	void *address;
	assert_int_equal(smmap__os.map(-1, 0, 10 * page, 0, 0, &address), 0);
	char *base = address;
	assert_int_equal(books_now().mapped_bytes, before.mapped_bytes + 10 * page);
	void *inner = base + 2 * page;
	assert_int_equal(smmap__os.map(-1, 0, 3 * page, 0, SMMAP__MAP_FIXED, &inner), 0);
	assert_int_equal(books_now().mapped_bytes, before.mapped_bytes + 10 * page);
	assert_int_equal(smmap__os.unmap(base + 4 * page, 2 * page), 0);
	assert_int_equal(books_now().mapped_bytes, before.mapped_bytes + 8 * page);
	assert_int_equal(smmap__os.unmap(base, 10 * page), 0);
	books_assert_same(&before);
}

TEST_PROGRAM(TEST(catches_a_leaked_descriptor), TEST(catches_a_closed_foreign_descriptor),
             TEST(catches_a_leaked_allocation), TEST(catches_a_leaked_mapping), TEST(catches_a_hang),
             TEST(catches_a_crash), TEST(catches_a_failed_assertion), TEST(tells_why_a_test_was_skipped),
             TEST(passes_what_is_right_and_removes_its_files), TEST(fails_the_call_that_is_asked_for),
             TEST(fails_each_call_in_turn), TEST(content_is_a_function_of_seed_and_offset),
             TEST(files_hold_their_content), TEST(ranges_are_booked_by_the_byte))
