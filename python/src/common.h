/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the files of the extension share. The rooms:
 *
 *   module.c   the module, its state, functions on the system and the guard
 *   convert.c  arguments in, errors out
 *   window.c   MapWindow
 *   manager.c  StaticWindowMapManager, SlidingWindowMapManager
 *   cursor.c   WindowCursor
 *   buffer.c   SlidingWindowMapBuffer and its iterator
 *   region.c   MapRegion
 *   view.c     the object behind every memoryview, and mmap.mmap objects over regions
 *
 * In Python's words:
 *
 *   class WindowCursor:        # lazily bound: the file is opened at first use
 *       manager, target        # the manager and the very object that named the file; None: not associated
 *       core                   # smmap_buffer; its cursor is the cursor
 *   class SlidingWindowMapBuffer:
 *       cursor, begin, size    # the cursor's core slides for it
 *
 * Ownership: cursors, regions, views and maps hold their manager; the manager holds nobody. A manager is freed by the
 * library only when nothing of it is open, and that is when its object dies.
 */
#ifndef SMMAP_PY_COMMON_H
#define SMMAP_PY_COMMON_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <smmap.h>

#include <stdbool.h>

#include "lock.h"

/* Copies of this size and more let the GIL go. */
#define LONG_COPY ((uint64_t)16 << 10)

typedef struct module_state {
	PyTypeObject *manager_type;
	PyTypeObject *sliding_type;
	PyTypeObject *cursor_type;
	PyTypeObject *buffer_type;
	PyTypeObject *chunks_type;
	PyTypeObject *region_type;
	PyTypeObject *view_type;
	PyTypeObject *window_type;
	PyObject *invalid_error;    /* ValueError and AssertionError in one */
	PyObject *region_map_class; /* smmap._map.RegionMap, imported when first needed */
	PyObject *str_path_or_fd;
	PyObject *str_window_cursor_cls;
	PyObject *str_region_list_cls;
	PyObject *str_pin;
} module_state;

extern struct PyModuleDef smmap_module;

typedef struct manager_object {
	PyObject_HEAD smmap_manager *core; /* NULL before __init__ */
	PyObject *module;
	module_state *state; /* the module's */
	PyObject *maps;      /* dict: a region's key -> weak reference to its mmap.mmap */
	Py_ssize_t maps_swept;
	uint64_t max_handles;
	PyObject *weakrefs;
} manager_object;

typedef struct view_object {
	PyObject_HEAD smmap_view core;
	manager_object *manager;
	bool is_map; /* the pin of an mmap.mmap: has no buffer of its own */
} view_object;

typedef struct cursor_object {
	PyObject_HEAD smmap_buffer
		core;                /* its cursor is ours; begin and size are lent to the buffer that is at work */
	manager_object *manager; /* NULL: made without one */
	PyObject *target;        /* path or descriptor as given; NULL: not associated */
	PyObject *path;          /* the target as bytes, or NULL for a descriptor */
	int fd;
	uint64_t epoch; /* one more each time it is bound or let go */
	/* The range that is pinned, when one region holds it all; else size 0. */
	uint64_t pinned_begin;
	uint64_t pinned_size;
	bool pinned_to_end; /* of the file, as it was then */
	/* The mmap.mmap of the region, kept while the cursor stays there. */
	PyObject *map;
	view_object *map_pin;
	uint64_t map_begin;
	uint64_t map_size;
	object_lock lock;
	PyObject *weakrefs;
} cursor_object;

/* ---- module.c ---- */

/* The state of the module that a type, or a subclass of it, comes from. NULL with an exception when it is gone. */
module_state *state_of(PyTypeObject *type);

/* ---- convert.c ---- */

/* An integer of 0 ... 2^63 - 1; TypeError, ValueError, OverflowError name the argument. */
int as_offset_slow(PyObject *object, const char *name, uint64_t *value);
int as_flags(PyObject *object, const char *name, int *flags);
/* true when `object` names a file: str, bytes, os.PathLike, an integer. Else TypeError. */
bool names_file(PyObject *object, const char *name);

/* Sorts positional and keyword arguments into `values` (NULL: not given). `function` is for messages. */
int sort_arguments(const char *function, const char *const *names, Py_ssize_t count, PyObject *const *args,
                   Py_ssize_t nargs, PyObject *kwnames, PyObject **values);

/* The one argument that `function` takes, by position or by `name`; borrowed. */
PyObject *only_argument(const char *function, const char *name, PyObject *const *args, Py_ssize_t nargs,
                        PyObject *kwnames);

/* Raises what a code of the library means; returns NULL. `filename` may be NULL. */
PyObject *raise_code(PyTypeObject *type, int code, PyObject *filename);
PyObject *raise_invalid(PyTypeObject *type, const char *message);

/* __reduce__ of what holds mapped memory: TypeError, whatever the protocol. */
PyObject *no_pickle(PyObject *self, PyObject *unused);

/* ---- view.c ---- */

/* A new object that holds nothing yet; and the manager that it will hold something of. */
view_object *view_new(module_state *state);
void view_of_manager(view_object *view, manager_object *manager);
/*
 * bf_releasebuffer of those who export a view's memory in their own name. There is nothing for it to do, since the view is
 * the owner; but where it lacks, numpy takes the memory to live as long as the exporter, and gives the view back.
 */
void release_of_view(PyObject *self, Py_buffer *buffer);
/* A memoryview of it; takes the reference over. */
PyObject *view_to_memoryview(view_object *view);
/* The mmap.mmap over [begin, begin + size) of a cursor's file: the one there is, or a new one. */
PyObject *map_obtain(manager_object *manager, smmap_cursor *cursor, object_lock *lock, uint64_t begin,
                     uint64_t size, PyObject *filename, view_object **pin);

/* ---- cursor.c ---- */

/* Under the lock: opens the file unless it is open. With an exception the lock was given back meanwhile. */
int cursor_bind(cursor_object *self, int flags);
/* To be called when the core may have moved, with the lock given back. */
void cursor_moved(cursor_object *self);
/* What a buffer, a cursor and a region name their file by in errors; borrowed, may be NULL. */
static inline PyObject *cursor_filename(const cursor_object *self)
{
	return self->target;
}

/* ---- region.c ---- */

PyObject *region_of_cursor(cursor_object *cursor);

/* ---- window.c ---- */

PyObject *window_new(PyTypeObject *type, uint64_t offset, uint64_t size);

extern PyType_Spec manager_spec, sliding_spec, cursor_spec, buffer_spec, chunks_spec, region_spec, view_spec,
	window_spec;

/* ---- small integers ---- */

#if PY_VERSION_HEX < 0x030B0000
#include <longintrepr.h>
#endif

/* An exact, small, non-negative int: the common case, without a call. */
static inline bool small_int(PyObject *object, uint64_t *value)
{
	if (!PyLong_CheckExact(object))
		return false;
#if PY_VERSION_HEX >= 0x030C0000
	if (!PyUnstable_Long_IsCompact((PyLongObject *)object))
		return false;
	Py_ssize_t v = PyUnstable_Long_CompactValue((PyLongObject *)object);
	*value = (uint64_t)v;
	return v >= 0;
#else
	Py_ssize_t digits = Py_SIZE(object);
	if (digits != 1 && digits != 0)
		return false;
	*value = digits == 0 ? 0 : ((PyLongObject *)object)->ob_digit[0];
	return true;
#endif
}

static inline int as_offset(PyObject *object, const char *name, uint64_t *value)
{
	return small_int(object, value) ? 0 : as_offset_slow(object, name, value);
}

#endif
