/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Random operations on a manager, compared with what the files are known to hold. After each operation the manager's
 * books are counted anew (smmap__manager_check), and nothing but pins may exceed the budget.
 *
 * A file of the model has a current version: an inode, its seed and its size. It may grow (same version) and be
 * replaced (another one). What is bound to a version keeps it. Files never shrink here: tests/guard does that.
 */
#include "harness/harness.h"

#include "base/arith.h"
#include "manager/manager.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILES = 7, CURSORS = 10, BUFFERS = 4, VIEWS = 6, REGIONS = 5, ROOM = 1 << 18 };

#define KIB UINT64_C(1024)
#define MIB (UINT64_C(1024) * KIB)

typedef struct version {
	uint64_t seed;
	uint64_t size; /* of the file on disk */
	bool replaced;
	int fd; /* keeps the inode, so that its number is not given to another file */
	struct version *next;
} version;

typedef struct model_file {
	const char *path;
	const char *other_path; /* a hard link of it */
	int fd;                 /* of the current version */
	version *now;
	uint64_t size_max;
} model_file;

typedef struct model_cursor {
	smmap_cursor cursor;
	model_file *file;
	version *version;
	uint64_t offset, size; /* what it must offer; size 0: not valid */
} model_cursor;

typedef struct model_buffer {
	smmap_buffer buffer;
	model_file *file;
	version *version;
	uint64_t begin, size;
} model_buffer;

typedef struct model_view {
	smmap_view view;
	version *version;
	uint64_t offset, size;
} model_view;

typedef struct model_region {
	smmap_region region;
	version *version;
	uint64_t taken;
} model_region;

typedef struct model {
	smmap_manager *manager;
	smmap_options options;
	random_source random;
	bool with_faults; /* now and then a call of the system fails */
	bool may_fail;    /* the operation under way was made to */
	model_file files[FILES];
	model_cursor cursors[CURSORS];
	model_buffer buffers[BUFFERS];
	model_view views[VIEWS];
	model_region regions[REGIONS];
	version *versions;
	uint64_t maps, evicts, opens, drops; /* events */
	unsigned char *room;
} model;

static uint64_t below(model *m, uint64_t n)
{
	return random_below(&m->random, n);
}

static bool one_in(model *m, uint64_t n)
{
	return below(m, n) == 0;
}

/* ---- files ---- */

static version *new_version(model *m, uint64_t size)
{
	version *v = calloc(1, sizeof *v);
	assert_non_null(v);
	*v = (version){.seed = random_next(&m->random), .size = size, .fd = -1, .next = m->versions};
	m->versions = v;
	return v;
}

static int dup_or_fail(int fd)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	assert_true(copy >= 0);
	return copy;
}

static void make_file(model *m, int i, uint64_t size)
{
	char name[32];
	model_file *file = &m->files[i];
	snprintf(name, sizeof name, "f%d", i);
	file->now = new_version(m, size);
	file->path = files_make(name, size, file->now->seed);
	snprintf(name, sizeof name, "g%d", i);
	file->other_path = files_path(name);
	assert_int_equal(link(file->path, file->other_path), 0);
	file->fd = open(file->path, O_RDONLY | O_CLOEXEC);
	assert_true(file->fd >= 0);
	file->now->fd = dup_or_fail(file->fd);
}

static void grow_file(model *m, model_file *file)
{
	uint64_t by = one_in(m, 2) ? 1 + below(m, 100) : 1 + below(m, file->size_max / 4 + 1);
	if (file->now->size + by > file->size_max)
		return;
	files_write(file->path, file->now->size, by, file->now->seed);
	file->now->size += by;
}

static void replace_file(model *m, model_file *file)
{
	file->now->replaced = true;
	file->now = new_version(m, below(m, file->size_max / 2));
	const char *made = files_make("new", file->now->size, file->now->seed);
	assert_int_equal(rename(made, file->path), 0);
	assert_int_equal(unlink(file->other_path), 0);
	assert_int_equal(link(file->path, file->other_path), 0);
	/* The same number, so that a cursor's descriptor comes to mean another file. */
	file->now->fd = open(file->path, O_RDONLY | O_CLOEXEC);
	assert_true(file->now->fd >= 0);
	assert_int_equal(dup3(file->now->fd, file->fd, O_CLOEXEC), file->fd);
}

/* Same content, other times. */
static void touch_file(model_file *file)
{
	assert_int_equal(utimensat(AT_FDCWD, file->path, NULL, 0), 0);
}

/* ---- comparing ---- */

/* All of a short range; of a long one both ends and some places between. */
static void check_bytes(model *m, const unsigned char *data, uint64_t offset, uint64_t size, const version *v)
{
	const uint64_t part = 2000;
	assert_true(offset <= v->size && size <= v->size - offset);
	if (size <= 4 * part) {
		files_assert(data, offset, (size_t)size, v->seed);
		return;
	}
	files_assert(data, offset, part, v->seed);
	files_assert(data + (size_t)(size - part), offset + size - part, part, v->seed);
	for (int i = 0; i < 2; i++) {
		uint64_t at = below(m, size - part);
		files_assert(data + (size_t)at, offset + at, part, v->seed);
	}
}

/* Whether a call may fail with `code` for something that is bound to `v`. */
static void allow_failure(const model *m, int64_t code, const version *v)
{
	bool stale = code == SMMAP_ESTALE && v->replaced;
	/* Detached regions that are all pinned may use the share of mappings up. */
	bool no_mappings = code == SMMAP_ENOMEM && m->options.max_mappings != 0 &&
	                   smmap__gauge_now(&m->manager->shared.mappings) >= 2 * m->options.max_mappings;
	if (code < 0 && !stale && !no_mappings && !(m->may_fail && inject_fired()))
		fail_msg("%s (%" PRId64 ") without a reason", smmap_err_name((int)code), code);
}

static void check_cursor(model *m, model_cursor *c)
{
	if (c->version == NULL) {
		assert_false(smmap_cursor_is_associated(&c->cursor));
		return;
	}
	assert_true(smmap_cursor_is_associated(&c->cursor));
	assert_true(smmap_cursor_file_size(&c->cursor) <= c->version->size);
	assert_int_equal(smmap_cursor_size(&c->cursor), c->size);
	assert_int_equal(smmap_cursor_is_valid(&c->cursor), c->size != 0);
	if (c->size == 0) {
		assert_null(smmap_cursor_data(&c->cursor));
		return;
	}
	assert_int_equal(smmap_cursor_ofs_begin(&c->cursor), c->offset);
	assert_int_equal(smmap_cursor_ofs_end(&c->cursor), c->offset + c->size);
	check_bytes(m, smmap_cursor_data(&c->cursor), c->offset, c->size, c->version);
	const unsigned char *map;
	smmap_window window;
	assert_int_equal(smmap_cursor_map(&c->cursor, &map, &window), 0);
	assert_true(window.offset <= c->offset && c->offset + c->size <= smmap_window_end(&window));
	assert_ptr_equal(map + (size_t)(c->offset - window.offset), smmap_cursor_data(&c->cursor));
}

/* ---- operations on cursors ---- */

static void op_open(model *m, model_cursor *c)
{
	model_file *file = &m->files[below(m, FILES)];
	uint64_t how = below(m, 3);
	int code;
	if (how == 0)
		code = smmap_cursor_open_fd(&c->cursor, m->manager, file->fd);
	else
		code = smmap_cursor_open(&c->cursor, m->manager, how == 1 ? file->path : file->other_path, 0);
	allow_failure(m, code, file->now);
	if (code != 0)
		return;
	c->file = file;
	c->version = file->now;
	c->size = 0;
	assert_int_equal(smmap_cursor_file_size(&c->cursor), file->now->size);
	if (!m->may_fail)
		assert_int_equal(smmap_verify(&c->cursor) & ~SMMAP_CHANGE_MODIFIED, 0);
}

static void op_close(model *m, model_cursor *c)
{
	(void)m;
	smmap_cursor_close(&c->cursor);
	c->version = NULL;
	c->size = 0;
}

static void op_assign(model *m, model_cursor *c)
{
	model_cursor *from = &m->cursors[below(m, CURSORS)];
	assert_int_equal(smmap_cursor_assign(&c->cursor, &from->cursor), 0);
	c->file = from->file;
	c->version = from->version;
	c->offset = from->offset;
	c->size = from->size;
	assert_ptr_equal(smmap_cursor_data(&c->cursor), smmap_cursor_data(&from->cursor));
}

static uint64_t window_of(const model_cursor *c)
{
	smmap_file_status status;
	assert_int_equal(smmap_cursor_status(&c->cursor, &status), 0);
	return status.window_size;
}

/* Often near a border between regions, or near the end. */
static uint64_t some_offset(model *m, const version *v, uint64_t window)
{
	uint64_t offset = below(m, v->size + 2);
	uint64_t around = below(m, 7);
	if (one_in(m, 3) && window != 0)
		offset = below(m, v->size / window + 2) * window + around;
	if (one_in(m, 10))
		offset = v->size + around;
	if (one_in(m, 200))
		offset = UINT64_MAX - below(m, 3);
	return offset >= 3 && one_in(m, 2) ? offset - 3 : offset;
}

static uint64_t some_size(model *m, uint64_t window)
{
	switch (below(m, 6)) {
	case 0:
		return 0;
	case 1:
		return 1 + below(m, 100);
	case 2:
		return window;
	case 3:
		return UINT64_MAX - below(m, 2);
	default:
		return 1 + below(m, window + window / 4 + 1);
	}
}

static void op_use(model *m, model_cursor *c)
{
	if (c->version == NULL) {
		assert_int_equal(smmap_cursor_use_region(&c->cursor, 0, 0), SMMAP_ECLOSED);
		return;
	}
	uint64_t window = window_of(c);
	uint64_t offset = some_offset(m, c->version, window);
	uint64_t size = some_size(m, window);
	uint64_t file_size = smmap_cursor_file_size(&c->cursor);
	int64_t n = smmap_cursor_use_region(&c->cursor, offset, size);
	allow_failure(m, n, c->version);
	if (n < 0)
		return; /* unchanged: checked with all cursors */
	uint64_t expected = 0;
	if (offset < file_size)
		expected = smmap__min(size != 0 ? smmap__min(size, window) : window, file_size - offset);
	assert_int_equal(n, expected);
	c->offset = offset;
	c->size = expected;
}

static void op_unuse(model *m, model_cursor *c)
{
	(void)m;
	smmap_cursor_unuse_region(&c->cursor);
	c->size = 0;
}

static void op_read(model *m, model_cursor *c)
{
	if (c->version == NULL) {
		assert_int_equal(smmap_read(&c->cursor, 0, m->room, 1), SMMAP_ECLOSED);
		return;
	}
	/* A run of reads in a row now and then, so that regions are mapped for it. */
	uint64_t window = window_of(c);
	uint64_t offset = some_offset(m, c->version, window);
	uint64_t size = smmap__min(some_size(m, one_in(m, 3) ? window : 3000), ROOM);
	uint64_t file_size = smmap_cursor_file_size(&c->cursor);
	for (uint64_t left = one_in(m, 4) ? 10 : 1; left != 0; left--) {
		uint64_t expected = offset < file_size ? smmap__min(size, file_size - offset) : 0;
		int64_t n = smmap_read(&c->cursor, offset, m->room, size);
		allow_failure(m, n, c->version);
		if (n < 0)
			return;
		if (!m->may_fail && !c->version->replaced)
			assert_int_equal(n, expected);
		assert_true((uint64_t)n <= expected);
		files_assert(m->room, offset, (size_t)n, c->version->seed);
		if ((uint64_t)n < expected || n == 0)
			return;
		offset += (uint64_t)n;
	}
}

static void op_advise(model *m, model_cursor *c)
{
	int advice = (int)below(m, 5);
	int code = smmap_advise(&c->cursor, advice, below(m, MIB), one_in(m, 2) ? 0 : below(m, MIB));
	if (c->version == NULL)
		assert_int_equal(code, SMMAP_ECLOSED);
	else if (advice > SMMAP_ADVICE_WILLNEED)
		assert_int_equal(code, SMMAP_EINVAL);
	else if (code != SMMAP_ENOTSUP) /* not every system takes advice */
		allow_failure(m, code, c->version);
}

static void op_refresh(model *m, model_cursor *c)
{
	if (c->version == NULL) {
		assert_int_equal(smmap_refresh(&c->cursor), SMMAP_ECLOSED);
		assert_int_equal(smmap_verify(&c->cursor), SMMAP_ECLOSED);
		return;
	}
	struct smmap__file *before = c->cursor.file;
	uint64_t size = smmap_cursor_file_size(&c->cursor);
	bool replaced = c->version != c->file->now;
	int expected = smmap_verify(&c->cursor);
	allow_failure(m, expected, c->version);
	if (expected >= 0) {
		assert_int_equal((expected & SMMAP_CHANGE_REPLACED) != 0, replaced);
		assert_int_equal((expected & SMMAP_CHANGE_GREW) != 0, !replaced && c->file->now->size > size);
		assert_int_equal(expected & (SMMAP_CHANGE_SHRANK | SMMAP_CHANGE_FAULTED), 0);
	}
	int found = smmap_refresh(&c->cursor);
	allow_failure(m, found, c->version);
	if (found < 0)
		return;
	if (expected >= 0)
		assert_int_equal(found, expected);
	if (c->cursor.file != before)
		c->size = 0;
	c->version = c->file->now;
	assert_int_equal(smmap_cursor_file_size(&c->cursor), c->version->size);
	if (!m->may_fail)
		assert_int_equal(smmap_verify(&c->cursor), 0);
}

static void op_residency(model *m, model_cursor *c)
{
	unsigned char pages[64];
	if (c->version == NULL)
		return;
	int64_t n = smmap_cursor_residency(&c->cursor, some_offset(m, c->version, 4096), below(m, MIB), pages,
	                                   sizeof pages);
	if (n != SMMAP_ENOTSUP)
		allow_failure(m, n, c->version);
	assert_true(n <= (int64_t)sizeof pages);
}

/* ---- buffers and views ---- */

static model_buffer *some_buffer(model *m)
{
	return &m->buffers[below(m, BUFFERS)];
}

static void op_buffer_begin(model *m, model_cursor *c)
{
	model_buffer *b = some_buffer(m);
	bool own = one_in(m, 4);
	version *v = own ? b->version : c->version;
	const smmap_cursor *from = own ? smmap_buffer_cursor(&b->buffer) : &c->cursor;
	uint64_t file_size = smmap_cursor_file_size(from);
	uint64_t offset = v != NULL ? some_offset(m, v, 4096) : 0;
	uint64_t size = one_in(m, 3) ? SMMAP_TO_END : below(m, 3 * MIB);
	int code = smmap_buffer_begin_access(&b->buffer, own ? NULL : from, offset, size);
	if (v == NULL) {
		assert_int_equal(code, SMMAP_ECLOSED);
	} else if (offset >= file_size || size == 0) {
		assert_int_equal(code, SMMAP_ERANGE);
	} else {
		allow_failure(m, code, v);
	}
	if (code != 0)
		return;
	b->file = own ? b->file : c->file;
	b->version = v;
	b->begin = offset;
	b->size = smmap__min(size, file_size - offset);
	assert_int_equal(smmap_buffer_size(&b->buffer), b->size);
}

static void op_buffer_end(model *m, model_cursor *c)
{
	(void)c;
	model_buffer *b = some_buffer(m);
	if (one_in(m, 2)) {
		smmap_buffer_end_access(&b->buffer);
	} else {
		smmap_buffer_close(&b->buffer);
		b->version = NULL;
	}
	b->size = 0;
	assert_int_equal(smmap_buffer_size(&b->buffer), 0);
}

static int64_t some_index(model *m, const model_buffer *b)
{
	int64_t i = (int64_t)below(m, b->size + b->size / 8 + 2);
	if (one_in(m, 100))
		i = INT64_MAX;
	if (one_in(m, 3))
		i = one_in(m, 100) ? INT64_MIN : -i;
	return i;
}

static void op_buffer_get(model *m, model_cursor *c)
{
	(void)c;
	model_buffer *b = some_buffer(m);
	int64_t index = some_index(m, b);
	for (int i = 0; i < 20; i++, index += (int64_t)below(m, 3)) {
		int byte = smmap_buffer_get(&b->buffer, index);
		int64_t at = index >= 0 ? index : (int64_t)b->size + index;
		if (b->size == 0) {
			assert_int_equal(byte, SMMAP_ECLOSED);
		} else if (at < 0 || (uint64_t)at >= b->size) {
			assert_int_equal(byte, SMMAP_ERANGE);
		} else {
			allow_failure(m, byte, b->version);
			if (byte >= 0)
				assert_int_equal(byte, files_byte(b->begin + (uint64_t)at, b->version->seed));
		}
		if (index >= INT64_MAX - 3)
			return;
	}
}

/* Python's rule, written down another way than the library does. */
static uint64_t clip(int64_t size, int64_t start, int64_t stop, uint64_t *first)
{
	start = start < -size ? 0 : start < 0 ? start + size : start > size ? size : start;
	stop = stop < -size ? 0 : stop < 0 ? stop + size : stop > size ? size : stop;
	*first = (uint64_t)start;
	return stop > start ? (uint64_t)(stop - start) : 0;
}

static void op_buffer_slice(model *m, model_cursor *c)
{
	(void)c;
	model_buffer *b = some_buffer(m);
	int64_t start = some_index(m, b);
	int64_t stop = one_in(m, 2) ? start - (start > INT64_MAX / 2 ? 6000 : 0) + (int64_t)below(m, 5000)
	                            : some_index(m, b);
	uint64_t first;
	uint64_t size = clip((int64_t)b->size, start, stop, &first);
	int64_t n = smmap_buffer_slice(&b->buffer, start, stop, m->room, ROOM);
	if (b->size == 0) {
		assert_int_equal(n, SMMAP_ECLOSED);
	} else if (size > ROOM) {
		assert_int_equal(n, SMMAP_ERANGE);
	} else {
		allow_failure(m, n, b->version);
		if (n < 0)
			return;
		assert_int_equal(n, size);
		files_assert(m->room, b->begin + first, (size_t)size, b->version->seed);
	}
}

static void op_view(model *m, model_cursor *c)
{
	model_view *v = &m->views[below(m, VIEWS)];
	if (v->version != NULL) {
		check_bytes(m, v->view.data, v->offset, v->size, v->version);
		smmap_view_release(&v->view);
		v->version = NULL;
		return;
	}
	if (one_in(m, 2)) {
		int code = smmap_cursor_view(&v->view, &c->cursor);
		if (c->size == 0) {
			assert_int_equal(code, SMMAP_ECLOSED);
			return;
		}
		allow_failure(m, code, c->version);
		if (code == 0)
			*v = (model_view){v->view, c->version, c->offset, c->size};
	} else {
		model_buffer *b = some_buffer(m);
		int64_t start = some_index(m, b), stop = some_index(m, b);
		uint64_t first;
		uint64_t size = clip((int64_t)b->size, start, stop, &first);
		int code = smmap_buffer_view(&v->view, &b->buffer, start, stop);
		if (b->size == 0) {
			assert_int_equal(code, SMMAP_ECLOSED);
			return;
		}
		if (code == SMMAP_ENOTSUP) {
			assert_int_equal(b->buffer.cursor.file->backing, SMMAP_BACKING_MEMORY);
			return;
		}
		allow_failure(m, code, b->version);
		if (code == 0)
			*v = (model_view){v->view, b->version, b->begin + first, size};
	}
	if (v->version != NULL) {
		assert_int_equal(v->view.size, v->size);
		check_bytes(m, v->view.data, v->offset, v->size, v->version);
	}
}

/* ---- region handles ---- */

static void op_region(model *m, model_cursor *c)
{
	model_region *r = &m->regions[below(m, REGIONS)];
	int code = smmap_cursor_region(&c->cursor, &r->region);
	if (c->size == 0) {
		assert_int_equal(code, SMMAP_ECLOSED);
		return;
	}
	assert_int_equal(code, 0);
	r->version = c->version;
	r->taken = 0;
	assert_true(smmap_region_includes_ofs(&r->region, c->offset));
	assert_true(smmap_region_client_count(&r->region) >= 2);
	assert_non_null(smmap_region_data(&r->region));
}

static void op_region_use(model *m, model_cursor *c)
{
	(void)c;
	model_region *r = &m->regions[below(m, REGIONS)];
	if (r->version == NULL) {
		assert_int_equal(smmap_region_increment_client_count(&r->region, 1), SMMAP_ECLOSED);
		assert_int_equal(smmap_region_release(&r->region), SMMAP_ECLOSED);
		return;
	}
	bool mapped = smmap_region_client_count(&r->region) != 0;
	assert_true(mapped || r->taken == 0);
	assert_int_equal(smmap_region_increment_client_count(&r->region, -(int64_t)r->taken - 1), SMMAP_EINVAL);
	switch (below(m, 4)) {
	case 0: {
		int64_t by = (int64_t)below(m, 5);
		int code = smmap_region_increment_client_count(&r->region, by);
		assert_int_equal(code, mapped || by == 0 ? 0 : SMMAP_ECLOSED);
		r->taken += code == 0 ? (uint64_t)by : 0;
		break;
	}
	case 1: {
		uint64_t by = below(m, r->taken + 1);
		assert_int_equal(smmap_region_increment_client_count(&r->region, -(int64_t)by), 0);
		r->taken -= by;
		break;
	}
	case 2: {
		bool pinned = smmap_region_client_count(&r->region) > 1;
		int code = smmap_region_release(&r->region);
		if (!m->may_fail)
			assert_int_equal(code, pinned ? SMMAP_EBUSY : 0);
		break;
	}
	default:
		smmap_region_close(&r->region);
		r->version = NULL;
		r->taken = 0;
		return;
	}
	const unsigned char *data = smmap_region_data(&r->region);
	if (r->taken != 0) {
		assert_non_null(data);
		check_bytes(m, data, smmap_region_ofs_begin(&r->region), smmap_region_size(&r->region), r->version);
	}
}

static void op_list(model *m, model_cursor *c)
{
	smmap_region_list *list;
	int code = smmap_region_list_new(&list, &c->cursor);
	if (c->version == NULL) {
		assert_int_equal(code, SMMAP_ECLOSED);
		return;
	}
	allow_failure(m, code, c->version);
	if (code != 0)
		return;
	smmap_file_status status;
	assert_int_equal(smmap_cursor_status(&c->cursor, &status), 0);
	assert_int_equal(smmap_region_list_count(list), status.regions);
	assert_int_equal(smmap_region_list_file_size(list), status.size);
	smmap_region region = SMMAP_REGION_INIT;
	uint64_t last = 0;
	for (size_t i = 0; i < status.regions; i++) {
		assert_int_equal(smmap_region_list_get(list, i, &region), 0);
		assert_true(smmap_region_ofs_begin(&region) >= last);
		last = smmap_region_ofs_begin(&region);
		assert_non_null(smmap_region_data(&region));
	}
	assert_int_equal(smmap_region_list_get(list, (size_t)status.regions, &region), SMMAP_ERANGE);
	smmap_region_close(&region);
	smmap_region_list_free(list);
}

/* ---- operations on the manager ---- */

static void op_collect(model *m, model_cursor *c)
{
	(void)c;
	uint64_t before = smmap_manager_num_file_handles(m->manager);
	uint64_t given = smmap_manager_collect(m->manager);
	assert_int_equal(smmap_manager_num_file_handles(m->manager), before - given);
}

static void op_make_room(model *m, model_cursor *c)
{
	(void)c;
	uint64_t size = one_in(m, 4) ? 0 : below(m, 8 * MIB);
	uint64_t before = smmap_manager_num_file_handles(m->manager);
	uint64_t given = smmap_manager_make_room(m->manager, size);
	assert_int_equal(smmap_manager_num_file_handles(m->manager), before - given);
	assert_true(size != 0 || given <= 1);
}

static void op_release_path(model *m, model_cursor *c)
{
	(void)c;
	model_file *file = &m->files[below(m, FILES)];
	uint64_t pinned = 0;
	uint64_t before = smmap_manager_num_file_handles(m->manager);
	int64_t n = smmap_manager_release_path(m->manager, one_in(m, 2) ? file->path : file->other_path, &pinned);
	allow_failure(m, n, file->now);
	if (n < 0)
		return;
	assert_int_equal(smmap_manager_num_file_handles(m->manager), before - (uint64_t)n);
	assert_true(pinned <= before - (uint64_t)n);
}

static void op_set_limits(model *m, model_cursor *c)
{
	(void)c;
	uint64_t unit = smmap__max(m->manager->wish.window, 4096);
	if (m->options.kind == SMMAP_STATIC)
		unit = 64 * KIB;
	uint64_t bytes = unit / 2 + below(m, 12 * unit);
	uint64_t handles = one_in(m, 2) ? 0 : 1 + below(m, 12);
	assert_int_equal(smmap_manager_set_limits(m->manager, bytes, handles), 0);
	assert_int_equal(smmap_manager_max_mapped_memory_size(m->manager), bytes);
	assert_int_equal(smmap_manager_max_file_handles(m->manager), handles != 0 ? handles : UINT64_MAX);
}

static void op_change(model *m, model_cursor *c)
{
	(void)c;
	model_file *file = &m->files[below(m, FILES)];
	switch (below(m, 4)) {
	case 0:
		replace_file(m, file);
		break;
	case 1:
		touch_file(file);
		break;
	default:
		grow_file(m, file);
	}
}

static const struct {
	void (*run)(model *m, model_cursor *c);
	unsigned weight;
} operations[] = {
	{op_open, 8},       {op_close, 4},       {op_assign, 4},       {op_use, 40},      {op_unuse, 4},
	{op_read, 30},      {op_advise, 1},      {op_refresh, 4},      {op_residency, 1}, {op_buffer_begin, 6},
	{op_buffer_end, 2}, {op_buffer_get, 12}, {op_buffer_slice, 8}, {op_view, 8},      {op_region, 4},
	{op_region_use, 8}, {op_list, 2},        {op_collect, 1},      {op_make_room, 2}, {op_release_path, 2},
	{op_set_limits, 1}, {op_change, 3},
};
enum { OPERATIONS = sizeof operations / sizeof *operations };

/* ---- after each step ---- */

static bool sum_unpinned(smmap__region region, void *context)
{
	uint64_t word = atomic_load(smmap__region_word(region));
	if (smmap__word_state(word) == SMMAP__MAPPED && smmap__word_pins(word) == 0)
		++*(uint64_t *)context;
	return true;
}

/* What is over the limits is pinned, all of it. */
static void check_budget(model *m)
{
	smmap_stats stats;
	smmap_manager_stats(m->manager, &stats);
	assert_int_equal(stats.mapped_bytes, smmap_manager_mapped_memory_size(m->manager));
	assert_int_equal(stats.misses - stats.evictions, stats.handles);
	assert_int_equal(m->maps, stats.misses);
	assert_int_equal(m->evicts, stats.evictions);
	assert_int_equal(stats.exported_bytes != 0 && stats.handles == UINT64_MAX, 0);
	if (stats.mapped_bytes <= smmap_manager_max_mapped_memory_size(m->manager) &&
	    stats.handles <= smmap_manager_max_file_handles(m->manager))
		return;
	uint64_t unpinned = 0;
	for (smmap__file *file = m->manager->all_first; file != NULL; file = file->all_next) {
		smmap__table_visit(&file->regions, sum_unpinned, &unpinned);
		smmap__table_visit(&file->spans, sum_unpinned, &unpinned);
	}
	/* A system that does not take regions back leaves more behind. */
	if (!m->with_faults)
		assert_int_equal(unpinned, 0);
	assert_true(stats.over_budget != 0);
}

static void check_all(model *m, uint64_t step)
{
	smmap__manager_check(m->manager);
	check_budget(m);
	if (step % 4 == 0)
		check_cursor(m, &m->cursors[below(m, CURSORS)]);
	if (step % 16 == 0) {
		model_view *v = &m->views[below(m, VIEWS)];
		if (v->version != NULL)
			check_bytes(m, v->view.data, v->offset, v->size, v->version);
	}
}

/* ---- running ---- */

static void count_event(const smmap_trace_event *event, void *context)
{
	model *m = context;
	m->maps += event->event == SMMAP_EVENT_MAP;
	m->evicts += event->event == SMMAP_EVENT_EVICT;
	m->opens += event->event == SMMAP_EVENT_OPEN;
	m->drops += event->event == SMMAP_EVENT_DROP;
}

static void maybe_arm(model *m)
{
	static const int codes[] = {SMMAP_ENOMEM, SMMAP_EMFILE, SMMAP_EIO,   SMMAP_EAGAIN,
	                            SMMAP_ENODEV, SMMAP_ENFILE, SMMAP_EACCES};
	m->may_fail = m->with_faults && one_in(m, 4);
	if (!m->may_fail)
		return;
	/* A mapping that the system does not take back is lost when its file is freed: tests/cursor has those. */
	unsigned kinds = one_in(m, 2) ? INJECT_ANY & ~(unsigned)INJECT_UNMAP : 1u << below(m, SMMAP_FAULT_KINDS);
	if (kinds == INJECT_UNMAP)
		kinds = INJECT_MAP;
	inject_arm(kinds, 1 + below(m, 5), codes[below(m, sizeof codes / sizeof *codes)], one_in(m, 2));
}

static void step(model *m, uint64_t i)
{
	unsigned total = 0;
	for (int k = 0; k < OPERATIONS; k++)
		total += operations[k].weight;
	uint64_t pick = below(m, total);
	int k = 0;
	while (pick >= operations[k].weight)
		pick -= operations[k++].weight;
	model_cursor *c = &m->cursors[below(m, CURSORS)];
	if (operations[k].run != op_change)
		maybe_arm(m);
	operations[k].run(m, c);
	inject_disarm();
	check_all(m, i);
}

static void close_all(model *m)
{
	for (int i = 0; i < CURSORS; i++)
		smmap_cursor_close(&m->cursors[i].cursor);
	for (int i = 0; i < BUFFERS; i++)
		smmap_buffer_close(&m->buffers[i].buffer);
	for (int i = 0; i < VIEWS; i++) {
		if (m->views[i].version != NULL)
			check_bytes(m, m->views[i].view.data, m->views[i].offset, m->views[i].size, m->views[i].version);
		smmap_view_release(&m->views[i].view);
	}
	smmap__manager_check(m->manager);
	if (smmap_manager_num_file_handles(m->manager) != 0)
		for (int i = 0; i < REGIONS; i++)
			smmap_region_close(&m->regions[i].region);
	for (int i = 0; i < REGIONS; i++)
		smmap_region_close(&m->regions[i].region);
	smmap_manager_collect(m->manager);
	smmap__manager_check(m->manager);
	assert_int_equal(smmap_manager_num_file_handles(m->manager), 0);
	assert_int_equal(smmap_manager_mapped_memory_size(m->manager), 0);
	assert_int_equal(smmap_manager_free(m->manager), 0);
	assert_int_equal(m->opens, m->drops);
	for (int i = 0; i < FILES; i++)
		close(m->files[i].fd);
	while (m->versions != NULL) {
		version *next = m->versions->next;
		close(m->versions->fd);
		free(m->versions);
		m->versions = next;
	}
	free(m->room);
}

static void run_model(int kind, int placement, uint64_t window, bool with_faults, size_t rounds)
{
	static model m;
	m.random = random_from(random_seed());
	m.with_faults = with_faults;
	m.room = malloc(ROOM);
	assert_non_null(m.room);
	uint64_t unit = smmap__max(4096, window);
	if (kind == SMMAP_STATIC)
		unit = 64 * KIB;
	const uint64_t sizes[FILES] = {
		0, 1, 4096, unit * 2, unit * 3 + 17, unit * 8 + 4097, 100000 + below(&m, 100000)};
	for (int i = 0; i < FILES; i++) {
		m.files[i].size_max = smmap__max(2 * sizes[i], 20000);
		make_file(&m, i, sizes[i]);
	}
	m.options = (smmap_options)SMMAP_OPTIONS_INIT;
	m.options.kind = kind;
	m.options.placement = placement;
	m.options.window_size = (int64_t)window - (window > 1 ? (int64_t)below(&m, 4000) : 0);
	m.options.max_memory = unit * (2 + below(&m, 6));
	m.options.max_handles = one_in(&m, 2) ? 0 : 2 + below(&m, 10);
	m.options.max_descriptors = 1 + (unsigned)below(&m, 8);
	m.options.max_mappings = one_in(&m, 2) ? 0 : 2 + below(&m, 10);
	m.options.trace = count_event;
	m.options.trace_context = &m;
	assert_int_equal(smmap_manager_new(&m.manager, &m.options), 0);
	rounds = test_rounds(rounds);
	for (size_t i = 0; i < rounds; i++)
		step(&m, i);
	close_all(&m);
	printf("operations: %zu\n", rounds);
}

#define MODEL(name, kind, placement, window, with_faults, rounds)                                            \
	static void name(void)                                                                                   \
	{                                                                                                        \
		run_model(kind, SMMAP_PLACEMENT_##placement, window, with_faults, rounds);                           \
	}

MODEL(page_auto, SMMAP_SLIDING, AUTO, 4096, false, 20000)
MODEL(page_stable, SMMAP_SLIDING, STABLE, 4096, false, 20000)
MODEL(page_detached, SMMAP_SLIDING, DETACHED, 4096, false, 20000)
MODEL(k64_auto, SMMAP_SLIDING, AUTO, 64 * KIB, false, 15000)
MODEL(k64_stable, SMMAP_SLIDING, STABLE, 64 * KIB, false, 15000)
MODEL(k64_detached, SMMAP_SLIDING, DETACHED, 64 * KIB, false, 15000)
MODEL(m2_auto, SMMAP_SLIDING, AUTO, 2 * MIB, false, 10000)
MODEL(m2_stable, SMMAP_SLIDING, STABLE, 2 * MIB, false, 10000)
MODEL(m2_detached, SMMAP_SLIDING, DETACHED, 2 * MIB, false, 10000)
MODEL(static_auto, SMMAP_STATIC, AUTO, 0, false, 10000)
MODEL(static_stable, SMMAP_STATIC, STABLE, 0, false, 10000)
MODEL(static_detached, SMMAP_STATIC, DETACHED, 0, false, 10000)
MODEL(faults_page_auto, SMMAP_SLIDING, AUTO, 4096, true, 10000)
MODEL(faults_page_stable, SMMAP_SLIDING, STABLE, 4096, true, 10000)
MODEL(faults_page_detached, SMMAP_SLIDING, DETACHED, 4096, true, 10000)
MODEL(faults_m2_auto, SMMAP_SLIDING, AUTO, 2 * MIB, true, 5000)
MODEL(faults_m2_detached, SMMAP_SLIDING, DETACHED, 2 * MIB, true, 5000)
MODEL(faults_static_stable, SMMAP_STATIC, STABLE, 0, true, 5000)
MODEL(faults_static_detached, SMMAP_STATIC, DETACHED, 0, true, 5000)

TEST_PROGRAM(TEST(page_auto), TEST(page_stable), TEST(page_detached), TEST(k64_auto), TEST(k64_stable),
             TEST(k64_detached), TEST(m2_auto), TEST(m2_stable), TEST(m2_detached), TEST(static_auto),
             TEST(static_stable), TEST(static_detached), TEST(faults_page_auto), TEST(faults_page_stable),
             TEST(faults_page_detached), TEST(faults_m2_auto), TEST(faults_m2_detached),
             TEST(faults_static_stable), TEST(faults_static_detached))
