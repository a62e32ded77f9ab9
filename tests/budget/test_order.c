/* SPDX-License-Identifier: BSD-3-Clause */
/* The eviction order in cases that traces seldom meet. */
#include "harness/harness.h"

#include "manager/manager.h"

#include <smmap.h>

static void use(smmap_manager *manager, const char *path, int times)
{
	smmap_cursor cursor = SMMAP_CURSOR_INIT;
	assert_int_equal(smmap_cursor_open(&cursor, manager, path, 0), 0);
	for (int i = 0; i < times; i++) {
		assert_int_equal(smmap_cursor_use_region(&cursor, 0, 0), 100);
		smmap_cursor_unuse_region(&cursor);
	}
	smmap_cursor_close(&cursor);
}

/* The region that is being mapped may be all of its list; what is on the other list goes all the same. */
static void a_busy_region_does_not_hide_others(void)
{
	smmap_manager *manager;
	assert_int_equal(smmap_manager_new(&manager, NULL), 0);
	const char *a = files_make("a", 100, 1), *b = files_make("b", 100, 2);
	const char *c = files_make("c", 100, 3), *d = files_make("d", 100, 4);
	use(manager, a, 2);
	use(manager, b, 2);
	use(manager, c, 1);
	/* a and b come to the main list; c goes. */
	assert_int_equal(smmap_manager_make_room(manager, 0), 1);
	/* d is evicted out of turn, so that it stays on the probation list, alone. */
	use(manager, d, 1);
	assert_int_equal(smmap_manager_release_path(manager, d, NULL), 1);
	smmap__manager_check(manager);
	assert_int_equal(manager->budget.evict.probation.count, 1);
	assert_int_equal(manager->budget.evict.main.count, 2);

	assert_int_equal(smmap_manager_set_limits(manager, 0, 2), 0);
	use(manager, d, 1);
	smmap__manager_check(manager);
	assert_int_equal(smmap_manager_num_file_handles(manager), 2);
	smmap_stats stats;
	smmap_manager_stats(manager, &stats);
	assert_int_equal(stats.over_budget, 0);
	assert_int_equal(smmap_manager_free(manager), 0);
}

/* The same the other way round; what comes to the main list meanwhile goes from there. */
static void a_busy_region_on_the_main_list_does_not_hide_others(void)
{
	smmap_manager *manager;
	assert_int_equal(smmap_manager_new(&manager, NULL), 0);
	const char *a = files_make("a", 100, 1), *b = files_make("b", 100, 2), *c = files_make("c", 100, 3);
	use(manager, a, 2);
	use(manager, b, 1);
	assert_int_equal(smmap_manager_make_room(manager, 0), 1);
	assert_int_equal(smmap_manager_release_path(manager, a, NULL), 1);
	use(manager, b, 2);
	use(manager, c, 2);
	assert_int_equal(smmap_manager_set_limits(manager, 0, 2), 0);
	/* As if probation had proved too short. */
	manager->budget.evict.probation_target = 992;
	use(manager, a, 1);
	smmap__manager_check(manager);
	assert_int_equal(smmap_manager_num_file_handles(manager), 2);
	smmap_stats stats;
	smmap_manager_stats(manager, &stats);
	assert_int_equal(stats.over_budget, 0);
	assert_int_equal(smmap_manager_free(manager), 0);
}

TEST_PROGRAM(TEST(a_busy_region_does_not_hide_others),
             TEST(a_busy_region_on_the_main_list_does_not_hide_others))
