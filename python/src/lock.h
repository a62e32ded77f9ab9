/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One lock per object. A cursor of the library belongs to one thread at a time; here two Python threads may use the
 * same object, and the second waits.
 *
 * With a GIL nothing has to be locked as long as the GIL is held: a flag tells that somebody has let the GIL go in the
 * middle of an operation, and the mutex is there to wait on. Without one (free-threaded builds) it is a plain PyMutex.
 *
 *   lock_take(l) ... lock_give(l)                 no Python code may run between them
 *   lock_detach(l, &d) ... lock_attach(l, &d)     within those two: the GIL is let go, the object stays locked
 */
#ifndef SMMAP_PY_LOCK_H
#define SMMAP_PY_LOCK_H

#include <Python.h>

#ifndef Py_BEGIN_CRITICAL_SECTION /* before Python 3.13 */
#define Py_BEGIN_CRITICAL_SECTION(object) {
#define Py_END_CRITICAL_SECTION() }
#endif

#ifdef Py_GIL_DISABLED

typedef PyMutex object_lock;
typedef PyThreadState *lock_detached;

static inline int lock_init(object_lock *l)
{
	*l = (object_lock){0};
	return 0;
}
static inline void lock_destroy(object_lock *l)
{
	(void)l;
}
static inline void lock_take(object_lock *l)
{
	PyMutex_Lock(l);
}
static inline void lock_give(object_lock *l)
{
	PyMutex_Unlock(l);
}
static inline int lock_is_free(const object_lock *l)
{
	(void)l;
	return 0;
}
static inline void lock_detach(object_lock *l, lock_detached *d)
{
	(void)l;
	*d = PyEval_SaveThread();
}
static inline void lock_attach(object_lock *l, lock_detached *d)
{
	(void)l;
	PyEval_RestoreThread(*d);
}

#else

#include <pthread.h>

typedef struct object_lock {
	int busy; /* the GIL was let go in the middle; read and written with the GIL held */
	pthread_mutex_t mutex;
} object_lock;
typedef PyThreadState *lock_detached;

static inline int lock_init(object_lock *l)
{
	l->busy = 0;
	return pthread_mutex_init(&l->mutex, NULL);
}
static inline void lock_destroy(object_lock *l)
{
	pthread_mutex_destroy(&l->mutex);
}
static inline int lock_is_free(const object_lock *l)
{
	return !l->busy;
}
static inline void lock_take(object_lock *l)
{
	while (l->busy) {
		Py_BEGIN_ALLOW_THREADS pthread_mutex_lock(&l->mutex);
		pthread_mutex_unlock(&l->mutex);
		Py_END_ALLOW_THREADS
	}
}
static inline void lock_give(object_lock *l)
{
	(void)l;
}
static inline void lock_detach(object_lock *l, lock_detached *d)
{
	l->busy = 1;
	*d = PyEval_SaveThread();
	pthread_mutex_lock(&l->mutex);
}
static inline void lock_attach(object_lock *l, lock_detached *d)
{
	pthread_mutex_unlock(&l->mutex);
	PyEval_RestoreThread(*d);
	l->busy = 0;
}

#endif

#endif
