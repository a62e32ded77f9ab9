/* SPDX-License-Identifier: BSD-3-Clause */
/* Region handles, lists of regions, and giving back. */
#include "cursor/setup.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

static void handles_name_regions(void)
{
	const char *path = files_make("a", 20000, 1);
	for (int i = 0; i < PLACEMENTS; i++) {
		smmap_manager *manager = new_manager(placements[i], 8192, MIB);
		smmap_cursor cursor = SMMAP_CURSOR_INIT;
		smmap_region a = SMMAP_REGION_INIT, b = SMMAP_REGION_INIT;
		open_cursor(&cursor, manager, path);
		use_and_check(&cursor, 17000, 10, 10, 1);
		assert_int_equal(smmap_cursor_region(&cursor, &a), 0);
		assert_int_equal(smmap_cursor_region(&cursor, &b), 0);
		assert_int_equal(smmap_region_equal(&a, &b), 1);
		assert_int_equal(smmap_region_ofs_begin(&a), 16384);
		assert_int_equal(smmap_region_size(&a), 20000 - 16384);
		assert_int_equal(smmap_region_ofs_end(&a), 20000);
		assert_int_equal(smmap_region_includes_ofs(&a, 16384), 1);
		assert_int_equal(smmap_region_includes_ofs(&a, 20000), 0);
		assert_int_equal(smmap_region_includes_ofs(&a, 16383), 0);
		assert_int_equal(smmap_window_from_region(&a).size, 20000 - 16384);
		files_assert(smmap_region_data(&a), 16384, 20000 - 16384, 1);
		assert_int_equal(smmap_region_client_count(&a), 2);
		assert_int_equal(smmap_region_release(&a), SMMAP_EBUSY);
		use_and_check(&cursor, 0, 10, 10, 1);
		assert_int_equal(smmap_cursor_region(&cursor, &b), 0);
		assert_int_equal(smmap_region_equal(&a, &b), 0);
		assert_int_equal(smmap_region_client_count(&a), 1);
		assert_int_equal(smmap_region_release(&a), 0);
		assert_int_equal(smmap_region_release(&a), 0);
		assert_null(smmap_region_data(&a));
		assert_int_equal(smmap_region_client_count(&a), 0);
		assert_int_equal(smmap_region_increment_client_count(&a, 1), SMMAP_ECLOSED);
		assert_int_equal(smmap_region_increment_client_count(&a, 0), 0);
		smmap_cursor_close(&cursor);
		assert_int_equal(smmap_manager_free(manager), SMMAP_EBUSY);
		smmap_region_close(&a);
		smmap_region_close(&b);
		smmap_region_close(&b);
		free_manager(manager);
	}
}

static void clients_can_give_back_only_what_they_took(void)
{
	const char *path = files_make("a", 20000, 1);
	for (int i = 0; i < PLACEMENTS; i++) {
		smmap_manager *manager = new_manager(placements[i], 8192, MIB);
		smmap_cursor cursor = SMMAP_CURSOR_INIT;
		smmap_region a = SMMAP_REGION_INIT, b = SMMAP_REGION_INIT;
		open_cursor(&cursor, manager, path);
		use_and_check(&cursor, 0, 10, 10, 1);
		assert_int_equal(smmap_cursor_region(&cursor, &a), 0);
		assert_int_equal(smmap_cursor_region(&cursor, &b), 0);
		assert_int_equal(smmap_region_increment_client_count(&a, -1), SMMAP_EINVAL);
		assert_int_equal(smmap_region_increment_client_count(&a, INT64_MIN), SMMAP_EINVAL);
		assert_int_equal(smmap_region_increment_client_count(&a, INT64_MAX), SMMAP_EOVERFLOW);
		assert_int_equal(smmap_region_increment_client_count(&a, (int64_t)UINT32_MAX + 1), SMMAP_EOVERFLOW);
		assert_int_equal(smmap_region_increment_client_count(&a, UINT32_MAX), SMMAP_EOVERFLOW);
		assert_int_equal(smmap_region_client_count(&a), 2);
		assert_int_equal(smmap_region_increment_client_count(&a, (int64_t)UINT32_MAX - 1), 0);
		assert_int_equal(smmap_region_client_count(&a), (uint64_t)UINT32_MAX + 1);
		/* Nobody can pin it any more, and nobody else is hurt by it. */
		smmap_cursor other = SMMAP_CURSOR_INIT;
		open_cursor(&other, manager, path);
		assert_int_equal(smmap_cursor_use_region(&other, 5, 5), SMMAP_EOVERFLOW);
		assert_int_equal(smmap_cursor_assign(&other, &cursor), SMMAP_EOVERFLOW);
		use_and_check(&other, 8192, 5, 5, 1);
		assert_int_equal(smmap_region_increment_client_count(&b, 1), SMMAP_EOVERFLOW);
		assert_int_equal(smmap_region_increment_client_count(&a, -(int64_t)UINT32_MAX), SMMAP_EINVAL);
		assert_int_equal(smmap_region_increment_client_count(&a, -(int64_t)UINT32_MAX + 1), 0);
		assert_int_equal(smmap_region_client_count(&a), 2);
		assert_int_equal(smmap_region_increment_client_count(&a, 3), 0);
		smmap_cursor_close(&cursor);
		smmap_cursor_close(&other);
		smmap_manager_collect(manager);
		files_assert(smmap_region_data(&a), 0, 8192, 1);
		assert_int_equal(smmap_region_client_count(&b), 4);
		smmap__manager_check(manager);
		smmap_region_close(&a);
		assert_int_equal(smmap_region_client_count(&b), 1);
		assert_int_equal(smmap_manager_collect(manager), 1);
		smmap_region_close(&b);
		free_manager(manager);
	}
}

static void regions_by_themselves(void)
{
	const char *path = files_make("a", 20000, 1);
	smmap_region r = SMMAP_REGION_INIT;
	books_figures books = books_now();
	assert_int_equal(smmap_region_open(&r, path, 100, 10, 0), SMMAP_EINVAL);
	assert_int_equal(smmap_region_open(&r, path, 20480, 10, 0), SMMAP_ERANGE);
	assert_int_equal(smmap_region_open(&r, path, 0, 0, 0), SMMAP_ERANGE);
	assert_int_equal(smmap_region_open(&r, path, UINT64_MAX & ~UINT64_C(4095), UINT64_MAX, 0), SMMAP_ERANGE);
	assert_int_equal(smmap_region_open(&r, NULL, 0, 1, 0), SMMAP_EINVAL);
	assert_int_equal(smmap_region_open(&r, "", 0, 1, 0), SMMAP_ENOENT);
	assert_int_equal(smmap_region_open_fd(&r, -1, 0, 1), SMMAP_EBADF);
	assert_int_equal(smmap_region_open_fd(&r, 0, 1, 1), SMMAP_EINVAL);
	assert_int_equal(smmap_region_release(&r), SMMAP_ECLOSED);
	assert_int_equal(smmap_region_increment_client_count(&r, 1), SMMAP_ECLOSED);
	assert_int_equal(smmap_region_client_count(&r), 0);
	assert_int_equal(smmap_region_includes_ofs(&r, 0), 0);
	assert_null(smmap_region_data(&r));
	books_assert_same(&books);

	assert_int_equal(smmap_region_open(&r, path, 8192, UINT64_MAX, 0), 0);
	assert_int_equal(smmap_region_ofs_begin(&r), 8192);
	assert_int_equal(smmap_region_size(&r), 20000 - 8192);
	files_assert(smmap_region_data(&r), 8192, 20000 - 8192, 1);
	assert_int_equal(smmap_region_client_count(&r), 1);
	assert_int_equal(smmap_region_increment_client_count(&r, 2), 0);
	assert_int_equal(smmap_region_increment_client_count(&r, -4), SMMAP_EINVAL);
	assert_int_equal(smmap_region_increment_client_count(&r, -2), 0);
	assert_int_equal(smmap_region_increment_client_count(&r, -1), 1);
	assert_null(smmap_region_data(&r));
	assert_int_equal(smmap_region_increment_client_count(&r, 1), SMMAP_ECLOSED);
	books_assert_same(&books);

	int fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(smmap_region_open_fd(&r, fd, 4096, 100), 0);
	close(fd);
	files_assert(smmap_region_data(&r), 4096, 100, 1);
	/* A failed open leaves it as it is, another one replaces it. */
	assert_int_equal(smmap_region_open(&r, "", 0, 1, 0), SMMAP_ENOENT);
	assert_int_equal(smmap_region_size(&r), 100);
	assert_int_equal(smmap_region_open(&r, path, 0, 10, 0), 0);
	assert_int_equal(smmap_region_size(&r), 10);
	assert_int_equal(smmap_region_release(&r), 0);
	smmap_region_close(&r);
	books_assert_same(&books);
}

static void lists_are_snapshots_in_order(void)
{
	const char *path = files_make("a", 100000, 1);
	for (int i = 0; i < PLACEMENTS; i++) {
		smmap_manager *manager = new_manager(placements[i], 8192, MIB);
		smmap_cursor cursor = SMMAP_CURSOR_INIT;
		smmap_region_list *list;
		smmap_region r = SMMAP_REGION_INIT;
		open_cursor(&cursor, manager, path);
		assert_int_equal(smmap_region_list_new(&list, &cursor), 0);
		assert_int_equal(smmap_region_list_count(list), 0);
		smmap_region_list_free(list);
		static const uint64_t offsets[] = {90000, 8000, 0, 40000, 20000, 16000, 8200};
		for (size_t k = 0; k < sizeof offsets / sizeof *offsets; k++)
			use_and_check(&cursor, offsets[k], 1000, 1000, 1);
		assert_int_equal(smmap_region_list_new(&list, &cursor), 0);
		assert_string_equal(smmap_region_list_path(list), path);
		assert_true(smmap_region_list_fd(list) < 0);
		smmap_cursor_close(&cursor);
		assert_int_equal(smmap_region_list_file_size(list), 100000);
		size_t count = smmap_region_list_count(list);
		assert_int_equal(count, smmap_manager_num_file_handles(manager));
		uint64_t before = 0;
		for (size_t k = 0; k < count; k++) {
			assert_int_equal(smmap_region_list_get(list, k, &r), 0);
			assert_true(smmap_region_ofs_begin(&r) >= before);
			before = smmap_region_ofs_begin(&r);
			files_assert(smmap_region_data(&r), before, (size_t)smmap_region_size(&r), 1);
		}
		assert_int_equal(smmap_region_list_get(list, count, &r), SMMAP_ERANGE);
		assert_int_equal(smmap_region_list_get(list, SIZE_MAX, &r), SMMAP_ERANGE);
		assert_int_equal(smmap_manager_collect(manager), count);
		assert_null(smmap_region_data(&r));
		smmap_region_list_free(list);
		smmap_region_list_free(NULL);
		smmap_region_close(&r);
		free_manager(manager);
	}
}

static void giving_back(void)
{
	const char *path = files_make("a", 100000, 1), *other = files_make("b", 100000, 2);
	for (int i = 0; i < PLACEMENTS; i++) {
		smmap_manager *manager = new_manager(placements[i], 8192, 10 * 8192);
		smmap_cursor a = SMMAP_CURSOR_INIT, b = SMMAP_CURSOR_INIT;
		uint64_t pinned = 7;
		open_cursor(&a, manager, path);
		open_cursor(&b, manager, other);
		for (uint64_t k = 0; k < 5; k++) {
			use_and_check(&a, k * 8192, 0, 8192, 1);
			use_and_check(&b, k * 8192, 0, 8192, 2);
		}
		assert_int_equal(smmap_manager_num_file_handles(manager), 10);
		assert_int_equal(smmap_manager_num_open_files(manager), 2);
		assert_int_equal(smmap_manager_make_room(manager, 0), 1);
		assert_int_equal(smmap_manager_make_room(manager, 8192), 0);
		assert_int_equal(smmap_manager_make_room(manager, 8193), 1);
		assert_int_equal(smmap_manager_make_room(manager, 0), 1);
		assert_int_equal(smmap_manager_release_path(manager, "", NULL), SMMAP_ENOENT);
		assert_int_equal(smmap_manager_release_path(manager, files_path("no"), &pinned), SMMAP_ENOENT);
		assert_int_equal(pinned, 7);
		assert_int_equal(smmap_manager_release_path(manager, files_make("c", 1, 1), &pinned), 0);
		assert_int_equal(pinned, 0);
		uint64_t before = smmap_manager_num_file_handles(manager);
		int64_t given = smmap_manager_release_path(manager, path, &pinned);
		assert_true(given > 0);
		assert_int_equal(pinned, 1);
		assert_int_equal(smmap_manager_num_file_handles(manager), before - (uint64_t)given);
		smmap__manager_check(manager);
		/* New limits at once. */
		assert_int_equal(smmap_manager_set_limits(manager, 0, 2), 0);
		assert_int_equal(smmap_manager_num_file_handles(manager), 2);
		assert_int_equal(smmap_manager_max_mapped_memory_size(manager), sizeof(void *) == 8 ? 8 * GIB : GIB);
		assert_int_equal(smmap_manager_max_file_handles(manager), 2);
		smmap_cursor_unuse_region(&a);
		assert_int_equal(smmap_manager_set_limits(manager, 1, 0), 0);
		assert_int_equal(smmap_manager_num_file_handles(manager), 1);
		assert_true(stats_of(manager).over_budget != 0);
		assert_int_equal(smmap_manager_make_room(manager, UINT64_MAX), 0);
		smmap_cursor_unuse_region(&b);
		assert_int_equal(smmap_manager_num_file_handles(manager), 0);
		assert_int_equal(smmap_manager_collect(manager), 0);
		smmap_cursor_close(&a);
		smmap_cursor_close(&b);
		free_manager(manager);
	}
}

/* A file that is read once can be let go of at once: its mapping, its descriptor, and it is found anew afterwards. */
static void a_released_file_keeps_nothing(void)
{
	const char *path = files_make("a", 100000, 1);
	for (int i = 0; i < PLACEMENTS; i++) {
		smmap_manager *manager = new_manager(placements[i], 8192, 10 * 8192);
		smmap_cursor held = SMMAP_CURSOR_INIT, cursor = SMMAP_CURSOR_INIT;
		open_cursor(&held, manager, path);
		open_cursor(&cursor, manager, path);
		use_and_check(&cursor, 8192, 0, 8192, 1);
		smmap_cursor_close(&cursor);
		assert_int_equal(smmap_manager_release_path(manager, path, NULL), 1);
		use_and_check(&held, 0, 0, 8192, 1); /* somebody holds it: it can be mapped still */
		smmap_cursor_close(&held);
		assert_int_equal(smmap_manager_release_path(manager, path, NULL), 1);
		assert_int_equal(stats_of(manager).mappings, 0);
		assert_int_equal(stats_of(manager).descriptors, 0);
		open_cursor(&cursor, manager, path);
		use_and_check(&cursor, 8192, 0, 8192, 1);
		smmap_cursor_close(&cursor);
		free_manager(manager);
	}
}

/* The region asked for is never the victim; the least recently used one goes first. */
static void static_managers_evict_others(void)
{
	const char *a = files_make("a", 50000, 1), *b = files_make("b", 50000, 2), *c = files_make("c", 50000, 3);
	for (int i = 0; i < PLACEMENTS; i++) {
		smmap_manager *manager = new_static_manager(placements[i]);
		smmap_cursor cursor = SMMAP_CURSOR_INIT;
		assert_int_equal(smmap_manager_set_limits(manager, 110000, 0), 0); /* whole pages count */
		open_cursor(&cursor, manager, a);
		use_and_check(&cursor, 0, 0, 50000, 1);
		open_cursor(&cursor, manager, b);
		use_and_check(&cursor, 0, 0, 50000, 2);
		open_cursor(&cursor, manager, c);
		use_and_check(&cursor, 0, 0, 50000, 3);
		assert_int_equal(smmap_manager_num_file_handles(manager), 2);
		assert_int_equal(smmap_manager_release_path(manager, a, NULL), 0);
		assert_int_equal(smmap_manager_release_path(manager, b, NULL), 1);
		smmap_cursor_close(&cursor);
		free_manager(manager);
	}
}

/* Files come and go; nothing is left of them. */
static void evicted_files_are_forgotten(void)
{
	for (int i = 0; i < PLACEMENTS; i++) {
		smmap_manager *manager = new_manager(placements[i], 4096, 16384);
		uint64_t table_bytes = stats_of(manager).table_bytes;
		for (int k = 0; k < 400; k++) {
			smmap_cursor cursor = SMMAP_CURSOR_INIT;
			char name[16];
			snprintf(name, sizeof name, "f%d", k);
			open_cursor(&cursor, manager, files_make(name, 5000, (uint64_t)k));
			use_and_check(&cursor, 1000, 0, 4000, (uint64_t)k);
			smmap_cursor_close(&cursor);
			assert_true(stats_of(manager).files <= 100);
			/* Out of turn, too: those must not pile up on the lists. */
			if (k % 2 == 0)
				assert_true(smmap_manager_release_path(manager, files_path(name), NULL) > 0);
			smmap__manager_check(manager);
		}
		smmap_manager_collect(manager);
		assert_int_equal(stats_of(manager).files, 0);
		assert_true(stats_of(manager).table_bytes <= table_bytes + 4096);
		assert_int_equal(stats_of(manager).descriptors, 0);
		assert_int_equal(stats_of(manager).mappings, 0);
		free_manager(manager);
	}
}

TEST_PROGRAM(TEST(handles_name_regions, .unit = 4096),
             TEST(clients_can_give_back_only_what_they_took, .unit = 4096),
             TEST(regions_by_themselves, .unit = 4096), TEST(lists_are_snapshots_in_order),
             TEST(giving_back, .unit = 4096), TEST(a_released_file_keeps_nothing, .unit = 4096),
             TEST(static_managers_evict_others, .unit = 4096),
             TEST(evicted_files_are_forgotten, .unit = 4096))
