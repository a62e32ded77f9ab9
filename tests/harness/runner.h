/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Runs the tests of one program, each in a child process of its own and with a time limit.
 *
 *     PROGRAM              all tests
 *     PROGRAM NAME...      these tests
 *     PROGRAM --run NAME   this test in this very process and without a time limit, for a debugger
 *     PROGRAM --list       the names
 *
 * SMMAP_TEST_TIMEOUT multiplies all time limits; SMMAP_TEST_WRAPPER is a command put in front of the child's
 * ("valgrind -q"), split at blanks; SMMAP_TEST_EFFORT is the share of their rounds that long tests do (0.1).
 * SMMAP_TEST_EMULATOR is what any program of this build has to be started by ("qemu-s390x-static"), here by a test.
 *
 * What a test prints is shown when it fails; lines that begin with "note: " are shown when it passes, too.
 */
#ifndef SMMAP_TESTS_RUNNER_H
#define SMMAP_TESTS_RUNNER_H

#include <stdbool.h>
#include <stddef.h>

typedef struct test_case {
	const char *name;
	void (*run)(void);
	unsigned seconds; /* time limit; 0: 60 */
	size_t unit;      /* the largest unit of mapping that its figures are meant for; 0: any */
	bool stable;      /* is about stable placement: for systems that give pages back */
	bool no_books;    /* do not compare allocations, mappings and descriptors before and after */
} test_case;

/* An entry of the table; further members may follow: TEST(maps_all, .seconds = 300). */
#define TEST(function, ...)                                                                                  \
	{                                                                                                        \
		.name = #function, .run = (function), __VA_ARGS__                                                    \
	}

#define TEST_PROGRAM(...)                                                                                    \
	int main(int argc, char **argv)                                                                          \
	{                                                                                                        \
		static const test_case tests[] = {__VA_ARGS__};                                                      \
		return run_test_program(argc, argv, tests, sizeof(tests) / sizeof(tests[0]));                        \
	}

int run_test_program(int argc, char **argv, const test_case *tests, size_t count);

/* Leaves the running test, which then counts as skipped for this reason. */
__attribute__((noreturn, format(printf, 1, 2))) void skip_test(const char *reason, ...);

/* `rounds`, or the share of them that SMMAP_TEST_EFFORT asks for, at least 1. For tests of many rounds. */
size_t test_rounds(size_t rounds);

#endif
