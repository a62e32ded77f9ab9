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

static _Atomic uint64_t *word_of(smmap_manager *manager, const char *path)
{
	smmap_cursor cursor = SMMAP_CURSOR_INIT;
	smmap__region region;
	assert_int_equal(smmap_cursor_open(&cursor, manager, path, 0), 0);
	assert_true(smmap__table_find(&cursor.file->regions, 0, &region));
	smmap_cursor_close(&cursor);
	return smmap__region_word(region);
}

/* The same the other way round; what comes to the main list meanwhile goes from there. */
static void a_busy_region_on_the_main_list_does_not_hide_others(void)
{
	/* So many that the main list comes first: probation has its share with one. */
	enum { MAIN = 4 };
	smmap_manager *manager;
	const char *mains[MAIN];
	_Atomic uint64_t *words[MAIN];
	assert_int_equal(smmap_manager_new(&manager, NULL), 0);
	for (int i = 0; i < MAIN; i++) {
		mains[i] = files_make((char[]){(char)('a' + i), '\0'}, 100, (uint64_t)i);
		use(manager, mains[i], 2);
		words[i] = word_of(manager, mains[i]);
	}
	const char *gone = files_make("gone", 100, 8), *other = files_make("other", 100, 9);
	use(manager, gone, 1);
	use(manager, other, 1);
	/* All but these two come to the main list. */
	assert_int_equal(smmap_manager_make_room(manager, 0), 1);
	assert_int_equal(manager->budget.evict.main.count, MAIN);
	use(manager, other, 1);
	assert_int_equal(smmap_manager_release_path(manager, mains[0], NULL), 1);
	assert_int_equal(smmap_manager_set_limits(manager, 0, MAIN), 0);
	/* As if other threads were mapping the rest of the main list. */
	for (int i = 1; i < MAIN; i++)
		*words[i] = smmap__word_with_state(*words[i], SMMAP__BUSY);
	use(manager, mains[0], 1);
	for (int i = 1; i < MAIN; i++)
		*words[i] = smmap__word_with_state(*words[i], SMMAP__MAPPED);
	smmap__manager_check(manager);
	assert_int_equal(smmap_manager_num_file_handles(manager), MAIN);
	for (int i = 0; i < MAIN; i++)
		assert_int_equal(smmap__word_state(*words[i]), SMMAP__MAPPED);
	smmap_stats stats;
	smmap_manager_stats(manager, &stats);
	assert_int_equal(stats.over_budget, 0);
	assert_int_equal(smmap_manager_free(manager), 0);
}

TEST_PROGRAM(TEST(a_busy_region_does_not_hide_others),
             TEST(a_busy_region_on_the_main_list_does_not_hide_others))
