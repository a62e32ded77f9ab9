/* SPDX-License-Identifier: BSD-3-Clause */
/* Files that change: verify, refresh, and handles that mean another file now. */
#include "cursor/setup.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static void assert_status(const smmap_cursor *cursor, uint64_t size, uint64_t generation, int stale)
{
	smmap_file_status status;
	assert_int_equal(smmap_cursor_status(cursor, &status), 0);
	assert_int_equal(status.size, size);
	assert_int_equal(status.generation, generation);
	assert_int_equal(status.stale, stale);
}

static void shrinking_makes_a_new_generation(void)
{
	for (int i = 0; i < PLACEMENTS; i++) {
		smmap_manager *manager = new_manager(placements[i], 8192, MIB);
		smmap_cursor a = SMMAP_CURSOR_INIT, b = SMMAP_CURSOR_INIT;
		const char *path = files_make("a", 50000, 1);
		open_cursor(&a, manager, path);
		open_cursor(&b, manager, path);
		use_and_check(&a, 0, 0, 8192, 1);
		use_and_check(&b, 0, 100, 100, 1);
		assert_int_equal(truncate(path, 20000), 0);
		assert_int_equal(smmap_verify(&a), SMMAP_CHANGE_SHRANK | SMMAP_CHANGE_MODIFIED);
		assert_int_equal(smmap_cursor_file_size(&a), 50000);
		assert_int_equal(smmap_refresh(&a), SMMAP_CHANGE_SHRANK | SMMAP_CHANGE_MODIFIED);
		assert_false(smmap_cursor_is_valid(&a));
		assert_status(&a, 20000, 1, 0);
		assert_status(&b, 50000, 0, 1);
		assert_int_equal(smmap_verify(&a), 0);
		use_and_check(&a, 19000, 0, 1000, 1);
		assert_int_equal(smmap_cursor_use_region(&a, 20000, 1), 0);
		files_assert(smmap_cursor_data(&b), 0, 100, 1); /* unmoved */
		assert_int_equal(smmap_refresh(&b), SMMAP_CHANGE_SHRANK | SMMAP_CHANGE_MODIFIED);
		assert_status(&b, 20000, 1, 0);
		smmap__manager_check(manager);
		/* A copying read behind the new end, through an old holder. */
		assert_int_equal(truncate(path, 5000), 0);
		unsigned char got[10];
		assert_int_equal(smmap_guard_enable(), 0);
		assert_int_equal(smmap_read(&b, 15000, got, 10), SMMAP_ETRUNCATED);
		assert_int_equal(smmap_read(&b, 4990, got, 20), 10);
		files_assert(got, 4990, 10, 1);
		assert_int_equal(smmap_guard_disable(), 0);
		smmap_cursor_close(&a);
		smmap_cursor_close(&b);
		free_manager(manager);
	}
}

static void growing_is_taken_up(void)
{
	for (int i = 0; i < PLACEMENTS; i++) {
		smmap_manager *manager = new_manager(placements[i], 8192, MIB);
		smmap_cursor a = SMMAP_CURSOR_INIT, b = SMMAP_CURSOR_INIT;
		const char *path = files_make("a", 10000, 1);
		open_cursor(&a, manager, path);
		use_and_check(&a, 9000, 0, 1000, 1);
		files_write(path, 10000, 30000, 1);
		assert_int_equal(smmap_verify(&a), SMMAP_CHANGE_GREW | SMMAP_CHANGE_MODIFIED);
		use_and_check(&a, 9000, 0, 1000, 1); /* as it knows it */
		assert_int_equal(smmap_refresh(&a), SMMAP_CHANGE_GREW | SMMAP_CHANGE_MODIFIED);
		use_and_check(&a, 9000, 0, 8192, 1);
		use_and_check(&a, 39999, 0, 1, 1);
		/* Opening it anew sees the new size, too. */
		files_write(path, 40000, 1, 1);
		open_cursor(&b, manager, path);
		assert_int_equal(smmap_cursor_file_size(&b), 40001);
		use_and_check(&b, 40000, 0, 1, 1);
		smmap__manager_check(manager);
		smmap_cursor_close(&a);
		smmap_cursor_close(&b);
		free_manager(manager);
	}
}

static void a_path_replaced_by_rename_keeps_the_old_file(void)
{
	for (int i = 0; i < PLACEMENTS; i++) {
		smmap_manager *manager = new_manager(placements[i], 4096, 3 * 4096);
		smmap_cursor a = SMMAP_CURSOR_INIT, b = SMMAP_CURSOR_INIT;
		smmap_buffer buffer = SMMAP_BUFFER_INIT;
		unsigned char got[50000];
		const char *path = files_make("a", 50000, 1);
		open_cursor(&a, manager, path);
		assert_int_equal(smmap_buffer_begin_access(&buffer, &a, 0, SMMAP_TO_END), 0);
		assert_int_equal(rename(files_make("new", 60000, 2), path), 0);
		assert_int_equal(smmap_verify(&a), SMMAP_CHANGE_REPLACED);
		open_cursor(&b, manager, path);
		use_and_check(&b, 0, 0, 4096, 2);
		/* Never half of each. */
		for (uint64_t at = 0; at < 50000; at += 5000)
			use_and_check(&a, at, 1000, 1000, 1);
		assert_int_equal(smmap_buffer_slice(&buffer, 0, INT64_MAX, got, sizeof got), 50000);
		files_assert(got, 0, 50000, 1);
		assert_int_equal(smmap_refresh(&a), SMMAP_CHANGE_REPLACED);
		assert_int_equal(smmap_cursor_file_size(&a), 60000);
		use_and_check(&a, 50000, 0, 4096, 2);
		smmap_cursor_close(&a);
		smmap_cursor_close(&b);
		smmap_buffer_close(&buffer);
		free_manager(manager);
	}
}

/* A handful of other files takes the places in the descriptor cache. */
static void push_descriptors_out(smmap_manager *manager)
{
	smmap_cursor c[40];
	unsigned char byte;
	for (int i = 0; i < 40; i++) {
		char name[16];
		snprintf(name, sizeof name, "push%d", i);
		c[i] = (smmap_cursor)SMMAP_CURSOR_INIT;
		open_cursor(&c[i], manager, files_make(name, 100, 1));
		assert_int_equal(smmap_read(&c[i], 5, &byte, 1), 1);
	}
	for (int i = 0; i < 40; i++)
		smmap_cursor_close(&c[i]);
}

static void what_must_be_opened_again_and_is_another_file_is_stale(void)
{
	smmap_manager *manager = new_manager(SMMAP_PLACEMENT_DETACHED, 4096, MIB);
	smmap_cursor a = SMMAP_CURSOR_INIT;
	unsigned char got[10];
	const char *path = files_make("a", 50000, 1);
	open_cursor(&a, manager, path);
	use_and_check(&a, 0, 0, 4096, 1);
	assert_int_equal(rename(files_make("new", 50000, 2), path), 0);
	push_descriptors_out(manager);
	assert_int_equal(smmap_cursor_use_region(&a, 20000, 0), SMMAP_ESTALE);
	assert_int_equal(smmap_read(&a, 20000, got, 10), SMMAP_ESTALE);
	assert_int_equal(smmap_cursor_size(&a), 4096);
	files_assert(smmap_cursor_data(&a), 0, 4096, 1);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(smmap_cursor_use_region(&a, 20000, 0), SMMAP_ESTALE);
	smmap__manager_check(manager);
	files_make("a", 50000, 3);
	assert_int_equal(smmap_refresh(&a), SMMAP_CHANGE_REPLACED);
	use_and_check(&a, 20000, 0, 4096, 3);
	smmap_cursor_close(&a);
	free_manager(manager);
}

/* Known by a name that is gone, a file is opened again by the one that it has now, or by the descriptor that was kept. */
static void the_latest_name_opens_a_file_again(void)
{
	smmap_manager *manager = new_manager(SMMAP_PLACEMENT_DETACHED, 4096, MIB);
	smmap_cursor a = SMMAP_CURSOR_INIT, b = SMMAP_CURSOR_INIT;
	unsigned char got[10];
	const char *path = files_make("a", 50000, 1), *other = files_path("b");
	open_cursor(&a, manager, path);
	use_and_check(&a, 0, 0, 4096, 1);
	assert_int_equal(rename(path, other), 0);
	open_cursor(&b, manager, other);
	push_descriptors_out(manager);
	assert_int_equal(smmap_read(&b, 20000, got, 10), 10);
	files_assert(got, 20000, 10, 1);
	push_descriptors_out(manager);
	use_and_check(&a, 30000, 0, 4096, 1); /* the same file: by its new name */
	int fd = open(other, O_RDONLY | O_CLOEXEC);
	assert_int_equal(smmap_cursor_open_fd(&b, manager, fd), 0);
	assert_int_equal(unlink(other), 0);
	push_descriptors_out(manager);
	assert_int_equal(smmap_read(&b, 40000, got, 10), 10);
	files_assert(got, 40000, 10, 1);
	smmap__manager_check(manager);
	close(fd);
	smmap_cursor_close(&a);
	smmap_cursor_close(&b);
	free_manager(manager);
}

/* The number of an inode that is gone is given to the next file: it is another file all the same. */
static void a_reused_inode_number_is_another_file(void)
{
	for (int i = 0; i < PLACEMENTS; i++) {
		smmap_manager *manager = new_manager(placements[i], 4096, MIB);
		smmap_cursor a = SMMAP_CURSOR_INIT, b = SMMAP_CURSOR_INIT;
		const struct timespec tick = {.tv_nsec = 20000000};
		struct stat old, new;
		unsigned char got[10];
		const char *path = files_make("a", 50000, 1);
		assert_int_equal(stat(path, &old), 0);
		open_cursor(&a, manager, path);
		if (i == 1)
			push_descriptors_out(manager);
		assert_int_equal(unlink(path), 0);
		nanosleep(&tick, NULL);
		files_make("a", 50000, 2);
		assert_int_equal(stat(path, &new), 0);
		if (i == 1 && old.st_ino != new.st_ino)
			skip_test("needs a file system that gives numbers of inodes again at once");
		assert_int_equal(smmap_verify(&a) & SMMAP_CHANGE_REPLACED, SMMAP_CHANGE_REPLACED);
		int64_t n = smmap_cursor_use_region(&a, 0, 0);
		if (n != SMMAP_ESTALE)
			use_and_check(&a, 0, 0, 4096, 1);
		n = smmap_read(&a, 20000, got, 10);
		if (n != SMMAP_ESTALE)
			files_assert(got, 20000, 10, 1);
		open_cursor(&b, manager, path);
		use_and_check(&b, 0, 0, 4096, 2);
		n = smmap_cursor_use_region(&a, 0, 0);
		if (n != SMMAP_ESTALE)
			use_and_check(&a, 0, 0, 4096, 1);
		assert_int_equal(smmap_refresh(&a) & SMMAP_CHANGE_REPLACED, SMMAP_CHANGE_REPLACED);
		use_and_check(&a, 0, 0, 4096, 2);
		smmap_cursor_close(&a);
		smmap_cursor_close(&b);
		free_manager(manager);
	}
}

static void a_descriptor_that_means_another_file(void)
{
	for (int i = 0; i < PLACEMENTS; i++) {
		smmap_manager *manager = new_manager(placements[i], 4096, MIB);
		smmap_cursor a = SMMAP_CURSOR_INIT, b = SMMAP_CURSOR_INIT;
		int fd = open(files_make("a", 10000, 1), O_RDONLY | O_CLOEXEC);
		int other = open(files_make("b", 20000, 2), O_RDONLY | O_CLOEXEC);
		assert_int_equal(smmap_cursor_open_fd(&a, manager, fd), 0);
		assert_int_equal(dup3(other, fd, O_CLOEXEC), fd);
		assert_int_equal(smmap_verify(&a), SMMAP_CHANGE_REPLACED);
		use_and_check(&a, 5000, 0, 4096, 1); /* the old one, or an error */
		assert_int_equal(smmap_cursor_open_fd(&b, manager, fd), 0);
		use_and_check(&b, 15000, 0, 4096, 2);
		assert_int_equal(smmap_refresh(&a), SMMAP_CHANGE_REPLACED);
		use_and_check(&a, 15000, 0, 4096, 2);
		close(fd);
		assert_int_equal(smmap_verify(&a), SMMAP_CHANGE_REPLACED);
		assert_int_equal(smmap_refresh(&a), SMMAP_EBADF);
		use_and_check(&a, 15000, 0, 4096, 2);
		close(other);
		smmap_cursor_close(&a);
		smmap_cursor_close(&b);
		free_manager(manager);
	}
}

static void same_size_changes_are_told_by_verify(void)
{
	for (int i = 0; i < PLACEMENTS; i++) {
		smmap_manager *manager = new_manager(placements[i], 4096, MIB);
		smmap_cursor a = SMMAP_CURSOR_INIT;
		const struct timespec tick = {.tv_nsec = 20000000};
		const char *path = files_make("a", 10000, 1);
		open_cursor(&a, manager, path);
		use_and_check(&a, 0, 0, 4096, 1);
		nanosleep(&tick, NULL);
		files_write(path, 0, 10000, 2);
		assert_int_equal(smmap_verify(&a), SMMAP_CHANGE_MODIFIED);
		assert_int_equal(smmap_refresh(&a), SMMAP_CHANGE_MODIFIED);
		assert_int_equal(smmap_verify(&a), 0);
		assert_status(&a, 10000, 0, 0);
		use_and_check(&a, 0, 0, 4096, 2);
		smmap_cursor_close(&a);
		free_manager(manager);
	}
}

static void files_that_vanish_between_open_and_use(void)
{
	for (int i = 0; i < PLACEMENTS; i++) {
		smmap_manager *manager = new_manager(placements[i], 4096, MIB);
		smmap_cursor a = SMMAP_CURSOR_INIT;
		const char *path = files_make("a", 10000, 1);
		open_cursor(&a, manager, path);
		assert_int_equal(unlink(path), 0);
		assert_int_equal(smmap_manager_release_path(manager, path, NULL), SMMAP_ENOENT);
		use_and_check(&a, 0, 0, 4096, 1);
		assert_int_equal(smmap_verify(&a), SMMAP_CHANGE_REPLACED);
		smmap_cursor_close(&a);
		assert_int_equal(smmap_cursor_open(&a, manager, path, 0), SMMAP_ENOENT);
		free_manager(manager);
	}
}

TEST_PROGRAM(TEST(shrinking_makes_a_new_generation, .unit = 4096), TEST(growing_is_taken_up, .unit = 4096),
             TEST(a_path_replaced_by_rename_keeps_the_old_file, .unit = 4096),
             TEST(what_must_be_opened_again_and_is_another_file_is_stale, .unit = 4096),
             TEST(the_latest_name_opens_a_file_again, .unit = 4096),
             TEST(a_reused_inode_number_is_another_file, .unit = 4096),
             TEST(a_descriptor_that_means_another_file, .unit = 4096),
             TEST(same_size_changes_are_told_by_verify, .unit = 4096),
             TEST(files_that_vanish_between_open_and_use, .unit = 4096))
