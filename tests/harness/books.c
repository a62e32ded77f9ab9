/* SPDX-License-Identifier: BSD-3-Clause */
#include "harness/harness.h"

#include "os/os.h"

#include <dirent.h>
#include <dlfcn.h>
#include <err.h>
#include <inttypes.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * The allocator of gcc 12's and clang 14's AddressSanitizer takes no lock around a fork: a child that was forked while
 * another thread was inside malloc waits for ever in its own first malloc (SizeClassAllocator64::GetFromAllocator, seen
 * by gdb in 13 hung children of 13). So that tests may fork among threads there, the library is inside the allocator
 * only with the books' lock held, which a fork takes.
 */
#if defined(__SANITIZE_ADDRESS__)
#define FORK_MEETS_MALLOC 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define FORK_MEETS_MALLOC 1
#endif
#endif
#ifndef FORK_MEETS_MALLOC
#define FORK_MEETS_MALLOC 0
#endif

struct allocation {
	void *block; /* NULL: a free entry */
	size_t size;
	uint64_t number; /* 1 for the first allocation, and so on */
	void *caller;
};

struct range {
	uintptr_t begin;
	uintptr_t end;
};

static smmap__os_calls next; /* the table as it was before */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* Live allocations: open addressing, a power of two of entries, at most half of them in use. */
static struct allocation *table;
static size_t table_size;
static uint64_t allocations_made;

/* Mapped ranges: in order of address, apart from each other (neighbours are joined). */
static struct range *ranges;
static size_t range_count, range_room;

static books_figures figures; /* descriptors apart */

static void *grow(void *block, size_t count, size_t size)
{
	block = reallocarray(block, count, size);
	if (block == NULL)
		err(1, "the books");
	return block;
}

/* ---- allocations ---- */

static size_t home(const void *block)
{
	return (size_t)random_mix((uintptr_t)block) & (table_size - 1);
}

/* The entry of `block`, or the free one where it would go. */
static struct allocation *find(const void *block)
{
	size_t i = home(block);
	while (table[i].block != NULL && table[i].block != block)
		i = (i + 1) & (table_size - 1);
	return &table[i];
}

static void grow_table(void)
{
	struct allocation *old = table;
	size_t old_size = table_size;
	table_size = old_size == 0 ? 1024 : old_size * 2;
	table = calloc(table_size, sizeof(*table));
	if (table == NULL)
		err(1, "the books");
	for (size_t i = 0; i < old_size; i++)
		if (old[i].block != NULL)
			*find(old[i].block) = old[i];
	free(old);
}

/* Frees the entry and moves up those behind it that would not be found any more. */
static void remove_entry(struct allocation *entry)
{
	size_t hole = (size_t)(entry - table);
	for (size_t i = (hole + 1) & (table_size - 1); table[i].block != NULL; i = (i + 1) & (table_size - 1)) {
		size_t distance = (i - home(table[i].block)) & (table_size - 1);
		if (distance >= ((i - hole) & (table_size - 1))) {
			table[hole] = table[i];
			hole = i;
		}
	}
	table[hole].block = NULL;
}

static void *allocate_below(size_t size)
{
	if (FORK_MEETS_MALLOC)
		pthread_mutex_lock(&lock);
	void *block = next.allocate(size);
	if (FORK_MEETS_MALLOC)
		pthread_mutex_unlock(&lock);
	return block;
}

static void deallocate_below(void *block)
{
	if (FORK_MEETS_MALLOC)
		pthread_mutex_lock(&lock);
	next.deallocate(block);
	if (FORK_MEETS_MALLOC)
		pthread_mutex_unlock(&lock);
}

static void *allocate(size_t size)
{
	void *block = allocate_below(size);
	if (block == NULL)
		return NULL;
	pthread_mutex_lock(&lock);
	if (2 * (figures.allocations + 1) > table_size)
		grow_table();
	*find(block) = (struct allocation){block, size, ++allocations_made, __builtin_return_address(0)};
	figures.allocations++;
	figures.allocated_bytes += size;
	pthread_mutex_unlock(&lock);
	return block;
}

static void deallocate(void *block)
{
	if (block == NULL)
		return;
	pthread_mutex_lock(&lock);
	struct allocation *entry = find(block);
	/* What was allocated before the books were opened is not in them. */
	if (entry->block != NULL) {
		figures.allocations--;
		figures.allocated_bytes -= entry->size;
		remove_entry(entry);
	}
	pthread_mutex_unlock(&lock);
	deallocate_below(block);
}

/* ---- mapped ranges ---- */

/* Takes [begin, end) out; returns how many bytes of it were in. */
static uint64_t ranges_remove(uintptr_t begin, uintptr_t end)
{
	uint64_t removed = 0;
	size_t i = 0;
	while (i < range_count && ranges[i].end <= begin)
		i++;
	while (i < range_count && ranges[i].begin < end) {
		struct range old = ranges[i];
		removed += (old.end < end ? old.end : end) - (old.begin > begin ? old.begin : begin);
		size_t keep_left = old.begin<begin, keep_right = old.end> end;
		if (range_count + 1 > range_room) {
			range_room = range_room == 0 ? 256 : range_room * 2;
			ranges = grow(ranges, range_room, sizeof(*ranges));
		}
		memmove(&ranges[i + keep_left + keep_right], &ranges[i + 1], (range_count - i - 1) * sizeof(*ranges));
		range_count = range_count - 1 + keep_left + keep_right;
		if (keep_left)
			ranges[i++] = (struct range){old.begin, begin};
		if (keep_right)
			ranges[i++] = (struct range){end, old.end};
	}
	return removed;
}

static void ranges_add(uintptr_t begin, uintptr_t end)
{
	size_t i = 0;
	while (i < range_count && ranges[i].end < begin)
		i++;
	size_t last = i;
	for (; last < range_count && ranges[last].begin <= end; last++) {
		if (ranges[last].begin < begin)
			begin = ranges[last].begin;
		if (ranges[last].end > end)
			end = ranges[last].end;
	}
	if (range_count + 1 > range_room) {
		range_room = range_room == 0 ? 256 : range_room * 2;
		ranges = grow(ranges, range_room, sizeof(*ranges));
	}
	memmove(&ranges[i + 1], &ranges[last], (range_count - last) * sizeof(*ranges));
	range_count = range_count + 1 - (last - i);
	ranges[i] = (struct range){begin, end};
}

static void book_mapped(const void *address, size_t length)
{
	uintptr_t begin = (uintptr_t)address;
	pthread_mutex_lock(&lock);
	figures.mapped_bytes += length - ranges_remove(begin, begin + length);
	ranges_add(begin, begin + length);
	pthread_mutex_unlock(&lock);
}

static uint64_t book_unmapped(const void *address, size_t length)
{
	uintptr_t begin = (uintptr_t)address;
	pthread_mutex_lock(&lock);
	uint64_t removed = ranges_remove(begin, begin + length);
	figures.mapped_bytes -= removed;
	pthread_mutex_unlock(&lock);
	return removed;
}

static void count(uint64_t *figure)
{
	pthread_mutex_lock(&lock);
	++*figure;
	pthread_mutex_unlock(&lock);
}

static int map(int descriptor, uint64_t offset, size_t length, size_t congruence, int how, void **address)
{
	int result = next.map(descriptor, offset, length, congruence, how, address);
	if (result >= 0) {
		book_mapped(*address, length);
		count(&figures.maps);
	}
	return result;
}

static int unmap(void *address, size_t length)
{
	/* Booked first: once it is unmapped, another thread may be given the same address. */
	uint64_t removed = book_unmapped(address, length);
	int result = next.unmap(address, length);
	if (result >= 0)
		count(&figures.unmaps);
	else if (removed > 0)
		book_mapped(address, length);
	return result;
}

static int extend(void *address, size_t length, size_t new_length)
{
	int result = next.extend(address, length, new_length);
	if (result >= 0)
		book_mapped(address, new_length);
	return result;
}

/* ---- descriptors ---- */

enum { DESCRIPTORS_MAX = 4096 };

static bool open_before[DESCRIPTORS_MAX];

/* Calls `see` for each open descriptor that is small enough to be noted. */
static void each_descriptor(void (*see)(int descriptor, void *context), void *context)
{
	DIR *dir = opendir("/proc/self/fd");
	if (dir == NULL)
		err(1, "/proc/self/fd");
	for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
		int descriptor = (int)strtol(entry->d_name, NULL, 10);
		if (entry->d_name[0] != '.' && descriptor != dirfd(dir) && descriptor < DESCRIPTORS_MAX)
			see(descriptor, context);
	}
	closedir(dir);
}

static void note_descriptor(int descriptor, void *context)
{
	((bool *)context)[descriptor] = true;
}

static void count_descriptor(int descriptor, void *context)
{
	(void)descriptor;
	++*(uint64_t *)context;
}

static bool descriptors_balanced(void)
{
	static bool open_now[DESCRIPTORS_MAX];
	memset(open_now, 0, sizeof(open_now));
	each_descriptor(note_descriptor, open_now);
	bool balanced = true;
	for (int i = 0; i < DESCRIPTORS_MAX; i++) {
		if (open_now[i] == open_before[i])
			continue;
		balanced = false;
		char link[64], target[PATH_MAX] = "";
		snprintf(link, sizeof(link), "/proc/self/fd/%d", i);
		if (readlink(link, target, sizeof(target) - 1) < 0)
			target[0] = 0;
		if (open_now[i])
			printf("leaked descriptor: %d, %s\n", i, target);
		else
			printf("descriptor %d was closed, but was not the test's\n", i);
	}
	return balanced;
}

/* ---- the books as a whole ---- */

static void lock_books(void)
{
	pthread_mutex_lock(&lock);
}

static void unlock_books(void)
{
	pthread_mutex_unlock(&lock);
}

static void install(void)
{
	next = smmap__os;
	smmap__os.allocate = allocate;
	smmap__os.deallocate = deallocate;
	smmap__os.map = map;
	smmap__os.unmap = unmap;
	smmap__os.extend = extend;
	/* A child forked by a test must not find the books locked by a thread it does not have. */
	if (pthread_atfork(lock_books, unlock_books, unlock_books) != 0)
		errx(1, "pthread_atfork");
}

void books_open(void)
{
	if (next.allocate == NULL) {
		grow_table();
		install();
	}
	lock_books();
	memset(table, 0, table_size * sizeof(*table));
	range_count = 0;
	figures = (books_figures){0};
	unlock_books();
	memset(open_before, 0, sizeof(open_before));
	each_descriptor(note_descriptor, open_before);
}

books_figures books_now(void)
{
	lock_books();
	books_figures now = figures;
	unlock_books();
	each_descriptor(count_descriptor, &now.descriptors);
	return now;
}

void books_assert_same(const books_figures *before)
{
	books_figures now = books_now();
	assert_int_equal(now.allocations, before->allocations);
	assert_int_equal(now.allocated_bytes, before->allocated_bytes);
	assert_int_equal(now.mapped_bytes, before->mapped_bytes);
	assert_int_equal(now.descriptors, before->descriptors);
}

static void print_allocation(const struct allocation *leaked)
{
	printf("leaked allocation: number %" PRIu64 ", %zu bytes", leaked->number, leaked->size);
	Dl_info where;
	if (dladdr(leaked->caller, &where) != 0)
		printf(", by 0x%" PRIxPTR " of %s", (uintptr_t)leaked->caller - (uintptr_t)where.dli_fbase,
		       where.dli_fname);
	printf("\n");
}

bool books_balanced(void)
{
	bool balanced = descriptors_balanced();
	lock_books();
	for (size_t i = 0; i < table_size; i++)
		if (table[i].block != NULL)
			print_allocation(&table[i]);
	for (size_t i = 0; i < range_count; i++)
		printf("leaked mapping: %" PRIuPTR " bytes at 0x%" PRIxPTR "\n", ranges[i].end - ranges[i].begin,
		       ranges[i].begin);
	balanced = balanced && figures.allocations == 0 && range_count == 0;
	unlock_books();
	return balanced;
}
