/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Everything a test program needs. A test program is one file, tests/<layer>/test_<what>.c; dropping it there is
 * enough. It looks like this:
 *
 *     #include "harness/harness.h"
 *
 *     static void opens_what_is_there(void)
 *     {
 *         const char *path = files_make("a", 10000, 1);
 *         ...
 *         assert_int_equal(...);
 *     }
 *
 *     TEST_PROGRAM(TEST(opens_what_is_there), TEST(takes_long, .seconds = 300))
 *
 * Assertions are cmocka's, and for the first thread of the test process only: cmocka leaves a failed test by
 * longjmp. Other threads hand their findings to the first.
 */
#ifndef SMMAP_TESTS_HARNESS_H
#define SMMAP_TESTS_HARNESS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "harness/books.h"
#include "harness/files.h"
#include "harness/header.h"
#include "harness/inject.h"
#include "harness/random.h"
#include "harness/runner.h"
#include "harness/system.h"

#endif
