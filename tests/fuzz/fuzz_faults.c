/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reading while calls of the system fail: the n-th of some kinds, once or from then on. What is read is right or an error
 * that has its reason; after each call the books are right, and once nothing fails any more everything can be read.
 */
#include "fuzz/fuzz.h"

#include "harness/inject.h"
#include "manager/manager.h"

#include <string.h>

enum { FILES = 4, CURSORS = 3, PAGE = 4096, ROOM = 8 * PAGE };

static fuzz_file files[FILES];
static unsigned char room[ROOM];

static struct world {
	fuzz_input in;
	smmap_manager *manager;
	smmap_cursor cursors[CURSORS];
	const fuzz_file *bound[CURSORS];
	int code; /* of the call that fails */
} w;

static uint64_t below(uint64_t n)
{
	return fuzz_below(&w.in, n);
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static void arm(void)
{
	static const int codes[] = {SMMAP_ENOMEM, SMMAP_EMFILE, SMMAP_EIO,    SMMAP_EAGAIN, SMMAP_ENODEV,
	                            SMMAP_ENFILE, SMMAP_EACCES, SMMAP_EINVAL, SMMAP_ESTALE, SMMAP_ENOENT};
	/* What cannot be unmapped is lost with its file; tests/cursor has that. */
	unsigned kinds = (unsigned)below(INJECT_ANY + 1) & ~(unsigned)INJECT_UNMAP;
	uint64_t nth = 1 + below(6);
	w.code = codes[below(sizeof codes / sizeof *codes)];
	inject_arm(kinds != 0 ? kinds : INJECT_READ, nth, w.code, fuzz_flag(&w.in));
}

/* Why a call failed: a call of the system was made to, or pins use up the share of mappings. */
static bool has_reason(int64_t code)
{
	return inject_fired() || (code == SMMAP_ENOMEM && smmap__gauge_now(&w.manager->shared.mappings) >=
	                                                      w.manager->shared.max_mappings);
}

/* The end of what fails. true: the call went well. */
static bool went_well(int64_t result)
{
	inject_disarm();
	CHECK(result >= 0 || has_reason(result));
	return result >= 0;
}

/*
 * What a failure of this kind may be called: as it is, or as what follows from it. A file that cannot be mapped is read at
 * once, and then it may be larger than the limit.
 */
static void check_code(int64_t code)
{
	if (code < 0 && code != w.code && code != SMMAP_ESTALE && code != SMMAP_EFBIG)
		CHECK_EQUAL(code, SMMAP_ENOMEM);
}

static void open_file(size_t c)
{
	const fuzz_file *file = &files[below(FILES)];
	arm();
	int code = smmap_cursor_open(&w.cursors[c], w.manager, file->path, 0);
	check_code(code);
	if (went_well(code))
		w.bound[c] = file;
}

static uint64_t offset_in(const fuzz_file *file)
{
	return below(4) == 0 ? (1 + below(file->size / PAGE + 1)) * PAGE - below(8) : below(file->size + 1);
}

static void read_some(size_t c)
{
	const fuzz_file *file = w.bound[c];
	uint64_t times = below(4) == 0 ? 1 + below(20) : 1;
	uint64_t offset = offset_in(file), size = 1 + below(ROOM);
	arm();
	for (; times != 0; times--) {
		uint64_t wanted = offset < file->size ? smaller(size, file->size - offset) : 0;
		int64_t n = smmap_read(&w.cursors[c], offset, room, size);
		check_code(n);
		CHECK(n <= (int64_t)wanted);
		CHECK(n == (int64_t)wanted || inject_fired());
		if (n <= 0)
			break;
		fuzz_check_bytes(file, room, offset, (uint64_t)n);
		offset += (uint64_t)n;
	}
	inject_disarm();
}

static void slice(size_t c)
{
	const fuzz_file *file = w.bound[c];
	smmap_buffer buffer = SMMAP_BUFFER_INIT;
	uint64_t begin = offset_in(file), size = 1 + below(ROOM - 1),
			 there = begin < file->size ? file->size - begin : 0;
	arm();
	int code = smmap_buffer_begin_access(&buffer, &w.cursors[c], begin, size);
	if (there == 0) {
		CHECK_EQUAL(code, SMMAP_ERANGE);
	} else if (code == 0) {
		int64_t n = smmap_buffer_slice(&buffer, 0, INT64_MAX, room, ROOM);
		check_code(n);
		CHECK(n == (int64_t)smaller(size, there) || (n < 0 && inject_fired()));
		if (n > 0)
			fuzz_check_bytes(file, room, begin, (uint64_t)n);
	} else {
		CHECK(has_reason(code));
	}
	inject_disarm();
	smmap_buffer_close(&buffer);
}

static void check_cursor(size_t c)
{
	const smmap_cursor *cursor = &w.cursors[c];
	CHECK(smmap_cursor_size(cursor) == 0 || w.bound[c] != NULL);
	if (smmap_cursor_size(cursor) != 0)
		fuzz_check_bytes(w.bound[c], smmap_cursor_data(cursor), smmap_cursor_ofs_begin(cursor),
		                 smmap_cursor_size(cursor));
}

static void use(size_t c)
{
	const fuzz_file *file = w.bound[c];
	uint64_t offset = offset_in(file), size = below(3 * PAGE);
	smmap_cursor before = w.cursors[c];
	arm();
	int64_t n = smmap_cursor_use_region(&w.cursors[c], offset, size);
	check_code(n);
	if (went_well(n))
		CHECK((n != 0) == (offset < file->size));
	else /* nothing has changed */
		CHECK(before.data == w.cursors[c].data && before.offset == w.cursors[c].offset &&
		      before.size == w.cursors[c].size);
	check_cursor(c);
}

static void view(size_t c)
{
	smmap_view view = SMMAP_VIEW_INIT;
	smmap_buffer buffer = SMMAP_BUFFER_INIT;
	if (smmap_buffer_begin_access(&buffer, &w.cursors[c], 0, SMMAP_TO_END) != 0)
		return;
	uint64_t begin = below(w.bound[c]->size);
	arm();
	int code = smmap_buffer_view(&view, &buffer, (int64_t)begin, INT64_MAX);
	if (code == SMMAP_ENOTSUP)
		CHECK_EQUAL(buffer.cursor.file->backing, SMMAP_BACKING_MEMORY);
	else
		check_code(code);
	inject_disarm();
	if (code == 0)
		fuzz_check_bytes(w.bound[c], view.data, begin, view.size);
	CHECK(code != 0 || view.size == w.bound[c]->size - begin);
	smmap_view_release(&view);
	smmap_buffer_close(&buffer);
}

static void refresh(size_t c)
{
	arm();
	int found = smmap_verify(&w.cursors[c]);
	CHECK(found == 0 || inject_fired());
	found = smmap_refresh(&w.cursors[c]);
	(void)went_well(found);
	check_cursor(c);
}

static void give_back(size_t c)
{
	arm();
	uint64_t how = below(4);
	if (how == 0)
		(void)smmap_manager_collect(w.manager);
	else if (how == 1)
		(void)smmap_manager_make_room(w.manager, below(40 * PAGE));
	else if (how == 2)
		(void)smmap_manager_release_path(w.manager, w.bound[c]->path, NULL);
	else
		(void)smmap_manager_set_limits(w.manager, (1 + below(20)) * PAGE, below(6));
	inject_disarm();
}

static void unuse(size_t c)
{
	arm();
	if (fuzz_flag(&w.in)) {
		smmap_cursor_close(&w.cursors[c]);
		w.bound[c] = NULL;
	} else {
		smmap_cursor_unuse_region(&w.cursors[c]);
	}
	inject_disarm();
}

static void (*const operations[])(size_t c) = {open_file, read_some, read_some, read_some, slice, use,
                                               use,       view,      refresh,   give_back, unuse};
enum { OPERATIONS = sizeof operations / sizeof *operations };

static void begin(void)
{
	smmap_options options = SMMAP_OPTIONS_INIT;
	options.kind = below(8) == 0 ? SMMAP_STATIC : SMMAP_SLIDING;
	options.placement = (int)below(3);
	options.window_size = (int64_t)(1 + below(4)) * PAGE;
	options.max_memory = (1 + below(20)) * PAGE;
	options.max_handles = below(6);
	options.max_mappings = below(8);
	options.max_descriptors = (unsigned)below(3);
	CHECK_EQUAL(smmap_manager_new(&w.manager, &options), 0);
}

/* Nothing fails any more: all of each file can be read. */
static void end(void)
{
	static unsigned char whole[64 * PAGE];
	for (size_t c = 0; c < CURSORS; c++)
		smmap_cursor_close(&w.cursors[c]);
	for (int i = 0; i < FILES; i++) {
		CHECK_EQUAL(smmap_cursor_open(&w.cursors[0], w.manager, files[i].path, 0), 0);
		CHECK_EQUAL(smmap_read(&w.cursors[0], 0, whole, sizeof whole), files[i].size);
		fuzz_check_bytes(&files[i], whole, 0, files[i].size);
	}
	smmap_cursor_close(&w.cursors[0]);
	smmap_manager_collect(w.manager);
	smmap__manager_check(w.manager);
	CHECK_EQUAL(smmap_manager_mapped_memory_size(w.manager), 0);
	CHECK_EQUAL(smmap_manager_free(w.manager), 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint64_t sizes[FILES] = {1, PAGE, 3 * PAGE + 17, 40 * PAGE - 1};
	static const char *const names[FILES] = {"a", "b", "c", "d"};
	for (int i = 0; i < FILES && files[i].path == NULL; i++)
		fuzz_make_file(&files[i], names[i], sizes[i]);
	int before = fuzz_next_descriptor();
	memset(&w, 0, sizeof w);
	w.in = (fuzz_input){data, size};
	begin();
	while (fuzz_more(&w.in)) {
		size_t c = (size_t)below(CURSORS);
		uint64_t operation = below(OPERATIONS);
		if (w.bound[c] == NULL)
			open_file(c);
		else
			operations[operation](c);
		smmap__manager_check(w.manager);
	}
	end();
	CHECK_EQUAL(fuzz_next_descriptor(), before);
	return 0;
}
