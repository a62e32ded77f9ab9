/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What lies behind exported memory: a view of the library, held until the last memoryview of it is gone, whatever
 * cursors, buffers and collect() do meanwhile; and the same for an mmap.mmap over a region.
 */
#include "common.h"

#include <sys/mman.h>

/* ---- views ---- */

view_object *view_new(module_state *state)
{
	PyTypeObject *type = state != NULL ? state->view_type : NULL;
	if (type == NULL) {
		if (!PyErr_Occurred())
			PyErr_SetString(PyExc_RuntimeError, "smmap: the interpreter is shutting down");
		return NULL;
	}
	view_object *self = PyObject_GC_New(view_object, type);
	if (self == NULL)
		return NULL;
	self->core = (smmap_view)SMMAP_VIEW_INIT;
	self->is_map = false;
	self->manager = NULL;
	PyObject_GC_Track(self);
	return self;
}

void view_of_manager(view_object *view, manager_object *manager)
{
	Py_INCREF(manager);
	view->manager = manager;
}

static int view_traverse(view_object *self, visitproc visit, void *arg)
{
	Py_VISIT(Py_TYPE(self));
	Py_VISIT(self->manager);
	return 0;
}

static void view_dealloc(view_object *self)
{
	PyTypeObject *type = Py_TYPE(self);
	PyObject_GC_UnTrack(self);
	smmap_view_release(&self->core);
	Py_CLEAR(self->manager);
	PyObject_GC_Del(self);
	Py_DECREF(type);
}

static int view_getbuffer(view_object *self, Py_buffer *view, int flags)
{
	static unsigned char nothing;
	if (self->is_map) {
		PyErr_SetString(PyExc_BufferError, "take the buffer of the mmap.mmap instead");
		view->obj = NULL;
		return -1;
	}
	void *data = self->core.data != NULL ? (void *)(uintptr_t)self->core.data : &nothing;
	return PyBuffer_FillInfo(view, (PyObject *)self, data, (Py_ssize_t)self->core.size, 1, flags);
}

void release_of_view(PyObject *self, Py_buffer *buffer)
{
	(void)self;
	(void)buffer;
}

PyObject *view_to_memoryview(view_object *view)
{
	PyObject *memory = PyMemoryView_FromObject((PyObject *)view);
	Py_DECREF(view);
	return memory;
}

static PyMethodDef view_methods[] = {
	{"__reduce__", no_pickle, METH_NOARGS, NULL},
	{NULL, NULL, 0, NULL},
};

static PyType_Slot view_slots[] = {
	{Py_tp_doc, "Memory that a memoryview of smmap shows."},
	{Py_tp_traverse, view_traverse},
	{Py_tp_dealloc, view_dealloc},
	{Py_tp_methods, view_methods},
	{Py_bf_getbuffer, view_getbuffer},
	{0, NULL},
};

#ifndef Py_TPFLAGS_DISALLOW_INSTANTIATION
#define Py_TPFLAGS_DISALLOW_INSTANTIATION 0
#endif

PyType_Spec view_spec = {"smmap._smmap.View", sizeof(view_object), 0,
                         Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION,
                         view_slots};

/* ---- maps ---- */

/* What tells a region from all others of its manager. */
static PyObject *map_key(const smmap_cursor *cursor, uint64_t begin, uint64_t size)
{
	smmap_file_status status;
	if (smmap_cursor_status(cursor, &status) != 0)
		return Py_BuildValue("()");
	return Py_BuildValue("(KKKKK)", (unsigned long long)status.device, (unsigned long long)status.inode,
	                     (unsigned long long)status.generation, (unsigned long long)begin,
	                     (unsigned long long)size);
}

/* The object that a weak reference in `maps` means: a new reference, or NULL without an exception. */
static PyObject *map_alive(PyObject *reference)
{
#if PY_VERSION_HEX >= 0x030D0000
	PyObject *map = NULL;
	(void)PyWeakref_GetRef(reference, &map);
	return map;
#else
	PyObject *map = PyWeakref_GetObject(reference);
	if (map == Py_None)
		return NULL;
	Py_XINCREF(map);
	return map;
#endif
}

static view_object *map_pin(module_state *state, PyObject *map)
{
	PyObject *pin = PyObject_GetAttr(map, state->str_pin);
	if (pin != NULL && !PyObject_TypeCheck(pin, state->view_type)) {
		Py_DECREF(pin);
		pin = NULL;
		PyErr_SetString(PyExc_ValueError, "mmap closed or invalid");
	}
	return (view_object *)pin;
}

static PyObject *map_find(manager_object *manager, PyObject *key, view_object **pin)
{
	PyObject *reference = PyDict_GetItemWithError(manager->maps, key);
	if (reference == NULL)
		return NULL;
	Py_INCREF(reference);
	PyObject *map = map_alive(reference);
	Py_DECREF(reference);
	if (map == NULL)
		return NULL;
	*pin = map_pin(manager->state, map);
	if (*pin != NULL && (*pin)->core.file != NULL)
		return map;
	PyErr_Clear();
	Py_CLEAR(*pin);
	Py_DECREF(map);
	return NULL;
}

/* A file that cannot be mapped: its bytes are read into the anonymous mapping. */
static int map_by_reading(smmap_cursor *cursor, void *address, uint64_t begin, uint64_t size)
{
	int64_t done = 0;
	if (mprotect(address, (size_t)size, PROT_READ | PROT_WRITE) != 0)
		return -errno;
	done = smmap_read(cursor, begin, address, size);
	if (mprotect(address, (size_t)size, PROT_READ) != 0)
		return -errno;
	return done < 0 ? (int)done : 0;
}

static int map_lay(view_object *view, smmap_cursor *cursor, object_lock *lock, uint64_t begin, uint64_t size,
                   void *address)
{
	lock_detached detached;
	lock_take(lock);
	lock_detach(lock, &detached);
	int code = smmap_cursor_map_at(&view->core, cursor, begin, size, address);
	if (code == SMMAP_ENOTSUP) {
		code = map_by_reading(cursor, address, begin, size);
		if (code == 0)
			code = smmap_cursor_view(&view->core, cursor);
	}
	lock_attach(lock, &detached);
	lock_give(lock);
	return code;
}

static PyObject *map_class(module_state *state)
{
	if (state->region_map_class == NULL) {
		PyObject *module = PyImport_ImportModule("smmap._map");
		if (module == NULL)
			return NULL;
		state->region_map_class = PyObject_GetAttrString(module, "RegionMap");
		Py_DECREF(module);
	}
	return state->region_map_class;
}

/* An anonymous mmap.mmap, the pages of the file laid over it. */
static PyObject *map_new(manager_object *manager, smmap_cursor *cursor, object_lock *lock, uint64_t begin,
                         uint64_t size, PyObject *filename, view_object **pin)
{
	Py_buffer buffer;
	PyObject *class = map_class(manager->state);
	if (class == NULL)
		return NULL;
	PyObject *map = PyObject_CallFunction(class, "K", (unsigned long long)size);
	if (map == NULL)
		return NULL;
	if (PyObject_GetBuffer(map, &buffer, PyBUF_SIMPLE) < 0) {
		Py_DECREF(map);
		return NULL;
	}
	view_object *view = view_new(manager->state);
	if (view != NULL) {
		view_of_manager(view, manager);
		view->is_map = true;
		int code = map_lay(view, cursor, lock, begin, size, buffer.buf);
		if (code != 0) {
			raise_code(Py_TYPE(manager), code, filename);
			Py_CLEAR(view);
		}
	}
	PyBuffer_Release(&buffer);
	if (view == NULL || PyObject_SetAttr(map, manager->state->str_pin, (PyObject *)view) < 0) {
		Py_XDECREF(view);
		Py_DECREF(map);
		return NULL;
	}
	*pin = view;
	return map;
}

/* Forgets the maps that are gone, now and then. */
static void map_sweep(manager_object *manager)
{
	Py_ssize_t count = PyDict_Size(manager->maps);
	if (count < manager->maps_swept * 2 + 16)
		return;
	PyObject *items = PyDict_Items(manager->maps);
	for (Py_ssize_t i = 0; items != NULL && i < PyList_GET_SIZE(items); i++) {
		PyObject *item = PyList_GET_ITEM(items, i);
		PyObject *map = map_alive(PyTuple_GET_ITEM(item, 1));
		if (map == NULL && PyDict_DelItem(manager->maps, PyTuple_GET_ITEM(item, 0)) < 0)
			PyErr_Clear();
		Py_XDECREF(map);
	}
	Py_XDECREF(items);
	PyErr_Clear();
	manager->maps_swept = PyDict_Size(manager->maps);
}

/* Makes the new map known, or takes the one instead that another thread made meanwhile. Takes `map` over. */
static PyObject *map_note(manager_object *manager, PyObject *key, PyObject *map, view_object **pin)
{
	PyObject *reference = PyWeakref_NewRef(map, NULL);
	view_object *other_pin = NULL;
	PyObject *other = NULL;
	int result = -1;
	if (reference != NULL) {
		Py_BEGIN_CRITICAL_SECTION(manager);
		other = map_find(manager, key, &other_pin);
		if (other == NULL && !PyErr_Occurred())
			result = PyDict_SetItem(manager->maps, key, reference);
		Py_END_CRITICAL_SECTION();
		Py_DECREF(reference);
	}
	if (result == 0)
		return map;
	Py_DECREF(map);
	Py_DECREF(*pin);
	*pin = other_pin;
	return other;
}

PyObject *map_obtain(manager_object *manager, smmap_cursor *cursor, object_lock *lock, uint64_t begin,
                     uint64_t size, PyObject *filename, view_object **pin)
{
	PyObject *key = map_key(cursor, begin, size);
	if (key == NULL)
		return NULL;
	PyObject *map = map_find(manager, key, pin);
	if (map == NULL && !PyErr_Occurred()) {
		map = map_new(manager, cursor, lock, begin, size, filename, pin);
		if (map != NULL)
			map = map_note(manager, key, map, pin);
		map_sweep(manager);
	}
	Py_DECREF(key);
	return map;
}
