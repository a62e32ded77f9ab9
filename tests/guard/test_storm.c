/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A storm: threads read by every means while another thread and another process cut files, let them grow again and replace
 * them. Contents are a function of file, generation and offset, and cuts are at borders of pages, so that there are no zeros
 * without a fault: each byte that is read without an error must be that of the generation that the cursor was bound to, and
 * each byte of a direct reader that is told of an error must be that, or 0.
 *
 * A generation is one inode. It is announced before it is renamed into place, and established after that: a cursor that is
 * opened has one of those from the one that was established before to the one that was announced after.
 */
#include "harness/harness.h"
#include "harness/sanitizers.h"

#include "base/arith.h"

#include <smmap.h>

#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
	FILES = 4, /* the first half belongs to the thread that changes files, the other to the process */
	PAGES = 32,
	WINDOW_PAGES = 8,
	READERS = 3,
	MANAGERS = 2,
	LONGEST = 300,
	READS = 300000,
	RECOVERIES = 10000
};

static size_t page;

/* ---- the files, and who changes them ---- */

typedef struct generations {
	_Atomic uint64_t announced;
	_Atomic uint64_t established;
} generations;

/* Shared by the processes. */
typedef struct weather {
	generations files[FILES];
	_Atomic bool over;
	_Atomic uint64_t cuts, growths, replacements;
} weather;

static weather *sky;
static const char *paths[FILES], *next_paths[FILES];
static uint64_t base_seed;

static uint64_t seed_of(int file, uint64_t generation)
{
	return random_mix(base_seed + (uint64_t)file * UINT64_C(1000000007) + generation);
}

static uint64_t size_of_files(void)
{
	return PAGES * (uint64_t)page;
}

static void pause_a_little(random_source *random)
{
	struct timespec time = {0, (long)random_below(random, 300000)};
	nanosleep(&time, NULL);
}

static void cut_and_grow(int file, random_source *random)
{
	uint64_t cut = random_below(random, PAGES) * page;
	uint64_t now = cut;
	uint64_t generation = atomic_load(&sky->files[file].established);
	if (truncate(paths[file], (off_t)cut) != 0)
		abort();
	atomic_fetch_add(&sky->cuts, 1);
	pause_a_little(random);
	while (now < size_of_files()) {
		uint64_t part = smmap__min((1 + random_below(random, PAGES)) * page, size_of_files() - now);
		files_write(paths[file], now, part, seed_of(file, generation));
		now += part;
		atomic_fetch_add(&sky->growths, 1);
	}
}

static void replace(int file)
{
	uint64_t next = atomic_load(&sky->files[file].announced) + 1;
	int fd = open(next_paths[file], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0 || close(fd) != 0)
		abort();
	files_write(next_paths[file], 0, size_of_files(), seed_of(file, next));
	atomic_store(&sky->files[file].announced, next);
	if (rename(next_paths[file], paths[file]) != 0)
		abort();
	atomic_store(&sky->files[file].established, next);
	atomic_fetch_add(&sky->replacements, 1);
}

/* Changes the files from `first` on, half of all. */
static void change_files(int first)
{
	random_source random = random_from(base_seed + 77 + (uint64_t)first);
	while (!atomic_load(&sky->over)) {
		int file = first + (int)random_below(&random, FILES / 2);
		if (random_below(&random, 20) == 0)
			replace(file);
		else
			cut_and_grow(file, &random);
		pause_a_little(&random);
	}
}

static void *changing_thread(void *unused)
{
	(void)unused;
	change_files(0);
	return NULL;
}

static pid_t start_changing_process(void)
{
	pid_t parent = getpid();
	pid_t child = fork();
	assert_true(child >= 0);
	if (child != 0)
		return child;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() == parent)
		change_files(FILES / 2);
	_exit(0);
}

/* ---- readers ---- */

/* A cursor and what may be behind it. */
typedef struct bound {
	smmap_cursor cursor;
	smmap_buffer buffer;
	int file;
	uint64_t oldest, newest; /* generations */
} bound;

typedef struct reader {
	pthread_t thread;
	random_source random;
	smmap_manager *manager;
	bound bounds[FILES];
	uint64_t reads, told, refreshes, errors, zeros;
} reader;

static _Atomic uint64_t reads_so_far;
static _Atomic(const char *) finding;
static _Atomic int finding_code;

static void find(const char *what, int code)
{
	const char *none = NULL;
	if (atomic_compare_exchange_strong(&finding, &none, what))
		atomic_store(&finding_code, code);
}

static uint64_t below(reader *r, uint64_t n)
{
	return random_below(&r->random, n);
}

/* Whether all bytes are those of one of the generations; those that are not any more are ruled out. */
static bool is_right(bound *b, const unsigned char *data, uint64_t offset, size_t size)
{
	for (uint64_t g = b->oldest; g <= b->newest; g++)
		if (files_compare(data, offset, size, seed_of(b->file, g)) == size) {
			if (size >= 16)
				b->oldest = b->newest = g;
			return true;
		}
	return false;
}

static bool is_right_or_zero(bound *b, const unsigned char *data, uint64_t offset, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		bool right = data[i] == 0;
		for (uint64_t g = b->oldest; g <= b->newest && !right; g++)
			right = files_byte(offset + i, seed_of(b->file, g)) == data[i];
		if (!right)
			return false;
	}
	return true;
}

/* The errors that others' changes may cause. */
static void check_error(reader *r, int64_t code)
{
	r->errors++;
	if (code != SMMAP_ETRUNCATED && code != SMMAP_ESTALE && code != SMMAP_EFAULTED)
		find("an error that nobody caused", (int)code);
}

static void renew(reader *r, bound *b)
{
	uint64_t established = atomic_load(&sky->files[b->file].established);
	bool open = smmap_cursor_is_associated(&b->cursor);
	smmap_buffer_close(&b->buffer);
	int code =
		open ? smmap_refresh(&b->cursor) : smmap_cursor_open(&b->cursor, r->manager, paths[b->file], 0);
	if (code < 0) {
		find("open or refresh", code);
		return;
	}
	/* A refresh may find the generation that the cursor has. */
	b->oldest = open ? smmap__min(b->oldest, established) : established;
	b->newest = atomic_load(&sky->files[b->file].announced);
	r->refreshes++;
}

/* With an error behind it, and now and then to see what grew: a file that was cut soon does. */
static void renew_after(reader *r, bound *b, int64_t code)
{
	bool is_whole = smmap_cursor_file_size(&b->cursor) == size_of_files();
	if (code < 0)
		check_error(r, code);
	if (below(r, code < 0 ? 3 : is_whole ? 1000 : 10) == 0)
		renew(r, b);
}

static void by_copy(reader *r, bound *b, uint64_t offset, uint64_t size)
{
	unsigned char data[LONGEST];
	int64_t n = smmap_read(&b->cursor, offset, data, size);
	if (n > 0 && !is_right(b, data, offset, (size_t)n))
		find("bytes of a copying read", 0);
	renew_after(r, b, n);
}

static void check_direct(reader *r, bound *b, const unsigned char *data, uint64_t offset, size_t size)
{
	unsigned char copy[LONGEST];
	memcpy(copy, data, size);
	int code = smmap_cursor_error(&b->cursor, NULL);
	if (code == 0 && !is_right(b, copy, offset, size))
		find("bytes of a direct reader without an error", 0);
	if (code != 0 && !is_right_or_zero(b, copy, offset, size))
		find("bytes of a direct reader with an error", code);
	r->zeros += code != 0;
	renew_after(r, b, code);
}

static void by_pointer(reader *r, bound *b, uint64_t offset, uint64_t size)
{
	int64_t n = smmap_cursor_use_region(&b->cursor, offset, size);
	if (n > 0)
		check_direct(r, b, smmap_cursor_data(&b->cursor), offset, (size_t)n);
	else
		renew_after(r, b, n);
	if (below(r, 4) == 0)
		smmap_cursor_unuse_region(&b->cursor);
}

/*
 * A reader that goes on without asking: every page of a window, the last one first, so that each page of a file that was cut
 * is a fault of its own.
 */
static void by_sweep(reader *r, bound *b, uint64_t offset, uint64_t size)
{
	unsigned char bytes[WINDOW_PAGES] = {0};
	uint64_t window = WINDOW_PAGES * page;
	uint64_t begin = offset / window * window;
	uint64_t within = size % page;
	int64_t n = smmap_cursor_use_region(&b->cursor, begin, window);
	if (n <= 0) {
		renew_after(r, b, n);
		return;
	}
	const volatile unsigned char *data = smmap_cursor_data(&b->cursor);
	size_t pages = (size_t)n / page; /* sizes are whole pages */
	for (size_t i = pages; i-- != 0;)
		bytes[i] = data[i * page + within];
	int code = smmap_cursor_error(&b->cursor, NULL);
	for (size_t i = 0; i < pages; i++) {
		uint64_t at = begin + i * page + within;
		if (code == 0 ? !is_right(b, &bytes[i], at, 1) : !is_right_or_zero(b, &bytes[i], at, 1))
			find("bytes of a sweep", code);
	}
	r->reads += pages - 1;
	r->zeros += code != 0;
	renew_after(r, b, code);
}

static bool begin(reader *r, bound *b)
{
	if (smmap_buffer_size(&b->buffer) != 0)
		return true;
	int code = smmap_buffer_begin_access(&b->buffer, &b->cursor, 0, SMMAP_TO_END);
	if (code != 0 && code != SMMAP_ERANGE) /* an empty file has nothing to access */
		renew_after(r, b, code);
	else if (code != 0)
		renew(r, b);
	return code == 0;
}

static void by_slice(reader *r, bound *b, uint64_t offset, uint64_t size)
{
	unsigned char data[LONGEST];
	if (!begin(r, b))
		return;
	int64_t n = smmap_buffer_slice(&b->buffer, (int64_t)offset, (int64_t)(offset + size), data, sizeof data);
	if (n > 0 && !is_right(b, data, offset, (size_t)n))
		find("bytes of a slice", 0);
	renew_after(r, b, n);
}

static void by_view(reader *r, bound *b, uint64_t offset, uint64_t size)
{
	smmap_view view = SMMAP_VIEW_INIT;
	if (!begin(r, b) || offset >= smmap_buffer_size(&b->buffer))
		return;
	int code = smmap_buffer_view(&view, &b->buffer, (int64_t)offset, (int64_t)(offset + size));
	if (code == 0)
		check_direct(r, b, view.data, offset, (size_t)view.size);
	else
		renew_after(r, b, code);
	smmap_view_release(&view);
}

static void read_once(reader *r)
{
	static void (*const ways[])(reader *, bound *, uint64_t, uint64_t) = {
		by_copy, by_copy, by_sweep, by_pointer, by_sweep, by_slice, by_view};
	bound *b = &r->bounds[below(r, FILES)];
	if (!smmap_cursor_is_associated(&b->cursor))
		renew(r, b);
	uint64_t offset = below(r, size_of_files());
	uint64_t size = smmap__min(1 + below(r, LONGEST), size_of_files() - offset);
	ways[below(r, sizeof ways / sizeof *ways)](r, b, offset, size);
	r->reads++;
	if (r->reads - r->told >= 64) {
		atomic_fetch_add(&reads_so_far, r->reads - r->told);
		r->told = r->reads;
	}
}

static void *read_on(void *of)
{
	reader *r = of;
	while (!atomic_load_explicit(&sky->over, memory_order_relaxed) && atomic_load(&finding) == NULL)
		read_once(r);
	for (int i = 0; i < FILES; i++) {
		smmap_buffer_close(&r->bounds[i].buffer);
		smmap_cursor_close(&r->bounds[i].cursor);
	}
	return NULL;
}

/* ---- the whole ---- */

static uint64_t recoveries(void)
{
	smmap_guard_info info;
	smmap_guard_status(&info);
	return info.faults;
}

static void make_files(void)
{
	sky = mmap(NULL, sizeof *sky, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(sky, MAP_FAILED);
	for (int i = 0; i < FILES; i++) {
		char name[16];
		snprintf(name, sizeof name, "f%d", i);
		paths[i] = files_make(name, size_of_files(), seed_of(i, 0));
		snprintf(name, sizeof name, "next%d", i);
		next_paths[i] = files_path(name);
	}
}

static smmap_manager *new_manager(int placement)
{
	smmap_manager *manager;
	smmap_options options = SMMAP_OPTIONS_INIT;
	options.placement = placement;
	options.window_size = (int64_t)(WINDOW_PAGES * page);
	options.max_memory = 10 * WINDOW_PAGES * page; /* of 16 windows */
	options.max_descriptors = 3;
	assert_int_equal(smmap_manager_new(&manager, &options), 0);
	return manager;
}

static void free_manager(smmap_manager *manager)
{
	smmap_stats stats;
	(void)smmap_manager_collect(manager);
	smmap_manager_stats(manager, &stats);
	assert_int_equal(stats.mapped_bytes, 0);
	assert_int_equal(stats.handles, 0);
	assert_int_equal(stats.exported_bytes, 0);
	assert_int_equal(smmap_manager_free(manager), 0);
}

static void wait_for_enough(uint64_t reads, uint64_t wanted)
{
	const struct timespec time = {0, 10000000};
	uint64_t before = recoveries();
	while ((atomic_load(&reads_so_far) < reads || recoveries() - before < wanted) &&
	       atomic_load(&finding) == NULL)
		nanosleep(&time, NULL);
}

static void readers_in_a_storm(void)
{
	static reader readers[READERS];
	smmap_manager *managers[MANAGERS];
	pthread_t changing;
	reader sum = {0};
	if (THREAD_SANITIZER)
		skip_test("ThreadSanitizer takes pages that are mapped anew for written");
	page = (size_t)smmap_allocation_granularity();
	base_seed = random_seed();
	make_files();
	pid_t process = start_changing_process();
	assert_int_equal(smmap_guard_enable(), 0);
	uint64_t before = recoveries();
	managers[0] = new_manager(SMMAP_PLACEMENT_STABLE);
	managers[1] = new_manager(SMMAP_PLACEMENT_DETACHED);
	assert_int_equal(pthread_create(&changing, NULL, changing_thread, NULL), 0);
	for (int i = 0; i < READERS; i++) {
		readers[i].random = random_from(base_seed + (uint64_t)i);
		readers[i].manager = managers[i % MANAGERS];
		for (int k = 0; k < FILES; k++)
			readers[i].bounds[k].file = k;
		assert_int_equal(pthread_create(&readers[i].thread, NULL, read_on, &readers[i]), 0);
	}
	wait_for_enough(test_rounds(READS), test_rounds(RECOVERIES));
	atomic_store(&sky->over, true);
	for (int i = 0; i < READERS; i++) {
		assert_int_equal(pthread_join(readers[i].thread, NULL), 0);
		sum.reads += readers[i].reads;
		sum.errors += readers[i].errors;
		sum.refreshes += readers[i].refreshes;
		sum.zeros += readers[i].zeros;
	}
	assert_int_equal(pthread_join(changing, NULL), 0);
	int status;
	assert_int_equal(waitpid(process, &status, 0), process);
	printf("%" PRIu64 " reads, %" PRIu64 " recoveries, %" PRIu64 " errors told, %" PRIu64
	       " direct reads with one, %" PRIu64 " refreshes; %" PRIu64 " cuts, %" PRIu64 " growths, %" PRIu64
	       " replacements\n",
	       sum.reads, recoveries() - before, sum.errors, sum.zeros, sum.refreshes, sky->cuts, sky->growths,
	       sky->replacements);
	if (atomic_load(&finding) != NULL)
		fail_msg("wrong: %s (%s)", atomic_load(&finding), smmap_err_name(atomic_load(&finding_code)));
	assert_int_equal(status, 0);
	for (int i = 0; i < MANAGERS; i++)
		free_manager(managers[i]);
	assert_int_equal(smmap_guard_disable(), 0);
	munmap(sky, sizeof *sky);
}

TEST_PROGRAM(TEST(readers_in_a_storm, .seconds = 240))
