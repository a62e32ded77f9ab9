/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * MapRegion: a region of a manager's file, as WindowCursor.region() gives it, or one mapped by itself,
 * MapRegion(path_or_fd, ofs, size).
 *
 * The second kind has a manager of its own, which nobody else sees: a budget of one region. Its only memory is the
 * mmap.mmap.
 */
#include "common.h"

#include <structmember.h>

typedef struct region_object {
	PyObject_HEAD manager_object *manager; /* NULL: not initialised */
	smmap_cursor cursor;                   /* bound to the file, nothing pinned */
	smmap_region core;                     /* of a manager; closed for a region by itself */
	bool alone;
	uint64_t begin;
	uint64_t size;
	uint64_t clients; /* of a region by itself */
	PyObject *map;    /* of a region by itself; NULL: released */
	PyObject *filename;
	object_lock lock;
	PyObject *weakrefs;
} region_object;

/* ---- life ---- */

static PyObject *region_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
	(void)args;
	(void)kwargs;
	region_object *self = (region_object *)type->tp_alloc(type, 0);
	if (self == NULL)
		return NULL;
	self->cursor = (smmap_cursor)SMMAP_CURSOR_INIT;
	self->core = (smmap_region)SMMAP_REGION_INIT;
	if (lock_init(&self->lock) != 0) {
		Py_DECREF(self);
		return PyErr_NoMemory();
	}
	return (PyObject *)self;
}

PyObject *region_of_cursor(cursor_object *cursor)
{
	module_state *state = cursor->manager->state;
	if (state->region_type == NULL)
		return PyErr_Format(PyExc_RuntimeError, "smmap: the interpreter is shutting down");
	region_object *self = (region_object *)region_new(state->region_type, NULL, NULL);
	if (self == NULL)
		return NULL;
	lock_take(&cursor->lock);
	int code = smmap_cursor_region(&cursor->core.cursor, &self->core);
	if (code == 0)
		code = smmap_cursor_assign(&self->cursor, &cursor->core.cursor);
	if (code == 0)
		smmap_cursor_unuse_region(&self->cursor);
	Py_INCREF(cursor->manager);
	self->manager = cursor->manager;
	Py_XINCREF(cursor->target);
	self->filename = cursor->target;
	lock_give(&cursor->lock);
	if (code != 0) {
		raise_code(Py_TYPE(self), code, self->filename);
		Py_DECREF(self);
		return NULL;
	}
	self->begin = smmap_region_ofs_begin(&self->core);
	self->size = smmap_region_size(&self->core);
	return (PyObject *)self;
}

static int region_clear(region_object *self)
{
	Py_CLEAR(self->map);
	smmap_region_close(&self->core);
	smmap_cursor_close(&self->cursor);
	Py_CLEAR(self->filename);
	Py_CLEAR(self->manager);
	return 0;
}

/* Opens the file with a manager of its own. A cursor object does the work of understanding path or descriptor. */
static int open_alone(region_object *self, PyObject *target, int flags)
{
	module_state *state = state_of(Py_TYPE(self));
	if (state == NULL)
		return -1;
	PyObject *manager = PyObject_CallNoArgs((PyObject *)state->manager_type);
	PyObject *made = manager != NULL ? PyObject_CallMethod(manager, "make_cursor", "O", target) : NULL;
	int result = -1;
	if (made != NULL && PyObject_TypeCheck(made, state->cursor_type)) {
		cursor_object *cursor = (cursor_object *)made;
		lock_take(&cursor->lock);
		result = cursor_bind(cursor, flags);
		if (result == 0) {
			self->cursor = cursor->core.cursor;
			cursor->core.cursor = (smmap_cursor)SMMAP_CURSOR_INIT;
		}
		lock_give(&cursor->lock);
	}
	Py_XDECREF(made);
	if (result < 0) {
		Py_XDECREF(manager);
		return -1;
	}
	self->manager = (manager_object *)manager;
	Py_INCREF(target);
	self->filename = target;
	return 0;
}

static int map_alone(region_object *self, uint64_t begin, uint64_t size)
{
	view_object *pin = NULL;
	uint64_t file_size = smmap_cursor_file_size(&self->cursor);
	if (begin >= file_size || size == 0) {
		PyErr_SetString(PyExc_ValueError,
		                "ofs is at or past the end of the file, or size is 0: there is nothing to map");
		return -1;
	}
	self->begin = begin;
	self->size = size < file_size - begin ? size : file_size - begin;
	self->map =
		map_obtain(self->manager, &self->cursor, &self->lock, self->begin, self->size, self->filename, &pin);
	Py_XDECREF(pin);
	self->clients = 1;
	return self->map != NULL ? 0 : -1;
}

static int region_init(region_object *self, PyObject *args, PyObject *kwargs)
{
	static char *names[] = {"path_or_fd", "ofs", "size", "flags", NULL};
	PyObject *target, *ofs_object, *size_object, *flags_object = NULL;
	uint64_t begin, size;
	int flags = 0;
	if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OOO|O:MapRegion", names, &target, &ofs_object,
	                                 &size_object, &flags_object))
		return -1;
	if (self->manager != NULL) {
		PyErr_SetString(PyExc_ValueError, "the region is initialised already");
		return -1;
	}
	if (!names_file(target, "path_or_fd") || as_offset(ofs_object, "ofs", &begin) < 0 ||
	    as_offset(size_object, "size", &size) < 0 ||
	    (flags_object != NULL && as_flags(flags_object, "flags", &flags) < 0))
		return -1;
	if (begin % smmap_allocation_granularity() != 0) {
		PyErr_SetString(PyExc_ValueError, "ofs must be a multiple of ALLOCATIONGRANULARITY");
		return -1;
	}
	self->alone = true;
	if (open_alone(self, target, flags) == 0 && map_alone(self, begin, size) == 0)
		return 0;
	(void)region_clear(self);
	return -1;
}

static int region_traverse(region_object *self, visitproc visit, void *arg)
{
	Py_VISIT(Py_TYPE(self));
	Py_VISIT(self->manager);
	Py_VISIT(self->map);
	Py_VISIT(self->filename);
	return 0;
}

static void region_dealloc(region_object *self)
{
	PyTypeObject *type = Py_TYPE(self);
	PyObject_GC_UnTrack(self);
	if (self->weakrefs != NULL)
		PyObject_ClearWeakRefs((PyObject *)self);
	(void)region_clear(self);
	lock_destroy(&self->lock);
	type->tp_free(self);
	Py_DECREF(type);
}

static PyObject *region_repr(region_object *self)
{
	return PyUnicode_FromFormat("MapRegion<%llu, %llu>", (unsigned long long)self->begin,
	                            (unsigned long long)self->size);
}

/* ---- identity ---- */

static PyObject *region_compare(PyObject *a, PyObject *b, int op)
{
	const module_state *state = state_of(Py_TYPE(a));
	if (state == NULL)
		return NULL;
	if ((op != Py_EQ && op != Py_NE) || !PyObject_TypeCheck(b, state->region_type))
		Py_RETURN_NOTIMPLEMENTED;
	region_object *ra = (region_object *)a, *rb = (region_object *)b;
	bool equal = a == b || (!ra->alone && !rb->alone && ra->manager == rb->manager && ra->manager != NULL &&
	                        smmap_region_equal(&ra->core, &rb->core));
	return PyBool_FromLong(equal == (op == Py_EQ));
}

static Py_hash_t region_hash(region_object *self)
{
	smmap_file_status status;
	if (self->alone || smmap_cursor_status(&self->cursor, &status) != 0)
		return _Py_HashPointer(self);
	uint64_t mix = (status.inode * UINT64_C(0x9E3779B97F4A7C15)) ^ (self->begin + status.device);
	Py_hash_t hash = (Py_hash_t)(mix ^ (mix >> 29));
	return hash == -1 ? -2 : hash;
}

/* ---- memory ---- */

static PyObject *region_map(region_object *self, PyObject *unused)
{
	view_object *pin = NULL;
	(void)unused;
	if (!self->alone) {
		if (self->manager == NULL)
			return raise_invalid(Py_TYPE(self), "the region was not initialised");
		PyObject *map = map_obtain(self->manager, &self->cursor, &self->lock, self->begin, self->size,
		                           self->filename, &pin);
		Py_XDECREF(pin);
		return map;
	}
	PyObject *map;
	Py_BEGIN_CRITICAL_SECTION(self);
	map = self->map;
	Py_XINCREF(map);
	Py_END_CRITICAL_SECTION();
	return map != NULL ? map : raise_invalid(Py_TYPE(self), "the region was released");
}

/* ---- clients ---- */

static PyObject *region_client_count(region_object *self, PyObject *unused)
{
	(void)unused;
	return PyLong_FromUnsignedLongLong(self->alone ? self->clients : smmap_region_client_count(&self->core));
}

static void release_alone(region_object *self)
{
	PyObject *map;
	Py_BEGIN_CRITICAL_SECTION(self);
	map = self->map;
	self->map = NULL;
	self->clients = 0;
	Py_END_CRITICAL_SECTION();
	Py_XDECREF(map);
}

static PyObject *count_alone(region_object *self, long long by)
{
	if (self->map == NULL)
		return raise_invalid(Py_TYPE(self), "the region was released");
	if (by < 0 && (unsigned long long)-by > self->clients) {
		PyErr_SetString(PyExc_ValueError, "ofs would give back more clients than there are");
		return NULL;
	}
	self->clients = by < 0 ? self->clients - (uint64_t)-by : self->clients + (uint64_t)by;
	if (self->clients != 0)
		Py_RETURN_FALSE;
	release_alone(self);
	Py_RETURN_TRUE;
}

static PyObject *region_increment(region_object *self, PyObject *const *args, Py_ssize_t nargs,
                                  PyObject *kwnames)
{
	static const char *const names[] = {"ofs"};
	PyObject *values[1];
	if (sort_arguments("increment_client_count", names, 1, args, nargs, kwnames, values) < 0)
		return NULL;
	long long by = 1;
	if (values[0] != NULL) {
		if (!PyIndex_Check(values[0]))
			return PyErr_Format(PyExc_TypeError, "ofs must be an integer, not %.100s",
			                    Py_TYPE(values[0])->tp_name);
		by = PyLong_AsLongLong(values[0]);
		if (by == -1 && PyErr_Occurred())
			return NULL;
		if (by > INT32_MAX || by < -INT32_MAX)
			return PyErr_Format(PyExc_OverflowError, "ofs is too large");
	}
	if (self->alone)
		return count_alone(self, by);
	lock_take(&self->lock);
	int code = smmap_region_increment_client_count(&self->core, by);
	lock_give(&self->lock);
	if (code == SMMAP_EINVAL) {
		PyErr_SetString(PyExc_ValueError, "ofs would give back more clients than were added by this object");
		return NULL;
	}
	return code < 0 ? raise_code(Py_TYPE(self), code, self->filename) : PyBool_FromLong(code);
}

static PyObject *region_release(region_object *self, PyObject *unused)
{
	(void)unused;
	if (self->alone) {
		release_alone(self);
		Py_RETURN_NONE;
	}
	lock_take(&self->lock);
	int code = smmap_region_release(&self->core);
	lock_give(&self->lock);
	if (code != 0)
		return raise_code(Py_TYPE(self), code, self->filename);
	Py_RETURN_NONE;
}

/* ---- questions ---- */

static PyObject *region_ofs_begin(region_object *self, PyObject *unused)
{
	(void)unused;
	return PyLong_FromUnsignedLongLong(self->begin);
}

static PyObject *region_size(region_object *self, PyObject *unused)
{
	(void)unused;
	return PyLong_FromUnsignedLongLong(self->size);
}

static PyObject *region_ofs_end(region_object *self, PyObject *unused)
{
	(void)unused;
	return PyLong_FromUnsignedLongLong(self->begin + self->size);
}

static PyObject *region_includes_ofs(region_object *self, PyObject *const *args, Py_ssize_t nargs,
                                     PyObject *kwnames)
{
	PyObject *object = only_argument("includes_ofs", "ofs", args, nargs, kwnames);
	if (object == NULL)
		return NULL;
	uint64_t offset;
	if (as_offset(object, "ofs", &offset) < 0) {
		if (!PyErr_ExceptionMatches(PyExc_ValueError) && !PyErr_ExceptionMatches(PyExc_OverflowError))
			return NULL;
		PyErr_Clear();
		Py_RETURN_FALSE;
	}
	return PyBool_FromLong(offset - self->begin < self->size);
}

/* ---- type ---- */

static PyMethodDef region_methods[] = {
	{"buffer", (PyCFunction)region_map, METH_NOARGS, "buffer($self, /)\n--\n\nThe same as map()."},
	{"map", (PyCFunction)region_map, METH_NOARGS, "map($self, /)\n--\n\nThe region's mmap.mmap."},
	{"ofs_begin", (PyCFunction)region_ofs_begin, METH_NOARGS,
     "ofs_begin($self, /)\n--\n\nOffset of the first byte in the file."},
	{"ofs_end", (PyCFunction)region_ofs_end, METH_NOARGS,
     "ofs_end($self, /)\n--\n\nOffset after the last byte in the file."},
	{"size", (PyCFunction)region_size, METH_NOARGS, "size($self, /)\n--\n\nNumber of bytes."},
	{"includes_ofs", (PyCFunction)(void (*)(void))region_includes_ofs, METH_FASTCALL | METH_KEYWORDS,
     "includes_ofs($self, ofs)\n--\n\nWhether the byte at this offset of the file lies in the region."},
	{"client_count", (PyCFunction)region_client_count, METH_NOARGS,
     "client_count($self, /)\n--\n\nNumber of clients; a manager counts as one for its mapped regions."},
	{"increment_client_count", (PyCFunction)(void (*)(void))region_increment, METH_FASTCALL | METH_KEYWORDS,
     "increment_client_count($self, ofs=1)\n--\n\n"
     "Add clients, or give back (negative) what this object added. Returns whether that released the "
     "region."},
	{"release", (PyCFunction)region_release, METH_NOARGS,
     "release($self, /)\n--\n\nLet go of the memory. OSError (EBUSY) while a manager's region is in use."},
	{"__reduce__", no_pickle, METH_NOARGS, NULL},
	{NULL, NULL, 0, NULL},
};

static PyMemberDef region_members[] = {
	{"__weaklistoffset__", T_PYSSIZET, offsetof(region_object, weakrefs), READONLY, NULL},
	{NULL, 0, 0, 0, NULL},
};

static PyType_Slot region_slots[] = {
	{Py_tp_doc, "MapRegion(path_or_fd, ofs, size, flags=0)\n--\n\nA mapped region of a file."},
	{Py_tp_new, region_new},
	{Py_tp_init, region_init},
	{Py_tp_traverse, region_traverse},
	{Py_tp_clear, region_clear},
	{Py_tp_dealloc, region_dealloc},
	{Py_tp_repr, region_repr},
	{Py_tp_richcompare, region_compare},
	{Py_tp_hash, region_hash},
	{Py_tp_methods, region_methods},
	{Py_tp_members, region_members},
	{0, NULL},
};

PyType_Spec region_spec = {"smmap.util.MapRegion", sizeof(region_object), 0,
                           Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC, region_slots};
