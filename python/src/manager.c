/* SPDX-License-Identifier: BSD-3-Clause */
/* StaticWindowMapManager and SlidingWindowMapManager. */
#include "common.h"

#include <structmember.h>

/* ---- life ---- */

static PyObject *manager_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
	(void)args;
	(void)kwargs;
	module_state *state = state_of(type);
	if (state == NULL)
		return NULL;
	manager_object *self = (manager_object *)type->tp_alloc(type, 0);
	if (self == NULL)
		return NULL;
	self->state = state;
#if PY_VERSION_HEX >= 0x030B0000
	self->module = PyType_GetModuleByDef(type, &smmap_module);
#else
	self->module = PyType_GetModule(state->manager_type);
#endif
	Py_XINCREF(self->module);
	self->maps = PyDict_New();
	if (self->module == NULL || self->maps == NULL) {
		Py_DECREF(self);
		return NULL;
	}
	return (PyObject *)self;
}

static int manager_traverse(manager_object *self, visitproc visit, void *arg)
{
	Py_VISIT(Py_TYPE(self));
	Py_VISIT(self->module);
	Py_VISIT(self->maps);
	return 0;
}

static void manager_dealloc(manager_object *self)
{
	PyTypeObject *type = Py_TYPE(self);
	PyObject_GC_UnTrack(self);
	if (self->weakrefs != NULL)
		PyObject_ClearWeakRefs((PyObject *)self);
	(void)smmap_manager_free(self->core);
	Py_CLEAR(self->maps);
	Py_CLEAR(self->module);
	type->tp_free(self);
	Py_DECREF(type);
}

/* A window size: a multiple of nothing yet; -1 is the default. */
static int as_window_size(PyObject *object, int64_t *value)
{
	uint64_t size;
	if (PyLong_Check(object) && PyLong_AsLong(object) == -1) {
		if (!PyErr_Occurred()) {
			*value = -1;
			return 0;
		}
		PyErr_Clear();
	}
	if (as_offset(object, "window_size", &size) < 0)
		return -1;
	*value = (int64_t)size;
	return 0;
}

/* "ignore", "report" or "refuse", as enum smmap_change_policy. */
static int as_change(PyObject *object, int *value)
{
	static const char *const policies[] = {"ignore", "report", "refuse"};
	if (!PyUnicode_Check(object)) {
		PyErr_Format(PyExc_TypeError, "change must be a str, not %.100s", Py_TYPE(object)->tp_name);
		return -1;
	}
	for (int i = 0; i < 3; i++)
		if (PyUnicode_CompareWithASCIIString(object, policies[i]) == 0) {
			*value = i;
			return 0;
		}
	PyErr_Format(PyExc_ValueError, "change must be 'ignore', 'report' or 'refuse', not %R", object);
	return -1;
}

static int manager_init(manager_object *self, PyObject *args, PyObject *kwargs)
{
	static char *names[] = {"window_size", "max_memory_size", "max_open_handles", "change", NULL};
	PyObject *window = NULL, *memory = NULL, *handles = NULL, *change = NULL;
	smmap_options options = SMMAP_OPTIONS_INIT;
	smmap_manager *core;
	bool sliding = PyObject_TypeCheck((PyObject *)self, self->state->sliding_type);
	if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|OOO$O", names, &window, &memory, &handles, &change))
		return -1;
	options.window_size = sliding ? -1 : 0;
	uint64_t max_handles = (uint64_t)PY_SSIZE_T_MAX;
	if (window != NULL && as_window_size(window, &options.window_size) < 0)
		return -1;
	if (memory != NULL && as_offset(memory, "max_memory_size", &options.max_memory) < 0)
		return -1;
	if (handles != NULL && as_offset(handles, "max_open_handles", &max_handles) < 0)
		return -1;
	if (change != NULL && as_change(change, &options.change) < 0)
		return -1;
	/* A window of size 0 is one of any size: the whole file. */
	options.kind = sliding && options.window_size != 0 ? SMMAP_SLIDING : SMMAP_STATIC;
	/* As the original: nothing is given back before something else is wanted. */
	options.flags = SMMAP_KEEP_ONE;
	if (max_handles < (uint64_t)PY_SSIZE_T_MAX)
		options.max_handles = max_handles != 0 ? max_handles : 1;
	int code = smmap_manager_new(&core, &options);
	if (code != 0) {
		raise_code(Py_TYPE(self), code, NULL);
		return -1;
	}
	code = smmap_manager_free(self->core);
	if (code != 0) {
		(void)smmap_manager_free(core);
		PyErr_SetString(PyExc_ValueError, "the manager is in use already");
		return -1;
	}
	self->core = core;
	self->max_handles = max_handles;
	return 0;
}

static bool is_open(const manager_object *self)
{
	if (self->core == NULL)
		PyErr_SetString(PyExc_ValueError, "the manager was not initialised: __init__ was not called");
	return self->core != NULL;
}

/* ---- cursors ---- */

static PyObject *manager_make_cursor(manager_object *self, PyObject *const *args, Py_ssize_t nargs,
                                     PyObject *kwnames)
{
	PyObject *target = only_argument("make_cursor", "path_or_fd", args, nargs, kwnames);
	if (target == NULL || !is_open(self) || !names_file(target, "path_or_fd"))
		return NULL;
	PyObject *list_class = PyObject_GetAttr((PyObject *)self, self->state->str_region_list_cls);
	PyObject *cursor_class =
		list_class != NULL ? PyObject_GetAttr((PyObject *)self, self->state->str_window_cursor_cls) : NULL;
	PyObject *regions = cursor_class != NULL ? PyObject_CallFunctionObjArgs(list_class, target, NULL) : NULL;
	PyObject *cursor =
		regions != NULL ? PyObject_CallFunctionObjArgs(cursor_class, (PyObject *)self, regions, NULL) : NULL;
	Py_XDECREF(list_class);
	Py_XDECREF(cursor_class);
	Py_XDECREF(regions);
	return cursor;
}

/* ---- giving back ---- */

static PyObject *manager_collect(manager_object *self, PyObject *unused)
{
	uint64_t count;
	(void)unused;
	if (!is_open(self))
		return NULL;
	Py_BEGIN_ALLOW_THREADS count = smmap_manager_collect(self->core);
	Py_END_ALLOW_THREADS return PyLong_FromUnsignedLongLong(count);
}

static PyObject *manager_collect_lru_region(manager_object *self, PyObject *const *args, Py_ssize_t nargs,
                                            PyObject *kwnames)
{
	PyObject *size = only_argument("_collect_lru_region", "size", args, nargs, kwnames);
	if (size == NULL)
		return NULL;
	uint64_t wanted, count;
	if (!is_open(self) || as_offset(size, "size", &wanted) < 0)
		return NULL;
	Py_BEGIN_ALLOW_THREADS count =
		wanted == 0 ? smmap_manager_collect(self->core) : smmap_manager_make_room(self->core, wanted);
	Py_END_ALLOW_THREADS return PyLong_FromUnsignedLongLong(count);
}

static PyObject *manager_force_removal(manager_object *self, PyObject *const *args, Py_ssize_t nargs,
                                       PyObject *kwnames)
{
	PyObject *path = only_argument("force_map_handle_removal_win", "base_path", args, nargs, kwnames);
	if (path == NULL)
		return NULL;
	PyObject *bytes;
	uint64_t pinned = 0;
	int64_t count;
	if (!is_open(self) || !PyUnicode_FSConverter(path, &bytes))
		return NULL;
	Py_BEGIN_ALLOW_THREADS count = smmap_manager_release_path(self->core, PyBytes_AS_STRING(bytes), &pinned);
	Py_END_ALLOW_THREADS Py_DECREF(bytes);
	/* What is not there has nothing mapped under that name. */
	if (count == SMMAP_ENOENT || count == SMMAP_ENOTDIR)
		count = 0;
	if (count < 0)
		return raise_code(Py_TYPE(self), (int)count, path);
	if (pinned != 0 &&
	    PyErr_WarnFormat(PyExc_ResourceWarning, 1, "%llu mapped regions of %R are in use and stay",
	                     (unsigned long long)pinned, path) < 0)
		return NULL;
	return PyLong_FromLongLong(count);
}

/* ---- questions ---- */

#define QUESTION(name)                                                                                       \
	static PyObject *manager_##name(manager_object *self, PyObject *unused)                                  \
	{                                                                                                        \
		(void)unused;                                                                                        \
		return is_open(self) ? PyLong_FromUnsignedLongLong(smmap_manager_##name(self->core)) : NULL;         \
	}
QUESTION(num_file_handles)
QUESTION(num_open_files)
QUESTION(window_size)
QUESTION(mapped_memory_size)
QUESTION(max_mapped_memory_size)
#undef QUESTION

static PyObject *manager_max_file_handles(manager_object *self, PyObject *unused)
{
	(void)unused;
	return is_open(self) ? PyLong_FromUnsignedLongLong(self->max_handles) : NULL;
}

/* clang-format off */
#define STATS(X) \
	X(mapped_bytes) X(exported_bytes) X(handles) X(mappings) X(descriptors) \
	X(files) X(table_bytes) X(peak_mapped_bytes) X(peak_handles) X(peak_mappings) \
	X(peak_descriptors) X(hits) X(misses) X(evictions) X(rescues) \
	X(waits) X(maps) X(unmaps) X(opens) X(copied) \
	X(preads) X(pread_bytes) X(prefetches) X(over_budget) X(retries) \
	X(fallback_private) X(fallback_detached) X(fallback_memory) X(faults) X(errors) X(changed)
/* clang-format on */

static PyObject *manager_stats(manager_object *self, PyObject *unused)
{
	smmap_stats stats;
	(void)unused;
	if (!is_open(self))
		return NULL;
	smmap_manager_stats(self->core, &stats);
	static const struct {
		const char *name;
		size_t at;
	} fields[] = {
#define FIELD(name) {#name, offsetof(smmap_stats, name)},
		STATS(FIELD)
#undef FIELD
	};
	PyObject *dict = PyDict_New();
	for (size_t i = 0; dict != NULL && i < sizeof fields / sizeof *fields; i++) {
		const char *at = (const char *)&stats + fields[i].at;
		PyObject *value = PyLong_FromUnsignedLongLong(*(const uint64_t *)(const void *)at);
		if (value == NULL || PyDict_SetItemString(dict, fields[i].name, value) < 0)
			Py_CLEAR(dict);
		Py_XDECREF(value);
	}
	return dict;
}

/* ---- types ---- */

static PyMethodDef manager_methods[] = {
	{"make_cursor", (PyCFunction)(void (*)(void))manager_make_cursor, METH_FASTCALL | METH_KEYWORDS,
     "make_cursor($self, path_or_fd)\n--\n\n"
     "A cursor of the file. It is opened at the cursor's first use: a missing path raises there, not here."},
	{"collect", (PyCFunction)manager_collect, METH_NOARGS,
     "collect($self, /)\n--\n\nGive back every region that is not in use. Returns how many."},
	{"_collect_lru_region", (PyCFunction)(void (*)(void))manager_collect_lru_region,
     METH_FASTCALL | METH_KEYWORDS,
     "_collect_lru_region($self, size)\n--\n\n"
     "Give back regions that are not in use, the least useful first, until size more bytes fit into the "
     "memory limit;\n"
     "0: all of them. Returns how many."},
	{"force_map_handle_removal_win", (PyCFunction)(void (*)(void))manager_force_removal,
     METH_FASTCALL | METH_KEYWORDS,
     "force_map_handle_removal_win($self, base_path)\n--\n\n"
     "Give back every region of this file that is not in use, so that it can be replaced. Returns how many; "
     "warns\n"
     "(ResourceWarning) of those that are in use and stay."},
	{"num_file_handles", (PyCFunction)manager_num_file_handles, METH_NOARGS,
     "num_file_handles($self, /)\n--\n\nNumber of mapped regions; each counts as one handle."},
	{"num_open_files", (PyCFunction)manager_num_open_files, METH_NOARGS,
     "num_open_files($self, /)\n--\n\nNumber of files with at least one mapped region."},
	{"window_size", (PyCFunction)manager_window_size, METH_NOARGS,
     "window_size($self, /)\n--\n\nSize of a window in bytes; 0: the whole file."},
	{"mapped_memory_size", (PyCFunction)manager_mapped_memory_size, METH_NOARGS,
     "mapped_memory_size($self, /)\n--\n\nNumber of mapped bytes."},
	{"max_file_handles", (PyCFunction)manager_max_file_handles, METH_NOARGS,
     "max_file_handles($self, /)\n--\n\nLimit of mapped regions."},
	{"max_mapped_memory_size", (PyCFunction)manager_max_mapped_memory_size, METH_NOARGS,
     "max_mapped_memory_size($self, /)\n--\n\nLimit of mapped bytes."},
	{"stats", (PyCFunction)manager_stats, METH_NOARGS,
     "stats($self, /)\n--\n\nA dict of all counters since the manager was made, sizes in bytes."},
	{"__reduce__", no_pickle, METH_NOARGS, NULL},
	{NULL, NULL, 0, NULL},
};

static PyMemberDef manager_members[] = {
	{"__weaklistoffset__", T_PYSSIZET, offsetof(manager_object, weakrefs), READONLY, NULL},
	{NULL, 0, 0, 0, NULL},
};

static PyType_Slot manager_slots[] = {
	{Py_tp_doc, "StaticWindowMapManager(window_size=0, max_memory_size=0, max_open_handles=sys.maxsize, *, "
                "change='ignore')"
                "\n--\n\nOne budget over many files, each mapped as a whole."},
	{Py_tp_new, manager_new},
	{Py_tp_init, manager_init},
	{Py_tp_traverse, manager_traverse},
	{Py_tp_dealloc, manager_dealloc},
	{Py_tp_methods, manager_methods},
	{Py_tp_members, manager_members},
	{0, NULL},
};

static PyType_Slot sliding_slots[] = {
	{Py_tp_doc, "SlidingWindowMapManager(window_size=-1, max_memory_size=0, max_open_handles=sys.maxsize, *, "
                "change='ignore')"
                "\n--\n\nOne budget over many files, of which windows of a given size are mapped."},
	{0, NULL},
};

PyType_Spec manager_spec = {"smmap.mman.StaticWindowMapManager", sizeof(manager_object), 0,
                            Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC, manager_slots};
PyType_Spec sliding_spec = {"smmap.mman.SlidingWindowMapManager", sizeof(manager_object), 0,
                            Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE, sliding_slots};
