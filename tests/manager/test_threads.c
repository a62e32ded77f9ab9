/* SPDX-License-Identifier: BSD-3-Clause */
/* Many threads on one manager, and forks among them. */
#include "harness/harness.h"

#include "base/arith.h"
#include "manager/manager.h"

#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { THREADS = 8, FILES = 6, ROOM = 40000 };

typedef struct crew {
	smmap_manager *manager;
	const char *paths[FILES];
	uint64_t sizes[FILES];
	uint64_t window;
	size_t rounds;
	bool changing; /* limits change, files are released and refreshed, too */
	_Atomic bool stop;
	_Atomic uint64_t calls;
	_Atomic(const char *) finding; /* what went wrong first */
} crew;

typedef struct worker {
	crew *crew;
	random_source random;
	pthread_t thread;
	smmap_cursor cursor;
	smmap_buffer buffer;
	smmap_view view;
	smmap_region region;
	int file, buffer_file, view_file;
	uint64_t view_offset;
	unsigned char room[ROOM];
} worker;

static void find(crew *c, bool right, const char *what)
{
	const char *none = NULL;
	if (!right)
		atomic_compare_exchange_strong(&c->finding, &none, what);
}

static void compare(worker *w, const unsigned char *data, uint64_t offset, uint64_t size, int file,
                    const char *what)
{
	size_t part = (size_t)smmap__min(size, 600);
	bool right = files_compare(data, offset, part, (uint64_t)file) == part;
	uint64_t at = size - part;
	right = right && files_compare(data + at, offset + at, part, (uint64_t)file) == part;
	find(w->crew, right, what);
}

static uint64_t below(worker *w, uint64_t n)
{
	return random_below(&w->random, n);
}

static void work_once(worker *w)
{
	crew *c = w->crew;
	uint64_t size = c->sizes[w->file];
	uint64_t offset = below(w, size);
	switch (below(w, c->changing ? 16 : 11)) {
	case 0:
		w->file = (int)below(w, FILES);
		find(c, smmap_cursor_open(&w->cursor, c->manager, c->paths[w->file], 0) == 0, "open");
		break;
	case 1:
	case 2:
	case 3:
	case 4: {
		int64_t n = smmap_cursor_use_region(&w->cursor, offset, 0);
		find(c, n == (int64_t)smmap__min(c->window, size - offset), "use_region");
		if (n > 0)
			compare(w, w->cursor.data, offset, (uint64_t)n, w->file, "bytes of a cursor");
		break;
	}
	case 5:
	case 6: {
		int64_t n = smmap_read(&w->cursor, offset, w->room, 1 + below(w, ROOM - 1));
		find(c, n > 0, "read");
		if (n > 0)
			compare(w, w->room, offset, (uint64_t)n, w->file, "bytes of a read");
		break;
	}
	case 7:
		if (smmap_buffer_size(&w->buffer) == 0 || below(w, 4) == 0) {
			w->buffer_file = w->file;
			find(c, smmap_buffer_begin_access(&w->buffer, &w->cursor, 0, SMMAP_TO_END) == 0, "begin_access");
		} else {
			uint64_t i = below(w, smmap_buffer_size(&w->buffer));
			find(c, smmap_buffer_get(&w->buffer, (int64_t)i) == files_byte(i, (uint64_t)w->buffer_file),
			     "get");
		}
		break;
	case 8:
		if (w->view.data != NULL) {
			compare(w, w->view.data, w->view_offset, w->view.size, w->view_file, "bytes of a view");
			smmap_view_release(&w->view);
		} else if (smmap_cursor_is_valid(&w->cursor)) {
			w->view_file = w->file;
			w->view_offset = w->cursor.offset;
			find(c, smmap_cursor_view(&w->view, &w->cursor) == 0, "view");
		}
		break;
	case 9:
		if (smmap_cursor_is_valid(&w->cursor)) {
			find(c, smmap_cursor_region(&w->cursor, &w->region) == 0, "region");
			int code = smmap_region_increment_client_count(&w->region, 2);
			find(c, code == 0, "increment_client_count");
			find(c, smmap_region_data(&w->region) != NULL, "region_data");
			if (below(w, 2) == 0)
				smmap_region_close(&w->region);
		} else {
			(void)smmap_region_release(&w->region);
		}
		break;
	case 10:
		smmap_cursor_unuse_region(&w->cursor);
		break;
	case 11:
		(void)smmap_manager_release_path(c->manager, c->paths[below(w, FILES)], NULL);
		break;
	case 12:
		(void)smmap_manager_make_room(c->manager, below(w, 10 * c->window));
		break;
	case 13:
		if (below(w, 10) == 0)
			(void)smmap_manager_collect(c->manager);
		else
			(void)smmap_manager_set_limits(c->manager, c->window * (2 + below(w, 20)), below(w, 20));
		break;
	case 14:
		find(c, smmap_refresh(&w->cursor) >= 0, "refresh");
		break;
	case 15: {
		smmap_cursor copy = SMMAP_CURSOR_INIT;
		smmap_region_list *list;
		find(c, smmap_cursor_assign(&copy, &w->cursor) == 0, "assign");
		find(c, smmap_region_list_new(&list, &copy) == 0, "list");
		smmap_cursor_close(&copy);
		if (smmap_region_list_count(list) != 0)
			find(c, smmap_region_list_get(list, 0, &w->region) == 0, "list_get");
		smmap_region_list_free(list);
		break;
	}
	}
	atomic_fetch_add_explicit(&c->calls, 1, memory_order_relaxed);
}

static void begin_work(worker *w)
{
	w->file = (int)below(w, FILES);
	find(w->crew, smmap_cursor_open(&w->cursor, w->crew->manager, w->crew->paths[w->file], 0) == 0, "open");
}

static void end_work(worker *w)
{
	smmap_cursor_close(&w->cursor);
	smmap_buffer_close(&w->buffer);
	smmap_view_release(&w->view);
	smmap_region_close(&w->region);
}

static void *work(void *of)
{
	worker *w = of;
	begin_work(w);
	for (size_t i = 0; i < w->crew->rounds && !atomic_load_explicit(&w->crew->stop, memory_order_relaxed);
	     i++)
		work_once(w);
	end_work(w);
	return NULL;
}

static void make_crew(crew *c, int placement, uint64_t window, size_t rounds)
{
	window = smmap__max(window, smmap_allocation_granularity());
	*c = (crew){.window = window, .rounds = rounds};
	for (int i = 0; i < FILES; i++) {
		char name[16];
		snprintf(name, sizeof name, "f%d", i);
		c->sizes[i] = window * (uint64_t)(1 + 7 * i) + 77;
		c->paths[i] = files_make(name, c->sizes[i], (uint64_t)i);
	}
	smmap_options options = SMMAP_OPTIONS_INIT;
	options.placement = placement;
	options.window_size = (int64_t)window;
	options.max_memory = 20 * window;
	options.max_descriptors = 3;
	assert_int_equal(smmap_manager_new(&c->manager, &options), 0);
}

/* Here, so that a leak checker finds them in a forked child, too. */
static worker *workers;

static void start(crew *c, int count)
{
	workers = calloc((size_t)count, sizeof *workers);
	assert_non_null(workers);
	uint64_t seed = random_seed();
	for (int i = 0; i < count; i++) {
		workers[i].crew = c;
		workers[i].random = random_from(random_mix(seed + (uint64_t)i));
		assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
	}
}

static void finish(int count)
{
	for (int i = 0; i < count; i++)
		assert_int_equal(pthread_join(workers[i].thread, NULL), 0);
	free(workers);
}

static void check_nothing_is_left(crew *c)
{
	if (atomic_load(&c->finding) != NULL)
		fail_msg("wrong: %s", atomic_load(&c->finding));
	smmap__manager_check(c->manager);
	smmap_manager_collect(c->manager);
	smmap__manager_check(c->manager);
	assert_int_equal(smmap_manager_num_file_handles(c->manager), 0);
	assert_int_equal(smmap_manager_free(c->manager), 0);
}

static void run(int placement, uint64_t window, bool changing, size_t rounds)
{
	static crew c;
	make_crew(&c, placement, window, test_rounds(rounds));
	c.changing = changing;
	start(&c, THREADS);
	finish(THREADS);
	check_nothing_is_left(&c);
}

static void threads_on_stable_files(void)
{
	run(SMMAP_PLACEMENT_STABLE, 4096, false, 100000);
}

static void threads_on_detached_files(void)
{
	run(SMMAP_PLACEMENT_DETACHED, 4096, false, 80000);
}

static void threads_that_change_everything_stable(void)
{
	run(SMMAP_PLACEMENT_STABLE, 4096, true, 100000);
}

static void threads_that_change_everything_detached(void)
{
	run(SMMAP_PLACEMENT_DETACHED, 4096, true, 80000);
}

/* Few regions, so that all threads are after the same ones, and eviction meets rescue. */
static void threads_on_two_regions(void)
{
	static crew c;
	make_crew(&c, SMMAP_PLACEMENT_STABLE, 65536, test_rounds(80000));
	assert_int_equal(smmap_manager_set_limits(c.manager, 1, 0), 0);
	start(&c, THREADS);
	finish(THREADS);
	check_nothing_is_left(&c);
}

/* ---- fork ---- */

/* In the child, where only this thread lives on. Returns the step that failed, or 0. */
static int live_on(crew *c)
{
	smmap_cursor cursor = SMMAP_CURSOR_INIT;
	static unsigned char room[ROOM];
	for (int i = 0; i < FILES; i++) {
		if (smmap_cursor_open(&cursor, c->manager, c->paths[i], 0) != 0)
			return 1;
		for (uint64_t at = 0; at < c->sizes[i]; at += c->window / 2 + 7) {
			int64_t n = smmap_cursor_use_region(&cursor, at, 0);
			if (n <= 0 || files_compare(cursor.data, at, (size_t)n, (uint64_t)i) != (size_t)n)
				return 2;
			n = smmap_read(&cursor, at / 2, room, 100);
			if (n <= 0 || files_compare(room, at / 2, (size_t)n, (uint64_t)i) != (size_t)n)
				return 3;
		}
	}
	smmap_cursor_close(&cursor);
	smmap_manager_collect(c->manager);
	(void)smmap_manager_make_room(c->manager, 0);
	/* The cursors of the threads that are no more may hold files for ever. */
	int code = smmap_manager_free(c->manager);
	return code == 0 || code == SMMAP_EBUSY ? 0 : 4;
}

/* SIGALRM ends a child that hangs. */
static void fork_once(crew *c)
{
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		alarm(20);
		_exit(live_on(c));
	}
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	if (status != 0)
		fail_msg("the child ended with status 0x%x", status);
}

static void fork_among_threads(int placement, bool changing, size_t forks)
{
	static crew c;
	make_crew(&c, placement, 4096, SIZE_MAX);
	c.changing = changing;
	start(&c, 4);
	for (size_t i = 0; i < test_rounds(forks); i++)
		fork_once(&c);
	atomic_store(&c.stop, true);
	finish(4);
	printf("%zu forks, %" PRIu64 " calls of other threads meanwhile\n", test_rounds(forks),
	       atomic_load(&c.calls));
	check_nothing_is_left(&c);
}

static void forks_among_threads_stable(void)
{
	fork_among_threads(SMMAP_PLACEMENT_STABLE, true, 300);
}

static void forks_among_threads_detached(void)
{
	fork_among_threads(SMMAP_PLACEMENT_DETACHED, true, 300);
}

/* The child's copies of a cursor, a buffer and a view go on, and all can be given back. */
static void a_fork_of_one_thread(void)
{
	for (int placement = SMMAP_PLACEMENT_STABLE; placement <= SMMAP_PLACEMENT_DETACHED; placement++) {
		static crew c;
		make_crew(&c, placement, 4096, 1);
		worker *w = calloc(1, sizeof *w);
		assert_non_null(w);
		w->crew = &c;
		w->random = random_from(random_seed());
		begin_work(w);
		for (int i = 0; i < 500; i++)
			work_once(w);
		pid_t child = fork();
		assert_true(child >= 0);
		if (child == 0) {
			alarm(20);
			for (int i = 0; i < 500; i++)
				work_once(w);
			smmap__manager_check(c.manager);
			end_work(w);
			smmap_manager_collect(c.manager);
			smmap__manager_check(c.manager);
			_exit(atomic_load(&c.finding) != NULL ? 1 : smmap_manager_free(c.manager) == 0 ? 0 : 2);
		}
		int status;
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_int_equal(status, 0);
		for (int i = 0; i < 500; i++)
			work_once(w);
		end_work(w);
		free(w);
		check_nothing_is_left(&c);
	}
}

/* Managers come and go while others fork. */
static void *make_managers(void *of)
{
	crew *c = of;
	while (!atomic_load(&c->stop)) {
		smmap_manager *manager;
		smmap_cursor cursor = SMMAP_CURSOR_INIT;
		find(c, smmap_manager_new(&manager, NULL) == 0, "manager_new");
		find(c, smmap_cursor_open(&cursor, manager, c->paths[0], 0) == 0, "open");
		find(c, smmap_cursor_use_region(&cursor, 0, 0) > 0, "use");
		smmap_cursor_close(&cursor);
		find(c, smmap_manager_free(manager) == 0, "manager_free");
	}
	return NULL;
}

static void forks_while_managers_come_and_go(void)
{
	static crew c;
	pthread_t threads[2];
	make_crew(&c, SMMAP_PLACEMENT_STABLE, 4096, 1);
	assert_int_equal(smmap_guard_enable(), 0);
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, make_managers, &c), 0);
	for (size_t i = test_rounds(300); i != 0; i--)
		fork_once(&c);
	atomic_store(&c.stop, true);
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_int_equal(smmap_guard_disable(), 0);
	check_nothing_is_left(&c);
}

TEST_PROGRAM(TEST(threads_on_stable_files, .seconds = 120), TEST(threads_on_detached_files, .seconds = 120),
             TEST(threads_that_change_everything_stable, .seconds = 120),
             TEST(threads_that_change_everything_detached, .seconds = 120),
             TEST(threads_on_two_regions, .seconds = 120), TEST(forks_among_threads_stable, .seconds = 120),
             TEST(forks_among_threads_detached, .seconds = 120), TEST(a_fork_of_one_thread),
             TEST(forks_while_managers_come_and_go, .seconds = 120))
