/* SPDX-License-Identifier: BSD-3-Clause */
/* MapWindow: a range of a file, a plain value. */
#include "common.h"

#include <structmember.h>

typedef struct window_object {
	PyObject_HEAD smmap_window core;
} window_object;

static int window_init(window_object *self, PyObject *args, PyObject *kwargs)
{
	static char *names[] = {"offset", "size", NULL};
	PyObject *offset, *size;
	smmap_window window;
	if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OO:MapWindow", names, &offset, &size))
		return -1;
	if (as_offset(offset, "offset", &window.offset) < 0 || as_offset(size, "size", &window.size) < 0)
		return -1;
	self->core = window;
	return 0;
}

PyObject *window_new(PyTypeObject *type, uint64_t offset, uint64_t size)
{
	window_object *self = (window_object *)type->tp_alloc(type, 0);
	if (self != NULL)
		self->core = (smmap_window){offset, size};
	return (PyObject *)self;
}

static void window_dealloc(PyObject *self)
{
	PyTypeObject *type = Py_TYPE(self);
	type->tp_free(self);
	Py_DECREF(type);
}

static PyObject *window_repr(window_object *self)
{
	return PyUnicode_FromFormat("MapWindow(%llu, %llu)", (unsigned long long)self->core.offset,
	                            (unsigned long long)self->core.size);
}

static PyObject *window_compare(PyObject *a, PyObject *b, int op)
{
	const module_state *state = state_of(Py_TYPE(a));
	if (state == NULL)
		return NULL;
	if ((op != Py_EQ && op != Py_NE) || !PyObject_TypeCheck(b, state->window_type))
		Py_RETURN_NOTIMPLEMENTED;
	const smmap_window *wa = &((window_object *)a)->core, *wb = &((window_object *)b)->core;
	bool equal = wa->offset == wb->offset && wa->size == wb->size;
	return PyBool_FromLong(equal == (op == Py_EQ));
}

static PyObject *window_get(window_object *self, void *field)
{
	return PyLong_FromUnsignedLongLong(field == NULL ? self->core.offset : self->core.size);
}

static int window_set(window_object *self, PyObject *value, void *field)
{
	const char *name = field == NULL ? "ofs" : "size";
	uint64_t number;
	if (value == NULL) {
		PyErr_Format(PyExc_AttributeError, "%s cannot be deleted", name);
		return -1;
	}
	if (as_offset(value, name, &number) < 0)
		return -1;
	*(field == NULL ? &self->core.offset : &self->core.size) = number;
	return 0;
}

static PyObject *window_ofs_begin(window_object *self, PyObject *unused)
{
	(void)unused;
	return PyLong_FromUnsignedLongLong(self->core.offset);
}

static PyObject *window_ofs_end(window_object *self, PyObject *unused)
{
	(void)unused;
	return PyLong_FromUnsignedLongLong(smmap_window_end(&self->core));
}

static PyObject *window_align(window_object *self, PyObject *unused)
{
	(void)unused;
	smmap_window_align(&self->core);
	Py_RETURN_NONE;
}

typedef void extend(smmap_window *, const smmap_window *, uint64_t);

static PyObject *window_extend(window_object *self, extend *how, const char *name, PyObject *const *args,
                               Py_ssize_t nargs, PyObject *kwnames)
{
	static const char *const names[] = {"window", "max_size"};
	PyObject *values[2];
	uint64_t max_size;
	if (sort_arguments(name, names, 2, args, nargs, kwnames, values) < 0)
		return NULL;
	if (values[0] == NULL || values[1] == NULL)
		return PyErr_Format(PyExc_TypeError, "%s() takes two arguments: window and max_size", name);
	const module_state *state = state_of(Py_TYPE(self));
	if (state == NULL)
		return NULL;
	if (!PyObject_TypeCheck(values[0], state->window_type))
		return PyErr_Format(PyExc_TypeError, "window must be a MapWindow, not %.100s",
		                    Py_TYPE(values[0])->tp_name);
	if (as_offset(values[1], "max_size", &max_size) < 0)
		return NULL;
	how(&self->core, &((window_object *)values[0])->core, max_size);
	Py_RETURN_NONE;
}

static PyObject *window_extend_left_to(window_object *self, PyObject *const *args, Py_ssize_t nargs,
                                       PyObject *kwnames)
{
	return window_extend(self, smmap_window_extend_left_to, "extend_left_to", args, nargs, kwnames);
}

static PyObject *window_extend_right_to(window_object *self, PyObject *const *args, Py_ssize_t nargs,
                                        PyObject *kwnames)
{
	return window_extend(self, smmap_window_extend_right_to, "extend_right_to", args, nargs, kwnames);
}

/* Of anything that has the two methods, so that a subclass of MapRegion's kin will do. */
static PyObject *window_from_region(PyObject *type, PyObject *const *args, Py_ssize_t nargs,
                                    PyObject *kwnames)
{
	PyObject *region = only_argument("from_region", "region", args, nargs, kwnames);
	if (region == NULL)
		return NULL;
	PyObject *begin = PyObject_CallMethod(region, "ofs_begin", NULL);
	PyObject *size = begin != NULL ? PyObject_CallMethod(region, "size", NULL) : NULL;
	PyObject *window = size != NULL ? PyObject_CallFunctionObjArgs(type, begin, size, NULL) : NULL;
	Py_XDECREF(begin);
	Py_XDECREF(size);
	return window;
}

/* A value: it can be copied and pickled, attributes of subclasses included. */
static PyObject *window_reduce(PyObject *self, PyObject *unused)
{
	const smmap_window *core = &((window_object *)self)->core;
	(void)unused;
	PyObject *state = PyObject_GetAttrString(self, "__dict__");
	if (state == NULL) {
		if (!PyErr_ExceptionMatches(PyExc_AttributeError))
			return NULL;
		PyErr_Clear();
		Py_INCREF(Py_None);
		state = Py_None;
	}
	return Py_BuildValue("O(KK)N", Py_TYPE(self), (unsigned long long)core->offset,
	                     (unsigned long long)core->size, state);
}

static PyMethodDef window_methods[] = {
	{"__reduce__", window_reduce, METH_NOARGS, NULL},
	{"ofs_begin", (PyCFunction)window_ofs_begin, METH_NOARGS,
     "ofs_begin($self, /)\n--\n\nOffset of the first byte; the same as ofs."},
	{"ofs_end", (PyCFunction)window_ofs_end, METH_NOARGS,
     "ofs_end($self, /)\n--\n\nOffset after the last byte."},
	{"align", (PyCFunction)window_align, METH_NOARGS,
     "align($self, /)\n--\n\nMove the offset down and the end up to multiples of ALLOCATIONGRANULARITY."},
	{"extend_left_to", (PyCFunction)(void (*)(void))window_extend_left_to, METH_FASTCALL | METH_KEYWORDS,
     "extend_left_to($self, window, max_size)\n--\n\n"
     "Extend down to the end of the window on the left, but to no more than max_size bytes."},
	{"extend_right_to", (PyCFunction)(void (*)(void))window_extend_right_to, METH_FASTCALL | METH_KEYWORDS,
     "extend_right_to($self, window, max_size)\n--\n\n"
     "Extend up to the begin of the window on the right, but to no more than max_size bytes."},
	{"from_region", (PyCFunction)(void (*)(void))window_from_region,
     METH_FASTCALL | METH_KEYWORDS | METH_CLASS,
     "from_region($type, region)\n--\n\nThe window that a region covers."},
	{NULL, NULL, 0, NULL},
};

static PyGetSetDef window_getset[] = {
	{"ofs", (getter)window_get, (setter)window_set, "offset of the first byte", NULL},
	{"size", (getter)window_get, (setter)window_set, "number of bytes", (void *)1},
	{NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot window_slots[] = {
	{Py_tp_doc, "MapWindow(offset, size)\n--\n\nA range of a file."},
	{Py_tp_new, PyType_GenericNew},
	{Py_tp_init, window_init},
	{Py_tp_dealloc, window_dealloc},
	{Py_tp_repr, window_repr},
	{Py_tp_richcompare, window_compare},
	{Py_tp_hash, PyObject_HashNotImplemented},
	{Py_tp_methods, window_methods},
	{Py_tp_getset, window_getset},
	{0, NULL},
};

PyType_Spec window_spec = {"smmap.util.MapWindow", sizeof(window_object), 0,
                           Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE, window_slots};
