/* SPDX-License-Identifier: BSD-3-Clause */
/* A file that is not in the page cache: from begin to end, and 64 bytes at random places. */
#include "files.h"
#include "ours.h"
#include "scan.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define SIZE (512 * MIB)
enum { READS = 200 };

typedef struct cold {
	const char *path;
	int fd;
	unsigned char *block;
	ours *ours;
	unsigned char *whole;
	rng random;                      /* each round goes on: other places every time */
	uint64_t disk_bytes, disk_reads; /* by the contestant whose turn it is */
} cold;

/* Pages that somebody has mapped stay in the cache: everybody gives theirs back first. */
static void drop(void *context)
{
	cold *c = context;
	smmap_cursor_unuse_region(&c->ours->cursor);
	smmap_manager_collect(c->ours->manager);
	madvise(c->whole, SIZE, MADV_DONTNEED);
	files_drop(c->path);
}

static uint64_t disk_bytes(void)
{
	char line[128];
	unsigned long long bytes = 0;
	FILE *io = fopen("/proc/self/io", "re");
	if (io == NULL)
		bench_die("/proc/self/io", errno);
	while (fgets(line, sizeof line, io) != NULL)
		if (strncmp(line, "read_bytes:", 11) == 0)
			bytes = strtoull(line + 11, NULL, 10);
	fclose(io);
	return bytes;
}

/* ---- from begin to end ---- */

static uint64_t scan_ours(void *context, uint64_t count)
{
	cold *c = context;
	bench_use(scan_windows(&c->ours->cursor));
	return count;
}

static uint64_t scan_by_pread(void *context, uint64_t count)
{
	cold *c = context;
	bench_use(scan_pread(c->fd, c->block, (size_t)MIB));
	return count;
}

/* ---- at random ---- */

static uint64_t random_place(cold *c)
{
	return rng_below(&c->random, SIZE - 64);
}

static uint64_t count_disk(cold *c, uint64_t before, uint64_t count)
{
	c->disk_bytes += disk_bytes() - before;
	c->disk_reads += count;
	return count;
}

static uint64_t random_ours(void *context, uint64_t count)
{
	cold *c = context;
	uint64_t before = disk_bytes();
	for (uint64_t i = 0; i < count; i++)
		bench_check("smmap_read", smmap_read(&c->ours->cursor, random_place(c), c->block, 64));
	return count_disk(c, before, count);
}

static uint64_t random_pread(void *context, uint64_t count)
{
	cold *c = context;
	uint64_t before = disk_bytes();
	for (uint64_t i = 0; i < count; i++)
		if (pread(c->fd, c->block, 64, (off_t)random_place(c)) != 64)
			bench_die("pread", errno);
	return count_disk(c, before, count);
}

static uint64_t random_whole(void *context, uint64_t count)
{
	cold *c = context;
	uint64_t before = disk_bytes();
	for (uint64_t i = 0; i < count; i++)
		memcpy(c->block, c->whole + random_place(c), 64);
	return count_disk(c, before, count);
}

static double per_read(const cold *c)
{
	return (double)c->disk_bytes / (double)(c->disk_reads != 0 ? c->disk_reads : 1);
}

static void at_random(bench *b, const cold *common, uint64_t limit, const char *condition)
{
	ours o;
	cold own = *common;
	own.ours = &o;
	cold by_pread = own;
	cold by_map = own;
	ours_open(&o, common->path, 2 * MIB, limit, SMMAP_PLACEMENT_AUTO);
	contestant all[] = {
		{.name = "cold reads", .run = random_ours, .prepare = drop, .context = &own, .count = READS},
		{.name = "cold reads: pread",
	     .run = random_pread,
	     .prepare = drop,
	     .context = &by_pread,
	     .count = READS},
		{.name = "cold reads: whole map",
	     .run = random_whole,
	     .prepare = drop,
	     .context = &by_map,
	     .count = READS},
	};
	bench_race(b, all, 3);
	figure f = {.group = "cold", .name = "64 B at random: time", .peer = "pread", .condition = condition};
	bench_record_time(b, &f, &all[0], &all[1]);
	f.peer = "whole-file map";
	bench_record_time(b, &f, &all[0], &all[2]);
	f.name = "64 B at random: bytes from disk";
	f.peer = "pread";
	bench_record_value(b, &f, per_read(&own) / per_read(&by_pread));
	f.peer = "whole-file map";
	bench_record_value(b, &f, per_read(&own) / per_read(&by_map));
	bench_note(b, "cold",
	           "KiB from disk for each read of 64 B, %s: ours %.1f, pread %.1f, whole-file map %.1f",
	           condition, per_read(&own) / 1024, per_read(&by_pread) / 1024, per_read(&by_map) / 1024);
	ours_close(&o);
}

void group_cold(bench *b)
{
	cold c = {.path = files_random(b, "cold", SIZE), .random = {9}};
	c.fd = open(c.path, O_RDONLY | O_CLOEXEC);
	c.block = aligned_alloc((size_t)MIB, (size_t)MIB);
	void *whole = mmap(NULL, SIZE, PROT_READ, MAP_SHARED, c.fd, 0);
	if (c.fd < 0 || c.block == NULL || whole == MAP_FAILED)
		bench_die(c.path, errno);
	c.whole = whole;
	ours o;
	c.ours = &o;
	ours_open(&o, c.path, 64 * MIB, 256 * MIB, SMMAP_PLACEMENT_AUTO);
	contestant all[] = {
		{.name = "cold scan", .run = scan_ours, .prepare = drop, .context = &c, .count = 1},
		{.name = "cold scan: pread", .run = scan_by_pread, .prepare = drop, .context = &c, .count = 1},
	};
	bench_race(b, all, 2);
	bench_record_speed(b,
	                   &(figure){.group = "cold",
	                             .name = "throughput from begin to end",
	                             .peer = "pread, 1 MiB blocks",
	                             .condition = "64 MiB regions",
	                             .sense = AT_LEAST,
	                             .goal = 1},
	                   &all[0], &all[1]);
	ours_close(&o);
	at_random(b, &c, 64 * MIB, "budget an eighth");
	at_random(b, &c, SIZE, "budget the whole file");
	munmap(whole, SIZE);
	close(c.fd);
	free(c.block);
	unlink(c.path);
}
