/* SPDX-License-Identifier: BSD-3-Clause */
/* A file's bytes laid over memory of the caller's; and the one region that a manager may keep over its limit. */
#include "cursor/setup.h"

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static void *anonymous(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(p, MAP_FAILED);
	return p;
}

static void bytes_lie_where_they_are_wanted(void)
{
	const char *path = files_make("a", 50000, 1);
	for (int i = 0; i < PLACEMENTS; i++) {
		smmap_manager *manager = new_manager(placements[i], 16384, MIB);
		smmap_cursor cursor = SMMAP_CURSOR_INIT;
		smmap_view view = SMMAP_VIEW_INIT;
		smmap_stats stats;
		unsigned char *p = anonymous(49152);
		open_cursor(&cursor, manager, path);
		/* One region: pinned, charged once, not collected. */
		assert_int_equal(smmap_cursor_map_at(&view, &cursor, 16384, 16384, p), 0);
		assert_ptr_equal(view.data, p);
		files_assert(p, 16384, 16384, 1);
		assert_int_equal(smmap_manager_mapped_memory_size(manager), 16384);
		assert_int_equal(smmap_manager_collect(manager), 0);
		smmap_view_release(&view);
		files_assert(p, 16384, 16384, 1);
		assert_int_equal(smmap_manager_collect(manager), 1);
		/* More than a window: exported. */
		assert_int_equal(smmap_cursor_map_at(&view, &cursor, 4096, 45904, p), 0);
		files_assert(p, 4096, 45904, 1);
		smmap_manager_stats(manager, &stats);
		assert_int_equal(stats.exported_bytes, 45904);
		smmap_view_release(&view);
		smmap_manager_stats(manager, &stats);
		assert_int_equal(stats.exported_bytes, 0);
		/* By the table, whose books know what was mapped there. */
		assert_int_equal(smmap__os.unmap(p, 49152), 0);
		smmap_cursor_close(&cursor);
		free_manager(manager);
	}
}

static void mappings_are_counted(const smmap_manager *manager, uint64_t count)
{
	smmap_stats stats;
	smmap_manager_stats(manager, &stats);
	assert_int_equal(stats.mappings, count);
}

/* A view that is a mapping of its own is in no table, and counted all the same; also in a child, which counts anew. */
static void views_are_counted_as_mappings(void)
{
	const char *path = files_make("a", 50000, 1);
	smmap_manager *manager = new_manager(SMMAP_PLACEMENT_DETACHED, 16384, MIB);
	smmap_cursor cursor = SMMAP_CURSOR_INIT;
	smmap_buffer buffer = SMMAP_BUFFER_INIT;
	smmap_view pinned = SMMAP_VIEW_INIT, exported = SMMAP_VIEW_INIT;
	unsigned char *p = anonymous(16384);
	int status;
	open_cursor(&cursor, manager, path);
	assert_int_equal(smmap_cursor_map_at(&pinned, &cursor, 16384, 16384, p), 0);
	smmap__manager_check(manager);
	assert_int_equal(smmap_buffer_begin_access(&buffer, &cursor, 0, SMMAP_TO_END), 0);
	assert_int_equal(smmap_buffer_view(&exported, &buffer, 0, INT64_MAX), 0);
	smmap__manager_check(manager);
	mappings_are_counted(manager, 4); /* two regions and two views */
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		smmap_stats stats;
		(void)smmap_manager_collect(manager); /* nothing, but it counts */
		smmap_manager_stats(manager, &stats);
		if (stats.mappings != 4)
			_exit(2);
		smmap_view_release(&pinned);
		smmap_view_release(&exported);
		smmap_buffer_close(&buffer);
		(void)smmap_manager_collect(manager);
		smmap_manager_stats(manager, &stats);
		_exit(stats.mappings == 0 ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	smmap_view_release(&pinned);
	smmap_view_release(&exported);
	smmap_buffer_close(&buffer);
	smmap__manager_check(manager);
	assert_int_equal(smmap__os.unmap(p, 16384), 0);
	smmap_cursor_close(&cursor);
	free_manager(manager);
}

static void wrong_ranges_change_nothing(void)
{
	const char *path = files_make("a", 50000, 1);
	smmap_manager *manager = new_manager(SMMAP_PLACEMENT_AUTO, 16384, MIB);
	smmap_cursor cursor = SMMAP_CURSOR_INIT;
	smmap_view view = SMMAP_VIEW_INIT;
	unsigned char *p = anonymous(16384);
	assert_int_equal(smmap_cursor_map_at(&view, &cursor, 0, 4096, p), SMMAP_ECLOSED);
	open_cursor(&cursor, manager, path);
	assert_int_equal(smmap_cursor_map_at(&view, &cursor, 1, 4096, p), SMMAP_EINVAL);
	assert_int_equal(smmap_cursor_map_at(&view, &cursor, 0, 4096, p + 1), SMMAP_EINVAL);
	assert_int_equal(smmap_cursor_map_at(&view, &cursor, 0, 4096, NULL), SMMAP_EINVAL);
	assert_int_equal(smmap_cursor_map_at(&view, &cursor, 0, 0, p), SMMAP_ERANGE);
	assert_int_equal(smmap_cursor_map_at(&view, &cursor, 0, 50001, p), SMMAP_ERANGE);
	assert_int_equal(smmap_cursor_map_at(&view, &cursor, 53248, 1, p), SMMAP_ERANGE);
	assert_int_equal(smmap_cursor_map_at(&view, &cursor, 4096, UINT64_MAX, p), SMMAP_ERANGE);
	assert_null(view.data);
	assert_int_equal(p[0], 0);
	munmap(p, 16384);
	smmap_cursor_close(&cursor);
	free_manager(manager);
}

static void the_only_region_is_kept_where_wished(void)
{
	const char *a = files_make("a", 50000, 1), *b = files_make("b", 60000, 2);
	for (unsigned keep = 0; keep < 2; keep++) {
		smmap_manager *manager;
		smmap_cursor cursor = SMMAP_CURSOR_INIT, other = SMMAP_CURSOR_INIT;
		smmap_options options = SMMAP_OPTIONS_INIT;
		options.kind = SMMAP_STATIC;
		options.max_memory = 10000;
		options.flags = keep != 0 ? SMMAP_KEEP_ONE : 0;
		assert_int_equal(smmap_manager_new(&manager, &options), 0);
		open_cursor(&cursor, manager, a);
		open_cursor(&other, manager, b);
		use_and_check(&cursor, 0, 0, 50000, 1);
		smmap_cursor_unuse_region(&cursor);
		assert_int_equal(smmap_manager_num_file_handles(manager), keep);
		/* It makes room for what is wanted, and goes when asked to. */
		use_and_check(&other, 0, 0, 60000, 2);
		assert_int_equal(smmap_manager_num_file_handles(manager), 1);
		smmap_cursor_unuse_region(&other);
		assert_int_equal(smmap_manager_num_file_handles(manager), keep);
		assert_int_equal(smmap_manager_collect(manager), keep);
		smmap_cursor_close(&cursor);
		smmap_cursor_close(&other);
		free_manager(manager);
	}
}

TEST_PROGRAM(TEST(bytes_lie_where_they_are_wanted, .unit = 4096),
             TEST(views_are_counted_as_mappings, .unit = 4096),
             TEST(wrong_ranges_change_nothing, .unit = 4096), TEST(the_only_region_is_kept_where_wished))
