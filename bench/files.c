/* SPDX-License-Identifier: BSD-3-Clause */
#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* ---- the directory of the run ---- */

static char directory[4096];
static pid_t owner;

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void remove_directory(void)
{
	if (directory[0] != '\0' && getpid() == owner)
		nftw(directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	directory[0] = '\0';
}

static void on_signal(int number)
{
	remove_directory(); /* not safe in a handler, but the alternative is to leave gigabytes behind */
	_exit(128 + number);
}

const char *files_directory(const char *where)
{
	snprintf(directory, sizeof directory, "%s/smmap-bench-XXXXXX", where);
	if (mkdtemp(directory) == NULL) {
		int error = errno;
		directory[0] = '\0';
		bench_die(where, error);
	}
	owner = getpid();
	atexit(remove_directory);
	signal(SIGINT, on_signal);
	signal(SIGTERM, on_signal);
	signal(SIGHUP, on_signal);
	return directory;
}

char *files_path(const bench *b, const char *name)
{
	char *path;
	if (asprintf(&path, "%s/%s", b->directory, name) < 0)
		bench_die(name, ENOMEM);
	return path;
}

/* ---- contents ---- */

static int create(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		bench_die(path, errno);
	return fd;
}

static void write_random(int fd, const char *path, uint64_t size, size_t block)
{
	static uint64_t words[MIB / sizeof(uint64_t)];
	rng random = {size};
	for (uint64_t done = 0; done < size;) {
		size_t n = size - done < block ? (size_t)(size - done) : block;
		for (size_t i = 0; i < (n + 7) / 8; i++)
			words[i] = rng_next(&random);
		ssize_t written = write(fd, words, n);
		if (written <= 0)
			bench_die(path, written < 0 ? errno : EIO);
		done += (uint64_t)written;
	}
	if (fsync(fd) != 0)
		bench_die(path, errno);
}

static void read_all(const char *path)
{
	static unsigned char block[MIB];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		bench_die(path, errno);
	while (read(fd, block, sizeof block) > 0)
		;
	close(fd);
}

void files_drop(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		bench_die(path, errno);
	fsync(fd);
	posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	close(fd);
}

const char *files_random(bench *b, const char *name, uint64_t size)
{
	char *path = files_path(b, name);
	int fd = create(path);
	bench_progress(b, "writing a test file");
	write_random(fd, path, size, (size_t)MIB);
	close(fd);
	bench_progress(b, NULL);
	return path;
}

const char *files_sparse(bench *b, const char *name, uint64_t size, uint64_t cached_step)
{
	char *path = files_path(b, name);
	int fd = create(path);
	if (ftruncate(fd, (off_t)size) != 0)
		bench_die(path, errno);
	posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM); /* no readahead: just these pages */
	bench_progress(b, "preparing a sparse file");
	for (uint64_t at = 0; cached_step != 0 && at < size; at += cached_step) {
		unsigned char byte;
		if (pread(fd, &byte, 1, (off_t)at) != 1)
			bench_die(path, errno);
	}
	bench_progress(b, NULL);
	close(fd);
	return path;
}

/* ---- the state of the page cache ---- */

const char *files_folios_name(enum folios folios)
{
	return folios == FOLIOS_LARGE ? "large folios" : "small folios";
}

/* What one page fault maps, on average over many places: bytes. */
static uint64_t mapped_by_a_fault(const char *path)
{
	enum { SAMPLES = 256 };
	rng random = {1};
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	unsigned char *map = mmap(NULL, FILES_WARM_SIZE, PROT_READ, MAP_SHARED, fd, 0);
	close(fd);
	if (map == MAP_FAILED)
		bench_die(path, errno);
	uint64_t before = files_status("RssFile");
	for (uint64_t i = 0; i < SAMPLES; i++) {
		uint64_t slot = FILES_WARM_SIZE / SAMPLES;
		bench_use(map[i * slot + rng_below(&random, slot)]);
	}
	uint64_t after = files_status("RssFile");
	munmap(map, FILES_WARM_SIZE);
	return (after - before) / SAMPLES;
}

static bool write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool written = fd >= 0 && write(fd, text, strlen(text)) > 0;
	if (fd >= 0)
		close(fd);
	return written;
}

/* Large folios need free memory in large pieces; only root can ask for them. */
static bool defragment(void)
{
	sync();
	return write_text("/proc/sys/vm/drop_caches", "3") && write_text("/proc/sys/vm/compact_memory", "1");
}

/*
 * Readahead of a sequential reader makes folios up to the size of its window (on ext4 since Linux 6.16); a write makes them
 * as large as the single write. So reading after a drop gives large ones, writing page by page small ones, without a wait
 * for the disk.
 */
static uint64_t fill_large(bench *b, const char *path)
{
	bench_progress(b, "reading 2 GiB");
	files_drop(path);
	read_all(path);
	return mapped_by_a_fault(path);
}

static const char *make_warm(bench *b, enum folios folios, const char *name)
{
	char *path = files_path(b, name);
	int fd = create(path);
	uint64_t mapped;
	bench_progress(b, "writing 2 GiB");
	write_random(fd, path, FILES_WARM_SIZE, (size_t)(folios == FOLIOS_LARGE ? MIB : 4 * KIB));
	close(fd);
	if (folios == FOLIOS_LARGE) {
		mapped = fill_large(b, path);
		if (mapped < MIB && defragment())
			mapped = fill_large(b, path);
	} else {
		mapped = mapped_by_a_fault(path);
	}
	bench_progress(b, NULL);
	bench_note(b, "setup", "%s (file %s): 2 GiB in the page cache, one page fault maps %llu KiB on average",
	           files_folios_name(folios), name, (unsigned long long)(mapped / KIB));
	if (folios == FOLIOS_LARGE && mapped < MIB)
		bench_note(b, "setup",
		           "memory is fragmented: what is said below of large folios is not about large ones");
	return path;
}

static const char *warm(bench *b, enum folios folios, unsigned which)
{
	static const char *const names[2][2] = {{"large", "large-2"}, {"small", "small-2"}};
	static const char *paths[2][2];
	unsigned row = folios == FOLIOS_LARGE ? 0 : 1;
	if (paths[row][which] == NULL)
		paths[row][which] = make_warm(b, folios, names[row][which]);
	return paths[row][which];
}

const char *files_warm(bench *b, enum folios folios)
{
	return warm(b, folios, 0);
}

const char *files_warm_second(bench *b, enum folios folios)
{
	return warm(b, folios, 1);
}

/* ---- the process ---- */

uint64_t files_status(const char *field)
{
	char line[256];
	unsigned long long kib = 0;
	size_t length = strlen(field);
	FILE *status = fopen("/proc/self/status", "re");
	if (status == NULL)
		bench_die("/proc/self/status", errno);
	while (fgets(line, sizeof line, status) != NULL)
		if (strncmp(line, field, length) == 0 && line[length] == ':')
			kib = strtoull(line + length + 1, NULL, 10);
	fclose(status);
	return kib * KIB;
}
