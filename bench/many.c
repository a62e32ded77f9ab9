/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * 100,000 small files opened and read through one manager, all cursors kept: at most 64 descriptors and at most half of the
 * mappings that the system allows a process, every byte right. Also: how much memory the manager takes for them, with the
 * page tables. Exits with 1 when any of this does not hold.
 *
 * usage: smmap-many [FILES [DIRECTORY]]
 */
#include "files.h"
#include "ours.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SIZE_MAX_SMALL = 6000, PER_DIRECTORY = 1000 };

static uint64_t size_of(uint64_t i)
{
	rng random = {i};
	return 1 + rng_below(&random, SIZE_MAX_SMALL - 1);
}

static void contents_of(uint64_t i, unsigned char *to, uint64_t size)
{
	rng random = {~i};
	for (uint64_t k = 0; k < size; k++)
		to[k] = (unsigned char)rng_next(&random);
}

static void name_of(const bench *b, uint64_t i, char *path, size_t room)
{
	snprintf(path, room, "%s/%llu/%llu", b->directory, (unsigned long long)(i / PER_DIRECTORY),
	         (unsigned long long)i);
}

static void make_files(const bench *b, uint64_t count)
{
	unsigned char block[SIZE_MAX_SMALL];
	char path[4096];
	for (uint64_t i = 0; i < count; i++) {
		if (i % PER_DIRECTORY == 0) {
			bench_progress(b, "writing small files");
			snprintf(path, sizeof path, "%s/%llu", b->directory, (unsigned long long)(i / PER_DIRECTORY));
			mkdir(path, 0700);
		}
		name_of(b, i, path, sizeof path);
		int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
		contents_of(i, block, size_of(i));
		if (fd < 0 || write(fd, block, size_of(i)) != (ssize_t)size_of(i))
			bench_die(path, errno);
		close(fd);
	}
	bench_progress(b, NULL);
}

static uint64_t count_descriptors(void)
{
	uint64_t count = 0;
	DIR *directory = opendir("/proc/self/fd");
	if (directory == NULL)
		bench_die("/proc/self/fd", errno);
	while (readdir(directory) != NULL)
		count++;
	closedir(directory);
	return count - 3; /* ".", ".." and the one being read */
}

static uint64_t count_mappings(void)
{
	uint64_t count = 0;
	int c;
	FILE *maps = fopen("/proc/self/maps", "re");
	if (maps == NULL)
		bench_die("/proc/self/maps", errno);
	while ((c = getc_unlocked(maps)) != EOF)
		count += c == '\n';
	fclose(maps);
	return count;
}

static uint64_t allowed_mappings(void)
{
	unsigned long long max = 65530;
	FILE *file = fopen("/proc/sys/vm/max_map_count", "re");
	if (file != NULL) {
		if (fscanf(file, "%llu", &max) != 1)
			max = 65530;
		fclose(file);
	}
	return max / 2;
}

static bool check_bytes(smmap_cursor *cursor, uint64_t i)
{
	unsigned char expected[SIZE_MAX_SMALL];
	uint64_t size = size_of(i);
	contents_of(i, expected, size);
	int64_t n = smmap_cursor_use_region(cursor, 0, 0);
	bench_check("smmap_cursor_use_region", n);
	return (uint64_t)n == size && memcmp(cursor->data, expected, (size_t)size) == 0;
}

static bool judge(const char *what, uint64_t value, uint64_t allowed)
{
	printf("%-34s %12llu, allowed %12llu: %s\n", what, (unsigned long long)value, (unsigned long long)allowed,
	       value <= allowed ? "ok" : "VIOLATED");
	return value <= allowed;
}

int main(int argc, char **argv)
{
	uint64_t count = argc > 1 ? strtoull(argv[1], NULL, 10) : 100000;
	bench b = {.rounds = 1};
	char path[4096];
	uint64_t wrong = 0;
	uint64_t most_descriptors = 0;
	uint64_t most_mappings = 0;
	smmap_manager *manager;
	smmap_stats stats;
	b.directory = files_directory(argc > 2 ? argv[2] : "/var/tmp");
	make_files(&b, count);
	smmap_cursor *cursors = calloc((size_t)count, sizeof *cursors);
	if (cursors == NULL)
		bench_die("cursors", ENOMEM);
	memset(cursors, 0, (size_t)count * sizeof *cursors); /* the caller's memory: paid for before */
	uint64_t descriptors_before = count_descriptors();
	uint64_t mappings_before = count_mappings();
	uint64_t page_tables = files_status("VmPTE");
	uint64_t anonymous = files_status("RssAnon");
	/*
	 * Files beyond the share of mappings are read into memory, inside the budget of mapped bytes. It is small here, so that
	 * what is measured is what knowing the files costs, not their contents.
	 */
	smmap_options options = SMMAP_OPTIONS_INIT;
	options.max_memory = 16 * MIB;
	bench_check("smmap_manager_new", smmap_manager_new(&manager, &options));
	for (uint64_t i = 0; i < count; i++) {
		name_of(&b, i, path, sizeof path);
		bench_check(path, smmap_cursor_open(&cursors[i], manager, path, 0));
		wrong += !check_bytes(&cursors[i], i);
		/* The cursor stays bound to its file, its region is let go: what a program that reads many files does. */
		smmap_cursor_unuse_region(&cursors[i]);
		if (i % 1000 != 999)
			continue;
		uint64_t descriptors = count_descriptors();
		uint64_t mappings = count_mappings();
		most_descriptors = descriptors > most_descriptors ? descriptors : most_descriptors;
		most_mappings = mappings > most_mappings ? mappings : most_mappings;
	}
	page_tables = files_status("VmPTE") - page_tables;
	anonymous = files_status("RssAnon") - anonymous;
	smmap_manager_stats(manager, &stats);
	printf("%llu files open in one manager\n", (unsigned long long)stats.files);
	bool good = judge("files with wrong bytes", wrong, 0);
	good &= judge("descriptors, at most at once", most_descriptors - descriptors_before, 64);
	good &= judge("mappings, at most at once", most_mappings - mappings_before, allowed_mappings());
	good &= judge("tables + page tables, bytes", stats.table_bytes + page_tables, 64 * MIB);
	good &=
		judge("memory of the process, with the limit of 16 MiB, bytes", anonymous + page_tables, 80 * MIB);
	/* And once more in another order, through the cursors that were kept. */
	rng random = {5};
	wrong = 0;
	for (uint64_t i = 0; i < count; i++) {
		uint64_t k = rng_below(&random, count);
		wrong += !check_bytes(&cursors[k], k);
	}
	good &= judge("wrong bytes, again at random", wrong, 0);
	good &= judge("descriptors then", count_descriptors() - descriptors_before, 64);
	good &= judge("mappings then", count_mappings() - mappings_before, allowed_mappings());
	for (uint64_t i = 0; i < count; i++)
		smmap_cursor_close(&cursors[i]);
	bench_check("smmap_manager_free", smmap_manager_free(manager));
	free(cursors);
	return good ? 0 : 1;
}
