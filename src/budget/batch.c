/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How many stable regions are given back at a time. Each give-back interrupts the other processors that run this process, so
 * that two threads which miss are slower than one; one system call for many regions interrupts once. But what is given back
 * before it must be is missed when it is asked for again. So the number grows while that does not happen, and is halved where more
 * than one miss in REGRET was for a region of the last batch. (That counts such a miss also where the region would have been
 * given back by then in any case, about every second time: what is lost is less than that.)
 */
#include "budget/budget.h"

#include "base/arith.h"
#include "base/assert.h"

enum {
	BATCH_MAX = 64,  /* more gains nothing that can be measured */
	ALWAYS_ONE = 32, /* regions up to which the budget is used to the last one */
	BATCH_SHARE = 8, /* of all regions, at most, are given back at a time */
	REGRET = 250,    /* misses that pay for one of a region that was given back too early */
	HALVED_AT = 500, /* unpaid misses */
	GROWS_AT = -64   /* misses in advance */
};

void smmap__batch_missed(smmap__budget *budget, uint32_t stamp)
{
	uint32_t size = atomic_load_explicit(&budget->batch, memory_order_relaxed);
	uint32_t age = atomic_load_explicit(&budget->evict.clock, memory_order_relaxed) - stamp;
	if (stamp != 0 && age < size)
		atomic_fetch_add_explicit(&budget->regret, REGRET, memory_order_relaxed);
	else if (atomic_load_explicit(&budget->regret, memory_order_relaxed) > GROWS_AT)
		atomic_fetch_sub_explicit(&budget->regret, 1, memory_order_relaxed);
}

/* Threads may take turns in the middle of this: the number is right again with the next batch. */
unsigned smmap__batch_next(smmap__budget *budget)
{
	smmap__assert(smmap__gauge_now(&budget->handles) != UINT64_MAX);
	uint64_t handles = smmap__gauge_now(&budget->handles);
	uint32_t size = atomic_load_explicit(&budget->batch, memory_order_relaxed);
	int32_t regret = atomic_load_explicit(&budget->regret, memory_order_relaxed);
	if (!smmap__os_facts_now.can_zap_many || handles < ALWAYS_ONE)
		return 1;
	if (regret > HALVED_AT || regret <= GROWS_AT) {
		size = regret > 0 ? size / 2 : size + 1;
		atomic_store_explicit(&budget->regret, 0, memory_order_relaxed);
	}
	size = (uint32_t)smmap__min(smmap__min(size, BATCH_MAX), handles / BATCH_SHARE);
	atomic_store_explicit(&budget->batch, size, memory_order_relaxed);
	return size != 0 ? size : 1;
}
