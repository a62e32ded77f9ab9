/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What several threads gain against one, with one manager, compared with what they gain on counters of their own, which is
 * all that the machine has to give.
 */
#include "crew.h"
#include "files.h"
#include "ours.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#define W (2 * MIB)
enum { HOT = 50, OWN = 200 };
/* A file with many more regions than the budget holds: 64 GiB, the first page of each region in the page cache. */
#define VAST_REGIONS UINT64_C(32768)

/* What the threads have in common, and each one's own; apart, so that they share no cache line. */
typedef struct desk {
	_Alignas(256) smmap_cursor cursor;
	rng random;
	unsigned char to[64];
} desk;

typedef struct office {
	smmap_manager *manager;
	int fd;
	uint64_t window;
	uint64_t places; /* that are read: each a multiple of `step` */
	uint64_t step;
	desk desks[CREW_MAX];
} office;

static uint64_t work_hit(void *shared, unsigned number, uint64_t count)
{
	desk *d = &((office *)shared)->desks[number];
	uint64_t base = number * W;
	uint64_t sum = 0;
	bench_check("use_region", smmap_cursor_use_region(&d->cursor, base, 0));
	for (uint64_t i = 0; i < count; i++) {
		const unsigned char *at = smmap_cursor_at(&d->cursor, base + (i * 61 & 0x3fff), 1);
		if (at == NULL)
			bench_die("smmap_cursor_at", SMMAP_ERANGE);
		sum += *at;
	}
	bench_use(sum);
	return count;
}

static uint64_t work_move(void *shared, unsigned number, uint64_t count)
{
	desk *d = &((office *)shared)->desks[number];
	uint64_t sum = 0;
	for (uint64_t i = 0; i < count; i++)
		sum += (uintptr_t)ours_at(&d->cursor, (number * OWN + rng_below(&d->random, OWN)) * W);
	bench_use(sum);
	return count;
}

static uint64_t work_read(void *shared, unsigned number, uint64_t count)
{
	desk *d = &((office *)shared)->desks[number];
	for (uint64_t i = 0; i < count; i++)
		bench_check("smmap_read", smmap_read(&d->cursor, rng_below(&d->random, HOT * W - 64), d->to, 64));
	return count;
}

static uint64_t work_miss(void *shared, unsigned number, uint64_t count)
{
	office *o = shared;
	desk *d = &o->desks[number];
	uint64_t sum = 0;
	for (uint64_t i = 0; i < count; i++)
		sum += *ours_at(&d->cursor, rng_below(&d->random, o->places) * o->step);
	bench_use(sum);
	return count;
}

static uint64_t work_mmap(void *shared, unsigned number, uint64_t count)
{
	office *o = shared;
	desk *d = &o->desks[number];
	uint64_t sum = 0;
	for (uint64_t i = 0; i < count; i++) {
		uint64_t offset = rng_below(&d->random, o->places) * o->step;
		uint64_t begin = offset / o->window * o->window;
		unsigned char *data = mmap(NULL, (size_t)o->window, PROT_READ, MAP_SHARED, o->fd, (off_t)begin);
		if (data == MAP_FAILED)
			bench_die("mmap", errno);
		sum += data[offset - begin];
		munmap(data, (size_t)o->window);
	}
	bench_use(sum);
	return count;
}

/* ---- offices ---- */

static void office_open(office *o, const char *path, uint64_t size, uint64_t step, uint64_t window,
                        uint64_t max_bytes)
{
	smmap_options options = SMMAP_OPTIONS_INIT;
	options.window_size = (int64_t)window;
	options.max_memory = max_bytes;
	bench_check("smmap_manager_new", smmap_manager_new(&o->manager, &options));
	o->fd = open(path, O_RDONLY | O_CLOEXEC);
	o->window = window;
	o->places = size / step;
	o->step = step;
	for (unsigned i = 0; i < CREW_MAX; i++) {
		o->desks[i].cursor = (smmap_cursor)SMMAP_CURSOR_INIT;
		o->desks[i].random = (rng){i};
		bench_check(path, smmap_cursor_open(&o->desks[i].cursor, o->manager, path, 0));
	}
}

static void office_close(office *o)
{
	for (unsigned i = 0; i < CREW_MAX; i++)
		smmap_cursor_close(&o->desks[i].cursor);
	bench_check("smmap_manager_free", smmap_manager_free(o->manager));
	close(o->fd);
}

/* ---- figures ---- */

typedef struct kind {
	const char *name;
	uint64_t (*work)(void *shared, unsigned number, uint64_t count);
	office *office;
	double goal;      /* for two threads, against the peer below */
	unsigned against; /* number of the kind that is the peer */
} kind;

static void record(bench *b, const kind *kinds, const contestant *all, unsigned k, unsigned t,
                   unsigned threads)
{
	enum { SIZES = 3 };
	double gains[BENCH_ROUNDS_MAX];
	double most[BENCH_ROUNDS_MAX];
	char condition[32];
	unsigned against = kinds[k].against;
	snprintf(condition, sizeof condition, "%u threads", threads);
	crew_gains(b, &all[k * SIZES], &all[k * SIZES + t], gains);
	bench_record(b,
	             &(figure){.group = "threads",
	                       .name = kinds[k].name,
	                       .peer = "one thread",
	                       .condition = condition,
	                       .series = kinds[k].name,
	                       .x = threads},
	             gains, b->rounds);
	if (k == 0 || kinds[k].goal == 0 || threads != 2)
		return;
	crew_gains(b, &all[against * SIZES], &all[against * SIZES + t], most);
	for (unsigned i = 0; i < b->rounds; i++)
		gains[i] /= most[i];
	bench_record(b,
	             &(figure){.group = "threads",
	                       .name = kinds[k].name,
	                       .peer = against == 0 ? "gain of private counters" : "gain of mmap/munmap",
	                       .condition = condition,
	                       .sense = AT_LEAST,
	                       .goal = kinds[k].goal},
	             gains, b->rounds);
}

/* Where two threads gain nothing on counters of their own, something else runs here, and no figure below means much. */
static void note_if_busy(bench *b, const double *gains)
{
	unsigned poor = 0;
	for (unsigned i = 0; i < b->rounds; i++)
		poor += gains[i] < 1.4;
	if (poor > b->rounds / 4)
		bench_note(b, "threads", "the machine was busy: two threads gained less than 1.4 in %u of %u rounds",
		           poor, b->rounds);
}

void group_threads(bench *b)
{
	static const unsigned sizes[] = {1, 2, 4};
	static office resident, large, vast, small;
	const char *path = files_warm(b, FOLIOS_LARGE);
	const char *sparse = files_sparse(b, "vast", VAST_REGIONS * W, W);
	office_open(&resident, path, FILES_WARM_SIZE, 1, W, FILES_WARM_SIZE);
	office_open(&large, path, FILES_WARM_SIZE, 1, W, 32 * W);
	office_open(&vast, sparse, VAST_REGIONS * W, W, W, 1024 * W);
	office_open(&small, path, FILES_WARM_SIZE, 1, 64 * KIB, 512 * 64 * KIB);
	const kind kinds[] = {
		{"private counter", crew_count, NULL, 0, 0},
		{"hits", work_hit, &resident, 0.9, 0},
		{"moves over different regions", work_move, &resident, 0.9, 0},
		{"copying reads of the same 50 regions", work_read, &resident, 0.9, 0},
		{"misses, W = 2 MiB, 32 of 1024 regions mapped", work_miss, &large, 0.8, 0},
		{"misses, W = 2 MiB, 1024 of 32768 regions mapped", work_miss, &vast, 0.8, 0},
		{"mmap + touch + munmap, 2 MiB", work_mmap, &large, 0, 0},
		{"misses, W = 64 KiB", work_miss, &small, 1, 8},
		{"mmap + touch + munmap, 64 KiB", work_mmap, &small, 0, 0},
	};
	enum { KINDS = sizeof kinds / sizeof *kinds, SIZES = sizeof sizes / sizeof *sizes };
	static crew crews[KINDS * SIZES];
	static contestant all[KINDS * SIZES];
	for (unsigned k = 0; k < KINDS; k++)
		for (unsigned t = 0; t < SIZES; t++) {
			crews[k * SIZES + t] = (crew){sizes[t], kinds[k].work, kinds[k].office};
			all[k * SIZES + t] =
				(contestant){.name = kinds[k].name, .run = crew_run, .context = &crews[k * SIZES + t]};
		}
	for (unsigned i = 0; i < HOT; i++)
		ours_at(&resident.desks[0].cursor, (HOT - 1 - i) * W);
	bench_race(b, all, KINDS * SIZES);
	double gains[BENCH_ROUNDS_MAX];
	crew_gains(b, &all[0], &all[1], gains);
	note_if_busy(b, gains);
	for (unsigned k = 0; k < KINDS; k++)
		for (unsigned t = 1; t < SIZES; t++)
			record(b, kinds, all, k, t, sizes[t]);
	office_close(&small);
	office_close(&vast);
	office_close(&large);
	office_close(&resident);
}
