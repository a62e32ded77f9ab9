/* SPDX-License-Identifier: BSD-3-Clause */
/* Any sequence of calls on files that do not change, against what a plain pread says that they hold. */
#include "fuzz/fuzz.h"

#include "manager/manager.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { FILES = 6, CURSORS = 4, BUFFERS = 2, VIEWS = 3, REGIONS = 3, ROOM = 1 << 16, PAGE = 4096 };

static fuzz_file files[FILES];
static unsigned char room[ROOM];

typedef struct used_cursor {
	smmap_cursor cursor;
	const fuzz_file *file;
	uint64_t offset, size; /* what it must offer; size 0: not valid */
} used_cursor;

typedef struct used_view {
	smmap_view view;
	const fuzz_file *file; /* NULL: released */
	uint64_t offset, size;
	void *own; /* the mapping that it was laid over */
} used_view;

static struct world {
	fuzz_input in;
	smmap_manager *manager;
	smmap_options options;
	used_cursor cursors[CURSORS];
	struct {
		smmap_buffer buffer;
		const fuzz_file *file;
		uint64_t begin, size;
	} buffers[BUFFERS];
	used_view views[VIEWS];
	struct {
		smmap_region region;
		const fuzz_file *file;
		bool alone;
		uint64_t taken;
	} regions[REGIONS];
	uint64_t maps, evictions;
} w;

static uint64_t below(uint64_t n)
{
	return fuzz_below(&w.in, n);
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* Only pins that use up the share of mappings make a call fail. */
static bool went_well(int64_t code)
{
	if (code >= 0)
		return true;
	CHECK_EQUAL(code, SMMAP_ENOMEM);
	CHECK(w.options.max_mappings != 0 &&
	      smmap__gauge_now(&w.manager->shared.mappings) >= w.options.max_mappings);
	return false;
}

static uint64_t window_of(const smmap_cursor *cursor)
{
	smmap_file_status status;
	CHECK_EQUAL(smmap_cursor_status(cursor, &status), 0);
	return status.window_size;
}

/* At a border between regions, at the end, anywhere, or far out. */
static uint64_t offset_in(const fuzz_file *file, uint64_t window)
{
	uint64_t around = below(8);
	switch (below(8)) {
	case 0:
		return fuzz_number(&w.in);
	case 1:
		return file->size + 4 - around;
	case 2:
	case 3:
		return below(file->size + 1);
	default:
		return window == 0 ? around : (1 + below(file->size / window + 1)) * window - around;
	}
}

static uint64_t size_in(uint64_t window)
{
	switch (below(8)) {
	case 0:
		return fuzz_number(&w.in);
	case 1:
		return 0;
	case 2:
		return window;
	default:
		return 1 + below(2 * PAGE);
	}
}

/* ---- cursors ---- */

static void check_cursor(const used_cursor *c)
{
	CHECK_EQUAL(smmap_cursor_is_associated(&c->cursor), c->file != NULL);
	CHECK_EQUAL(smmap_cursor_file_size(&c->cursor), c->file != NULL ? c->file->size : 0);
	CHECK_EQUAL(smmap_cursor_size(&c->cursor), c->size);
	if (c->size == 0) {
		CHECK(smmap_cursor_data(&c->cursor) == NULL);
		return;
	}
	const unsigned char *map;
	smmap_window window;
	CHECK_EQUAL(smmap_cursor_ofs_begin(&c->cursor), c->offset);
	fuzz_check_bytes(c->file, smmap_cursor_data(&c->cursor), c->offset, c->size);
	CHECK_EQUAL(smmap_cursor_map(&c->cursor, &map, &window), 0);
	CHECK(window.offset <= c->offset && c->offset + c->size <= smmap_window_end(&window));
	CHECK(map + (size_t)(c->offset - window.offset) == smmap_cursor_data(&c->cursor));
}

static void open_or_close(used_cursor *c)
{
	uint64_t which = below(FILES + 2);
	if (which >= FILES) {
		smmap_cursor_close(&c->cursor);
		memset(c, 0, sizeof *c);
		return;
	}
	CHECK_EQUAL(smmap_cursor_open(&c->cursor, w.manager, files[which].path, 0), 0);
	c->file = &files[which];
	c->size = 0;
}

static void assign(used_cursor *c)
{
	const used_cursor *from = &w.cursors[below(CURSORS)];
	CHECK_EQUAL(smmap_cursor_assign(&c->cursor, &from->cursor), 0);
	c->file = from->file;
	c->offset = from->offset;
	c->size = from->size;
}

static void use(used_cursor *c)
{
	if (c->file == NULL) {
		CHECK_EQUAL(smmap_cursor_use_region(&c->cursor, 0, 0), SMMAP_ECLOSED);
		return;
	}
	uint64_t window = window_of(&c->cursor);
	uint64_t offset = offset_in(c->file, window), size = size_in(window), wanted = 0;
	if (offset < c->file->size)
		wanted = smaller(smaller(size != 0 ? size : window, window), c->file->size - offset);
	int64_t n = smmap_cursor_use_region(&c->cursor, offset, size);
	if (went_well(n)) {
		CHECK_EQUAL(n, wanted);
		c->offset = offset;
		c->size = wanted;
	}
	check_cursor(c);
}

static void unuse(used_cursor *c)
{
	smmap_cursor_unuse_region(&c->cursor);
	c->size = 0;
}

static void read_some(used_cursor *c)
{
	if (c->file == NULL) {
		CHECK_EQUAL(smmap_read(&c->cursor, 0, room, 1), SMMAP_ECLOSED);
		return;
	}
	uint64_t offset = offset_in(c->file, window_of(&c->cursor)), size = 1 + below(2 * PAGE);
	/* Now and then in a row, or the same again, so that the library finds it worth mapping. */
	uint64_t times = below(4) == 0 ? 1 + below(40) : 1;
	bool same = fuzz_flag(&w.in);
	for (; times != 0; times--) {
		uint64_t there = offset < c->file->size ? c->file->size - offset : 0;
		int64_t n = smmap_read(&c->cursor, offset, room, size);
		CHECK_EQUAL(n, smaller(size, there));
		if (n <= 0)
			return;
		fuzz_check_bytes(c->file, room, offset, (uint64_t)n);
		if (!same)
			offset += (uint64_t)n;
	}
}

static void advise(used_cursor *c)
{
	int advice = (int)below(6) - 1;
	bool known = advice >= SMMAP_ADVICE_NORMAL && advice <= SMMAP_ADVICE_WILLNEED;
	int code = smmap_advise(&c->cursor, advice, fuzz_number(&w.in), fuzz_number(&w.in));
	CHECK_EQUAL(code, c->file == NULL ? SMMAP_ECLOSED : known ? 0 : SMMAP_EINVAL);
}

static void refresh(used_cursor *c)
{
	CHECK_EQUAL(smmap_verify(&c->cursor), c->file == NULL ? SMMAP_ECLOSED : 0);
	CHECK_EQUAL(smmap_refresh(&c->cursor), c->file == NULL ? SMMAP_ECLOSED : 0);
	CHECK_EQUAL(smmap_cursor_error(&c->cursor, NULL), c->file == NULL ? SMMAP_ECLOSED : 0);
	check_cursor(c);
}

static void residency(used_cursor *c)
{
	unsigned char pages[32];
	uint64_t offset = fuzz_number(&w.in), size = fuzz_number(&w.in), wanted = 0;
	uint64_t count = 1 + below(sizeof pages);
	if (c->file != NULL && offset < c->file->size && size != 0)
		wanted = (smaller(size, c->file->size - offset) + offset % PAGE + PAGE - 1) / PAGE;
	int64_t n = smmap_cursor_residency(&c->cursor, offset, size, pages, count);
	if (c->file == NULL)
		CHECK_EQUAL(n, SMMAP_ECLOSED);
	else if (n == SMMAP_ENOTSUP)
		CHECK_EQUAL(c->cursor.file->backing, SMMAP_BACKING_MEMORY);
	else
		CHECK_EQUAL(n, smaller(wanted, count));
}

/* ---- buffers ---- */

static void begin_access(used_cursor *c)
{
	size_t i = (size_t)below(BUFFERS);
	bool own = below(4) == 0;
	const fuzz_file *file = own ? w.buffers[i].file : c->file;
	uint64_t offset = file != NULL ? offset_in(file, PAGE) : 0;
	uint64_t size = fuzz_flag(&w.in) ? SMMAP_TO_END : fuzz_number(&w.in);
	int code = smmap_buffer_begin_access(&w.buffers[i].buffer, own ? NULL : &c->cursor, offset, size);
	if (file == NULL) {
		CHECK_EQUAL(code, SMMAP_ECLOSED);
	} else if (offset >= file->size || size == 0) {
		CHECK_EQUAL(code, SMMAP_ERANGE);
	} else if (went_well(code)) {
		w.buffers[i].file = file;
		w.buffers[i].begin = offset;
		w.buffers[i].size = smaller(size, file->size - offset);
	}
	CHECK_EQUAL(smmap_buffer_size(&w.buffers[i].buffer), w.buffers[i].size);
}

static void end_access(used_cursor *c)
{
	size_t i = (size_t)below(BUFFERS);
	(void)c;
	w.buffers[i].size = 0;
	if (fuzz_flag(&w.in)) {
		smmap_buffer_end_access(&w.buffers[i].buffer);
	} else {
		smmap_buffer_close(&w.buffers[i].buffer);
		w.buffers[i].file = NULL;
	}
}

static int64_t index_in(uint64_t size)
{
	int64_t index = below(8) == 0 ? (int64_t)fuzz_number(&w.in) : (int64_t)below(size + 4);
	return fuzz_flag(&w.in) && index != INT64_MIN ? -index : index;
}

static void get(used_cursor *c)
{
	size_t i = (size_t)below(BUFFERS);
	int64_t size = (int64_t)w.buffers[i].size, index = index_in(w.buffers[i].size);
	int byte = smmap_buffer_get(&w.buffers[i].buffer, index);
	(void)c;
	if (size == 0)
		CHECK_EQUAL(byte, SMMAP_ECLOSED);
	else if (index >= size || index < -size)
		CHECK_EQUAL(byte, SMMAP_ERANGE);
	else if (went_well(byte))
		CHECK_EQUAL(
			byte, w.buffers[i].file->data[w.buffers[i].begin + (uint64_t)(index < 0 ? index + size : index)]);
}

/* What Python makes of start and stop. */
static uint64_t slice_of(int64_t size, int64_t start, int64_t stop, uint64_t *first)
{
	start = start < -size ? 0 : start < 0 ? start + size : start > size ? size : start;
	stop = stop < -size ? 0 : stop < 0 ? stop + size : stop > size ? size : stop;
	*first = (uint64_t)start;
	return stop > start ? (uint64_t)(stop - start) : 0;
}

static void slice(used_cursor *c)
{
	size_t i = (size_t)below(BUFFERS);
	int64_t start = index_in(w.buffers[i].size), stop = index_in(w.buffers[i].size);
	uint64_t first, size = slice_of((int64_t)w.buffers[i].size, start, stop, &first);
	uint64_t has = fuzz_flag(&w.in) ? ROOM : below(ROOM);
	int64_t n = smmap_buffer_slice(&w.buffers[i].buffer, start, stop, room, has);
	(void)c;
	if (w.buffers[i].size == 0) {
		CHECK_EQUAL(n, SMMAP_ECLOSED);
	} else if (size > has) {
		CHECK_EQUAL(n, SMMAP_ERANGE);
	} else {
		CHECK_EQUAL(n, size);
		fuzz_check_bytes(w.buffers[i].file, room, w.buffers[i].begin + first, size);
	}
}

/* ---- views ---- */

static void check_view(const used_view *v)
{
	CHECK_EQUAL(v->view.size, v->file != NULL ? v->size : 0);
	if (v->file != NULL)
		fuzz_check_bytes(v->file, v->view.data, v->offset, v->size);
}

static void release_view(used_view *v)
{
	check_view(v);
	smmap_view_release(&v->view);
	if (v->own != NULL)
		CHECK_EQUAL(munmap(v->own, (size_t)(v->size + PAGE)), 0);
	memset(v, 0, sizeof *v);
}

static void view_buffer(used_view *v)
{
	size_t i = (size_t)below(BUFFERS);
	int64_t start = index_in(w.buffers[i].size), stop = index_in(w.buffers[i].size);
	uint64_t first, size = slice_of((int64_t)w.buffers[i].size, start, stop, &first);
	int code = smmap_buffer_view(&v->view, &w.buffers[i].buffer, start, stop);
	if (w.buffers[i].size == 0)
		CHECK_EQUAL(code, SMMAP_ECLOSED);
	else if (code == SMMAP_ENOTSUP)
		CHECK_EQUAL(w.buffers[i].buffer.cursor.file->backing, SMMAP_BACKING_MEMORY);
	else if (went_well(code))
		*v = (used_view){v->view, w.buffers[i].file, w.buffers[i].begin + first, size, NULL};
}

static void view_at(used_view *v, const used_cursor *c)
{
	uint64_t offset = offset_in(c->file, PAGE) & (fuzz_flag(&w.in) ? UINT64_MAX : ~(uint64_t)(PAGE - 1));
	uint64_t size = below(4) == 0 ? fuzz_number(&w.in) : 1 + below(5 * PAGE);
	bool within = offset < c->file->size && size != 0 && size <= c->file->size - offset;
	size_t length = (size_t)((within ? size : 0) + PAGE);
	void *own = mmap(NULL, length, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(own != MAP_FAILED);
	int code = smmap_cursor_map_at(&v->view, &c->cursor, offset, size, own);
	if (offset % PAGE != 0)
		CHECK_EQUAL(code, SMMAP_EINVAL);
	else if (!within)
		CHECK_EQUAL(code, SMMAP_ERANGE);
	else if (code == SMMAP_ENOTSUP)
		CHECK_EQUAL(c->cursor.file->backing, SMMAP_BACKING_MEMORY);
	else if (went_well(code))
		*v = (used_view){v->view, c->file, offset, size, own};
	CHECK(code != 0 || v->view.data == own);
	if (code != 0)
		CHECK_EQUAL(munmap(own, length), 0);
}

static void view(used_cursor *c)
{
	used_view *v = &w.views[below(VIEWS)];
	if (v->file != NULL) {
		release_view(v);
		return;
	}
	uint64_t how = below(3);
	if (how == 0) {
		view_buffer(v);
	} else if (how == 1 && c->file != NULL) {
		view_at(v, c);
	} else {
		int code = smmap_cursor_view(&v->view, &c->cursor);
		if (c->size == 0)
			CHECK_EQUAL(code, SMMAP_ECLOSED);
		else if (went_well(code))
			*v = (used_view){v->view, c->file, c->offset, c->size, NULL};
	}
	check_view(v);
}

/* ---- regions ---- */

static void take_region(used_cursor *c)
{
	size_t i = (size_t)below(REGIONS);
	int code = smmap_cursor_region(&c->cursor, &w.regions[i].region);
	CHECK_EQUAL(code, c->size != 0 ? 0 : SMMAP_ECLOSED);
	if (code != 0)
		return;
	w.regions[i].file = c->file;
	w.regions[i].alone = false;
	w.regions[i].taken = 0;
	CHECK(smmap_region_includes_ofs(&w.regions[i].region, c->offset));
	CHECK(smmap_region_client_count(&w.regions[i].region) >= 2);
}

static void open_region(used_cursor *c)
{
	size_t i = (size_t)below(REGIONS);
	const fuzz_file *file = &files[below(FILES)];
	uint64_t offset = offset_in(file, PAGE) & (fuzz_flag(&w.in) ? UINT64_MAX : ~(uint64_t)(PAGE - 1));
	uint64_t size = size_in(PAGE);
	int code = smmap_region_open(&w.regions[i].region, file->path, offset, size, 0);
	(void)c;
	if (offset % PAGE != 0) {
		CHECK_EQUAL(code, SMMAP_EINVAL);
	} else if (offset >= file->size || size == 0) {
		CHECK_EQUAL(code, SMMAP_ERANGE);
	} else {
		CHECK_EQUAL(code, 0);
		w.regions[i].file = file;
		w.regions[i].alone = true;
		w.regions[i].taken = 1;
		CHECK_EQUAL(smmap_region_ofs_begin(&w.regions[i].region), offset);
		CHECK_EQUAL(smmap_region_size(&w.regions[i].region), smaller(size, file->size - offset));
	}
}

static void change_clients(used_cursor *c)
{
	size_t i = (size_t)below(REGIONS);
	smmap_region *region = &w.regions[i].region;
	int64_t by = below(4) == 0 ? (int64_t)fuzz_number(&w.in) : (int64_t)below(5) - 2;
	bool mapped = smmap_region_client_count(region) != 0;
	(void)c;
	int code = smmap_region_increment_client_count(region, by);
	if (w.regions[i].file == NULL) {
		CHECK_EQUAL(code, SMMAP_ECLOSED);
		return;
	}
	if (by > 0) {
		CHECK(code == 0 || (by > 1000 && code == SMMAP_EOVERFLOW) || (!mapped && code == SMMAP_ECLOSED));
		w.regions[i].taken += code == 0 ? (uint64_t)by : 0;
		return;
	}
	uint64_t back = (uint64_t)0 - (uint64_t)by;
	bool last = w.regions[i].alone && back != 0 && back == w.regions[i].taken;
	CHECK_EQUAL(code, back > w.regions[i].taken ? SMMAP_EINVAL : last);
	if (code >= 0)
		w.regions[i].taken -= back;
	if (last)
		w.regions[i].file = NULL;
}

static void end_region(used_cursor *c)
{
	size_t i = (size_t)below(REGIONS);
	smmap_region *region = &w.regions[i].region;
	(void)c;
	if (w.regions[i].file != NULL && w.regions[i].taken != 0)
		fuzz_check_bytes(w.regions[i].file, smmap_region_data(region), smmap_region_ofs_begin(region),
		                 smmap_region_size(region));
	if (fuzz_flag(&w.in)) {
		smmap_region_close(region);
		w.regions[i].file = NULL;
		return;
	}
	bool pinned = smmap_region_client_count(region) > 1;
	int code = smmap_region_release(region);
	if (w.regions[i].file == NULL)
		CHECK_EQUAL(code, SMMAP_ECLOSED);
	else if (w.regions[i].alone)
		CHECK_EQUAL(code, 0);
	else
		CHECK_EQUAL(code, pinned ? SMMAP_EBUSY : 0);
	if (w.regions[i].alone)
		w.regions[i].file = NULL;
}

static void list_regions(used_cursor *c)
{
	smmap_region_list *list;
	smmap_region region = SMMAP_REGION_INIT;
	int code = smmap_region_list_new(&list, &c->cursor);
	CHECK_EQUAL(code, c->file != NULL ? 0 : SMMAP_ECLOSED);
	if (code != 0)
		return;
	size_t count = smmap_region_list_count(list);
	CHECK(strcmp(smmap_region_list_path(list), c->file->path) == 0);
	CHECK_EQUAL(smmap_region_list_file_size(list), c->file->size);
	CHECK_EQUAL(smmap_region_list_get(list, count, &region), SMMAP_ERANGE);
	for (size_t i = 0; i < count; i++) {
		CHECK_EQUAL(smmap_region_list_get(list, i, &region), 0);
		fuzz_check_bytes(c->file, smmap_region_data(&region), smmap_region_ofs_begin(&region),
		                 smmap_region_size(&region));
	}
	smmap_region_close(&region);
	smmap_region_list_free(list);
}

/* ---- the manager ---- */

static void give_back(used_cursor *c)
{
	uint64_t before = smmap_manager_num_file_handles(w.manager), given, pinned;
	(void)c;
	switch (below(4)) {
	case 0:
		given = smmap_manager_collect(w.manager);
		break;
	case 1:
		given = smmap_manager_make_room(w.manager, 0);
		CHECK(given <= 1);
		break;
	case 2:
		given = smmap_manager_make_room(w.manager, fuzz_number(&w.in));
		break;
	default:
		given = (uint64_t)smmap_manager_release_path(w.manager, files[below(FILES)].path, &pinned);
		CHECK(pinned <= before);
	}
	CHECK_EQUAL(smmap_manager_num_file_handles(w.manager), before - given);
}

static void set_limits(used_cursor *c)
{
	uint64_t memory = below(40) * PAGE / 2, handles = below(10);
	(void)c;
	CHECK_EQUAL(smmap_manager_set_limits(w.manager, memory, handles), 0);
}

static void (*const operations[])(used_cursor *c) = {
	use,    use,         use,         read_some,      read_some,  open_or_close, assign,    unuse,
	advise, refresh,     residency,   begin_access,   end_access, get,           slice,     view,
	view,   take_region, open_region, change_clients, end_region, list_regions,  give_back, set_limits,
};
enum { OPERATIONS = sizeof operations / sizeof *operations };

/* ---- one input ---- */

static bool count_unpinned(smmap__region region, void *context)
{
	uint64_t word = atomic_load(smmap__region_word(region));
	*(uint64_t *)context += smmap__word_state(word) == SMMAP__MAPPED && smmap__word_pins(word) == 0;
	return true;
}

/* The books are right, and only pins exceed the budget. */
static void check_manager(void)
{
	smmap_stats stats;
	uint64_t unpinned = 0;
	smmap__manager_check(w.manager);
	smmap_manager_stats(w.manager, &stats);
	CHECK_EQUAL(w.maps, stats.misses);
	CHECK_EQUAL(w.evictions, stats.evictions);
	if (stats.mapped_bytes <= smmap_manager_max_mapped_memory_size(w.manager) &&
	    stats.handles <= smmap_manager_max_file_handles(w.manager))
		return;
	for (smmap__file *file = w.manager->all_first; file != NULL; file = file->all_next) {
		smmap__table_visit(&file->regions, count_unpinned, &unpinned);
		smmap__table_visit(&file->spans, count_unpinned, &unpinned);
	}
	if (w.options.flags == 0)
		CHECK_EQUAL(unpinned, 0);
	else
		CHECK(unpinned == 0 || (unpinned == 1 && stats.handles == 1));
	CHECK(stats.over_budget != 0);
}

static void count_event(const smmap_trace_event *event, void *context)
{
	CHECK(context == &w);
	w.maps += event->event == SMMAP_EVENT_MAP;
	w.evictions += event->event == SMMAP_EVENT_EVICT;
}

static void begin(void)
{
	static const int64_t windows[] = {1, PAGE + 1, 3 * PAGE, 16 * PAGE, 512 * PAGE, 0};
	w.options = (smmap_options)SMMAP_OPTIONS_INIT;
	w.options.kind = below(8) == 0 ? SMMAP_STATIC : SMMAP_SLIDING;
	w.options.placement = (int)below(3);
	w.options.flags = below(4) == 0 ? SMMAP_KEEP_ONE : 0;
	w.options.window_size = windows[below(6)];
	w.options.max_memory = below(40) * PAGE;
	w.options.max_handles = below(12);
	w.options.max_mappings = below(12);
	w.options.max_descriptors = (unsigned)below(5);
	w.options.trace = count_event;
	w.options.trace_context = &w;
	CHECK_EQUAL(smmap_manager_new(&w.manager, &w.options), 0);
}

static void end(void)
{
	for (int i = 0; i < CURSORS; i++) {
		check_cursor(&w.cursors[i]);
		smmap_cursor_close(&w.cursors[i].cursor);
	}
	for (int i = 0; i < BUFFERS; i++)
		smmap_buffer_close(&w.buffers[i].buffer);
	for (int i = 0; i < VIEWS; i++)
		release_view(&w.views[i]);
	for (int i = 0; i < REGIONS; i++)
		smmap_region_close(&w.regions[i].region);
	check_manager();
	smmap_manager_collect(w.manager);
	CHECK_EQUAL(smmap_manager_mapped_memory_size(w.manager), 0);
	CHECK_EQUAL(smmap_manager_free(w.manager), 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint64_t sizes[FILES] = {0, 1, PAGE, 3 * PAGE + 17, 25 * PAGE - 1, 600 * PAGE + 100};
	static const char *const names[FILES] = {"a", "b", "c", "d", "e", "f"};
	for (int i = 0; i < FILES && files[i].path == NULL; i++)
		fuzz_make_file(&files[i], names[i], sizes[i]);
	int before = fuzz_next_descriptor();
	memset(&w, 0, sizeof w);
	w.in = (fuzz_input){data, size};
	begin();
	while (fuzz_more(&w.in)) {
		uint64_t operation = below(OPERATIONS);
		operations[operation](&w.cursors[below(CURSORS)]);
		check_manager();
	}
	end();
	CHECK_EQUAL(fuzz_next_descriptor(), before);
	return 0;
}
