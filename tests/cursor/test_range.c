/* SPDX-License-Identifier: BSD-3-Clause */
/* What use_region offers, what copying reads give, and assignment. */
#include "cursor/setup.h"

#include <string.h>

/* min(size or W, W, file_end - offset), wherever the borders between regions are. */
static void offers_what_is_asked_for(void)
{
	const uint64_t size = 50000, window = 8192;
	const char *path = files_make("a", size, 1);
	for (int i = 0; i < PLACEMENTS; i++) {
		smmap_manager *manager = new_manager(placements[i], window - 5, 4 * window);
		smmap_cursor cursor = SMMAP_CURSOR_INIT;
		assert_int_equal(smmap_manager_window_size(manager), window);
		open_cursor(&cursor, manager, path);
		for (uint64_t offset = 0; offset < size + 3; offset += offset % window < 3 ? 1 : 999) {
			const uint64_t sizes[] = {0, 1, 2, 100, window - 1, window, window + 1, UINT64_MAX};
			for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
				uint64_t wanted = sizes[k] != 0 ? smmap__min(sizes[k], window) : window;
				if (offset < size) {
					use_and_check(&cursor, offset, sizes[k], smmap__min(wanted, size - offset), 1);
				} else {
					assert_int_equal(smmap_cursor_use_region(&cursor, offset, sizes[k]), 0);
					assert_false(smmap_cursor_is_valid(&cursor));
				}
			}
			smmap__manager_check(manager);
		}
		smmap_cursor_close(&cursor);
		free_manager(manager);
	}
}

static void offsets_at_the_limits(void)
{
	static const uint64_t offsets[] = {(UINT64_C(1) << 31) - 1, UINT64_C(1) << 31,
	                                   (UINT64_C(1) << 32) - 1, UINT64_C(1) << 32,
	                                   UINT64_C(1) << 44,       (UINT64_C(1) << 53) + 1,
	                                   (uint64_t)INT64_MAX,     (uint64_t)INT64_MAX + 1,
	                                   UINT64_MAX - 1,          UINT64_MAX};
	const char *path = files_make("a", 10000, 1);
	for (int i = 0; i < PLACEMENTS; i++) {
		smmap_manager *manager = new_manager(placements[i], 4096, MIB);
		smmap_cursor cursor = SMMAP_CURSOR_INIT;
		smmap_buffer buffer = SMMAP_BUFFER_INIT;
		unsigned char byte = 77;
		open_cursor(&cursor, manager, path);
		for (size_t k = 0; k < sizeof offsets / sizeof *offsets; k++) {
			uint64_t o = offsets[k];
			use_and_check(&cursor, 5000, o, 4096, 1);
			assert_int_equal(smmap_cursor_includes_ofs(&cursor, o), 0);
			assert_null(smmap_cursor_at(&cursor, o, 1));
			assert_null(smmap_cursor_at(&cursor, 5000, o));
			assert_null(smmap_cursor_at(&cursor, 5000 + 4096, 1));
			assert_int_equal(smmap_cursor_use_region(&cursor, o, o), 0);
			assert_int_equal(smmap_read(&cursor, o, &byte, o), 0);
			assert_int_equal(smmap_buffer_begin_access(&buffer, &cursor, o, o), SMMAP_ERANGE);
			assert_int_equal(smmap_advise(&cursor, SMMAP_ADVICE_WILLNEED, o, o), 0);
			assert_int_equal(smmap_cursor_residency(&cursor, o, o, &byte, 1), 0);
			(void)smmap_manager_make_room(manager, o);
			assert_int_equal(smmap_manager_set_limits(manager, o, o), 0);
			smmap__manager_check(manager);
		}
		assert_int_equal(byte, 77);
		smmap_cursor_close(&cursor);
		free_manager(manager);
	}
}

static void sparse_files_beyond_4_gib(void)
{
	const uint64_t far = 5 * GIB + 12345, size = far + 3 * MIB;
	const char *path = files_make_sparse("huge", size);
	files_write(path, far, 3 * MIB, 1);
	const uint64_t windows[] = {4096, 64 * KIB, 2 * MIB, 2 * MIB + 4096};
	for (int placement = SMMAP_PLACEMENT_AUTO; placement <= SMMAP_PLACEMENT_DETACHED; placement++) {
		for (size_t k = 0; k < sizeof windows / sizeof *windows; k++) {
			uint64_t window = windows[k];
			smmap_manager *manager = new_manager(placement, window, 3 * window);
			smmap_cursor cursor = SMMAP_CURSOR_INIT;
			unsigned char got[5000];
			open_cursor(&cursor, manager, path);
			assert_int_equal(smmap_cursor_file_size(&cursor), size);
			use_and_check(&cursor, far, 0, window, 1);
			use_and_check(&cursor, size - 1, 0, 1, 1);
			use_and_check(&cursor, far + window - 1, 10, 10, 1);
			assert_int_equal(smmap_cursor_use_region(&cursor, 4 * GIB - 1, 10), 10);
			assert_int_equal(smmap_cursor_data(&cursor)[5], 0);
			assert_int_equal(smmap_read(&cursor, far, got, sizeof got), sizeof got);
			files_assert(got, far, sizeof got, 1);
			assert_int_equal(smmap_read(&cursor, size - 10, got, sizeof got), 10);
			files_assert(got, size - 10, 10, 1);
			smmap_buffer buffer = SMMAP_BUFFER_INIT;
			assert_int_equal(smmap_buffer_begin_access(&buffer, &cursor, far, SMMAP_TO_END), 0);
			assert_int_equal(smmap_buffer_get(&buffer, -1), files_byte(size - 1, 1));
			assert_int_equal(smmap_buffer_get(&buffer, 0), files_byte(far, 1));
			smmap_buffer_close(&buffer);
			smmap_cursor_close(&cursor);
			free_manager(manager);
		}
	}
}

static void a_limit_below_one_window_is_exceeded_by_pins_alone(void)
{
	const char *path = files_make("a", 100000, 1);
	for (int i = 0; i < PLACEMENTS; i++) {
		smmap_manager *manager = new_manager(placements[i], 16384, 1000);
		smmap_cursor cursor = SMMAP_CURSOR_INIT;
		unsigned char got[30000];
		open_cursor(&cursor, manager, path);
		for (uint64_t offset = 0; offset < 100000; offset += 7777)
			use_and_check(&cursor, offset, 0, smmap__min(16384, 100000 - offset), 1);
		assert_true(stats_of(manager).over_budget != 0);
		smmap_cursor_unuse_region(&cursor);
		assert_int_equal(smmap_manager_mapped_memory_size(manager), 0);
		uint64_t over = stats_of(manager).over_budget;
		/* A copying read finds another way. */
		for (int k = 0; k < 20; k++) {
			assert_int_equal(smmap_read(&cursor, 50000, got, sizeof got), sizeof got);
			files_assert(got, 50000, sizeof got, 1);
		}
		assert_int_equal(stats_of(manager).over_budget, over);
		assert_int_equal(smmap_manager_mapped_memory_size(manager), 0);
		smmap_cursor_close(&cursor);
		free_manager(manager);
	}
}

static void static_managers_map_whole_files(void)
{
	const char *path = files_make("a", 3 * MIB + 5, 1);
	for (int i = 0; i < PLACEMENTS; i++) {
		smmap_manager *manager = new_static_manager(placements[i]);
		smmap_cursor cursor = SMMAP_CURSOR_INIT;
		smmap_window window;
		const unsigned char *data;
		assert_int_equal(smmap_manager_window_size(manager), 0);
		open_cursor(&cursor, manager, path);
		use_and_check(&cursor, 0, 0, 3 * MIB + 5, 1);
		use_and_check(&cursor, 2 * MIB, 0, MIB + 5, 1);
		use_and_check(&cursor, 2 * MIB, 10, 10, 1);
		assert_int_equal(smmap_cursor_map(&cursor, &data, &window), 0);
		assert_int_equal(window.offset, 0);
		assert_int_equal(window.size, 3 * MIB + 5);
		files_assert(data, 0, 3 * MIB + 5, 1);
		assert_int_equal(smmap_manager_num_file_handles(manager), 1);
		smmap_cursor_close(&cursor);
		free_manager(manager);
	}
}

static void unused_cursors_answer(void)
{
	smmap_cursor cursor = SMMAP_CURSOR_INIT;
	smmap_window window;
	smmap_file_status status;
	smmap_region region = SMMAP_REGION_INIT;
	smmap_region_list *list;
	smmap_view view = SMMAP_VIEW_INIT;
	const unsigned char *data;
	unsigned char byte;
	uint64_t offset;
	assert_int_equal(smmap_cursor_use_region(&cursor, 0, 0), SMMAP_ECLOSED);
	assert_int_equal(smmap_read(&cursor, 0, &byte, 1), SMMAP_ECLOSED);
	assert_int_equal(smmap_cursor_map(&cursor, &data, &window), SMMAP_ECLOSED);
	assert_int_equal(smmap_cursor_region(&cursor, &region), SMMAP_ECLOSED);
	assert_int_equal(smmap_region_list_new(&list, &cursor), SMMAP_ECLOSED);
	assert_int_equal(smmap_advise(&cursor, 0, 0, 0), SMMAP_ECLOSED);
	assert_int_equal(smmap_verify(&cursor), SMMAP_ECLOSED);
	assert_int_equal(smmap_refresh(&cursor), SMMAP_ECLOSED);
	assert_int_equal(smmap_cursor_error(&cursor, &offset), SMMAP_ECLOSED);
	assert_int_equal(smmap_cursor_status(&cursor, &status), SMMAP_ECLOSED);
	assert_int_equal(smmap_cursor_residency(&cursor, 0, 1, &byte, 1), SMMAP_ECLOSED);
	assert_int_equal(smmap_cursor_view(&view, &cursor), SMMAP_ECLOSED);
	assert_int_equal(smmap_cursor_fd(&cursor), SMMAP_ECLOSED);
	assert_null(smmap_cursor_path(&cursor));
	assert_null(smmap_cursor_data(&cursor));
	assert_int_equal(smmap_cursor_file_size(&cursor), 0);
	assert_int_equal(smmap_cursor_size(&cursor), 0);
	assert_false(smmap_cursor_is_associated(&cursor));
	assert_false(smmap_cursor_is_valid(&cursor));
	assert_false(smmap_cursor_includes_ofs(&cursor, 0));
	assert_null(smmap_cursor_at(&cursor, 0, 0));
	smmap_cursor_unuse_region(&cursor);
	smmap_cursor_close(&cursor);
	smmap_view_release(&view);
	smmap_region_close(&region);
}

/* Bound but not valid. */
static void bound_cursors_answer(void)
{
	smmap_manager *manager = new_manager(SMMAP_PLACEMENT_AUTO, 4096, MIB);
	smmap_cursor cursor = SMMAP_CURSOR_INIT;
	smmap_region region = SMMAP_REGION_INIT;
	smmap_view view = SMMAP_VIEW_INIT;
	smmap_window window;
	const unsigned char *data;
	uint64_t offset = 5;
	open_cursor(&cursor, manager, files_make("a", 100, 1));
	assert_int_equal(smmap_cursor_map(&cursor, &data, &window), SMMAP_ECLOSED);
	assert_int_equal(smmap_cursor_region(&cursor, &region), SMMAP_ECLOSED);
	assert_int_equal(smmap_cursor_view(&view, &cursor), SMMAP_ECLOSED);
	assert_int_equal(smmap_cursor_error(&cursor, &offset), 0);
	assert_int_equal(offset, 5);
	assert_int_equal(smmap_advise(&cursor, -1, 0, 0), SMMAP_EINVAL);
	assert_int_equal(smmap_advise(&cursor, 4, 0, 0), SMMAP_EINVAL);
	assert_true(smmap_cursor_is_associated(&cursor));
	smmap_cursor_close(&cursor);
	free_manager(manager);
}

static void assigned_cursors_pin_for_themselves(void)
{
	const char *path = files_make("a", 100000, 1);
	for (int i = 0; i < PLACEMENTS; i++) {
		smmap_manager *manager = new_manager(placements[i], 8192, 1000);
		smmap_cursor a = SMMAP_CURSOR_INIT, b = SMMAP_CURSOR_INIT;
		open_cursor(&a, manager, path);
		use_and_check(&a, 5000, 0, 8192, 1);
		assert_int_equal(smmap_cursor_assign(&a, &a), 0);
		assert_int_equal(smmap_cursor_assign(&b, &a), 0);
		assert_ptr_equal(smmap_cursor_data(&a), smmap_cursor_data(&b));
		use_and_check(&a, 50000, 0, 8192, 1);
		smmap_cursor_close(&a);
		smmap_manager_collect(manager);
		assert_int_equal(smmap_cursor_size(&b), 8192);
		files_assert(smmap_cursor_data(&b), 5000, 8192, 1);
		assert_string_equal(smmap_cursor_path(&b), path);
		/* From one that is not bound. */
		assert_int_equal(smmap_cursor_assign(&b, &a), 0);
		assert_false(smmap_cursor_is_associated(&b));
		assert_int_equal(smmap_manager_num_file_handles(manager), 0);
		free_manager(manager);
	}
}

static void letting_go_lets_go_of_what_reads_kept(void)
{
	const char *path = files_make("a", 100000, 1);
	for (int i = 0; i < PLACEMENTS; i++) {
		smmap_manager *manager = new_manager(placements[i], 8192, MIB);
		smmap_cursor cursor = SMMAP_CURSOR_INIT;
		unsigned char got[3000];
		uint64_t pinned = 9;
		open_cursor(&cursor, manager, path);
		use_and_check(&cursor, 0, 0, 8192, 1);
		for (int k = 0; k < 100; k++)
			assert_int_equal(smmap_read(&cursor, 20000, got, 3000), 3000);
		files_assert(got, 20000, 3000, 1);
		smmap_cursor_unuse_region(&cursor);
		assert_true(smmap_manager_release_path(manager, path, &pinned) >= 1);
		assert_int_equal(pinned, 0);
		assert_int_equal(smmap_manager_num_file_handles(manager), 0);
		smmap_cursor_close(&cursor);
		free_manager(manager);
	}
}

/* What a cursor cannot move to leaves it where it was. */
static void reads_run_across_borders(void)
{
	const uint64_t size = 300000;
	static unsigned char got[300000];
	const char *path = files_make("a", size, 1);
	for (int i = 0; i < PLACEMENTS; i++) {
		smmap_manager *manager = new_manager(placements[i], 4096, 40960);
		smmap_cursor cursor = SMMAP_CURSOR_INIT;
		open_cursor(&cursor, manager, path);
		use_and_check(&cursor, 123, 10, 10, 1);
		for (int round = 0; round < 5; round++) {
			memset(got, 0, sizeof got);
			assert_int_equal(smmap_read(&cursor, 0, got, size), size);
			files_assert(got, 0, size, 1);
			assert_int_equal(smmap_read(&cursor, 4095, got, 2), 2);
			files_assert(got, 4095, 2, 1);
			assert_int_equal(smmap_read(&cursor, size - 1, got, UINT64_MAX), 1);
			assert_int_equal(smmap_read(&cursor, 5, got, 0), 0);
			assert_true(smmap_manager_mapped_memory_size(manager) <= 40960);
			smmap__manager_check(manager);
		}
		assert_int_equal(smmap_cursor_ofs_begin(&cursor), 123);
		files_assert(smmap_cursor_data(&cursor), 123, 10, 1);
		smmap_stats stats;
		smmap_cursor_close(&cursor);
		stats = stats_of(manager);
		assert_true(stats.copied + stats.pread_bytes >= 5 * size);
		assert_int_equal(stats.over_budget, 0);
		free_manager(manager);
	}
}

static void stable_bytes_keep_their_address(void)
{
	smmap_manager *manager = new_manager(SMMAP_PLACEMENT_STABLE, 4096, 8192);
	smmap_cursor a = SMMAP_CURSOR_INIT, b = SMMAP_CURSOR_INIT;
	const char *path = files_make("a", 100000, 1);
	open_cursor(&a, manager, path);
	open_cursor(&b, manager, path);
	use_and_check(&a, 5000, 100, 100, 1);
	const unsigned char *at = smmap_cursor_data(&a);
	for (uint64_t offset = 0; offset < 90000; offset += 3000) {
		use_and_check(&b, offset, 0, 4096, 1);
		assert_ptr_equal(smmap_cursor_data(&b) - offset, at - 5000);
	}
	smmap_cursor_unuse_region(&a);
	smmap_manager_collect(manager);
	files_assert(at, 5000, 100, 1); /* late, but safe: the file is held */
	smmap_cursor_close(&a);
	smmap_cursor_close(&b);
	free_manager(manager);
}

static void residency_tells_pages(void)
{
	const char *path = files_make("a", 100000, 1);
	for (int i = 0; i < PLACEMENTS; i++) {
		smmap_manager *manager = new_manager(placements[i], 4096, MIB);
		smmap_cursor cursor = SMMAP_CURSOR_INIT;
		unsigned char pages[30] = {9, 9, 9, 9, 9};
		open_cursor(&cursor, manager, path);
		assert_int_equal(smmap_cursor_residency(&cursor, 5000, 10000, pages, 30), 3);
		assert_true(pages[0] <= 1 && pages[2] <= 1 && pages[3] == 9);
		assert_int_equal(smmap_cursor_residency(&cursor, 0, UINT64_MAX, pages, 30), 25);
		assert_int_equal(smmap_cursor_residency(&cursor, 99999, 100, pages, 30), 1);
		assert_int_equal(smmap_cursor_residency(&cursor, 0, UINT64_MAX, pages, 2), 2);
		assert_int_equal(smmap_cursor_residency(&cursor, 0, 0, pages, 2), 0);
		assert_int_equal(smmap_manager_mapped_memory_size(manager), 0);
		smmap_cursor_close(&cursor);
		free_manager(manager);
	}
}

TEST_PROGRAM(TEST(offers_what_is_asked_for, .unit = 4096), TEST(offsets_at_the_limits, .unit = 4096),
             TEST(sparse_files_beyond_4_gib, .unit = 4096),
             TEST(a_limit_below_one_window_is_exceeded_by_pins_alone, .unit = 4096),
             TEST(static_managers_map_whole_files), TEST(unused_cursors_answer), TEST(bound_cursors_answer),
             TEST(assigned_cursors_pin_for_themselves, .unit = 4096),
             TEST(letting_go_lets_go_of_what_reads_kept, .unit = 4096),
             TEST(reads_run_across_borders, .unit = 4096),
             TEST(stable_bytes_keep_their_address, .unit = 4096), TEST(residency_tells_pages, .unit = 4096))
