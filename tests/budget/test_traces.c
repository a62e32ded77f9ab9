/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The eviction order against exact LRU, on traces. The real manager is driven, with a sparse file whose regions are never
 * touched; LRU is simulated beside it.
 */
#include "harness/harness.h"

#include <math.h>
#include <smmap.h>
#include <stdio.h>
#include <stdlib.h>

#define WINDOW (UINT64_C(2) << 20)

enum { REGIONS = 4096, CAPACITY = 400, ACCESSES = 400000 };

/* ---- exact LRU ---- */

typedef struct lru {
	uint32_t older[REGIONS + 1]; /* a ring through entry REGIONS */
	uint32_t newer[REGIONS + 1];
	bool present[REGIONS];
	uint32_t count;
	uint64_t misses;
} lru;

static void lru_unlink(lru *l, uint32_t i)
{
	l->newer[l->older[i]] = l->newer[i];
	l->older[l->newer[i]] = l->older[i];
}

static void lru_put_first(lru *l, uint32_t i)
{
	uint32_t ring = REGIONS;
	uint32_t first = l->older[ring];
	l->newer[i] = ring;
	l->older[i] = first;
	l->newer[first] = i;
	l->older[ring] = i;
}

static lru *lru_new(void)
{
	lru *l = calloc(1, sizeof *l);
	assert_non_null(l);
	l->older[REGIONS] = l->newer[REGIONS] = REGIONS;
	return l;
}

static void lru_use(lru *l, uint32_t i)
{
	if (l->present[i]) {
		lru_unlink(l, i);
	} else {
		l->misses++;
		if (l->count == CAPACITY) {
			uint32_t last = l->newer[REGIONS];
			lru_unlink(l, last);
			l->present[last] = false;
		} else {
			l->count++;
		}
		l->present[i] = true;
	}
	lru_put_first(l, i);
}

/* ---- traces ---- */

typedef struct trace {
	random_source random;
	double sum[REGIONS];      /* cumulated weights of the Zipf ranks */
	uint32_t ranked[REGIONS]; /* the region of each rank */
	uint32_t at;              /* of a scan or loop */
	uint32_t left;            /* of a burst of scanning */
} trace;

static trace *trace_new(uint64_t seed, double exponent)
{
	trace *t = calloc(1, sizeof *t);
	assert_non_null(t);
	t->random = random_from(seed);
	double sum = 0;
	for (uint32_t i = 0; i < REGIONS; i++) {
		sum += 1 / pow(i + 1, exponent);
		t->sum[i] = sum;
		t->ranked[i] = i;
	}
	for (uint32_t i = REGIONS - 1; i > 0; i--) {
		uint32_t j = (uint32_t)random_below(&t->random, i + 1);
		uint32_t other = t->ranked[j];
		t->ranked[j] = t->ranked[i];
		t->ranked[i] = other;
	}
	return t;
}

static uint32_t next_zipf(trace *t)
{
	double at = (double)(random_next(&t->random) >> 11) * 0x1p-53 * t->sum[REGIONS - 1];
	uint32_t low = 0;
	uint32_t high = REGIONS - 1;
	while (low < high) {
		uint32_t middle = (low + high) / 2;
		if (t->sum[middle] < at)
			low = middle + 1;
		else
			high = middle;
	}
	return t->ranked[low];
}

static uint32_t next_of_round(trace *t, uint32_t round)
{
	t->at = (t->at + 1) % round;
	return t->at;
}

static uint32_t next_scan(trace *t)
{
	return next_of_round(t, REGIONS);
}

/* Now and then somebody reads twice the budget from one end to the other. */
static uint32_t next_zipf_and_scan(trace *t)
{
	if (t->left == 0 && random_below(&t->random, 4000) == 0)
		t->left = 2 * CAPACITY;
	if (t->left == 0)
		return next_zipf(t);
	t->left--;
	return next_scan(t);
}

static uint32_t next_loop(trace *t)
{
	return next_of_round(t, CAPACITY + CAPACITY / 10);
}

/* A working set that fits and moves on: what LRU is best at. */
static uint32_t next_drift(trace *t)
{
	if (random_below(&t->random, 50) == 0)
		t->at = (t->at + 1) % REGIONS;
	return (t->at + (uint32_t)random_below(&t->random, CAPACITY / 2)) % REGIONS;
}

/* ---- the comparison ---- */

static void use(smmap_cursor *cursor, uint32_t region)
{
	assert_true(smmap_cursor_use_region(cursor, region * WINDOW, 1) == 1);
	smmap_cursor_unuse_region(cursor);
}

/* Misses of ours per miss of LRU. The first fifth warms both up. */
static double compare(const char *name, double exponent, uint32_t (*next)(trace *t))
{
	smmap_options options = SMMAP_OPTIONS_INIT;
	smmap_manager *manager;
	smmap_cursor cursor = SMMAP_CURSOR_INIT;
	smmap_stats warm, end;
	size_t rounds = test_rounds(ACCESSES);
	options.window_size = (int64_t)WINDOW;
	options.max_memory = CAPACITY * WINDOW;
	assert_int_equal(smmap_manager_new(&manager, &options), 0);
	assert_int_equal(smmap_cursor_open(&cursor, manager, files_make_sparse(name, REGIONS * WINDOW), 0), 0);
	assert_int_equal(smmap_advise(&cursor, SMMAP_ADVICE_RANDOM, 0, 0), 0);
	trace *t = trace_new(random_seed(), exponent);
	lru *l = lru_new();
	for (size_t i = 0; i < rounds; i++) {
		if (i == rounds / 5) {
			smmap_manager_stats(manager, &warm);
			l->misses = 0;
		}
		uint32_t region = next(t);
		use(&cursor, region);
		lru_use(l, region);
	}
	smmap_manager_stats(manager, &end);
	assert_true(end.peak_mapped_bytes <= options.max_memory);
	double share = (double)(end.misses - warm.misses) / (double)l->misses;
	printf("%s: %.3f of the misses of LRU, which are %.3f of the accesses\n", name, share,
	       (double)l->misses / (double)(rounds - rounds / 5));
	free(t);
	free(l);
	smmap_cursor_close(&cursor);
	assert_int_equal(smmap_manager_free(manager), 0);
	return share;
}

static void is_no_worse_than_lru(void)
{
	assert_true(compare("uniform", 0, next_zipf) <= 1.01);
	assert_true(compare("zipf 0.8", 0.8, next_zipf) <= 1.01);
	assert_true(compare("zipf 1.0", 1.0, next_zipf) <= 1.01);
	assert_true(compare("zipf 1.2", 1.2, next_zipf) <= 1.01);
	assert_true(compare("scan", 0, next_scan) <= 1.01);
	assert_true(compare("zipf and scan", 1.0, next_zipf_and_scan) <= 1.01);
	assert_true(compare("loop", 0, next_loop) <= 1.01);
}

/* The one kind that LRU is perfect for costs a little. */
static void is_close_to_lru_where_that_is_best(void)
{
	assert_true(compare("drift", 0, next_drift) <= 1.1);
}

TEST_PROGRAM(TEST(is_no_worse_than_lru, .seconds = 300),
             TEST(is_close_to_lru_where_that_is_best, .seconds = 300))
