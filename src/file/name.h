/* SPDX-License-Identifier: BSD-3-Clause */
/* The name by which a cursor's file was opened: a path or the caller's descriptor. Shared, counted, never changed. */
#ifndef SMMAP_NAME_H
#define SMMAP_NAME_H

#include "base/memory.h"

typedef struct smmap__name {
	_Atomic uint32_t references;
	int descriptor; /* the caller's; negative for a path */
	size_t size;    /* of the whole block */
	char path[];    /* empty for a descriptor */
} smmap__name;

/* A name with one reference; `path` NULL for a descriptor. NULL without memory. */
smmap__name *smmap__name_new(smmap__memory *memory, const char *path, int descriptor);
smmap__name *smmap__name_take(smmap__name *name);
/* NULL is allowed. */
void smmap__name_give(smmap__name *name, smmap__memory *memory);

static inline int smmap__name_is_path(const smmap__name *name)
{
	return name->descriptor < 0;
}

#endif
