/* SPDX-License-Identifier: BSD-3-Clause */
/* What a child makes of its copies. */
#include "cursor/setup.h"

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* Run in the child: 0, or which step went wrong. */
static int use_and_let_go(smmap_manager *manager, smmap_cursor *cursor, smmap_view views[2])
{
	uint64_t before = stats_of(manager).mappings;
	if (smmap_cursor_use_region(cursor, 20000, 100) != 100) /* counts the books anew */
		return 1;
	smmap__manager_check(manager);
	if (files_compare(views[0].data, 0, 50000, 1) != 50000)
		return 2;
	smmap_view_release(&views[0]);
	smmap_view_release(&views[1]);
	smmap_cursor_close(cursor);
	smmap__manager_check(manager);
	if (stats_of(manager).mappings > before)
		return 3;
	return smmap_manager_free(manager) == 0 ? 0 : 4;
}

/* The mappings of views are in no table: they must not be lost when a child counts what it has. */
static void views_are_in_a_childs_books(void)
{
	for (int i = 0; i < PLACEMENTS; i++) {
		smmap_manager *manager = new_manager(placements[i], 8192, MIB);
		smmap_cursor cursor = SMMAP_CURSOR_INIT;
		smmap_buffer buffer = SMMAP_BUFFER_INIT;
		smmap_view views[2] = {SMMAP_VIEW_INIT, SMMAP_VIEW_INIT};
		void *room = mmap(NULL, 65536, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		assert_ptr_not_equal(room, MAP_FAILED);
		open_cursor(&cursor, manager, files_make("a", 50000, 1));
		assert_int_equal(smmap_buffer_begin_access(&buffer, &cursor, 0, SMMAP_TO_END), 0);
		assert_int_equal(smmap_buffer_view(&views[0], &buffer, 0, INT64_MAX), 0);
		smmap_buffer_close(&buffer);
		assert_int_equal(smmap_cursor_map_at(&views[1], &cursor, 0, 4096, room), 0);
		smmap__manager_check(manager);
		pid_t child = fork();
		assert_true(child >= 0);
		if (child == 0)
			_exit(use_and_let_go(manager, &cursor, views));
		int status;
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_int_equal(status, 0);
		smmap_view_release(&views[0]);
		smmap_view_release(&views[1]);
		assert_int_equal(smmap__os.unmap(room, 65536), 0);
		smmap_cursor_close(&cursor);
		free_manager(manager);
	}
}

/* ---- a fork in the middle of what another thread does ---- */

static int (*next_unmap)(void *address, size_t length);
static smmap_manager *forked_manager;
static smmap_cursor *forked_cursor;
static pid_t forked;

/* In the child nobody comes back to what was under way. */
static int fork_and_unmap(void *address, size_t length)
{
	smmap__os.unmap = next_unmap;
	forked = fork();
	if (forked != 0)
		return next_unmap(address, length);
	alarm(20);
	if (smmap_cursor_use_region(forked_cursor, 20000, 100) != 100)
		_exit(1);
	smmap__manager_check(forked_manager);
	smmap_cursor_close(forked_cursor);
	(void)smmap_manager_collect(forked_manager);
	smmap__manager_check(forked_manager);
	_exit(smmap_manager_free(forked_manager) == 0 ? 0 : 2);
}

static void a_mapping_that_was_given_up_meanwhile(void)
{
	smmap_manager *manager = new_manager(SMMAP_PLACEMENT_STABLE, 8192, MIB);
	smmap_cursor cursor = SMMAP_CURSOR_INIT, idle = SMMAP_CURSOR_INIT;
	const char *path = files_make("idle", 50000, 2);
	open_cursor(&idle, manager, path);
	use_and_check(&idle, 100, 100, 100, 2);
	smmap_cursor_close(&idle);
	open_cursor(&cursor, manager, files_make("a", 50000, 1));
	use_and_check(&cursor, 100, 100, 100, 1);
	forked_manager = manager;
	forked_cursor = &cursor;
	next_unmap = smmap__os.unmap;
	smmap__os.unmap = fork_and_unmap;
	/* Under the stress build nothing was mapped any more. */
	assert_int_equal(smmap_manager_release_path(manager, path, NULL), SMMAP__EVICT_AT_ONCE ? 0 : 1);
	smmap__os.unmap = next_unmap;
	assert_true(forked > 0);
	int status;
	assert_int_equal(waitpid(forked, &status, 0), forked);
	assert_int_equal(status, 0);
	smmap_cursor_close(&cursor);
	free_manager(manager);
}

TEST_PROGRAM(TEST(views_are_in_a_childs_books, .unit = 4096),
             TEST(a_mapping_that_was_given_up_meanwhile, .unit = 4096))
