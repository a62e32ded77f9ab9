/* SPDX-License-Identifier: BSD-3-Clause */
/* XXH3-128 with AVX2, for processors that have it: 1.1x of SSE2 on data from memory, 2x from the cache. */
typedef int xxh3_avx2_is_only_for_x86_64;

#if defined(__x86_64__)

#include <immintrin.h>
#include <stdlib.h>
#include <string.h>

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2")
#endif

#define XXH_VECTOR 2 /* XXH_AVX2 */
#define XXH3_DIGEST xxh3_avx2
#include "xxh3_body.h"

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

#endif
