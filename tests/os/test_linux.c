/* SPDX-License-Identifier: BSD-3-Clause */
/* The table of calls on Linux, called by itself: what the layers above reach only with luck. */
#include "harness/harness.h"

#include "os/os.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <sched.h>
#include <smmap_faults.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static size_t page(void)
{
	return smmap__os_facts_now.page_size;
}

static void lengths_and_offsets_that_cannot_be(void)
{
	void *address = NULL;
	int fd = open(files_make("a", 10000, 1), O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(smmap__os.map(fd, (uint64_t)INT64_MAX + 1, page(), 0, 0, &address), SMMAP_EOVERFLOW);
	assert_int_equal(smmap__os.map(fd, 0, SIZE_MAX - page() + 1, 2 * page(), 0, &address), SMMAP_ENOMEM);
	assert_null(address);
	close(fd);
}

/* Wherever the kernel puts the reserved space, both margins are given back. */
static void congruent_mappings(void)
{
	int fd = open(files_make("a", 100000, 1), O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	for (size_t congruence = page(); congruence <= 64 * page(); congruence *= 2) {
		void *kept[16];
		for (size_t i = 0; i < 16; i++) {
			uint64_t offset = i * page();
			assert_int_equal(smmap__os.map(fd, offset, page(), congruence, 0, &kept[i]), 0);
			assert_int_equal(((uintptr_t)kept[i] - offset) % congruence, 0);
			files_assert(kept[i], offset, page(), 1);
		}
		for (size_t i = 0; i < 16; i++)
			assert_int_equal(smmap__os.unmap(kept[i], page()), 0);
	}
	close(fd);
}

/* Locked pages: a kernel that has no word for them, then one that wants them unlocked first. */
static void gives_locked_pages_back(void)
{
	void *address;
	int fd = open(files_make("a", 10000, 1), O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(smmap__os.map(fd, 0, page(), 0, 0, &address), 0);
	for (unsigned times = 1; times <= 3; times++) {
		smmap_faults_arm(SMMAP_FAULT_MADVISE, 1, EINVAL, times);
		assert_int_equal(smmap__os.zap(address, page()), times < 3 ? 0 : SMMAP_EINVAL);
		assert_int_equal(smmap_faults_fired(), times);
		files_assert(address, 0, page(), 1);
	}
	smmap_faults_arm(SMMAP_FAULT_MADVISE | SMMAP_FAULT_MUNLOCK, 1, EAGAIN, 2);
	assert_int_equal(smmap__os.zap(address, page()), SMMAP_EAGAIN);
	assert_int_equal(smmap_faults_fired(), 2);
	smmap_faults_disarm();
	assert_int_equal(smmap__os.unmap(address, page()), 0);
	close(fd);
}

/* Where the system does some of the ranges, those are told; a range that it did in part is not among them. */
static void gives_some_of_many_back(void)
{
	void *whole;
	int fd = open(files_make("a", 8 * page(), 1), O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	if (!smmap__os_facts_now.can_zap_many)
		skip_test("process_madvise on oneself needs Linux 6.14");
	assert_int_equal(smmap__os.map(fd, 0, 8 * page(), 0, 0, &whole), 0);
	unsigned char *at = whole;
	smmap__range ranges[3] = {{at, page()}, {at + 2 * page(), 2 * page()}, {at + 6 * page(), page()}};
	assert_int_equal(smmap__os.zap_many(ranges, 3), 3);
	assert_int_equal(munmap(at + 3 * page(), page()), 0);
	assert_int_equal(smmap__os.zap_many(ranges, 3), 1);
	assert_int_equal(munmap(at, page()), 0);
	assert_int_equal(smmap__os.zap_many(ranges, 3), 0);
	assert_int_equal(smmap__os.unmap(whole, 8 * page()), 0);
	close(fd);
}

static const char *block_device(void)
{
	glob_t found;
	static char path[100];
	for (const char *const *pattern =
	         (const char *const[]){"/dev/vd?", "/dev/sd?", "/dev/nvme?n?", "/dev/loop?", NULL};
	     *pattern != NULL; pattern++) {
		bool is_there = glob(*pattern, 0, NULL, &found) == 0;
		for (size_t i = 0; is_there && i < found.gl_pathc; i++) {
			struct stat st;
			/* Root may be kept from it, too. */
			int fd = open(found.gl_pathv[i], O_RDONLY | O_CLOEXEC | O_NONBLOCK);
			bool is_device = fd >= 0 && fstat(fd, &st) == 0 && S_ISBLK(st.st_mode);
			if (fd >= 0)
				close(fd);
			if (is_device) {
				snprintf(path, sizeof path, "%s", found.gl_pathv[i]);
				globfree(&found);
				return path;
			}
		}
		if (is_there)
			globfree(&found);
	}
	return NULL;
}

static void block_devices(void)
{
	smmap__identity by_path, identity;
	int fd;
	const char *path = block_device();
	if (path == NULL)
		skip_test("needs a block device that may be read");
	assert_int_equal(smmap__os.identify_path(path, &by_path), 0);
	assert_int_equal(by_path.type, SMMAP__BLOCK_DEVICE);
	assert_int_equal(smmap__os.open(path, 0, &fd), 0);
	assert_int_equal(smmap__os.identify(fd, &identity), 0);
	assert_int_equal(identity.type, SMMAP__BLOCK_DEVICE);
	assert_int_equal(identity.inode, by_path.inode);
	assert_int_equal(identity.size, lseek(fd, 0, SEEK_END));
	inject_arm(SMMAP_FAULT_IOCTL, 1, SMMAP_EIO, false);
	assert_int_equal(smmap__os.identify(fd, &identity), SMMAP_EIO);
	inject_disarm();
	smmap__os.close(fd);
}

/* Two spares for one place: the second is let go. */
static void spares_are_held_once(void)
{
	smmap__os_hold_spares(true);
	unsigned held = smmap__os_count_spares();
	assert_true(held > 0);
	smmap__os_hold_spares(true);
	assert_int_equal(smmap__os_count_spares(), held);
	assert_true(smmap__os_give_spare());
	assert_int_equal(smmap__os_count_spares(), held - 1);
	smmap__os_hold_spares(false);
	assert_int_equal(smmap__os_count_spares(), 0);
	assert_false(smmap__os_give_spare());
}

/* In a child with a view of its own of the file system: what /proc says of mappings is `text` now. */
static int max_mappings_told(const char *text)
{
	const char *path = files_path("max");
	FILE *file = fopen(path, "we");
	if (file == NULL || fputs(text, file) < 0 || fclose(file) != 0)
		return 1;
	if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
	    mount(path, "/proc/sys/vm/max_map_count", NULL, MS_BIND, NULL) != 0)
		return 77;
	uint64_t expected = strtoull(text, NULL, 10);
	return smmap__os_max_mappings() == (expected != 0 ? expected : 65530) ? 0 : 2;
}

static void the_limit_of_mappings_is_asked_for(void)
{
	static const char *const texts[] = {"1234\n", "0\n", "", "none\n"};
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		int status;
		pid_t child = fork();
		assert_true(child >= 0);
		if (child == 0)
			_exit(max_mappings_told(texts[i]));
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_true(WIFEXITED(status));
		if (WEXITSTATUS(status) == 77)
			skip_test("needs root, and a mount namespace");
		assert_int_equal(WEXITSTATUS(status), 0);
	}
}

TEST_PROGRAM(TEST(lengths_and_offsets_that_cannot_be, .unit = 4096, .stable = true),
             TEST(congruent_mappings, .unit = 4096, .stable = true),
             TEST(gives_locked_pages_back, .unit = 4096, .stable = true),
             TEST(gives_some_of_many_back, .unit = 4096, .stable = true),
             TEST(block_devices, .unit = 4096, .stable = true),
             TEST(spares_are_held_once, .unit = 4096, .stable = true),
             TEST(the_limit_of_mappings_is_asked_for, .unit = 4096, .stable = true))
