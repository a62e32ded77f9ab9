/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reads files in one of the ways that the library offers, as it is told on standard input.
 *
 *     real-reader WAY PLACEMENT      WAY: read, pointer, index, slice; PLACEMENT: stable, detached
 *
 * Each line is a command, each answered by one line; reader.py speaks the same protocol. N is the number of a file.
 *
 *     open N PATH                  CODE SIZE
 *     memory N PATH                the same: a memfd with the contents of PATH, opened by its descriptor
 *     read N OFFSET SIZE           BYTES CODE OFFSET: bytes in hexadecimal, the error, and the offset that it is about
 *     refresh N / verify N         CODE BITS
 *     error N                      CODE OFFSET: the sticky error
 *     evict                        0: nothing is held by pointers any more, and all that is not in use was given back
 *     memory-error N OFFSET / break BEGIN END HOW / heal / lock     CODE: see inside.h
 *     stats                        NAME=VALUE ...
 *     close                        CODE NAME=VALUE ...: everything was closed; CODE is that of smmap_manager_free
 *
 * CODE is 0 or the name of an error; what is not known is "-".
 */
#include "inside.h"

#include <smmap.h>

#include <err.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILES = 4, PARTS = 64, PAGES_IN_WINDOW = 16, LARGEST_READ = 1 << 20 };

typedef struct victim {
	smmap_cursor cursor;
	smmap_cursor parts[PARTS]; /* pointer: one for each window, all kept */
	smmap_buffer buffer;
	int fd;
} victim;

/* What a read brought. */
typedef struct answer {
	unsigned char *data;
	size_t size;
	int code;
	uint64_t offset;
	bool has_offset;
} answer;

static smmap_manager *manager;
static uint64_t window;
static victim victims[FILES];

static const char *name_of(int64_t code)
{
	return code < 0 ? smmap_err_name((int)code) : "0";
}

/* What the library says of the file, when that is an error; else `code` at `offset`. */
static void fail_at(victim *v, answer *a, int64_t code, uint64_t offset)
{
	a->code = (int)code;
	a->offset = offset;
	a->has_offset = true;
	(void)smmap_cursor_error(&v->cursor, &a->offset);
}

/* Where the direct ways look whether what they saw can be trusted. */
static void check_sticky(victim *v, answer *a)
{
	if (a->code != 0)
		return;
	a->code = smmap_cursor_error(&v->cursor, &a->offset);
	a->has_offset = a->code != 0;
}

/* ---- the ways ---- */

static void by_read(victim *v, answer *a, uint64_t offset, uint64_t size)
{
	while (a->size < size) {
		int64_t n = smmap_read(&v->cursor, offset + a->size, a->data + a->size, size - a->size);
		if (n < 0) {
			a->code = (int)n;
			a->offset = offset + a->size;
			a->has_offset = true;
		}
		if (n <= 0)
			return;
		a->size += (size_t)n;
	}
}

/* Through pointers that are held from the first read on. */
static void by_pointer(victim *v, answer *a, uint64_t offset, uint64_t size)
{
	uint64_t end = offset + size;
	while (offset < end && offset < smmap_cursor_file_size(&v->cursor)) {
		smmap_cursor *part = &v->parts[offset / window];
		if (!smmap_cursor_is_associated(part))
			(void)smmap_cursor_assign(part, &v->cursor);
		int64_t n =
			smmap_cursor_is_valid(part) ? 1 : smmap_cursor_use_region(part, offset / window * window, window);
		if (n < 0) {
			fail_at(v, a, n, offset);
			return;
		}
		uint64_t stop = smmap_cursor_ofs_end(part) < end ? smmap_cursor_ofs_end(part) : end;
		memcpy(a->data + a->size, smmap_cursor_at(part, offset, stop - offset), (size_t)(stop - offset));
		a->size += (size_t)(stop - offset);
		offset = stop;
	}
	check_sticky(v, a);
}

/* There is nothing to access in an empty file. */
static bool is_empty(const victim *v)
{
	return smmap_cursor_file_size(&v->cursor) == 0;
}

static int begin(victim *v)
{
	if (smmap_buffer_size(&v->buffer) != 0)
		return 0;
	return smmap_buffer_begin_access(&v->buffer, &v->cursor, 0, SMMAP_TO_END);
}

static void by_index(victim *v, answer *a, uint64_t offset, uint64_t size)
{
	int code = is_empty(v) ? 0 : begin(v);
	if (code != 0)
		fail_at(v, a, code, offset);
	for (uint64_t i = offset; code == 0 && i < offset + size && i < smmap_buffer_size(&v->buffer); i++) {
		int byte = smmap_buffer_get(&v->buffer, (int64_t)i);
		if (byte < 0) {
			fail_at(v, a, byte, i);
			return;
		}
		a->data[a->size++] = (unsigned char)byte;
	}
	check_sticky(v, a);
}

/* Whole or not at all: where it failed, smmap_read tells. */
static void by_slice(victim *v, answer *a, uint64_t offset, uint64_t size)
{
	if (is_empty(v))
		return;
	int code = begin(v);
	if (code != 0) {
		fail_at(v, a, code, offset);
		return;
	}
	int64_t n = smmap_buffer_slice(&v->buffer, (int64_t)offset, (int64_t)(offset + size), a->data, size);
	if (n >= 0) {
		a->size = (size_t)n;
		return;
	}
	by_read(v, a, offset, size);
	if (a->code != n)
		errx(1, "slice says %s, read %s", name_of(n), name_of(a->code));
}

static const struct way {
	const char *name;
	void (*read)(victim *v, answer *a, uint64_t offset, uint64_t size);
} ways[] = {{"read", by_read}, {"pointer", by_pointer}, {"index", by_index}, {"slice", by_slice}};

static const struct way *way;

/* ---- commands ---- */

/* All of the file is mapped and in use afterwards, whatever the way. */
static void map_all(victim *v)
{
	static unsigned char data[LARGEST_READ];
	answer a = {.data = data};
	by_pointer(v, &a, 0, smmap_cursor_file_size(&v->cursor));
	if (a.code != 0)
		errx(1, "%s", name_of(a.code));
}

static void let_pointers_go(victim *v)
{
	for (int i = 0; i < PARTS; i++)
		smmap_cursor_close(&v->parts[i]);
	smmap_buffer_close(&v->buffer);
}

static void close_victim(victim *v)
{
	let_pointers_go(v);
	smmap_cursor_close(&v->cursor);
	if (v->fd > 0)
		close(v->fd);
	v->fd = 0;
}

static void print_opened(victim *v, int code)
{
	printf("%s %" PRIu64 "\n", name_of(code), smmap_cursor_file_size(&v->cursor));
}

static void open_path(victim *v, const char *path)
{
	print_opened(v, smmap_cursor_open(&v->cursor, manager, path, 0));
}

static void open_memory(victim *v, const char *path)
{
	static char data[LARGEST_READ];
	FILE *from = fopen(path, "re");
	size_t size = from != NULL ? fread(data, 1, sizeof data, from) : 0;
	v->fd = memfd_create("victim", MFD_CLOEXEC);
	if (v->fd < 0 || from == NULL || write(v->fd, data, size) != (ssize_t)size)
		err(1, "%s", path);
	fclose(from);
	print_opened(v, smmap_cursor_open_fd(&v->cursor, manager, v->fd));
}

static void read_and_print(victim *v, uint64_t offset, uint64_t size)
{
	static unsigned char data[LARGEST_READ];
	answer a = {.data = data};
	if (size > LARGEST_READ)
		errx(2, "a read of %" PRIu64 " bytes", size);
	way->read(v, &a, offset, size);
	for (size_t i = 0; i < a.size; i++)
		printf("%02x", data[i]);
	printf("%s %s ", a.size == 0 ? "-" : "", name_of(a.code));
	if (a.has_offset)
		printf("%" PRIu64 "\n", a.offset);
	else
		printf("-\n");
}

static void refresh(victim *v)
{
	let_pointers_go(v);
	int bits = smmap_refresh(&v->cursor);
	printf("%s %d\n", name_of(bits), bits > 0 ? bits : 0);
}

static void verify(victim *v)
{
	int bits = smmap_verify(&v->cursor);
	printf("%s %d\n", name_of(bits), bits > 0 ? bits : 0);
}

static void print_error(victim *v)
{
	uint64_t offset = 0;
	int code = smmap_cursor_error(&v->cursor, &offset);
	printf("%s %" PRIu64 "\n", name_of(code), offset);
}

static void evict(void)
{
	for (int i = 0; i < FILES; i++) {
		let_pointers_go(&victims[i]);
		smmap_cursor_unuse_region(&victims[i].cursor);
	}
	(void)smmap_manager_collect(manager);
	printf("0\n");
}

static void print_stats(void)
{
	smmap_stats s;
	smmap_guard_info guard;
	smmap_manager_stats(manager, &s);
	smmap_guard_status(&guard);
	printf("mapped=%" PRIu64 " handles=%" PRIu64 " mappings=%" PRIu64 " descriptors=%" PRIu64
	       " files=%" PRIu64 " exported=%" PRIu64 " faults=%" PRIu64 " errors=%" PRIu64 " preads=%" PRIu64
	       " contained=%" PRIu64 " ranges=%" PRIu64 " private=%" PRIu64 " memory=%" PRIu64 "\n",
	       s.mapped_bytes, s.handles, s.mappings, s.descriptors, s.files, s.exported_bytes, s.faults,
	       s.errors, s.preads, guard.faults, guard.ranges, s.fallback_private, s.fallback_memory);
}

static void close_all(void)
{
	for (int i = 0; i < FILES; i++)
		close_victim(&victims[i]);
	(void)smmap_manager_collect(manager);
	smmap_stats s;
	smmap_manager_stats(manager, &s);
	int code = smmap_manager_free(manager);
	smmap_guard_info guard;
	smmap_guard_status(&guard);
	printf("%s mapped=%" PRIu64 " handles=%" PRIu64 " mappings=%" PRIu64 " descriptors=%" PRIu64
	       " files=%" PRIu64 " exported=%" PRIu64 " ranges=%" PRIu64 "\n",
	       name_of(code), s.mapped_bytes, s.handles, s.mappings, s.descriptors, s.files, s.exported_bytes,
	       guard.ranges);
}

static int memory_error_at(victim *v, uint64_t offset)
{
	map_all(v);
	return inside_memory_error(smmap_cursor_at(&v->parts[offset / window], offset, 1));
}

static int break_mapping(uint64_t begin_at, uint64_t end, int how)
{
	map_all(&victims[0]);
	return inside_break("memfd:victim", begin_at, end, how);
}

static void print_code(int negative_errno)
{
	printf("%s\n", name_of(negative_errno));
}

static void obey(char *line)
{
	char command[20] = "", path[1000];
	unsigned n = 0;
	uint64_t a = 0, b = 0;
	int how = 0;
	line[strcspn(line, "\n")] = '\0';
	sscanf(line, "%19s %u", command, &n);
	victim *v = &victims[n % FILES];
	if (sscanf(line, "open %u %999[^\n]", &n, path) == 2)
		open_path(v, path);
	else if (sscanf(line, "memory %u %999[^\n]", &n, path) == 2)
		open_memory(v, path);
	else if (sscanf(line, "read %u %" SCNu64 " %" SCNu64, &n, &a, &b) == 3)
		read_and_print(v, a, b);
	else if (strcmp(command, "refresh") == 0)
		refresh(v);
	else if (strcmp(command, "verify") == 0)
		verify(v);
	else if (strcmp(command, "error") == 0)
		print_error(v);
	else if (strcmp(command, "evict") == 0)
		evict();
	else if (sscanf(line, "memory-error %u %" SCNu64, &n, &a) == 2)
		print_code(memory_error_at(v, a));
	else if (sscanf(line, "break %" SCNu64 " %" SCNu64 " %d", &a, &b, &how) == 3)
		print_code(break_mapping(a, b, how));
	else if (strcmp(command, "heal") == 0)
		print_code(inside_heal());
	else if (strcmp(command, "lock") == 0)
		print_code(inside_lock_all());
	else if (strcmp(command, "stats") == 0)
		print_stats();
	else if (strcmp(command, "close") == 0)
		close_all();
	else
		errx(2, "what is %s", line);
}

int main(int argc, char **argv)
{
	smmap_options options = SMMAP_OPTIONS_INIT;
	char line[2000];
	for (size_t i = 0; argc == 3 && i < sizeof ways / sizeof *ways; i++)
		if (strcmp(argv[1], ways[i].name) == 0)
			way = &ways[i];
	if (way == NULL)
		errx(2, "usage: real-reader read|pointer|index|slice stable|detached");
	setvbuf(stdout, NULL, _IOLBF, 0);
	window = PAGES_IN_WINDOW * smmap_allocation_granularity();
	options.flags = SMMAP_ALLOW_BLOCK_DEVICES;
	options.window_size = (int64_t)window;
	options.placement = strcmp(argv[2], "detached") == 0 ? SMMAP_PLACEMENT_DETACHED : SMMAP_PLACEMENT_STABLE;
	if (smmap_manager_new(&manager, &options) != 0 || smmap_guard_enable() != 0)
		errx(1, "the library");
	while (fgets(line, sizeof line, stdin) != NULL)
		obey(line);
	return 0;
}
