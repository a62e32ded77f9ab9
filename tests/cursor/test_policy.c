/* SPDX-License-Identifier: BSD-3-Clause */
/* What a manager does about files that change: every policy, every kind of change, both placements. */
#include "cursor/setup.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SIZE = 100000, WINDOW = 8192, SHORTER = 60000, LONGER = 110000 };

static const int policies[] = {SMMAP_CHANGE_IGNORE, SMMAP_CHANGE_REPORT, SMMAP_CHANGE_REFUSE};

/* The time of modification lies in the past, so that whatever comes now changes it. */
static const char *make_old(const char *name, uint64_t size, uint64_t seed)
{
	const struct timespec times[2] = {{.tv_sec = 1000000000}, {.tv_sec = 1000000000}};
	const char *path = files_make(name, size, seed);
	assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
	return path;
}

static smmap_manager *manager_with(int policy, int placement)
{
	smmap_manager *manager;
	smmap_options options = SMMAP_OPTIONS_INIT;
	options.change = policy;
	options.placement = placement;
	options.window_size = WINDOW;
	options.max_memory = MIB;
	assert_int_equal(smmap_manager_new(&manager, &options), 0);
	return manager;
}

/* ---- changes ---- */

typedef struct change {
	const char *name;
	void (*make)(const char *path);
	int bits;
	uint64_t seed_seen; /* by who holds the file as it was */
	uint64_t seed;      /* by who takes the change up */
	uint64_t size;
	bool is_other_inode;
} change;

static void overwrite(const char *path)
{
	files_write(path, 0, SIZE, 2);
}

static void grow(const char *path)
{
	files_write(path, SIZE, LONGER - SIZE, 1);
}

static void shrink(const char *path)
{
	assert_int_equal(truncate(path, SHORTER), 0);
}

static void replace(const char *path)
{
	assert_int_equal(rename(files_make("new", SIZE, 2), path), 0);
}

static void truncate_and_regrow(const char *path)
{
	assert_int_equal(truncate(path, 0), 0);
	files_write(path, 0, SIZE, 2);
}

/* Contents and time of modification as before: only the time of the change of status tells. */
static void touch(const char *path)
{
	const struct timespec times[2] = {{.tv_sec = 1000000000}, {.tv_sec = 1000000000}};
	const struct timespec tick = {.tv_nsec = 20000000};
	nanosleep(&tick, NULL);
	assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static const change changes[] = {
	{"overwrite", overwrite, SMMAP_CHANGE_MODIFIED, 2, 2, SIZE, false},
	{"grow", grow, SMMAP_CHANGE_GREW | SMMAP_CHANGE_MODIFIED, 1, 1, LONGER, false},
	{"shrink", shrink, SMMAP_CHANGE_SHRANK | SMMAP_CHANGE_MODIFIED, 1, 1, SHORTER, false},
	{"replace", replace, SMMAP_CHANGE_REPLACED, 1, 2, SIZE, true},
	{"truncate and regrow", truncate_and_regrow, SMMAP_CHANGE_MODIFIED, 2, 2, SIZE, false},
	{"touch", touch, SMMAP_CHANGE_MODIFIED, 1, 1, SIZE, false},
};
enum { CHANGES = sizeof changes / sizeof *changes };

static int change_noted(const smmap_cursor *cursor)
{
	smmap_file_status status;
	assert_int_equal(smmap_cursor_status(cursor, &status), 0);
	return status.change;
}

/* ---- the tests ---- */

static void check_views(smmap_cursor *cursor, int policy)
{
	smmap_buffer buffer = SMMAP_BUFFER_INIT;
	smmap_view view = SMMAP_VIEW_INIT;
	int expected = policy == SMMAP_CHANGE_REFUSE ? SMMAP_ECHANGED : 0;
	/* Where the cursor is: no miss. */
	assert_int_equal(smmap_buffer_begin_access(&buffer, cursor, 10, 50000), 0);
	assert_int_equal(smmap_buffer_view(&view, &buffer, 0, 100), 0);
	smmap_view_release(&view);
	assert_int_equal(smmap_buffer_view(&view, &buffer, 0, 50000), expected);
	smmap_view_release(&view);
	smmap_buffer_close(&buffer);
}

static void check_miss(smmap_cursor *cursor, int policy, const change *c)
{
	unsigned char got[100];
	use_and_check(cursor, 10, 100, 100, c->seed_seen); /* a hit: no look */
	assert_int_equal(change_noted(cursor), 0);
	if (policy == SMMAP_CHANGE_REFUSE) {
		assert_int_equal(smmap_cursor_use_region(cursor, 50000, 100), SMMAP_ECHANGED);
		assert_int_equal(smmap_cursor_ofs_begin(cursor), 10);
		assert_int_equal(smmap_cursor_size(cursor), 100);
		assert_int_equal(smmap_read(cursor, 40000, got, 100), SMMAP_ECHANGED);
	} else {
		use_and_check(cursor, 50000, 100, 100, c->seed_seen);
		assert_int_equal(smmap_read(cursor, 40000, got, 100), 100);
		files_assert(got, 40000, 100, c->seed_seen);
	}
	check_views(cursor, policy);
	assert_int_equal(change_noted(cursor), policy == SMMAP_CHANGE_IGNORE ? 0 : c->bits);
	assert_int_equal(smmap_verify(cursor), c->bits);
}

/* Others that hold the file as it was do not keep a replacement from being opened. */
static void check_open(smmap_manager *manager, const char *path, int policy, const change *c)
{
	smmap_cursor other = SMMAP_CURSOR_INIT;
	int code = smmap_cursor_open(&other, manager, path, 0);
	if (policy == SMMAP_CHANGE_REFUSE && !c->is_other_inode) {
		assert_int_equal(code, SMMAP_ECHANGED);
		assert_false(smmap_cursor_is_associated(&other));
		return;
	}
	assert_int_equal(code, 0);
	assert_int_equal(smmap_cursor_file_size(&other), c->size);
	use_and_check(&other, 55000, 100, 100, c->seed);
	smmap_cursor_close(&other);
}

static void check_refresh(smmap_manager *manager, smmap_cursor *cursor, const char *path, const change *c)
{
	smmap_cursor other = SMMAP_CURSOR_INIT;
	assert_int_equal(smmap_refresh(cursor), c->bits);
	assert_int_equal(change_noted(cursor), 0);
	assert_int_equal(smmap_verify(cursor), 0);
	assert_int_equal(smmap_cursor_file_size(cursor), c->size);
	(void)smmap_manager_collect(manager);
	use_and_check(cursor, 50000, 100, 100, c->seed);
	use_and_check(cursor, c->size - 10, 100, 10, c->seed);
	open_cursor(&other, manager, path);
	use_and_check(&other, 30000, 100, 100, c->seed);
	smmap_cursor_close(&other);
}

static void run(int policy, int placement, const change *c)
{
	smmap_manager *manager = manager_with(policy, placement);
	smmap_cursor cursor = SMMAP_CURSOR_INIT;
	const char *path = make_old("a", SIZE, 1);
	printf("policy %d, placement %d: %s\n", policy, placement, c->name);
	open_cursor(&cursor, manager, path);
	use_and_check(&cursor, 10, 100, 100, 1);
	assert_int_equal(stats_of(manager).changed, 0);
	c->make(path);
	check_miss(&cursor, policy, c);
	assert_int_equal(stats_of(manager).changed, policy == SMMAP_CHANGE_IGNORE ? 0 : 1);
	/* It stays noted, and is counted once. */
	check_open(manager, path, policy, c);
	assert_int_equal(stats_of(manager).changed, policy == SMMAP_CHANGE_IGNORE ? 0 : 1);
	smmap__manager_check(manager);
	if (policy == SMMAP_CHANGE_IGNORE && c->size > SIZE) {
		/* The second one has taken it up for both already. */
		smmap_cursor_close(&cursor);
	} else {
		check_refresh(manager, &cursor, path, c);
		smmap_cursor_close(&cursor);
	}
	free_manager(manager);
}

static void every_policy_and_change(int placement)
{
	for (size_t p = 0; p < 3; p++)
		for (size_t i = 0; i < CHANGES; i++)
			run(policies[p], placement, &changes[i]);
}

static void stable_files(void)
{
	every_policy_and_change(SMMAP_PLACEMENT_STABLE);
}

static void detached_files(void)
{
	every_policy_and_change(SMMAP_PLACEMENT_DETACHED);
}

/* Found by opening it again alone, with no miss before. */
static void opening_looks(void)
{
	for (int i = 0; i < PLACEMENTS; i++)
		for (size_t p = 0; p < 3; p++)
			for (size_t k = 0; k < CHANGES; k++) {
				const change *c = &changes[k];
				smmap_manager *manager = manager_with(policies[p], placements[i]);
				smmap_cursor cursor = SMMAP_CURSOR_INIT;
				const char *path = make_old("a", SIZE, 1);
				bool is_noted = policies[p] != SMMAP_CHANGE_IGNORE && !c->is_other_inode;
				open_cursor(&cursor, manager, path);
				c->make(path);
				check_open(manager, path, policies[p], c);
				assert_int_equal(change_noted(&cursor), is_noted ? c->bits : 0);
				assert_int_equal(stats_of(manager).changed, is_noted);
				smmap_cursor_close(&cursor);
				free_manager(manager);
			}
}

/* A file that nobody holds, though its regions are mapped still: whoever opens it has it as it is now. */
static void idle_files_are_taken_up(void)
{
	for (int i = 0; i < PLACEMENTS; i++)
		for (size_t p = 0; p < 3; p++)
			for (size_t k = 0; k < CHANGES; k++) {
				const change *c = &changes[k];
				smmap_manager *manager = manager_with(policies[p], placements[i]);
				smmap_cursor cursor = SMMAP_CURSOR_INIT;
				const char *path = make_old("a", SIZE, 1);
				open_cursor(&cursor, manager, path);
				use_and_check(&cursor, 10, 100, 100, 1);
				smmap_cursor_close(&cursor);
				c->make(path);
				open_cursor(&cursor, manager, path);
				assert_int_equal(change_noted(&cursor), 0);
				use_and_check(&cursor, 50000, 100, 100, c->seed);
				use_and_check(&cursor, c->size - 10, 100, 10, c->seed);
				assert_int_equal(stats_of(manager).changed, 0);
				if (policies[p] != SMMAP_CHANGE_IGNORE)
					assert_int_equal(smmap_verify(&cursor), 0);
				smmap_cursor_close(&cursor);
				free_manager(manager);
			}
}

/* A file that was opened by a descriptor is looked at through that. */
static void a_descriptor_that_means_another_file(void)
{
	for (int i = 0; i < PLACEMENTS; i++)
		for (size_t p = 0; p < 3; p++)
			for (int closed = 0; closed < 2; closed++) {
				smmap_manager *manager = manager_with(policies[p], placements[i]);
				smmap_cursor cursor = SMMAP_CURSOR_INIT, other = SMMAP_CURSOR_INIT;
				bool looks = policies[p] != SMMAP_CHANGE_IGNORE;
				int fd = open(make_old("a", SIZE, 1), O_RDONLY | O_CLOEXEC);
				int second = open(make_old("b", SIZE, 2), O_RDONLY | O_CLOEXEC);
				assert_int_equal(smmap_cursor_open_fd(&cursor, manager, fd), 0);
				use_and_check(&cursor, 10, 100, 100, 1);
				if (closed)
					close(fd);
				else
					assert_int_equal(dup3(second, fd, O_CLOEXEC), fd);
				if (policies[p] == SMMAP_CHANGE_REFUSE)
					assert_int_equal(smmap_cursor_use_region(&cursor, 50000, 100), SMMAP_ECHANGED);
				else
					use_and_check(&cursor, 50000, 100, 100, 1);
				assert_int_equal(change_noted(&cursor), looks ? SMMAP_CHANGE_REPLACED : 0);
				if (closed) {
					assert_int_equal(smmap_refresh(&cursor), SMMAP_EBADF);
				} else {
					assert_int_equal(smmap_cursor_open_fd(&other, manager, fd), 0);
					use_and_check(&other, 50000, 100, 100, 2);
					assert_int_equal(smmap_refresh(&cursor), SMMAP_CHANGE_REPLACED);
					use_and_check(&cursor, 60000, 100, 100, 2);
					close(fd);
				}
				close(second);
				smmap_cursor_close(&cursor);
				smmap_cursor_close(&other);
				free_manager(manager);
			}
}

/* A miss costs one call more, a hit none, and nothing costs anything where nothing is asked for. */
static void a_look_is_one_call(void)
{
	const unsigned looks = SMMAP_FAULT_STAT | SMMAP_FAULT_FSTAT | SMMAP_FAULT_STATX;
	unsigned char got[100];
	for (int i = 0; i < PLACEMENTS; i++)
		for (size_t p = 0; p < 3; p++) {
			smmap_manager *manager = manager_with(policies[p], placements[i]);
			smmap_cursor cursor = SMMAP_CURSOR_INIT;
			uint64_t expected = policies[p] != SMMAP_CHANGE_IGNORE;
			open_cursor(&cursor, manager, make_old("a", SIZE, 1));
			smmap_faults_reset();
			use_and_check(&cursor, 10, 100, 100, 1);
			assert_int_equal(smmap_faults_count(looks), expected);
			use_and_check(&cursor, 1000, 100, 100, 1);
			assert_int_equal(smmap_read(&cursor, 2000, got, 100), 100);
			assert_int_equal(smmap_faults_count(looks), expected);
			smmap_faults_reset();
			assert_int_equal(smmap_read(&cursor, 90000, got, 100), 100);
			assert_int_equal(smmap_faults_count(looks), expected);
			assert_int_equal(stats_of(manager).changed, 0);
			smmap_cursor_close(&cursor);
			free_manager(manager);
		}
}

/* Reading goes on where only a report was asked for; who wants to be sure is not left in doubt. */
static void a_look_that_fails(void)
{
	for (int i = 0; i < PLACEMENTS; i++)
		for (size_t p = 1; p < 3; p++) {
			smmap_manager *manager = manager_with(policies[p], placements[i]);
			smmap_cursor cursor = SMMAP_CURSOR_INIT;
			bool refuses = policies[p] == SMMAP_CHANGE_REFUSE;
			open_cursor(&cursor, manager, make_old("a", SIZE, 1));
			smmap_faults_arm(SMMAP_FAULT_STAT, 1, EIO, 1);
			assert_int_equal(smmap_cursor_use_region(&cursor, 10, 100), refuses ? SMMAP_EIO : 100);
			smmap_faults_disarm();
			assert_int_equal(smmap_faults_fired(), 1);
			assert_int_equal(change_noted(&cursor), 0);
			use_and_check(&cursor, 50000, 100, 100, 1);
			smmap__manager_check(manager);
			smmap_cursor_close(&cursor);
			free_manager(manager);
		}
}

TEST_PROGRAM(TEST(stable_files, .unit = 4096), TEST(detached_files, .unit = 4096), TEST(opening_looks),
             TEST(idle_files_are_taken_up), TEST(a_descriptor_that_means_another_file, .unit = 4096),
             TEST(a_look_is_one_call), TEST(a_look_that_fails))
