/* SPDX-License-Identifier: BSD-3-Clause */
/* What can be opened, and the errors of what cannot. */
#include "cursor/setup.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

/* A refused open changes nothing: the cursor keeps its region, the manager all it had. */
static void assert_refused(smmap_manager *manager, const char *path, int flags, int code)
{
	smmap_cursor cursor = SMMAP_CURSOR_INIT, none = SMMAP_CURSOR_INIT;
	const char *good = files_make("good", 9000, 1);
	open_cursor(&cursor, manager, good);
	use_and_check(&cursor, 10, 0, smmap__min(8990, smmap_manager_window_size(manager)), 1);
	smmap_cursor before = cursor;
	smmap_stats stats = stats_of(manager);
	books_figures books = books_now();
	assert_int_equal(smmap_cursor_open(&cursor, manager, path, flags), code);
	assert_memory_equal(&cursor, &before, sizeof cursor);
	assert_int_equal(smmap_cursor_open(&none, manager, path, flags), code);
	assert_false(smmap_cursor_is_associated(&none));
	assert_int_equal(stats_of(manager).errors, stats.errors + 2);
	assert_int_equal(stats_of(manager).evictions, stats.evictions);
	assert_int_equal(stats_of(manager).files, stats.files);
	books_assert_same(&books);
	smmap__manager_check(manager);
	files_assert(smmap_cursor_data(&cursor), 10, (size_t)smmap_cursor_size(&cursor), 1);
	smmap_cursor_close(&cursor);
}

static void assert_refused_fd(smmap_manager *manager, int fd, int code)
{
	smmap_cursor cursor = SMMAP_CURSOR_INIT;
	books_figures books = books_now();
	assert_int_equal(smmap_cursor_open_fd(&cursor, manager, fd), code);
	assert_false(smmap_cursor_is_associated(&cursor));
	books_assert_same(&books);
	smmap_region region = SMMAP_REGION_INIT;
	assert_int_equal(smmap_region_open_fd(&region, fd, 0, 100), code);
	assert_int_equal(smmap_region_ofs_end(&region), 0);
	books_assert_same(&books);
	smmap__manager_check(manager);
}

static void refuses_paths_that_cannot_be_opened(void)
{
	for (int i = 0; i < PLACEMENTS; i++) {
		smmap_manager *manager = new_manager(placements[i], 4096, MIB);
		char long_name[5000];
		memset(long_name, 'x', sizeof long_name - 1);
		long_name[sizeof long_name - 1] = 0;
		assert_refused(manager, "", 0, SMMAP_ENOENT);
		assert_refused(manager, NULL, 0, SMMAP_EINVAL);
		assert_refused(manager, files_path("not there"), 0, SMMAP_ENOENT);
		assert_refused(manager, "/etc/passwd/x", 0, SMMAP_ENOTDIR);
		assert_refused(manager, long_name, 0, SMMAP_ENAMETOOLONG);
		assert_refused(manager, files_dir(), 0, SMMAP_EISDIR);
		const char *loop = files_path("loop");
		if (i == 0)
			assert_int_equal(symlink(loop, loop), 0);
		assert_refused(manager, loop, 0, SMMAP_ELOOP);
		free_manager(manager);
	}
}

static void refuses_flags_that_write(void)
{
	smmap_manager *manager = new_manager(SMMAP_PLACEMENT_AUTO, 4096, MIB);
	const char *path = files_make("a", 100, 1);
	static const int flags[] = {O_WRONLY, O_RDWR, O_CREAT, O_TRUNC, O_PATH, O_APPEND, O_EXCL};
	for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
		assert_refused(manager, path, flags[i], SMMAP_EINVAL);
		smmap_region region = SMMAP_REGION_INIT;
		assert_int_equal(smmap_region_open(&region, path, 0, 1, flags[i]), SMMAP_EINVAL);
	}
	smmap_cursor cursor = SMMAP_CURSOR_INIT;
	assert_int_equal(smmap_cursor_open(&cursor, manager, path, O_NOFOLLOW), 0);
	use_and_check(&cursor, 0, 0, 100, 1);
	smmap_file_status status;
	assert_int_equal(smmap_cursor_status(&cursor, &status), 0);
	assert_int_equal(status.open_flags, O_NOFOLLOW);
	const char *link_path = files_path("link");
	assert_int_equal(symlink(path, link_path), 0);
	assert_refused(manager, link_path, O_NOFOLLOW, SMMAP_ELOOP);
	smmap_cursor_close(&cursor);
	free_manager(manager);
}

static void refuses_what_is_no_file_and_never_hangs(void)
{
	smmap_manager *manager = new_manager(SMMAP_PLACEMENT_AUTO, 4096, MIB);
	const char *fifo = files_path("fifo");
	assert_int_equal(mkfifo(fifo, 0600), 0);
	assert_refused(manager, fifo, 0, SMMAP_ENOTREG);
	assert_refused(manager, "/dev/null", 0, SMMAP_ENOTREG);
	assert_refused(manager, "/dev/zero", 0, SMMAP_ENOTREG);

	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	snprintf(address.sun_path, sizeof address.sun_path, "/tmp/smmap-test-%d", (int)getpid());
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
	assert_refused(manager, address.sun_path, 0, SMMAP_ENOTREG);
	smmap_region region = SMMAP_REGION_INIT;
	assert_int_equal(smmap_region_open(&region, address.sun_path, 0, 1, 0), SMMAP_ENOTREG);
	assert_int_equal(smmap_region_open(&region, fifo, 0, 1, 0), SMMAP_ENOTREG);
	assert_int_equal(smmap_region_open(&region, files_dir(), 0, 1, 0), SMMAP_EISDIR);
	assert_int_equal(unlink(address.sun_path), 0);
	assert_refused_fd(manager, fd, SMMAP_ENOTREG);
	close(fd);
	free_manager(manager);
}

static void refuses_descriptors_that_cannot_be_read(void)
{
	smmap_manager *manager = new_manager(SMMAP_PLACEMENT_AUTO, 4096, MIB);
	const char *path = files_make("a", 100, 1);
	assert_refused_fd(manager, -1, SMMAP_EBADF);
	assert_refused_fd(manager, INT32_MIN, SMMAP_EBADF);
	assert_refused_fd(manager, INT32_MAX, SMMAP_EBADF);
	static const int flags[] = {O_WRONLY, O_PATH};
	for (int i = 0; i < 2; i++) {
		int fd = open(path, flags[i] | O_CLOEXEC);
		assert_true(fd >= 0);
		assert_refused_fd(manager, fd, SMMAP_EBADF);
		close(fd);
		assert_refused_fd(manager, fd, SMMAP_EBADF);
	}
	int ends[2];
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_refused_fd(manager, ends[0], SMMAP_ENOTREG);
	assert_refused_fd(manager, ends[1], SMMAP_EBADF);
	close(ends[0]);
	close(ends[1]);
	int dir = open(files_dir(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_refused_fd(manager, dir, SMMAP_EISDIR);
	close(dir);
	free_manager(manager);
}

/* Root reads everything: the test becomes nobody in a child of its own. */
static void refuses_unreadable_files(void)
{
	const char *path = files_make("a", 100, 1);
	assert_int_equal(chmod(path, 0), 0);
	assert_int_equal(chmod(files_dir(), 0755), 0);
	pid_t child = fork();
	if (child == 0) {
		smmap_manager *manager = NULL;
		smmap_cursor cursor = SMMAP_CURSOR_INIT;
		if (geteuid() == 0 && setuid(65534) != 0)
			_exit(1);
		if (smmap_manager_new(&manager, NULL) != 0)
			_exit(2);
		if (smmap_cursor_open(&cursor, manager, path, 0) != SMMAP_EACCES)
			_exit(3);
		_exit(smmap_manager_free(manager) == 0 ? 0 : 4);
	}
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static void empty_files_have_nothing_to_offer(void)
{
	for (int i = 0; i < PLACEMENTS; i++) {
		smmap_manager *manager = new_manager(placements[i], 4096, MIB);
		const char *path = files_make("empty", 0, 1);
		smmap_cursor cursor = SMMAP_CURSOR_INIT;
		open_cursor(&cursor, manager, path);
		assert_int_equal(smmap_cursor_file_size(&cursor), 0);
		assert_int_equal(smmap_cursor_use_region(&cursor, 0, 0), 0);
		assert_int_equal(smmap_cursor_use_region(&cursor, UINT64_MAX, UINT64_MAX), 0);
		assert_false(smmap_cursor_is_valid(&cursor));
		assert_int_equal(smmap_read(&cursor, 0, &path, 1), 0);
		assert_int_equal(smmap_advise(&cursor, SMMAP_ADVICE_WILLNEED, 0, 0), 0);
		assert_int_equal(smmap_advise(&cursor, SMMAP_ADVICE_RANDOM, 0, 0), 0);
		assert_int_equal(smmap_verify(&cursor), 0);
		unsigned char page;
		assert_int_equal(smmap_cursor_residency(&cursor, 0, 1, &page, 1), 0);
		smmap_buffer buffer = SMMAP_BUFFER_INIT;
		assert_int_equal(smmap_buffer_begin_access(&buffer, &cursor, 0, SMMAP_TO_END), SMMAP_ERANGE);
		smmap_region region = SMMAP_REGION_INIT;
		assert_int_equal(smmap_region_open(&region, path, 0, 1, 0), SMMAP_ERANGE);
		/* It fills up later. */
		files_write(path, 0, 5000, 1);
		assert_int_equal(smmap_refresh(&cursor), SMMAP_CHANGE_GREW | SMMAP_CHANGE_MODIFIED);
		use_and_check(&cursor, 0, 0, 4096, 1);
		smmap_cursor_close(&cursor);
		free_manager(manager);
	}
}

static size_t read_file(const char *path, unsigned char *to, size_t room)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	size_t done = 0;
	for (ssize_t n; (n = read(fd, to + done, room - done)) > 0;)
		done += (size_t)n;
	close(fd);
	return done;
}

/* Files that say size 0, or 4096, and cannot be mapped. */
static void serves_files_of_the_kernel_by_reading(void)
{
	static const char *paths[] = {"/proc/version", "/proc/filesystems",
	                              "/sys/kernel/mm/transparent_hugepage/enabled", "/proc/sys/kernel/ostype"};
	static unsigned char expected[MIB], got[MIB];
	for (int i = 0; i < PLACEMENTS; i++) {
		smmap_manager *manager = new_manager(placements[i], 4096, MIB);
		for (size_t k = 0; k < sizeof paths / sizeof *paths; k++) {
			if (access(paths[k], R_OK) != 0)
				continue;
			smmap_cursor cursor = SMMAP_CURSOR_INIT;
			smmap_file_status status;
			size_t size = read_file(paths[k], expected, sizeof expected);
			open_cursor(&cursor, manager, paths[k]);
			assert_int_equal(smmap_cursor_file_size(&cursor), size);
			assert_int_equal(smmap_cursor_status(&cursor, &status), 0);
			assert_int_equal(status.backing, SMMAP_BACKING_MEMORY);
			assert_int_equal(smmap_cursor_use_region(&cursor, 0, 0), size);
			assert_memory_equal(smmap_cursor_data(&cursor), expected, size);
			assert_int_equal(smmap_read(&cursor, 0, got, sizeof got), size);
			assert_memory_equal(got, expected, size);
			smmap_cursor_unuse_region(&cursor);
			assert_int_equal(smmap_verify(&cursor) & ~SMMAP_CHANGE_MODIFIED, 0);
			smmap__manager_check(manager);
			/* Given back, it is read again. */
			smmap_cursor_close(&cursor);
			smmap_manager_collect(manager);
			open_cursor(&cursor, manager, paths[k]);
			smmap_manager_collect(manager);
			assert_int_equal(smmap_cursor_use_region(&cursor, 1, 0), size - 1);
			assert_memory_equal(smmap_cursor_data(&cursor), expected + 1, size - 1);
			unsigned char page;
			assert_int_equal(smmap_cursor_residency(&cursor, 0, 1, &page, 1), SMMAP_ENOTSUP);
			smmap_cursor_close(&cursor);
		}
		free_manager(manager);
	}
}

static void serves_proc_cpuinfo(void)
{
	smmap_manager *manager = new_manager(SMMAP_PLACEMENT_AUTO, 4096, MIB);
	smmap_cursor cursor = SMMAP_CURSOR_INIT;
	open_cursor(&cursor, manager, "/proc/cpuinfo");
	int64_t n = smmap_cursor_use_region(&cursor, 0, 0);
	assert_true(n > 20);
	assert_non_null(memmem(smmap_cursor_data(&cursor), (size_t)n, "processor", 9));
	smmap_cursor_close(&cursor);
	free_manager(manager);
}

/* A file that never ends, as it were, must not fill the memory. */
static void refuses_files_without_size_beyond_the_limit(void)
{
	smmap_manager *manager = new_manager(SMMAP_PLACEMENT_AUTO, 4096, 8192);
	smmap_cursor cursor = SMMAP_CURSOR_INIT;
	if (access("/proc/kallsyms", R_OK) != 0)
		skip_test("needs a large file below /proc");
	books_figures books = books_now();
	assert_int_equal(smmap_cursor_open(&cursor, manager, "/proc/kallsyms", 0), SMMAP_EFBIG);
	books_assert_same(&books);
	free_manager(manager);
}

static void memfds_and_unlinked_files_stay_readable(void)
{
	for (int i = 0; i < PLACEMENTS; i++) {
		smmap_manager *manager = new_manager(placements[i], 4096, 3 * 4096);
		smmap_cursor cursor = SMMAP_CURSOR_INIT;
		unsigned char content[20000], got[20000];
		files_fill(content, 0, sizeof content, 7);
		int fd = memfd_create("m", MFD_CLOEXEC);
		assert_int_equal(write(fd, content, sizeof content), (ssize_t)sizeof content);
		assert_int_equal(smmap_cursor_open_fd(&cursor, manager, fd), 0);
		assert_int_equal(smmap_cursor_fd(&cursor), fd);
		assert_null(smmap_cursor_path(&cursor));
		close(fd); /* the library has a duplicate where it needs one */
		for (uint64_t at = 0; at < 20000; at += 3000)
			use_and_check(&cursor, at, 0, smmap__min(4096, 20000 - at), 7);
		assert_int_equal(smmap_read(&cursor, 0, got, sizeof got), sizeof got);
		files_assert(got, 0, sizeof got, 7);
		smmap_cursor_close(&cursor);

		const char *path = files_make("gone", 20000, 8);
		open_cursor(&cursor, manager, path);
		assert_int_equal(unlink(path), 0);
		assert_int_equal(smmap_verify(&cursor), SMMAP_CHANGE_REPLACED);
		assert_int_equal(smmap_refresh(&cursor), SMMAP_ENOENT);
		for (uint64_t at = 0; at < 20000; at += 3000)
			use_and_check(&cursor, at, 0, smmap__min(4096, 20000 - at), 8);
		assert_int_equal(smmap_read(&cursor, 0, got, sizeof got), sizeof got);
		files_assert(got, 0, sizeof got, 8);
		smmap_cursor_close(&cursor);
		free_manager(manager);
	}
}

/* The same without a descriptor in the cache: what is mapped as a whole needs none. */
static void cold_reads_of_a_file_that_is_gone_go_through_its_mapping(void)
{
	smmap_manager *manager;
	smmap_options options = SMMAP_OPTIONS_INIT;
	options.max_descriptors = 1;
	options.window_size = 4096;
	options.placement = SMMAP_PLACEMENT_STABLE;
	assert_int_equal(smmap_manager_new(&manager, &options), 0);
	smmap_cursor cursor = SMMAP_CURSOR_INIT, other = SMMAP_CURSOR_INIT;
	unsigned char got[20000];
	const char *path = files_make("gone", 20000, 8);
	open_cursor(&cursor, manager, path);
	assert_int_equal(unlink(path), 0);
	open_cursor(&other, manager, files_make("other", 100, 9));
	assert_int_equal(smmap_read(&other, 0, got, 100), 100);
	assert_int_equal(smmap_read(&cursor, 10, got, 5000), 5000);
	files_assert(got, 10, 5000, 8);
	use_and_check(&cursor, 17000, 0, 3000, 8);
	smmap_cursor_close(&cursor);
	smmap_cursor_close(&other);
	free_manager(manager);
}

static void names_of_one_inode_share_one_entry(void)
{
	for (int i = 0; i < PLACEMENTS; i++) {
		smmap_manager *manager = new_manager(placements[i], 4096, MIB);
		smmap_cursor c[5] = {SMMAP_CURSOR_INIT, SMMAP_CURSOR_INIT, SMMAP_CURSOR_INIT, SMMAP_CURSOR_INIT,
		                     SMMAP_CURSOR_INIT};
		const char *path = files_make("a", 10000, 1);
		const char *hard = files_path("hard"), *soft = files_path("soft");
		char spelled[4096];
		snprintf(spelled, sizeof spelled, "%s/.//a", files_dir());
		if (i == 0) {
			assert_int_equal(link(path, hard), 0);
			assert_int_equal(symlink(path, soft), 0);
		}
		int fd = open(path, O_RDONLY | O_CLOEXEC);
		open_cursor(&c[0], manager, path);
		open_cursor(&c[1], manager, hard);
		open_cursor(&c[2], manager, soft);
		open_cursor(&c[3], manager, spelled);
		assert_int_equal(smmap_cursor_open_fd(&c[4], manager, fd), 0);
		for (int k = 0; k < 5; k++) {
			use_and_check(&c[k], 0, 0, 4096, 1);
			assert_ptr_equal(smmap_cursor_data(&c[k]), smmap_cursor_data(&c[0]));
		}
		assert_int_equal(smmap_manager_num_file_handles(manager), 1);
		assert_int_equal(smmap_manager_num_open_files(manager), 1);
		assert_int_equal(stats_of(manager).files, 1);
		assert_string_equal(smmap_cursor_path(&c[1]), hard);
		assert_int_equal(smmap_cursor_fd(&c[1]), SMMAP_EINVAL);
		assert_int_equal(smmap_cursor_fd(&c[4]), fd);
		for (int k = 0; k < 5; k++)
			smmap_cursor_close(&c[k]);
		close(fd);
		free_manager(manager);
	}
}

static void opening_binds_anew(void)
{
	smmap_manager *manager = new_manager(SMMAP_PLACEMENT_AUTO, 4096, MIB);
	smmap_cursor cursor = SMMAP_CURSOR_INIT;
	const char *a = files_make("a", 5000, 1), *b = files_make("b", 5000, 2);
	open_cursor(&cursor, manager, a);
	use_and_check(&cursor, 0, 0, 4096, 1);
	open_cursor(&cursor, manager, b);
	assert_false(smmap_cursor_is_valid(&cursor));
	use_and_check(&cursor, 0, 0, 4096, 2);
	open_cursor(&cursor, manager, b);
	use_and_check(&cursor, 4096, 0, 904, 2);
	assert_int_equal(smmap_manager_free(manager), SMMAP_EBUSY);
	smmap_cursor_close(&cursor);
	smmap_cursor_close(&cursor);
	free_manager(manager);
}

static int taken[64];
static int taken_count;

/* Takes all descriptors that the process may have. */
static void take_all_descriptors(void)
{
	const struct rlimit few = {64, 64};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	for (int fd; (fd = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0;)
		taken[taken_count++] = fd;
}

static void give_all_descriptors(void)
{
	while (taken_count != 0)
		close(taken[--taken_count]);
}

/* The open files of the process are used up: the library closes its own, and else says so. */
static void copes_without_descriptors(void)
{
	enum { COUNT = 10 };
	smmap_manager *manager = new_manager(SMMAP_PLACEMENT_DETACHED, 4096, MIB);
	smmap_cursor c[COUNT], cursor = SMMAP_CURSOR_INIT;
	for (int i = 0; i < COUNT; i++) {
		char name[16];
		snprintf(name, sizeof name, "f%d", i);
		c[i] = (smmap_cursor)SMMAP_CURSOR_INIT;
		open_cursor(&c[i], manager, files_make(name, 9000, (uint64_t)i));
	}
	const char *path = files_make("one more", 100, 99);
	take_all_descriptors();
	open_cursor(&cursor, manager, path);
	for (int i = 0; i < COUNT; i++)
		use_and_check(&c[i], 5000, 0, 4000, (uint64_t)i);
	assert_true(stats_of(manager).retries != 0);
	for (int i = 0; i < COUNT; i++)
		smmap_cursor_close(&c[i]);
	smmap_cursor_close(&cursor);
	smmap_manager_collect(manager);
	take_all_descriptors();
	assert_int_equal(smmap_cursor_open(&cursor, manager, path, 0), SMMAP_EMFILE);
	smmap__manager_check(manager);
	give_all_descriptors();
	open_cursor(&cursor, manager, path);
	use_and_check(&cursor, 0, 0, 100, 99);
	smmap_cursor_close(&cursor);
	free_manager(manager);
}

TEST_PROGRAM(TEST(refuses_paths_that_cannot_be_opened), TEST(refuses_flags_that_write),
             TEST(refuses_what_is_no_file_and_never_hangs), TEST(refuses_descriptors_that_cannot_be_read),
             TEST(refuses_unreadable_files), TEST(empty_files_have_nothing_to_offer, .unit = 4096),
             TEST(serves_files_of_the_kernel_by_reading), TEST(serves_proc_cpuinfo),
             TEST(refuses_files_without_size_beyond_the_limit),
             TEST(memfds_and_unlinked_files_stay_readable, .unit = 4096),
             TEST(cold_reads_of_a_file_that_is_gone_go_through_its_mapping, .stable = true),
             TEST(names_of_one_inode_share_one_entry, .unit = 4096), TEST(opening_binds_anew, .unit = 4096),
             TEST(copes_without_descriptors))
