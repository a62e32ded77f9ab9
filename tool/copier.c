/* SPDX-License-Identifier: BSD-3-Clause */
#include "copier.h"

#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define MIB ((uint64_t)1 << 20)

/* What many faults are, for each MiB: with folios of 256 KiB, 4 faults, both ways take about the same time. */
#define MANY_FAULTS ((uint64_t)5)

/* A look goes over some pieces, behind one that is left out: a new thread's stack has faults, too. */
#define SKIPPED 1
#define PIECES 3

/* Bytes between two looks; twice as many each time that nothing has changed. */
#define MIN_RUN (8 * MIB)
#define MAX_RUN (128 * MIB)

/* See is_warm. */
#define LOOK_AHEAD (24 * MIB)
#define LOOK_SIZE (4 * MIB)

/* The alignment of the buffer: the system copies much faster to the start of a page. */
#define PAGE 4096

static uint64_t count_faults(void)
{
#if defined(RUSAGE_THREAD)
	struct rusage usage;
	if (getrusage(RUSAGE_THREAD, &usage) == 0)
		return (uint64_t)usage.ru_minflt + (uint64_t)usage.ru_majflt;
#endif
	return 0;
}

void copier_piece_begins(struct copier *copier)
{
	if (!copier->refused && copier->run_left == 0 && copier->counted == SKIPPED)
		copier->faults = count_faults();
}

static void run_on(struct copier *copier, uint64_t size)
{
	copier->run_left -= size < copier->run_left ? size : copier->run_left;
	if (copier->run_left == 0)
		copier->copying = false; /* looking again needs mapped pieces */
}

void copier_piece_ends(struct copier *copier, uint64_t size)
{
	if (copier->refused)
		return;
	if (copier->run_left) {
		run_on(copier, size);
		return;
	}
	if (size < MIB) {
		copier->counted = 0;
		return;
	}
	if (++copier->counted < SKIPPED + PIECES)
		return;
	bool copying = count_faults() - copier->faults >= MANY_FAULTS * PIECES * (size / MIB);
	bool changed = copier->run == 0 || copying != copier->copied;
	copier->run = changed ? MIN_RUN : copier->run < MAX_RUN ? copier->run * 2 : MAX_RUN;
	copier->run_left = copier->run;
	copier->copying = copier->copied = copying;
	copier->confirmed = false;
	copier->counted = 0;
}

/*
 * Whether the file is in the page cache farther on; nearer, the system's own reading ahead has put it there.
 * Where the file ends before, its last bytes tell.
 */
static bool is_warm(smmap_cursor *cursor, uint64_t offset)
{
	unsigned char pages[LOOK_SIZE / PAGE];
	uint64_t size = smmap_cursor_file_size(cursor);
	uint64_t begin = size < LOOK_SIZE ? 0 : size - LOOK_SIZE;
	if (begin > offset && begin - offset > LOOK_AHEAD)
		begin = offset + LOOK_AHEAD;
	int64_t count = smmap_cursor_residency(cursor, begin, LOOK_SIZE, pages, sizeof pages);
	int64_t warm = 0;
	for (int64_t i = 0; i < count; i++)
		warm += pages[i] & 1;
	return count > 0 && count - warm <= count / 16;
}

bool copier_wanted(struct copier *copier, smmap_cursor *cursor, uint64_t offset)
{
	if (!copier->copying || copier->refused)
		return false;
	if (!copier->confirmed)
		copier->copying = copier->confirmed = is_warm(cursor, offset);
	return copier->copying;
}

static bool is_same_file(int fd, const smmap_file_status *file)
{
	struct stat status;
	return fstat(fd, &status) == 0 && (uint64_t)status.st_dev == file->device &&
	       (uint64_t)status.st_ino == file->inode;
}

bool copier_open(struct copier *copier, const char *name, const smmap_file_status *status, size_t room)
{
	if (copier->buffer)
		return true;
	copier->refused = true;
	int fd = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return false;
	void *buffer = NULL;
	if (!is_same_file(fd, status) || posix_memalign(&buffer, PAGE, room) != 0) {
		close(fd);
		return false;
	}
	copier->refused = false;
	copier->fd = fd;
	copier->buffer = buffer;
	return true;
}

int64_t copier_read(struct copier *copier, uint64_t offset, size_t size, size_t counted)
{
	size_t done = 0;
	while (done < size) {
		ssize_t got = pread(copier->fd, copier->buffer + done, size - done, (off_t)(offset + done));
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			break;
		done += (size_t)got;
	}
	run_on(copier, counted);
	return (int64_t)done;
}

void copier_close(struct copier *copier)
{
	if (copier->buffer)
		close(copier->fd);
	free(copier->buffer);
	*copier = (struct copier){.refused = true};
}
