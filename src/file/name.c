/* SPDX-License-Identifier: BSD-3-Clause */
#include "file/name.h"

#include "base/assert.h"

#include <string.h>

smmap__name *smmap__name_new(smmap__memory *memory, const char *path, int descriptor)
{
	smmap__assert(path != NULL || descriptor >= 0);
	size_t length = path != NULL ? strlen(path) : 0;
	size_t size = sizeof(smmap__name) + length + 1;
	smmap__name *name = smmap__memory_new(memory, size);
	if (name == NULL)
		return NULL;
	atomic_init(&name->references, 1);
	name->descriptor = path != NULL ? -1 : descriptor;
	name->size = size;
	if (path != NULL)
		memcpy(name->path, path, length + 1);
	return name;
}

smmap__name *smmap__name_take(smmap__name *name)
{
	smmap__assert(name != NULL);
	smmap__assert(atomic_load_explicit(&name->references, memory_order_relaxed) != 0);
	atomic_fetch_add_explicit(&name->references, 1, memory_order_relaxed);
	return name;
}

void smmap__name_give(smmap__name *name, smmap__memory *memory)
{
	if (name != NULL && atomic_fetch_sub_explicit(&name->references, 1, memory_order_acq_rel) == 1)
		smmap__memory_free(memory, name, name->size);
}
