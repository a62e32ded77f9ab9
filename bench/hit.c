/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The hit path: a byte that the window in use covers. All bytes lie in 16 KiB that the processor's first cache holds, so
 * that nothing but the way there counts.
 */
#include "files.h"
#include "ours.h"
#include "peers.h"

#include <string.h>

enum { SPOTS = 4096, SPOT_RANGE = 16384 };

typedef struct hits {
	uint32_t spots[SPOTS]; /* relative to `base` */
	uint64_t base;
	ours ours;
	git2 git2;
	struct plain {
		const unsigned char *data;
		uint64_t offset;
		uint64_t size;
	} plain;
} hits;

static uint64_t run_ours(void *context, uint64_t count)
{
	hits *h = context;
	const smmap_cursor *cursor = &h->ours.cursor;
	uint64_t sum = 0;
	/* Unrolled, so that it does not matter where the loop happens to lie. */
#pragma GCC unroll 8
	for (uint64_t i = 0; i < count; i++) {
		const unsigned char *at = smmap_cursor_at(cursor, h->base + h->spots[i % SPOTS], 1);
		if (at == NULL)
			return 0;
		sum += *at;
	}
	bench_use(sum);
	return count;
}

/* What anybody writes by hand around a mapped range. */
static uint64_t run_bare(void *context, uint64_t count)
{
	hits *h = context;
	const struct plain *plain = &h->plain;
	uint64_t sum = 0;
	/* Unrolled, so that it does not matter where the loop happens to lie. */
#pragma GCC unroll 8
	for (uint64_t i = 0; i < count; i++) {
		uint64_t offset = h->base + h->spots[i % SPOTS];
		if (offset - plain->offset >= plain->size)
			return 0;
		sum += plain->data[offset - plain->offset];
	}
	bench_use(sum);
	return count;
}

static uint64_t run_git2(void *context, uint64_t count)
{
	hits *h = context;
	uint64_t sum = 0;
	for (uint64_t i = 0; i < count; i++)
		sum += *git2_at(&h->git2, h->base + h->spots[i % SPOTS]);
	bench_use(sum);
	return count;
}

static uint64_t run_use_region(void *context, uint64_t count)
{
	hits *h = context;
	uint64_t sum = 0;
	for (uint64_t i = 0; i < count; i++)
		sum += *ours_at(&h->ours.cursor, h->base + h->spots[i % SPOTS]);
	bench_use(sum);
	return count;
}

void group_hit(bench *b)
{
	static hits h;
	rng random = {7};
	const char *path = files_warm(b, FOLIOS_LARGE);
	for (size_t i = 0; i < SPOTS; i++)
		h.spots[i] = (uint32_t)rng_below(&random, SPOT_RANGE);
	h.base = 64 * MIB + 5;
	ours_open(&h.ours, path, 64 * MIB, GIB, SMMAP_PLACEMENT_AUTO);
	bench_check("use_region", smmap_cursor_use_region(&h.ours.cursor, 64 * MIB, 0));
	h.plain = (struct plain){h.ours.cursor.data, h.ours.cursor.offset, h.ours.cursor.size};
	git2_open(&h.git2, path, 64 * MIB, GIB);

	contestant all[] = {
		{.name = "hit", .run = run_ours, .context = &h},
		{.name = "hit: bare check", .run = run_bare, .context = &h},
		{.name = "hit: libgit2", .run = run_git2, .context = &h},
	};
	bench_race(b, all, git2_exists() ? 3 : 2);
	if (git2_exists())
		bench_record_time(b,
		                  &(figure){.group = "hit",
		                            .name = "offset inside the cursor",
		                            .peer = "libgit2",
		                            .sense = AT_MOST,
		                            .bar = 0.2,
		                            .goal = 0.12},
		                  &all[0], &all[2]);
	else
		bench_note(b, "hit", "libgit2 is not there: its figures are left out");
	bench_record_time(b,
	                  &(figure){.group = "hit",
	                            .name = "offset inside the cursor",
	                            .peer = "bounds check + load",
	                            .sense = AT_MOST,
	                            .goal = 1.3},
	                  &all[0], &all[1]);

	contestant moving = {.name = "hit: use_region", .run = run_use_region, .context = &h};
	bench_race(b, &moving, 1);
	bench_record_time(
		b, &(figure){.group = "hit", .name = "use_region inside the region", .peer = "bounds check + load"},
		&moving, &all[1]);
	git2_close(&h.git2);
	ours_close(&h.ours);
}
