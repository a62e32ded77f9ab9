/* SPDX-License-Identifier: BSD-3-Clause */
/* Charging, giving back, waiting. */
#include "budget/budget.h"

#include "base/arith.h"
#include "base/assert.h"

int smmap__budget_init(smmap__budget *budget, smmap__shared *shared)
{
	budget->shared = shared;
	int code = smmap__evict_init(&budget->evict);
	if (code != 0)
		return code;
	code = smmap__os_mutex_init(&budget->wait_lock);
	if (code != 0)
		goto no_wait_lock;
	code = smmap__os_cond_init(&budget->wait_over);
	if (code != 0)
		goto no_wait_over;
	return 0;
no_wait_over:
	pthread_mutex_destroy(&budget->wait_lock);
no_wait_lock:
	smmap__evict_destroy(&budget->evict);
	return code;
}

void smmap__budget_destroy(smmap__budget *budget)
{
	smmap__assert(smmap__gauge_now(&budget->bytes) == 0);
	smmap__assert(smmap__gauge_now(&budget->handles) == 0);
	smmap__assert(atomic_load_explicit(&budget->slack, memory_order_relaxed) == 0);
	pthread_cond_destroy(&budget->wait_over);
	pthread_mutex_destroy(&budget->wait_lock);
	smmap__evict_destroy(&budget->evict);
}

/* ---- charging ---- */

uint64_t smmap__budget_slack(uint64_t length)
{
	return smmap__align_up(length, smmap__os_facts_now.page_size) - length;
}

void smmap__budget_charge(smmap__budget *budget, smmap__file *file, uint64_t length)
{
	smmap__assert(length != 0);
	smmap__assert(file != NULL);
	smmap__gauge_add(&budget->bytes, length);
	smmap__count(&budget->slack, smmap__budget_slack(length));
	smmap__gauge_add(&budget->handles, 1);
	if (atomic_fetch_add_explicit(&file->mapped, 1, memory_order_relaxed) == 0)
		atomic_fetch_add_explicit(&budget->open_files, 1, memory_order_relaxed);
}

void smmap__budget_uncharge(smmap__budget *budget, smmap__file *file, uint64_t length)
{
	smmap__assert(length != 0);
	smmap__assert(smmap__gauge_now(&budget->handles) != 0);
	smmap__gauge_sub(&budget->bytes, length);
	atomic_fetch_sub_explicit(&budget->slack, smmap__budget_slack(length), memory_order_relaxed);
	smmap__gauge_sub(&budget->handles, 1);
	if (atomic_fetch_sub_explicit(&file->mapped, 1, memory_order_relaxed) == 1)
		atomic_fetch_sub_explicit(&budget->open_files, 1, memory_order_relaxed);
}

/* Whether `bytes` and `handles` more would exceed a limit. */
static bool would_exceed(const smmap__budget *budget, uint64_t bytes, uint64_t handles)
{
	uint64_t max_bytes = atomic_load_explicit(&budget->max_bytes, memory_order_relaxed);
	uint64_t max_handles = atomic_load_explicit(&budget->max_handles, memory_order_relaxed);
	uint64_t resident =
		smmap__gauge_now(&budget->bytes) + atomic_load_explicit(&budget->slack, memory_order_relaxed);
	smmap__assert(handles <= 1 && max_handles >= 1);
	return bytes > max_bytes || resident > max_bytes - bytes ||
	       smmap__gauge_now(&budget->handles) > max_handles - handles;
}

bool smmap__budget_has_room(const smmap__budget *budget, uint64_t length)
{
	return !would_exceed(budget, length + smmap__budget_slack(length), 1);
}

bool smmap__budget_is_over(const smmap__budget *budget)
{
	return would_exceed(budget, 0, 0);
}

/* ---- waiting ---- */

void smmap__budget_wake(smmap__budget *budget, uint64_t before)
{
	if ((before & SMMAP__WAITED) == 0)
		return;
	pthread_mutex_lock(&budget->wait_lock);
	pthread_cond_broadcast(&budget->wait_over);
	pthread_mutex_unlock(&budget->wait_lock);
}

static bool is_under_way(uint64_t word, bool also_evicting)
{
	enum smmap__state state = smmap__word_state(word);
	return state == SMMAP__BUSY || (also_evicting && state == SMMAP__EVICTING);
}

/* Marks the word so that whoever ends the state wakes us. false: the state has ended already. */
static bool mark_waited(smmap__region region, bool also_evicting)
{
	_Atomic uint64_t *at = smmap__region_word(region);
	uint64_t word = atomic_load_explicit(at, memory_order_acquire);
	while (is_under_way(word, also_evicting))
		if (atomic_compare_exchange_weak_explicit(at, &word, word | SMMAP__WAITED, memory_order_acq_rel,
		                                          memory_order_acquire))
			return true;
	return false;
}

void smmap__budget_wait(smmap__budget *budget, smmap__region region, bool also_evicting)
{
	smmap__count(&budget->shared->count.waits, 1);
	pthread_mutex_lock(&budget->wait_lock);
	/* Under the lock, so that the wake-up cannot come between the mark and the sleep. */
	while (mark_waited(region, also_evicting))
		pthread_cond_wait(&budget->wait_over, &budget->wait_lock);
	pthread_mutex_unlock(&budget->wait_lock);
}

/* ---- giving back ---- */

/*
 * EVICTING -> EMPTY. false: a pin has rescued the region meanwhile. What it is charged is read here: rescued and evicted
 * anew by another thread, it may be another's eviction that is finished, and ours by that one.
 */
static bool finish_evict(smmap__budget *budget, smmap__region region)
{
	_Atomic uint64_t *at = smmap__region_word(region);
	uint64_t word = atomic_load_explicit(at, memory_order_acquire);
	uint32_t stamp = smmap__evict_stamp(budget);
	while (smmap__word_state(word) == SMMAP__EVICTING) {
		bool linked = (word & SMMAP__LINKED) != 0;
		uint64_t length = smmap__region_charge(region, word);
		if (linked)
			atomic_fetch_add_explicit(&budget->evict.stale, 1, memory_order_relaxed);
		if (atomic_compare_exchange_weak_explicit(at, &word, smmap__word_finish_evict(word, stamp),
		                                          memory_order_acq_rel, memory_order_acquire)) {
			smmap__budget_uncharge(budget, region.leaf->file, length);
			smmap__budget_wake(budget, word);
			return true;
		}
		if (linked)
			atomic_fetch_sub_explicit(&budget->evict.stale, 1, memory_order_relaxed);
	}
	return false;
}

/* The system refused to take the region back: it is as before. */
static void undo_evict(smmap__budget *budget, smmap__region region)
{
	_Atomic uint64_t *at = smmap__region_word(region);
	uint64_t word = atomic_load_explicit(at, memory_order_acquire);
	while (smmap__word_state(word) == SMMAP__EVICTING) {
		uint64_t next = smmap__word_with_state(word & ~SMMAP__WAITED, SMMAP__MAPPED);
		if (atomic_compare_exchange_weak_explicit(at, &word, next, memory_order_acq_rel,
		                                          memory_order_acquire))
			smmap__budget_wake(budget, word);
		else
			continue;
		return;
	}
}

static uint64_t charge_of(smmap__region region)
{
	return smmap__region_charge(region,
	                            atomic_load_explicit(smmap__region_word(region), memory_order_acquire));
}

/* The system call for an EVICTING region is done. `length` is what was charged. */
static bool given_back(smmap__budget *budget, smmap__region region, uint64_t length)
{
	smmap__assert(length != 0);
	smmap__file *file = region.leaf->file;
	uint64_t begin = smmap__region_begin(region);
	if (!finish_evict(budget, region)) {
		/* Rescued: mapped as before. Whoever holds it linked still has it; else it goes back on a list. */
		smmap__evict_link(budget, region);
		return false;
	}
	smmap__count(&budget->shared->count.evictions, 1);
	smmap__file_trace(file, SMMAP_EVENT_EVICT, begin, length);
	return true;
}

/* Makes the system call for a region that is EVICTING. The caller holds a reference to the file. */
static bool give_back(smmap__budget *budget, smmap__region region)
{
	smmap__assert(region.leaf != NULL);
	smmap__assert(atomic_load_explicit(&region.leaf->file->references, memory_order_relaxed) != 0);
	uint64_t length = charge_of(region);
	if (smmap__file_unmap_region(region, length) != 0) {
		undo_evict(budget, region);
		smmap__evict_link(budget, region);
		return false;
	}
	return given_back(budget, region, length);
}

/* EMPTY regions must not pile up on the lists: each keeps its file known. */
static void purge_if_stale(smmap__budget *budget)
{
	smmap__region region;
	if (!smmap__evict_is_stale(budget))
		return;
	while (smmap__evict_take_stale(budget, &region))
		budget->give_file(budget, region.leaf->file);
}

bool smmap__budget_evict_one(smmap__budget *budget)
{
	/* A victim that was rescued, or that the system refuses to take, stays; so many in a row, and we let it be. */
	int lost = 0;
	while (lost < 64) {
		smmap__region region;
		enum smmap__choice choice = smmap__evict_choose(budget, &region);
		if (choice == SMMAP__NOTHING)
			return false;
		smmap__file *file = region.leaf->file;
		bool given = choice == SMMAP__VICTIM && give_back(budget, region);
		budget->give_file(budget, file);
		if (given)
			return true;
		lost += choice == SMMAP__VICTIM;
	}
	return false;
}

/* One system call for many EVICTING regions; each has a reference to its file, which goes. Returns how many went. */
static unsigned give_back_many(smmap__budget *budget, const smmap__region *victims, unsigned count)
{
	smmap__assert(count <= SMMAP__RANGES_MAX);
	uint64_t lengths[SMMAP__RANGES_MAX];
	unsigned given = 0;
	for (unsigned i = 0; i < count; i++)
		lengths[i] = charge_of(victims[i]);
	unsigned done = count > 1 ? smmap__file_unmap_regions(victims, count) : 0;
	for (unsigned i = 0; i < count; i++) {
		smmap__file *file = victims[i].leaf->file;
		given += i < done ? given_back(budget, victims[i], lengths[i]) : give_back(budget, victims[i]);
		budget->give_file(budget, file);
	}
	return given;
}

/* Evicts several regions for the misses to come, where that pays. false: none went. */
static bool evict_ahead(smmap__budget *budget)
{
	smmap__region victims[SMMAP__RANGES_MAX];
	unsigned size = smmap__batch_next(budget);
	unsigned chosen = 0;
	unsigned given = 0;
	bool ends = size < 2;
	while (chosen < size && !ends) {
		smmap__region region;
		enum smmap__choice choice = smmap__evict_choose(budget, &region);
		if (choice == SMMAP__NOTHING)
			break;
		smmap__file *file = region.leaf->file;
		ends = choice == SMMAP__VICTIM && !smmap__file_can_batch(file);
		if (choice == SMMAP__VICTIM && !ends) {
			victims[chosen++] = region;
			continue;
		}
		given += ends && give_back(budget, region);
		budget->give_file(budget, file);
	}
	given += give_back_many(budget, victims, chosen);
	return given != 0;
}

bool smmap__budget_evict(smmap__budget *budget, smmap__region region)
{
	_Atomic uint64_t *at = smmap__region_word(region);
	uint64_t word = atomic_load_explicit(at, memory_order_acquire);
	while (smmap__word_can_evict(word))
		if (atomic_compare_exchange_weak_explicit(at, &word, smmap__word_begin_evict(word),
		                                          memory_order_acq_rel, memory_order_acquire)) {
			bool given = give_back(budget, region);
			purge_if_stale(budget);
			return given;
		}
	return false;
}

static void make_room_for(smmap__budget *budget, uint64_t bytes, uint64_t handles, bool ahead)
{
	smmap__assert(handles <= 1);
	while (would_exceed(budget, bytes, handles)) {
		if ((ahead && evict_ahead(budget)) || smmap__budget_evict_one(budget))
			continue;
		if (would_exceed(budget, bytes, handles))
			smmap__count(&budget->shared->count.over_budget, 1);
		return;
	}
}

void smmap__budget_make_room(smmap__budget *budget)
{
	make_room_for(budget, 0, 0, false);
}

void smmap__budget_reserve(smmap__budget *budget, smmap__file *file, uint64_t length)
{
	smmap__assert(length != 0);
	uint64_t resident = length + smmap__budget_slack(length);
	make_room_for(budget, resident, 1, true);
	bool was_over = would_exceed(budget, resident, 1);
	smmap__budget_charge(budget, file, length);
	/* Another thread may have taken the same room. */
	if (!was_over)
		make_room_for(budget, 0, 0, false);
}
