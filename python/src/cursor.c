/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * WindowCursor.
 *
 *   def use_region(self, offset=0, size=0, flags=0):
 *       if not bound: open the file by self.target
 *       pin [offset, offset + min(size or W, W)), cut at the file's end; past the end: not valid
 *       return self
 *
 * The file is opened at the first use. The GIL is kept where the request lies in the region that is pinned already, for
 * then the library makes no system call; it is let go for everything else.
 */
#include "common.h"

#include <structmember.h>

static PyObject *const NOT_GIVEN = NULL;

static smmap_cursor *core_of(cursor_object *self)
{
	return &self->core.cursor;
}

/* ---- state ---- */

/* Notes what is pinned now; the mmap.mmap of a region that was left is let go. */
void cursor_moved(cursor_object *self)
{
	const unsigned char *data;
	smmap_window window = {0, 0};
	const smmap_cursor *core = core_of(self);
	PyObject *map = NULL;
	view_object *pin = NULL;
	lock_take(&self->lock);
	self->pinned_size = 0;
	if (core->size != 0 && smmap_cursor_map(core, &data, &window) == 0) {
		uint64_t one = smmap_manager_window_size(self->manager->core);
		self->pinned_begin = window.offset;
		/* Where two regions are pinned, the library may let one of them go. */
		self->pinned_size = one == 0 || window.size <= one ? window.size : 0;
		self->pinned_to_end = window.offset + window.size == smmap_cursor_file_size(core);
	}
	if (self->map != NULL && (core->size == 0 || window.offset != self->map_begin)) {
		map = self->map;
		pin = self->map_pin;
		self->map = NULL;
		self->map_pin = NULL;
	}
	lock_give(&self->lock);
	Py_XDECREF(map);
	Py_XDECREF(pin);
}

/* Whether the library can answer this from what is pinned, without a system call. */
static inline bool is_at_hand(const cursor_object *self, uint64_t offset, uint64_t size)
{
	uint64_t delta = offset - self->pinned_begin;
	if (delta >= self->pinned_size)
		return false;
	if (size != 0 && size <= self->pinned_size - delta)
		return true;
	/* More than is pinned: the same when the file ends there. */
	return self->pinned_to_end;
}

static const char NOT_ASSOCIATED[] = "the cursor is not associated with a file";

static bool is_associated(cursor_object *self)
{
	if (self->target == NULL)
		raise_invalid(Py_TYPE(self), NOT_ASSOCIATED);
	return self->target != NULL;
}

static bool is_valid(cursor_object *self)
{
	if (self->core.cursor.size == 0)
		raise_invalid(Py_TYPE(self), "the cursor is not valid: no region is in use");
	return self->core.cursor.size != 0;
}

/* ---- binding ---- */

int cursor_bind(cursor_object *self, int flags)
{
	lock_detached detached;
	/* Exceptions are made with the lock given back: that may run the collector, and that any code. */
	if (core_of(self)->file != NULL)
		return 0;
	if (self->target == NULL || self->manager == NULL || self->manager->core == NULL) {
		lock_give(&self->lock);
		raise_invalid(Py_TYPE(self), NOT_ASSOCIATED);
		lock_take(&self->lock);
		return -1;
	}
	self->epoch++;
	PyObject *path = self->path;
	Py_XINCREF(path);
	const char *name = path != NULL ? PyBytes_AS_STRING(path) : NULL;
	smmap_manager *manager = self->manager->core;
	int code, fd = self->fd;
	lock_detach(&self->lock, &detached);
	if (name != NULL)
		code = smmap_cursor_open(core_of(self), manager, name, flags);
	else
		code = smmap_cursor_open_fd(core_of(self), manager, fd);
	lock_attach(&self->lock, &detached);
	Py_XDECREF(path);
	if (code == 0)
		return 0;
	lock_give(&self->lock);
	raise_code(Py_TYPE(self), code, self->target);
	lock_take(&self->lock);
	return -1;
}

/* ---- life ---- */

/* What the system will be asked for: bytes, or a number. A number that no descriptor has is kept as -1. */
static int take_name(cursor_object *self, PyObject *target)
{
	int overflow;
	if (!PyIndex_Check(target))
		return PyUnicode_FSConverter(target, &self->path) ? 0 : -1;
	PyObject *number = PyNumber_Index(target);
	if (number == NULL)
		return -1;
	long fd = PyLong_AsLongAndOverflow(number, &overflow);
	Py_DECREF(number);
	self->fd = fd >= 0 && fd == (int)fd ? (int)fd : -1;
	return 0;
}

/* The regions may be any object that tells path_or_fd(). */
static int set_regions(cursor_object *self, PyObject *regions)
{
	PyObject *target = PyObject_CallMethodNoArgs(regions, self->manager->state->str_path_or_fd);
	if (target == NULL)
		return -1;
	if (!names_file(target, "regions.path_or_fd()") || take_name(self, target) < 0) {
		Py_DECREF(target);
		return -1;
	}
	Py_XSETREF(self->target, target);
	return 0;
}

static void let_go(cursor_object *self)
{
	lock_take(&self->lock);
	smmap_cursor_close(core_of(self));
	self->core.begin = self->core.size = 0;
	self->epoch++;
	lock_give(&self->lock);
	cursor_moved(self);
}

static PyObject *cursor_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
	(void)args;
	(void)kwargs;
	cursor_object *self = (cursor_object *)type->tp_alloc(type, 0);
	if (self == NULL)
		return NULL;
	self->core = (smmap_buffer)SMMAP_BUFFER_INIT;
	if (lock_init(&self->lock) != 0) {
		Py_DECREF(self);
		return PyErr_NoMemory();
	}
	return (PyObject *)self;
}

static int cursor_init(cursor_object *self, PyObject *args, PyObject *kwargs)
{
	static char *names[] = {"manager", "regions", NULL};
	PyObject *manager = Py_None, *regions = Py_None;
	const module_state *state = state_of(Py_TYPE(self));
	if (state == NULL ||
	    !PyArg_ParseTupleAndKeywords(args, kwargs, "|OO:WindowCursor", names, &manager, &regions))
		return -1;
	if (manager != Py_None && !PyObject_TypeCheck(manager, state->manager_type)) {
		PyErr_Format(PyExc_TypeError, "manager must be a window map manager, not %.100s",
		             Py_TYPE(manager)->tp_name);
		return -1;
	}
	if (manager == Py_None && regions != Py_None) {
		PyErr_SetString(PyExc_TypeError, "manager must be given where regions are");
		return -1;
	}
	let_go(self);
	Py_CLEAR(self->target);
	Py_CLEAR(self->path);
	if (manager == Py_None) {
		Py_CLEAR(self->manager);
		return 0;
	}
	Py_INCREF(manager);
	Py_XSETREF(self->manager, (manager_object *)manager);
	return regions != Py_None ? set_regions(self, regions) : 0;
}

static int cursor_traverse(cursor_object *self, visitproc visit, void *arg)
{
	Py_VISIT(Py_TYPE(self));
	Py_VISIT(self->manager);
	Py_VISIT(self->target);
	Py_VISIT(self->map);
	Py_VISIT(self->map_pin);
	return 0;
}

static int cursor_clear(cursor_object *self)
{
	smmap_cursor_close(core_of(self));
	self->pinned_size = 0;
	Py_CLEAR(self->map_pin);
	Py_CLEAR(self->map);
	Py_CLEAR(self->target);
	Py_CLEAR(self->path);
	Py_CLEAR(self->manager);
	return 0;
}

static void cursor_dealloc(cursor_object *self)
{
	PyTypeObject *type = Py_TYPE(self);
	PyObject_GC_UnTrack(self);
	if (self->weakrefs != NULL)
		PyObject_ClearWeakRefs((PyObject *)self);
	(void)cursor_clear(self);
	lock_destroy(&self->lock);
	type->tp_free(self);
	Py_DECREF(type);
}

static PyObject *cursor_destroy(cursor_object *self, PyObject *unused)
{
	(void)unused;
	let_go(self);
	Py_RETURN_NONE;
}

static PyObject *cursor_enter(PyObject *self, PyObject *unused)
{
	(void)unused;
	Py_INCREF(self);
	return self;
}

static PyObject *cursor_exit(cursor_object *self, PyObject *args)
{
	(void)args;
	let_go(self);
	Py_RETURN_NONE;
}

/* ---- copies ---- */

static int copy_from(cursor_object *self, cursor_object *other)
{
	smmap_cursor copy = SMMAP_CURSOR_INIT;
	if (self == other)
		return 0;
	lock_take(&other->lock);
	int code = smmap_cursor_assign(&copy, core_of(other));
	manager_object *manager = other->manager;
	PyObject *target = other->target;
	PyObject *path = other->path;
	int fd = other->fd;
	Py_XINCREF(manager);
	Py_XINCREF(target);
	Py_XINCREF(path);
	lock_give(&other->lock);
	if (code != 0) {
		Py_XDECREF(manager);
		Py_XDECREF(target);
		Py_XDECREF(path);
		raise_code(Py_TYPE(self), code, other->target);
		return -1;
	}
	lock_take(&self->lock);
	smmap_cursor_close(core_of(self));
	*core_of(self) = copy;
	self->epoch++;
	manager_object *old_manager = self->manager;
	PyObject *old_target = self->target;
	PyObject *old_path = self->path;
	PyObject *old_map = self->map;
	view_object *old_pin = self->map_pin;
	self->manager = manager;
	self->target = target;
	self->path = path;
	self->fd = fd;
	self->map = NULL;
	self->map_pin = NULL;
	lock_give(&self->lock);
	Py_XDECREF(old_map);
	Py_XDECREF(old_pin);
	Py_XDECREF(old_target);
	Py_XDECREF(old_path);
	Py_XDECREF(old_manager);
	cursor_moved(self);
	return 0;
}

static PyObject *cursor_assign(cursor_object *self, PyObject *const *args, Py_ssize_t nargs,
                               PyObject *kwnames)
{
	PyObject *other = only_argument("assign", "rhs", args, nargs, kwnames);
	if (other == NULL)
		return NULL;
	const module_state *state = state_of(Py_TYPE(self));
	if (state == NULL)
		return NULL;
	if (!PyObject_TypeCheck(other, state->cursor_type))
		return PyErr_Format(PyExc_TypeError, "rhs must be a WindowCursor, not %.100s",
		                    Py_TYPE(other)->tp_name);
	if (copy_from(self, (cursor_object *)other) < 0)
		return NULL;
	Py_RETURN_NONE;
}

static PyObject *cursor_copy(cursor_object *self, PyObject *unused)
{
	(void)unused;
	PyObject *copy = PyObject_CallNoArgs((PyObject *)Py_TYPE(self));
	if (copy != NULL && copy_from((cursor_object *)copy, self) < 0)
		Py_CLEAR(copy);
	return copy;
}

/* ---- regions ---- */

/* Under the lock. */
static int64_t move(cursor_object *self, uint64_t offset, uint64_t size)
{
	lock_detached detached;
	if (is_at_hand(self, offset, size))
		return smmap_cursor_use_region(core_of(self), offset, size);
	lock_detach(&self->lock, &detached);
	int64_t n = smmap_cursor_use_region(core_of(self), offset, size);
	lock_attach(&self->lock, &detached);
	return n;
}

static PyObject *use_region_slow(cursor_object *self, uint64_t offset, uint64_t size, int flags)
{
	int64_t n = -1;
	lock_take(&self->lock);
	bool bound = cursor_bind(self, flags) == 0;
	if (bound)
		n = move(self, offset, size);
	lock_give(&self->lock);
	if (!bound)
		return NULL;
	cursor_moved(self);
	if (n < 0)
		return raise_code(Py_TYPE(self), (int)n, self->target);
	Py_INCREF(self);
	return (PyObject *)self;
}

static PyObject *use_region(cursor_object *self, uint64_t offset, uint64_t size, int flags)
{
	/* Within the one region that is pinned: nothing but the range changes. */
	if (lock_is_free(&self->lock) && is_at_hand(self, offset, size) &&
	    smmap_cursor_use_region(core_of(self), offset, size) > 0) {
		Py_INCREF(self);
		return (PyObject *)self;
	}
	return use_region_slow(self, offset, size, flags);
}

static PyObject *cursor_use_region(cursor_object *self, PyObject *const *args, Py_ssize_t nargs,
                                   PyObject *kwnames)
{
	static const char *const names[] = {"offset", "size", "flags"};
	PyObject *values[3];
	uint64_t offset = 0, size = 0;
	int flags = 0;
	if (kwnames == NULL && nargs <= 2 && (nargs < 1 || small_int(args[0], &offset)) &&
	    (nargs < 2 || small_int(args[1], &size)))
		return use_region(self, offset, size, 0);
	if (sort_arguments("use_region", names, 3, args, nargs, kwnames, values) < 0)
		return NULL;
	if (values[0] != NOT_GIVEN && as_offset(values[0], "offset", &offset) < 0)
		return NULL;
	if (values[1] != NOT_GIVEN && as_offset(values[1], "size", &size) < 0)
		return NULL;
	if (values[2] != NOT_GIVEN && as_flags(values[2], "flags", &flags) < 0)
		return NULL;
	return use_region(self, offset, size, flags);
}

static PyObject *cursor_unuse_region(cursor_object *self, PyObject *unused)
{
	(void)unused;
	lock_take(&self->lock);
	smmap_cursor_unuse_region(core_of(self));
	lock_give(&self->lock);
	cursor_moved(self);
	Py_RETURN_NONE;
}

/* ---- memory ---- */

static view_object *cursor_view(cursor_object *self)
{
	if (!is_valid(self))
		return NULL;
	view_object *view = view_new(self->manager->state);
	if (view == NULL)
		return NULL;
	lock_take(&self->lock);
	if (self->manager != NULL)
		view_of_manager(view, self->manager);
	int code = smmap_cursor_view(&view->core, core_of(self));
	lock_give(&self->lock);
	if (code != 0) {
		raise_code(Py_TYPE(self), code, self->target);
		Py_CLEAR(view);
	}
	return view;
}

static PyObject *cursor_buffer(cursor_object *self, PyObject *unused)
{
	(void)unused;
	view_object *view = cursor_view(self);
	return view != NULL ? view_to_memoryview(view) : NULL;
}

static int cursor_getbuffer(cursor_object *self, Py_buffer *buffer, int flags)
{
	view_object *view = cursor_view(self);
	buffer->obj = NULL;
	if (view == NULL)
		return -1;
	int result = PyObject_GetBuffer((PyObject *)view, buffer, flags);
	Py_DECREF(view);
	return result;
}

static PyObject *cursor_map(cursor_object *self, PyObject *unused)
{
	smmap_region region = SMMAP_REGION_INIT;
	(void)unused;
	if (!is_valid(self))
		return NULL;
	lock_take(&self->lock);
	int code = smmap_cursor_region(core_of(self), &region);
	uint64_t begin = smmap_region_ofs_begin(&region);
	uint64_t size = smmap_region_size(&region);
	/* Two regions that are pinned as one may begin where the one did whose map is held. */
	bool have = code == 0 && self->map != NULL && self->map_pin->core.file != NULL &&
	            self->map_begin == begin && self->map_size == size;
	PyObject *map = have ? self->map : NULL;
	Py_XINCREF(map);
	lock_give(&self->lock);
	smmap_region_close(&region);
	if (have)
		return map;
	if (code != 0)
		return raise_code(Py_TYPE(self), code, self->target);
	view_object *pin = NULL;
	map = map_obtain(self->manager, core_of(self), &self->lock, begin, size, self->target, &pin);
	if (map == NULL)
		return NULL;
	Py_INCREF(map);
	lock_take(&self->lock);
	PyObject *old_map = self->map;
	view_object *old_pin = self->map_pin;
	self->map = map;
	self->map_pin = pin;
	self->map_begin = begin;
	self->map_size = size;
	lock_give(&self->lock);
	Py_XDECREF(old_map);
	Py_XDECREF(old_pin);
	/* Another thread may have moved the cursor meanwhile. */
	cursor_moved(self);
	return map;
}

/* Copies to memory of the caller's; the GIL is let go for long copies. Returns the count or -1. */
static int64_t read_to(cursor_object *self, uint64_t offset, void *to, uint64_t size)
{
	int64_t n = -1;
	lock_take(&self->lock);
	bool bound = cursor_bind(self, 0) == 0;
	if (bound && size < LONG_COPY && is_at_hand(self, offset, size))
		n = smmap_read(core_of(self), offset, to, size);
	else if (bound) {
		lock_detached detached;
		lock_detach(&self->lock, &detached);
		n = smmap_read(core_of(self), offset, to, size);
		lock_attach(&self->lock, &detached);
	}
	lock_give(&self->lock);
	if (bound && n < 0)
		raise_code(Py_TYPE(self), (int)n, self->target);
	return n < 0 ? -1 : n;
}

static PyObject *cursor_read(cursor_object *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
	static const char *const names[] = {"offset", "size"};
	PyObject *values[2];
	uint64_t offset, size;
	if (sort_arguments("read", names, 2, args, nargs, kwnames, values) < 0)
		return NULL;
	if (values[0] == NULL || values[1] == NULL)
		return PyErr_Format(PyExc_TypeError, "read() takes two arguments: offset and size");
	if (as_offset(values[0], "offset", &offset) < 0 || as_offset(values[1], "size", &size) < 0)
		return NULL;
	lock_take(&self->lock);
	bool bound = cursor_bind(self, 0) == 0;
	uint64_t file_size = smmap_cursor_file_size(core_of(self));
	lock_give(&self->lock);
	if (!bound)
		return NULL;
	uint64_t left = offset < file_size ? file_size - offset : 0;
	PyObject *bytes = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)(size < left ? size : left));
	if (bytes == NULL || PyBytes_GET_SIZE(bytes) == 0)
		return bytes;
	int64_t n = read_to(self, offset, PyBytes_AS_STRING(bytes), (uint64_t)PyBytes_GET_SIZE(bytes));
	if (n < 0)
		Py_CLEAR(bytes);
	else if (n < PyBytes_GET_SIZE(bytes))
		_PyBytes_Resize(&bytes, (Py_ssize_t)n);
	return bytes;
}

static PyObject *cursor_readinto(cursor_object *self, PyObject *const *args, Py_ssize_t nargs,
                                 PyObject *kwnames)
{
	static const char *const names[] = {"offset", "buffer"};
	PyObject *values[2];
	uint64_t offset;
	Py_buffer buffer;
	if (sort_arguments("readinto", names, 2, args, nargs, kwnames, values) < 0)
		return NULL;
	if (values[0] == NULL || values[1] == NULL)
		return PyErr_Format(PyExc_TypeError, "readinto() takes two arguments: offset and buffer");
	if (as_offset(values[0], "offset", &offset) < 0)
		return NULL;
	if (PyObject_GetBuffer(values[1], &buffer, PyBUF_WRITABLE) < 0) {
		PyErr_Clear();
		return PyErr_Format(PyExc_TypeError, "buffer must be a writable bytes-like object, not %.100s",
		                    Py_TYPE(values[1])->tp_name);
	}
	int64_t n = read_to(self, offset, buffer.buf, (uint64_t)buffer.len);
	PyBuffer_Release(&buffer);
	return n < 0 ? NULL : PyLong_FromLongLong(n);
}

/* ---- questions ---- */

static PyObject *cursor_is_valid(cursor_object *self, PyObject *unused)
{
	(void)unused;
	return PyBool_FromLong(self->core.cursor.size != 0);
}

static PyObject *cursor_is_associated(cursor_object *self, PyObject *unused)
{
	(void)unused;
	return PyBool_FromLong(self->target != NULL);
}

static PyObject *cursor_size(cursor_object *self, PyObject *unused)
{
	(void)unused;
	return PyLong_FromUnsignedLongLong(self->core.cursor.size);
}

static PyObject *cursor_ofs_begin(cursor_object *self, PyObject *unused)
{
	(void)unused;
	return is_valid(self) ? PyLong_FromUnsignedLongLong(smmap_cursor_ofs_begin(core_of(self))) : NULL;
}

static PyObject *cursor_ofs_end(cursor_object *self, PyObject *unused)
{
	(void)unused;
	return is_valid(self) ? PyLong_FromUnsignedLongLong(smmap_cursor_ofs_end(core_of(self))) : NULL;
}

static PyObject *cursor_region(cursor_object *self, PyObject *unused)
{
	(void)unused;
	if (self->core.cursor.size == 0)
		Py_RETURN_NONE;
	return region_of_cursor(self);
}

static PyObject *cursor_includes_ofs(cursor_object *self, PyObject *const *args, Py_ssize_t nargs,
                                     PyObject *kwnames)
{
	PyObject *object = only_argument("includes_ofs", "ofs", args, nargs, kwnames);
	if (object == NULL)
		return NULL;
	uint64_t offset;
	if (!is_valid(self))
		return NULL;
	if (as_offset(object, "ofs", &offset) < 0) {
		/* Nothing lies there, be it before the file or behind all files. */
		if (!PyErr_ExceptionMatches(PyExc_ValueError) && !PyErr_ExceptionMatches(PyExc_OverflowError))
			return NULL;
		PyErr_Clear();
		Py_RETURN_FALSE;
	}
	return PyBool_FromLong(smmap_cursor_includes_ofs(core_of(self), offset));
}

static PyObject *cursor_file_size(cursor_object *self, PyObject *unused)
{
	(void)unused;
	lock_take(&self->lock);
	bool bound = cursor_bind(self, 0) == 0;
	uint64_t size = smmap_cursor_file_size(core_of(self));
	lock_give(&self->lock);
	return bound ? PyLong_FromUnsignedLongLong(size) : NULL;
}

static PyObject *cursor_path_or_fd(cursor_object *self, PyObject *unused)
{
	(void)unused;
	if (!is_associated(self))
		return NULL;
	Py_INCREF(self->target);
	return self->target;
}

static PyObject *cursor_path(cursor_object *self, PyObject *unused)
{
	(void)unused;
	if (!is_associated(self))
		return NULL;
	if (PyIndex_Check(self->target)) {
		PyErr_SetString(PyExc_ValueError, "the cursor was made from a descriptor: it has no path");
		return NULL;
	}
	return PyOS_FSPath(self->target);
}

static PyObject *cursor_fd(cursor_object *self, PyObject *unused)
{
	(void)unused;
	if (!is_associated(self))
		return NULL;
	if (!PyIndex_Check(self->target)) {
		PyErr_SetString(PyExc_ValueError, "the cursor was made from a path: it has no descriptor");
		return NULL;
	}
	return PyNumber_Index(self->target);
}

/* ---- change, advice, status ---- */

typedef int check(smmap_cursor *cursor);

static PyObject *changes(cursor_object *self, check *how, bool rebinds)
{
	int bits = -1;
	lock_detached detached;
	lock_take(&self->lock);
	bool bound = cursor_bind(self, 0) == 0;
	if (bound) {
		const struct smmap__file *before = core_of(self)->file;
		lock_detach(&self->lock, &detached);
		bits = how(core_of(self));
		lock_attach(&self->lock, &detached);
		if (core_of(self)->file != before)
			self->epoch++;
	}
	lock_give(&self->lock);
	if (!bound)
		return NULL;
	if (rebinds)
		cursor_moved(self);
	return bits < 0 ? raise_code(Py_TYPE(self), bits, self->target) : PyLong_FromLong(bits);
}

static PyObject *cursor_verify(cursor_object *self, PyObject *unused)
{
	(void)unused;
	return changes(self, smmap_verify, false);
}

static PyObject *cursor_refresh(cursor_object *self, PyObject *unused)
{
	(void)unused;
	return changes(self, smmap_refresh, true);
}

static PyObject *cursor_error(cursor_object *self, PyObject *unused)
{
	uint64_t offset = 0;
	(void)unused;
	lock_take(&self->lock);
	int code = core_of(self)->file != NULL ? smmap_cursor_error(core_of(self), &offset) : 0;
	lock_give(&self->lock);
	if (code == 0)
		Py_RETURN_NONE;
	raise_code(Py_TYPE(self), code, self->target);
	PyObject *type, *value, *traceback;
	PyErr_Fetch(&type, &value, &traceback);
	PyErr_NormalizeException(&type, &value, &traceback);
	Py_XDECREF(type);
	Py_XDECREF(traceback);
	PyObject *at = value != NULL ? PyLong_FromUnsignedLongLong(offset) : NULL;
	if (at == NULL || PyObject_SetAttrString(value, "offset", at) < 0)
		Py_CLEAR(value);
	Py_XDECREF(at);
	return value;
}

static PyObject *cursor_advise(cursor_object *self, PyObject *const *args, Py_ssize_t nargs,
                               PyObject *kwnames)
{
	static const char *const names[] = {"advice", "offset", "size"};
	static const struct {
		const char *name;
		int advice;
	} known[] = {{"normal", SMMAP_ADVICE_NORMAL},
	             {"sequential", SMMAP_ADVICE_SEQUENTIAL},
	             {"random", SMMAP_ADVICE_RANDOM},
	             {"willneed", SMMAP_ADVICE_WILLNEED}};
	PyObject *values[3];
	uint64_t offset = 0, size = 0;
	if (sort_arguments("advise", names, 3, args, nargs, kwnames, values) < 0)
		return NULL;
	if (values[0] == NULL || !PyUnicode_Check(values[0]))
		return PyErr_Format(PyExc_TypeError, "advice must be a str");
	size_t i = 0;
	while (i < 4 && PyUnicode_CompareWithASCIIString(values[0], known[i].name) != 0)
		i++;
	if (i == 4)
		return PyErr_Format(PyExc_ValueError,
		                    "advice must be 'normal', 'sequential', 'random' or 'willneed'");
	if (values[1] != NULL && as_offset(values[1], "offset", &offset) < 0)
		return NULL;
	if (values[2] != NULL && as_offset(values[2], "size", &size) < 0)
		return NULL;
	int code = 0;
	lock_detached detached;
	lock_take(&self->lock);
	bool bound = cursor_bind(self, 0) == 0;
	if (bound) {
		lock_detach(&self->lock, &detached);
		code = smmap_advise(core_of(self), known[i].advice, offset, size);
		lock_attach(&self->lock, &detached);
	}
	lock_give(&self->lock);
	if (!bound)
		return NULL;
	if (code != 0)
		return raise_code(Py_TYPE(self), code, self->target);
	Py_RETURN_NONE;
}

static PyObject *cursor_status(cursor_object *self, PyObject *unused)
{
	static const char *const placements[] = {"auto", "stable", "detached"};
	static const char *const backings[] = {"shared", "private", "memory"};
	smmap_file_status status;
	(void)unused;
	lock_take(&self->lock);
	bool bound = cursor_bind(self, 0) == 0;
	int code = bound ? smmap_cursor_status(core_of(self), &status) : 0;
	lock_give(&self->lock);
	if (!bound)
		return NULL;
	if (code != 0)
		return raise_code(Py_TYPE(self), code, self->target);
	return Py_BuildValue("{sKsKsKsLsLsKsKsKsssssisOsi}", "size", (unsigned long long)status.size, "device",
	                     (unsigned long long)status.device, "inode", (unsigned long long)status.inode,
	                     "mtime_ns", (long long)status.mtime_ns, "ctime_ns", (long long)status.ctime_ns,
	                     "window_size", (unsigned long long)status.window_size, "regions",
	                     (unsigned long long)status.regions, "generation",
	                     (unsigned long long)status.generation, "placement", placements[status.placement],
	                     "backing", backings[status.backing], "open_flags", status.open_flags, "stale",
	                     status.stale ? Py_True : Py_False, "change", status.change);
}

/* ---- type ---- */

#define FAST(function) ((PyCFunction)(void (*)(void))(function))

static PyMethodDef cursor_methods[] = {
	{"use_region", FAST(cursor_use_region), METH_FASTCALL | METH_KEYWORDS,
     "use_region($self, offset=0, size=0, flags=0)\n--\n\n"
     "Pin min(size or window, window, file_size - offset) bytes from offset on. Returns the cursor itself, "
     "which is not\n"
     "valid when offset is at or past the end of the file. flags are further flags for os.open, used when "
     "this call opens\n"
     "the file."},
	{"unuse_region", (PyCFunction)cursor_unuse_region, METH_NOARGS,
     "unuse_region($self, /)\n--\n\nLet go of the region. The cursor is not valid afterwards."},
	{"buffer", (PyCFunction)cursor_buffer, METH_NOARGS,
     "buffer($self, /)\n--\n\nA memoryview of the cursor's bytes. It stays readable, and keeps its region "
     "mapped, until it "
     "is released."},
	{"map", (PyCFunction)cursor_map, METH_NOARGS,
     "map($self, /)\n--\n\nAn mmap.mmap of the region that the cursor's first byte lies in; the whole file "
     "for a "
     "static manager."},
	{"is_valid", (PyCFunction)cursor_is_valid, METH_NOARGS,
     "is_valid($self, /)\n--\n\nWhether a region is in use."},
	{"is_associated", (PyCFunction)cursor_is_associated, METH_NOARGS,
     "is_associated($self, /)\n--\n\nWhether the cursor has a file."},
	{"ofs_begin", (PyCFunction)cursor_ofs_begin, METH_NOARGS,
     "ofs_begin($self, /)\n--\n\nOffset of the first byte in the file."},
	{"ofs_end", (PyCFunction)cursor_ofs_end, METH_NOARGS,
     "ofs_end($self, /)\n--\n\nOffset after the last byte in the file."},
	{"size", (PyCFunction)cursor_size, METH_NOARGS,
     "size($self, /)\n--\n\nNumber of bytes; 0 when not valid."},
	{"region", (PyCFunction)cursor_region, METH_NOARGS,
     "region($self, /)\n--\n\nThe MapRegion of the first byte, or None when not valid."},
	{"includes_ofs", FAST(cursor_includes_ofs), METH_FASTCALL | METH_KEYWORDS,
     "includes_ofs($self, ofs)\n--\n\nWhether the byte at this offset of the file is within the cursor."},
	{"file_size", (PyCFunction)cursor_file_size, METH_NOARGS,
     "file_size($self, /)\n--\n\nSize of the file in bytes."},
	{"path_or_fd", (PyCFunction)cursor_path_or_fd, METH_NOARGS,
     "path_or_fd($self, /)\n--\n\nThe very object that the cursor was made from."},
	{"path", (PyCFunction)cursor_path, METH_NOARGS,
     "path($self, /)\n--\n\nThe path; ValueError when made from a descriptor."},
	{"fd", (PyCFunction)cursor_fd, METH_NOARGS,
     "fd($self, /)\n--\n\nThe descriptor; ValueError when made from a path."},
	{"assign", FAST(cursor_assign), METH_FASTCALL | METH_KEYWORDS,
     "assign($self, rhs)\n--\n\nBecome a copy of another cursor, with a pin of its own."},
	{"__copy__", (PyCFunction)cursor_copy, METH_NOARGS,
     "__copy__($self, /)\n--\n\nA copy with a pin of its own."},
	{"_destroy", (PyCFunction)cursor_destroy, METH_NOARGS,
     "_destroy($self, /)\n--\n\nLet go of region and file. The next use opens the file again."},
	{"__enter__", cursor_enter, METH_NOARGS, NULL},
	{"__exit__", (PyCFunction)cursor_exit, METH_VARARGS, NULL},
	{"read", FAST(cursor_read), METH_FASTCALL | METH_KEYWORDS,
     "read($self, offset, size)\n--\n\nA copy of up to size bytes from offset on, across windows, without "
     "moving the "
     "cursor.\nShorter only at the end of the file."},
	{"readinto", FAST(cursor_readinto), METH_FASTCALL | METH_KEYWORDS,
     "readinto($self, offset, buffer)\n--\n\nThe same into a writable buffer. Returns the number of bytes."},
	{"verify", (PyCFunction)cursor_verify, METH_NOARGS,
     "verify($self, /)\n--\n\nCompare the file with what is known of it: 0, or bits of CHANGE_REPLACED, "
     "CHANGE_GREW,\n"
     "CHANGE_SHRANK, CHANGE_MODIFIED and CHANGE_FAULTED."},
	{"refresh", (PyCFunction)cursor_refresh, METH_NOARGS,
     "refresh($self, /)\n--\n\nTake the file up as it is now; clears the error of a faulted file. Returns "
     "the bits of "
     "verify()."},
	{"error", (PyCFunction)cursor_error, METH_NOARGS,
     "error($self, /)\n--\n\nNone, or the OSError of the first page of the file that could not be read, its "
     "attribute\n"
     "offset telling where. It stays until refresh()."},
	{"advise", FAST(cursor_advise), METH_FASTCALL | METH_KEYWORDS,
     "advise($self, advice, offset=0, size=0)\n--\n\n"
     "Tell how the file will be read: 'normal', 'sequential', 'random', or 'willneed' for a range."},
	{"status", (PyCFunction)cursor_status, METH_NOARGS,
     "status($self, /)\n--\n\nA dict of what is known of the file: its identity, placement, backing, "
     "open_flags."},
	{"__reduce__", no_pickle, METH_NOARGS, NULL},
	{NULL, NULL, 0, NULL},
};

static PyMemberDef cursor_members[] = {
	{"__weaklistoffset__", T_PYSSIZET, offsetof(cursor_object, weakrefs), READONLY, NULL},
	{NULL, 0, 0, 0, NULL},
};

static PyType_Slot cursor_slots[] = {
	{Py_tp_doc, "WindowCursor(manager=None, regions=None)\n--\n\n"
                "A place in one file, kept mapped. Made by a manager's make_cursor()."},
	{Py_tp_new, cursor_new},
	{Py_tp_init, cursor_init},
	{Py_tp_traverse, cursor_traverse},
	{Py_tp_clear, cursor_clear},
	{Py_tp_dealloc, cursor_dealloc},
	{Py_tp_methods, cursor_methods},
	{Py_tp_members, cursor_members},
	{Py_bf_getbuffer, cursor_getbuffer},
	{Py_bf_releasebuffer, release_of_view},
	{0, NULL},
};

PyType_Spec cursor_spec = {"smmap.mman.WindowCursor", sizeof(cursor_object), 0,
                           Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC, cursor_slots};
