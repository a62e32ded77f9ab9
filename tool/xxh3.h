/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * XXH3-128, by xxhash.h compiled into the tool: a shared libxxhash would cost a third of the time of a run
 * over a small file, and Debian's static one has no choice of instructions at run time. Each file xxh3_*.c is
 * that header compiled for other instructions; xxh3_load takes the best that the processor has.
 */
#ifndef SMMAP_TOOL_XXH3_H
#define SMMAP_TOOL_XXH3_H

#include "digest.h"

const struct digest *xxh3_load(void);

extern const struct digest xxh3_base;
#if defined(__x86_64__)
extern const struct digest xxh3_avx2;
#endif

#endif
