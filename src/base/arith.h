/* SPDX-License-Identifier: BSD-3-Clause */
/* Arithmetic on offsets and sizes that cannot wrap. `unit` is always a power of two. */
#ifndef SMMAP_ARITH_H
#define SMMAP_ARITH_H

#include "base/assert.h"

#include <stdbool.h>
#include <stdint.h>

static inline uint64_t smmap__min(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static inline uint64_t smmap__max(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static inline uint64_t smmap__add_saturating(uint64_t a, uint64_t b)
{
	return b <= UINT64_MAX - a ? a + b : UINT64_MAX;
}

static inline uint64_t smmap__align_down(uint64_t n, uint64_t unit)
{
	smmap__assert(unit != 0 && (unit & (unit - 1)) == 0);
	return n & ~(unit - 1);
}

/* Saturates at the largest multiple of `unit`. */
static inline uint64_t smmap__align_up(uint64_t n, uint64_t unit)
{
	return smmap__align_down(smmap__add_saturating(n, unit - 1), unit);
}

static inline bool smmap__is_power_of_two(uint64_t n)
{
	return n != 0 && (n & (n - 1)) == 0;
}

#endif
