/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The eviction order on traces, beside exact LRU: misses of a cursor that moves over a sparse file of many small
 * regions, against those that a plain LRU of the same number of regions would have.
 */
#include "harness/harness.h"

#include "base/arith.h"
#include "manager/manager.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { WINDOW = 4096, REGIONS = 20000, CAPACITY = 2000, STEPS = 400000 };

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

static void lru_use(lru *l, uint32_t i)
{
	if (l->present[i]) {
		unlink_entry(l, i);
	} else {
		l->misses++;
		l->present[i] = true;
		if (l->count == CAPACITY) {
			uint32_t oldest = l->next[REGIONS];
			unlink_entry(l, oldest);
			l->present[oldest] = false;
		} else {
			l->count++;
		}
	}
	l->next[i] = REGIONS;
	l->previous[i] = l->previous[REGIONS];
	l->next[l->previous[REGIONS]] = i;
	l->previous[REGIONS] = i;
}

/* ---- traces ---- */

static uint32_t permuted[REGIONS];
static double cumulative[REGIONS];

static void prepare_zipf(random_source *random, double exponent)
{
	double sum = 0;
	for (uint32_t i = 0; i < REGIONS; i++) {
		permuted[i] = i;
		sum += pow(i + 1, -exponent);
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
	double zipf;    /* 0: none */
	bool uniform;   /* draws are uniform */
	uint32_t loop;  /* steps go round over so many regions; 0: none */
	uint32_t scans; /* of so many steps one belongs to the scan; 1: all, where there is no other */
} trace;

static uint32_t next_region(const trace *t, random_source *random, uint32_t step)
{
	static uint32_t scan;
	if (t->loop != 0)
		return step % t->loop;
	if (t->scans != 0 && step % t->scans == 0)
		return scan++ % REGIONS;
	return t->uniform ? (uint32_t)random_below(random, REGIONS) : zipf(random);
}

static void run(const trace *t, int placement)
{
	static lru l;
	l = (lru){.next = {[REGIONS] = REGIONS}, .previous = {[REGIONS] = REGIONS}};
	random_source random = random_from(random_seed());
	smmap_manager *manager;
	smmap_cursor cursor = SMMAP_CURSOR_INIT;
	smmap_options options = SMMAP_OPTIONS_INIT;
	smmap_stats stats;
	options.placement = placement;
	options.window_size = WINDOW;
	options.max_memory = (uint64_t)WINDOW * CAPACITY;
	assert_int_equal(smmap_manager_new(&manager, &options), 0);
	const char *path = files_make_sparse("sparse", (uint64_t)WINDOW * REGIONS);
	assert_int_equal(smmap_cursor_open(&cursor, manager, path, 0), 0);
	prepare_zipf(&random, t->zipf);
	uint32_t steps = (uint32_t)test_rounds(STEPS);
	for (uint32_t i = 0; i < steps; i++) {
		uint32_t region = next_region(t, &random, i);
		lru_use(&l, region);
		if (smmap_cursor_use_region(&cursor, (uint64_t)region * WINDOW, 0) != WINDOW)
			fail_msg("use_region");
		/* Not a new use of the region that it is in: else the order would see one more. */
		smmap_cursor_unuse_region(&cursor);
	}
	smmap__manager_check(manager);
	smmap_manager_stats(manager, &stats);
	assert_true(stats.peak_mapped_bytes <= (uint64_t)WINDOW * (CAPACITY + 1));
	double ratio = (double)stats.misses / (double)l.misses;
	printf("%s: %" PRIu64 " misses, exact LRU %" PRIu64 ": %.4f\n", t->name, stats.misses, l.misses, ratio);
	smmap_cursor_close(&cursor);
	assert_int_equal(smmap_manager_free(manager), 0);
	/* Short traces say nothing. */
	if (steps == STEPS)
		assert_true(ratio <= 1.01);
}

#define TRACE(function, ...)                                                                                 \
	static void function(void)                                                                               \
	{                                                                                                        \
		static const trace t = {.name = #function, __VA_ARGS__};                                             \
		run(&t, SMMAP_PLACEMENT_STABLE);                                                                     \
	}

TRACE(uniform, .uniform = true)
TRACE(zipf_08, .zipf = 0.8)
TRACE(zipf_10, .zipf = 1.0)
TRACE(zipf_12, .zipf = 1.2)
TRACE(scan, .loop = REGIONS)
TRACE(zipf_and_scan, .zipf = 1.0, .scans = 4)
TRACE(zipf_and_much_scan, .zipf = 0.8, .scans = 2)
TRACE(loop_over_a_little_more, .loop = CAPACITY * 11 / 10)
TRACE(loop_over_what_fits, .loop = CAPACITY)

static void zipf_10_detached(void)
{
	static const trace t = {.name = "zipf_10_detached", .zipf = 1.0};
	run(&t, SMMAP_PLACEMENT_DETACHED);
}

TEST_PROGRAM(TEST(uniform), TEST(zipf_08), TEST(zipf_10), TEST(zipf_12), TEST(scan), TEST(zipf_and_scan),
             TEST(zipf_and_much_scan), TEST(loop_over_a_little_more), TEST(loop_over_what_fits),
             TEST(zipf_10_detached))
