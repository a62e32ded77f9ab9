/* SPDX-License-Identifier: BSD-3-Clause */
/* Tests that fail, each in its own way: test_harness.c looks whether the harness notices. */
#include "harness/harness.h"

#include "os/os.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void leaks_a_descriptor(void)
{
	assert_true(open("/dev/null", O_RDONLY | O_CLOEXEC) >= 0);
}

static void closes_a_foreign_descriptor(void)
{
	close(0);
}

static void leaks_an_allocation(void)
{
	/* Kept in a variable of the program, where a leak checker does not see a leak. */
	static void *volatile kept;
	kept = smmap__os.allocate(123);
	assert_non_null(kept);
}

static void leaks_a_mapping(void)
{
	size_t page = smmap__os_facts_now.granularity;
	void *address;
	assert_int_equal(smmap__os.map(-1, 0, 4 * page, 0, 0, &address), 0);
	assert_int_equal(smmap__os.unmap(address, page), 0);
}

static void hangs(void)
{
	for (;;)
		pause();
}

static void crashes(void)
{
	abort();
}

static void fails_an_assertion(void)
{
	assert_int_equal(random_seed(), random_seed() + 1);
}

static void is_skipped(void)
{
	skip_test("there is no %s", "moon");
}

static void passes(void)
{
	files_make("a", 100, 1);
	printf("%s\n", files_dir());
}

TEST_PROGRAM(TEST(leaks_a_descriptor), TEST(closes_a_foreign_descriptor), TEST(leaks_an_allocation),
             TEST(leaks_a_mapping), TEST(hangs, .seconds = 1), TEST(crashes), TEST(fails_an_assertion),
             TEST(is_skipped), TEST(passes))
