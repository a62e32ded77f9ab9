/* SPDX-License-Identifier: BSD-3-Clause */
/* What the manager takes for itself, and the page tables that its mappings take. Not ratios: bytes, and their limits. */
#include "files.h"
#include "ours.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static void record(bench *b, const char *name, const char *unit, const char *condition, double value,
                   double goal)
{
	bench_record_value(b,
	                   &(figure){.group = "memory",
	                             .name = name,
	                             .peer = unit,
	                             .condition = condition,
	                             .sense = AT_MOST,
	                             .goal = goal},
	                   value);
}

static void dense(bench *b, const char *path, uint64_t window, int placement, double goal)
{
	enum { REGIONS = 1000000 };
	ours o;
	bool stable = placement == SMMAP_PLACEMENT_STABLE;
	ours_open(&o, path, window, stable ? REGIONS * window : 64 * MIB, placement);
	uint64_t before = ours_stats(&o).table_bytes;
	/* Downwards: upwards would be sequential access, with readahead. */
	for (uint64_t i = REGIONS; i-- != 0;)
		ours_at(&o.cursor, i * window);
	record(b, "tables, a million regions in a row", "bytes per region", stable ? "stable" : "detached",
	       (double)(ours_stats(&o).table_bytes - before) / REGIONS, goal);
	ours_close(&o);
}

static void thin(bench *b, const char *path)
{
	ours o;
	rng random = {1};
	ours_open(&o, path, 2 * MIB, 64 * MIB, SMMAP_PLACEMENT_STABLE);
	for (int i = 0; i < 100000; i++)
		ours_at(&o.cursor, rng_below_far(&random, TIB));
	record(b, "tables, 100,000 random touches of 1 TiB", "MiB", "stable, 2 MiB regions",
	       (double)ours_stats(&o).table_bytes / (double)MIB, 8);
	ours_close(&o);
}

/* One byte in every 2 MiB is enough to fill all page tables that a walk can fill. */
static void walk(bench *b, const char *path, uint64_t window, const char *condition)
{
	ours o;
	uint64_t most = 0;
	uint64_t sum = 0;
	ours_open(&o, path, window, 256 * MIB, SMMAP_PLACEMENT_AUTO);
	bench_check("smmap_advise",
	            smmap_advise(&o.cursor, SMMAP_ADVICE_RANDOM, 0, 0)); /* no readahead of holes */
	uint64_t before = files_status("VmPTE");
	for (uint64_t at = 0; at < 64 * GIB; at += 2 * MIB) {
		sum += *ours_at(&o.cursor, at);
		if (at / (2 * MIB) % 64 != 63)
			continue;
		uint64_t now = files_status("VmPTE");
		most = now > most ? now : most;
	}
	bench_use(sum);
	record(b, "page tables, most in a walk over 64 GiB", "MiB", condition,
	       (double)(most > before ? most - before : 0) / (double)MIB, 1);
	ours_close(&o);
}

/* Known, read, and not in use any more. */
static void known_files(bench *b, uint64_t count)
{
	smmap_manager *manager;
	smmap_stats stats;
	smmap_cursor *cursors = calloc((size_t)count, sizeof *cursors);
	if (cursors == NULL)
		bench_die("cursors", ENOMEM);
	uint64_t before = files_status("VmPTE");
	bench_check("smmap_manager_new", smmap_manager_new(&manager, NULL));
	char *directory = files_path(b, "known");
	mkdir(directory, 0700);
	for (uint64_t i = 0; i < count; i++) {
		char path[4096];
		snprintf(path, sizeof path, "%s/%llu", directory, (unsigned long long)i);
		int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
		if (fd < 0 || write(fd, path, 1) != 1)
			bench_die(path, errno);
		close(fd);
		bench_check(path, smmap_cursor_open(&cursors[i], manager, path, 0));
		bench_use(*ours_at(&cursors[i], 0));
		smmap_cursor_unuse_region(&cursors[i]);
	}
	smmap_manager_stats(manager, &stats);
	char name[64];
	snprintf(name, sizeof name, "%llu known files", (unsigned long long)stats.files);
	uint64_t tables = files_status("VmPTE") - before;
	record(b, name, "MiB", "tables and page tables", (double)(stats.table_bytes + tables) / (double)MIB,
	       count == 100000 ? 64 : 0);
	for (uint64_t i = 0; i < count; i++)
		smmap_cursor_close(&cursors[i]);
	bench_check("smmap_manager_free", smmap_manager_free(manager));
	free(cursors);
	free(directory);
}

void group_memory(bench *b)
{
	bench_progress(b, "memory");
	const char *path = files_sparse(b, "memory", 1000000 * 2 * MIB, 0);
	dense(b, path, 2 * MIB, SMMAP_PLACEMENT_STABLE, 16);
	dense(b, path, 64 * KIB, SMMAP_PLACEMENT_DETACHED, 32);
	thin(b, path);
	walk(b, path, 64 * KIB, "W = 64 KiB");
	walk(b, path, 2 * MIB, "W = 2 MiB");
	walk(b, path, 64 * MIB, "W = 64 MiB");
	if (!b->quick)
		known_files(b, 100000);
	unlink(path);
}
