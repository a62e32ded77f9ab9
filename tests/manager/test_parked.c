/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A reader that is parked inside a page fault, and another thread that goes on meanwhile. The fault is on memory
 * (userfaultfd: the reader waits until the test gives it the page) or on a device (a file system of our own that keeps the
 * answer back). What the other thread does must end while the reader is parked, unless the system itself makes it wait for the
 * device; and then the reader gets the right byte, or the error that was made for it.
 */
#include "cursor/setup.h"

#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef UFFD_USER_MODE_ONLY
#define UFFD_USER_MODE_ONLY 1
#endif

enum { PAGES = 64, WINDOW_PAGES = 16, PARKED_PAGE = 20, WITHIN = 77, SECONDS = 10, SEED = 1, OTHER_SEED = 2 };

enum park { ON_MEMORY, ON_DEVICE };

typedef struct race race;

typedef struct scene {
	const race *race;
	enum park park;
	bool copies; /* the reader is in smmap_read, else in a pointer's page */
	smmap_manager *manager;
	const char *path, *moved; /* the file, and another name for it */
	int fd;                   /* of the file, for writing */
	smmap_cursor holder;      /* another cursor of the file, the actor's */
	smmap_cursor other;       /* of another file, with regions to evict */
	smmap_view view;          /* of the region that the reader is in; pointers only */
	int faults;               /* ON_MEMORY */
	pid_t server;             /* ON_DEVICE */
	FILE *to_server, *from_server;
	/* The reader's. */
	pthread_t reader;
	smmap_cursor cursor;
	unsigned char byte;
	int64_t result;
	int error;
	_Atomic bool done;
	/* The actor's. */
	pthread_t actor;
	_Atomic(const char *) finding;
} scene;

struct race {
	void (*act)(scene *s);
	int expected; /* the error that the reader meets, or 0 */
	bool device_makes_wait;
};

static size_t page;

static uint64_t parked_offset(void)
{
	return PARKED_PAGE * (uint64_t)page + WITHIN;
}

static uint64_t file_size(void)
{
	return PAGES * (uint64_t)page;
}

/* In the actor, where cmocka's assertions must not be used. */
static void find(scene *s, bool right, const char *what)
{
	const char *none = NULL;
	if (!right)
		atomic_compare_exchange_strong(&s->finding, &none, what);
}

/* ---- parking on memory ---- */

static int open_faults(void)
{
	struct uffdio_api api = {.api = UFFD_API};
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY);
	if (fd < 0 || ioctl(fd, UFFDIO_API, &api) != 0)
		skip_test("needs userfaultfd");
	return fd;
}

/* The page leaves the file; who touches it from here on waits. */
static void arm_memory(scene *s)
{
	struct uffdio_register range = {
		.range = {(uintptr_t)smmap_cursor_data(&s->holder), WINDOW_PAGES * page},
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	off_t at = PARKED_PAGE * (off_t)page;
	assert_int_equal(fallocate(s->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, at, (off_t)page), 0);
	assert_int_equal(ioctl(s->faults, UFFDIO_REGISTER, &range), 0);
}

static void wait_parked_on_memory(scene *s)
{
	struct pollfd wait = {s->faults, POLLIN, 0};
	struct uffd_msg message;
	assert_int_equal(poll(&wait, 1, SECONDS * 1000), 1);
	assert_int_equal(read(s->faults, &message, sizeof message), sizeof message);
	assert_int_equal(message.event, UFFD_EVENT_PAGEFAULT);
}

/* Gives the page back; where there is none any more the reader is woken, to find that out. */
static void release_memory(scene *s, uintptr_t window)
{
	unsigned char content[65536];
	uintptr_t at = window + (PARKED_PAGE % WINDOW_PAGES) * page;
	struct uffdio_copy copy = {.dst = at, .src = (uintptr_t)content, .len = page};
	struct uffdio_range range = {at, page};
	files_fill(content, PARKED_PAGE * (uint64_t)page, page, SEED);
	if (ioctl(s->faults, UFFDIO_COPY, &copy) != 0)
		assert_int_equal(ioctl(s->faults, UFFDIO_WAKE, &range), 0);
}

/* ---- parking on a device: tests/real/fuse.c ---- */

static void tell_server(scene *s, const char *command)
{
	char line[200];
	fprintf(s->to_server, "%s\n", command);
	fflush(s->to_server);
	do
		assert_non_null(fgets(line, sizeof line, s->from_server));
	while (strcmp(line, "ok\n") != 0);
}

static const char *server_program(void)
{
	static char path[PATH_MAX + 20];
	char self[PATH_MAX] = "";
	assert_true(readlink("/proc/self/exe", self, sizeof self - 1) > 0);
	snprintf(path, sizeof path, "%s/real-fuse", dirname(self));
	return path;
}

static void start_server(scene *s, const char *mountpoint, const char *backing)
{
	int to[2], from[2];
	char line[20];
	if (geteuid() != 0 || access("/dev/fuse", R_OK | W_OK) != 0)
		skip_test("needs root and /dev/fuse");
	if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
		skip_test("needs a mount namespace of its own");
	assert_int_equal(pipe2(to, O_CLOEXEC), 0);
	assert_int_equal(pipe2(from, O_CLOEXEC), 0);
	const char *program = server_program();
	s->server = fork();
	assert_true(s->server >= 0);
	if (s->server == 0) {
		dup2(to[0], 0);
		dup2(from[1], 1);
		execl(program, program, mountpoint, backing, (char *)NULL);
		_exit(127);
	}
	close(to[0]);
	close(from[1]);
	s->to_server = fdopen(to[1], "we");
	s->from_server = fdopen(from[0], "re");
	assert_non_null(fgets(line, sizeof line, s->from_server));
	assert_string_equal(line, "ready\n");
}

static void stop_server(scene *s)
{
	int status;
	fclose(s->to_server);
	fclose(s->from_server);
	assert_int_equal(waitpid(s->server, &status, 0), s->server);
}

static void arm_device(scene *s)
{
	char command[100];
	snprintf(command, sizeof command, "hold %zu %zu", PARKED_PAGE * page, (PARKED_PAGE + 1) * page);
	tell_server(s, command);
	/* Opening it anew empties its page cache. */
	int fd = open(s->path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	close(fd);
}

static void wait_parked_on_device(scene *s)
{
	char line[100];
	struct pollfd wait = {fileno(s->from_server), POLLIN, 0};
	assert_int_equal(poll(&wait, 1, SECONDS * 1000), 1);
	assert_non_null(fgets(line, sizeof line, s->from_server));
	assert_true(strncmp(line, "held", 4) == 0);
	/* The request is sent; the reader is about to wait, or does already. */
	usleep(20000);
}

/* ---- the scene ---- */

static void make_file(scene *s)
{
	if (s->park == ON_MEMORY) {
		s->faults = open_faults();
		/* On tmpfs, so that it has a name; opened for writing, without which nothing is registered. */
		char *path;
		assert_true(asprintf(&path, "/dev/shm/smmap-parked-%d", (int)getpid()) > 0);
		s->path = path;
		s->fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
		if (s->fd < 0)
			skip_test("needs a tmpfs at /dev/shm");
		files_write(path, 0, file_size(), SEED);
		assert_true(asprintf(&path, "%s-moved", s->path) > 0);
		s->moved = path;
		return;
	}
	const char *backing = files_make("backing", file_size(), SEED);
	const char *mountpoint = files_path("mount");
	(void)mkdir(mountpoint, 0700);
	start_server(s, mountpoint, backing);
	s->path = files_path("mount/f");
	s->moved = NULL;
	s->fd = open(backing, O_RDWR | O_CLOEXEC);
}

static int open_another(scene *s, smmap_cursor *cursor)
{
	return s->park == ON_MEMORY ? smmap_cursor_open_fd(cursor, s->manager, s->fd)
	                            : smmap_cursor_open(cursor, s->manager, s->path, 0);
}

static void set_up(scene *s, int placement)
{
	make_file(s);
	s->manager = new_manager(placement, WINDOW_PAGES * page, MIB);
	assert_int_equal(open_another(s, &s->holder), 0);
	assert_int_equal(smmap_cursor_assign(&s->cursor, &s->holder), 0);
	assert_int_equal(smmap_cursor_use_region(&s->holder, WINDOW_PAGES * page, 0), WINDOW_PAGES * page);
	open_cursor(&s->other, s->manager, files_make("other", file_size(), OTHER_SEED));
	use_and_check(&s->other, 0, 0, WINDOW_PAGES * page, OTHER_SEED);
	smmap_cursor_unuse_region(&s->other);
}

static void *read_and_park(void *of)
{
	scene *s = of;
	if (s->copies) {
		s->result = smmap_read(&s->cursor, parked_offset(), &s->byte, 1);
		s->error = s->result < 0 ? (int)s->result : 0;
	} else {
		s->result = smmap_cursor_use_region(&s->cursor, parked_offset(), 1);
		if (s->result == 1)
			s->byte = *(const volatile unsigned char *)smmap_cursor_data(&s->cursor);
		s->error = smmap_cursor_error(&s->cursor, NULL);
	}
	atomic_store(&s->done, true);
	return NULL;
}

static void *act(void *of)
{
	scene *s = of;
	s->race->act(s);
	return NULL;
}

static bool join_in_time(pthread_t thread)
{
	struct timespec until;
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += SECONDS;
	return pthread_timedjoin_np(thread, NULL, &until) == 0;
}

/* Whether the actor ends while the reader is parked. */
static bool acts_in_time(scene *s)
{
	struct timespec until;
	assert_int_equal(pthread_create(&s->actor, NULL, act, s), 0);
	clock_gettime(CLOCK_REALTIME, &until);
	if (s->park == ON_DEVICE && s->race->device_makes_wait)
		until.tv_nsec += 1; /* whether it waits is the system's affair */
	else
		until.tv_sec += SECONDS;
	return pthread_timedjoin_np(s->actor, NULL, &until) == 0;
}

static void tear_down(scene *s)
{
	smmap_cursor_close(&s->cursor);
	smmap_cursor_close(&s->holder);
	smmap_cursor_close(&s->other);
	smmap_view_release(&s->view);
	(void)smmap_manager_set_limits(s->manager, MIB, 0);
	(void)smmap_manager_collect(s->manager);
	assert_int_equal(stats_of(s->manager).mapped_bytes, 0);
	assert_int_equal(stats_of(s->manager).handles, 0);
	free_manager(s->manager);
	close(s->fd);
	if (s->park == ON_DEVICE) {
		stop_server(s);
		return;
	}
	close(s->faults);
	unlink(s->path);
	unlink(s->moved);
	free((char *)(uintptr_t)s->path);
	free((char *)(uintptr_t)s->moved);
}

static void run_race(const race *r, enum park park, int placement, bool copies)
{
	scene s = {.race = r, .park = park, .copies = copies};
	set_up(&s, placement);
	uintptr_t window = (uintptr_t)smmap_cursor_data(&s.holder);
	if (!copies)
		assert_int_equal(smmap_cursor_view(&s.view, &s.holder), 0);
	if (park == ON_MEMORY)
		arm_memory(&s);
	else
		arm_device(&s);
	/* A copying read of a stable file has no pin: then nothing else has one either. */
	if (copies)
		smmap_cursor_unuse_region(&s.holder);
	assert_int_equal(pthread_create(&s.reader, NULL, read_and_park, &s), 0);
	if (park == ON_MEMORY)
		wait_parked_on_memory(&s);
	else
		wait_parked_on_device(&s);
	bool acted = acts_in_time(&s);
	bool parked = !atomic_load(&s.done);
	if (park == ON_MEMORY)
		release_memory(&s, window);
	else
		tell_server(&s, "go");
	if (!acted && (!join_in_time(s.actor) || park == ON_MEMORY || !r->device_makes_wait))
		fail_msg("the other thread hung while a reader was parked");
	if (!join_in_time(s.reader))
		fail_msg("the reader hangs");
	if (acted && !parked)
		fail_msg("the reader was not parked");
	if (atomic_load(&s.finding) != NULL)
		fail_msg("wrong: %s", atomic_load(&s.finding));
	/* Whoever had to wait for the device may have come too late to do harm. */
	bool may_be_sound = park == ON_DEVICE && r->device_makes_wait;
	if (s.error != 0 || !may_be_sound)
		assert_int_equal(s.error, r->expected);
	if (s.error == 0) {
		/* A FUSE server that answers with less than it was asked for makes the system fill the page with zeros, and say nothing. */
		bool may_be_cut = park == ON_DEVICE && r->expected == SMMAP_ETRUNCATED && s.byte == 0;
		assert_int_equal(s.result, 1);
		assert_true(may_be_cut || s.byte == files_byte(parked_offset(), SEED));
	}
	tear_down(&s);
}

static void run_all(const race *r, enum park park)
{
	page = (size_t)smmap_allocation_granularity();
	assert_int_equal(smmap_guard_enable(), 0);
	for (int i = 0; i < PLACEMENTS; i++)
		for (int copies = 0; copies < 2; copies++) {
			printf("%s, %s\n", i == 0 ? "stable" : "detached", copies ? "copying read" : "pointer");
			run_race(r, park, placements[i], copies);
		}
	assert_int_equal(smmap_guard_disable(), 0);
}

/* ---- what the other thread does ---- */

static void check_other_file(scene *s)
{
	unsigned char got[100];
	find(s, smmap_read(&s->other, 3 * page, got, sizeof got) == sizeof got, "a read of another file");
	find(s, files_compare(got, 3 * page, sizeof got, OTHER_SEED) == sizeof got, "bytes of another file");
}

static void evict(scene *s)
{
	(void)smmap_manager_collect(s->manager);
	/* The region that a pointer is in stays; the copying read of a stable file holds none. */
	uint64_t left = smmap_manager_num_file_handles(s->manager);
	find(s, left <= 1 && (s->copies || left == 1), "regions that are left");
	check_other_file(s);
}

static void close_a_cursor(scene *s)
{
	smmap_cursor_close(&s->holder);
	check_other_file(s);
}

static void release_a_view(scene *s)
{
	smmap_view_release(&s->view);
	(void)smmap_manager_make_room(s->manager, UINT64_MAX);
	check_other_file(s);
}

static void free_the_manager(scene *s)
{
	find(s, smmap_manager_free(s->manager) == SMMAP_EBUSY, "freeing the manager");
	check_other_file(s);
}

static int use_in_child(scene *s)
{
	unsigned char got[50];
	smmap_cursor cursor = SMMAP_CURSOR_INIT;
	if (smmap_cursor_assign(&cursor, &s->other) != 0 ||
	    smmap_cursor_use_region(&cursor, 30 * page, page) != (int64_t)page ||
	    files_compare(smmap_cursor_data(&cursor), 30 * page, page, OTHER_SEED) != page)
		return 1;
	if (smmap_read(&s->holder, 40 * page, got, sizeof got) != sizeof got ||
	    files_compare(got, 40 * page, sizeof got, SEED) != sizeof got)
		return 2;
	(void)smmap_manager_collect(s->manager);
	return 0;
}

static void fork_a_child(scene *s)
{
	int status = -1;
	pid_t child = fork();
	if (child == 0) {
		alarm(SECONDS);
		_exit(use_in_child(s));
	}
	find(s, child > 0 && waitpid(child, &status, 0) == child && status == 0, "the child");
	check_other_file(s);
}

static void refresh_another(scene *s)
{
	find(s, smmap_refresh(&s->holder) >= 0, "refresh");
	find(s, smmap_verify(&s->holder) >= 0, "verify");
	check_other_file(s);
}

static void shrink_the_limit(scene *s)
{
	find(s, smmap_manager_set_limits(s->manager, 1, 1) == 0, "set_limits");
	check_other_file(s);
}

static void open_the_same(scene *s)
{
	smmap_cursor cursor = SMMAP_CURSOR_INIT;
	find(s, open_another(s, &cursor) == 0, "open");
	find(s, smmap_cursor_use_region(&cursor, 40 * page, page) == (int64_t)page, "use_region");
	find(s,
	     smmap_cursor_data(&cursor) != NULL &&
	         files_compare(smmap_cursor_data(&cursor), 40 * page, page, SEED) == page,
	     "bytes of the same file");
	smmap_cursor_close(&cursor);
}

/* Other pages of the same region. */
static void read_the_same_region(scene *s)
{
	unsigned char got[100];
	const uint64_t at = WINDOW_PAGES * (uint64_t)page + 5;
	find(s, smmap_read(&s->holder, at, got, sizeof got) == sizeof got, "a read of the region");
	find(s, files_compare(got, at, sizeof got, SEED) == sizeof got, "bytes of the region");
	find(s, smmap_cursor_use_region(&s->holder, at, 50) == 50, "use of the region");
	check_other_file(s);
}

static void grow_the_file(scene *s)
{
	unsigned char more[100], got[100];
	files_fill(more, file_size(), sizeof more, SEED);
	find(s, pwrite(s->fd, more, sizeof more, (off_t)file_size()) == sizeof more, "writing");
	find(s, smmap_refresh(&s->holder) >= SMMAP_CHANGE_GREW, "refresh");
	find(s, smmap_read(&s->holder, file_size(), got, sizeof got) == sizeof got, "a read of what is new");
	find(s, memcmp(got, more, sizeof more) == 0, "bytes of what is new");
}

static void move_the_file(scene *s)
{
	if (s->park == ON_MEMORY) {
		find(s, rename(s->path, s->moved) == 0, "rename");
		find(s, unlink(s->moved) == 0, "unlink");
	}
	find(s, smmap_verify(&s->holder) >= 0, "verify");
	check_other_file(s);
}

static void truncate_the_file(scene *s)
{
	find(s, truncate(s->path, 10 * (off_t)page) == 0, "truncate");
	check_other_file(s);
}

/* The process ends while the reader is parked. */
static void exit_the_process(scene *s)
{
	check_other_file(s);
	_exit(atomic_load(&s->finding) != NULL);
}

/* In a child of its own, which must end; its threads are made there. */
static void run_exits(const race *r, enum park park)
{
	for (int i = 0; i < PLACEMENTS; i++)
		for (int copies = 0; copies < 2; copies++) {
			int status;
			pid_t child = fork();
			assert_true(child >= 0);
			if (child == 0) {
				page = (size_t)smmap_allocation_granularity();
				alarm(2 * SECONDS);
				(void)smmap_guard_enable();
				run_race(r, park, placements[i], copies);
				_exit(99); /* it did not exit */
			}
			assert_int_equal(waitpid(child, &status, 0), child);
			assert_int_equal(status, 0);
			char path[100];
			snprintf(path, sizeof path, "/dev/shm/smmap-parked-%d", (int)child);
			unlink(path);
		}
}

#define RACE(name, ...)                                                                                      \
	static const race race_##name = {name, __VA_ARGS__};                                                     \
	static void name##_with_a_reader_parked_on_memory(void)                                                  \
	{                                                                                                        \
		run_all(&race_##name, ON_MEMORY);                                                                    \
	}                                                                                                        \
	static void name##_with_a_reader_parked_on_a_device(void)                                                \
	{                                                                                                        \
		run_all(&race_##name, ON_DEVICE);                                                                    \
	}

/*
 * On a device: opening empties the page cache, cutting changes it, and reading near the page reads it ahead: the system lets
 * all of them wait for the page.
 */
RACE(evict, 0, false)
RACE(close_a_cursor, 0, false)
RACE(release_a_view, 0, false)
RACE(free_the_manager, 0, false)
RACE(fork_a_child, 0, false)
RACE(refresh_another, 0, true)
RACE(shrink_the_limit, 0, false)
RACE(open_the_same, 0, true)
RACE(read_the_same_region, 0, true)
RACE(grow_the_file, 0, true)
RACE(move_the_file, 0, false)
RACE(truncate_the_file, SMMAP_ETRUNCATED, true)

static void exit_with_a_reader_parked_on_memory(void)
{
	static const race exits = {exit_the_process, 0, false};
	close(open_faults()); /* skips here where it must */
	run_exits(&exits, ON_MEMORY);
}

#define BOTH(name) TEST(name##_with_a_reader_parked_on_memory), TEST(name##_with_a_reader_parked_on_a_device)

TEST_PROGRAM(BOTH(evict), BOTH(close_a_cursor), BOTH(release_a_view), BOTH(free_the_manager),
             BOTH(fork_a_child), BOTH(refresh_another), BOTH(shrink_the_limit), BOTH(open_the_same),
             BOTH(read_the_same_region), BOTH(grow_the_file), BOTH(move_the_file), BOTH(truncate_the_file),
             TEST(exit_with_a_reader_parked_on_memory))
