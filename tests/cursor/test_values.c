/* SPDX-License-Identifier: BSD-3-Clause */
/* Windows, errors, options, statistics. */
#include "cursor/setup.h"

#include <stdlib.h>
#include <string.h>

static void alignment(void)
{
	uint64_t unit = smmap_allocation_granularity();
	assert_true(unit >= 4096 && (unit & (unit - 1)) == 0);
	assert_int_equal(smmap_align(0, 0), 0);
	assert_int_equal(smmap_align(0, 1), 0);
	assert_int_equal(smmap_align(1, 0), 0);
	assert_int_equal(smmap_align(1, 1), unit);
	assert_int_equal(smmap_align(unit, 1), unit);
	assert_int_equal(smmap_align(unit + 1, 1), 2 * unit);
	assert_int_equal(smmap_align(UINT64_MAX, 1), UINT64_MAX - unit + 1);
	assert_int_equal(smmap_align(UINT64_MAX - unit + 2, 1), UINT64_MAX - unit + 1);
	assert_int_equal(smmap_align(UINT64_MAX, 0), UINT64_MAX - unit + 1);
	assert_int_equal(smmap_is_64_bit(), sizeof(void *) == 8);
}

static void windows(void)
{
	uint64_t unit = smmap_allocation_granularity();
	smmap_window w = {unit + 5, 10};
	assert_int_equal(smmap_window_end(&w), unit + 15);
	smmap_window_align(&w);
	assert_int_equal(w.offset, unit);
	assert_int_equal(w.size, unit);
	w = (smmap_window){UINT64_MAX - 5, UINT64_MAX};
	assert_int_equal(smmap_window_end(&w), UINT64_MAX);
	smmap_window_align(&w);
	assert_int_equal(w.offset, UINT64_MAX - unit + 1);
	assert_int_equal(w.size, 0);

	const smmap_window left = {100, 50}, right = {1000, 50};
	w = (smmap_window){500, 20};
	smmap_window_extend_left_to(&w, &left, 100);
	assert_int_equal(w.offset, 420);
	assert_int_equal(w.size, 100);
	smmap_window_extend_left_to(&w, &left, 10000);
	assert_int_equal(w.offset, 150);
	assert_int_equal(smmap_window_end(&w), 520);
	smmap_window_extend_left_to(&w, &left, 10000);
	assert_int_equal(w.offset, 150);
	smmap_window_extend_right_to(&w, &right, 400);
	assert_int_equal(w.size, 400);
	smmap_window_extend_right_to(&w, &right, UINT64_MAX);
	assert_int_equal(smmap_window_end(&w), 1000);
	smmap_window_extend_right_to(&w, &left, UINT64_MAX);
	assert_int_equal(smmap_window_end(&w), 1000);
	w = (smmap_window){500, 200};
	smmap_window_extend_left_to(&w, &left, 100);
	smmap_window_extend_right_to(&w, &right, 100);
	assert_int_equal(w.offset, 500);
	assert_int_equal(w.size, 200);
	const smmap_window endless = {5, UINT64_MAX};
	smmap_window_extend_left_to(&w, &endless, UINT64_MAX);
	assert_int_equal(w.offset, 500);
}

static void errors_have_names_and_messages(void)
{
	assert_string_equal(smmap_err_name(SMMAP_ENOENT), "SMMAP_ENOENT");
	assert_string_equal(smmap_err_name(SMMAP_ETRUNCATED), "SMMAP_ETRUNCATED");
	assert_string_equal(smmap_err_name(0), "SMMAP_OK");
	assert_string_equal(smmap_err_name(5), "SMMAP_EUNKNOWN");
	assert_string_equal(smmap_err_name(INT32_MIN), "SMMAP_EUNKNOWN");
	assert_string_equal(smmap_strerror(SMMAP_EISDIR), "is a directory");
	assert_non_null(smmap_strerror(0));
	assert_non_null(smmap_strerror(INT32_MAX));
	assert_string_equal(smmap_version(), SMMAP_VERSION_STRING);
#define SMMAP_X(name, value, message)                                                                        \
	assert_string_equal(smmap_err_name(name), #name);                                                        \
	assert_string_equal(smmap_strerror(name), message);
	SMMAP_ERROR_MAP(SMMAP_X)
#undef SMMAP_X
}

static void assert_bad_options(const smmap_options *options)
{
	smmap_manager *manager = (smmap_manager *)&manager;
	assert_int_equal(smmap_manager_new(&manager, options), SMMAP_EINVAL);
	assert_ptr_equal(manager, &manager);
}

static void *give(size_t size, void *context)
{
	++*(int *)context;
	return malloc(size);
}

static void take(void *block, void *context)
{
	--*(int *)context;
	free(block);
}

static void options_are_checked(void)
{
	const smmap_options defaults = SMMAP_OPTIONS_INIT;
	smmap_options o = defaults;
	for (size_t i = 0; i < sizeof o.reserved / sizeof *o.reserved; i++) {
		o = defaults;
		o.reserved[i] = 1;
		assert_bad_options(&o);
	}
	o = defaults, o.change = -1;
	assert_bad_options(&o);
	o = defaults, o.change = 3;
	assert_bad_options(&o);
	o = defaults, o.reserved_int = 1;
	assert_bad_options(&o);
	o = defaults, o.kind = 2;
	assert_bad_options(&o);
	o = defaults, o.kind = -1;
	assert_bad_options(&o);
	o = defaults, o.flags = 1u << 31;
	assert_bad_options(&o);
	o = defaults, o.window_size = -2;
	assert_bad_options(&o);
	o = defaults, o.window_size = INT64_MIN;
	assert_bad_options(&o);
	o = defaults, o.placement = 3;
	assert_bad_options(&o);
	o = defaults, o.placement = -1;
	assert_bad_options(&o);
	o = defaults, o.allocate = give;
	assert_bad_options(&o);
	o = defaults, o.deallocate = take;
	assert_bad_options(&o);
	o = defaults, o.max_descriptors = UINT32_MAX;
	assert_bad_options(&o);
}

static void windows_of_any_size(void)
{
	const int64_t sizes[] = {0,
	                         -1,
	                         1,
	                         4095,
	                         4096,
	                         4097,
	                         1000000,
	                         (int64_t)1 << 31,
	                         (int64_t)1 << 44,
	                         ((int64_t)1 << 62) + 1,
	                         INT64_MAX};
	const char *path = files_make("a", 100000, 1);
	for (int placement = SMMAP_PLACEMENT_AUTO; placement <= SMMAP_PLACEMENT_DETACHED; placement++) {
		for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
			smmap_manager *manager = new_manager(placement, (uint64_t)sizes[i], 0);
			smmap_cursor cursor = SMMAP_CURSOR_INIT;
			uint64_t window = smmap_manager_window_size(manager);
			if (sizes[i] <= 0)
				assert_int_equal(window, smmap_is_64_bit() ? GIB : 64 * MIB);
			else
				assert_int_equal(window, smmap_align((uint64_t)sizes[i], 1));
			open_cursor(&cursor, manager, path);
			use_and_check(&cursor, 10, 0, smmap__min(window, 99990), 1);
			use_and_check(&cursor, 99999, 0, 1, 1);
			smmap__manager_check(manager);
			smmap_cursor_close(&cursor);
			free_manager(manager);
		}
	}
}

static void allocators_of_the_caller(void)
{
	int live = 0;
	smmap_options o = SMMAP_OPTIONS_INIT;
	o.allocate = give;
	o.deallocate = take;
	o.allocator_context = &live;
	o.window_size = 4096;
	smmap_manager *manager;
	smmap_cursor cursor = SMMAP_CURSOR_INIT;
	assert_int_equal(smmap_manager_new(&manager, &o), 0);
	open_cursor(&cursor, manager, files_make("a", 100000, 1));
	assert_true(live > 4);
	for (uint64_t at = 0; at < 100000; at += 5000)
		use_and_check(&cursor, at, 0, 4096, 1);
	open_cursor(&cursor, manager, "/proc/version");
	assert_true(smmap_cursor_use_region(&cursor, 0, 0) > 0);
	smmap_cursor_close(&cursor);
	free_manager(manager);
	assert_int_equal(live, 0);
	assert_int_equal(smmap_manager_free(NULL), 0);
}

static void hits_are_counted_with_the_next_miss(void)
{
	smmap_manager *manager = new_manager(SMMAP_PLACEMENT_AUTO, 4096, MIB);
	smmap_cursor cursor = SMMAP_CURSOR_INIT;
	open_cursor(&cursor, manager, files_make("a", 100000, 1));
	for (int i = 0; i < 10; i++)
		use_and_check(&cursor, 100, 10, 10, 1);
	assert_int_equal(stats_of(manager).misses, 1);
	use_and_check(&cursor, 50000, 10, 10, 1);
	assert_int_equal(stats_of(manager).hits, 9);
	assert_int_equal(stats_of(manager).misses, 2);
	use_and_check(&cursor, 50000, 9, 9, 1);
	smmap_cursor_close(&cursor);
	assert_int_equal(stats_of(manager).hits, 10);
	free_manager(manager);
}

TEST_PROGRAM(TEST(alignment), TEST(windows), TEST(errors_have_names_and_messages), TEST(options_are_checked),
             TEST(windows_of_any_size), TEST(allocators_of_the_caller, .unit = 4096),
             TEST(hits_are_counted_with_the_next_miss, .unit = 4096))
