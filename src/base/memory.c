/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/assert.h"
#include "base/memory.h"

#include <string.h>

void *smmap__memory_new(smmap__memory *memory, size_t size)
{
	smmap__assert(memory != NULL && memory->allocate != NULL);
	smmap__assert(size != 0);
	void *block = memory->allocate(size, memory->context);
	if (block == NULL)
		return NULL;
	memset(block, 0, size);
	atomic_fetch_add_explicit(&memory->bytes, size, memory_order_relaxed);
	return block;
}

void smmap__memory_free(smmap__memory *memory, void *block, size_t size)
{
	smmap__assert(memory != NULL && memory->deallocate != NULL);
	if (block == NULL)
		return;
	atomic_fetch_sub_explicit(&memory->bytes, size, memory_order_relaxed);
	memory->deallocate(block, memory->context);
}
