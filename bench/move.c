/* SPDX-License-Identifier: BSD-3-Clause */
/* Moving one cursor among N regions that are all mapped; nothing is touched. */
#include "files.h"
#include "ours.h"
#include "peers.h"

#include <stdatomic.h>
#include <stdlib.h>

#define W (2 * MIB)

typedef struct mover {
	uint64_t regions;
	rng random;
	uint64_t *offsets; /* of the windows that libgit2 has, where they are not the first ones */
	ours ours;
	git2 git2;
} mover;

static uint64_t somewhere(mover *m)
{
	return rng_below(&m->random, m->regions) * W + (m->random.state & (W - 1));
}

static uint64_t run_ours(void *context, uint64_t count)
{
	mover *m = context;
	uint64_t sum = 0;
	for (uint64_t i = 0; i < count; i++)
		sum += (uintptr_t)ours_at(&m->ours.cursor, somewhere(m));
	bench_use(sum);
	return count;
}

static uint64_t one_of_its_own(mover *m)
{
	return m->offsets[rng_below(&m->random, m->regions)] + (m->random.state & (W / 2 - 1));
}

static uint64_t run_git2(void *context, uint64_t count)
{
	mover *m = context;
	uint64_t sum = 0;
	for (uint64_t i = 0; i < count; i++)
		sum += (uintptr_t)git2_at(&m->git2, m->offsets != NULL ? one_of_its_own(m) : somewhere(m));
	bench_use(sum);
	return count;
}

static void map_all(mover *m)
{
	/* Downwards: upwards would be sequential access, with readahead. */
	for (uint64_t i = m->regions; i-- != 0;)
		ours_at(&m->ours.cursor, i * W);
	smmap_stats stats = ours_stats(&m->ours);
	if (stats.handles != m->regions)
		bench_die("regions are not all mapped", SMMAP_EBUDGET);
}

static void against_itself(bench *b, const char *path)
{
	static const uint64_t counts[] = {50, 500, 2000, 8000, 100000, 1000000};
	enum { COUNTS = sizeof counts / sizeof *counts };
	mover movers[COUNTS];
	contestant all[COUNTS] = {0};
	for (size_t i = 0; i < COUNTS; i++) {
		movers[i] = (mover){.regions = counts[i], .random = {i}};
		bench_progress(b, "move: mapping");
		ours_open(&movers[i].ours, path, W, 4 * TIB, SMMAP_PLACEMENT_STABLE);
		map_all(&movers[i]);
		all[i] = (contestant){.name = "move", .run = run_ours, .context = &movers[i]};
	}
	bench_race(b, all, COUNTS);
	for (size_t i = 1; i < COUNTS; i++) {
		char name[64];
		snprintf(name, sizeof name, "among %llu mapped regions", (unsigned long long)counts[i]);
		bench_record_time(b,
		                  &(figure){.group = "move",
		                            .name = name,
		                            .peer = "among 50",
		                            .series = "move-growth",
		                            .x = (double)counts[i],
		                            .sense = AT_MOST,
		                            .goal = 3},
		                  &all[i], &all[0]);
	}
	for (size_t i = 0; i < COUNTS; i++)
		ours_close(&movers[i].ours);
}

/*
 * libgit2 walks a list. Windows that were opened one after the other lie in a row in memory, which is the best that can
 * happen to it; windows that came and went under a limit, as they do in a process that lives long, do not.
 */
static void churn(mover *m, const char *path)
{
	git2_open(&m->git2, path, W, m->regions * W);
	bench_progress(NULL, "move: libgit2 opening and closing windows");
	for (uint64_t i = 0; i < 3 * m->regions; i++)
		git2_at(&m->git2, rng_below(&m->random, 3 * m->regions) * W);
	m->offsets = calloc((size_t)m->regions, sizeof *m->offsets);
	if (m->offsets == NULL)
		bench_die("move", SMMAP_ENOMEM);
	uint64_t count = 0;
	while (count < m->regions && git2_window(&m->git2, count, &m->offsets[count]))
		count++;
	m->regions = count;
}

static void record_git2(bench *b, const contestant *all, uint64_t regions, bool churned)
{
	char name[64];
	bool judged = regions == 8000 && !churned;
	snprintf(name, sizeof name, "among %llu mapped regions", (unsigned long long)regions);
	bench_record_time(b,
	                  &(figure){.group = "move",
	                            .name = name,
	                            .peer = "libgit2",
	                            .condition = churned ? "windows came and went" : "windows opened in a row",
	                            .series = churned ? "move-libgit2-churned" : "move-libgit2",
	                            .x = (double)regions,
	                            .sense = judged ? AT_MOST : REPORTED,
	                            .bar = judged ? 0.01 : 0,
	                            .goal = judged ? 0.002 : 0},
	                  &all[0], &all[1]);
}

/* A pin and an unpin, alone: what no move can be faster than. */
static uint64_t run_two_swaps(void *context, uint64_t count)
{
	_Atomic uint64_t *word = context;
	for (uint64_t i = 0; i < count; i++) {
		uint64_t seen = atomic_load_explicit(word, memory_order_relaxed);
		atomic_compare_exchange_strong_explicit(word, &seen, seen + 1, memory_order_acq_rel,
		                                        memory_order_acquire);
		seen = atomic_load_explicit(word, memory_order_relaxed);
		atomic_compare_exchange_strong_explicit(word, &seen, seen - 1, memory_order_release,
		                                        memory_order_relaxed);
	}
	return count;
}

static void record_swaps(bench *b, const contestant *all, uint64_t regions)
{
	char name[64];
	snprintf(name, sizeof name, "two compare-and-swaps, for %llu regions", (unsigned long long)regions);
	bench_record_time(b, &(figure){.group = "move", .name = name, .peer = "libgit2"}, &all[2], &all[1]);
}

static void against_git2(bench *b, const char *path, uint64_t regions, bool churned)
{
	mover m = {.regions = regions, .random = {regions}};
	_Atomic uint64_t word = 0;
	ours_open(&m.ours, path, W, 4 * TIB, SMMAP_PLACEMENT_STABLE);
	map_all(&m);
	if (churned) {
		churn(&m, path);
	} else {
		git2_open(&m.git2, path, W, 4 * TIB);
		for (uint64_t i = 0; i < regions; i++)
			git2_at(&m.git2, i * W);
	}
	contestant all[] = {
		{.name = "move", .run = run_ours, .context = &m},
		{.name = "move: libgit2", .run = run_git2, .context = &m},
		{.name = "move: two swaps", .run = run_two_swaps, .context = &word},
	};
	bench_race(b, all, 3);
	record_git2(b, all, regions, churned);
	if (!churned)
		record_swaps(b, all, regions);
	git2_close(&m.git2);
	ours_close(&m.ours);
	free(m.offsets);
}

void group_move(bench *b)
{
	static const uint64_t counts[] = {50, 500, 2000, 8000};
	const char *path = files_sparse(b, "move", 1000000 * W, 0);
	for (size_t i = 0; i < sizeof counts / sizeof *counts && git2_exists(); i++)
		for (int churned = 0; churned < 2; churned++)
			against_git2(b, path, counts[i], churned);
	against_itself(b, path);
}
