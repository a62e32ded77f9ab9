/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Every public function with every call that it makes of the system failing, with each error that such a call can have, once
 * and for ever: 1,000s of points, and none is left out. At each point the function succeeds with the right bytes or gives a
 * documented code; on failure nothing has changed that it was not asked to change; the books agree; the same call then
 * succeeds; and when all is closed nothing is left, but for a mapping that the system refused to take back when its file was
 * freed, which nobody can change.
 *
 * A point is a scenario in a world, a kind of call, its number in the scenario, an error, once or for ever. How many calls a
 * scenario makes is counted in a run without failures: up to the failing call a run is the same.
 */
#include "cursor/setup.h"
#include "faults/errors.h"

#include <err.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- worlds ---- */

typedef struct world {
	const char *name;
	int kind;
	int placement;
	uint64_t size;
	uint64_t window;
	uint64_t limit;
	bool in_memory; /* the file cannot be mapped */
	bool guarded;
	bool few_descriptors; /* one is kept, and it is another file's: files are opened again */
	int change;           /* enum smmap_change_policy */
	bool gives_back_many; /* and must, for the next miss */
	bool full_register;   /* the guard's register has no slot free: the next range needs memory */
} world;

enum { SMALL_SIZE = 100000, SMALL_WINDOW = 8192 };
#define LARGE_WINDOW (2 * MIB)
enum { MANY = 40, MANY_WINDOW = 65536 };
#define LARGE_SIZE (3 * MIB + 123)

static const world worlds[] = {
	{"stable", SMMAP_SLIDING, SMMAP_PLACEMENT_STABLE, SMALL_SIZE, SMALL_WINDOW, MIB, .guarded = false},
	{"stable, full", SMMAP_SLIDING, SMMAP_PLACEMENT_STABLE, SMALL_SIZE, SMALL_WINDOW, 2 * SMALL_WINDOW,
     .few_descriptors = true},
	{"stable, large", SMMAP_SLIDING, SMMAP_PLACEMENT_STABLE, LARGE_SIZE, LARGE_WINDOW, 2 * LARGE_WINDOW,
     .guarded = false},
	{"stable, register full", SMMAP_SLIDING, SMMAP_PLACEMENT_STABLE, LARGE_SIZE, LARGE_WINDOW,
     2 * LARGE_WINDOW, .full_register = true},
	{"stable, many at a time", SMMAP_SLIDING, SMMAP_PLACEMENT_STABLE, LARGE_SIZE, MANY_WINDOW,
     MANY *MANY_WINDOW, .gives_back_many = true},
	{"detached", SMMAP_SLIDING, SMMAP_PLACEMENT_DETACHED, SMALL_SIZE, SMALL_WINDOW, MIB, .guarded = false},
	{"detached, full", SMMAP_SLIDING, SMMAP_PLACEMENT_DETACHED, SMALL_SIZE, SMALL_WINDOW, 2 * SMALL_WINDOW,
     .few_descriptors = true},
	{"detached, register full", SMMAP_SLIDING, SMMAP_PLACEMENT_DETACHED, SMALL_SIZE, SMALL_WINDOW, MIB,
     .full_register = true},
	{"detached, guarded", SMMAP_SLIDING, SMMAP_PLACEMENT_DETACHED, SMALL_SIZE, SMALL_WINDOW, 4 * SMALL_WINDOW,
     .guarded = true},
	{"stable, reporting changes", SMMAP_SLIDING, SMMAP_PLACEMENT_STABLE, SMALL_SIZE, SMALL_WINDOW, MIB,
     .change = SMMAP_CHANGE_REPORT},
	{"detached, refusing changes", SMMAP_SLIDING, SMMAP_PLACEMENT_DETACHED, SMALL_SIZE, SMALL_WINDOW, MIB,
     .change = SMMAP_CHANGE_REFUSE},
	{"whole files", SMMAP_STATIC, SMMAP_PLACEMENT_AUTO, SMALL_SIZE, 0, MIB, .guarded = false},
	{"in memory", SMMAP_SLIDING, SMMAP_PLACEMENT_AUTO, SMALL_SIZE, SMALL_WINDOW, MIB, .in_memory = true},
};
enum { WORLDS = sizeof worlds / sizeof *worlds };

enum { GROWTH = 20000, SHRINKING = 10000, SEEDS = 4 };

/* ---- files ---- */

/* Contents, so that what is read is compared with memory. */
static unsigned char *contents[SEEDS];
#define CONTENT_SIZE (LARGE_SIZE + GROWTH)

static const char *path_a, *path_b, *path_new, *path_truncated;
/* `path_a` and the others are links to these, so that they are what they were again at once. */
static const char *kept_a[2], *kept_new[2], *kept_b[2];

static void check_bytes(const void *data, uint64_t offset, uint64_t size, int seed)
{
	assert_true(offset + size <= CONTENT_SIZE);
	if (memcmp(data, contents[seed] + offset, (size_t)size) != 0)
		fail_msg("wrong bytes in [%" PRIu64 ", +%" PRIu64 ")", offset, size);
}

static void make_files(void)
{
	for (int seed = 1; seed < SEEDS; seed++) {
		contents[seed] = malloc((size_t)CONTENT_SIZE);
		assert_non_null(contents[seed]);
		files_fill(contents[seed], 0, (size_t)CONTENT_SIZE, (uint64_t)seed);
	}
	kept_a[0] = files_make("a-small", SMALL_SIZE, 1);
	kept_a[1] = files_make("a-large", LARGE_SIZE, 1);
	kept_b[0] = files_make("b-small", SMALL_SIZE, 2);
	kept_b[1] = files_make("b-large", LARGE_SIZE, 2);
	kept_new[0] = files_make("new-small", SMALL_SIZE - SHRINKING, 3);
	kept_new[1] = files_make("new-large", LARGE_SIZE - SHRINKING, 3);
	path_a = files_path("a");
	path_b = files_path("b");
	path_new = files_path("new");
	path_truncated = files_path("truncated");
}

static void link_again(const char *from, const char *to)
{
	if (unlink(to) != 0 && errno != ENOENT)
		err(1, "%s", to);
	if (link(from, to) != 0)
		err(1, "%s", to);
}

/* ---- scenes ---- */

typedef struct point {
	const struct scenario *scenario;
	const world *world;
	unsigned kind;
	uint64_t nth;
	int error;
	bool sticky;
} point;

/* What a scenario finds. */
typedef struct scene {
	const world *world;
	uint64_t near, middle, far, cold; /* offsets; `cold` was not touched */
	smmap_manager *manager;
	smmap_manager *other_manager;
	int fd;
	smmap_cursor cursor; /* of `path_a`, in use at `near` */
	smmap_cursor fresh;  /* for the scenario */
	smmap_buffer buffer; /* of `path_a`, from `near` on */
	smmap_view view;
	smmap_region region; /* the one at `far`, not pinned */
	smmap_region fresh_region;
	smmap_region_list *list;
	void *room_at; /* for smmap_cursor_map_at */
	size_t room_size;
	bool replaced;
	uint64_t grown; /* by so much; content is in the first GROWTH bytes of it */
	bool faulted;
	int guards;                /* enabled */
	uint64_t regions;          /* mapped before the run */
	const struct point *point; /* while something fails */
	bool misclassified;        /* the read that was to tell what is wrong was the one that failed */
	unsigned char *room;
} scene;

typedef struct scenario {
	const char *function;
	const char *what;
	int64_t (*run)(scene *s);
	void (*prepare)(scene *s);               /* or NULL */
	void (*check)(scene *s, int64_t result); /* of a success; or NULL */
	int also[4];                             /* codes that it documents besides the system's */
} scenario;

static uint64_t window_of(const scene *s)
{
	return s->world->window != 0 ? s->world->window : s->world->size;
}

static void open_in_world(scene *s)
{
	if (s->world->in_memory)
		smmap_faults_arm(SMMAP_FAULT_MMAP, 1, ENODEV, SMMAP_FAULT_FOR_EVER);
	assert_int_equal(smmap_cursor_open(&s->cursor, s->manager, path_a, 0), 0);
	smmap_faults_disarm();
}

static smmap_manager *manager_of(const world *w)
{
	smmap_manager *manager;
	smmap_options options = SMMAP_OPTIONS_INIT;
	options.kind = w->kind;
	options.placement = w->placement;
	options.window_size = (int64_t)w->window;
	options.max_memory = w->limit;
	options.flags = SMMAP_ALLOW_BLOCK_DEVICES;
	options.change = w->change;
	options.max_descriptors = w->few_descriptors ? 1 : 0;
	assert_int_equal(smmap_manager_new(&manager, &options), 0);
	return manager;
}

static void use(smmap_cursor *cursor, uint64_t offset, uint64_t size, int seed)
{
	assert_int_equal(smmap_cursor_use_region(cursor, offset, size), size);
	check_bytes(smmap_cursor_data(cursor), offset, size, seed);
}

static void set_up(scene *s, const world *w)
{
	unsigned char *room = s->room;
	int large = w->size == LARGE_SIZE;
	*s = (scene){.world = w, .fd = -1, .room = room};
	s->near = 1000;
	s->middle = w->size / 5;
	s->far = w->size / 2;
	s->cold = w->size - 30000;
	link_again(kept_a[large], path_a);
	link_again(kept_b[large], path_b);
	s->fd = open(path_b, O_RDONLY | O_CLOEXEC);
	if (w->guarded)
		assert_int_equal(smmap_guard_enable(), 0);
	s->guards = w->guarded;
	s->manager = manager_of(w);
	open_in_world(s);
	use(&s->cursor, s->far, 100, 1);
	assert_int_equal(smmap_cursor_region(&s->cursor, &s->region), 0);
	use(&s->cursor, s->middle, 100, 1);
	use(&s->cursor, s->near, 100, 1);
	assert_int_equal(smmap_buffer_begin_access(&s->buffer, &s->cursor, s->near, SMMAP_TO_END), 0);
}

/* Regions by themselves take every slot that the register has room for without more memory. */
enum { SLOTS = 64 };
static smmap_region fillers[SLOTS];

static void fill_register(void)
{
	smmap_guard_info info;
	for (size_t i = 0; i < SLOTS; i++) {
		smmap_guard_status(&info);
		if (info.ranges >= SLOTS)
			return;
		assert_int_equal(smmap_region_open(&fillers[i], kept_new[0], 0, 1, 0), 0);
	}
}

static void empty_register(void)
{
	for (size_t i = 0; i < SLOTS; i++)
		smmap_region_close(&fillers[i]);
}

/* `path_a` or what replaced it. */
static int seed_of(const scene *s, const smmap_cursor *cursor)
{
	return smmap_cursor_file_size(cursor) == s->world->size - SHRINKING ? 3 : 1;
}

/* Every place is taken, and so many go at a time as if nothing had come back for long. */
static void fill_budget(scene *s)
{
	smmap_cursor cursor = SMMAP_CURSOR_INIT;
	if (!smmap_cursor_is_associated(&s->cursor))
		return;
	assert_int_equal(smmap_cursor_assign(&cursor, &s->cursor), 0);
	for (uint64_t i = 0; i <= MANY; i++)
		use(&cursor, i * MANY_WINDOW, 10, seed_of(s, &cursor));
	smmap_cursor_close(&cursor);
	atomic_store(&s->manager->budget.batch, MANY / 8);
}

/* Another file's takes the one place. */
static void push_descriptor_out(scene *s)
{
	smmap_cursor cursor = SMMAP_CURSOR_INIT;
	assert_int_equal(smmap_cursor_open(&cursor, s->manager, kept_new[0], 0), 0);
	smmap_cursor_close(&cursor);
}

/* The other cursor, bound and in use. */
static void use_fresh(scene *s)
{
	assert_int_equal(smmap_cursor_open(&s->fresh, s->manager, path_b, 0), 0);
	use(&s->fresh, s->far, 100, 2);
}

/* Whatever has failed: this works. */
static void check_scene(scene *s)
{
	smmap_cursor cursor = SMMAP_CURSOR_INIT;
	smmap__manager_check(s->manager);
	if (smmap_cursor_is_valid(&s->cursor))
		check_bytes(smmap_cursor_data(&s->cursor), smmap_cursor_ofs_begin(&s->cursor),
		            smmap_cursor_size(&s->cursor), seed_of(s, &s->cursor));
	assert_int_equal(smmap_cursor_assign(&cursor, &s->cursor), 0);
	/* A file that was replaced is lost with its last descriptor. */
	if (s->replaced && smmap_cursor_use_region(&cursor, s->far, 0) == SMMAP_ESTALE)
		assert_int_equal(smmap_refresh(&cursor), SMMAP_CHANGE_REPLACED);
	uint64_t size = smmap__min(smmap_cursor_file_size(&cursor), s->world->size + GROWTH);
	int seed = seed_of(s, &cursor);
	const uint64_t offsets[] = {s->near, s->middle, s->far, s->cold, size - 50};
	for (size_t i = 0; i < sizeof offsets / sizeof *offsets; i++)
		use(&cursor, offsets[i], smmap__min(5000, size - offsets[i]), seed);
	assert_int_equal(smmap_read(&cursor, 0, s->room, size), size);
	check_bytes(s->room, 0, size, seed);
	smmap_cursor_close(&cursor);
	/* The buffer holds the old file, which may be gone. */
	if (smmap_buffer_size(&s->buffer) != 0) {
		int64_t n = smmap_buffer_slice(&s->buffer, 0, 20000, s->room, CONTENT_SIZE);
		if (n != SMMAP_ESTALE || !s->replaced) {
			assert_int_equal(n, 20000);
			check_bytes(s->room, s->near, 20000, 1);
		}
	}
	smmap__manager_check(s->manager);
}

/* What a run may have had: for another run. */
static void let_go_of_results(scene *s)
{
	smmap_view_release(&s->view);
	smmap_region_list_free(s->list);
	s->list = NULL;
	if (s->room_at != NULL)
		assert_int_equal(smmap__os.unmap(s->room_at, s->room_size), 0);
	s->room_at = NULL;
}

static void tear_down(scene *s)
{
	let_go_of_results(s);
	empty_register();
	smmap_cursor_close(&s->cursor);
	smmap_cursor_close(&s->fresh);
	smmap_buffer_close(&s->buffer);
	smmap_region_close(&s->region);
	smmap_region_close(&s->fresh_region);
	if (s->other_manager != NULL)
		free_manager(s->other_manager);
	free_manager(s->manager);
	for (; s->guards > 0; s->guards--)
		assert_int_equal(smmap_guard_disable(), 0);
	close(s->fd);
	if (s->grown != 0 && truncate(kept_a[s->world->size == LARGE_SIZE], (off_t)s->world->size) != 0)
		err(1, "%s", path_a);
}

/* ---- mappings, as the system knows them ---- */

enum { RANGES_MAX = 256 };
typedef struct ranges {
	struct {
		uintptr_t begin, end;
	} all[RANGES_MAX];
	size_t count;
} ranges;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED true
#elif defined(__has_feature)
#define SANITIZED                                                                                            \
	(__has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer))
#else
#define SANITIZED false
#endif

/* Only what can be the library's: test files, files of the kernel's, spares, address space that is held free. */
static bool is_of_interest(const char *protection, const char *name)
{
	bool reserved = strncmp(protection, "---", 3) == 0 && *name == 0;
	return strncmp(name, files_dir(), strlen(files_dir())) == 0 || strncmp(name, "/proc", 5) == 0 ||
	       strncmp(name, "/dev", 4) == 0 || strncmp(name, "/memfd", 6) == 0 ||
	       (reserved && !SANITIZED && getenv("SMMAP_TEST_WRAPPER") == NULL);
}

static void find_ranges(ranges *r)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	char line[5000];
	r->count = 0;
	if (maps == NULL)
		err(1, "/proc/self/maps");
	while (fgets(line, sizeof line, maps) != NULL) {
		unsigned long long begin, end;
		char protection[8];
		int name = 0;
		if (sscanf(line, "%llx-%llx %7s %*s %*s %*s %n", &begin, &end, protection, &name) != 3)
			err(1, "/proc/self/maps: %s", line);
		line[strcspn(line, "\n")] = 0;
		if (!is_of_interest(protection, line + name) || r->count == RANGES_MAX)
			continue;
		r->all[r->count].begin = (uintptr_t)begin;
		r->all[r->count++].end = (uintptr_t)end;
	}
	fclose(maps);
}

static bool is_among(const ranges *r, uintptr_t begin, uintptr_t end)
{
	for (size_t i = 0; i < r->count; i++)
		if (begin >= r->all[i].begin && end <= r->all[i].end)
			return true;
	return false;
}

/* Gives back what is mapped now and was not before; returns how many ranges. */
static size_t unmap_what_is_lost(const ranges *before)
{
	static ranges now;
	size_t lost = 0;
	find_ranges(&now);
	for (size_t i = 0; i < now.count; i++)
		if (!is_among(before, now.all[i].begin, now.all[i].end)) {
			void *address = (void *)now.all[i].begin; /* NOLINT(performance-no-int-to-ptr): /proc says so */
			assert_int_equal(smmap__os.unmap(address, now.all[i].end - now.all[i].begin), 0);
			lost++;
		}
	return lost;
}

/* ---- changes ---- */

static void grow(scene *s)
{
	files_write(path_a, s->world->size, GROWTH, 1);
	s->grown = GROWTH;
}

/* Further than there is room for behind the mapping. */
static void grow_far(scene *s)
{
	grow(s);
	s->grown = 3 * MIB / 2;
	assert_int_equal(truncate(path_a, (off_t)(s->world->size + s->grown)), 0);
}

static void replace(scene *s)
{
	link_again(kept_new[s->world->size == LARGE_SIZE], path_new);
	assert_int_equal(rename(path_new, path_a), 0);
	s->replaced = true;
}

/* ---- the sweep ---- */

static void print_point(const point *p)
{
	printf("%s (%s), %s: call %d of %s, %s, %s\n", p->scenario->function, p->scenario->what, p->world->name,
	       (int)p->nth, smmap_fault_name(p->kind), strerror(p->error), p->sticky ? "for ever" : "once");
}

/* What a function may return where a call of that kind failed: the same, and what the library makes of it. */
static bool may_return(const point *p, int64_t code)
{
	if (code == -p->error)
		return true;
	for (size_t i = 0; i < sizeof p->scenario->also / sizeof *p->scenario->also; i++)
		if (code == p->scenario->also[i])
			return true;
	if (p->kind == SMMAP_FAULT_OPEN && p->error == ENXIO)
		return code == SMMAP_ENOTREG; /* that is what open says of a socket */
	if (p->kind == SMMAP_FAULT_OPEN && p->error == ENOENT)
		return code == SMMAP_ESTALE; /* a file that was opened before */
	if (p->kind == SMMAP_FAULT_FCNTL && p->error == EBADF)
		return code == SMMAP_ESTALE;
	if (p->kind == SMMAP_FAULT_FCNTL && p->error == EINVAL)
		return code == SMMAP_EMFILE; /* no number above 3 is allowed */
	if (p->kind == SMMAP_FAULT_STAT && p->error == ENOENT)
		return code == SMMAP_ECHANGED && p->world->change == SMMAP_CHANGE_REFUSE;
	return false;
}

/* What must be as before where a function failed. */
typedef struct state {
	smmap_cursor cursor;
	smmap_buffer buffer;
	smmap_stats stats;
	smmap_file_status status;
	bool fresh_is_bound;
	bool alone;
	uint64_t clients;
} state;

static state state_of(const scene *s)
{
	state now = {.cursor = s->cursor, .buffer = s->buffer};
	smmap_manager_stats(s->manager, &now.stats);
	if (s->cursor.file != NULL)
		assert_int_equal(smmap_cursor_status(&s->cursor, &now.status), 0);
	now.fresh_is_bound = smmap_cursor_is_associated(&s->fresh);
	now.alone = s->fresh_region.alone != NULL;
	now.clients = s->region.taken;
	return now;
}

static void check_nothing_changed(const scene *s, const state *before)
{
	state now = state_of(s);
	assert_ptr_equal(now.cursor.file, before->cursor.file);
	assert_ptr_equal(now.cursor.data, before->cursor.data);
	assert_int_equal(now.cursor.offset, before->cursor.offset);
	assert_int_equal(now.cursor.size, before->cursor.size);
	assert_int_equal(now.buffer.begin, before->buffer.begin);
	assert_int_equal(now.buffer.size, before->buffer.size);
	assert_int_equal(now.status.size, before->status.size);
	assert_int_equal(now.status.generation, before->status.generation);
	assert_int_equal(now.status.stale, before->status.stale);
	assert_int_equal(now.fresh_is_bound, before->fresh_is_bound);
	assert_int_equal(now.alone, before->alone);
	assert_int_equal(now.clients, before->clients);
	assert_null(s->view.file);
	assert_null(s->list);
	/* Regions may have gone to make room, and others come on the way to the one that failed: as a cache, within the limit. */
	assert_true(now.stats.mapped_bytes <= smmap__max(before->stats.mapped_bytes, s->world->limit));
	assert_int_equal(now.stats.files, before->stats.files);
	assert_int_equal(now.stats.exported_bytes, before->stats.exported_bytes);
}

static uint64_t points_done, sites_done;

static void check_success(scene *s, const scenario *a, int64_t result)
{
	if (result < 0)
		fail_msg("%s", smmap_err_name((int)result));
	if (a->check != NULL)
		a->check(s, result);
}

/* A name that meant nothing for a moment: refused until refresh. */
static void take_up_noted_change(scene *s)
{
	smmap_file_status status;
	if (s->world->change != SMMAP_CHANGE_REFUSE || smmap_cursor_status(&s->cursor, &status) != 0 ||
	    status.change == 0)
		return;
	assert_int_equal(smmap_refresh(&s->cursor), SMMAP_CHANGE_REPLACED);
	assert_int_equal(smmap_verify(&s->cursor), 0);
}

static int64_t run(scene *s, const scenario *a)
{
	s->regions = smmap_manager_num_file_handles(s->manager);
	return a->run(s);
}

/* One run with a failure. Returns whether the call was made at all. */
static bool run_point(const point *p)
{
	static scene s;
	static unsigned char *room;
	static ranges mapped_before;
	const scenario *a = p->scenario;
	if (room == NULL)
		room = malloc((size_t)CONTENT_SIZE);
	s.room = room;
	find_ranges(&mapped_before);
	books_figures books = books_now();
	set_up(&s, p->world);
	if (a->prepare != NULL)
		a->prepare(&s);
	if (p->world->few_descriptors)
		push_descriptor_out(&s);
	if (p->world->gives_back_many)
		fill_budget(&s);
	if (p->world->full_register)
		fill_register();
	state before = state_of(&s);
	bool is_repeated = p->error == EINTR && (p->kind & (SMMAP_FAULT_OPEN | SMMAP_FAULT_PREAD)) != 0;
	smmap_faults_arm(p->kind, p->nth, p->error, !p->sticky ? 1 : is_repeated ? 100 : SMMAP_FAULT_FOR_EVER);
	s.point = p;
	int64_t result = run(&s, a);
	smmap_faults_disarm();
	s.point = NULL;
	bool fired = smmap_faults_fired() != 0;
	if (result < 0 && (!fired || !may_return(p, result)))
		fail_msg("%s (%" PRId64 ")", smmap_err_name((int)result), result);
	if (result < 0)
		check_nothing_changed(&s, &before);
	else
		check_success(&s, a, result);
	take_up_noted_change(&s);
	check_scene(&s);
	if (result < 0) {
		let_go_of_results(&s);
		check_success(&s, a, run(&s, a));
		check_scene(&s);
	}
	tear_down(&s);
	size_t lost = unmap_what_is_lost(&mapped_before);
	if (lost != 0 && !(fired && p->kind == SMMAP_FAULT_MUNMAP))
		fail_msg("%zu mappings are left", lost);
	books_assert_same(&books);
	return fired;
}

/* How many calls of each kind the scenario makes when none fails. */
static void count_calls(const scenario *a, const world *w, uint64_t calls[SMMAP_FAULT_KINDS])
{
	static scene s;
	if (s.room == NULL)
		s.room = malloc((size_t)CONTENT_SIZE);
	set_up(&s, w);
	if (a->prepare != NULL)
		a->prepare(&s);
	if (w->few_descriptors)
		push_descriptor_out(&s);
	if (w->gives_back_many)
		fill_budget(&s);
	if (w->full_register)
		fill_register();
	smmap_faults_reset();
	int64_t result = run(&s, a);
	for (unsigned i = 0; i < SMMAP_FAULT_KINDS; i++)
		calls[i] = smmap_faults_count(1u << i);
	printf("%s (%s), %s\n", a->function, a->what, w->name);
	check_success(&s, a, result);
	tear_down(&s);
}

/* Tests that are run slowly do a share of the points, evenly spread. */
static bool is_left_out(void)
{
	enum { OF = 1000 };
	static uint64_t number;
	size_t share = test_rounds(OF);
	uint64_t before = number * share / OF;
	number++;
	return share < OF && number * share / OF == before;
}

static void sweep_errors(const scenario *a, const world *w, const kind_errors *errors, uint64_t calls)
{
	for (int k = 0; k < ERRORS_MAX && errors->errors[k] != 0; k++)
		for (int sticky = 0; sticky < 2; sticky++)
			for (uint64_t nth = 1; nth <= calls; nth++) {
				point p = {a, w, errors->kind, nth, errors->errors[k], sticky};
				if (is_left_out())
					continue;
				print_point(&p);
				if (!run_point(&p))
					fail_msg("the call was not made");
				points_done++;
			}
	/* There is nothing more to fail. */
	point p = {a, w, errors->kind, calls + 1, errors->errors[0], true};
	print_point(&p);
	if (run_point(&p))
		fail_msg("a call more than were counted");
}

/* Changed files are refused there: tests/cursor/test_policy.c has that. */
static bool is_possible(const scenario *a, const world *w)
{
	bool changes = a->prepare == grow || a->prepare == grow_far || a->prepare == replace;
	return w->change != SMMAP_CHANGE_REFUSE || !changes;
}

static void sweep_scenario(const scenario *a)
{
	for (int i = 0; i < WORLDS; i++) {
		uint64_t calls[SMMAP_FAULT_KINDS];
		if (!is_possible(a, &worlds[i]))
			continue;
		count_calls(a, &worlds[i], calls);
		for (size_t k = 0; k < SMMAP_FAULT_KINDS; k++)
			if (calls[k] != 0) {
				assert_int_equal(all_errors[k].kind, 1u << k);
				sweep_errors(a, &worlds[i], &all_errors[k], calls[k]);
				sites_done += calls[k];
			}
	}
}

/* ---- scenarios: managers ---- */

static int64_t new_default_manager(scene *s)
{
	return smmap_manager_new(&s->other_manager, NULL);
}

static void make_other_manager(scene *s)
{
	smmap_cursor cursor = SMMAP_CURSOR_INIT;
	s->other_manager = manager_of(s->world);
	assert_int_equal(smmap_cursor_open(&cursor, s->other_manager, path_b, 0), 0);
	use(&cursor, s->near, 100, 2);
	use(&cursor, s->far, 100, 2);
	smmap_cursor_close(&cursor);
	assert_int_equal(smmap_cursor_open(&cursor, s->other_manager, "/proc/version", 0), 0);
	assert_true(smmap_cursor_use_region(&cursor, 0, 0) > 0);
	smmap_cursor_close(&cursor);
}

static int64_t free_other_manager(scene *s)
{
	if (s->other_manager != NULL)
		smmap__manager_check(s->other_manager);
	int code = smmap_manager_free(s->other_manager);
	if (code == 0)
		s->other_manager = NULL;
	return code;
}

static int64_t collect(scene *s)
{
	return (int64_t)smmap_manager_collect(s->manager);
}

static int64_t make_room_for_all(scene *s)
{
	return (int64_t)smmap_manager_make_room(s->manager, UINT64_MAX);
}

static int64_t make_room_once(scene *s)
{
	return (int64_t)smmap_manager_make_room(s->manager, 0);
}

/* At most what was mapped. */
static void gave_back_some(scene *s, int64_t result)
{
	assert_true((uint64_t)result <= s->regions);
	assert_int_equal(smmap_cursor_size(&s->cursor), 100);
}

static int64_t lower_limits(scene *s)
{
	return smmap_manager_set_limits(s->manager, 1, 1);
}

static int64_t release_path(scene *s)
{
	return smmap_manager_release_path(s->manager, path_a, NULL);
}

/* ---- scenarios: cursors ---- */

static int64_t open_unknown(scene *s)
{
	return smmap_cursor_open(&s->fresh, s->manager, path_b, 0);
}

static void can_use_b(scene *s, int64_t result)
{
	assert_int_equal(result, 0);
	use(&s->fresh, s->far, 100, 2);
	use(&s->fresh, s->near, 100, 2);
	assert_int_equal(smmap_cursor_file_size(&s->fresh), s->world->size);
}

static int64_t open_known(scene *s)
{
	return smmap_cursor_open(&s->fresh, s->manager, path_a, 0);
}

static void can_use_a(scene *s, int64_t result)
{
	assert_int_equal(result, 0);
	int seed = s->replaced ? 3 : 1;
	use(&s->fresh, s->far, 100, seed);
	use(&s->fresh, s->near, 100, seed);
	assert_int_equal(smmap_cursor_file_size(&s->fresh),
	                 s->world->size - (s->replaced ? SHRINKING : 0) + s->grown);
}

static int64_t open_kernel_file(scene *s)
{
	return smmap_cursor_open(&s->fresh, s->manager, "/proc/filesystems", 0);
}

static void has_kernel_file(scene *s, int64_t result)
{
	assert_int_equal(result, 0);
	int64_t n = smmap_cursor_use_region(&s->fresh, 0, 0);
	assert_true(n > 0);
	assert_int_equal((uint64_t)n, smmap_cursor_file_size(&s->fresh));
	assert_int_equal(memcmp(smmap_cursor_data(&s->fresh), "nodev", 5), 0);
}

static int64_t open_directory(scene *s)
{
	int code = smmap_cursor_open(&s->fresh, s->manager, "/proc", 0);
	return code == SMMAP_EISDIR ? 0 : code;
}

static void is_not_bound(scene *s, int64_t result)
{
	assert_int_equal(result, 0);
	assert_false(smmap_cursor_is_associated(&s->fresh));
}

/* The first block device that has bytes, or NULL. */
static const char *block_device(void)
{
	static char path[64];
	static bool looked;
	if (looked)
		return path[0] != 0 ? path : NULL;
	looked = true;
	FILE *partitions = fopen("/proc/partitions", "re");
	char line[200], name[40];
	unsigned long long blocks;
	while (path[0] == 0 && partitions != NULL && fgets(line, sizeof line, partitions) != NULL) {
		if (sscanf(line, "%*u %*u %llu %39s", &blocks, name) != 2 || blocks == 0)
			continue;
		snprintf(path, sizeof path, "/dev/%s", name);
		int descriptor = open(path, O_RDONLY | O_CLOEXEC);
		if (descriptor >= 0)
			close(descriptor);
		else
			path[0] = 0;
	}
	if (partitions != NULL)
		fclose(partitions);
	if (path[0] == 0)
		puts("note: sweep: no block device can be read: BLKGETSIZE64 was not made to fail");
	return path[0] != 0 ? path : NULL;
}

static int64_t open_block_device(scene *s)
{
	const char *path = block_device();
	return path != NULL ? smmap_cursor_open(&s->fresh, s->manager, path, 0) : 0;
}

static int64_t open_descriptor(scene *s)
{
	return smmap_cursor_open_fd(&s->fresh, s->manager, s->fd);
}

/* A file of hugetlbfs. */
static void make_huge_file(scene *s)
{
	close(s->fd);
	s->fd = memfd_create("huge", MFD_CLOEXEC | MFD_HUGETLB);
	if (s->fd < 0)
		puts("note: sweep: no file on hugetlbfs can be made: fstatfs was not made to fail");
}

static int64_t open_huge_file(scene *s)
{
	int code = s->fd >= 0 ? smmap_cursor_open_fd(&s->fresh, s->manager, s->fd) : SMMAP_ENOTSUP;
	return code == SMMAP_ENOTSUP ? 0 : code;
}

static void bind_fresh(scene *s)
{
	use_fresh(s);
}

/* What is pinned exceeds the limits: who lets go of a pin gives back. */
static void exceed_the_limits(scene *s)
{
	assert_int_equal(smmap_manager_set_limits(s->manager, 1, 1), 0);
}

static void limits_as_before(scene *s, int64_t result)
{
	assert_int_equal(result, 0);
	assert_int_equal(smmap_manager_set_limits(s->manager, s->world->limit, 0), 0);
}

static void bind_fresh_and_exceed(scene *s)
{
	use_fresh(s);
	exceed_the_limits(s);
}

/* Nothing but the cursor keeps its file. */
static void bind_fresh_alone(scene *s)
{
	use_fresh(s);
	smmap_cursor_unuse_region(&s->fresh);
	(void)smmap_manager_collect(s->manager);
}

static int64_t close_cursor(scene *s)
{
	smmap_cursor_close(&s->fresh);
	return 0;
}

static int64_t assign(scene *s)
{
	return smmap_cursor_assign(&s->fresh, &s->cursor);
}

static void is_a_copy(scene *s, int64_t result)
{
	assert_int_equal(result, 0);
	assert_int_equal(smmap_cursor_ofs_begin(&s->fresh), s->near);
	assert_int_equal(smmap_cursor_size(&s->fresh), 100);
	check_bytes(smmap_cursor_data(&s->fresh), s->near, 100, 1);
}

static int64_t use_mapped(scene *s)
{
	return smmap_cursor_use_region(&s->cursor, s->middle, 50);
}

static int64_t use_cold(scene *s)
{
	return smmap_cursor_use_region(&s->cursor, s->cold, 50);
}

static uint64_t before_border(const scene *s)
{
	return window_of(s) < s->world->size ? s->cold / window_of(s) * window_of(s) - 25 : s->cold;
}

static int64_t use_over_a_border(scene *s)
{
	return smmap_cursor_use_region(&s->cursor, before_border(s), 50);
}

static void has_50_bytes(scene *s, int64_t result)
{
	assert_int_equal(result, 50);
	check_bytes(smmap_cursor_data(&s->cursor), smmap_cursor_ofs_begin(&s->cursor), 50, 1);
}

static void exceed_with_cursor_alone(scene *s)
{
	smmap_buffer_end_access(&s->buffer);
	exceed_the_limits(s);
}

static void exceed_with_buffer_alone(scene *s)
{
	smmap_cursor_unuse_region(&s->cursor);
	exceed_the_limits(s);
}

static int64_t unuse_region(scene *s)
{
	smmap_cursor_unuse_region(&s->cursor);
	return 0;
}

static int64_t read_all(scene *s)
{
	return smmap_read(&s->cursor, 0, s->room, CONTENT_SIZE);
}

static int64_t read_across_mapped_and_cold(scene *s)
{
	return smmap_read(&s->cursor, s->middle - 3000, s->room, 20000);
}

static int64_t read_cold(scene *s)
{
	return smmap_read(&s->cursor, s->cold, s->room, 100);
}

/* Fewer where the next byte could not be read, but at least one. */
static void read_from(const scene *s, uint64_t offset, uint64_t size, int64_t result)
{
	assert_in_range(result, 1, smmap__min(size, s->world->size - offset));
	check_bytes(s->room, offset, (uint64_t)result, 1);
}

static void has_read_all(scene *s, int64_t result)
{
	read_from(s, 0, CONTENT_SIZE, result);
}

static void has_read_across(scene *s, int64_t result)
{
	read_from(s, s->middle - 3000, 20000, result);
}

static void has_read_cold(scene *s, int64_t result)
{
	assert_int_equal(result, 100);
	read_from(s, s->cold, 100, result);
}

static int64_t read_often(scene *s)
{
	int64_t n = 100;
	for (int i = 0; i < 30 && n == 100; i++)
		n = smmap_read(&s->cursor, s->cold, s->room, 100);
	return n;
}

static int64_t advise(scene *s, int advice)
{
	return smmap_advise(&s->cursor, advice, s->cold, 0);
}

static int64_t advise_normal(scene *s)
{
	return advise(s, SMMAP_ADVICE_NORMAL);
}

static int64_t advise_sequential(scene *s)
{
	return advise(s, SMMAP_ADVICE_SEQUENTIAL);
}

static int64_t advise_random(scene *s)
{
	return advise(s, SMMAP_ADVICE_RANDOM);
}

static int64_t advise_willneed(scene *s)
{
	return advise(s, SMMAP_ADVICE_WILLNEED);
}

static int64_t verify(scene *s)
{
	return smmap_verify(&s->cursor);
}

static int64_t refresh(scene *s)
{
	return smmap_refresh(&s->cursor);
}

static void tells_no_change(scene *s, int64_t result)
{
	(void)s;
	assert_int_equal(result, 0);
}

static void tells_growth(scene *s, int64_t result)
{
	(void)s;
	assert_int_equal(result, SMMAP_CHANGE_GREW | SMMAP_CHANGE_MODIFIED);
}

static void tells_replacement(scene *s, int64_t result)
{
	(void)s;
	assert_int_equal(result, SMMAP_CHANGE_REPLACED);
}

/* The name means nothing any more as far as stat says. */
static void tells_that_it_is_gone(scene *s, int64_t result)
{
	(void)s;
	assert_true(result == 0 || result == SMMAP_CHANGE_REPLACED);
}

static void has_grown(scene *s, int64_t result)
{
	tells_growth(s, result);
	assert_int_equal(smmap_cursor_file_size(&s->cursor), s->world->size + s->grown);
	use(&s->cursor, s->world->size + 100, 100, 1);
}

static void has_been_replaced(scene *s, int64_t result)
{
	tells_replacement(s, result);
	assert_int_equal(smmap_cursor_file_size(&s->cursor), s->world->size - SHRINKING);
	use(&s->cursor, s->near, 100, 3);
}

/* A cursor on a file that was cut under its mapping, and a reader who has met the end. */
static void truncate_under_a_reader(scene *s)
{
	link_again(kept_b[0], path_truncated);
	files_make("truncated-file", 20000, 2);
	assert_int_equal(rename(files_path("truncated-file"), path_truncated), 0);
	assert_int_equal(smmap_guard_enable(), 0);
	s->guards++;
	assert_int_equal(smmap_cursor_open(&s->fresh, s->manager, path_truncated, 0), 0);
	assert_int_equal(smmap_cursor_use_region(&s->fresh, 12000, 10), 10);
	assert_int_equal(truncate(path_truncated, 0), 0);
	assert_int_equal(*(const volatile unsigned char *)smmap_cursor_data(&s->fresh), 0);
}

static int64_t error_of_truncated(scene *s)
{
	uint64_t offset = 0;
	int code = smmap_cursor_error(&s->fresh, &offset);
	assert_int_equal(offset, 8192);
	s->misclassified = code != SMMAP_ETRUNCATED && code != SMMAP_EFAULTED;
	if (s->misclassified) {
		assert_non_null(s->point);
		assert_int_equal(s->point->kind, SMMAP_FAULT_PREAD);
		assert_int_equal(code, -s->point->error);
	}
	/* A file that is gone is not asked for again. */
	s->misclassified |=
		code == SMMAP_EFAULTED && s->point != NULL &&
		(s->point->error == ESTALE || (s->point->kind == SMMAP_FAULT_OPEN && s->point->error == ENOENT));
	return 0;
}

/* What a read said stays; where it could not be asked for it is asked for again. */
static void is_classified(scene *s, int64_t result)
{
	assert_int_equal(result, 0);
	int code = smmap_cursor_error(&s->fresh, NULL);
	assert_int_equal(code == SMMAP_ETRUNCATED, !s->misclassified);
	assert_int_equal(smmap_cursor_error(&s->fresh, NULL), code);
	assert_true(smmap_refresh(&s->fresh) > 0);
	assert_int_equal(smmap_cursor_error(&s->fresh, NULL), 0);
}

static int64_t error_of_sound(scene *s)
{
	return smmap_cursor_error(&s->cursor, NULL);
}

static int64_t or_not_in_memory(const scene *s, int64_t result)
{
	return s->world->in_memory && result == SMMAP_ENOTSUP ? 0 : result;
}

static int64_t residency(scene *s)
{
	return or_not_in_memory(s, smmap_cursor_residency(&s->cursor, s->near, SMALL_SIZE, s->room, SMALL_SIZE));
}

static void has_pages(scene *s, int64_t result)
{
	uint64_t page = smmap__os_facts_now.page_size;
	uint64_t end = smmap__min(s->near + SMALL_SIZE, s->world->size);
	assert_int_equal(result, s->world->in_memory ? 0 : smmap__align_up(end, page) / page);
}

/* ---- scenarios: regions ---- */

static int64_t region_of_cursor(scene *s)
{
	return smmap_cursor_region(&s->cursor, &s->fresh_region);
}

static void has_the_region(scene *s, int64_t result)
{
	assert_int_equal(result, 0);
	assert_int_equal(smmap_region_ofs_begin(&s->fresh_region), 0);
	assert_int_equal(smmap_region_size(&s->fresh_region), smmap__min(window_of(s), s->world->size));
}

static int64_t region_open(scene *s)
{
	return smmap_region_open(&s->fresh_region, path_b, 65536, 5000, 0);
}

static int64_t region_open_fd(scene *s)
{
	return smmap_region_open_fd(&s->fresh_region, s->fd, 65536, 5000);
}

static void has_mapped_b(scene *s, int64_t result)
{
	assert_int_equal(result, 0);
	assert_int_equal(smmap_region_size(&s->fresh_region), 5000);
	check_bytes(smmap_region_data(&s->fresh_region), 65536, 5000, 2);
}

static void map_alone(scene *s)
{
	assert_int_equal(region_open(s), 0);
}

static int64_t region_close(scene *s)
{
	smmap_region_close(&s->fresh_region);
	return 0;
}

static int64_t add_client(scene *s)
{
	int code = smmap_region_increment_client_count(&s->region, 1);
	/* It may have been given back for others. */
	return code == SMMAP_ECLOSED && smmap_region_data(&s->region) == NULL ? 0 : code;
}

static int64_t give_client(scene *s)
{
	return smmap_region_increment_client_count(&s->fresh_region, -1);
}

static void is_released(scene *s, int64_t result)
{
	assert_int_equal(result, 1);
	assert_int_equal(smmap_region_size(&s->fresh_region), 0);
}

/* With more pinned than the limits allow: the last unpin gives back. */
static void pin_too_much(scene *s)
{
	assert_int_equal(smmap_cursor_region(&s->cursor, &s->fresh_region), 0);
	assert_int_equal(smmap_region_increment_client_count(&s->fresh_region, 1), 0);
	smmap_cursor_unuse_region(&s->cursor);
	smmap_buffer_end_access(&s->buffer);
	assert_int_equal(smmap_manager_set_limits(s->manager, 1, 1), 0);
}

static void is_unpinned(scene *s, int64_t result)
{
	assert_int_equal(result, 0);
	assert_int_equal(s->fresh_region.taken, 0);
	assert_int_equal(smmap_manager_set_limits(s->manager, s->world->limit, 0), 0);
}

static int64_t region_release(scene *s)
{
	int code = smmap_region_release(&s->region);
	/* A whole file is pinned by the cursor; so is a large region that holds all the places in use. */
	return code == SMMAP_EBUSY && smmap_region_client_count(&s->region) > 1 ? 0 : code;
}

static int64_t region_release_alone(scene *s)
{
	return smmap_region_release(&s->fresh_region);
}

static int64_t list_new(scene *s)
{
	return smmap_region_list_new(&s->list, &s->cursor);
}

static void has_a_list(scene *s, int64_t result)
{
	assert_int_equal(result, 0);
	size_t count = smmap_region_list_count(s->list);
	assert_in_range(count, 1, s->regions);
	assert_int_equal(smmap_region_list_get(s->list, 0, &s->fresh_region), 0);
	assert_int_equal(smmap_region_ofs_begin(&s->fresh_region), 0);
	assert_int_equal(smmap_region_list_file_size(s->list), s->world->size);
}

static void make_a_list(scene *s)
{
	assert_int_equal(list_new(s), 0);
}

/* Nothing but the list keeps the file. */
static void keep_a_list_alone(scene *s)
{
	make_a_list(s);
	smmap_cursor_close(&s->cursor);
	smmap_buffer_close(&s->buffer);
	smmap_region_close(&s->region);
	(void)smmap_manager_collect(s->manager);
}

static void can_open_again(scene *s, int64_t result)
{
	assert_int_equal(result, 0);
	open_in_world(s);
	use(&s->cursor, s->near, 100, 1);
}

static int64_t list_free(scene *s)
{
	smmap_region_list_free(s->list);
	s->list = NULL;
	return 0;
}

static int64_t list_get(scene *s)
{
	return smmap_region_list_get(s->list, 0, &s->fresh_region);
}

/* The handle held a region by itself, which goes for it. */
static void make_a_list_and_map_alone(scene *s)
{
	make_a_list(s);
	map_alone(s);
}

/* ---- scenarios: buffers and views ---- */

static int64_t begin_access(scene *s)
{
	return smmap_buffer_begin_access(&s->buffer, &s->cursor, s->cold, SMMAP_TO_END);
}

static void has_begun(scene *s, int64_t result)
{
	assert_int_equal(result, 0);
	assert_int_equal(smmap_buffer_get(&s->buffer, 10), contents[1][s->cold + 10]);
	/* Back to where the scene has it. */
	assert_int_equal(smmap_buffer_begin_access(&s->buffer, NULL, s->near, SMMAP_TO_END), 0);
}

static int64_t end_access(scene *s)
{
	smmap_buffer_end_access(&s->buffer);
	return 0;
}

static int64_t close_buffer(scene *s)
{
	smmap_buffer_close(&s->buffer);
	return 0;
}

static int64_t get_far(scene *s)
{
	return smmap_buffer_get(&s->buffer, (int64_t)(s->cold - s->near));
}

static void is_the_byte(scene *s, int64_t result)
{
	assert_int_equal(result, contents[1][s->cold]);
}

static int64_t slice(scene *s)
{
	return smmap_buffer_slice(&s->buffer, 500, INT64_MAX, s->room, CONTENT_SIZE);
}

static void is_the_slice(scene *s, int64_t result)
{
	assert_int_equal(result, s->world->size - s->near - 500);
	check_bytes(s->room, s->near + 500, (uint64_t)result, 1);
}

static int64_t view_short(scene *s)
{
	return smmap_buffer_view(&s->view, &s->buffer, (int64_t)(s->cold - s->near),
	                         (int64_t)(s->cold - s->near) + 5000);
}

static int64_t view_long(scene *s)
{
	return or_not_in_memory(s, smmap_buffer_view(&s->view, &s->buffer, 0, INT64_MAX));
}

static void is_short(scene *s, int64_t result)
{
	assert_int_equal(result, 0);
	assert_int_equal(s->view.size, 5000);
	check_bytes(s->view.data, s->cold, 5000, 1);
}

static void is_long(scene *s, int64_t result)
{
	assert_int_equal(result, 0);
	if (s->world->in_memory)
		return;
	assert_int_equal(s->view.size, s->world->size - s->near);
	check_bytes(s->view.data, s->near, s->view.size, 1);
}

static int64_t view_of_cursor(scene *s)
{
	return smmap_cursor_view(&s->view, &s->cursor);
}

static void is_the_cursors(scene *s, int64_t result)
{
	assert_int_equal(result, 0);
	assert_int_equal(s->view.size, 100);
	check_bytes(s->view.data, s->near, 100, 1);
}

static void view_short_there(scene *s)
{
	assert_int_equal(view_short(s), 0);
}

static void view_short_and_exceed(scene *s)
{
	view_short_there(s);
	exceed_the_limits(s);
}

static void view_long_there(scene *s)
{
	assert_int_equal(view_long(s), 0);
}

static int64_t release_view(scene *s)
{
	smmap_view_release(&s->view);
	return 0;
}

static int64_t map_at(scene *s, uint64_t offset, uint64_t size)
{
	if (s->room_at == NULL) {
		/* The caller's own: none of the library's calls. */
		s->room_size = (size_t)smmap_align(size, 1);
		s->room_at = mmap(NULL, s->room_size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		assert_ptr_not_equal(s->room_at, MAP_FAILED);
	}
	return or_not_in_memory(s, smmap_cursor_map_at(&s->view, &s->cursor, offset, size, s->room_at));
}

static int64_t map_at_short(scene *s)
{
	return map_at(s, 65536, 5000);
}

static int64_t map_at_long(scene *s)
{
	return map_at(s, 0, s->world->size);
}

static void lies_there(scene *s, uint64_t offset, uint64_t size)
{
	if (s->world->in_memory)
		return;
	assert_ptr_equal(s->view.data, s->room_at);
	assert_int_equal(s->view.size, size);
	check_bytes(s->view.data, offset, size, 1);
}

static void short_lies_there(scene *s, int64_t result)
{
	assert_int_equal(result, 0);
	lies_there(s, 65536, 5000);
}

static void long_lies_there(scene *s, int64_t result)
{
	assert_int_equal(result, 0);
	lies_there(s, 0, s->world->size);
}

/* ---- scenarios: the guard ---- */

static int64_t guard_enable(scene *s)
{
	int code = smmap_guard_enable();
	s->guards += code == 0;
	return code;
}

static void enable_guard(scene *s)
{
	assert_int_equal(guard_enable(s), 0);
}

static int64_t guard_disable(scene *s)
{
	int code = smmap_guard_disable();
	s->guards -= code == 0;
	return code;
}

static int64_t guard_status(scene *s)
{
	smmap_guard_info info;
	smmap_guard_status(&info);
	assert_int_equal(info.enabled, s->guards);
	return 0;
}

/* ---- functions that make no calls ---- */

enum { QUIET_MAX = 100 };
static const char *quiet_names[QUIET_MAX];
static size_t quiet_count;

/* Calls it, and notes its name: what is before the first parenthesis. */
#define QUIET(call) (note_quiet(#call), (void)(call))

static void note_quiet(const char *call)
{
	for (size_t i = 0; i < quiet_count; i++)
		if (strcmp(quiet_names[i], call) == 0)
			return;
	assert_true(quiet_count < QUIET_MAX);
	quiet_names[quiet_count++] = call;
}

static int64_t call_what_makes_no_calls(scene *s)
{
	const unsigned char *data;
	uint64_t first;
	smmap_window window = {5, 10};
	const smmap_window left = {0, 2}, right = {50, 2};
	smmap_stats stats;
	smmap_file_status status;
	QUIET(smmap_version());
	QUIET(smmap_strerror(SMMAP_EIO));
	QUIET(smmap_err_name(SMMAP_EIO));
	QUIET(smmap_allocation_granularity());
	QUIET(smmap_align(5, 1));
	QUIET(smmap_is_64_bit());
	QUIET(smmap_window_end(&window));
	QUIET(smmap_window_align(&window));
	QUIET(smmap_window_extend_left_to(&window, &left, 100));
	QUIET(smmap_window_extend_right_to(&window, &right, 100));
	QUIET(smmap_window_from_region(&s->region));
	QUIET(smmap_manager_num_file_handles(s->manager));
	QUIET(smmap_manager_num_open_files(s->manager));
	QUIET(smmap_manager_window_size(s->manager));
	QUIET(smmap_manager_mapped_memory_size(s->manager));
	QUIET(smmap_manager_max_mapped_memory_size(s->manager));
	QUIET(smmap_manager_max_file_handles(s->manager));
	QUIET(smmap_manager_stats(s->manager, &stats));
	QUIET(smmap_cursor_at(&s->cursor, s->near, 10));
	QUIET(smmap_cursor_includes_ofs(&s->cursor, s->near));
	QUIET(smmap_cursor_is_valid(&s->cursor));
	QUIET(smmap_cursor_is_associated(&s->cursor));
	QUIET(smmap_cursor_data(&s->cursor));
	QUIET(smmap_cursor_ofs_begin(&s->cursor));
	QUIET(smmap_cursor_size(&s->cursor));
	QUIET(smmap_cursor_ofs_end(&s->cursor));
	QUIET(smmap_cursor_file_size(&s->cursor));
	QUIET(smmap_cursor_path(&s->cursor));
	QUIET(smmap_cursor_fd(&s->cursor));
	QUIET(smmap_cursor_map(&s->cursor, &data, &window));
	QUIET(smmap_cursor_status(&s->cursor, &status));
	QUIET(smmap_region_ofs_begin(&s->region));
	QUIET(smmap_region_size(&s->region));
	QUIET(smmap_region_ofs_end(&s->region));
	QUIET(smmap_region_includes_ofs(&s->region, s->far));
	QUIET(smmap_region_data(&s->region));
	QUIET(smmap_region_client_count(&s->region));
	QUIET(smmap_region_equal(&s->region, &s->region));
	QUIET(smmap_region_list_count(s->list));
	QUIET(smmap_region_list_file_size(s->list));
	QUIET(smmap_region_list_path(s->list));
	QUIET(smmap_region_list_fd(s->list));
	QUIET(smmap_buffer_cursor(&s->buffer));
	QUIET(smmap_buffer_size(&s->buffer));
	QUIET(smmap_buffer_clip(&s->buffer, 1, -1, &first));
	return 0;
}

static void quiet_functions_make_no_calls(void)
{
	static const scenario quiet = {"", "", call_what_makes_no_calls, make_a_list, NULL, {0}};
	make_files();
	for (int i = 0; i < WORLDS; i++) {
		uint64_t calls[SMMAP_FAULT_KINDS];
		count_calls(&quiet, &worlds[i], calls);
		for (size_t k = 0; k < SMMAP_FAULT_KINDS; k++)
			assert_int_equal(calls[k], 0);
	}
}

/* ---- all scenarios ---- */

static const scenario scenarios[] = {
	{"smmap_manager_new", "defaults", new_default_manager, NULL, NULL, {0}},
	{"smmap_manager_free", "with idle files", free_other_manager, make_other_manager, NULL, {SMMAP_EBUSY}},
	{"smmap_manager_collect", "", collect, NULL, gave_back_some, {0}},
	{"smmap_manager_make_room", "for everything", make_room_for_all, NULL, gave_back_some, {0}},
	{"smmap_manager_make_room", "one", make_room_once, NULL, gave_back_some, {0}},
	{"smmap_manager_release_path", "", release_path, NULL, gave_back_some, {0}},
	{"smmap_manager_set_limits", "lower", lower_limits, NULL, NULL, {0}},
	{"smmap_cursor_open", "a new file", open_unknown, NULL, can_use_b, {0}},
	{"smmap_cursor_open", "a known file", open_known, NULL, can_use_a, {0}},
	{"smmap_cursor_open", "a file that grew", open_known, grow, can_use_a, {0}},
	{"smmap_cursor_open", "a file that was replaced", open_known, replace, can_use_a, {0}},
	{"smmap_cursor_open", "a file of the kernel", open_kernel_file, NULL, has_kernel_file, {0}},
	{"smmap_cursor_open", "a directory", open_directory, NULL, is_not_bound, {0}},
	{"smmap_cursor_open", "a block device", open_block_device, NULL, NULL, {0}},
	{"smmap_cursor_open", "another one", open_unknown, bind_fresh, can_use_b, {0}},
	{"smmap_cursor_open_fd", "a new file", open_descriptor, NULL, can_use_b, {0}},
	{"smmap_cursor_open_fd", "a file of huge pages", open_huge_file, make_huge_file, is_not_bound, {0}},
	{"smmap_cursor_close", "in use", close_cursor, bind_fresh, is_not_bound, {0}},
	{"smmap_cursor_close", "over the limits", close_cursor, bind_fresh_and_exceed, limits_as_before, {0}},
	{"smmap_cursor_close", "the last of its file", close_cursor, bind_fresh_alone, is_not_bound, {0}},
	{"smmap_cursor_assign", "", assign, NULL, is_a_copy, {0}},
	{"smmap_cursor_assign", "to one in use", assign, bind_fresh_and_exceed, is_a_copy, {0}},
	{"smmap_cursor_assign", "to the last of its file", assign, bind_fresh_alone, is_a_copy, {0}},
	{"smmap_cursor_use_region", "mapped", use_mapped, NULL, has_50_bytes, {0}},
	{"smmap_cursor_use_region", "cold", use_cold, NULL, has_50_bytes, {0}},
	{"smmap_cursor_use_region", "over a border", use_over_a_border, NULL, has_50_bytes, {0}},
	{"smmap_cursor_unuse_region", "", unuse_region, NULL, NULL, {0}},
	{"smmap_cursor_unuse_region",
     "over the limits",
     unuse_region,
     exceed_with_cursor_alone,
     limits_as_before,
     {0}},
	{"smmap_read", "all", read_all, NULL, has_read_all, {0}},
	{"smmap_read", "mapped and cold", read_across_mapped_and_cold, NULL, has_read_across, {0}},
	{"smmap_read", "cold", read_cold, NULL, has_read_cold, {0}},
	{"smmap_read", "often", read_often, NULL, has_read_cold, {0}},
	{"smmap_advise", "normal", advise_normal, NULL, NULL, {0}},
	{"smmap_advise", "sequential", advise_sequential, NULL, NULL, {0}},
	{"smmap_advise", "random", advise_random, NULL, NULL, {0}},
	{"smmap_advise", "willneed", advise_willneed, NULL, NULL, {0}},
	{"smmap_verify", "unchanged", verify, NULL, tells_that_it_is_gone, {0}},
	{"smmap_verify", "replaced", verify, replace, tells_replacement, {0}},
	{"smmap_refresh", "unchanged", refresh, NULL, tells_no_change, {0}},
	{"smmap_refresh", "grown", refresh, grow, has_grown, {0}},
	{"smmap_refresh", "grown far", refresh, grow_far, has_grown, {0}},
	{"smmap_refresh", "replaced", refresh, replace, has_been_replaced, {0}},
	{"smmap_cursor_error", "sound", error_of_sound, NULL, NULL, {0}},
	{"smmap_cursor_error", "truncated", error_of_truncated, truncate_under_a_reader, is_classified, {0}},
	{"smmap_cursor_residency", "", residency, NULL, has_pages, {0}},
	{"smmap_cursor_region", "", region_of_cursor, NULL, has_the_region, {0}},
	{"smmap_cursor_region", "instead of one by itself", region_of_cursor, map_alone, has_the_region, {0}},
	{"smmap_region_open", "", region_open, NULL, has_mapped_b, {0}},
	{"smmap_region_open", "another one", region_open, map_alone, has_mapped_b, {0}},
	{"smmap_region_open_fd", "", region_open_fd, NULL, has_mapped_b, {0}},
	{"smmap_region_close", "by itself", region_close, map_alone, NULL, {0}},
	{"smmap_region_close", "the last pin", region_close, pin_too_much, NULL, {0}},
	{"smmap_region_increment_client_count", "one more", add_client, NULL, NULL, {0}},
	{"smmap_region_increment_client_count", "by itself", give_client, map_alone, is_released, {0}},
	{"smmap_region_increment_client_count", "the last pin", give_client, pin_too_much, is_unpinned, {0}},
	{"smmap_region_release", "of a manager", region_release, NULL, NULL, {SMMAP_EBUSY}},
	{"smmap_region_release", "by itself", region_release_alone, map_alone, NULL, {0}},
	{"smmap_region_list_new", "", list_new, NULL, has_a_list, {0}},
	{"smmap_region_list_free", "", list_free, make_a_list, NULL, {0}},
	{"smmap_region_list_free", "the last of its file", list_free, keep_a_list_alone, can_open_again, {0}},
	{"smmap_region_list_get", "instead of one by itself", list_get, make_a_list_and_map_alone, NULL, {0}},
	{"smmap_buffer_begin_access", "", begin_access, NULL, has_begun, {0}},
	{"smmap_buffer_end_access",
     "over the limits",
     end_access,
     exceed_with_buffer_alone,
     limits_as_before,
     {0}},
	{"smmap_buffer_close", "over the limits", close_buffer, exceed_with_buffer_alone, limits_as_before, {0}},
	{"smmap_buffer_get", "far", get_far, NULL, is_the_byte, {0}},
	{"smmap_buffer_slice", "most", slice, NULL, is_the_slice, {0}},
	{"smmap_buffer_view", "short", view_short, NULL, is_short, {0}},
	{"smmap_buffer_view", "long", view_long, NULL, is_long, {0}},
	{"smmap_cursor_view", "", view_of_cursor, NULL, is_the_cursors, {0}},
	{"smmap_cursor_map_at", "short", map_at_short, NULL, short_lies_there, {0}},
	{"smmap_cursor_map_at", "long", map_at_long, NULL, long_lies_there, {0}},
	{"smmap_view_release", "short", release_view, view_short_there, NULL, {0}},
	{"smmap_view_release", "over the limits", release_view, view_short_and_exceed, limits_as_before, {0}},
	{"smmap_view_release", "long", release_view, view_long_there, NULL, {0}},
	{"smmap_guard_enable", "", guard_enable, NULL, NULL, {0}},
	{"smmap_guard_disable", "", guard_disable, enable_guard, NULL, {0}},
	{"smmap_guard_status", "", guard_status, NULL, NULL, {0}},
};
enum { SCENARIOS = sizeof scenarios / sizeof *scenarios };

static void sweep(const char *function)
{
	size_t found = 0;
	make_files();
	for (size_t i = 0; i < SCENARIOS; i++)
		if (strcmp(scenarios[i].function, function) == 0) {
			sweep_scenario(&scenarios[i]);
			found++;
		}
	assert_true(found != 0);
	printf("note: sweep: %s: %" PRIu64 " call sites, %" PRIu64 " points, 0 deviations\n", function,
	       sites_done, points_done);
}

/* The functions that have scenarios, each a test of its own. */
#define FUNCTIONS(X)                                                                                         \
	X(smmap_manager_new)                                                                                     \
	X(smmap_manager_free)                                                                                    \
	X(smmap_manager_collect)                                                                                 \
	X(smmap_manager_make_room)                                                                               \
	X(smmap_manager_release_path)                                                                            \
	X(smmap_manager_set_limits)                                                                              \
	X(smmap_cursor_open)                                                                                     \
	X(smmap_cursor_open_fd)                                                                                  \
	X(smmap_cursor_close)                                                                                    \
	X(smmap_cursor_assign)                                                                                   \
	X(smmap_cursor_use_region)                                                                               \
	X(smmap_cursor_unuse_region)                                                                             \
	X(smmap_read)                                                                                            \
	X(smmap_advise)                                                                                          \
	X(smmap_verify)                                                                                          \
	X(smmap_refresh)                                                                                         \
	X(smmap_cursor_error)                                                                                    \
	X(smmap_cursor_residency)                                                                                \
	X(smmap_cursor_region)                                                                                   \
	X(smmap_region_open)                                                                                     \
	X(smmap_region_open_fd)                                                                                  \
	X(smmap_region_close)                                                                                    \
	X(smmap_region_increment_client_count)                                                                   \
	X(smmap_region_release)                                                                                  \
	X(smmap_region_list_new)                                                                                 \
	X(smmap_region_list_free)                                                                                \
	X(smmap_region_list_get)                                                                                 \
	X(smmap_buffer_begin_access)                                                                             \
	X(smmap_buffer_end_access)                                                                               \
	X(smmap_buffer_close)                                                                                    \
	X(smmap_buffer_get)                                                                                      \
	X(smmap_buffer_slice)                                                                                    \
	X(smmap_buffer_view)                                                                                     \
	X(smmap_cursor_view)                                                                                     \
	X(smmap_cursor_map_at)                                                                                   \
	X(smmap_view_release)                                                                                    \
	X(smmap_guard_enable)                                                                                    \
	X(smmap_guard_disable)                                                                                   \
	X(smmap_guard_status)

#define SWEEP_TEST(function)                                                                                 \
	static void all_of_##function(void)                                                                      \
	{                                                                                                        \
		sweep(#function);                                                                                    \
	}
FUNCTIONS(SWEEP_TEST)

static bool is_swept(const char *function)
{
#define IS_IT(name)                                                                                          \
	if (strcmp(function, #name) == 0)                                                                        \
		return true;
	FUNCTIONS(IS_IT)
	return false;
}

static bool is_quiet(const char *function)
{
	for (size_t i = 0; i < quiet_count; i++)
		if (strncmp(quiet_names[i], function, strlen(function)) == 0 &&
		    quiet_names[i][strlen(function)] == '(')
			return true;
	return false;
}

static size_t functions_seen;

static void check_function(const char *function, void *context)
{
	size_t *missing = context;
	functions_seen++;
	if (is_swept(function) || is_quiet(function))
		return;
	printf("no scenario for %s\n", function);
	++*missing;
}

static void every_public_function_has_a_scenario(void)
{
	size_t missing = 0;
	quiet_functions_make_no_calls();
	header_each_function(check_function, &missing);
	assert_int_equal(missing, 0);
	assert_true(functions_seen > 80);
	for (size_t i = 0; i < SCENARIOS; i++)
		assert_true(is_swept(scenarios[i].function));
	for (size_t k = 0; k < SMMAP_FAULT_KINDS; k++) {
		assert_int_equal(all_errors[k].kind, 1u << k);
		assert_true(all_errors[k].errors[0] != 0);
	}
}

/* Only the first manager of a process registers the handlers for fork. */
static void registering_for_forks_can_fail(void)
{
	for (int sticky = 0; sticky < 2; sticky++) {
		smmap_manager *manager = NULL;
		books_figures books = books_now();
		smmap_faults_arm(SMMAP_FAULT_ATFORK, 1, ENOMEM, sticky ? SMMAP_FAULT_FOR_EVER : 1);
		assert_int_equal(smmap_manager_new(&manager, NULL), SMMAP_ENOMEM);
		smmap_faults_disarm();
		assert_int_equal(smmap_faults_fired(), 1);
		assert_null(manager);
		books_assert_same(&books);
	}
	smmap_manager *manager;
	assert_int_equal(smmap_manager_new(&manager, NULL), 0);
	free_manager(manager);
	puts("note: sweep: smmap_manager_new, the first of the process: 1 call sites, 2 points, 0 deviations");
}

/* What the system did not take back can be given back later. */
static void freeing_a_manager_can_be_tried_again(void)
{
	make_files();
	for (int i = 0; i < WORLDS; i++) {
		static scene s;
		s.room = malloc((size_t)CONTENT_SIZE);
		set_up(&s, &worlds[i]);
		if (worlds[i].in_memory) {
			tear_down(&s);
			free(s.room);
			continue;
		}
		smmap_cursor_close(&s.cursor);
		smmap_buffer_close(&s.buffer);
		smmap_region_close(&s.region);
		smmap_faults_arm(SMMAP_FAULT_MUNMAP | SMMAP_FAULT_MADVISE, 1, ENOMEM, SMMAP_FAULT_FOR_EVER);
		assert_int_equal(smmap_manager_free(s.manager), SMMAP_EBUSY);
		smmap_faults_disarm();
		smmap__manager_check(s.manager);
		assert_true(smmap_manager_num_file_handles(s.manager) != 0);
		tear_down(&s);
		free(s.room);
	}
}

#define TEST_OF(function) TEST(all_of_##function, .seconds = 120, .unit = 4096),

TEST_PROGRAM(FUNCTIONS(TEST_OF) TEST(quiet_functions_make_no_calls),
             TEST(every_public_function_has_a_scenario), TEST(registering_for_forks_can_fail),
             TEST(freeing_a_manager_can_be_tried_again, .unit = 4096))
