/* SPDX-License-Identifier: BSD-3-Clause */
/* Summing up a warm file of 2 GiB from begin to end, in 64 MiB regions within 256 MiB. */
#include "scan.h"

#include "files.h"
#include "ours.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define W (64 * MIB)

/* Four sums at a time: as fast as memory, whatever the compiler makes of it. */
uint64_t scan_sum(const unsigned char *data, size_t size)
{
	uint64_t sums[4] = {0};
	size_t i = 0;
	for (; i + 32 <= size; i += 32) {
		uint64_t words[4];
		memcpy(words, data + i, sizeof words);
		for (int k = 0; k < 4; k++)
			sums[k] += words[k];
	}
	for (; i < size; i++)
		sums[0] += data[i];
	return sums[0] + sums[1] + sums[2] + sums[3];
}

uint64_t scan_windows(smmap_cursor *cursor)
{
	uint64_t sum = 0;
	uint64_t offset = 0;
	int64_t n;
	while ((n = smmap_cursor_use_region(cursor, offset, 0)) > 0) {
		sum += scan_sum(cursor->data, (size_t)n);
		offset += (uint64_t)n;
	}
	bench_check("use_region", n);
	return sum;
}

uint64_t scan_pread(int fd, unsigned char *block, size_t size)
{
	uint64_t sum = 0;
	off_t offset = 0;
	ssize_t n;
	while ((n = pread(fd, block, size, offset)) > 0) {
		sum += scan_sum(block, (size_t)n);
		offset += n;
	}
	return sum;
}

typedef struct scanner {
	ours ours;
	const unsigned char *whole;
	unsigned char *plain;
	int fd;
	unsigned char *block;
	uint64_t expected;
} scanner;

static void expect(scanner *s, uint64_t sum)
{
	if (sum != s->expected)
		bench_die("the sums differ", EIO);
}

static uint64_t run_ours(void *context, uint64_t count)
{
	scanner *s = context;
	for (uint64_t i = 0; i < count; i++)
		expect(s, scan_windows(&s->ours.cursor));
	return count;
}

static uint64_t run_whole(void *context, uint64_t count)
{
	scanner *s = context;
	for (uint64_t i = 0; i < count; i++)
		expect(s, scan_sum(s->whole, FILES_WARM_SIZE));
	return count;
}

/* What giving pages back costs whoever does it: nothing but the faults and the give-back. */
static uint64_t run_plain(void *context, uint64_t count)
{
	scanner *s = context;
	for (uint64_t i = 0; i < count; i++) {
		uint64_t sum = 0;
		for (uint64_t offset = 0; offset < FILES_WARM_SIZE; offset += W) {
			sum += scan_sum(s->plain + offset, W);
			if (madvise(s->plain + offset, W, MADV_DONTNEED) != 0)
				bench_die("madvise", errno);
		}
		expect(s, sum);
	}
	return count;
}

static uint64_t run_pread_64k(void *context, uint64_t count)
{
	scanner *s = context;
	for (uint64_t i = 0; i < count; i++)
		expect(s, scan_pread(s->fd, s->block, (size_t)(64 * KIB)));
	return count;
}

static uint64_t run_pread_1m(void *context, uint64_t count)
{
	scanner *s = context;
	for (uint64_t i = 0; i < count; i++)
		expect(s, scan_pread(s->fd, s->block, (size_t)MIB));
	return count;
}

static void scan(bench *b, enum folios folios)
{
	const char *path = files_warm(b, folios);
	const char *state = files_folios_name(folios);
	bool judged = folios == FOLIOS_LARGE;
	scanner s = {0};
	ours_open(&s.ours, path, W, 256 * MIB, SMMAP_PLACEMENT_AUTO);
	s.fd = open(path, O_RDONLY | O_CLOEXEC);
	s.block = aligned_alloc((size_t)MIB, (size_t)MIB);
	void *whole = mmap(NULL, FILES_WARM_SIZE, PROT_READ, MAP_SHARED | MAP_POPULATE, s.fd, 0);
	void *plain = mmap(NULL, FILES_WARM_SIZE, PROT_READ, MAP_SHARED, s.fd, 0);
	if (s.fd < 0 || s.block == NULL || whole == MAP_FAILED || plain == MAP_FAILED)
		bench_die(path, errno);
	s.whole = whole;
	s.plain = plain;
	s.expected = scan_sum(s.whole, FILES_WARM_SIZE);
	contestant all[] = {
		{.name = "scan", .run = run_ours, .context = &s, .count = 1},
		{.name = "scan: resident map", .run = run_whole, .context = &s, .count = 1},
		{.name = "scan: pread 1 MiB", .run = run_pread_1m, .context = &s, .count = 1},
		{.name = "scan: pread 64 KiB", .run = run_pread_64k, .context = &s, .count = 1},
		{.name = "scan: plain", .run = run_plain, .context = &s, .count = 1},
	};
	bench_race(b, all, 5);
	figure f = {.group = "scan",
	            .name = "throughput, 64 MiB regions",
	            .peer = "resident whole-file map",
	            .condition = state,
	            .sense = AT_LEAST,
	            .bar = 0.95,
	            .goal = 0.97};
	bench_record_speed(b, &f, &all[0], &all[1]);
	f.peer = "pread, 1 MiB blocks";
	f.sense = judged ? AT_LEAST : REPORTED;
	f.bar = judged ? 1.3 : 0;
	f.goal = 0;
	bench_record_speed(b, &f, &all[0], &all[2]);
	f.peer = "pread, 64 KiB blocks";
	bench_record_speed(b, &f, &all[0], &all[3]);
	f = (figure){.group = "scan",
	             .name = "a plain mapping that gives back every 64 MiB, throughput",
	             .peer = "resident whole-file map",
	             .condition = state};
	bench_record_speed(b, &f, &all[4], &all[1]);
	munmap(plain, FILES_WARM_SIZE);
	munmap(whole, FILES_WARM_SIZE);
	close(s.fd);
	free(s.block);
	ours_close(&s.ours);
}

void group_scan(bench *b)
{
	scan(b, FOLIOS_LARGE);
	scan(b, FOLIOS_SMALL);
}
