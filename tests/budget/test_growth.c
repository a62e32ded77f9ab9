/* SPDX-License-Identifier: BSD-3-Clause */
/* What a file that grows where it lies is charged. */
#include "harness/harness.h"

#include "manager/manager.h"

#include <smmap.h>

#define MIB (UINT64_C(1) << 20)

static smmap_manager *new_manager(uint64_t window, uint64_t limit)
{
	smmap_manager *manager;
	smmap_options options = SMMAP_OPTIONS_INIT;
	options.window_size = (int64_t)window;
	options.max_memory = limit;
	assert_int_equal(smmap_manager_new(&manager, &options), 0);
	return manager;
}

static void charges_what_is_there(void)
{
	smmap_manager *manager = new_manager(64 * MIB, 256 * MIB);
	smmap_cursor cursor = SMMAP_CURSOR_INIT;
	const char *path = files_make("a", 10000, 1);
	assert_int_equal(smmap_cursor_open(&cursor, manager, path, 0), 0);
	assert_int_equal(smmap_cursor_use_region(&cursor, 0, 0), 10000);
	const unsigned char *data = smmap_cursor_data(&cursor);
	files_write(path, 10000, 2000, 1);
	assert_int_equal(smmap_refresh(&cursor), SMMAP_CHANGE_GREW | SMMAP_CHANGE_MODIFIED);
	assert_int_equal(smmap_cursor_file_size(&cursor), 12000);
	assert_int_equal(smmap_manager_mapped_memory_size(manager), 12000);
	smmap__manager_check(manager);
	assert_int_equal(smmap_cursor_use_region(&cursor, 0, 0), 12000);
	assert_ptr_equal(smmap_cursor_data(&cursor), data);
	files_assert(data, 0, 12000, 1);
	smmap_cursor_close(&cursor);
	assert_int_equal(smmap_manager_collect(manager), 1);
	assert_int_equal(smmap_manager_mapped_memory_size(manager), 0);
	assert_int_equal(smmap_manager_free(manager), 0);
}

/* From a short region to a whole one, with new regions behind it. */
static void grows_over_several_regions(void)
{
	smmap_manager *manager = new_manager(2 * MIB, 64 * MIB);
	smmap_cursor cursor = SMMAP_CURSOR_INIT;
	const char *path = files_make("a", 4 * MIB + 5, 1);
	assert_int_equal(smmap_cursor_open(&cursor, manager, path, 0), 0);
	assert_int_equal(smmap_cursor_use_region(&cursor, 4 * MIB, 0), 5);
	for (uint64_t size = 4 * MIB + 5; size < 20 * MIB; size += MIB + 77) {
		files_write(path, size, MIB + 77, 1);
		assert_int_equal(smmap_refresh(&cursor), SMMAP_CHANGE_GREW | SMMAP_CHANGE_MODIFIED);
		smmap__manager_check(manager);
		uint64_t last = size + MIB + 77 - 1;
		assert_int_equal(smmap_cursor_use_region(&cursor, last, 0), 1);
		files_assert(smmap_cursor_data(&cursor), last, 1, 1);
		smmap__manager_check(manager);
	}
	smmap_cursor_close(&cursor);
	assert_int_equal(smmap_manager_free(manager), 0);
}

/* Growing charges more; what no pin holds goes for it. (Within a page, so that it is always possible in place.) */
static void gives_back_what_growth_makes_too_much(void)
{
	smmap_manager *manager = new_manager(2 * MIB, 3 * MIB - 1000);
	smmap_cursor cursor = SMMAP_CURSOR_INIT, other = SMMAP_CURSOR_INIT;
	const char *path = files_make("a", MIB - 3000, 1);
	assert_int_equal(smmap_cursor_open(&cursor, manager, path, 0), 0);
	assert_int_equal(smmap_cursor_open(&other, manager, files_make("b", 2 * MIB, 2), 0), 0);
	assert_int_equal(smmap_cursor_use_region(&other, 0, 0), 2 * MIB);
	assert_int_equal(smmap_cursor_use_region(&cursor, 0, 0), MIB - 3000);
	smmap_cursor_unuse_region(&other);
	files_write(path, MIB - 3000, 3000, 1);
	assert_int_equal(smmap_refresh(&cursor), SMMAP_CHANGE_GREW | SMMAP_CHANGE_MODIFIED);
	assert_int_equal(smmap_manager_mapped_memory_size(manager), MIB);
	smmap__manager_check(manager);
	smmap_cursor_close(&cursor);
	smmap_cursor_close(&other);
	assert_int_equal(smmap_manager_free(manager), 0);
}

TEST_PROGRAM(TEST(charges_what_is_there, .stable = true), TEST(grows_over_several_regions),
             TEST(gives_back_what_growth_makes_too_much, .stable = true))
