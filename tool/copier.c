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
#define MANY_FAULTS 5 /* per MiB: with folios of 256 KiB, 4 faults, both ways take about the same time */
#define PIECES 2      /* looked at before a decision */
#define RUN (128 * MIB)
#define PAGE 4096 /* at least this alignment: the system copies twice as fast to the start of a page */

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
	if (!copier->refused && copier->run_left == 0 && copier->counted == 0)
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
	if (++copier->counted < PIECES)
		return;
	copier->copying = count_faults() - copier->faults >= MANY_FAULTS * PIECES * (size / MIB);
	copier->counted = 0;
	copier->run_left = RUN;
}

bool copier_wanted(const struct copier *copier)
{
	return copier->copying && !copier->refused;
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
