/* SPDX-License-Identifier: BSD-3-Clause */
/* Cursors, buffers and handles where several rare things come together. */
#include "setup.h"

#include "os/os.h"

#include <errno.h>
#include <fcntl.h>
#include <smmap_faults.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The cursor inside a buffer is the caller's to close and to refresh: the buffer says what it has not got any more. */
static void buffers_whose_cursor_was_changed(void)
{
	const char *path = files_make("a", 20000, 1);
	smmap_manager *manager = new_manager(SMMAP_PLACEMENT_DETACHED, 4096, MIB);
	smmap_cursor cursor = SMMAP_CURSOR_INIT;
	smmap_buffer buffer = SMMAP_BUFFER_INIT;
	char bytes[200];
	open_cursor(&cursor, manager, path);
	assert_int_equal(smmap_buffer_begin_access(&buffer, &cursor, 0, 20000), 0);
	assert_int_equal(smmap_buffer_get(&buffer, 19000), files_byte(19000, 1));
	assert_int_equal(truncate(path, 10000), 0);
	assert_int_equal(smmap_refresh(smmap_buffer_cursor(&buffer)),
	                 SMMAP_CHANGE_SHRANK | SMMAP_CHANGE_MODIFIED);
	assert_int_equal(smmap_buffer_get(&buffer, 9000), files_byte(9000, 1));
	assert_int_equal(smmap_buffer_get(&buffer, 19000), SMMAP_ERANGE);
	assert_int_equal(smmap_buffer_slice(&buffer, 19000, 19100, bytes, sizeof bytes), SMMAP_ETRUNCATED);
	assert_int_equal(smmap_buffer_slice(&buffer, 9950, 10050, bytes, sizeof bytes), SMMAP_ETRUNCATED);
	smmap_cursor_close(smmap_buffer_cursor(&buffer));
	assert_int_equal(smmap_buffer_get(&buffer, 9000), SMMAP_ECLOSED);
	smmap_buffer_close(&buffer);
	smmap_cursor_close(&cursor);
	free_manager(manager);
}

/* All pins of the second of two regions are taken: a copy of the cursor fails as a whole, and leaves no pin behind. */
static void copies_that_fail_half_way(void)
{
	const char *path = files_make("a", 6 * MIB, 1);
	smmap_manager *manager = new_manager(SMMAP_PLACEMENT_STABLE, 2 * MIB, 64 * MIB);
	smmap_cursor cursor = SMMAP_CURSOR_INIT, other = SMMAP_CURSOR_INIT, copy = SMMAP_CURSOR_INIT;
	smmap_buffer buffer = SMMAP_BUFFER_INIT;
	smmap_region first = SMMAP_REGION_INIT, last = SMMAP_REGION_INIT;
	open_cursor(&cursor, manager, path);
	open_cursor(&other, manager, path);
	use_and_check(&cursor, 2 * MIB - 50, 100, 100, 1);
	assert_int_equal(smmap_cursor_region(&cursor, &first), 0);
	use_and_check(&other, 2 * MIB, 100, 100, 1);
	assert_int_equal(smmap_cursor_region(&other, &last), 0);
	assert_false(smmap_region_equal(&first, &last));
	uint64_t pins = smmap_region_client_count(&first);
	assert_int_equal(smmap_region_increment_client_count(&last, UINT32_MAX - 2), 0);
	assert_int_equal(smmap_cursor_assign(&copy, &cursor), SMMAP_EOVERFLOW);
	assert_int_equal(smmap_region_client_count(&first), pins);
	assert_int_equal(smmap_buffer_begin_access(&buffer, &cursor, 0, 100), SMMAP_EOVERFLOW);
	assert_int_equal(smmap_region_client_count(&first), pins);
	assert_int_equal(smmap_region_increment_client_count(&last, -(int64_t)(UINT32_MAX - 2)), 0);
	assert_int_equal(smmap_cursor_assign(&copy, &cursor), 0);
	assert_int_equal(smmap_region_client_count(&first), pins + 1);
	smmap_region_close(&first);
	smmap_region_close(&last);
	smmap_cursor_close(&copy);
	smmap_cursor_close(&other);
	smmap_cursor_close(&cursor);
	free_manager(manager);
}

static void handles_of_different_regions(void)
{
	const char *path = files_make("a", 100000, 1);
	smmap_manager *manager = new_manager(SMMAP_PLACEMENT_DETACHED, 4096, MIB);
	smmap_cursor cursor = SMMAP_CURSOR_INIT;
	smmap_region regions[5] = {SMMAP_REGION_INIT, SMMAP_REGION_INIT, SMMAP_REGION_INIT, SMMAP_REGION_INIT,
	                           SMMAP_REGION_INIT};
	open_cursor(&cursor, manager, path);
	for (int i = 0; i < 3; i++) {
		use_and_check(&cursor, (uint64_t)i * 4096, 100, 100, 1);
		assert_int_equal(smmap_cursor_region(&cursor, &regions[i]), 0);
	}
	for (int i = 3; i < 5; i++)
		assert_int_equal(smmap_region_open(&regions[i], path, 0, 4096, 0), 0);
	for (int i = 0; i < 5; i++)
		for (int j = 0; j < 5; j++)
			assert_int_equal(smmap_region_equal(&regions[i], &regions[j]), i == j);
	for (int i = 0; i < 5; i++)
		smmap_region_close(&regions[i]);
	smmap_cursor_close(&cursor);
	free_manager(manager);
}

static void lists_know_their_file(void)
{
	const char *path = files_make("a", 100000, 1);
	smmap_manager *manager = new_manager(SMMAP_PLACEMENT_DETACHED, 4096, MIB);
	smmap_cursor cursor = SMMAP_CURSOR_INIT;
	smmap_region_list *list;
	open_cursor(&cursor, manager, path);
	assert_int_equal(smmap_region_list_new(&list, &cursor), 0);
	assert_string_equal(smmap_region_list_path(list), path);
	assert_true(smmap_region_list_fd(list) < 0);
	smmap_region_list_free(list);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(smmap_cursor_open_fd(&cursor, manager, fd), 0);
	assert_int_equal(smmap_region_list_new(&list, &cursor), 0);
	assert_null(smmap_region_list_path(list));
	assert_int_equal(smmap_region_list_fd(list), fd);
	smmap_region_list_free(list);
	smmap_cursor_close(&cursor);
	close(fd);
	free_manager(manager);
}

/* Heat of long ago counts for nothing; the hottest region ends an epoch. */
static void heat_cools_down(void)
{
	enum { READS = 100000 };
	const char *path = files_make("a", 8 * MIB, 1);
	smmap_manager *manager = new_manager(SMMAP_PLACEMENT_STABLE, 2 * MIB, 2 * MIB);
	smmap_cursor cursor = SMMAP_CURSOR_INIT;
	unsigned char byte;
	open_cursor(&cursor, manager, path);
	for (uint64_t i = 0; i < READS; i++) {
		uint64_t offset = i * 7919 * 64 % (8 * MIB);
		assert_int_equal(smmap_read(&cursor, offset, &byte, 1), 1);
		assert_int_equal(byte, files_byte(offset, 1));
	}
	atomic_fetch_add(&manager->budget.heat_epoch, 40);
	for (uint64_t i = 0; i < 1000; i++) {
		uint64_t offset = 2 * MIB + i * 7919 * 64 % (2 * MIB);
		assert_int_equal(smmap_read(&cursor, offset, &byte, 1), 1);
		assert_int_equal(byte, files_byte(offset, 1));
	}
	unsigned before = atomic_load(&manager->budget.heat_epoch);
	smmap_manager_set_limits(manager, 1, 0);
	for (uint64_t i = 0; i < READS; i++)
		assert_int_equal(smmap_read(&cursor, 2 * MIB + i * 7919 % (2 * MIB), &byte, 1), 1);
	assert_true(atomic_load(&manager->budget.heat_epoch) > before);
	smmap_cursor_close(&cursor);
	free_manager(manager);
}

/*
 * The name means another file, and the old one's mapping is what there is to read through; until that fails, too.
 */
static void replaced_and_then_cut(void)
{
	unsigned char bytes[100];
	const char *path = files_make("a", 5 * MIB, 1);
	smmap_options options = SMMAP_OPTIONS_INIT;
	smmap_manager *manager;
	options.placement = SMMAP_PLACEMENT_STABLE;
	options.window_size = 2 * MIB;
	options.max_descriptors = 1;
	assert_int_equal(smmap_manager_new(&manager, &options), 0);
	assert_int_equal(smmap_guard_enable(), 0);
	smmap_cursor cursor = SMMAP_CURSOR_INIT, other = SMMAP_CURSOR_INIT;
	open_cursor(&cursor, manager, path);
	int old = open(path, O_RDWR | O_CLOEXEC);
	assert_int_equal(rename(files_make("b", 5 * MIB, 2), path), 0);
	/* Takes the place of the only descriptor that is kept. */
	open_cursor(&other, manager, files_make("c", 1000, 3));
	assert_int_equal(smmap_read(&other, 0, bytes, sizeof bytes), 100);
	assert_int_equal(smmap_read(&cursor, MIB, bytes, sizeof bytes), 100);
	files_assert(bytes, MIB, 100, 1);
	/* Without memory for the region there is nothing. */
	smmap_faults_arm(SMMAP_FAULT_MALLOC, 1, ENOMEM, SMMAP_FAULT_FOR_EVER);
	int64_t n = smmap_read(&cursor, 3 * MIB, bytes, sizeof bytes);
	smmap_faults_disarm();
	assert_int_equal(n, SMMAP_ENOMEM);
	assert_int_equal(ftruncate(old, MIB), 0);
	n = smmap_read(&cursor, 3 * MIB, bytes, sizeof bytes);
	assert_true(n < 0);
	assert_int_equal(n, smmap_cursor_error(&cursor, NULL));
	close(old);
	smmap_cursor_close(&other);
	smmap_cursor_close(&cursor);
	free_manager(manager);
	assert_int_equal(smmap_guard_disable(), 0);
}

/* A cold read by chance is worth mapping, and there is no memory to know the region by. */
static void cold_reads_without_memory(void)
{
	unsigned char byte;
	const char *path = files_make("a", 900000, 1);
	for (int p = 0; p < PLACEMENTS; p++) {
		smmap_manager *manager = new_manager(placements[p], 4096, MIB);
		smmap_cursor cursor = SMMAP_CURSOR_INIT;
		open_cursor(&cursor, manager, path);
		smmap_faults_arm(SMMAP_FAULT_MALLOC, 1, ENOMEM, SMMAP_FAULT_FOR_EVER);
		for (uint64_t i = 0; i < 200; i++) {
			uint64_t offset = i * 7919 % 900000;
			assert_int_equal(smmap_read(&cursor, offset, &byte, 1), 1);
			assert_int_equal(byte, files_byte(offset, 1));
		}
		smmap_faults_disarm();
		assert_int_equal(smmap_manager_num_file_handles(manager), 0);
		smmap_cursor_close(&cursor);
		free_manager(manager);
	}
}

/* More files than there are chains for, and no memory for more chains: they grow longer. */
static void many_files_without_memory(void)
{
	enum { FILES = 20, FULL = 16 };
	bool fired = true;
	for (uint64_t nth = 1; fired; nth++) {
		smmap_manager *manager = new_manager(SMMAP_PLACEMENT_AUTO, 4096, MIB);
		smmap_cursor cursors[FILES];
		for (int i = 0; i < FILES; i++) {
			char name[20];
			snprintf(name, sizeof name, "file%d", i);
			cursors[i] = (smmap_cursor)SMMAP_CURSOR_INIT;
			const char *path = files_make(name, 1000, (uint64_t)i);
			if (i == FULL)
				smmap_faults_arm(SMMAP_FAULT_MALLOC, nth, ENOMEM, 1);
			int code = smmap_cursor_open(&cursors[i], manager, path, 0);
			if (i == FULL) {
				fired = smmap_faults_fired() != 0;
				smmap_faults_disarm();
				if (code == SMMAP_ENOMEM && fired)
					open_cursor(&cursors[i], manager, path);
			}
			use_and_check(&cursors[i], 10, 50, 50, (uint64_t)i);
		}
		assert_int_equal(stats_of(manager).files, FILES);
		for (int i = 0; i < FILES; i++) {
			use_and_check(&cursors[i], 500, 50, 50, (uint64_t)i);
			smmap_cursor_close(&cursors[i]);
		}
		free_manager(manager);
	}
}

static void lists_without_memory(void)
{
	smmap_manager *manager = new_manager(SMMAP_PLACEMENT_DETACHED, 4096, MIB);
	smmap_cursor cursor = SMMAP_CURSOR_INIT;
	open_cursor(&cursor, manager, files_make("a", 10000, 1));
	use_and_check(&cursor, 5000, 50, 50, 1);
	INJECT_EACH(INJECT_ALLOCATE, SMMAP_ENOMEM, false)
	{
		smmap_region_list *list = NULL;
		int code = smmap_region_list_new(&list, &cursor);
		inject_disarm();
		assert_int_equal(code, inject_fired() ? SMMAP_ENOMEM : 0);
		if (code == 0)
			assert_int_equal(smmap_region_list_count(list), 1);
		smmap_region_list_free(list);
	}
	smmap_cursor_close(&cursor);
	free_manager(manager);
}

/* The register of ranges is full, and there is no memory for more of it: a view that is a mapping of its own is not had. */
static void views_without_a_place_in_the_register(void)
{
	enum { SLOTS = 64 };
	static char room[1];
	smmap__fault_log log = {0};
	smmap__guard_slot slots[SLOTS];
	smmap_manager *manager = new_manager(SMMAP_PLACEMENT_DETACHED, 4096, MIB);
	smmap_cursor cursor = SMMAP_CURSOR_INIT;
	smmap_buffer buffer = SMMAP_BUFFER_INIT;
	open_cursor(&cursor, manager, files_make("a", 100000, 1));
	assert_int_equal(smmap_buffer_begin_access(&buffer, &cursor, 0, 100000), 0);
	int failed = 0;
	for (int i = 0; i < SLOTS; i++) {
		smmap_view view = SMMAP_VIEW_INIT;
		assert_int_equal(smmap__guard_add(room, 1, 0, &log, &slots[i]), 0);
		smmap_faults_arm(SMMAP_FAULT_MALLOC, 1, ENOMEM, SMMAP_FAULT_FOR_EVER);
		int code = smmap_buffer_view(&view, &buffer, 0, 50000);
		bool fired = smmap_faults_fired() != 0;
		smmap_faults_disarm();
		assert_int_equal(code, fired ? SMMAP_ENOMEM : 0);
		failed += fired;
		smmap_view_release(&view);
	}
	assert_true(failed > 0);
	for (int i = 0; i < SLOTS; i++)
		smmap__guard_remove(&slots[i]);
	smmap_buffer_close(&buffer);
	smmap_cursor_close(&cursor);
	free_manager(manager);
}

static void contents_beyond_the_budget(void)
{
	smmap_manager *manager = new_manager(SMMAP_PLACEMENT_AUTO, 4096, 4096);
	smmap_cursor cursor = SMMAP_CURSOR_INIT;
	assert_int_equal(smmap_cursor_open(&cursor, manager, "/proc/self/smaps", 0), SMMAP_EFBIG);
	free_manager(manager);
}

TEST_PROGRAM(TEST(buffers_whose_cursor_was_changed, .unit = 4096, .stable = true),
             TEST(copies_that_fail_half_way, .unit = 4096, .stable = true),
             TEST(handles_of_different_regions, .unit = 4096, .stable = true),
             TEST(lists_know_their_file, .unit = 4096, .stable = true),
             TEST(heat_cools_down, .unit = 4096, .stable = true),
             TEST(replaced_and_then_cut, .unit = 4096, .stable = true),
             TEST(cold_reads_without_memory, .unit = 4096, .stable = true),
             TEST(many_files_without_memory, .unit = 4096, .stable = true),
             TEST(lists_without_memory, .unit = 4096, .stable = true),
             TEST(views_without_a_place_in_the_register, .unit = 4096, .stable = true),
             TEST(contents_beyond_the_budget, .unit = 4096, .stable = true))
