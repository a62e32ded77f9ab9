/* SPDX-License-Identifier: BSD-3-Clause */
/* The event counters of a manager; relaxed, since no one of them is compared with another. */
#ifndef SMMAP_COUNTERS_H
#define SMMAP_COUNTERS_H

#include "base/assert.h"

#include <stdatomic.h>
#include <stdint.h>

typedef struct smmap__counters {
	_Atomic uint64_t hits;
	_Atomic uint64_t misses;
	_Atomic uint64_t evictions;
	_Atomic uint64_t rescues;
	_Atomic uint64_t waits;
	_Atomic uint64_t maps;
	_Atomic uint64_t unmaps;
	_Atomic uint64_t opens;
	_Atomic uint64_t copied;
	_Atomic uint64_t preads;
	_Atomic uint64_t pread_bytes;
	_Atomic uint64_t prefetches;
	_Atomic uint64_t over_budget;
	_Atomic uint64_t retries;
	_Atomic uint64_t fallback_private;
	_Atomic uint64_t fallback_detached;
	_Atomic uint64_t fallback_memory;
	_Atomic uint64_t faults;
	_Atomic uint64_t errors;
	_Atomic uint64_t changed;
} smmap__counters;

static inline void smmap__count(_Atomic uint64_t *counter, uint64_t by)
{
	atomic_fetch_add_explicit(counter, by, memory_order_relaxed);
}

/* Raises `peak` to `value` where it is lower. */
static inline void smmap__raise_peak(_Atomic uint64_t *peak, uint64_t value)
{
	uint64_t seen = atomic_load_explicit(peak, memory_order_relaxed);
	while (seen < value && !atomic_compare_exchange_weak_explicit(peak, &seen, value, memory_order_relaxed,
	                                                              memory_order_relaxed))
		;
}

/* A number that goes up and down, and the highest it ever was. */
typedef struct smmap__gauge {
	_Atomic uint64_t now;
	_Atomic uint64_t peak;
} smmap__gauge;

/* Returns the new value. */
static inline uint64_t smmap__gauge_add(smmap__gauge *gauge, uint64_t by)
{
	uint64_t now = atomic_fetch_add_explicit(&gauge->now, by, memory_order_relaxed) + by;
	smmap__raise_peak(&gauge->peak, now);
	return now;
}

/* Returns the new value. */
static inline uint64_t smmap__gauge_sub(smmap__gauge *gauge, uint64_t by)
{
	uint64_t before = atomic_fetch_sub_explicit(&gauge->now, by, memory_order_relaxed);
	smmap__assert(before >= by);
	return before - by;
}

static inline uint64_t smmap__gauge_now(const smmap__gauge *gauge)
{
	return atomic_load_explicit(&gauge->now, memory_order_relaxed);
}

#endif
