/* SPDX-License-Identifier: BSD-3-Clause */
#include "xxh3.h"

const struct digest *xxh3_load(void)
{
#if defined(__x86_64__)
	if (__builtin_cpu_supports("avx2"))
		return &xxh3_avx2;
#endif
	return &xxh3_base;
}
