/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Copying reads of a warm file of 2 GiB: size x pattern x budget. Peers: pread, and windows of 2 MiB by mmap and munmap
 * with exact LRU under the same budget. Every contestant reads the same sequence of offsets and has reached its steady
 * state before the first round.
 */
#include "files.h"
#include "ours.h"
#include "peers.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define W (2 * MIB)
enum { LENGTH = 1 << 18, REGIONS = (int)(FILES_WARM_SIZE / W) };

typedef struct pattern {
	const char *name;
	double exponent; /* of Zipf's law over regions; 0: uniform */
	bool sequential;
} pattern;

static const pattern patterns[] = {
	{"uniform", 0, false},    {"Zipf 0.8", 0.8, false}, {"Zipf 1.0", 1.0, false},
	{"Zipf 1.2", 1.2, false}, {"sequential", 0, true},
};

typedef struct reader {
	const uint64_t *offsets;
	size_t size;
	uint64_t ours_next, pread_next, lru_next;
	ours ours;
	lru *lru;
	int fd;
	unsigned char to[4096];
} reader;

/* ---- sequences ---- */

static void fill_zipf(uint64_t *offsets, double exponent)
{
	static double upto[REGIONS];
	static uint32_t region_of[REGIONS];
	rng random = {23};
	double total = 0;
	for (uint32_t i = 0; i < REGIONS; i++) {
		uint32_t j = (uint32_t)rng_below(&random, i + 1);
		region_of[i] = region_of[j];
		region_of[j] = i;
		total += pow(i + 1, -exponent);
		upto[i] = total;
	}
	for (size_t k = 0; k < LENGTH; k++) {
		double at = (double)(rng_next(&random) >> 11) * 0x1p-53 * total;
		size_t low = 0;
		size_t high = REGIONS - 1;
		while (low < high) {
			size_t middle = (low + high) / 2;
			if (upto[middle] > at)
				high = middle;
			else
				low = middle + 1;
		}
		offsets[k] = region_of[low] * W + rng_below(&random, W);
	}
}

static void fill(uint64_t *offsets, const pattern *p, size_t size)
{
	if (!p->sequential) {
		fill_zipf(offsets, p->exponent);
		for (size_t k = 0; k < LENGTH; k++)
			if (offsets[k] > FILES_WARM_SIZE - size)
				offsets[k] = FILES_WARM_SIZE - size;
	}
}

/* Sequential reads need no table: one would be as long as the file. */
static uint64_t offset_at(const reader *r, uint64_t *next)
{
	uint64_t k = (*next)++;
	return r->offsets != NULL ? r->offsets[k % LENGTH] : k * r->size % FILES_WARM_SIZE;
}

/* ---- contestants ---- */

static uint64_t run_ours(void *context, uint64_t count)
{
	reader *r = context;
	for (uint64_t i = 0; i < count; i++)
		if (smmap_read(&r->ours.cursor, offset_at(r, &r->ours_next), r->to, r->size) != (int64_t)r->size)
			bench_die("smmap_read", EIO);
	return count;
}

static uint64_t run_pread(void *context, uint64_t count)
{
	reader *r = context;
	for (uint64_t i = 0; i < count; i++)
		if (pread(r->fd, r->to, r->size, (off_t)offset_at(r, &r->pread_next)) != (ssize_t)r->size)
			bench_die("pread", EIO);
	return count;
}

static uint64_t run_lru(void *context, uint64_t count)
{
	reader *r = context;
	for (uint64_t i = 0; i < count; i++)
		if (lru_read(r->lru, offset_at(r, &r->lru_next), r->to, r->size) != r->size)
			bench_die("lru_read", EIO);
	return count;
}

/* Runs for a while; returns by how much RssFile grew at most. */
static uint64_t warm(uint64_t (*run)(void *, uint64_t), reader *r, double seconds)
{
	uint64_t before = files_status("RssFile");
	uint64_t most = before;
	double end = bench_now() + seconds;
	do {
		run(r, 4096);
		uint64_t now = files_status("RssFile");
		most = now > most ? now : most;
	} while (bench_now() < end);
	return most - before;
}

/* ---- one point of the grid ---- */

static const contestant *faster(const bench *b, const contestant *x, const contestant *y)
{
	double sum = 0;
	for (unsigned i = 0; i < b->rounds; i++)
		sum += log(x->cost[i] / y->cost[i]);
	return sum < 0 ? x : y;
}

static void record_point(bench *b, const pattern *p, reader *r, unsigned percent, uint64_t grown,
                         uint64_t limit, const contestant *all)
{
	char name[64];
	char condition[64];
	char series[64];
	bool zipf = p->exponent == 1.0 && r->size == 64;
	bool uniform = p->exponent == 0 && !p->sequential && r->size == 64;
	snprintf(name, sizeof name, "%zu B, %s", r->size, p->name);
	snprintf(condition, sizeof condition, "budget %u%%", percent);
	snprintf(series, sizeof series, "read-%zu-%s", r->size, p->name);
	const contestant *best = faster(b, &all[1], &all[2]);
	figure f = {.group = "read",
	            .name = name,
	            .peer = best == &all[1] ? "pread (the better)" : "LRU windows (the better)",
	            .condition = condition,
	            .series = series,
	            .x = percent,
	            .sense = AT_MOST,
	            .goal = 1.15};
	bench_record_time(b, &f, &all[0], best);
	f.series = NULL;
	f.peer = "pread";
	f.sense = REPORTED;
	f.goal = 0;
	if (percent == 5 && (uniform || zipf)) {
		f.sense = AT_MOST;
		f.bar = uniform ? 1.15 : 0.75;
	} else if (zipf && (percent == 10 || percent == 50)) {
		f.sense = AT_MOST;
		f.goal = percent == 10 ? 0.55 : 0.35;
	}
	bench_record_time(b, &f, &all[0], &all[1]);
	if (grown > limit + W)
		bench_record_value(b,
		                   &(figure){.group = "read",
		                             .name = name,
		                             .peer = "RssFile over limit + 2 MiB",
		                             .condition = condition,
		                             .sense = AT_MOST,
		                             .bar = 1},
		                   (double)grown / (double)(limit + W));
}

static void point(bench *b, const pattern *p, const uint64_t *offsets, size_t size, unsigned percent)
{
	const char *path = files_warm(b, FOLIOS_LARGE);
	uint64_t limit = FILES_WARM_SIZE / 100 * percent / W * W;
	if (percent == 100)
		limit = FILES_WARM_SIZE;
	reader r = {.offsets = p->sequential ? NULL : offsets, .size = size};
	bench_progress(b, "read: warming up");
	ours_open(&r.ours, path, W, limit, SMMAP_PLACEMENT_STABLE);
	uint64_t grown = warm(run_ours, &r, 3 * b->warm_seconds);
	r.fd = open(path, O_RDONLY | O_CLOEXEC);
	r.lru = lru_new(path, W, limit);
	warm(run_lru, &r, b->warm_seconds);
	contestant all[] = {
		{.name = "read", .run = run_ours, .context = &r},
		{.name = "read: pread", .run = run_pread, .context = &r},
		{.name = "read: LRU windows", .run = run_lru, .context = &r},
	};
	bench_race(b, all, 3);
	record_point(b, p, &r, percent, grown, limit, all);
	lru_free(r.lru);
	close(r.fd);
	ours_close(&r.ours);
}

void group_read(bench *b)
{
	static const unsigned budgets[] = {1, 5, 10, 50, 100};
	static const size_t sizes[] = {64, 4096};
	uint64_t *offsets = malloc(LENGTH * sizeof *offsets);
	if (offsets == NULL)
		bench_die("read", ENOMEM);
	for (size_t s = 0; s < 2; s++)
		for (size_t p = 0; p < sizeof patterns / sizeof *patterns; p++) {
			fill(offsets, &patterns[p], sizes[s]);
			for (size_t k = 0; k < sizeof budgets / sizeof *budgets; k++)
				point(b, &patterns[p], offsets, sizes[s], budgets[k]);
		}
	free(offsets);
}
