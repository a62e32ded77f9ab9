/* SPDX-License-Identifier: BSD-3-Clause */
/* Arithmetic that cannot wrap, at its borders; gauges under threads. */
#include "harness/harness.h"

#include "base/arith.h"
#include "base/counters.h"

#include <pthread.h>

static void powers_of_two(void)
{
	assert_false(smmap__is_power_of_two(0));
	for (int i = 0; i < 64; i++) {
		assert_true(smmap__is_power_of_two(UINT64_C(1) << i));
		if (i > 1)
			assert_false(smmap__is_power_of_two((UINT64_C(1) << i) - 1));
		if (i > 0)
			assert_false(smmap__is_power_of_two((UINT64_C(1) << i) + 1));
	}
}

static void sums_stop_at_the_largest_number(void)
{
	assert_int_equal(smmap__add_saturating(UINT64_MAX, 0), UINT64_MAX);
	assert_int_equal(smmap__add_saturating(UINT64_MAX - 1, 1), UINT64_MAX);
	assert_int_equal(smmap__add_saturating(UINT64_MAX, 1), UINT64_MAX);
	assert_int_equal(smmap__add_saturating(1, UINT64_MAX), UINT64_MAX);
	assert_int_equal(smmap__add_saturating(2, 3), 5);
	assert_int_equal(smmap__align_up(1, 4096), 4096);
	assert_int_equal(smmap__align_up(4096, 4096), 4096);
	assert_int_equal(smmap__align_up(UINT64_MAX, 4096), UINT64_MAX - 4095);
	assert_int_equal(smmap__align_down(4095, 4096), 0);
	assert_int_equal(smmap__min(2, 3), 2);
	assert_int_equal(smmap__min(3, 2), 2);
	assert_int_equal(smmap__max(2, 3), 3);
	assert_int_equal(smmap__max(3, 2), 3);
}

enum { THREADS = 4, ROUNDS = 300000 };
static smmap__gauge gauge;

static void *go_up(void *unused)
{
	(void)unused;
	for (size_t i = test_rounds(ROUNDS); i != 0; i--)
		smmap__gauge_add(&gauge, 1);
	return NULL;
}

/* Each thread raises the peak, so that they get in each other's way; none of it is lost. */
static void the_peak_is_the_highest(void)
{
	pthread_t threads[THREADS];
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, go_up, NULL), 0);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	uint64_t all = THREADS * test_rounds(ROUNDS);
	assert_int_equal(smmap__gauge_now(&gauge), all);
	assert_int_equal(atomic_load(&gauge.peak), all);
	assert_int_equal(smmap__gauge_sub(&gauge, all), 0);
	assert_int_equal(smmap__gauge_add(&gauge, 1), 1);
	assert_int_equal(atomic_load(&gauge.peak), all);
}

TEST_PROGRAM(TEST(powers_of_two), TEST(sums_stop_at_the_largest_number), TEST(the_peak_is_the_highest))
