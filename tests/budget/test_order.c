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

static _Atomic uint64_t *word_of(smmap_manager *manager, const char *path)
{
	smmap_cursor cursor = SMMAP_CURSOR_INIT;
	smmap__region region;
	assert_int_equal(smmap_cursor_open(&cursor, manager, path, 0), 0);
	assert_true(smmap__table_find(&cursor.file->regions, 0, &region));
	smmap_cursor_close(&cursor);
	return smmap__region_word(region);
}

/* A manager with `a` on the main list and `c` on probation; b went. */
static smmap_manager *new_manager(const char **a, const char **c)
{
	smmap_manager *manager;
	assert_int_equal(smmap_manager_new(&manager, NULL), 0);
	*a = files_make("a", 100, 1);
	*c = files_make("c", 100, 3);
	use(manager, *a, 2);
	use(manager, files_make("b", 100, 2), 1);
	use(manager, *c, 1);
	assert_int_equal(smmap_manager_make_room(manager, 0), 1);
	assert_int_equal(manager->budget.evict.probation.count, 1);
	assert_int_equal(manager->budget.evict.main.count, 1);
	return manager;
}

static void check_and_free(smmap_manager *manager, int mapped)
{
	smmap_stats stats;
	smmap__manager_check(manager);
	assert_int_equal(smmap_manager_num_file_handles(manager), mapped);
	smmap_manager_stats(manager, &stats);
	assert_int_equal(stats.over_budget, 0);
	assert_int_equal(smmap_manager_free(manager), 0);
}

/* Other threads may be at work on all of the probation list; what is on the other list goes all the same. */
static void busy_regions_do_not_hide_others(void)
{
	const char *a, *c, *d = files_make("d", 100, 4);
	smmap_manager *manager = new_manager(&a, &c);
	/* d is evicted out of turn, so that it stays on the list, and is BUSY there when it is mapped again. */
	use(manager, d, 1);
	assert_int_equal(smmap_manager_release_path(manager, d, NULL), 1);
	assert_int_equal(smmap_manager_set_limits(manager, 0, 2), 0);
	/* As if another thread were mapping c. */
	_Atomic uint64_t *word = word_of(manager, c);
	*word = smmap__word_with_state(*word, SMMAP__BUSY);
	use(manager, d, 1);
	*word = smmap__word_with_state(*word, SMMAP__MAPPED);
	assert_int_equal(manager->budget.evict.main.count, 0);
	check_and_free(manager, 2);
}

/* The same the other way round; what comes to the main list meanwhile goes from there. */
static void busy_regions_on_the_main_list_do_not_hide_others(void)
{
	const char *a, *c;
	smmap_manager *manager = new_manager(&a, &c);
	assert_int_equal(smmap_manager_release_path(manager, a, NULL), 1);
	use(manager, c, 1);
	assert_int_equal(smmap_manager_set_limits(manager, 0, 1), 0);
	use(manager, a, 1);
	assert_int_equal(smmap__word_state(*word_of(manager, a)), SMMAP__MAPPED);
	check_and_free(manager, 1);
}

TEST_PROGRAM(TEST(busy_regions_do_not_hide_others), TEST(busy_regions_on_the_main_list_do_not_hide_others))
