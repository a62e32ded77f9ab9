/* SPDX-License-Identifier: BSD-3-Clause */
/* Arguments in, errors out. */
#include "common.h"

#include <ctype.h>
#include <limits.h>
#include <string.h>

/* ---- arguments ---- */

int as_offset_slow(PyObject *object, const char *name, uint64_t *value)
{
	int overflow;
	if (!PyIndex_Check(object)) {
		PyErr_Format(PyExc_TypeError, "%s must be an integer, not %.100s", name, Py_TYPE(object)->tp_name);
		return -1;
	}
	PyObject *number = PyNumber_Index(object);
	if (number == NULL)
		return -1;
	long long v = PyLong_AsLongLongAndOverflow(number, &overflow);
	Py_DECREF(number);
	if (v == -1 && overflow == 0 && PyErr_Occurred())
		return -1;
	if (overflow < 0 || (overflow == 0 && v < 0)) {
		PyErr_Format(PyExc_ValueError, "%s must not be negative", name);
		return -1;
	}
	if (overflow > 0) {
		PyErr_Format(PyExc_OverflowError, "%s must be less than 2^63", name);
		return -1;
	}
	*value = (uint64_t)v;
	return 0;
}

int as_flags(PyObject *object, const char *name, int *flags)
{
	if (!PyIndex_Check(object)) {
		PyErr_Format(PyExc_TypeError, "%s must be an integer, not %.100s", name, Py_TYPE(object)->tp_name);
		return -1;
	}
	PyObject *number = PyNumber_Index(object);
	if (number == NULL)
		return -1;
	long v = PyLong_AsLong(number);
	Py_DECREF(number);
	if (v == -1 && PyErr_Occurred())
		return -1;
	if (v > INT_MAX || v < INT_MIN) {
		PyErr_Format(PyExc_OverflowError, "%s does not fit into a C int", name);
		return -1;
	}
	*flags = (int)v;
	return 0;
}

bool names_file(PyObject *object, const char *name)
{
	if (PyUnicode_Check(object) || PyBytes_Check(object) || PyIndex_Check(object))
		return true;
	PyObject *fspath = PyObject_GetAttrString((PyObject *)Py_TYPE(object), "__fspath__");
	if (fspath != NULL) {
		Py_DECREF(fspath);
		return true;
	}
	if (PyErr_ExceptionMatches(PyExc_AttributeError))
		PyErr_Format(PyExc_TypeError, "%s must be str, bytes, os.PathLike or a descriptor, not %.100s", name,
		             Py_TYPE(object)->tp_name);
	return false;
}

int sort_arguments(const char *function, const char *const *names, Py_ssize_t count, PyObject *const *args,
                   Py_ssize_t nargs, PyObject *kwnames, PyObject **values)
{
	if (nargs > count) {
		PyErr_Format(PyExc_TypeError, "%s() takes at most %zd arguments (%zd given)", function, count, nargs);
		return -1;
	}
	for (Py_ssize_t i = 0; i < count; i++)
		values[i] = i < nargs ? args[i] : NULL;
	Py_ssize_t named = kwnames != NULL ? PyTuple_GET_SIZE(kwnames) : 0;
	for (Py_ssize_t k = 0; k < named; k++) {
		PyObject *key = PyTuple_GET_ITEM(kwnames, k);
		Py_ssize_t i = 0;
		while (i < count && PyUnicode_CompareWithASCIIString(key, names[i]) != 0)
			i++;
		if (i == count) {
			PyErr_Format(PyExc_TypeError, "%s() got an unexpected keyword argument '%U'", function, key);
			return -1;
		}
		if (values[i] != NULL) {
			PyErr_Format(PyExc_TypeError, "%s() got multiple values for argument '%s'", function, names[i]);
			return -1;
		}
		values[i] = args[nargs + k];
	}
	return 0;
}

PyObject *only_argument(const char *function, const char *name, PyObject *const *args, Py_ssize_t nargs,
                        PyObject *kwnames)
{
	PyObject *value;
	if (nargs == 1 && kwnames == NULL)
		return args[0];
	if (sort_arguments(function, &name, 1, args, nargs, kwnames, &value) < 0)
		return NULL;
	if (value == NULL)
		PyErr_Format(PyExc_TypeError, "%s() needs the argument %s", function, name);
	return value;
}

/* ---- errors ---- */

static int errno_of(int code)
{
	switch (code) {
	case SMMAP_ENOTREG:
		return ENODEV;
	case SMMAP_ETRUNCATED:
	case SMMAP_EFAULTED:
		return EIO;
	case SMMAP_ECHANGED:
		return ESTALE;
	case SMMAP_EBUDGET:
		return ENOMEM;
	default:
		return -code;
	}
}

/* The system's own words where the library has none to add. */
static const char *text_of(int code)
{
	switch (code) {
	case SMMAP_ENOTREG:
	case SMMAP_ETRUNCATED:
	case SMMAP_EFAULTED:
	case SMMAP_ECHANGED:
	case SMMAP_EBUDGET:
	case SMMAP_ESTALE:
	case SMMAP_EAGAIN:
	case SMMAP_ENOMEM:
		return smmap_strerror(code);
	default:
		return strerror(-code);
	}
}

PyObject *raise_invalid(PyTypeObject *type, const char *message)
{
	const module_state *state = state_of(type);
	if (state != NULL)
		PyErr_SetString(state->invalid_error, message);
	return NULL;
}

PyObject *no_pickle(PyObject *self, PyObject *unused)
{
	(void)unused;
	return PyErr_Format(PyExc_TypeError,
	                    "cannot pickle or copy '%.100s' object: it stands for memory of this process",
	                    Py_TYPE(self)->tp_name);
}

PyObject *raise_code(PyTypeObject *type, int code, PyObject *filename)
{
	if (code == SMMAP_ECLOSED)
		return raise_invalid(type, smmap_strerror(code));
	PyObject *error = PyObject_CallFunction(PyExc_OSError, "isO", errno_of(code), text_of(code),
	                                        filename != NULL ? filename : Py_None);
	if (error != NULL) {
		PyErr_SetObject((PyObject *)Py_TYPE(error), error);
		Py_DECREF(error);
	}
	return NULL;
}
