/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Every integer parameter of every public function at the places where numbers are known to go wrong. What must come out is
 * told by a small model here, which knows the header's text and not the library. The rows are compared with the header: a new
 * parameter without a row fails.
 */
#include "cursor/setup.h"

#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- values ---- */

enum type { INT, UNSIGNED, SIZE, INT64, UINT64 };

enum { VALUES_MAX = 50 };
static uint64_t base_values[VALUES_MAX];
static size_t base_count;
static uint64_t page;

static void make_values(void)
{
	page = (uint64_t)sysconf(_SC_PAGESIZE);
	const uint64_t values[] = {
		0,
		1,
		page - 1,
		page,
		page + 1,
		(UINT64_C(1) << 31) - 1,
		UINT64_C(1) << 31,
		(UINT64_C(1) << 31) + 1,
		(UINT64_C(1) << 32) - 1,
		UINT64_C(1) << 32,
		(UINT64_C(1) << 32) + 1,
		UINT64_C(1) << 44,
		(UINT64_C(1) << 53) - 1,
		(UINT64_C(1) << 53) + 1,
		(UINT64_C(1) << 63) - 1,
		UINT64_C(1) << 63,
		UINT64_MAX,
	};
	base_count = sizeof values / sizeof *values;
	memcpy(base_values, values, sizeof values);
}

/* The values that the type holds, and their negatives where it has such; in two's complement. */
static size_t values_of(enum type type, uint64_t values[VALUES_MAX])
{
	size_t count = 0;
	for (size_t i = 0; i < base_count; i++) {
		uint64_t v = base_values[i];
		uint64_t max = type == INT        ? INT_MAX
		               : type == UNSIGNED ? UINT_MAX
		               : type == SIZE     ? SIZE_MAX
		               : type == INT64    ? INT64_MAX
		                                  : UINT64_MAX;
		bool is_signed = type == INT || type == INT64;
		if (v <= max)
			values[count++] = v;
		if (is_signed && v != 0 && v <= max + 1)
			values[count++] = (uint64_t)0 - v;
	}
	return count;
}

/* ---- the model ---- */

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t sum(uint64_t a, uint64_t b)
{
	return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

static uint64_t down(uint64_t n)
{
	return n - n % page;
}

static uint64_t up(uint64_t n)
{
	uint64_t largest = down(UINT64_MAX);
	return n > largest ? largest : n % page == 0 ? n : down(n) + page;
}

/* Python's index of a slice: from the end when negative, clipped. */
static uint64_t clipped(int64_t i, uint64_t n)
{
	if (i >= 0)
		return least((uint64_t)i, n);
	uint64_t back = (uint64_t) - (i + 1) + 1;
	return back > n ? 0 : n - back;
}

/* What does not fit into the address space of this build, or may not. */
static bool may_not_fit(uint64_t size)
{
	return sizeof(void *) == 4 && size >= UINT64_C(1) << 28;
}

/* ---- files ---- */

/* Mostly a hole, with content around the values that lie in it and at its end. */
#define BIG_SIZE ((UINT64_C(1) << 33) + 12345)
enum { SMALL_SIZE = 100000, AROUND = 70000, WINDOW = 65536 };

static const char *big_path, *small_path;
static uint64_t small_begin[VALUES_MAX], small_end[VALUES_MAX];
static size_t islands;

static void make_files(void)
{
	make_values();
	small_path = files_make("small", SMALL_SIZE, 1);
	big_path = files_make_sparse("big", BIG_SIZE);
	islands = 0;
	for (size_t i = 0; i <= base_count; i++) {
		uint64_t at = i < base_count ? base_values[i] : BIG_SIZE;
		if (at > BIG_SIZE)
			continue;
		small_begin[islands] = at > AROUND ? at - AROUND : 0;
		small_end[islands] = least(at + AROUND, BIG_SIZE);
		files_write(big_path, small_begin[islands], small_end[islands] - small_begin[islands], 1);
		islands++;
	}
}

typedef struct world {
	const char *name;
	int kind;
	int placement;
	bool big;
	smmap_manager *manager;
	smmap_cursor cursor;
	uint64_t size;
	uint64_t window;
} world;

static unsigned char byte_of(const world *w, uint64_t offset)
{
	if (!w->big)
		return files_byte(offset, 1);
	for (size_t i = 0; i < islands; i++)
		if (offset >= small_begin[i] && offset < small_end[i])
			return files_byte(offset, 1);
	return 0;
}

/* The ends of a range, and its middle. */
static void check_bytes(const world *w, const unsigned char *data, uint64_t offset, uint64_t size)
{
	for (uint64_t i = 0; i < least(size, 20); i++) {
		const uint64_t at[] = {i, size - 1 - i, size / 2};
		for (int k = 0; k < 3; k++)
			if (data[(size_t)at[k]] != byte_of(w, offset + at[k]))
				fail_msg("wrong byte at %" PRIu64, offset + at[k]);
	}
}

static void begin_world(world *w)
{
	smmap_options options = SMMAP_OPTIONS_INIT;
	options.kind = w->kind;
	options.placement = w->placement;
	options.window_size = WINDOW;
	options.max_memory = MIB;
	assert_int_equal(smmap_manager_new(&w->manager, &options), 0);
	w->cursor = (smmap_cursor)SMMAP_CURSOR_INIT;
	w->size = w->big ? BIG_SIZE : SMALL_SIZE;
	w->window = w->kind == SMMAP_STATIC ? w->size : WINDOW;
	open_cursor(&w->cursor, w->manager, w->big ? big_path : small_path);
}

static void end_world(world *w)
{
	smmap_cursor_close(&w->cursor);
	free_manager(w->manager);
}

/* Other arguments that go with the one that is looked at. */
static const uint64_t *some_offsets(const world *w, size_t *count)
{
	static uint64_t offsets[5];
	offsets[0] = 0;
	offsets[1] = 5000;
	offsets[2] = w->size - 1;
	offsets[3] = w->size - 3000;
	offsets[4] = w->big ? (UINT64_C(1) << 32) - 10 : WINDOW - 10;
	*count = 5;
	return offsets;
}

static const uint64_t *some_sizes(size_t *count)
{
	static const uint64_t sizes[] = {0, 1, 4096, WINDOW - 1, WINDOW, WINDOW + 1, UINT64_MAX};
	*count = sizeof sizes / sizeof *sizes;
	return sizes;
}

/* ---- codes, alignment, windows ---- */

static void code_of(world *w, uint64_t v)
{
	int code = (int)v;
	const char *name = code == 0 ? "SMMAP_OK" : "SMMAP_EUNKNOWN";
	(void)w;
#define SMMAP_X(constant, value, message)                                                                    \
	if (code == (value))                                                                                     \
		name = #constant;
	SMMAP_ERROR_MAP(SMMAP_X)
#undef SMMAP_X
	assert_string_equal(smmap_err_name(code), name);
	assert_true(strlen(smmap_strerror(code)) > 0);
}

static void align_num(world *w, uint64_t v)
{
	(void)w;
	assert_int_equal(smmap_align(v, 0), down(v));
	assert_int_equal(smmap_align(v, 1), up(v));
}

static void align_round_up(world *w, uint64_t v)
{
	(void)w;
	assert_int_equal(smmap_align(page + 1, (int)v), v != 0 ? 2 * page : page);
}

/* The field and the size of a window and, for extending, all of the other's fields and the greatest size. */
static void window_fields(world *w, uint64_t v)
{
	(void)w;
	for (size_t i = 0; i < base_count; i++) {
		smmap_window window = {v, base_values[i]};
		uint64_t end = sum(v, base_values[i]);
		assert_int_equal(smmap_window_end(&window), end);
		smmap_window_align(&window);
		assert_int_equal(window.offset, down(v));
		assert_int_equal(window.size, up(end) - down(v));
	}
}

static void check_extend(smmap_window window, smmap_window other, uint64_t max)
{
	smmap_window left = window, right = window;
	uint64_t border = sum(other.offset, other.size), end = sum(window.offset, window.size);
	uint64_t by_left = 0, by_right = 0;
	if (window.offset > border && window.size < max)
		by_left = least(window.offset - border, max - window.size);
	if (other.offset > end && window.size < max)
		by_right = least(other.offset - end, max - window.size);
	smmap_window_extend_left_to(&left, &other, max);
	assert_int_equal(left.offset, window.offset - by_left);
	assert_int_equal(left.size, window.size + by_left);
	smmap_window_extend_right_to(&right, &other, max);
	assert_int_equal(right.offset, window.offset);
	assert_int_equal(right.size, window.size + by_right);
}

static void extend_max_size(world *w, uint64_t v)
{
	(void)w;
	for (size_t a = 0; a < base_count; a++)
		for (size_t b = 0; b < base_count; b++)
			for (size_t c = 0; c < base_count; c++) {
				check_extend((smmap_window){base_values[a], base_values[b]},
				             (smmap_window){base_values[c], 5}, v);
				check_extend((smmap_window){base_values[a], 10},
				             (smmap_window){base_values[c], base_values[b]}, v);
			}
}

/* ---- managers ---- */

static void fill(world *w)
{
	for (uint64_t i = 0; i < 5 && i * w->window < w->size; i++)
		assert_true(smmap_cursor_use_region(&w->cursor, i * w->window, 100) > 0);
	smmap_cursor_unuse_region(&w->cursor);
}

/* Regions that must go so that at most `allowed` bytes stay, in whole pages. */
static uint64_t too_many(const world *w, uint64_t allowed)
{
	uint64_t each = up(least(w->window, w->size));
	uint64_t count = smmap_manager_num_file_handles(w->manager);
	uint64_t stay = allowed / each;
	return count > stay ? count - stay : 0;
}

static void make_room_size(world *w, uint64_t v)
{
	fill(w);
	uint64_t count = smmap_manager_num_file_handles(w->manager);
	uint64_t expected = v == 0 ? least(count, 1) : too_many(w, v < MIB ? MIB - v : 0);
	assert_int_equal(smmap_manager_make_room(w->manager, v), expected);
	assert_int_equal(smmap_manager_num_file_handles(w->manager), count - expected);
}

static void set_limits_max_memory(world *w, uint64_t v)
{
	uint64_t limit = v != 0 ? v : sizeof(void *) == 8 ? 8 * GIB : GIB;
	fill(w);
	uint64_t expected = smmap_manager_num_file_handles(w->manager) - too_many(w, limit);
	assert_int_equal(smmap_manager_set_limits(w->manager, v, 0), 0);
	assert_int_equal(smmap_manager_max_mapped_memory_size(w->manager), limit);
	assert_int_equal(smmap_manager_max_file_handles(w->manager), UINT64_MAX);
	assert_int_equal(smmap_manager_num_file_handles(w->manager), expected);
	assert_int_equal(smmap_manager_set_limits(w->manager, MIB, 0), 0);
}

static void set_limits_max_handles(world *w, uint64_t v)
{
	uint64_t limit = v != 0 ? v : UINT64_MAX;
	fill(w);
	uint64_t expected = least(smmap_manager_num_file_handles(w->manager), limit);
	assert_int_equal(smmap_manager_set_limits(w->manager, MIB, v), 0);
	assert_int_equal(smmap_manager_max_file_handles(w->manager), limit);
	assert_int_equal(smmap_manager_num_file_handles(w->manager), expected);
	assert_int_equal(smmap_manager_set_limits(w->manager, MIB, 0), 0);
}

static void check_options(const smmap_options *options, bool good, uint64_t window)
{
	smmap_manager *manager = NULL;
	smmap_cursor cursor = SMMAP_CURSOR_INIT;
	assert_int_equal(smmap_manager_new(&manager, options), good ? 0 : SMMAP_EINVAL);
	if (!good) {
		assert_null(manager);
		return;
	}
	uint64_t memory = sizeof(void *) == 8 ? 8 * GIB : GIB;
	bool whole = options->kind == SMMAP_STATIC;
	assert_int_equal(smmap_manager_window_size(manager), whole ? 0 : window);
	assert_int_equal(smmap_manager_max_mapped_memory_size(manager),
	                 options->max_memory != 0 ? options->max_memory : memory);
	assert_int_equal(smmap_manager_max_file_handles(manager),
	                 options->max_handles != 0 ? options->max_handles : UINT64_MAX);
	open_cursor(&cursor, manager, small_path);
	uint64_t expected = whole ? SMALL_SIZE - 10 : least(window, SMALL_SIZE - 10);
	use_and_check(&cursor, 10, 0, expected, 1);
	smmap_cursor_close(&cursor);
	free_manager(manager);
}

static uint64_t default_window(void)
{
	if (SMMAP__EVICT_AT_ONCE)
		return page;
	return sizeof(void *) == 8 ? GIB : 64 * MIB;
}

#define OPTION_ROW(function, field, type, is_good)                                                           \
	static void function(world *w, uint64_t v)                                                               \
	{                                                                                                        \
		smmap_options options = SMMAP_OPTIONS_INIT;                                                          \
		(void)w;                                                                                             \
		options.field = (type)v;                                                                             \
		check_options(&options, (is_good), default_window());                                                \
	}

OPTION_ROW(options_kind, kind, int, options.kind == 0 || options.kind == 1)
OPTION_ROW(options_placement, placement, int, options.placement >= 0 && options.placement <= 2)
OPTION_ROW(options_change, change, int, options.change >= 0 && options.change <= 2)
OPTION_ROW(options_flags, flags, unsigned, options.flags <= 3)
OPTION_ROW(options_max_memory, max_memory, uint64_t, true)
OPTION_ROW(options_max_handles, max_handles, uint64_t, true)
OPTION_ROW(options_max_mappings, max_mappings, uint64_t, true)
OPTION_ROW(options_max_descriptors, max_descriptors, unsigned, options.max_descriptors <= 65536)

static void options_window_size(world *w, uint64_t v)
{
	smmap_options options = SMMAP_OPTIONS_INIT;
	(void)w;
	options.window_size = (int64_t)v;
	bool is_default = options.window_size == 0 || options.window_size == -1;
	check_options(&options, options.window_size >= -1, is_default ? default_window() : up(v));
}

/* ---- opening ---- */

static bool is_refused(int flags)
{
	return (flags & (O_WRONLY | O_RDWR | O_CREAT | O_EXCL | O_TRUNC | O_APPEND | O_PATH)) != 0;
}

/* What the system says to these flags by itself. */
static int open_code(const char *path, int flags)
{
	if (is_refused(flags))
		return SMMAP_EINVAL;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | flags);
	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

static void cursor_open_flags(world *w, uint64_t v)
{
	smmap_cursor cursor = SMMAP_CURSOR_INIT;
	assert_int_equal(smmap_cursor_open(&cursor, w->manager, small_path, (int)v),
	                 open_code(small_path, (int)v));
	smmap_cursor_close(&cursor);
}

static void region_open_flags(world *w, uint64_t v)
{
	smmap_region region = SMMAP_REGION_INIT;
	(void)w;
	assert_int_equal(smmap_region_open(&region, small_path, 0, 10, (int)v), open_code(small_path, (int)v));
	smmap_region_close(&region);
}

/* Whatever is open under that number. */
static int descriptor_code(int fd)
{
	struct stat st;
	int flags = fd >= 0 ? fcntl(fd, F_GETFL) : -1;
	if (flags < 0 || (flags & O_ACCMODE) == O_WRONLY)
		return SMMAP_EBADF;
	assert_int_equal(fstat(fd, &st), 0);
	return S_ISREG(st.st_mode) ? 0 : SMMAP_ENOTREG;
}

static void cursor_open_fd_fd(world *w, uint64_t v)
{
	smmap_cursor cursor = SMMAP_CURSOR_INIT;
	assert_int_equal(smmap_cursor_open_fd(&cursor, w->manager, (int)v), descriptor_code((int)v));
	smmap_cursor_close(&cursor);
}

static void region_open_fd_fd(world *w, uint64_t v)
{
	smmap_region region = SMMAP_REGION_INIT;
	struct stat st;
	int code = descriptor_code((int)v);
	(void)w;
	if (code == 0 && fstat((int)v, &st) == 0 && st.st_size == 0)
		code = SMMAP_ERANGE;
	assert_int_equal(smmap_region_open_fd(&region, (int)v, 0, 10), code);
	smmap_region_close(&region);
}

/* ---- cursors ---- */

static void check_use(world *w, uint64_t offset, uint64_t size)
{
	uint64_t n =
		offset >= w->size ? 0 : least(size == 0 ? w->window : least(size, w->window), w->size - offset);
	assert_int_equal(smmap_cursor_use_region(&w->cursor, offset, size), n);
	assert_int_equal(smmap_cursor_is_valid(&w->cursor), n != 0);
	assert_int_equal(smmap_cursor_size(&w->cursor), n);
	assert_int_equal(smmap_cursor_ofs_begin(&w->cursor), n != 0 ? offset : 0);
	assert_int_equal(smmap_cursor_ofs_end(&w->cursor), n != 0 ? offset + n : 0);
	if (n != 0)
		check_bytes(w, smmap_cursor_data(&w->cursor), offset, n);
}

static void check_read(world *w, uint64_t offset, uint64_t size)
{
	static unsigned char to[SMALL_SIZE];
	uint64_t n = offset >= w->size ? 0 : least(size, w->size - offset);
	if (n > sizeof to)
		return; /* that much room nobody has */
	assert_int_equal(smmap_read(&w->cursor, offset, to, size), n);
	if (n != 0)
		check_bytes(w, to, offset, n);
}

static void check_advise(world *w, uint64_t offset, uint64_t size)
{
	assert_int_equal(smmap_advise(&w->cursor, SMMAP_ADVICE_WILLNEED, offset, size), 0);
	assert_int_equal(smmap_advise(&w->cursor, SMMAP_ADVICE_RANDOM, offset, size), 0);
	assert_int_equal(smmap_advise(&w->cursor, SMMAP_ADVICE_NORMAL, offset, size), 0);
}

static void check_residency(world *w, uint64_t offset, uint64_t size, uint64_t count)
{
	static unsigned char *pages;
	uint64_t n = 0;
	if (pages == NULL)
		pages = malloc((size_t)(BIG_SIZE / page + 2));
	if (offset < w->size && size != 0) {
		uint64_t end = offset + least(size, w->size - offset);
		n = least((up(end) - down(offset)) / page, count);
	}
	int64_t found = smmap_cursor_residency(&w->cursor, offset, size, pages, count);
	if (found != SMMAP_ENOMEM || !may_not_fit(n * page))
		assert_int_equal(found, n);
	for (uint64_t i = 0; found > 0 && i < n; i++)
		assert_true(pages[i] <= 1);
}

static void check_map_at(world *w, uint64_t offset, uint64_t size)
{
	smmap_view view = SMMAP_VIEW_INIT;
	bool fits = size != 0 && offset < w->size && size <= w->size - offset;
	int code = offset % page != 0 ? SMMAP_EINVAL : fits ? 0 : SMMAP_ERANGE;
	size_t room = code == 0 && !may_not_fit(size) ? (size_t)up(size) : (size_t)page;
	void *at = mmap(NULL, room, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	assert_ptr_not_equal(at, MAP_FAILED);
	/* More than half the address space is refused, so that nothing is overwritten beyond the room. */
	if (code == 0 && may_not_fit(size))
		code = SMMAP_ENOMEM;
	assert_int_equal(smmap_cursor_map_at(&view, &w->cursor, offset, size, at), code);
	if (code == 0) {
		assert_ptr_equal(view.data, at);
		assert_int_equal(view.size, size);
		check_bytes(w, view.data, offset, size);
	} else {
		assert_null(view.data);
	}
	smmap_view_release(&view);
	assert_int_equal(smmap__os.unmap(at, room), 0);
}

/* Both parameters of a range, each with some of the other. */
#define RANGE_ROWS(name)                                                                                     \
	static void name##_offset(world *w, uint64_t v)                                                          \
	{                                                                                                        \
		size_t count;                                                                                        \
		const uint64_t *sizes = some_sizes(&count);                                                          \
		for (size_t i = 0; i < count; i++)                                                                   \
			check_##name(w, v, sizes[i]);                                                                    \
	}                                                                                                        \
	static void name##_size(world *w, uint64_t v)                                                            \
	{                                                                                                        \
		size_t count;                                                                                        \
		const uint64_t *offsets = some_offsets(w, &count);                                                   \
		for (size_t i = 0; i < count; i++)                                                                   \
			check_##name(w, offsets[i], v);                                                                  \
	}

RANGE_ROWS(use)
RANGE_ROWS(read)
RANGE_ROWS(advise)
RANGE_ROWS(map_at)

static void residency_offset(world *w, uint64_t v)
{
	size_t count;
	const uint64_t *sizes = some_sizes(&count);
	for (size_t i = 0; i < count; i++)
		check_residency(w, v, sizes[i], 100);
}

static void residency_size(world *w, uint64_t v)
{
	check_residency(w, 5000, v, 50);
	check_residency(w, 0, v, UINT64_MAX);
	check_residency(w, w->size - 5000, v, UINT64_MAX);
}

static void residency_count(world *w, uint64_t v)
{
	check_residency(w, 5000, 50000, v);
	check_residency(w, 0, UINT64_MAX, v);
}

static void advise_advice(world *w, uint64_t v)
{
	int advice = (int)v;
	assert_int_equal(smmap_advise(&w->cursor, advice, 0, 100), advice >= 0 && advice <= 3 ? 0 : SMMAP_EINVAL);
}

static void check_at(world *w, uint64_t offset, uint64_t size)
{
	const uint64_t begins[] = {0, 5000, w->size - 1000, w->big ? (UINT64_C(1) << 32) - 10 : 50000};
	for (size_t i = 0; i < 4; i++) {
		check_use(w, begins[i], 1000);
		uint64_t end = smmap_cursor_ofs_end(&w->cursor);
		const unsigned char *expected = NULL;
		bool within = offset >= begins[i] && offset < end;
		if (within && size <= end - offset)
			expected = smmap_cursor_data(&w->cursor) + (size_t)(offset - begins[i]);
		assert_ptr_equal(smmap_cursor_at(&w->cursor, offset, size), expected);
		assert_int_equal(smmap_cursor_includes_ofs(&w->cursor, offset), within);
		if (within)
			assert_ptr_equal(smmap_cursor_at(&w->cursor, offset, 1),
			                 smmap_cursor_data(&w->cursor) + (size_t)(offset - begins[i]));
		else
			assert_null(smmap_cursor_at(&w->cursor, offset, 1));
	}
	smmap_cursor_unuse_region(&w->cursor);
	assert_null(smmap_cursor_at(&w->cursor, offset, size));
	assert_int_equal(smmap_cursor_includes_ofs(&w->cursor, offset), 0);
}

RANGE_ROWS(at)

/* ---- regions ---- */

static void check_region(world *w, uint64_t offset, uint64_t size, int fd)
{
	smmap_region region = SMMAP_REGION_INIT;
	const char *path = w->big ? big_path : small_path;
	int code = offset % page != 0 ? SMMAP_EINVAL : offset >= w->size || size == 0 ? SMMAP_ERANGE : 0;
	uint64_t n = code == 0 ? least(size, w->size - offset) : 0;
	int got = fd >= 0 ? smmap_region_open_fd(&region, fd, offset, size)
	                  : smmap_region_open(&region, path, offset, size, 0);
	if (got == SMMAP_ENOMEM && may_not_fit(n))
		return;
	assert_int_equal(got, code);
	assert_int_equal(smmap_region_size(&region), n);
	assert_int_equal(smmap_region_ofs_begin(&region), code == 0 ? offset : 0);
	assert_int_equal(smmap_region_ofs_end(&region), code == 0 ? offset + n : 0);
	if (code == 0)
		check_bytes(w, smmap_region_data(&region), offset, n);
	smmap_region_close(&region);
}

static void check_region_open(world *w, uint64_t offset, uint64_t size)
{
	check_region(w, offset, size, -1);
	check_region(w, down(offset), size, -1);
}

static void check_region_open_fd(world *w, uint64_t offset, uint64_t size)
{
	int fd = open(w->big ? big_path : small_path, O_RDONLY | O_CLOEXEC);
	check_region(w, offset, size, fd);
	check_region(w, down(offset), size, fd);
	close(fd);
}

RANGE_ROWS(region_open)
RANGE_ROWS(region_open_fd)

static void region_includes(world *w, uint64_t v)
{
	const uint64_t begins[] = {0, w->size - 1000, w->big ? UINT64_C(1) << 32 : 50000};
	for (size_t i = 0; i < 3; i++) {
		smmap_region region = SMMAP_REGION_INIT;
		check_use(w, begins[i], 10);
		assert_int_equal(smmap_cursor_region(&w->cursor, &region), 0);
		uint64_t begin = w->kind == SMMAP_STATIC ? 0 : begins[i] / WINDOW * WINDOW;
		uint64_t end = least(begin + w->window, w->size);
		assert_int_equal(smmap_region_ofs_begin(&region), begin);
		assert_int_equal(smmap_region_ofs_end(&region), end);
		assert_int_equal(smmap_region_includes_ofs(&region, v), v >= begin && v < end);
		smmap_region_close(&region);
		assert_int_equal(smmap_region_includes_ofs(&region, v), 0);
	}
}

/* With `pins` of others on the region and `taken` through the handle. */
static void check_clients(smmap_region *region, int64_t by, uint32_t pins, uint32_t taken)
{
	int code = 0;
	bool more = by >= 0;
	uint64_t amount = more ? (uint64_t)by : (uint64_t) - (by + 1) + 1;
	if (more && amount > UINT32_MAX - (uint64_t)pins - taken)
		code = SMMAP_EOVERFLOW;
	if (!more && amount > taken)
		code = SMMAP_EINVAL;
	/* What nobody has pinned any more is gone there. */
	if (SMMAP__EVICT_AT_ONCE && !more && pins == 0 && amount == taken)
		return;
	uint64_t before = smmap_region_client_count(region);
	assert_int_equal(smmap_region_increment_client_count(region, by), code);
	assert_int_equal(smmap_region_client_count(region), code != 0 ? before
	                                                    : more    ? before + amount
	                                                              : before - amount);
	if (code == 0)
		assert_int_equal(smmap_region_increment_client_count(region, -by), 0);
	assert_int_equal(smmap_region_client_count(region), before);
}

static void increment_by(world *w, uint64_t v)
{
	smmap_region region = SMMAP_REGION_INIT, alone = SMMAP_REGION_INIT;
	int64_t by = (int64_t)v;
	assert_int_equal(smmap_region_increment_client_count(&region, by), SMMAP_ECLOSED);
	check_use(w, 0, 10);
	assert_int_equal(smmap_cursor_region(&w->cursor, &region), 0);
	check_clients(&region, by, 1, 0);
	assert_int_equal(smmap_region_increment_client_count(&region, (int64_t)page + 1), 0);
	check_clients(&region, by, 1, (uint32_t)page + 1);
	smmap_cursor_unuse_region(&w->cursor);
	check_clients(&region, by, 0, (uint32_t)page + 1);
	smmap_region_close(&region);
	assert_int_equal(smmap_region_open(&alone, small_path, 0, 100, 0), 0);
	assert_int_equal(smmap_region_increment_client_count(&alone, (int64_t)page + 1), 0);
	check_clients(&alone, by, 0, (uint32_t)page + 2);
	smmap_region_close(&alone);
}

static void list_get_i(world *w, uint64_t v)
{
	smmap_region_list *list;
	smmap_region region = SMMAP_REGION_INIT;
	check_use(w, 0, 10);
	assert_int_equal(smmap_region_list_new(&list, &w->cursor), 0);
	uint64_t count = smmap_region_list_count(list);
	assert_true(count >= 1);
	assert_int_equal(smmap_region_list_get(list, (size_t)v, &region), v < count ? 0 : SMMAP_ERANGE);
	smmap_region_close(&region);
	smmap_region_list_free(list);
	smmap_cursor_unuse_region(&w->cursor);
	(void)smmap_manager_collect(w->manager);
}

/* ---- buffers ---- */

static void check_access(world *w, uint64_t offset, uint64_t size)
{
	smmap_buffer buffer = SMMAP_BUFFER_INIT;
	bool is_there = offset < w->size && size != 0;
	uint64_t n = is_there ? least(size, w->size - offset) : 0;
	assert_int_equal(smmap_buffer_begin_access(&buffer, &w->cursor, offset, size),
	                 is_there ? 0 : SMMAP_ERANGE);
	assert_int_equal(smmap_buffer_size(&buffer), n);
	assert_int_equal(smmap_buffer_get(&buffer, 0), is_there ? byte_of(w, offset) : SMMAP_ECLOSED);
	assert_int_equal(smmap_buffer_get(&buffer, -1), is_there ? byte_of(w, offset + n - 1) : SMMAP_ECLOSED);
	if (is_there)
		assert_int_equal(smmap_buffer_get(&buffer, (int64_t)n), SMMAP_ERANGE);
	smmap_buffer_close(&buffer);
}

RANGE_ROWS(access)

/* Buffers of several sizes: `small` ones only where all of it is copied. */
static size_t make_buffers(world *w, smmap_buffer buffers[4], bool small)
{
	const uint64_t begins[] = {0, w->big ? (UINT64_C(1) << 32) - 5000 : 40000, w->size - 10, 100};
	const uint64_t sizes[] = {1, 10000, UINT64_MAX, small ? SMALL_SIZE - 200 : UINT64_MAX};
	for (size_t i = 0; i < 4; i++) {
		buffers[i] = (smmap_buffer)SMMAP_BUFFER_INIT;
		assert_int_equal(smmap_buffer_begin_access(&buffers[i], &w->cursor, begins[i], sizes[i]), 0);
	}
	return 4;
}

static void check_clip(world *w, smmap_buffer *buffer, int64_t start, int64_t stop)
{
	uint64_t n = smmap_buffer_size(buffer), first = UINT64_MAX;
	uint64_t from = clipped(start, n), to = clipped(stop, n);
	(void)w;
	assert_int_equal(smmap_buffer_clip(buffer, start, stop, &first), to > from ? to - from : 0);
	assert_int_equal(first, from);
	assert_int_equal(smmap_buffer_clip(buffer, start, stop, NULL), to > from ? to - from : 0);
}

static uint64_t slice_room;

static void check_slice(world *w, smmap_buffer *buffer, int64_t start, int64_t stop)
{
	static unsigned char to[SMALL_SIZE];
	uint64_t n = smmap_buffer_size(buffer);
	uint64_t from = clipped(start, n), end = clipped(stop, n);
	uint64_t size = end > from ? end - from : 0;
	assert_true(size <= sizeof to);
	assert_int_equal(smmap_buffer_slice(buffer, start, stop, to, slice_room),
	                 size <= slice_room ? (int64_t)size : SMMAP_ERANGE);
	if (size != 0 && size <= slice_room)
		check_bytes(w, to, buffer->begin + from, size);
}

static void check_view(world *w, smmap_buffer *buffer, int64_t start, int64_t stop)
{
	smmap_view view = SMMAP_VIEW_INIT;
	uint64_t n = smmap_buffer_size(buffer);
	uint64_t from = clipped(start, n), end = clipped(stop, n);
	uint64_t size = end > from ? end - from : 0;
	int code = smmap_buffer_view(&view, buffer, start, stop);
	if (code == SMMAP_ENOMEM && may_not_fit(size))
		return;
	assert_int_equal(code, 0);
	assert_int_equal(view.size, size);
	if (size != 0)
		check_bytes(w, view.data, buffer->begin + from, size);
	smmap_view_release(&view);
}

static void each_slice(world *w, int64_t v, bool is_start, bool small,
                       void (*check)(world *, smmap_buffer *, int64_t, int64_t))
{
	static const int64_t others[] = {0, 1, -1, 5000, -5000, 9999, 10000, 10001, INT64_MAX, INT64_MIN};
	smmap_buffer buffers[4];
	size_t count = make_buffers(w, buffers, small);
	for (size_t i = 0; i < count; i++) {
		for (size_t k = 0; k < sizeof others / sizeof *others; k++)
			check(w, &buffers[i], is_start ? v : others[k], is_start ? others[k] : v);
		smmap_buffer_close(&buffers[i]);
	}
}

#define SLICE_ROWS(name, small)                                                                              \
	static void name##_start(world *w, uint64_t v)                                                           \
	{                                                                                                        \
		slice_room = SMALL_SIZE;                                                                             \
		each_slice(w, (int64_t)v, true, small, check_##name);                                                \
	}                                                                                                        \
	static void name##_stop(world *w, uint64_t v)                                                            \
	{                                                                                                        \
		slice_room = SMALL_SIZE;                                                                             \
		each_slice(w, (int64_t)v, false, small, check_##name);                                               \
	}

SLICE_ROWS(clip, false)
SLICE_ROWS(slice, true)
SLICE_ROWS(view, false)

static void slice_with_room(world *w, uint64_t v)
{
	slice_room = v;
	each_slice(w, 1, true, true, check_slice);
	each_slice(w, INT64_MAX, false, true, check_slice);
}

static void get_index(world *w, uint64_t v)
{
	smmap_buffer buffers[4];
	int64_t index = (int64_t)v;
	size_t count = make_buffers(w, buffers, false);
	for (size_t i = 0; i < count; i++) {
		uint64_t n = smmap_buffer_size(&buffers[i]);
		uint64_t back = index < 0 ? (uint64_t) - (index + 1) + 1 : 0;
		bool is_there = index >= 0 ? (uint64_t)index < n : back <= n;
		uint64_t at = index >= 0 ? (uint64_t)index : n - back;
		assert_int_equal(smmap_buffer_get(&buffers[i], index),
		                 is_there ? byte_of(w, buffers[i].begin + at) : SMMAP_ERANGE);
		smmap_buffer_close(&buffers[i]);
		assert_int_equal(smmap_buffer_get(&buffers[i], index), SMMAP_ECLOSED);
	}
}

/* ---- the table ---- */

typedef struct row {
	const char *name;
	enum type type;
	void (*run)(world *w, uint64_t value);
} row;

static const row rows[] = {
	{"smmap_strerror.code", INT, code_of},
	{"smmap_err_name.code", INT, code_of},
	{"smmap_align.num", UINT64, align_num},
	{"smmap_align.round_up", INT, align_round_up},
	{"smmap_window_extend_left_to.max_size", UINT64, extend_max_size},
	{"smmap_window_extend_right_to.max_size", UINT64, extend_max_size},
	{"smmap_manager_make_room.size", UINT64, make_room_size},
	{"smmap_manager_set_limits.max_memory", UINT64, set_limits_max_memory},
	{"smmap_manager_set_limits.max_handles", UINT64, set_limits_max_handles},
	{"smmap_cursor_open.flags", INT, cursor_open_flags},
	{"smmap_cursor_open_fd.fd", INT, cursor_open_fd_fd},
	{"smmap_cursor_use_region.offset", UINT64, use_offset},
	{"smmap_cursor_use_region.size", UINT64, use_size},
	{"smmap_read.offset", UINT64, read_offset},
	{"smmap_read.size", UINT64, read_size},
	{"smmap_advise.advice", INT, advise_advice},
	{"smmap_advise.offset", UINT64, advise_offset},
	{"smmap_advise.size", UINT64, advise_size},
	{"smmap_cursor_residency.offset", UINT64, residency_offset},
	{"smmap_cursor_residency.size", UINT64, residency_size},
	{"smmap_cursor_residency.count", UINT64, residency_count},
	{"smmap_region_open.offset", UINT64, region_open_offset},
	{"smmap_region_open.size", UINT64, region_open_size},
	{"smmap_region_open.flags", INT, region_open_flags},
	{"smmap_region_open_fd.fd", INT, region_open_fd_fd},
	{"smmap_region_open_fd.offset", UINT64, region_open_fd_offset},
	{"smmap_region_open_fd.size", UINT64, region_open_fd_size},
	{"smmap_region_includes_ofs.offset", UINT64, region_includes},
	{"smmap_region_increment_client_count.by", INT64, increment_by},
	{"smmap_region_list_get.i", SIZE, list_get_i},
	{"smmap_buffer_begin_access.offset", UINT64, access_offset},
	{"smmap_buffer_begin_access.size", UINT64, access_size},
	{"smmap_buffer_clip.start", INT64, clip_start},
	{"smmap_buffer_clip.stop", INT64, clip_stop},
	{"smmap_buffer_slice.start", INT64, slice_start},
	{"smmap_buffer_slice.stop", INT64, slice_stop},
	{"smmap_buffer_slice.room", UINT64, slice_with_room},
	{"smmap_buffer_view.start", INT64, view_start},
	{"smmap_buffer_view.stop", INT64, view_stop},
	{"smmap_cursor_map_at.offset", UINT64, map_at_offset},
	{"smmap_cursor_map_at.size", UINT64, map_at_size},
	{"smmap_cursor_at.offset", UINT64, at_offset},
	{"smmap_cursor_at.size", UINT64, at_size},
	{"smmap_cursor_includes_ofs.offset", UINT64, at_offset},
	{"smmap_buffer_get.index", INT64, get_index},
	/* Not parameters, but handed over in structs. */
	{"smmap_window.offset", UINT64, window_fields},
	{"smmap_window.size", UINT64, window_fields},
	{"smmap_options.kind", INT, options_kind},
	{"smmap_options.flags", UNSIGNED, options_flags},
	{"smmap_options.window_size", INT64, options_window_size},
	{"smmap_options.max_memory", UINT64, options_max_memory},
	{"smmap_options.max_handles", UINT64, options_max_handles},
	{"smmap_options.max_mappings", UINT64, options_max_mappings},
	{"smmap_options.max_descriptors", UNSIGNED, options_max_descriptors},
	{"smmap_options.placement", INT, options_placement},
	{"smmap_options.change", INT, options_change},
};
enum { ROWS = sizeof rows / sizeof *rows };

/* Where the file and its first window end is a border, too. */
static size_t add_values_of_world(const world *w, enum type type, uint64_t values[VALUES_MAX], size_t count)
{
	const uint64_t borders[] = {w->size, w->window};
	for (size_t i = 0; i < 2 && (type == UINT64 || type == INT64); i++)
		for (uint64_t k = 0; k < 3; k++)
			values[count++] = borders[i] - 1 + k;
	return count;
}

static void run_rows(world w)
{
	uint64_t done = 0;
	make_files();
	for (size_t i = 0; i < ROWS; i++) {
		uint64_t values[VALUES_MAX];
		begin_world(&w);
		size_t count = add_values_of_world(&w, rows[i].type, values, values_of(rows[i].type, values));
		for (size_t k = 0; k < count; k++) {
			printf("%s = %" PRIu64 " (%s)\n", rows[i].name, values[k], w.name);
			rows[i].run(&w, values[k]);
			smmap__manager_check(w.manager);
			done++;
		}
		end_world(&w);
	}
	printf("note: boundaries: %s: %d rows, %" PRIu64 " values\n", w.name, (int)ROWS, done);
}

static void stable_files(void)
{
	run_rows((world){.name = "stable", .placement = SMMAP_PLACEMENT_STABLE, .big = true});
}

static void detached_files(void)
{
	run_rows((world){.name = "detached", .placement = SMMAP_PLACEMENT_DETACHED, .big = true});
}

static void whole_files(void)
{
	run_rows((world){.name = "whole", .kind = SMMAP_STATIC, .big = false});
}

/* ---- the table is complete ---- */

static size_t parameters_seen;

static void check_parameter(const char *name, const char *type, void *context)
{
	static const char *const types[] = {"int", "unsigned", "size_t", "int64_t", "uint64_t"};
	size_t *wrong = context;
	parameters_seen++;
	for (size_t i = 0; i < ROWS; i++)
		if (strcmp(rows[i].name, name) == 0 && strcmp(types[rows[i].type], type) == 0)
			return;
	printf("no row for %s of type %s\n", name, type);
	++*wrong;
}

static void every_integer_parameter_has_a_row(void)
{
	size_t wrong = 0, fields = 0;
	header_each_integer(check_parameter, &wrong);
	assert_int_equal(wrong, 0);
	for (size_t i = 0; i < ROWS; i++)
		fields += strncmp(rows[i].name, "smmap_options.", 14) == 0 ||
		          strncmp(rows[i].name, "smmap_window.", 13) == 0;
	assert_int_equal(parameters_seen, ROWS - fields);
}

TEST_PROGRAM(TEST(stable_files, .seconds = 120, .unit = 4096),
             TEST(detached_files, .seconds = 120, .unit = 4096),
             TEST(whole_files, .seconds = 120, .unit = 4096), TEST(every_integer_parameter_has_a_row))
