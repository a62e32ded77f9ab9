/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Misses while N regions are mapped, for growing N. A sparse file with one page of each region in the page cache; regions
 * are visited in a fixed shuffled order, much longer than N, so that nearly every visit is a miss for all.
 */
#include "files.h"
#include "ours.h"
#include "peers.h"

#include <errno.h>
#include <stdlib.h>

#define W (2 * MIB)
enum { REGIONS = 262144 };

typedef struct crowd {
	const uint32_t *order;
	uint64_t ours_next, git2_next;
	ours ours;
	git2 git2;
} crowd;

static uint64_t offset_of(const crowd *c, uint64_t *next)
{
	return (uint64_t)c->order[(*next)++ % REGIONS] * W;
}

static uint64_t run_ours(void *context, uint64_t count)
{
	crowd *c = context;
	uint64_t before = ours_stats(&c->ours).misses;
	uint64_t sum = 0;
	for (uint64_t i = 0; i < count; i++)
		sum += *ours_at(&c->ours.cursor, offset_of(c, &c->ours_next));
	bench_use(sum);
	return ours_stats(&c->ours).misses - before;
}

static uint64_t run_git2(void *context, uint64_t count)
{
	crowd *c = context;
	uint64_t before = git2_maps();
	uint64_t sum = 0;
	for (uint64_t i = 0; i < count; i++)
		sum += *git2_at(&c->git2, offset_of(c, &c->git2_next));
	bench_use(sum);
	return git2_maps() - before;
}

static uint32_t *shuffled(void)
{
	uint32_t *order = malloc(REGIONS * sizeof *order);
	rng random = {11};
	if (order == NULL)
		bench_die("crowd", ENOMEM);
	for (uint32_t i = 0; i < REGIONS; i++) {
		uint32_t j = (uint32_t)rng_below(&random, i + 1);
		order[i] = order[j];
		order[j] = i;
	}
	return order;
}

/* Every region once, so that the table has all it will have and N regions are mapped. */
static void fill(crowd *c, const char *path, uint64_t regions)
{
	ours_open(&c->ours, path, W, regions * W, SMMAP_PLACEMENT_STABLE);
	run_ours(c, REGIONS);
}

static void against_itself(bench *b, const char *path, const uint32_t *order)
{
	static const uint64_t counts[] = {100, 1000, 4000, 16000, 60000};
	enum { COUNTS = sizeof counts / sizeof *counts };
	crowd crowds[COUNTS];
	contestant all[COUNTS] = {0};
	for (size_t i = 0; i < COUNTS; i++) {
		bench_progress(b, "crowd: mapping");
		crowds[i] = (crowd){.order = order};
		fill(&crowds[i], path, counts[i]);
		all[i] = (contestant){.name = "crowd", .run = run_ours, .context = &crowds[i]};
	}
	bench_race(b, all, COUNTS);
	for (size_t i = 1; i < COUNTS; i++) {
		char name[64];
		snprintf(name, sizeof name, "miss with %llu regions mapped", (unsigned long long)counts[i]);
		bench_record_time(b,
		                  &(figure){.group = "crowd",
		                            .name = name,
		                            .peer = "with 100",
		                            .condition = "one page a region",
		                            .series = "crowd-growth",
		                            .x = (double)counts[i],
		                            .sense = AT_MOST,
		                            .goal = 1.2},
		                  &all[i], &all[0]);
	}
	for (size_t i = 0; i < COUNTS; i++)
		ours_close(&crowds[i].ours);
}

static void against_git2(bench *b, const char *path, const uint32_t *order, uint64_t regions)
{
	char name[64];
	bool judged = regions == 16000;
	crowd c = {.order = order};
	fill(&c, path, regions);
	git2_open(&c.git2, path, W, regions * W);
	bench_progress(b, "crowd: mapping by libgit2");
	run_git2(&c, regions);
	contestant all[] = {
		{.name = "crowd", .run = run_ours, .context = &c},
		{.name = "crowd: libgit2", .run = run_git2, .context = &c},
	};
	bench_race(b, all, 2);
	snprintf(name, sizeof name, "miss with %llu regions mapped", (unsigned long long)regions);
	bench_record_time(b,
	                  &(figure){.group = "crowd",
	                            .name = name,
	                            .peer = "libgit2",
	                            .condition = "one page a region",
	                            .series = "crowd-libgit2",
	                            .x = (double)regions,
	                            .sense = judged ? AT_MOST : REPORTED,
	                            .goal = judged ? 0.04 : 0},
	                  &all[0], &all[1]);
	git2_close(&c.git2);
	ours_close(&c.ours);
}

void group_crowd(bench *b)
{
	static const uint64_t counts[] = {100, 1000, 4000, 16000};
	const char *path = files_sparse(b, "crowd", REGIONS * W, W);
	uint32_t *order = shuffled();
	for (size_t i = 0; i < sizeof counts / sizeof *counts && git2_exists(); i++)
		against_git2(b, path, order, counts[i]);
	against_itself(b, path, order);
	free(order);
}
