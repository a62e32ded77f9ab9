/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Keeps books of what the library holds: allocations and mapped bytes by its own account of the os table's calls,
 * descriptors as the system tells. The runner compares them before and after each test; a test may do so around
 * any of its steps.
 */
#ifndef SMMAP_TESTS_BOOKS_H
#define SMMAP_TESTS_BOOKS_H

#include <stdbool.h>
#include <stdint.h>

typedef struct books_figures {
	uint64_t allocations;     /* live */
	uint64_t allocated_bytes; /* live */
	uint64_t mapped_bytes;    /* live, reserved address space included */
	uint64_t descriptors;     /* open in the process */
	uint64_t maps;            /* successful calls of map so far */
	uint64_t unmaps;          /* successful calls of unmap so far */
} books_figures;

/* Begins to keep books. What is held now is forgiven: only what comes later must be given back. */
void books_open(void);

/* The figures now. Allocations and mappings are counted since books_open. */
books_figures books_now(void);

/* Fails the test when something else is held than was at `before`. */
void books_assert_same(const books_figures *before);

/* true when all that was taken since books_open was given back; else prints what was not. */
bool books_balanced(void);

#endif
