/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What include/smmap.h declares, read from the header itself: so that a test of all functions or of all their parameters
 * fails when one is added that it does not know.
 */
#ifndef SMMAP_TESTS_HEADER_H
#define SMMAP_TESTS_HEADER_H

#include <stdbool.h>
#include <stddef.h>

/* Calls `see` for each public function, those in the header itself included. */
void header_each_function(void (*see)(const char *function, void *context), void *context);

/* Calls `see` for each parameter of an integer type: "function.parameter" and the type. */
void header_each_integer(void (*see)(const char *name, const char *type, void *context), void *context);

#endif
