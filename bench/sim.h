/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Traces, and what they cost under the library's eviction order and under others: misses alone, no memory is mapped.
 *
 * The order is the library's own: src/budget/evict.c over a real region table, driven through the same steps in which
 * src/budget/pin.c and src/budget/budget.c drive it.
 */
#ifndef SMMAP_BENCH_SIM_H
#define SMMAP_BENCH_SIM_H

#include "bench.h"

/* A sequence of regions, numbered from 0. */
typedef struct sim_trace {
	uint32_t regions;
	uint32_t count;
	uint32_t *steps;
} sim_trace;

void sim_trace_free(sim_trace *trace);

/* ---- seeded ---- */

typedef struct sim_recipe {
	double zipf; /* exponent of Zipf's law over shuffled regions; 0: uniform */
	uint32_t
		scan_each; /* of so many steps one belongs to a scan from begin to end, again and again; 0: none */
	double burst;  /* after so many draws for each region all are scanned in one go; 0: never */
	double loop;   /* no draws: round and round over so many times what fits, or over all; 0: draws */
	double drift;  /* over so many draws for each region, as many ranks change hands one by one; 0: none */
	double phase;  /* after so many, all do at once; 0: never */
} sim_recipe;

/* The same trace for the same arguments. `fits`: so many regions may be mapped. */
sim_trace sim_make(const sim_recipe *recipe, uint32_t regions, uint32_t fits, uint32_t count);

/* ---- recorded ---- */

/* What bench/traces/record.py wrote, cut into regions of `window` bytes. Staying in one region is one step. */
sim_trace sim_load(const char *path, uint64_t window);

/* ---- misses with room for `fits` regions ---- */

uint64_t sim_ours(const sim_trace *trace, uint32_t fits);
uint64_t sim_lru(const sim_trace *trace, uint32_t fits);

#endif
