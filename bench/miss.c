/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A region that is not mapped is asked for, one page of it touched, and an older one given back; the peer maps a window,
 * touches one page and unmaps it. A file of 2 GiB in the page cache.
 */
#include "files.h"
#include "ours.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

enum { REGIONS_MAX = (int)(FILES_WARM_SIZE / (64 * KIB)) };

/* Offsets at random, but not in regions that were visited a short time ago and may be mapped still. */
typedef struct places {
	rng random;
	uint64_t window;
	uint64_t kept;
	uint64_t turn;
	uint64_t last[REGIONS_MAX];
} places;

static uint64_t next_place(places *p)
{
	for (;;) {
		uint64_t offset = rng_below(&p->random, FILES_WARM_SIZE);
		uint64_t *last = &p->last[offset / p->window];
		if (*last != 0 && p->turn - *last < 2 * p->kept)
			continue;
		*last = ++p->turn;
		return offset;
	}
}

typedef struct misser {
	uint64_t window;
	ours ours;
	int fd;
	places *ours_places, *peer_places;
} misser;

static uint64_t run_ours(void *context, uint64_t count)
{
	misser *m = context;
	uint64_t before = ours_stats(&m->ours).misses;
	uint64_t sum = 0;
	for (uint64_t i = 0; i < count; i++)
		sum += *ours_at(&m->ours.cursor, next_place(m->ours_places));
	bench_use(sum);
	/* A hit, should there be one, counts as time and not as a miss. */
	return ours_stats(&m->ours).misses - before;
}

static uint64_t run_mmap(void *context, uint64_t count)
{
	misser *m = context;
	uint64_t sum = 0;
	for (uint64_t i = 0; i < count; i++) {
		uint64_t offset = next_place(m->peer_places);
		uint64_t begin = offset / m->window * m->window;
		unsigned char *data = mmap(NULL, (size_t)m->window, PROT_READ, MAP_SHARED, m->fd, (off_t)begin);
		if (data == MAP_FAILED)
			bench_die("mmap", errno);
		sum += data[offset - begin];
		munmap(data, (size_t)m->window);
	}
	bench_use(sum);
	return count;
}

static void miss(bench *b, uint64_t window, enum folios folios, int placement, double bar, double goal)
{
	char name[64];
	bool detached = placement == SMMAP_PLACEMENT_DETACHED;
	const char *path = files_warm(b, folios);
	uint64_t kept = FILES_WARM_SIZE / window / 16;
	static places ours_places, peer_places;
	misser m = {.window = window, .ours_places = &ours_places, .peer_places = &peer_places};
	kept = kept > 16 ? 16 : kept;
	ours_places = peer_places = (places){.random = {window}, .window = window, .kept = kept};
	ours_open(&m.ours, path, window, kept * window, placement);
	m.fd = open(path, O_RDONLY | O_CLOEXEC);
	contestant all[] = {
		{.name = "miss", .run = run_ours, .context = &m},
		{.name = "miss: mmap", .run = run_mmap, .context = &m},
	};
	bench_race(b, all, 2);
	if (window < MIB)
		snprintf(name, sizeof name, "W = %llu KiB, %s", (unsigned long long)(window / KIB),
		         detached ? "detached" : "stable");
	else
		snprintf(name, sizeof name, "W = %llu MiB, %s", (unsigned long long)(window / MIB),
		         detached ? "detached" : "stable");
	bench_record_time(b,
	                  &(figure){.group = "miss",
	                            .name = name,
	                            .peer = "mmap + touch + munmap",
	                            .condition = files_folios_name(folios),
	                            .series = detached                 ? NULL
	                                      : folios == FOLIOS_LARGE ? "miss-large"
	                                                               : "miss-small",
	                            .x = (double)(window / MIB),
	                            .sense = AT_MOST,
	                            .bar = bar,
	                            .goal = goal},
	                  &all[0], &all[1]);
	close(m.fd);
	ours_close(&m.ours);
}

void group_miss(bench *b)
{
	static const uint64_t windows[] = {2 * MIB, 4 * MIB, 64 * MIB};
	for (size_t i = 0; i < 3; i++)
		miss(b, windows[i], FOLIOS_LARGE, SMMAP_PLACEMENT_STABLE, 0.65, 0.6);
	for (size_t i = 0; i < 3; i++)
		miss(b, windows[i], FOLIOS_SMALL, SMMAP_PLACEMENT_STABLE, 0, 0.9);
	miss(b, 64 * KIB, FOLIOS_LARGE, SMMAP_PLACEMENT_DETACHED, 0, 1.15);
	miss(b, 64 * KIB, FOLIOS_SMALL, SMMAP_PLACEMENT_DETACHED, 0, 1.15);
	miss(b, 2 * MIB, FOLIOS_LARGE, SMMAP_PLACEMENT_DETACHED, 0, 1.15);
}
