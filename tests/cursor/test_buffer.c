/* SPDX-License-Identifier: BSD-3-Clause */
/* Buffers and views. */
#include "cursor/setup.h"

#include <string.h>

static void indices_are_relative(void)
{
	const char *path = files_make("a", 200000, 1);
	for (int i = 0; i < PLACEMENTS; i++) {
		smmap_manager *manager = new_manager(placements[i], 16384, MIB);
		smmap_cursor cursor = SMMAP_CURSOR_INIT;
		smmap_buffer b = SMMAP_BUFFER_INIT;
		open_cursor(&cursor, manager, path);
		assert_int_equal(smmap_buffer_begin_access(&b, &cursor, 100, 50), 0);
		smmap_cursor_close(&cursor); /* the buffer has its own */
		assert_int_equal(smmap_buffer_size(&b), 50);
		assert_int_equal(smmap_buffer_get(&b, 0), files_byte(100, 1));
		assert_int_equal(smmap_buffer_get(&b, 49), files_byte(149, 1));
		assert_int_equal(smmap_buffer_get(&b, -1), files_byte(149, 1));
		assert_int_equal(smmap_buffer_get(&b, -50), files_byte(100, 1));
		static const int64_t outside[] = {50, 51, -51, INT64_MAX, INT64_MIN, INT64_MIN + 1, (int64_t)1 << 32};
		for (size_t k = 0; k < sizeof outside / sizeof *outside; k++)
			assert_int_equal(smmap_buffer_get(&b, outside[k]), SMMAP_ERANGE);
		assert_int_equal(smmap_buffer_get(&b, 7), files_byte(107, 1));
		/* Past the end it is cut; the buffer's own cursor is taken again. */
		assert_int_equal(smmap_buffer_begin_access(&b, NULL, 199990, 1000), 0);
		assert_int_equal(smmap_buffer_size(&b), 10);
		assert_int_equal(smmap_buffer_get(&b, 10), SMMAP_ERANGE);
		assert_int_equal(smmap_buffer_get(&b, -10), files_byte(199990, 1));
		smmap_buffer_close(&b);
		free_manager(manager);
	}
}

static void begin_fails_without_harm(void)
{
	smmap_manager *manager = new_manager(SMMAP_PLACEMENT_AUTO, 16384, MIB);
	smmap_cursor cursor = SMMAP_CURSOR_INIT, none = SMMAP_CURSOR_INIT;
	smmap_buffer b = SMMAP_BUFFER_INIT, never = SMMAP_BUFFER_INIT;
	unsigned char got[10];
	smmap_view view = SMMAP_VIEW_INIT;
	assert_int_equal(smmap_buffer_begin_access(&never, NULL, 0, 1), SMMAP_ECLOSED);
	assert_int_equal(smmap_buffer_begin_access(&never, &none, 0, 1), SMMAP_ECLOSED);
	assert_int_equal(smmap_buffer_size(&never), 0);
	assert_int_equal(smmap_buffer_get(&never, 0), SMMAP_ECLOSED);
	assert_int_equal(smmap_buffer_get(&never, -1), SMMAP_ECLOSED);
	assert_int_equal(smmap_buffer_slice(&never, 0, 1, got, 10), SMMAP_ECLOSED);
	assert_int_equal(smmap_buffer_view(&view, &never, 0, 1), SMMAP_ECLOSED);
	smmap_buffer_end_access(&never);
	smmap_buffer_close(&never);

	open_cursor(&cursor, manager, files_make("a", 1000, 1));
	assert_int_equal(smmap_buffer_begin_access(&b, &cursor, 10, SMMAP_TO_END), 0);
	assert_int_equal(smmap_buffer_begin_access(&b, &cursor, 1000, 1), SMMAP_ERANGE);
	assert_int_equal(smmap_buffer_begin_access(&b, NULL, UINT64_MAX, UINT64_MAX), SMMAP_ERANGE);
	assert_int_equal(smmap_buffer_begin_access(&b, NULL, 0, 0), SMMAP_ERANGE);
	assert_int_equal(smmap_buffer_begin_access(&b, &none, 0, 1), SMMAP_ECLOSED);
	assert_int_equal(smmap_buffer_size(&b), 990);
	assert_int_equal(smmap_buffer_get(&b, 0), files_byte(10, 1));
	smmap_buffer_end_access(&b);
	assert_int_equal(smmap_buffer_get(&b, 0), SMMAP_ECLOSED);
	assert_int_equal(smmap_buffer_begin_access(&b, NULL, 20, 5), 0);
	assert_int_equal(smmap_buffer_get(&b, 0), files_byte(20, 1));
	smmap_buffer_close(&b);
	smmap_cursor_close(&cursor);
	free_manager(manager);
}

static void one_move_keeps_a_useful_range(void)
{
	smmap_manager *manager = new_manager(SMMAP_PLACEMENT_DETACHED, 16384, MIB);
	smmap_cursor cursor = SMMAP_CURSOR_INIT;
	smmap_buffer b = SMMAP_BUFFER_INIT;
	open_cursor(&cursor, manager, files_make("a", 200000, 1));
	assert_int_equal(smmap_buffer_begin_access(&b, &cursor, 77, SMMAP_TO_END), 0);
	for (int64_t i = 0; i < 199923; i++)
		if (smmap_buffer_get(&b, i) != files_byte(77 + (uint64_t)i, 1))
			fail_msg("index %d", (int)i);
	assert_int_equal(stats_of(manager).misses, 13);
	for (int64_t i = 199922; i >= 0; i--)
		if (smmap_buffer_get(&b, i) != files_byte(77 + (uint64_t)i, 1))
			fail_msg("index %d", (int)i);
	assert_true(smmap_buffer_cursor(&b)->hits <= 26);
	/* Somebody else moves its cursor. */
	use_and_check(smmap_buffer_cursor(&b), 100000, 5, 5, 1);
	assert_int_equal(smmap_buffer_get(&b, 0), files_byte(77, 1));
	smmap_cursor_unuse_region(smmap_buffer_cursor(&b));
	assert_int_equal(smmap_buffer_get(&b, 1), files_byte(78, 1));
	smmap_buffer_close(&b);
	smmap_cursor_close(&cursor);
	free_manager(manager);
}

static void slices_are_clipped(void)
{
	static unsigned char got[200000];
	const uint64_t size = 100000;
	const char *path = files_make("a", size + 1000, 1);
	for (int i = 0; i < PLACEMENTS; i++) {
		smmap_manager *manager = new_manager(placements[i], 4096, MIB);
		smmap_cursor cursor = SMMAP_CURSOR_INIT;
		smmap_buffer b = SMMAP_BUFFER_INIT;
		open_cursor(&cursor, manager, path);
		assert_int_equal(smmap_buffer_begin_access(&b, &cursor, 500, size), 0);
		const struct {
			int64_t start, stop;
			uint64_t first, count;
		} cases[] = {
			{0, 0, 0, 0},
			{5, 0, 5, 0},
			{0, 10, 0, 10},
			{-10, INT64_MAX, size - 10, 10},
			{-10, -5, size - 10, 5},
			{INT64_MIN, INT64_MAX, 0, size},
			{INT64_MIN, -(int64_t)size, 0, 0},
			{INT64_MIN, -(int64_t)size + 1, 0, 1},
			{4000, 5000, 4000, 1000},
			{(int64_t)size, INT64_MAX, size, 0},
			{(int64_t)size - 1, INT64_MAX, size - 1, 1},
			{3, -3, 3, size - 6},
		};
		for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
			uint64_t first = 99;
			assert_int_equal(smmap_buffer_clip(&b, cases[k].start, cases[k].stop, &first), cases[k].count);
			if (cases[k].count != 0)
				assert_int_equal(first, cases[k].first);
			assert_int_equal(smmap_buffer_clip(&b, cases[k].start, cases[k].stop, NULL), cases[k].count);
			assert_int_equal(smmap_buffer_slice(&b, cases[k].start, cases[k].stop, got, sizeof got),
			                 cases[k].count);
			files_assert(got, 500 + cases[k].first, (size_t)cases[k].count, 1);
		}
		assert_int_equal(smmap_buffer_slice(&b, 0, 11, got, 10), SMMAP_ERANGE);
		assert_int_equal(smmap_buffer_slice(&b, 0, 10, got, 10), 10);
		smmap_buffer_close(&b);
		smmap_cursor_close(&cursor);
		free_manager(manager);
	}
}

static void views_outlive_what_they_came_from(void)
{
	const char *path = files_make("a", 200000, 1);
	for (int i = 0; i < PLACEMENTS; i++) {
		smmap_manager *manager = new_manager(placements[i], 8192, 1000);
		smmap_cursor cursor = SMMAP_CURSOR_INIT;
		smmap_buffer b = SMMAP_BUFFER_INIT;
		smmap_view v[4] = {SMMAP_VIEW_INIT, SMMAP_VIEW_INIT, SMMAP_VIEW_INIT, SMMAP_VIEW_INIT};
		open_cursor(&cursor, manager, path);
		use_and_check(&cursor, 5000, 0, 8192, 1);
		assert_int_equal(smmap_cursor_view(&v[0], &cursor), 0);
		assert_int_equal(smmap_buffer_begin_access(&b, &cursor, 1000, SMMAP_TO_END), 0);
		assert_int_equal(smmap_buffer_view(&v[1], &b, 7000, 8000), 0);
		assert_int_equal(smmap_buffer_view(&v[2], &b, 1, -1), 0);
		assert_int_equal(smmap_buffer_view(&v[3], &b, 5, 5), 0);
		assert_int_equal(v[2].size, 198998);
		assert_int_equal(v[3].size, 0);
		assert_int_equal(stats_of(manager).exported_bytes, 198998);
		smmap_buffer_close(&b);
		smmap_cursor_close(&cursor);
		smmap_manager_collect(manager);
		assert_int_equal(smmap_manager_free(manager), SMMAP_EBUSY);
		files_assert(v[0].data, 5000, 8192, 1);
		files_assert(v[1].data, 8000, 1000, 1);
		files_assert(v[2].data, 1001, 198998, 1);
		smmap__manager_check(manager);
		for (int k = 0; k < 4; k++) {
			smmap_view_release(&v[k]);
			smmap_view_release(&v[k]);
			assert_null(v[k].data);
		}
		assert_int_equal(stats_of(manager).exported_bytes, 0);
		assert_int_equal(smmap_manager_mapped_memory_size(manager), 0);
		free_manager(manager);
	}
}

TEST_PROGRAM(TEST(indices_are_relative), TEST(begin_fails_without_harm),
             TEST(one_move_keeps_a_useful_range, .unit = 4096), TEST(slices_are_clipped),
             TEST(views_outlive_what_they_came_from, .unit = 4096))
