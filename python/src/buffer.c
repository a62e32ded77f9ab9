/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * SlidingWindowMapBuffer.
 *
 *   def __getitem__(self, i):
 *       if i is an index: return the byte, from the cursor's window when it lies there, else slide and return it
 *       if i is a slice:  return bytes(file[begin:begin + size][i])
 *
 * The cursor is the very object that was given, and the window that the buffer keeps pinned is the cursor's. Several
 * buffers may share a cursor; each slides it to where it needs it. A buffer that finds its cursor bound to something
 * else than when access began ends with ESTALE: it never mixes two files.
 */
#include "common.h"

#include <structmember.h>

#include <string.h>

typedef struct buffer_object {
	PyObject_HEAD cursor_object *cursor; /* NULL: none yet */
	uint64_t begin;                      /* offset of index 0 in the file */
	uint64_t size;                       /* 0: no access under way */
	uint64_t epoch;                      /* of the cursor when access began */
	PyObject *weakrefs;
} buffer_object;

/* ---- the cursor at work for us ---- */

/* The cursor, locked, with a reference; NULL when there is none. */
static cursor_object *lock_cursor(buffer_object *self)
{
	for (;;) {
		cursor_object *cursor;
		Py_BEGIN_CRITICAL_SECTION(self);
		cursor = self->cursor;
		Py_XINCREF(cursor);
		Py_END_CRITICAL_SECTION();
		if (cursor == NULL)
			return NULL;
		lock_take(&cursor->lock);
		/* Another thread may have begun access by another cursor while this one waited. */
		if (cursor == self->cursor)
			return cursor;
		lock_give(&cursor->lock);
		Py_DECREF(cursor);
	}
}

static cursor_object *take_cursor(buffer_object *self)
{
	cursor_object *cursor = lock_cursor(self);
	if (cursor == NULL || self->size == 0) {
		if (cursor != NULL)
			lock_give(&cursor->lock);
		Py_XDECREF(cursor);
		raise_invalid(Py_TYPE(self),
		              "no access is under way: begin_access() was not called, or end_access() was");
		return NULL;
	}
	if (cursor->epoch != self->epoch) {
		lock_give(&cursor->lock);
		raise_code(Py_TYPE(self), SMMAP_ESTALE, cursor_filename(cursor));
		Py_DECREF(cursor);
		return NULL;
	}
	cursor->core.begin = self->begin;
	cursor->core.size = self->size;
	return cursor;
}

/* Gives it back; with a negative `code` the error is raised. Returns 0 or -1. */
static int give_cursor(buffer_object *self, cursor_object *cursor, int64_t code)
{
	cursor->core.begin = 0;
	cursor->core.size = 0;
	lock_give(&cursor->lock);
	cursor_moved(cursor);
	if (code == SMMAP_ERANGE)
		PyErr_SetString(PyExc_IndexError, "index out of range");
	else if (code < 0)
		raise_code(Py_TYPE(self), (int)code, cursor_filename(cursor));
	Py_DECREF(cursor);
	return code < 0 ? -1 : 0;
}

static bool has_range(const smmap_buffer *core, uint64_t first, uint64_t size)
{
	return smmap_cursor_at(&core->cursor, core->begin + first, size) != NULL;
}

/* ---- bytes ---- */

static PyObject *get_far(buffer_object *self, int64_t index)
{
	lock_detached detached;
	if (self->size != 0 && (index < 0 ? index + (int64_t)self->size < 0 : (uint64_t)index >= self->size)) {
		PyErr_SetString(PyExc_IndexError, "index out of range");
		return NULL;
	}
	cursor_object *cursor = take_cursor(self);
	if (cursor == NULL)
		return NULL;
	uint64_t at = index < 0 ? self->size + (uint64_t)index : (uint64_t)index;
	lock_detach(&cursor->lock, &detached);
	int byte = smmap_buffer_get(&cursor->core, (int64_t)at);
	/* In a file that failed the byte may be a zero in place of what could not be read: reading tells. */
	if (smmap_cursor_error(&cursor->core.cursor, NULL) != 0) {
		unsigned char read;
		int64_t n = smmap_buffer_slice(&cursor->core, (int64_t)at, (int64_t)at + 1, &read, 1);
		byte = n < 0 ? (int)n : read;
	}
	lock_attach(&cursor->lock, &detached);
	return give_cursor(self, cursor, byte) == 0 ? PyLong_FromLong(byte) : NULL;
}

static inline PyObject *get(buffer_object *self, int64_t index)
{
	cursor_object *cursor = self->cursor;
	if (index < 0)
		index += (int64_t)self->size;
	if (index >= 0 && (uint64_t)index < self->size && lock_is_free(&cursor->lock) &&
	    cursor->epoch == self->epoch) {
		smmap_cursor *core = &cursor->core.cursor;
		uint64_t delta = self->begin + (uint64_t)index - core->offset;
		if (delta < core->size) {
			int byte = core->data[(size_t)delta];
			if (smmap_cursor_error(core, NULL) == 0)
				return PyLong_FromLong(byte);
		}
	} else if (index < 0) {
		index -= (int64_t)self->size;
	}
	return get_far(self, index);
}

/* [first, first + size) of the buffer; the cursor is locked. Returns 0 or a code. */
static int copy(cursor_object *cursor, uint64_t first, char *to, uint64_t size)
{
	lock_detached detached;
	int64_t n;
	bool far = size >= LONG_COPY || !has_range(&cursor->core, first, size);
	if (far)
		lock_detach(&cursor->lock, &detached);
	n = smmap_buffer_slice(&cursor->core, (int64_t)first, (int64_t)(first + size), to, size);
	if (far)
		lock_attach(&cursor->lock, &detached);
	return n < 0 ? (int)n : 0;
}

/* `count` bytes, each `step` after the one before. */
static int copy_steps(cursor_object *cursor, int64_t start, int64_t step, unsigned char *to, int64_t count)
{
	lock_detached detached;
	int byte = 0;
	lock_detach(&cursor->lock, &detached);
	for (int64_t i = 0; i < count && byte >= 0; i++) {
		byte = smmap_buffer_get(&cursor->core, start + i * step);
		to[i] = (unsigned char)byte;
	}
	if (byte >= 0)
		byte = smmap_cursor_error(&cursor->core.cursor, NULL);
	lock_attach(&cursor->lock, &detached);
	return byte < 0 ? byte : 0;
}

static PyObject *get_slice(buffer_object *self, PyObject *slice)
{
	Py_ssize_t start, stop, step;
	if (PySlice_Unpack(slice, &start, &stop, &step) < 0)
		return NULL;
	cursor_object *cursor = self->cursor;
	Py_ssize_t count = PySlice_AdjustIndices((Py_ssize_t)self->size, &start, &stop, step);
	if (step == 1 && self->size != 0 && lock_is_free(&cursor->lock) && cursor->epoch == self->epoch &&
	    (uint64_t)count < LONG_COPY) {
		/* Within the window, and short: as below, without the ado. */
		smmap_cursor *core = &cursor->core.cursor;
		const unsigned char *here = smmap_cursor_at(core, self->begin + (uint64_t)start, (uint64_t)count);
		if (here != NULL) {
			PyObject *bytes = PyBytes_FromStringAndSize((const char *)here, count);
			if (bytes == NULL || smmap_cursor_error(core, NULL) == 0)
				return bytes;
			Py_DECREF(bytes);
		}
	}
	cursor = take_cursor(self);
	if (cursor == NULL)
		return NULL;
	PyObject *bytes = PyBytes_FromStringAndSize(NULL, count);
	int code = 0;
	if (bytes != NULL && count != 0) {
		char *to = PyBytes_AS_STRING(bytes);
		code = step == 1 ? copy(cursor, (uint64_t)start, to, (uint64_t)count)
		                 : copy_steps(cursor, start, step, (unsigned char *)to, count);
	}
	if (give_cursor(self, cursor, code) < 0)
		Py_CLEAR(bytes);
	return bytes;
}

static PyObject *buffer_subscript(buffer_object *self, PyObject *key)
{
	if (PyIndex_Check(key)) {
		Py_ssize_t index = PyNumber_AsSsize_t(key, PyExc_IndexError);
		if (index == -1 && PyErr_Occurred())
			return NULL;
		return get(self, index);
	}
	if (PySlice_Check(key))
		return get_slice(self, key);
	return PyErr_Format(PyExc_TypeError, "buffer indices must be integers or slices, not %.100s",
	                    Py_TYPE(key)->tp_name);
}

/* Called with negative indices corrected already: what is negative still is out of range. */
static PyObject *buffer_item(buffer_object *self, Py_ssize_t index)
{
	if (index < 0 && self->size != 0) {
		PyErr_SetString(PyExc_IndexError, "index out of range");
		return NULL;
	}
	return get(self, index);
}

static Py_ssize_t buffer_length(buffer_object *self)
{
	if (self->size > (uint64_t)PY_SSIZE_T_MAX) {
		PyErr_SetString(PyExc_OverflowError, "the buffer is longer than sys.maxsize");
		return -1;
	}
	return (Py_ssize_t)self->size;
}

/* ---- search ---- */

#define FIND_STEP ((uint64_t)4 << 20)

/* The index of `needle` in [from, to), or -1, or less: a code. The cursor is locked, the GIL let go. */
static int64_t find(smmap_buffer *core, const char *needle, uint64_t length, uint64_t from, uint64_t to)
{
	uint64_t step = FIND_STEP > 2 * length ? FIND_STEP : 2 * length;
	for (uint64_t at = from; length <= to - at; at += step - length + 1) {
		smmap_view view = SMMAP_VIEW_INIT;
		uint64_t size = step < to - at ? step : to - at;
		int code = smmap_buffer_view(&view, core, (int64_t)at, (int64_t)(at + size));
		if (code != 0)
			return code;
		const unsigned char *found = memmem(view.data, (size_t)size, needle, (size_t)length);
		int64_t index = found != NULL ? (int64_t)at + (found - view.data) : -1;
		smmap_view_release(&view);
		if (found != NULL || size == to - at)
			return index;
	}
	return -1;
}

/* -2 with an exception. `needle`: bytes-like, or one byte as an integer. */
static int64_t find_object(buffer_object *self, PyObject *needle, Py_ssize_t start, Py_ssize_t stop)
{
	char byte;
	Py_buffer buffer = {0};
	const char *bytes = &byte;
	uint64_t length = 1;
	if (PyIndex_Check(needle)) {
		Py_ssize_t value = PyNumber_AsSsize_t(needle, PyExc_ValueError);
		if (value == -1 && PyErr_Occurred())
			return -2;
		if (value < 0 || value > 255) {
			PyErr_SetString(PyExc_ValueError, "byte must be in range(0, 256)");
			return -2;
		}
		byte = (char)value;
	} else {
		if (!PyObject_CheckBuffer(needle)) {
			PyErr_Format(PyExc_TypeError, "sub must be bytes-like or an integer, not %.100s",
			             Py_TYPE(needle)->tp_name);
			return -2;
		}
		if (PyObject_GetBuffer(needle, &buffer, PyBUF_SIMPLE) < 0)
			return -2;
		bytes = buffer.buf;
		length = (uint64_t)buffer.len;
	}
	int64_t result = -2;
	cursor_object *cursor = take_cursor(self);
	if (cursor != NULL) {
		int64_t size = (int64_t)self->size;
		int64_t from = start < 0 ? (start + size < 0 ? 0 : start + size) : start;
		int64_t to = stop < 0 ? (stop + size < 0 ? 0 : stop + size) : (stop < size ? stop : size);
		lock_detached detached;
		if (from > to)
			result = -1;
		else if (length == 0)
			result = from;
		else {
			lock_detach(&cursor->lock, &detached);
			result = find(&cursor->core, bytes, length, (uint64_t)from, (uint64_t)to);
			int error = smmap_cursor_error(&cursor->core.cursor, NULL);
			if (error != 0)
				result = error;
			lock_attach(&cursor->lock, &detached);
		}
		if (give_cursor(self, cursor, result < -1 ? result : 0) < 0)
			result = -2;
	}
	if (buffer.obj != NULL)
		PyBuffer_Release(&buffer);
	return result;
}

static int as_index(PyObject *object, Py_ssize_t *value)
{
	if (object == NULL || object == Py_None)
		return 0;
	*value = PyNumber_AsSsize_t(object, NULL);
	return *value == -1 && PyErr_Occurred() ? -1 : 0;
}

static PyObject *buffer_find(buffer_object *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
	static const char *const names[] = {"sub", "start", "end"};
	PyObject *values[3];
	Py_ssize_t start = 0, stop = PY_SSIZE_T_MAX;
	if (sort_arguments("find", names, 3, args, nargs, kwnames, values) < 0)
		return NULL;
	if (values[0] == NULL)
		return PyErr_Format(PyExc_TypeError, "find() needs the argument sub");
	if (as_index(values[1], &start) < 0 || as_index(values[2], &stop) < 0)
		return NULL;
	int64_t index = find_object(self, values[0], start, stop);
	return index < -1 ? NULL : PyLong_FromLongLong(index);
}

static int buffer_contains(buffer_object *self, PyObject *needle)
{
	int64_t index = find_object(self, needle, 0, PY_SSIZE_T_MAX);
	return index < -1 ? -1 : index >= 0;
}

/* ---- memory ---- */

static view_object *make_view(buffer_object *self, int64_t start, int64_t stop)
{
	lock_detached detached;
	/* Made first: to make an object may run the collector, and that any code, which must not find the cursor locked. */
	view_object *view = view_new(state_of(Py_TYPE(self)));
	cursor_object *cursor = view != NULL ? take_cursor(self) : NULL;
	if (cursor == NULL) {
		Py_XDECREF(view);
		return NULL;
	}
	view_of_manager(view, cursor->manager);
	lock_detach(&cursor->lock, &detached);
	int code = smmap_buffer_view(&view->core, &cursor->core, start, stop);
	lock_attach(&cursor->lock, &detached);
	if (give_cursor(self, cursor, code) < 0)
		Py_CLEAR(view);
	return view;
}

static PyObject *buffer_view(buffer_object *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
	static const char *const names[] = {"start", "stop"};
	PyObject *values[2];
	Py_ssize_t start = 0, stop = PY_SSIZE_T_MAX;
	if (sort_arguments("view", names, 2, args, nargs, kwnames, values) < 0)
		return NULL;
	if (as_index(values[0], &start) < 0 || as_index(values[1], &stop) < 0)
		return NULL;
	view_object *view = make_view(self, start, stop);
	return view != NULL ? view_to_memoryview(view) : NULL;
}

static int buffer_getbuffer(buffer_object *self, Py_buffer *buffer, int flags)
{
	buffer->obj = NULL;
	view_object *view = make_view(self, 0, INT64_MAX);
	if (view == NULL)
		return -1;
	int result = PyObject_GetBuffer((PyObject *)view, buffer, flags);
	Py_DECREF(view);
	return result;
}

/* ---- access ---- */

static void end_access(buffer_object *self)
{
	cursor_object *cursor = lock_cursor(self);
	self->size = 0;
	self->begin = 0;
	if (cursor == NULL)
		return;
	if (cursor->core.cursor.file != NULL)
		smmap_buffer_end_access(&cursor->core);
	lock_give(&cursor->lock);
	cursor_moved(cursor);
	Py_DECREF(cursor);
}

/* Returns 1 or 0, or -1 with an exception. */
static int begin_access(buffer_object *self, uint64_t offset, uint64_t size, int flags)
{
	lock_detached detached;
	int code = -1;
	cursor_object *cursor = lock_cursor(self);
	if (cursor == NULL)
		return 0;
	if (cursor->target == NULL) {
		lock_give(&cursor->lock);
		Py_DECREF(cursor);
		return 0;
	}
	bool bound = cursor_bind(cursor, flags) == 0;
	if (bound) {
		lock_detach(&cursor->lock, &detached);
		code = smmap_buffer_begin_access(&cursor->core, NULL, offset, size);
		lock_attach(&cursor->lock, &detached);
		if (code != 0)
			smmap_buffer_end_access(&cursor->core);
		self->begin = code == 0 ? cursor->core.begin : 0;
		self->size = code == 0 ? cursor->core.size : 0;
		self->epoch = cursor->epoch;
		cursor->core.begin = cursor->core.size = 0;
	}
	lock_give(&cursor->lock);
	cursor_moved(cursor);
	if (bound && code != 0 && code != SMMAP_ERANGE)
		raise_code(Py_TYPE(self), code, cursor_filename(cursor));
	Py_DECREF(cursor);
	if (!bound || (code != 0 && code != SMMAP_ERANGE))
		return -1;
	return code == 0;
}

static int take_arguments(buffer_object *self, PyObject **values)
{
	uint64_t offset = 0, size = SMMAP_TO_END;
	int flags = 0;
	const module_state *state = state_of(Py_TYPE(self));
	if (state == NULL)
		return -1;
	PyObject *cursor = values[0] != Py_None ? values[0] : NULL;
	if (cursor != NULL && !PyObject_TypeCheck(cursor, state->cursor_type)) {
		PyErr_Format(PyExc_TypeError, "cursor must be a WindowCursor or None, not %.100s",
		             Py_TYPE(cursor)->tp_name);
		return -1;
	}
	if (values[1] != NULL && as_offset(values[1], "offset", &offset) < 0)
		return -1;
	if (values[2] != NULL && as_offset(values[2], "size", &size) < 0)
		return -1;
	if (values[3] != NULL && as_flags(values[3], "flags", &flags) < 0)
		return -1;
	if (cursor != NULL && cursor != (PyObject *)self->cursor) {
		end_access(self);
		Py_INCREF(cursor);
		cursor_object *old;
		Py_BEGIN_CRITICAL_SECTION(self);
		old = self->cursor;
		self->cursor = (cursor_object *)cursor;
		Py_END_CRITICAL_SECTION();
		Py_XDECREF(old);
	}
	return begin_access(self, offset, size, flags);
}

static const char *const access_names[] = {"cursor", "offset", "size", "flags"};

static PyObject *buffer_begin_access(buffer_object *self, PyObject *const *args, Py_ssize_t nargs,
                                     PyObject *kwnames)
{
	PyObject *values[4];
	if (sort_arguments("begin_access", access_names, 4, args, nargs, kwnames, values) < 0)
		return NULL;
	int result = take_arguments(self, values);
	return result < 0 ? NULL : PyBool_FromLong(result);
}

static PyObject *buffer_end_access(buffer_object *self, PyObject *unused)
{
	(void)unused;
	end_access(self);
	Py_RETURN_NONE;
}

static PyObject *buffer_cursor(buffer_object *self, PyObject *unused)
{
	(void)unused;
	PyObject *cursor;
	Py_BEGIN_CRITICAL_SECTION(self);
	cursor = self->cursor != NULL ? (PyObject *)self->cursor : Py_None;
	Py_INCREF(cursor);
	Py_END_CRITICAL_SECTION();
	return cursor;
}

/* ---- chunks ---- */

typedef struct chunks_object {
	PyObject_HEAD buffer_object *buffer;
	uint64_t next;
	uint64_t step;
} chunks_object;

static PyObject *buffer_chunks(buffer_object *self, PyObject *const *args, Py_ssize_t nargs,
                               PyObject *kwnames)
{
	static const char *const names[] = {"size"};
	PyObject *values[1];
	uint64_t window = 0, size = 0;
	if (sort_arguments("chunks", names, 1, args, nargs, kwnames, values) < 0)
		return NULL;
	if (values[0] != NULL && as_offset(values[0], "size", &size) < 0)
		return NULL;
	cursor_object *cursor = take_cursor(self);
	if (cursor == NULL)
		return NULL;
	window = smmap_manager_window_size(cursor->manager->core);
	if (give_cursor(self, cursor, 0) < 0)
		return NULL;
	const module_state *state = state_of(Py_TYPE(self));
	chunks_object *chunks = state != NULL ? PyObject_GC_New(chunks_object, state->chunks_type) : NULL;
	if (chunks == NULL)
		return NULL;
	/* Never more than a window, so that a chunk is inside the budget. */
	uint64_t most = window != 0 ? window : self->size;
	Py_INCREF(self);
	chunks->buffer = self;
	chunks->next = 0;
	chunks->step = size != 0 && size < most ? size : most;
	PyObject_GC_Track(chunks);
	return (PyObject *)chunks;
}

static PyObject *chunks_next(chunks_object *self)
{
	uint64_t from = self->next;
	if (from >= self->buffer->size)
		return NULL;
	view_object *view = make_view(self->buffer, (int64_t)from, (int64_t)(from + self->step));
	if (view == NULL)
		return NULL;
	self->next = from + self->step;
	return view_to_memoryview(view);
}

static int chunks_traverse(chunks_object *self, visitproc visit, void *arg)
{
	Py_VISIT(Py_TYPE(self));
	Py_VISIT(self->buffer);
	return 0;
}

static void chunks_dealloc(chunks_object *self)
{
	PyTypeObject *type = Py_TYPE(self);
	PyObject_GC_UnTrack(self);
	Py_CLEAR(self->buffer);
	PyObject_GC_Del(self);
	Py_DECREF(type);
}

static PyMethodDef chunks_methods[] = {
	{"__reduce__", no_pickle, METH_NOARGS, NULL},
	{NULL, NULL, 0, NULL},
};

static PyType_Slot chunks_slots[] = {
	{Py_tp_doc, "Iterator over the bytes of a buffer, as memoryviews of up to one window."},
	{Py_tp_traverse, chunks_traverse},
	{Py_tp_dealloc, chunks_dealloc},
	{Py_tp_iter, PyObject_SelfIter},
	{Py_tp_methods, chunks_methods},
	{Py_tp_iternext, chunks_next},
	{0, NULL},
};

PyType_Spec chunks_spec = {"smmap._smmap.Chunks", sizeof(chunks_object), 0,
                           Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC, chunks_slots};

/* ---- life ---- */

static int buffer_init(buffer_object *self, PyObject *args, PyObject *kwargs)
{
	static char *names[] = {"cursor", "offset", "size", "flags", NULL};
	PyObject *values[4] = {NULL, NULL, NULL, NULL};
	if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|OOOO:SlidingWindowMapBuffer", names, &values[0],
	                                 &values[1], &values[2], &values[3]))
		return -1;
	int result = take_arguments(self, values);
	if (result == 0 && values[0] != NULL && values[0] != Py_None) {
		PyErr_SetString(PyExc_ValueError,
		                "nothing to access: the cursor has no file, or the offset is at or past its end");
		result = -1;
	}
	return result < 0 ? -1 : 0;
}

static int buffer_traverse(buffer_object *self, visitproc visit, void *arg)
{
	Py_VISIT(Py_TYPE(self));
	Py_VISIT(self->cursor);
	return 0;
}

static int buffer_clear(buffer_object *self)
{
	self->size = 0;
	Py_CLEAR(self->cursor);
	return 0;
}

static void buffer_dealloc(buffer_object *self)
{
	PyTypeObject *type = Py_TYPE(self);
	PyObject_GC_UnTrack(self);
	if (self->weakrefs != NULL)
		PyObject_ClearWeakRefs((PyObject *)self);
	if (self->size != 0)
		end_access(self);
	(void)buffer_clear(self);
	type->tp_free(self);
	Py_DECREF(type);
}

static PyObject *buffer_enter(PyObject *self, PyObject *unused)
{
	(void)unused;
	Py_INCREF(self);
	return self;
}

static PyObject *buffer_exit(buffer_object *self, PyObject *args)
{
	(void)args;
	end_access(self);
	Py_RETURN_NONE;
}

/* ---- type ---- */

#define FAST(function) ((PyCFunction)(void (*)(void))(function))

static PyMethodDef buffer_methods[] = {
	{"begin_access", FAST(buffer_begin_access), METH_FASTCALL | METH_KEYWORDS,
     "begin_access($self, cursor=None, offset=0, size=sys.maxsize, flags=0)\n--\n\n"
     "Begin access to min(size, file_size - offset) bytes from offset on, of the cursor's file, or of the "
     "one that the\n"
     "buffer has when None. Returns whether the buffer can be used."},
	{"end_access", (PyCFunction)buffer_end_access, METH_NOARGS,
     "end_access($self, /)\n--\n\nLet go of the window. begin_access() makes the buffer usable again."},
	{"cursor", (PyCFunction)buffer_cursor, METH_NOARGS, "cursor($self, /)\n--\n\nThe cursor, or None."},
	{"view", FAST(buffer_view), METH_FASTCALL | METH_KEYWORDS,
     "view($self, start=0, stop=sys.maxsize)\n--\n\n"
     "A memoryview of buffer[start:stop], without a copy. Up to one window it is inside the budget; a longer "
     "one is\n"
     "counted apart (exported_bytes in the manager's stats())."},
	{"find", FAST(buffer_find), METH_FASTCALL | METH_KEYWORDS,
     "find($self, sub, start=0, end=sys.maxsize)\n--\n\n"
     "The lowest index in [start, end) where the bytes, or the byte, are found; -1 when they are not."},
	{"chunks", FAST(buffer_chunks), METH_FASTCALL | METH_KEYWORDS,
     "chunks($self, size=0)\n--\n\nIterate over the buffer in memoryviews of size bytes, at most one window "
     "each."},
	{"__enter__", buffer_enter, METH_NOARGS, NULL},
	{"__exit__", (PyCFunction)buffer_exit, METH_VARARGS, NULL},
	{"__reduce__", no_pickle, METH_NOARGS, NULL},
	{NULL, NULL, 0, NULL},
};

static PyMemberDef buffer_members[] = {
	{"__weaklistoffset__", T_PYSSIZET, offsetof(buffer_object, weakrefs), READONLY, NULL},
	{NULL, 0, 0, 0, NULL},
};

static PyType_Slot buffer_slots[] = {
	{Py_tp_doc, "SlidingWindowMapBuffer(cursor=None, offset=0, size=sys.maxsize, flags=0)\n--\n\n"
                "A range of a file that looks like bytes; the window slides by itself."},
	{Py_tp_new, PyType_GenericNew},
	{Py_tp_init, buffer_init},
	{Py_tp_traverse, buffer_traverse},
	{Py_tp_clear, buffer_clear},
	{Py_tp_dealloc, buffer_dealloc},
	{Py_tp_methods, buffer_methods},
	{Py_tp_members, buffer_members},
	{Py_mp_length, buffer_length},
	{Py_mp_subscript, buffer_subscript},
	{Py_sq_length, buffer_length},
	{Py_sq_item, buffer_item},
	{Py_sq_contains, buffer_contains},
	{Py_bf_getbuffer, buffer_getbuffer},
	{Py_bf_releasebuffer, release_of_view},
	{0, NULL},
};

PyType_Spec buffer_spec = {"smmap.buf.SlidingWindowMapBuffer", sizeof(buffer_object), 0,
                           Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC, buffer_slots};
