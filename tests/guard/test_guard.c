/* SPDX-License-Identifier: BSD-3-Clause */
/* Files that are cut under their readers, with the guard on. */
#include "cursor/setup.h"
#include "harness/sanitizers.h"

#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static size_t page;
#define CUT_SIZE (50 * page)

static void guard_on(void)
{
	page = (size_t)smmap_allocation_granularity();
	assert_int_equal(smmap_guard_enable(), 0);
}

static void guard_off(void)
{
	assert_int_equal(smmap_guard_disable(), 0);
	smmap_guard_info info;
	smmap_guard_status(&info);
	assert_int_equal(info.enabled, 0);
}

static uint64_t faults(void)
{
	smmap_guard_info info;
	smmap_guard_status(&info);
	return info.faults;
}

static unsigned char touch(const unsigned char *at)
{
	return *(const volatile unsigned char *)at;
}

static void direct_readers_see_zeros_and_an_error(void)
{
	guard_on();
	for (int i = 0; i < PLACEMENTS; i++) {
		smmap_manager *manager = new_manager(placements[i], 16 * page, MIB);
		smmap_cursor a = SMMAP_CURSOR_INIT, b = SMMAP_CURSOR_INIT, other = SMMAP_CURSOR_INIT;
		smmap_view view = SMMAP_VIEW_INIT;
		uint64_t offset = 0, before = faults();
		const char *path = files_make("a", 40 * page, 1);
		open_cursor(&a, manager, path);
		open_cursor(&b, manager, path);
		open_cursor(&other, manager, files_make("b", 40 * page, 2));
		use_and_check(&a, 16 * page, 0, 16 * page, 1);
		use_and_check(&b, 0, 100, 100, 1);
		use_and_check(&other, 20 * page, 0, 16 * page, 2);
		assert_int_equal(truncate(path, (off_t)(20 * page + 100)), 0);
		assert_int_equal(smmap_cursor_error(&a, &offset), 0);
		assert_int_equal(touch(smmap_cursor_data(&a) + 4 * page + 50), files_byte(20 * page + 50, 1));
		assert_int_equal(faults(), before);
		/* The first fault is the one that is told. */
		assert_int_equal(touch(smmap_cursor_data(&a) + 9 * page + 5), 0);
		assert_int_equal(touch(smmap_cursor_data(&a) + 7 * page + 5), 0);
		assert_int_equal(faults(), before + 2);
		assert_int_equal(smmap_cursor_error(&a, &offset), SMMAP_ETRUNCATED);
		assert_int_equal(offset, 25 * page);
		assert_int_equal(smmap_cursor_error(&b, NULL), SMMAP_ETRUNCATED);
		assert_int_equal(stats_of(manager).faults, 1);
		assert_int_equal(smmap_cursor_use_region(&a, 0, 10), SMMAP_ETRUNCATED);
		assert_int_equal(smmap_cursor_view(&view, &a), SMMAP_ETRUNCATED);
		assert_int_equal(smmap_verify(&a),
		                 SMMAP_CHANGE_FAULTED | SMMAP_CHANGE_SHRANK | SMMAP_CHANGE_MODIFIED);
		files_assert(smmap_cursor_data(&b), 0, 100, 1);
		/* Others are not concerned. */
		assert_int_equal(smmap_cursor_error(&other, &offset), 0);
		files_assert(smmap_cursor_data(&other), 20 * page, 16 * page, 2);
		use_and_check(&other, 0, 0, 16 * page, 2);
		/* What is there is served, the rest is an error. */
		unsigned char got[300];
		assert_int_equal(smmap_read(&a, 100, got, 300), 300);
		files_assert(got, 100, 300, 1);
		assert_int_equal(smmap_read(&a, 20 * page, got, 300), 100);
		files_assert(got, 20 * page, 100, 1);
		assert_int_equal(smmap_read(&a, 30 * page, got, 300), SMMAP_ETRUNCATED);
		/* A new holder gets a new generation, without the error. */
		smmap_cursor fresh = SMMAP_CURSOR_INIT;
		open_cursor(&fresh, manager, path);
		assert_int_equal(smmap_cursor_file_size(&fresh), 20 * page + 100);
		use_and_check(&fresh, 20 * page, 0, 100, 1);
		smmap_cursor_close(&fresh);
		assert_int_equal(smmap_refresh(&a),
		                 SMMAP_CHANGE_FAULTED | SMMAP_CHANGE_SHRANK | SMMAP_CHANGE_MODIFIED);
		assert_int_equal(smmap_cursor_error(&a, &offset), 0);
		use_and_check(&a, 10 * page, 0, 10 * page + 100, 1);
		smmap__manager_check(manager);
		smmap_cursor_close(&a);
		smmap_cursor_close(&b);
		smmap_cursor_close(&other);
		free_manager(manager);
	}
	guard_off();
}

static void copying_reads_and_buffers_tell(void)
{
	guard_on();
	for (int i = 0; i < PLACEMENTS; i++) {
		smmap_manager *manager = new_manager(placements[i], 16 * page, MIB);
		smmap_cursor a = SMMAP_CURSOR_INIT;
		smmap_buffer buffer = SMMAP_BUFFER_INIT;
		static unsigned char got[3000000];
		const char *path = files_make("a", 40 * page, 1);
		open_cursor(&a, manager, path);
		for (uint64_t at = 0; at < 40; at += 16)
			use_and_check(&a, at * page, 0, smmap__min(16, 40 - at) * page, 1);
		assert_int_equal(smmap_buffer_begin_access(&buffer, &a, 30 * page, SMMAP_TO_END), 0);
		assert_int_equal(truncate(path, (off_t)(20 * page)), 0);
		/* Met by a copy from the map: served as far as there is something. */
		assert_int_equal(smmap_read(&a, 17 * page, got, 10 * page), 3 * page);
		files_assert(got, 17 * page, 3 * page, 1);
		assert_int_equal(smmap_read(&a, 35 * page, got, 1), SMMAP_ETRUNCATED);
		assert_int_equal(smmap_buffer_slice(&buffer, 0, 10, got, 10), SMMAP_ETRUNCATED);
		assert_int_equal(smmap_buffer_slice(&buffer, 0, INT64_MAX, got, sizeof got), SMMAP_ETRUNCATED);
		assert_int_equal(smmap_buffer_get(&buffer, 9 * (int64_t)page), SMMAP_ETRUNCATED);
		assert_int_equal(smmap_buffer_begin_access(&buffer, &a, 0, 10), SMMAP_ETRUNCATED);
		assert_int_equal(smmap_buffer_size(&buffer), 10 * page);
		/* Whole again: good data at once for copying reads, for others after a refresh. */
		files_write(path, 20 * page, 20 * page, 1);
		assert_int_equal(smmap_read(&a, 0, got, 40 * page), 40 * page);
		files_assert(got, 0, 40 * page, 1);
		assert_int_equal(smmap_buffer_slice(&buffer, 0, INT64_MAX, got, sizeof got), 10 * page);
		files_assert(got, 30 * page, 10 * page, 1);
		assert_int_equal(smmap_cursor_use_region(&a, 0, 0), SMMAP_ETRUNCATED);
		assert_true(smmap_refresh(&a) >= SMMAP_CHANGE_FAULTED);
		use_and_check(&a, 16 * page, 0, 16 * page, 1);
		assert_int_equal(smmap_buffer_begin_access(&buffer, &a, 30 * page, SMMAP_TO_END), 0);
		assert_int_equal(smmap_buffer_get(&buffer, -1), files_byte(40 * page - 1, 1));
		smmap_cursor_close(&a);
		smmap_buffer_close(&buffer);
		free_manager(manager);
	}
	guard_off();
}

/* Giving pages back would leave the zeros for ever: a region that failed is mapped over. */
static void patched_regions_heal_when_they_are_evicted(void)
{
	guard_on();
	smmap_manager *manager = new_manager(SMMAP_PLACEMENT_STABLE, 16 * page, MIB);
	smmap_cursor a = SMMAP_CURSOR_INIT;
	const char *path = files_make("a", 64 * page, 1);
	open_cursor(&a, manager, path);
	use_and_check(&a, 16 * page, 0, 16 * page, 1);
	const unsigned char *data = smmap_cursor_data(&a);
	assert_int_equal(truncate(path, 0), 0);
	for (uint64_t k = 0; k < 16; k++)
		assert_int_equal(touch(data + k * page), 0);
	files_write(path, 0, 64 * page, 1);
	assert_int_equal(touch(data), 0);
	smmap_cursor_unuse_region(&a);
	assert_int_equal(smmap_manager_collect(manager), 1);
	files_assert(data, 16 * page, 16 * page, 1); /* the file is held, so the address is good */
	smmap_cursor_close(&a);
	free_manager(manager);
	guard_off();
}

/* Whole again, each region is good once it was mapped anew; but the file says so only after a refresh. */
static void patched_ranges_heal_on_refresh(void)
{
	guard_on();
	for (int i = 0; i < PLACEMENTS; i++) {
		smmap_manager *manager = new_manager(placements[i], 16 * page, MIB);
		smmap_cursor a = SMMAP_CURSOR_INIT;
		const char *path = files_make("a", 64 * page, 1);
		for (int round = 0; round < 3; round++) {
			open_cursor(&a, manager, path);
			use_and_check(&a, 16 * page, 0, 16 * page, 1);
			assert_int_equal(truncate(path, 0), 0);
			for (uint64_t k = 0; k < 16; k++)
				assert_int_equal(touch(smmap_cursor_data(&a) + k * page), 0);
			files_write(path, 0, 64 * page, 1);
			assert_int_equal(touch(smmap_cursor_data(&a)), 0);
			assert_true(smmap_refresh(&a) >= SMMAP_CHANGE_FAULTED);
			use_and_check(&a, 16 * page, 0, 16 * page, 1);
			assert_int_equal(smmap_cursor_error(&a, NULL), 0);
		}
		smmap_cursor_close(&a);
		free_manager(manager);
	}
	guard_off();
}

static void the_error_stays_until_refresh(void)
{
	guard_on();
	for (int i = 0; i < PLACEMENTS; i++) {
		smmap_manager *manager = new_manager(placements[i], 16 * page, MIB);
		smmap_cursor a = SMMAP_CURSOR_INIT, b = SMMAP_CURSOR_INIT;
		uint64_t offset = 0;
		unsigned char got[100];
		const char *path = files_make("a", 64 * page, 1);
		open_cursor(&a, manager, path);
		open_cursor(&b, manager, path);
		use_and_check(&a, 16 * page, 0, 16 * page, 1);
		use_and_check(&b, 0, 0, 16 * page, 1);
		assert_int_equal(truncate(path, (off_t)(17 * page)), 0);
		assert_int_equal(touch(smmap_cursor_data(&a) + 3 * page), 0);
		assert_int_equal(smmap_cursor_error(&a, NULL), SMMAP_ETRUNCATED);
		files_write(path, 17 * page, 47 * page, 1);
		/* Neither the file's being whole, nor eviction, nor reading, nor time, nor another fault clears it. */
		smmap_cursor_unuse_region(&a);
		(void)smmap_manager_collect(manager);
		assert_int_equal(smmap_read(&a, 19 * page, got, 100), 100);
		files_assert(got, 19 * page, 100, 1);
		for (int k = 0; k < 3; k++) {
			assert_int_equal(smmap_cursor_error(&a, &offset), SMMAP_ETRUNCATED);
			assert_int_equal(offset, 19 * page);
			assert_int_equal(smmap_cursor_error(&b, &offset), SMMAP_ETRUNCATED);
			assert_int_equal(smmap_cursor_use_region(&a, 0, 0), SMMAP_ETRUNCATED);
		}
		assert_true(smmap_refresh(&a) >= SMMAP_CHANGE_FAULTED);
		assert_int_equal(smmap_cursor_error(&a, NULL), 0);
		use_and_check(&a, 16 * page, 0, 16 * page, 1);
		/* The other holder keeps the old one, with its error, until it refreshes. */
		assert_int_equal(smmap_cursor_error(&b, NULL), SMMAP_ETRUNCATED);
		assert_true(smmap_refresh(&b) >= 0);
		assert_int_equal(smmap_cursor_error(&b, NULL), 0);
		smmap_cursor_close(&a);
		smmap_cursor_close(&b);
		free_manager(manager);
	}
	guard_off();
}

static uint64_t mappings(void)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	uint64_t count = 0;
	assert_non_null(maps);
	for (int c; (c = getc(maps)) != EOF;)
		count += c == '\n';
	fclose(maps);
	return count;
}

/* Random reads through direct pointers, one cursor for each window, of a file that is not there any more. */
static void rage(smmap_manager *manager, uint64_t size, uint64_t window)
{
	enum { READS = 200000 };
	size_t count = (size_t)(size / window);
	smmap_cursor *c = calloc(count, sizeof *c);
	random_source random = random_from(random_seed());
	const char *path = files_make_sparse("a", size);
	uint64_t faults_before = faults();
	assert_non_null(c);
	for (size_t i = 0; i < count; i++) {
		open_cursor(&c[i], manager, path);
		assert_int_equal(smmap_cursor_use_region(&c[i], i * window, 0), window);
	}
	assert_int_equal(truncate(path, 0), 0);
	for (size_t i = test_rounds(READS); i != 0; i--) {
		uint64_t at = random_below(&random, size);
		assert_int_equal(touch(smmap_cursor_data(&c[at / window]) + at % window), 0);
	}
	assert_true(mappings() < 1000);
	/* Each fault replaces all behind it: the lowest address so far is met about ln(pages) times. */
	assert_in_range(faults() - faults_before, 8, 100);
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(smmap_cursor_error(&c[i], NULL), SMMAP_ETRUNCATED);
		smmap_cursor_close(&c[i]);
	}
	free(c);
	free_manager(manager);
}

static void a_storm_of_faults_makes_few_mappings(void)
{
	/* With 32-bit pointers there is no room for more. */
	const uint64_t size = sizeof(void *) > 4 ? 4 * GIB : GIB;
	guard_on();
	rage(new_static_manager(SMMAP_PLACEMENT_AUTO), size, size);
	rage(new_manager(SMMAP_PLACEMENT_STABLE, 64 * MIB, 0), size, 64 * MIB);
	rage(new_manager(SMMAP_PLACEMENT_STABLE, 2 * MIB, 0), size, 2 * MIB);
	guard_off();
}

/* The same over many small regions, each a mapping of its own. */
static void a_storm_over_many_regions(void)
{
	guard_on();
	smmap_manager *manager = new_manager(SMMAP_PLACEMENT_DETACHED, 4 * page, 0);
	smmap_cursor c[500];
	random_source random = random_from(random_seed());
	const char *path = files_make_sparse("a", 2000 * page);
	for (uint64_t i = 0; i < 500; i++) {
		c[i] = (smmap_cursor)SMMAP_CURSOR_INIT;
		open_cursor(&c[i], manager, path);
		assert_int_equal(smmap_cursor_use_region(&c[i], i * 4 * page, 0), 4 * page);
	}
	uint64_t before = mappings();
	assert_int_equal(truncate(path, 0), 0);
	for (int i = 0; i < 20000; i++)
		assert_int_equal(
			touch(smmap_cursor_data(&c[random_below(&random, 500)]) + random_below(&random, 4 * page)), 0);
	assert_true(mappings() < before + 1000);
	for (int i = 0; i < 500; i++)
		smmap_cursor_close(&c[i]);
	free_manager(manager);
	guard_off();
}

static size_t max_mappings(void)
{
	return (size_t)smmap__os_max_mappings();
}

/* Takes all mappings that the process may still have; returns how many. */
static uint64_t take_all_mappings(void **fill)
{
	uint64_t count = 0;
	for (;;) {
		void *p = mmap(NULL, page, count % 2 != 0 ? PROT_READ : PROT_NONE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
		if (p == MAP_FAILED)
			return count;
		fill[count++] = p;
	}
}

/*
 * With all mappings of the process in use, files fail that have no fault yet: one for each spare mapping, and many more.
 */
static void survive_without_mappings(int placement, size_t files)
{
	if (max_mappings() > 200000)
		skip_test("needs a limit of mappings that can be reached");
	if (THREAD_SANITIZER)
		skip_test("ThreadSanitizer ends the process when there is no mapping for itself");
	guard_on();
	smmap_manager *manager = new_manager(placement, 16 * page, 0);
	random_source random = random_from(random_seed());
	smmap_cursor *c = calloc(files, sizeof *c);
	void **fill =
		mmap(NULL, max_mappings() * sizeof *fill, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(fill, MAP_FAILED);
	assert_non_null(c);
	const char **paths = calloc(files, sizeof *paths);
	assert_non_null(paths);
	for (size_t i = 0; i < files; i++) {
		char name[16];
		snprintf(name, sizeof name, "f%zu", i);
		paths[i] = files_make(name, 40 * page, i);
		open_cursor(&c[i], manager, paths[i]);
		use_and_check(&c[i], 0, 0, 16 * page, i);
	}
	for (size_t i = 0; i < files; i++)
		assert_int_equal(truncate(paths[i], 0), 0);
	uint64_t count = take_all_mappings(fill);
	unsigned char sum = 0;
	for (size_t i = 0; i < files; i++)
		sum |= touch(smmap_cursor_data(&c[i]) + random_below(&random, 16) * page);
	for (size_t i = 40 * files; i != 0; i--)
		sum |= touch(smmap_cursor_data(&c[random_below(&random, files)]) + random_below(&random, 16) * page);
	for (uint64_t i = 0; i < count; i++)
		munmap(fill[i], page);
	munmap(fill, max_mappings() * sizeof *fill);
	assert_true(count > 1000);
	assert_int_equal(sum, 0);
	for (size_t i = 0; i < files; i++) {
		assert_int_equal(smmap_cursor_error(&c[i], NULL), SMMAP_ETRUNCATED);
		smmap_cursor_close(&c[i]);
	}
	free(paths);
	free(c);
	free_manager(manager);
	guard_off();
}

static void works_where_no_mapping_is_to_be_had(void)
{
	survive_without_mappings(SMMAP_PLACEMENT_STABLE, 1);
	survive_without_mappings(SMMAP_PLACEMENT_DETACHED, 1);
}

static void works_where_no_mapping_is_to_be_had_for_many_files(void)
{
	survive_without_mappings(SMMAP_PLACEMENT_STABLE, 100);
	survive_without_mappings(SMMAP_PLACEMENT_DETACHED, 100);
}

static void regions_by_themselves_and_exports_are_guarded(void)
{
	guard_on();
	for (int i = 0; i < PLACEMENTS; i++) {
		smmap_manager *manager = new_manager(placements[i], 4 * page, MIB);
		smmap_cursor cursor = SMMAP_CURSOR_INIT;
		smmap_buffer buffer = SMMAP_BUFFER_INIT;
		smmap_view view = SMMAP_VIEW_INIT;
		smmap_region region = SMMAP_REGION_INIT;
		const char *path = files_make("a", 40 * page, 1);
		open_cursor(&cursor, manager, path);
		assert_int_equal(smmap_region_open(&region, path, 10 * page, 5 * page, 0), 0);
		assert_int_equal(smmap_buffer_begin_access(&buffer, &cursor, 3, SMMAP_TO_END), 0);
		assert_int_equal(smmap_buffer_view(&view, &buffer, 0, INT64_MAX), 0);
		assert_int_equal(truncate(path, 0), 0);
		assert_int_equal(touch(smmap_region_data(&region) + 2 * page), 0);
		assert_int_equal(smmap_cursor_error(&cursor, NULL), 0);
		assert_int_equal(touch(view.data + 20 * page), 0);
		assert_int_equal(smmap_cursor_error(&cursor, NULL), SMMAP_ETRUNCATED);
		smmap_region_close(&region);
		smmap_view_release(&view);
		smmap_buffer_close(&buffer);
		smmap_cursor_close(&cursor);
		free_manager(manager);
	}
	guard_off();
}

static void enabling_protects_what_is_mapped_already(void)
{
	smmap_manager *manager = new_manager(SMMAP_PLACEMENT_STABLE, 65536, MIB);
	smmap_cursor a = SMMAP_CURSOR_INIT;
	const char *path = files_make("a", 100000, 1);
	open_cursor(&a, manager, path);
	use_and_check(&a, 0, 0, 65536, 1);
	guard_on();
	assert_int_equal(truncate(path, 0), 0);
	assert_int_equal(touch(smmap_cursor_data(&a)), 0);
	guard_off();
	smmap_cursor_close(&a);
	free_manager(manager);
}

/* The cause is not known where the file cannot be asked. */
static void faults_of_files_that_are_gone_are_not_classified(void)
{
	guard_on();
	smmap_manager *manager;
	smmap_options options = SMMAP_OPTIONS_INIT;
	options.max_descriptors = 1;
	options.placement = SMMAP_PLACEMENT_STABLE;
	assert_int_equal(smmap_manager_new(&manager, &options), 0);
	smmap_cursor a = SMMAP_CURSOR_INIT, b = SMMAP_CURSOR_INIT;
	const char *path = files_make("a", 100000, 1);
	unsigned char got[10];
	int fd = open(path, O_RDWR | O_CLOEXEC);
	open_cursor(&a, manager, path);
	use_and_check(&a, 0, 0, 100000, 1);
	assert_int_equal(unlink(path), 0);
	open_cursor(&b, manager, files_make("b", 100, 1));
	assert_int_equal(ftruncate(fd, 0), 0);
	close(fd);
	assert_int_equal(touch(smmap_cursor_data(&a)), 0);
	assert_int_equal(smmap_cursor_error(&a, NULL), SMMAP_EFAULTED);
	assert_true(smmap_read(&a, 50000, got, 10) < 0);
	smmap_cursor_close(&a);
	smmap_cursor_close(&b);
	free_manager(manager);
	guard_off();
}

/* ---- growth: what is made longer is guarded to its new end ---- */

static smmap_view *held[100];
static int held_count;

/* Opens files until one lies where there is room above it: small holes in the address space fill up first. */
static const char *open_with_room_above(smmap_manager *manager, smmap_cursor *cursor, uint64_t size,
                                        size_t room)
{
	for (int i = 0; i < 100; i++) {
		unsigned char resident;
		char name[16];
		snprintf(name, sizeof name, "r%d", i);
		const char *path = files_make(name, size, 1);
		void *above = mmap(NULL, room, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		open_cursor(cursor, manager, path);
		assert_int_equal(smmap_cursor_use_region(cursor, 0, 0), size);
		munmap(above, room);
		unsigned char *end = (unsigned char *)(uintptr_t)smmap_cursor_data(cursor) + smmap_align(size, 1);
		if (mincore(end, page, &resident) != 0 && mincore(end + room - page, page, &resident) != 0)
			return path;
		/* Stays, so that the next one lies elsewhere. */
		smmap_view *view = calloc(1, sizeof *view);
		assert_non_null(view);
		assert_int_equal(smmap_cursor_view(view, cursor), 0);
		held[held_count++] = view;
	}
	skip_test("needs room in the address space");
}

static void grown_files_are_guarded_to_their_end(void)
{
	guard_on();
	enum { SLOTS = 256 };
	smmap_manager *manager = new_manager(SMMAP_PLACEMENT_AUTO, 2 * MIB, 64 * MIB);
	smmap_cursor a = SMMAP_CURSOR_INIT;
	const char *path = open_with_room_above(manager, &a, 100000, 2 * MIB);
	const unsigned char *data = smmap_cursor_data(&a);
	files_write(path, 100000, 900000, 1);
	/* The register is full, and there is no memory for more. */
	smmap_region taken[SLOTS];
	smmap_guard_info info;
	smmap_guard_status(&info);
	uint64_t full = info.ranges <= 64 ? 64 : 64 + 128, count = 0;
	for (; info.ranges + count < full; count++) {
		taken[count] = (smmap_region)SMMAP_REGION_INIT;
		assert_int_equal(smmap_region_open(&taken[count], path, 0, 1, 0), 0);
	}
	inject_arm(INJECT_ALLOCATE, 1, SMMAP_ENOMEM, true);
	assert_int_equal(smmap_refresh(&a), SMMAP_ENOMEM);
	inject_disarm();
	smmap__manager_check(manager);
	while (count != 0)
		smmap_region_close(&taken[--count]);
	assert_true(smmap_refresh(&a) >= 0);
	use_and_check(&a, 0, 0, 1000000, 1);
	assert_ptr_equal(smmap_cursor_data(&a), data);
	assert_int_equal(truncate(path, 0), 0);
	assert_int_equal(touch(smmap_cursor_data(&a) + 999999), 0);
	smmap_cursor_close(&a);
	while (held_count != 0) {
		smmap_view_release(held[--held_count]);
		free(held[held_count]);
	}
	free_manager(manager);
	guard_off();
}

/* ---- threads ---- */

static _Atomic bool stop;
static _Atomic uint64_t wrong;
static const char *cut;

static void *read_all_the_time(void *of)
{
	smmap_manager *manager = of;
	smmap_cursor a = SMMAP_CURSOR_INIT;
	random_source random = random_from(random_seed());
	const char *path = cut;
	unsigned char got[2000];
	while (!atomic_load(&stop)) {
		if (smmap_cursor_open(&a, manager, path, 0) != 0)
			continue;
		for (int i = 0; i < 50; i++) {
			uint64_t offset = random_below(&random, CUT_SIZE);
			int64_t n = smmap_read(&a, offset, got, sizeof got);
			/* Good bytes or none: never the guard's zeros. */
			if (n > 0 && files_compare(got, offset, (size_t)n, 1) != (size_t)n)
				atomic_fetch_add(&wrong, 1);
			if (smmap_cursor_use_region(&a, offset, 3000) > 0)
				(void)touch(smmap_cursor_data(&a) + smmap_cursor_size(&a) - 1);
		}
		(void)smmap_refresh(&a);
	}
	smmap_cursor_close(&a);
	return NULL;
}

static void readers_survive_a_file_that_is_cut_and_filled(int placement)
{
	/* It takes the zeros that a handler maps for a write that races with the readers of the file. */
	if (THREAD_SANITIZER)
		skip_test("ThreadSanitizer does not know what a fault is");
	guard_on();
	smmap_manager *manager = new_manager(placement, 4 * page, 25 * page);
	pthread_t threads[3];
	const char *path = cut = files_make("a", CUT_SIZE, 1);
	(void)random_seed();
	for (int i = 0; i < 3; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, read_all_the_time, manager), 0);
	for (size_t i = test_rounds(1500); i != 0; i--) {
		/* At a multiple of the page: what is cut inside a page reads as zeros, and nobody can tell. */
		uint64_t size = i % 7 * 8 * page;
		assert_int_equal(truncate(path, (off_t)size), 0);
		files_write(path, size, CUT_SIZE - size, 1);
	}
	atomic_store(&stop, true);
	for (int i = 0; i < 3; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_int_equal(atomic_load(&wrong), 0);
	smmap_manager_collect(manager);
	free_manager(manager);
	guard_off();
}

static void readers_survive_stable(void)
{
	readers_survive_a_file_that_is_cut_and_filled(SMMAP_PLACEMENT_STABLE);
}

static void readers_survive_detached(void)
{
	readers_survive_a_file_that_is_cut_and_filled(SMMAP_PLACEMENT_DETACHED);
}

TEST_PROGRAM(TEST(direct_readers_see_zeros_and_an_error), TEST(copying_reads_and_buffers_tell),
             TEST(patched_regions_heal_when_they_are_evicted, .stable = true),
             TEST(a_storm_of_faults_makes_few_mappings, .stable = true), TEST(a_storm_over_many_regions),
             TEST(works_where_no_mapping_is_to_be_had),
             TEST(works_where_no_mapping_is_to_be_had_for_many_files), TEST(patched_ranges_heal_on_refresh),
             TEST(the_error_stays_until_refresh), TEST(regions_by_themselves_and_exports_are_guarded),
             TEST(enabling_protects_what_is_mapped_already),
             TEST(faults_of_files_that_are_gone_are_not_classified),
             TEST(grown_files_are_guarded_to_their_end, .stable = true), TEST(readers_survive_stable),
             TEST(readers_survive_detached))
