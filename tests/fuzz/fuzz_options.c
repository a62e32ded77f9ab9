/* SPDX-License-Identifier: BSD-3-Clause */
/* Options of a manager, and the arithmetic of windows and slices, against their rules written down another way. */
#include "fuzz/fuzz.h"

#include <smmap.h>

#include <stdlib.h>
#include <string.h>

enum { KIB = 1024, RESERVED = sizeof(((smmap_options *)0)->reserved) / sizeof(uint64_t) };
#define MIB (UINT64_C(1024) * KIB)

static fuzz_file file;

/* ---- windows ---- */

static bool is_aligned(uint64_t n)
{
	return n % smmap_allocation_granularity() == 0;
}

static void check_align(uint64_t n)
{
	uint64_t unit = smmap_allocation_granularity();
	uint64_t down = smmap_align(n, 0), up = smmap_align(n, 1);
	CHECK(is_aligned(down) && is_aligned(up));
	CHECK(down <= n && n - down < unit);
	/* The largest multiple is below all that cannot be rounded up. */
	if (up < n)
		CHECK(up == UINT64_MAX - (unit - 1));
	else
		CHECK(up - n < unit);
}

static uint64_t end_of(smmap_window w)
{
	return w.size > UINT64_MAX - w.offset ? UINT64_MAX : w.offset + w.size;
}

static smmap_window window_from(fuzz_input *in)
{
	uint64_t offset = fuzz_number(in);
	return (smmap_window){offset, fuzz_number(in)};
}

static void check_window_align(smmap_window before)
{
	smmap_window after = before;
	smmap_window_align(&after);
	CHECK(is_aligned(after.offset) && is_aligned(after.size));
	CHECK(after.offset == smmap_align(before.offset, 0));
	CHECK(after.offset + after.size == smmap_align(end_of(before), 1));
}

static void check_left(smmap_window before, smmap_window other, uint64_t max)
{
	smmap_window after = before;
	smmap_window_extend_left_to(&after, &other, max);
	CHECK(before.offset - after.offset == after.size - before.size); /* the end stays */
	if (after.size == before.size)
		CHECK(before.offset <= end_of(other) || before.size >= max);
	else
		CHECK(after.size <= max && after.offset >= end_of(other) && after.offset < before.offset);
	if (after.size != before.size)
		CHECK(after.size == max || after.offset == end_of(other));
}

static void check_right(smmap_window before, smmap_window other, uint64_t max)
{
	smmap_window after = before;
	smmap_window_extend_right_to(&after, &other, max);
	CHECK(after.offset == before.offset && after.size >= before.size);
	if (after.size == before.size)
		CHECK(other.offset <= end_of(before) || before.size >= max);
	else
		CHECK(after.size <= max && end_of(after) <= other.offset);
	if (after.size != before.size)
		CHECK(after.size == max || end_of(after) == other.offset);
}

static void check_windows(fuzz_input *in)
{
	smmap_window a = window_from(in), b = window_from(in);
	uint64_t max = fuzz_number(in);
	CHECK(smmap_window_end(&a) == end_of(a));
	check_align(a.offset);
	check_align(max);
	check_window_align(a);
	check_left(a, b, max);
	check_right(a, b, max);
}

/* ---- slices ---- */

/* An index of a slice as Python has it, in the buffer's own numbers. */
static uint64_t clipped(uint64_t size, int64_t index)
{
	if (index >= 0)
		return (uint64_t)index > size ? size : (uint64_t)index;
	uint64_t from_end = (uint64_t) - (index + 1) + 1;
	return from_end > size ? 0 : size - from_end;
}

static void check_clip(fuzz_input *in)
{
	smmap_buffer buffer = SMMAP_BUFFER_INIT;
	buffer.size = fuzz_number(in);
	int64_t start = (int64_t)fuzz_number(in), stop = (int64_t)fuzz_number(in);
	uint64_t first = 7;
	uint64_t from = clipped(buffer.size, start), to = clipped(buffer.size, stop);
	CHECK(smmap_buffer_clip(&buffer, start, stop, &first) == (to > from ? to - from : 0));
	CHECK(first == from);
	CHECK(smmap_buffer_clip(&buffer, start, stop, NULL) == (to > from ? to - from : 0));
}

/* ---- options ---- */

static uint64_t allocated; /* blocks out */
static uint64_t allocations_left;

static void *allocate(size_t size, void *context)
{
	CHECK(context == &allocated);
	if (allocations_left == 0)
		return NULL;
	allocations_left--;
	void *block = malloc(size);
	CHECK(block != NULL);
	memset(block, 0xa5, size);
	allocated++;
	return block;
}

static void deallocate(void *block, void *context)
{
	CHECK(context == &allocated);
	if (block != NULL)
		allocated--;
	free(block);
}

/* Mostly what is allowed. */
static smmap_options options_from(fuzz_input *in)
{
	smmap_options o = SMMAP_OPTIONS_INIT;
	uint8_t odd = fuzz_byte(in);
	o.kind = (odd & 1) != 0 ? (int)fuzz_number(in) : (int)fuzz_below(in, 2);
	o.flags = (odd & 2) != 0 ? (unsigned)fuzz_number(in) : (unsigned)fuzz_below(in, 4);
	o.placement = (odd & 4) != 0 ? (int)fuzz_number(in) : (int)fuzz_below(in, 3);
	o.window_size = (int64_t)fuzz_number(in);
	o.max_memory = fuzz_number(in);
	o.max_handles = fuzz_number(in);
	o.max_mappings = fuzz_number(in);
	o.max_descriptors = (unsigned)((odd & 8) != 0 ? fuzz_number(in) : fuzz_below(in, 70));
	o.allocator_context = &allocated;
	if ((odd & 16) != 0)
		o.allocate = allocate;
	if ((odd & 32) != 0)
		o.deallocate = deallocate;
	o.change = (odd & 64) != 0 ? (int)fuzz_number(in) : (int)fuzz_below(in, 3);
	if ((odd & 64) != 0)
		o.reserved[fuzz_below(in, RESERVED)] = fuzz_number(in);
	if ((odd & 64) != 0)
		o.reserved_int = (int)fuzz_below(in, 2);
	allocations_left = (odd & 128) != 0 ? fuzz_below(in, 20) : UINT64_MAX;
	return o;
}

static bool is_allowed(const smmap_options *o)
{
	static const uint64_t none[RESERVED];
	return (o->kind == SMMAP_SLIDING || o->kind == SMMAP_STATIC) &&
	       (o->flags | SMMAP_ALLOW_BLOCK_DEVICES | SMMAP_KEEP_ONE) ==
	           (SMMAP_ALLOW_BLOCK_DEVICES | SMMAP_KEEP_ONE) &&
	       o->placement >= SMMAP_PLACEMENT_AUTO && o->placement <= SMMAP_PLACEMENT_DETACHED &&
	       o->window_size >= -1 && (o->allocate != NULL) == (o->deallocate != NULL) &&
	       o->change >= SMMAP_CHANGE_IGNORE && o->change <= SMMAP_CHANGE_REFUSE && o->reserved_int == 0 &&
	       o->max_descriptors <= 65536 && memcmp(o->reserved, none, sizeof none) == 0;
}

static void check_figures(const smmap_manager *manager, const smmap_options *o)
{
	bool wide = smmap_is_64_bit();
	uint64_t default_window = wide ? 1024 * MIB : 64 * MIB;
	uint64_t window = o->window_size > 0 ? (uint64_t)o->window_size : default_window;
#ifdef SMMAP_STRESS
	if (o->window_size <= 0)
		window = 1;
#endif
	CHECK(smmap_manager_window_size(manager) == (o->kind == SMMAP_STATIC ? 0 : smmap_align(window, 1)));
	CHECK(smmap_manager_max_mapped_memory_size(manager) ==
	      (o->max_memory != 0 ? o->max_memory : (wide ? UINT64_C(8) : 1) * 1024 * MIB));
	CHECK(smmap_manager_max_file_handles(manager) == (o->max_handles != 0 ? o->max_handles : UINT64_MAX));
	CHECK_EQUAL(smmap_manager_num_file_handles(manager), 0);
	CHECK_EQUAL(smmap_manager_mapped_memory_size(manager), 0);
}

/* Whatever the options are, what is read is what the file holds; without memory it may be an error. */
static void check_reading(smmap_manager *manager, fuzz_input *in)
{
	smmap_cursor cursor = SMMAP_CURSOR_INIT;
	static unsigned char room[8 * KIB];
	int code = smmap_cursor_open(&cursor, manager, file.path, 0);
	if (code != 0) {
		CHECK(code == SMMAP_ENOMEM && allocations_left == 0);
		return;
	}
	uint64_t offset = fuzz_below(in, file.size + 2), size = fuzz_below(in, sizeof room);
	uint64_t there = offset < file.size ? file.size - offset : 0;
	int64_t n = smmap_read(&cursor, offset, room, size);
	if (n >= 0) {
		CHECK_EQUAL(n, size < there ? size : there);
		if (n > 0)
			fuzz_check_bytes(&file, room, offset, (uint64_t)n);
	} else {
		CHECK(n == SMMAP_ENOMEM && allocations_left == 0);
	}
	n = smmap_cursor_use_region(&cursor, offset, size);
	if (n > 0)
		fuzz_check_bytes(&file, smmap_cursor_data(&cursor), offset, (uint64_t)n);
	else if (n < 0)
		CHECK(n == SMMAP_ENOMEM && allocations_left == 0);
	CHECK_EQUAL(smmap_manager_set_limits(manager, fuzz_number(in), fuzz_number(in)), 0);
	CHECK_EQUAL(smmap_manager_free(manager), SMMAP_EBUSY);
	smmap_cursor_close(&cursor);
}

static void check_options(fuzz_input *in)
{
	smmap_options options = options_from(in);
	smmap_manager *manager = NULL;
	int code = smmap_manager_new(&manager, &options);
	if (!is_allowed(&options))
		CHECK_EQUAL(code, SMMAP_EINVAL);
	else if (allocations_left == 0 || code == SMMAP_ENOMEM)
		CHECK(code == 0 || (code == SMMAP_ENOMEM && allocations_left == 0));
	else
		CHECK_EQUAL(code, 0);
	CHECK((manager != NULL) == (code == 0));
	if (code == 0) {
		check_figures(manager, &options);
		check_reading(manager, in);
		CHECK_EQUAL(smmap_manager_free(manager), 0);
	}
	CHECK_EQUAL(allocated, 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_input in = {data, size};
	if (file.path == NULL)
		fuzz_make_file(&file, "data", 10000);
	int before = fuzz_next_descriptor();
	while (fuzz_more(&in)) {
		switch (fuzz_byte(&in) % 4) {
		case 0:
			check_options(&in);
			break;
		case 1:
			check_clip(&in);
			break;
		default:
			check_windows(&in);
		}
	}
	CHECK_EQUAL(fuzz_next_descriptor(), before);
	return 0;
}
