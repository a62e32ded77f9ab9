/* SPDX-License-Identifier: BSD-3-Clause */
/* The files of a manager: references, what is read into memory, the cache of descriptors. */
#include "../cursor/setup.h"

#include "manager/fork.h"
#include "os/os.h"

#include <errno.h>
#include <pthread.h>
#include <smmap_faults.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static smmap_manager *manager;

static void *give_the_reference(void *file)
{
	smmap__manager_give(&manager->budget, file);
	return NULL;
}

/* Whoever gives the last reference up waits for the lock; meanwhile the file is found again: it is not the last. */
static void found_again_at_the_last_moment(void)
{
	smmap_cursor cursor = SMMAP_CURSOR_INIT;
	smmap__identity identity;
	pthread_t thread;
	manager = new_manager(SMMAP_PLACEMENT_DETACHED, 4096, MIB);
	const char *path = files_make("a", 10000, 1);
	open_cursor(&cursor, manager, path);
	assert_int_equal(smmap__os.identify_path(path, &identity), 0);
	smmap__file *file = smmap__manager_find(manager, &identity);
	assert_non_null(file);
	smmap_cursor_close(&cursor);
	assert_int_equal(atomic_load(&file->references), 1);
	pthread_mutex_lock(&manager->files_lock);
	assert_int_equal(pthread_create(&thread, NULL, give_the_reference, file), 0);
	usleep(100000);
	smmap__file_take(file);
	pthread_mutex_unlock(&manager->files_lock);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(atomic_load(&file->references), 1);
	assert_int_equal(stats_of(manager).files, 1);
	smmap__manager_give(&manager->budget, file);
	assert_int_equal(stats_of(manager).files, 0);
	free_manager(manager);
}

/* Opened for reading into memory: nothing of it can be mapped. */
static void open_in_memory(smmap_cursor *cursor, const char *path)
{
	smmap_faults_arm(SMMAP_FAULT_MMAP, 1, ENODEV, SMMAP_FAULT_FOR_EVER);
	open_cursor(cursor, manager, path);
	smmap_faults_disarm();
	assert_int_equal(cursor->file->backing, SMMAP_BACKING_MEMORY);
}

/* What was read into memory is old when the file's times change, either of them, though its size does not. */
static void what_is_in_memory_grows_old(void)
{
	const char *path = files_make("a", 10000, 1);
	for (int only_ctime = 0; only_ctime < 2; only_ctime++) {
		smmap_cursor cursor = SMMAP_CURSOR_INIT, later = SMMAP_CURSOR_INIT;
		manager = new_manager(SMMAP_PLACEMENT_AUTO, 65536, MIB);
		open_in_memory(&cursor, path);
		use_and_check(&cursor, 0, 0, 10000, 1);
		open_in_memory(&later, path);
		assert_ptr_equal(later.file, cursor.file);
		usleep(20000); /* the clock of a file system is coarse */
		if (only_ctime)
			assert_int_equal(chmod(path, 0600), 0);
		else
			files_write(path, 0, 100, 1);
		open_in_memory(&later, path);
		assert_ptr_not_equal(later.file, cursor.file);
		assert_int_equal(later.file->generation, 1);
		/* The same once nobody holds it. */
		smmap_cursor_close(&later);
		usleep(20000);
		assert_int_equal(chmod(path, 0644), 0);
		open_in_memory(&later, path);
		assert_ptr_not_equal(later.file, cursor.file);
		smmap_cursor_close(&later);
		smmap_cursor_close(&cursor);
		free_manager(manager);
	}
}

/* Idle, with its region mapped still, and touched meanwhile: what is mapped is kept, what was read is read again. */
static void idle_files_that_were_touched(void)
{
	const char *path = files_make("a", 10000, 1);
	for (int in_memory = 0; in_memory < 2; in_memory++) {
		smmap_cursor cursor = SMMAP_CURSOR_INIT;
		smmap_options options = SMMAP_OPTIONS_INIT;
		options.change = SMMAP_CHANGE_REPORT;
		assert_int_equal(smmap_manager_new(&manager, &options), 0);
		if (in_memory)
			open_in_memory(&cursor, path);
		else
			open_cursor(&cursor, manager, path);
		use_and_check(&cursor, 0, 0, 10000, 1);
		smmap_cursor_close(&cursor);
		usleep(20000);
		assert_int_equal(chmod(path, in_memory ? 0600 : 0644), 0);
		if (in_memory)
			open_in_memory(&cursor, path);
		else
			open_cursor(&cursor, manager, path);
		assert_int_equal(cursor.file->generation, in_memory);
		assert_int_equal(smmap_verify(&cursor), 0);
		use_and_check(&cursor, 0, 0, 10000, 1);
		smmap_cursor_close(&cursor);
		free_manager(manager);
	}
}

/* In a child: 0, or which step went wrong. */
static int live_on(smmap_cursor *cursor)
{
	if (smmap_cursor_use_region(cursor, 70000, 100) != 100 ||
	    files_compare(smmap_cursor_data(cursor), 70000, 100, 1) != 100)
		return 1;
	smmap__manager_check(manager);
	/* Another thread that saw the fork, too, comes later: there is nothing left to do. */
	smmap__fork_repair(&manager->budget);
	smmap__manager_check(manager);
	smmap_cursor_close(cursor);
	return smmap_manager_free(manager) == 0 ? 0 : 2;
}

static void children_of_what_is_in_memory(void)
{
	smmap_cursor cursor = SMMAP_CURSOR_INIT;
	int status;
	manager = new_manager(SMMAP_PLACEMENT_DETACHED, 4096, MIB);
	open_in_memory(&cursor, files_make("a", 100000, 1));
	use_and_check(&cursor, 8192, 100, 100, 1);
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0)
		_exit(live_on(&cursor));
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	smmap_cursor_close(&cursor);
	free_manager(manager);
}

/* In a child: 0, or which step went wrong. */
static int find_no_file(void)
{
	smmap__fork_repair(&manager->budget);
	if (stats_of(manager).files != 0)
		return 1;
	return smmap_manager_free(manager) == 0 ? 0 : 2;
}

/* A file that only another thread of the parent's referred to is nobody's in the child. */
static void orphans_of_vanished_threads(void)
{
	smmap_cursor cursor = SMMAP_CURSOR_INIT;
	smmap__identity identity;
	int status;
	manager = new_manager(SMMAP_PLACEMENT_DETACHED, 4096, MIB);
	const char *path = files_make("a", 10000, 1);
	open_cursor(&cursor, manager, path);
	assert_int_equal(smmap__os.identify_path(path, &identity), 0);
	smmap__file *file = smmap__manager_find(manager, &identity);
	smmap_cursor_close(&cursor);
	assert_int_equal(stats_of(manager).files, 1);
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0)
		_exit(find_no_file());
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	smmap__manager_give(&manager->budget, file);
	free_manager(manager);
}

static void births_that_are_not_known(void)
{
	smmap_cursor cursor = SMMAP_CURSOR_INIT;
	smmap__identity identity;
	manager = new_manager(SMMAP_PLACEMENT_DETACHED, 4096, MIB);
	const char *path = files_make("a", 10000, 1);
	open_cursor(&cursor, manager, path);
	assert_int_equal(smmap__os.identify_path(path, &identity), 0);
	int64_t birth = identity.birth_ns;
	smmap__file *file = cursor.file;
	for (int known = 0; known < 2; known++) {
		file->birth_ns = known ? 5 : 0;
		for (int64_t other = 0; other < 8; other++) {
			identity.birth_ns = other;
			assert_int_equal(smmap__file_is(file, &identity), !known || other == 0 || other == 5);
		}
	}
	identity.inode++;
	assert_false(smmap__file_is(file, &identity));
	identity.inode--;
	identity.device++;
	assert_false(smmap__file_is(file, &identity));
	file->birth_ns = birth;
	smmap_cursor_close(&cursor);
	free_manager(manager);
}

/* A descriptor that is in use is not closed to make room for another; the file that wants one goes without. */
static void descriptors_in_use_stay(void)
{
	smmap_options options = SMMAP_OPTIONS_INIT;
	smmap_cursor cursors[3] = {SMMAP_CURSOR_INIT, SMMAP_CURSOR_INIT, SMMAP_CURSOR_INIT};
	smmap__descriptor used;
	unsigned char bytes[100];
	options.max_descriptors = 1;
	options.placement = SMMAP_PLACEMENT_DETACHED;
	options.window_size = 4096;
	assert_int_equal(smmap_manager_new(&manager, &options), 0);
	open_cursor(&cursors[0], manager, files_make("a", 10000, 1));
	assert_int_equal(smmap__descriptor_take(cursors[0].file, &used), 0);
	assert_true(used.cached);
	for (int i = 1; i < 3; i++) {
		char name[20];
		snprintf(name, sizeof name, "other%d", i);
		open_cursor(&cursors[i], manager, files_make(name, 10000, 2));
		assert_int_equal(smmap_read(&cursors[i], 5000, bytes, sizeof bytes), 100);
		files_assert(bytes, 5000, 100, 2);
		assert_int_equal(stats_of(manager).descriptors, 1);
	}
	assert_int_equal(smmap__os.read(used.number, bytes, sizeof bytes, 100), 100);
	files_assert(bytes, 100, 100, 1);
	smmap__descriptor_give(cursors[0].file, used);
	for (int i = 0; i < 3; i++)
		smmap_cursor_close(&cursors[i]);
	free_manager(manager);
}

TEST_PROGRAM(TEST(found_again_at_the_last_moment, .unit = 4096),
             TEST(what_is_in_memory_grows_old, .unit = 4096),
             TEST(idle_files_that_were_touched, .unit = 4096),
             TEST(children_of_what_is_in_memory, .unit = 4096),
             TEST(orphans_of_vanished_threads, .unit = 4096), TEST(births_that_are_not_known, .unit = 4096),
             TEST(descriptors_in_use_stay, .unit = 4096))
