/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Does what is resident stay inside the limit? 1-byte reads through cursors at random offsets of a file of 2 GiB whose page
 * cache was filled by a sequential reader (so that one fault maps up to 2 MiB), with W of 4 KiB, 64 KiB, 2 MiB and 4 MiB
 * and a limit of 64 MiB. RssFile is looked at all along: at most limit + 2 MiB for each thread above its value at start.
 * The statistics must say that maps served it, not pread. Exits with 1 when any of this does not hold.
 *
 * usage: smmap-rss [--quick] [DIRECTORY]
 */
#include "files.h"
#include "ours.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define LIMIT (64 * MIB)

typedef struct trial {
	smmap_manager *manager;
	const char *path;
	uint64_t seed;
	uint64_t reads;
	_Atomic bool over;
} trial;

static void *read_bytes(void *context)
{
	trial *t = context;
	smmap_cursor cursor = SMMAP_CURSOR_INIT;
	rng random = {t->seed};
	uint64_t sum = 0;
	bench_check(t->path, smmap_cursor_open(&cursor, t->manager, t->path, 0));
	for (uint64_t i = 0; i < t->reads; i++)
		sum += *ours_at(&cursor, rng_below(&random, FILES_WARM_SIZE));
	bench_use(sum);
	smmap_cursor_close(&cursor);
	atomic_store(&t->over, true);
	return NULL;
}

/* The highest RssFile until all threads are done. */
static uint64_t watch(trial *trials, unsigned threads)
{
	uint64_t most = 0;
	unsigned done;
	do {
		done = 0;
		for (unsigned i = 0; i < threads; i++)
			done += atomic_load(&trials[i].over);
		uint64_t now = files_status("RssFile");
		most = now > most ? now : most;
	} while (done < threads);
	return most;
}

static bool try_window(const char *path, uint64_t window, unsigned threads, uint64_t reads)
{
	pthread_t ids[2];
	trial trials[2] = {0};
	smmap_options options = SMMAP_OPTIONS_INIT;
	smmap_manager *manager;
	smmap_stats stats;
	uint64_t allowed = LIMIT + threads * 2 * MIB;
	options.window_size = (int64_t)window;
	options.max_memory = LIMIT;
	bench_check("smmap_manager_new", smmap_manager_new(&manager, &options));
	uint64_t before = files_status("RssFile");
	for (unsigned i = 0; i < threads; i++) {
		trials[i].manager = manager;
		trials[i].path = path;
		trials[i].seed = i + 1;
		trials[i].reads = reads;
		int error = pthread_create(&ids[i], NULL, read_bytes, &trials[i]);
		if (error != 0)
			bench_die("pthread_create", error);
	}
	uint64_t most = watch(trials, threads);
	for (unsigned i = 0; i < threads; i++)
		pthread_join(ids[i], NULL);
	smmap_manager_stats(manager, &stats);
	bench_check("smmap_manager_free", smmap_manager_free(manager));
	uint64_t grown = most > before ? most - before : 0;
	bool good = grown <= allowed && stats.preads == 0 && stats.misses > reads / 2;
	printf(
		"W %5llu KiB, %u thread%s: RssFile grew by %6llu KiB at most, allowed %llu KiB; %llu regions mapped, "
		"%llu preads: %s\n",
		(unsigned long long)(window / KIB), threads, threads == 1 ? " " : "s",
		(unsigned long long)(grown / KIB), (unsigned long long)(allowed / KIB),
		(unsigned long long)stats.misses, (unsigned long long)stats.preads, good ? "ok" : "VIOLATED");
	fflush(stdout);
	return good;
}

int main(int argc, char **argv)
{
	static const uint64_t windows[] = {4 * KIB, 64 * KIB, 2 * MIB, 4 * MIB};
	bool quick = argc > 1 && strcmp(argv[1], "--quick") == 0;
	const char *where = argc > 1 + quick ? argv[1 + quick] : "/var/tmp";
	uint64_t reads = quick ? 40000 : 400000;
	bench b = {.rounds = 1};
	bool good = true;
	b.directory = files_directory(where);
	const char *path = files_warm(&b, FOLIOS_LARGE);
	for (size_t i = 0; i < sizeof windows / sizeof *windows; i++)
		for (unsigned threads = 1; threads <= 2; threads++)
			good &= try_window(path, windows[i], threads, reads);
	return good ? 0 : 1;
}
