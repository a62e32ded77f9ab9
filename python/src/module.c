/* SPDX-License-Identifier: BSD-3-Clause */
/* The module smmap._smmap: its state, its types, and functions on the system and the guard. */
#include "common.h"

#include <stdlib.h>
#include <string.h>

/* ---- state ---- */

module_state *state_of(PyTypeObject *type)
{
#if PY_VERSION_HEX >= 0x030B0000
	PyObject *module = PyType_GetModuleByDef(type, &smmap_module);
	return module != NULL ? PyModule_GetState(module) : NULL;
#else
	/* The type itself, or the nearest base that is ours. */
	PyObject *mro = type->tp_mro;
	for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(mro); i++) {
		PyTypeObject *base = (PyTypeObject *)PyTuple_GET_ITEM(mro, i);
		PyObject *module =
			PyType_HasFeature(base, Py_TPFLAGS_HEAPTYPE) ? ((PyHeapTypeObject *)base)->ht_module : NULL;
		if (module != NULL && PyModule_GetDef(module) == &smmap_module)
			return PyModule_GetState(module);
	}
	PyErr_Format(PyExc_TypeError, "%.100s is no type of smmap", type->tp_name);
	return NULL;
#endif
}

/* ---- the guard ---- */

/*
 * One for the process, whatever the number of interpreters: enabled by the first import and never disabled, for there may
 * be memory to protect until the very end.
 */
static void guard_once(void)
{
	static int done;
	const char *setting = getenv("SMMAP_GUARD");
	if (setting != NULL && strcmp(setting, "0") == 0)
		return;
	if (__atomic_exchange_n(&done, 1, __ATOMIC_ACQ_REL) == 0 && smmap_guard_enable() != 0)
		__atomic_store_n(&done, 0, __ATOMIC_RELEASE);
}

static PyObject *guard(PyObject *module, PyObject *unused)
{
	smmap_guard_info info;
	(void)module;
	(void)unused;
	smmap_guard_status(&info);
	return Py_BuildValue("{sOsOsKsKsKsK}", "enabled", info.enabled > 0 ? Py_True : Py_False, "on_top",
	                     info.on_top ? Py_True : Py_False, "faults", (unsigned long long)info.faults,
	                     "passed", (unsigned long long)info.passed, "rearms", (unsigned long long)info.rearms,
	                     "ranges", (unsigned long long)info.ranges);
}

/* ---- the system ---- */

/* As the original: any integer, also a negative one. */
static PyObject *align_to_mmap(PyObject *module, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
	static const char *const names[] = {"num", "round_up"};
	PyObject *values[2];
	uint64_t num;
	(void)module;
	if (sort_arguments("align_to_mmap", names, 2, args, nargs, kwnames, values) < 0)
		return NULL;
	if (values[0] == NULL || values[1] == NULL)
		return PyErr_Format(PyExc_TypeError, "align_to_mmap() takes two arguments: num and round_up");
	int round_up = PyObject_IsTrue(values[1]);
	if (round_up < 0 || as_offset(values[0], "num", &num) < 0)
		return NULL;
	return PyLong_FromUnsignedLongLong(smmap_align(num, round_up));
}

static PyObject *is_64_bit(PyObject *module, PyObject *unused)
{
	(void)module;
	(void)unused;
	return PyBool_FromLong(smmap_is_64_bit());
}

/* For smmap._map: the memory is unmapped, its pin goes. */
static PyObject *release(PyObject *module, PyObject *object)
{
	const module_state *state = PyModule_GetState(module);
	if (!PyObject_TypeCheck(object, state->view_type) || !((view_object *)object)->is_map)
		return PyErr_Format(PyExc_TypeError, "not the pin of a map");
	smmap_view_release(&((view_object *)object)->core);
	Py_RETURN_NONE;
}

/* ---- the module ---- */

static PyMethodDef functions[] = {
	{"align_to_mmap", (PyCFunction)(void (*)(void))align_to_mmap, METH_FASTCALL | METH_KEYWORDS,
     "align_to_mmap($module, num, round_up)\n--\n\n"
     "num rounded to a multiple of ALLOCATIONGRANULARITY, up or down."},
	{"is_64_bit", is_64_bit, METH_NOARGS, "is_64_bit($module, /)\n--\n\nWhether pointers have 64 bits."},
	{"guard", guard, METH_NOARGS,
     "guard($module, /)\n--\n\n"
     "The state of the guard, which turns a page that cannot be read into zeros and an OSError instead of a "
     "dead\n"
     "interpreter. On by default; SMMAP_GUARD=0 in the environment turns it off. A dict: enabled, on_top "
     "(ours is the\n"
     "handler that SIGBUS reaches first), faults contained, signals passed on, rearms, ranges under guard."},
	{"_release", release, METH_O, NULL},
	{NULL, NULL, 0, NULL},
};

static int add_type(PyObject *module, PyTypeObject **type, PyType_Spec *spec, PyTypeObject *base)
{
	PyObject *bases = base != NULL ? PyTuple_Pack(1, base) : NULL;
	if (base != NULL && bases == NULL)
		return -1;
	*type = (PyTypeObject *)PyType_FromModuleAndSpec(module, spec, bases);
	Py_XDECREF(bases);
	return *type != NULL ? PyModule_AddType(module, *type) : -1;
}

/* Asked of an invalid cursor: documented as AssertionError, by Python's ways a ValueError. */
static int add_error(PyObject *module, module_state *state)
{
	PyObject *bases = PyTuple_Pack(2, PyExc_ValueError, PyExc_AssertionError);
	if (bases == NULL)
		return -1;
	state->invalid_error = PyErr_NewExceptionWithDoc(
		"smmap.InvalidCursorError", "The cursor or buffer has no memory to tell of.", bases, NULL);
	Py_DECREF(bases);
	Py_XINCREF(state->invalid_error);
	if (state->invalid_error == NULL)
		return -1;
	return PyModule_AddObject(module, "InvalidCursorError", state->invalid_error);
}

static int add_names(module_state *state)
{
	state->str_path_or_fd = PyUnicode_InternFromString("path_or_fd");
	state->str_window_cursor_cls = PyUnicode_InternFromString("WindowCursorCls");
	state->str_region_list_cls = PyUnicode_InternFromString("MapRegionListCls");
	state->str_pin = PyUnicode_InternFromString("_pin");
	return state->str_path_or_fd != NULL && state->str_window_cursor_cls != NULL &&
	               state->str_region_list_cls != NULL && state->str_pin != NULL
	           ? 0
	           : -1;
}

static int execute(PyObject *module)
{
	module_state *state = PyModule_GetState(module);
	PyObject *granularity = PyLong_FromUnsignedLongLong(smmap_allocation_granularity());
	if (granularity == NULL || PyModule_AddObject(module, "ALLOCATIONGRANULARITY", granularity) < 0)
		return -1;
	if (add_names(state) < 0 || add_error(module, state) < 0 ||
	    add_type(module, &state->window_type, &window_spec, NULL) < 0 ||
	    add_type(module, &state->view_type, &view_spec, NULL) < 0 ||
	    add_type(module, &state->region_type, &region_spec, NULL) < 0 ||
	    add_type(module, &state->manager_type, &manager_spec, NULL) < 0 ||
	    add_type(module, &state->sliding_type, &sliding_spec, state->manager_type) < 0 ||
	    add_type(module, &state->cursor_type, &cursor_spec, NULL) < 0 ||
	    add_type(module, &state->chunks_type, &chunks_spec, NULL) < 0 ||
	    add_type(module, &state->buffer_type, &buffer_spec, NULL) < 0)
		return -1;
	if (PyModule_AddStringConstant(module, "__version__", smmap_version()) < 0 ||
	    PyModule_AddIntConstant(module, "CHANGE_REPLACED", SMMAP_CHANGE_REPLACED) < 0 ||
	    PyModule_AddIntConstant(module, "CHANGE_GREW", SMMAP_CHANGE_GREW) < 0 ||
	    PyModule_AddIntConstant(module, "CHANGE_SHRANK", SMMAP_CHANGE_SHRANK) < 0 ||
	    PyModule_AddIntConstant(module, "CHANGE_MODIFIED", SMMAP_CHANGE_MODIFIED) < 0 ||
	    PyModule_AddIntConstant(module, "CHANGE_FAULTED", SMMAP_CHANGE_FAULTED) < 0)
		return -1;
	guard_once();
	return 0;
}

/* clang-format off */
#define STATE_OBJECTS(X) \
	X(manager_type) X(sliding_type) X(cursor_type) X(buffer_type) X(chunks_type) \
	X(region_type) X(view_type) X(window_type) X(invalid_error) X(region_map_class) \
	X(str_path_or_fd) X(str_window_cursor_cls) X(str_region_list_cls) X(str_pin)
/* clang-format on */

static int module_traverse(PyObject *module, visitproc visit, void *arg)
{
	const module_state *state = PyModule_GetState(module);
#define VISIT(field) Py_VISIT(state->field);
	STATE_OBJECTS(VISIT)
#undef VISIT
	return 0;
}

static int module_clear(PyObject *module)
{
	module_state *state = PyModule_GetState(module);
#define CLEAR(field) Py_CLEAR(state->field);
	STATE_OBJECTS(CLEAR)
#undef CLEAR
	return 0;
}

static void module_free(void *module)
{
	(void)module_clear(module);
}

static PyModuleDef_Slot module_slots[] = {
	{Py_mod_exec, execute},
#if PY_VERSION_HEX >= 0x030C0000
	{Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
#endif
#if PY_VERSION_HEX >= 0x030D0000
	{Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
	{0, NULL},
};

struct PyModuleDef smmap_module = {
	PyModuleDef_HEAD_INIT,          .m_name = "_smmap",      .m_doc = "The C side of smmap.",
	.m_size = sizeof(module_state), .m_methods = functions,  .m_slots = module_slots,
	.m_traverse = module_traverse,  .m_clear = module_clear, .m_free = module_free,
};

PyMODINIT_FUNC PyInit__smmap(void);
PyMODINIT_FUNC PyInit__smmap(void)
{
	return PyModuleDef_Init(&smmap_module);
}
