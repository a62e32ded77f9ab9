/* SPDX-License-Identifier: BSD-3-Clause */
#include "harness/harness.h"

#include <err.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHUNK ((size_t)1 << 20) /* large writes, so that the page cache may hold large folios */

static const char *dir;
static pid_t dir_owner; /* the process that made `dir` and has to remove it; 0: the runner does */

char *files_create_dir(void)
{
	const char *parent = getenv("TMPDIR");
	char *path;
	if (asprintf(&path, "%s/smmap-test-XXXXXX", parent != NULL ? parent : "/var/tmp") < 0)
		err(1, "asprintf");
	if (mkdtemp(path) == NULL)
		err(1, "%s", path);
	return path;
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *where)
{
	(void)status;
	(void)type;
	(void)where;
	return remove(path);
}

void files_remove_dir(const char *path)
{
	if (nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT) != 0)
		warn("%s", path);
}

void files_remove_own_dir(void)
{
	if (dir != NULL && dir_owner == getpid())
		files_remove_dir(dir);
}

const char *files_dir(void)
{
	if (dir == NULL)
		dir = getenv(FILES_DIR_VARIABLE);
	if (dir == NULL) {
		dir = files_create_dir();
		dir_owner = getpid();
	}
	return dir;
}

const char *files_path(const char *name)
{
	/* Kept in a list, so that no leak checker takes the paths for lost. */
	static struct kept {
		struct kept *next;
		char path[];
	} * all;
	size_t size = strlen(files_dir()) + 1 + strlen(name) + 1;
	struct kept *kept = malloc(sizeof(*kept) + size);
	if (kept == NULL)
		err(1, "malloc");
	snprintf(kept->path, size, "%s/%s", files_dir(), name);
	kept->next = all;
	all = kept;
	return kept->path;
}

static int open_or_die(const char *path, int flags)
{
	int descriptor = open(path, flags | O_CLOEXEC, 0644);
	if (descriptor < 0)
		err(1, "%s", path);
	return descriptor;
}

const char *files_make_sparse(const char *name, uint64_t size)
{
	const char *path = files_path(name);
	int descriptor = open_or_die(path, O_WRONLY | O_CREAT | O_TRUNC);
	if (ftruncate(descriptor, (off_t)size) != 0)
		err(1, "%s", path);
	close(descriptor);
	return path;
}

const char *files_make(const char *name, uint64_t size, uint64_t seed)
{
	const char *path = files_make_sparse(name, 0);
	files_write(path, 0, size, seed);
	return path;
}

void files_write(const char *path, uint64_t offset, uint64_t size, uint64_t seed)
{
	unsigned char *chunk = malloc(CHUNK);
	if (chunk == NULL)
		err(1, "malloc");
	int descriptor = open_or_die(path, O_WRONLY);
	while (size > 0) {
		size_t part = size < CHUNK ? (size_t)size : CHUNK;
		files_fill(chunk, offset, part, seed);
		ssize_t written = pwrite(descriptor, chunk, part, (off_t)offset);
		if (written <= 0)
			err(1, "%s", path);
		offset += (uint64_t)written;
		size -= (uint64_t)written;
	}
	close(descriptor);
	free(chunk);
}

/* Eight bytes of content, the first of them in the lowest bits. */
static uint64_t content_word(uint64_t index, uint64_t seed)
{
	return random_mix(random_mix(seed) + index * UINT64_C(0x9e3779b97f4a7c15));
}

unsigned char files_byte(uint64_t offset, uint64_t seed)
{
	return (unsigned char)(content_word(offset / 8, seed) >> (offset % 8 * 8));
}

void files_fill(void *to, uint64_t offset, size_t size, uint64_t seed)
{
	unsigned char *bytes = to;
	size_t i = 0;
	for (; i < size && (offset + i) % 8 != 0; i++)
		bytes[i] = files_byte(offset + i, seed);
	for (; size - i >= 8; i += 8) {
		uint64_t word = content_word((offset + i) / 8, seed);
		for (unsigned shift = 0; shift < 8; shift++)
			bytes[i + shift] = (unsigned char)(word >> (shift * 8));
	}
	for (; i < size; i++)
		bytes[i] = files_byte(offset + i, seed);
}

size_t files_compare(const void *data, uint64_t offset, size_t size, uint64_t seed)
{
	const unsigned char *bytes = data;
	unsigned char expected[4096];
	for (size_t done = 0; done < size;) {
		size_t part = size - done < sizeof(expected) ? size - done : sizeof(expected);
		files_fill(expected, offset + done, part, seed);
		if (memcmp(bytes + done, expected, part) != 0) {
			size_t i = 0;
			while (i < part - 1 && bytes[done + i] == expected[i])
				i++;
			return done + i;
		}
		done += part;
	}
	return size;
}

void files_assert(const void *data, uint64_t offset, size_t size, uint64_t seed)
{
	size_t i = files_compare(data, offset, size, seed);
	if (i < size)
		fail_msg("the byte at offset %" PRIu64 " (%zu of %zu) is 0x%02x, not 0x%02x", offset + i, i, size,
		         ((const unsigned char *)data)[i], files_byte(offset + i, seed));
}
