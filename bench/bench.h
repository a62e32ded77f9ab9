/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The harness of the benchmarks.
 *
 * Contestants run by turns, A B C A B C ..., so that whatever else the machine does meets all of them. Each figure is a
 * ratio of two costs of the same round; what is reported is the median over the rounds, with the quartiles and the extremes.
 * Costs in seconds are kept beside it, but only ratios travel from one machine to another.
 */
#ifndef SMMAP_BENCH_H
#define SMMAP_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum { BENCH_ROUNDS_MAX = 31 };

typedef struct contestant {
	const char *name;
	/* Does about `count` operations and returns the number of units that the time is divided by. */
	uint64_t (*run)(void *context, uint64_t count);
	/* Called before each round, not timed; may be NULL. */
	void (*prepare)(void *context);
	void *context;
	uint64_t count;                /* operations per round; 0: found by bench_race */
	double cost[BENCH_ROUNDS_MAX]; /* seconds per unit, by round */
} contestant;

enum bench_sense { REPORTED = 0, AT_MOST, AT_LEAST };

/* One line of the result. Strings are borrowed until bench_record returns. */
typedef struct figure {
	const char *group;     /* hit, move ... */
	const char *name;      /* what is measured */
	const char *peer;      /* against what */
	const char *condition; /* state of the page cache, budget ... */
	const char *series;    /* the curve of a chart that it belongs to, or NULL */
	double x;              /* its place on the curve */
	enum bench_sense sense;
	double bar;  /* what is required at least; 0: nothing */
	double goal; /* what is aimed at; 0: the same as the bar */
} figure;

typedef struct bench {
	unsigned rounds;
	double round_seconds; /* about so long runs each contestant per round */
	double warm_seconds;  /* until a steady state may be expected */
	bool quick;
	const char *only;      /* groups to run, separated by commas, or NULL */
	const char *directory; /* for test files; removed at exit */
	const char *tool;      /* path of the command-line tool, or NULL */
	FILE *json;
	bool any_record;
	unsigned judged, missed;
} bench;

/* Whether a group was asked for. */
bool bench_wants(const bench *b, const char *group);

/* Seconds on a clock that only goes forward. */
double bench_now(void);

/* Runs all contestants for all rounds, by turns. */
void bench_race(bench *b, contestant *all, size_t count);

/* Time of `ours` over time of `peer`: smaller is better. */
void bench_record_time(bench *b, const figure *f, const contestant *ours, const contestant *peer);
/* Throughput of `ours` over throughput of `peer`: larger is better. */
void bench_record_speed(bench *b, const figure *f, const contestant *ours, const contestant *peer);
/* Ratios that the caller made, one for each round. */
void bench_record(bench *b, const figure *f, const double *ratios, unsigned count);
/* A single figure without rounds: a count of bytes over the allowed number, for example. */
void bench_record_value(bench *b, const figure *f, double value);
/* A line of text in the table and in the result: the state that was set up, what was left out and why. */
void bench_note(bench *b, const char *group, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Shows on a terminal what is being done; NULL: nothing. */
void bench_progress(const bench *b, const char *what);

/* Prints and exits: a benchmark that cannot set up what it measures has no result. */
_Noreturn void bench_die(const char *what, int error);
/* For calls that return a negative code of the library's. */
void bench_check(const char *what, int64_t code);

/* ---- random numbers, the same in each run ---- */

typedef struct rng {
	uint64_t state;
} rng;

/* splitmix64 */
static inline uint64_t rng_next(rng *r)
{
	uint64_t z = (r->state += UINT64_C(0x9e3779b97f4a7c15));
	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

/* A number below `end`, which is below 2^32. */
static inline uint64_t rng_below(rng *r, uint64_t end)
{
	return ((rng_next(r) >> 32) * end) >> 32;
}

/* A number below `end`, of any size. */
static inline uint64_t rng_below_far(rng *r, uint64_t end)
{
	__extension__ typedef unsigned __int128 wide;
	return (uint64_t)((wide)rng_next(r) * end >> 64);
}

/* Keeps the compiler from leaving out what only computes `value`. */
static inline void bench_use(uint64_t value)
{
	__asm__ volatile("" : : "r"(value) : "memory");
}

/* ---- the groups ---- */

void group_hit(bench *b);
void group_move(bench *b);
void group_miss(bench *b);
void group_crowd(bench *b);
void group_scan(bench *b);
void group_cold(bench *b);
void group_read(bench *b);
void group_threads(bench *b);
void group_memory(bench *b);
void group_evict(bench *b);
void group_tool(bench *b);

#endif
