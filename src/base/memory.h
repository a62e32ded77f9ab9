/* SPDX-License-Identifier: BSD-3-Clause */
/* Where a manager's own memory comes from: the caller's allocator or the system's, with its sum. */
#ifndef SMMAP_MEMORY_H
#define SMMAP_MEMORY_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

typedef struct smmap__memory {
	void *(*allocate)(size_t size, void *context);
	void (*deallocate)(void *block, void *context);
	void *context;
	_Atomic uint64_t bytes; /* of tables; contents of files that are read into memory are not counted here */
} smmap__memory;

/* `size` bytes of zeros, counted; NULL when there is no memory. */
void *smmap__memory_new(smmap__memory *memory, size_t size);
/* Gives back what smmap__memory_new gave, with the same size. NULL is allowed. */
void smmap__memory_free(smmap__memory *memory, void *block, size_t size);

#endif
