/* SPDX-License-Identifier: BSD-3-Clause */
#include "fuzz/fuzz.h"

#include "harness/files.h"

#include <err.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

uint8_t fuzz_byte(fuzz_input *in)
{
	if (in->left == 0)
		return 0;
	in->left--;
	return *in->at++;
}

static uint64_t number_of(fuzz_input *in, int bytes)
{
	uint64_t number = 0;
	for (int i = 0; i < bytes; i++)
		number |= (uint64_t)fuzz_byte(in) << 8 * i;
	return number;
}

uint64_t fuzz_below(fuzz_input *in, uint64_t n)
{
	if (n < 2)
		return 0;
	int bytes = 1;
	while (bytes < 8 && n > UINT64_C(1) << 8 * bytes)
		bytes++;
	return number_of(in, bytes) % n;
}

uint64_t fuzz_number(fuzz_input *in)
{
	uint8_t kind = fuzz_byte(in);
	if (kind < 64)
		return kind;
	if (kind < 128)
		return number_of(in, kind % 8 + 1);
	/* A power of two or one less than all, and up to 3 off. */
	uint64_t edge = kind < 192 ? UINT64_C(1) << kind % 64 : UINT64_MAX >> kind % 64;
	return edge + fuzz_byte(in) % 7 - 3;
}

void fuzz_failed(const char *what, const char *file, int line)
{
	fprintf(stderr, "not so: %s (%s:%d)\n", what, file, line);
	abort();
}

void fuzz_differs(const char *what, int64_t got, int64_t wanted, const char *file, int line)
{
	fprintf(stderr, "not so: %s: %" PRId64 ", not %" PRId64 " (%s:%d)\n", what, got, wanted, file, line);
	abort();
}

static void remove_files(void)
{
	files_remove_own_dir();
}

void fuzz_make_file(fuzz_file *file, const char *name, uint64_t size)
{
	static bool registered;
	if (!registered)
		atexit(remove_files);
	registered = true;
	file->size = size;
	file->path = files_make(name, size, size + 1);
	file->data = malloc((size_t)size + 1);
	int fd = open(file->path, O_RDONLY | O_CLOEXEC);
	if (file->data == NULL || fd < 0 || pread(fd, file->data, (size_t)size, 0) != (ssize_t)size)
		err(1, "%s", file->path);
	close(fd);
}

static void check_part(const fuzz_file *file, const unsigned char *data, uint64_t offset, uint64_t size)
{
	if (memcmp(data, file->data + (size_t)offset, (size_t)size) == 0)
		return;
	size_t i = 0;
	while (data[i] == file->data[(size_t)offset + i])
		i++;
	fprintf(stderr, "%s: the byte at offset %" PRIu64 " is 0x%02x, not 0x%02x\n", file->path, offset + i,
	        data[i], file->data[(size_t)offset + i]);
	abort();
}

void fuzz_check_bytes(const fuzz_file *file, const unsigned char *data, uint64_t offset, uint64_t size)
{
	const uint64_t part = 3000;
	CHECK(offset <= file->size && size <= file->size - offset);
	if (size <= 3 * part) {
		check_part(file, data, offset, size);
		return;
	}
	const uint64_t parts[] = {0, size / 2, size - part};
	for (int i = 0; i < 3; i++)
		check_part(file, data + (size_t)parts[i], offset + parts[i], part);
}

int fuzz_next_descriptor(void)
{
	int fd = dup(2);
	if (fd < 0)
		err(1, "dup");
	close(fd);
	return fd;
}
