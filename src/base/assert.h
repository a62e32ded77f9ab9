/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Assertions: what holds unless the library itself has a bug, and so costs nothing in a release. They are on with
 * -Dinvariants=true; what callers do wrong is an error code instead.
 */
#ifndef SMMAP_ASSERT_H
#define SMMAP_ASSERT_H

#if defined(SMMAP_INVARIANTS) && !defined(NDEBUG)
#include <assert.h>
#define smmap__assert(condition) assert(condition)
#elif defined(                                                                                               \
	SMMAP_INVARIANTS) /* coverage is measured: no condition that is never looked at is to be counted */
#define smmap__assert(condition) ((void)0)
#else
#define smmap__assert(condition) ((void)sizeof(!(condition)))
#endif

#endif
