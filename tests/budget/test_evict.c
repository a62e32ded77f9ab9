/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The eviction order on traces, beside exact LRU: misses of a cursor that moves over a sparse file of many small
 * regions, against those that a plain LRU of the same number of regions would have.
 */
#include "harness/harness.h"

#include "base/arith.h"
#include "manager/manager.h"

#include <inttypes.h>
#include <stdio.h>

enum { REGIONS = 20000, CAPACITY = 2000, STEPS = 400000 };

/* ---- exact LRU ---- */

typedef struct lru {
	uint32_t next[REGIONS + 1], previous[REGIONS + 1]; /* a ring through entry REGIONS: next is younger */
	bool present[REGIONS];
	uint32_t count;
	uint64_t misses;
} lru;

static void unlink_entry(lru *l, uint32_t i)
{
	l->next[l->previous[i]] = l->next[i];
	l->previous[l->next[i]] = l->previous[i];
}

static void make_room(lru *l)
{
	uint32_t oldest = l->next[REGIONS];
	if (l->count < CAPACITY) {
		l->count++;
		return;
	}
	unlink_entry(l, oldest);
	l->present[oldest] = false;
}

static void lru_use(lru *l, uint32_t i)
{
	if (l->present[i]) {
		unlink_entry(l, i);
	} else {
		l->misses++;
		make_room(l);
		l->present[i] = true;
	}
	l->next[i] = REGIONS;
	l->previous[i] = l->previous[REGIONS];
	l->next[l->previous[REGIONS]] = i;
	l->previous[REGIONS] = i;
}

/* ---- traces ---- */

static uint32_t permuted[REGIONS];
static double cumulative[REGIONS];

/* By Newton's method: so that the tests need no mathematics library. */
static double fifth_root(double x)
{
	double root = x < 32 ? 2 : 8;
	for (int i = 0; i < 40; i++)
		root = (4 * root + x / (root * root * root * root)) / 5;
	return root;
}

static double weight(uint32_t rank, unsigned fifths)
{
	double product = 1;
	for (double root = fifth_root(rank); fifths != 0; fifths--)
		product *= root;
	return 1 / product;
}

static void prepare_zipf(random_source *random, unsigned fifths)
{
	double sum = 0;
	for (uint32_t i = 0; i < REGIONS; i++) {
		permuted[i] = i;
		sum += weight(i + 1, fifths);
		cumulative[i] = sum;
	}
	for (uint32_t i = REGIONS - 1; i > 0; i--) {
		uint32_t k = (uint32_t)random_below(random, i + 1);
		uint32_t other = permuted[k];
		permuted[k] = permuted[i];
		permuted[i] = other;
	}
}

static uint32_t zipf(random_source *random)
{
	double at = (double)(random_next(random) >> 11) / 9007199254740992.0 * cumulative[REGIONS - 1];
	uint32_t low = 0, high = REGIONS - 1;
	while (low < high) {
		uint32_t middle = (low + high) / 2;
		if (cumulative[middle] < at)
			low = middle + 1;
		else
			high = middle;
	}
	return permuted[low];
}

typedef struct trace {
	const char *name;
	unsigned zipf;  /* exponent, in fifths; 0 makes the draws uniform */
	uint32_t loop;  /* no draws: round and round over so many regions; 0: draws */
	uint32_t scans; /* of so many steps one belongs to a scan; 0: none */
	double most;    /* misses over those of exact LRU, at most; 0: 1.01 */
} trace;

static uint32_t next_region(const trace *t, random_source *random, uint32_t step)
{
	if (t->loop != 0)
		return step % t->loop;
	if (t->scans != 0 && step % t->scans == 0)
		return step / t->scans % REGIONS;
	return zipf(random);
}

static void run(const trace *t, int placement)
{
	static lru l = {.next = {[REGIONS] = REGIONS}, .previous = {[REGIONS] = REGIONS}};
	random_source random = random_from(random_seed());
	smmap_manager *manager;
	smmap_cursor cursor = SMMAP_CURSOR_INIT;
	smmap_options options = SMMAP_OPTIONS_INIT;
	smmap_stats stats;
	const uint64_t window = smmap_allocation_granularity();
	options.placement = placement;
	options.window_size = (int64_t)window;
	options.max_memory = window * CAPACITY;
	assert_int_equal(smmap_manager_new(&manager, &options), 0);
	const char *path = files_make_sparse("sparse", window * REGIONS);
	assert_int_equal(smmap_cursor_open(&cursor, manager, path, 0), 0);
	prepare_zipf(&random, t->zipf);
	uint32_t steps = (uint32_t)test_rounds(STEPS);
	for (uint32_t i = 0; i < steps; i++) {
		uint32_t region = next_region(t, &random, i);
		lru_use(&l, region);
		if (smmap_cursor_use_region(&cursor, region * window, 0) != (int64_t)window)
			fail_msg("region %" PRIu32 " was not offered", region);
		smmap_cursor_unuse_region(&cursor);
	}
	smmap__manager_check(manager);
	smmap_manager_stats(manager, &stats);
	assert_true(stats.peak_mapped_bytes <= window * (CAPACITY + 1));
	double ratio = (double)stats.misses / (double)l.misses;
	printf("%s: %" PRIu64 " misses, exact LRU %" PRIu64 ": %.4f\n", t->name, stats.misses, l.misses, ratio);
	smmap_cursor_close(&cursor);
	assert_int_equal(smmap_manager_free(manager), 0);
	/* Short traces say nothing. */
	if (steps == STEPS)
		assert_true(ratio <= (t->most != 0 ? t->most : 1.01));
}

#define TRACE(function, placement, ...)                                                                      \
	static void function(void)                                                                               \
	{                                                                                                        \
		static const trace t = {.name = #function, __VA_ARGS__};                                             \
		run(&t, SMMAP_PLACEMENT_##placement);                                                                \
	}

TRACE(uniform, STABLE, .zipf = 0)
TRACE(zipf_08, STABLE, .zipf = 4)
TRACE(zipf_10, STABLE, .zipf = 5)
TRACE(zipf_12, STABLE, .zipf = 6)
TRACE(zipf_10_detached, DETACHED, .zipf = 5)
TRACE(scan, STABLE, .loop = REGIONS)
TRACE(zipf_and_scan, STABLE, .zipf = 5, .scans = 4, .most = 0.9)
TRACE(zipf_and_much_scan, STABLE, .zipf = 4, .scans = 2, .most = 0.93)
TRACE(loop_over_a_little_more, STABLE, .loop = CAPACITY * 11 / 10, .most = 0.6)
TRACE(loop_over_half_more, STABLE, .loop = CAPACITY * 3 / 2, .most = 0.7)
TRACE(loop_over_what_fits, STABLE, .loop = CAPACITY)

TEST_PROGRAM(TEST(uniform), TEST(zipf_08), TEST(zipf_10), TEST(zipf_12), TEST(zipf_10_detached), TEST(scan),
             TEST(zipf_and_scan), TEST(zipf_and_much_scan), TEST(loop_over_a_little_more),
             TEST(loop_over_half_more), TEST(loop_over_what_fits))
