/* SPDX-License-Identifier: BSD-3-Clause */
#include "guard/guard.h"

#include "base/arith.h"
#include "base/assert.h"
#include "os/os.h"

#include <pthread.h>
#include <string.h>

/*
 * One range. The handler may read it while it is being changed for another range, so it is a sequence lock: `sequence`
 * is odd while the fields change, and every field is atomic.
 */
typedef struct range {
	_Atomic uint32_t sequence;
	_Atomic uint32_t next_free; /* slot; under `lock` */
	_Atomic uintptr_t begin;
	_Atomic uintptr_t end; /* 0: the slot is free */
	_Atomic uint64_t offset;
	_Atomic(smmap__fault_log *) log;
	/* Where the zeros begin that reach to the end, as far as the handler remembers: `end` when it does not. */
	_Atomic uintptr_t zeros;
} range;

/*
 * Slots live in segments that double in size and never move or go away: segment k holds FIRST << k slots. Slot
 * numbers begin at 1.
 */
enum { FIRST = 64, SEGMENTS = 26, FAULTS_BEFORE_THE_REST = 8, LAST_SPARES = 2 };

static _Atomic(range *) segments[SEGMENTS];
static _Atomic uint32_t used;        /* slots that were ever used */
static smmap__guard_slot first_free; /* under `lock` */
static _Atomic uint64_t range_count;
static int enabled; /* under `lock` */
static _Atomic int enabled_now;
static _Atomic uint64_t faults;
static _Atomic uint64_t rearms;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static unsigned segment_of(uint32_t index, uint32_t *within)
{
	unsigned k = 0;
	uint32_t size = FIRST;
	while (index >= size) {
		index -= size;
		size <<= 1;
		k++;
	}
	*within = index;
	return k;
}

static range *range_at(smmap__guard_slot slot)
{
	smmap__assert(slot != 0);
	uint32_t within;
	unsigned k = segment_of(slot - 1, &within);
	return &atomic_load_explicit(&segments[k], memory_order_acquire)[within];
}

/* ---- inside the handler ---- */

typedef struct hit {
	uintptr_t begin;
	uintptr_t end;
	uint64_t offset;
	smmap__fault_log *log;
	range *range;
} hit;

static bool read_range(range *r, uintptr_t address, hit *found)
{
	uint32_t before = atomic_load_explicit(&r->sequence, memory_order_acquire);
	found->begin = atomic_load_explicit(&r->begin, memory_order_acquire);
	found->end = atomic_load_explicit(&r->end, memory_order_acquire);
	found->offset = atomic_load_explicit(&r->offset, memory_order_acquire);
	found->log = atomic_load_explicit(&r->log, memory_order_acquire);
	found->range = r;
	uint32_t after = atomic_load_explicit(&r->sequence, memory_order_relaxed);
	/* A range under change is not the one that is being read: that one is held by its reader. */
	return before == after && (before & 1) == 0 && address >= found->begin && address < found->end;
}

static bool find_range(uintptr_t address, hit *found)
{
	uint32_t left = atomic_load_explicit(&used, memory_order_acquire);
	for (unsigned k = 0; left != 0; k++) {
		range *segment = atomic_load_explicit(&segments[k], memory_order_acquire);
		uint32_t size = (uint32_t)FIRST << k;
		uint32_t n = left < size ? left : size;
		for (uint32_t i = 0; i < n; i++)
			if (read_range(&segment[i], address, found))
				return true;
		left -= n;
	}
	return false;
}

static void note_fault(smmap__fault_log *log, uint64_t offset)
{
	uint64_t none = 0;
	atomic_compare_exchange_strong_explicit(&log->first_end, &none, offset + 1, memory_order_relaxed,
	                                        memory_order_relaxed);
	atomic_fetch_add_explicit(&log->count, 1, memory_order_release);
	atomic_fetch_add_explicit(&faults, 1, memory_order_relaxed);
}

/*
 * Replaces the rest of a range from `at` on: up to zeros that were put there before, and not over them. Where they end
 * is where the system has one mapping end, so nothing has to be split there; behind them it may have joined them with
 * what follows.
 */
static bool patch_the_rest(const hit *found, uintptr_t at, uintptr_t zeros)
{
	if (!smmap__os_patch((void *)at, zeros - at, true))
		return false;
	atomic_store_explicit(&found->range->zeros, at, memory_order_relaxed);
	return true;
}

/*
 * Where not even one mapping can be split any more, one goes as a whole, with what was good in it: zeros and an error
 * rather than the end of the process. It begins and ends with the range and the zeros, but for pages replaced one by
 * one at its ends, which the system may have joined with those of a neighbour.
 */
static bool patch_without_a_split(const hit *found, uintptr_t at, uintptr_t zeros, size_t page)
{
	for (uintptr_t before = 0; before < FAULTS_BEFORE_THE_REST && found->begin + before * page <= at;
	     before++)
		for (uintptr_t after = 0; after < FAULTS_BEFORE_THE_REST && zeros - after * page > at; after++) {
			uintptr_t begin = found->begin + before * page;
			if (smmap__os_patch((void *)begin, zeros - after * page - begin, true)) {
				if (after == 0)
					atomic_store_explicit(&found->range->zeros, begin, memory_order_relaxed);
				return true;
			}
		}
	return false;
}

/*
 * One page at first. A file that goes on failing has the whole rest of its range replaced at once, which is one
 * mapping however many pages fail; so too when the mappings run short. Splitting may take the process one mapping above
 * its limit, from where nothing can be mapped at all: so the last spares are for those that split nothing.
 */
static bool handle_fault(void *address)
{
	hit found;
	size_t page = smmap__os_facts_now.granularity;
	uintptr_t at = (uintptr_t)address & ~(uintptr_t)(page - 1);
	if (!find_range((uintptr_t)address, &found))
		return false;
	uint32_t before = atomic_load_explicit(&found.log->count, memory_order_relaxed);
	/* Noted first: who copies the zeros must find the note when it looks again. */
	note_fault(found.log, found.offset + (at - found.begin));
	uintptr_t zeros = atomic_load_explicit(&found.range->zeros, memory_order_relaxed);
	/* The file was mapped over them since, or the slot is another range's by now. */
	if (zeros <= at || zeros > found.end)
		zeros = found.end;
	bool alone = before + 1 < FAULTS_BEFORE_THE_REST;
	do {
		if (smmap__os_count_spares() <= LAST_SPARES) {
			if (patch_without_a_split(&found, at, zeros, page))
				return true;
		} else if ((alone && smmap__os_patch((void *)at, page, false)) || patch_the_rest(&found, at, zeros)) {
			return true;
		}
	} while (smmap__os_give_spare());
	return false;
}

/* ---- the register ---- */

/* A slot that nobody uses, or 0 when there is no memory. */
static smmap__guard_slot take_slot_locked(void)
{
	if (first_free != 0) {
		smmap__guard_slot slot = first_free;
		first_free = atomic_load_explicit(&range_at(slot)->next_free, memory_order_relaxed);
		return slot;
	}
	uint32_t index = atomic_load_explicit(&used, memory_order_relaxed);
	uint32_t within;
	unsigned k = segment_of(index, &within);
	if (k >= SEGMENTS)
		return 0;
	if (atomic_load_explicit(&segments[k], memory_order_relaxed) == NULL) {
		size_t size = sizeof(range) * ((size_t)FIRST << k);
		range *segment = smmap__os.allocate(size);
		if (segment == NULL)
			return 0;
		memset(segment, 0, size);
		atomic_store_explicit(&segments[k], segment, memory_order_release);
	}
	atomic_store_explicit(&used, index + 1, memory_order_release);
	return index + 1;
}

static void write_range(range *r, uintptr_t begin, uintptr_t end, uint64_t offset, smmap__fault_log *log)
{
	smmap__assert(begin <= end);
	uint32_t sequence = atomic_load_explicit(&r->sequence, memory_order_relaxed);
	atomic_store_explicit(&r->sequence, sequence + 1, memory_order_relaxed);
	/* Release on each field: whoever sees one of them sees that the sequence had become odd. */
	atomic_store_explicit(&r->begin, begin, memory_order_release);
	atomic_store_explicit(&r->end, end, memory_order_release);
	atomic_store_explicit(&r->offset, offset, memory_order_release);
	atomic_store_explicit(&r->log, log, memory_order_release);
	atomic_store_explicit(&r->zeros, end, memory_order_release);
	atomic_store_explicit(&r->sequence, sequence + 2, memory_order_release);
}

/* An empty register holds no memory: nothing stays behind when the last manager is freed. */
static void free_segments_locked(void)
{
	if (atomic_load_explicit(&enabled_now, memory_order_relaxed) != 0)
		return; /* the handler may be walking them */
	atomic_store_explicit(&used, 0, memory_order_release);
	first_free = 0;
	for (unsigned k = 0; k < SEGMENTS; k++) {
		range *segment = atomic_exchange_explicit(&segments[k], NULL, memory_order_acq_rel);
		if (segment != NULL)
			smmap__os.deallocate(segment);
	}
}

int smmap__guard_add(const void *address, size_t length, uint64_t offset, smmap__fault_log *log,
                     smmap__guard_slot *slot)
{
	smmap__assert(length != 0);
	smmap__assert(log != NULL && slot != NULL);
	pthread_mutex_lock(&lock);
	smmap__guard_slot taken = take_slot_locked();
	if (taken != 0) {
		write_range(range_at(taken), (uintptr_t)address, (uintptr_t)address + length, offset, log);
		atomic_fetch_add_explicit(&range_count, 1, memory_order_relaxed);
		*slot = taken;
	}
	pthread_mutex_unlock(&lock);
	return taken != 0 ? 0 : SMMAP_ENOMEM;
}

static void remove_locked(smmap__guard_slot slot)
{
	range *r = range_at(slot);
	smmap__assert(atomic_load_explicit(&r->end, memory_order_relaxed) != 0);
	write_range(r, 0, 0, 0, NULL);
	atomic_store_explicit(&r->next_free, first_free, memory_order_relaxed);
	first_free = slot;
	if (atomic_fetch_sub_explicit(&range_count, 1, memory_order_relaxed) == 1)
		free_segments_locked();
}

bool smmap__guard_remove(smmap__guard_slot *slot)
{
	pthread_mutex_lock(&lock);
	smmap__guard_slot was = *slot;
	*slot = 0;
	if (was != 0)
		remove_locked(was);
	pthread_mutex_unlock(&lock);
	return was != 0;
}

void smmap__guard_tend(void)
{
	if (atomic_load_explicit(&enabled_now, memory_order_relaxed) == 0)
		return;
	if (smmap__os_trap_rearm())
		atomic_fetch_add_explicit(&rearms, 1, memory_order_relaxed);
	smmap__os_hold_spares(true);
}

void smmap__guard_lock(void)
{
	pthread_mutex_lock(&lock);
	smmap__os_trap_lock();
}

void smmap__guard_unlock(void)
{
	smmap__os_trap_unlock();
	pthread_mutex_unlock(&lock);
}

/* ---- public ---- */

int smmap_guard_enable(void)
{
	smmap__os_init();
	pthread_mutex_lock(&lock);
	int code = enabled == 0 ? smmap__os_trap_install(handle_fault) : 0;
	if (code == 0) {
		enabled++;
		atomic_store_explicit(&enabled_now, enabled, memory_order_relaxed);
		smmap__os_hold_spares(true);
	}
	pthread_mutex_unlock(&lock);
	return code;
}

int smmap_guard_disable(void)
{
	pthread_mutex_lock(&lock);
	int code = enabled > 0 ? 0 : SMMAP_EINVAL;
	if (code == 0 && --enabled == 0) {
		smmap__os_trap_remove();
		smmap__os_hold_spares(false);
	}
	atomic_store_explicit(&enabled_now, enabled, memory_order_relaxed);
	if (atomic_load_explicit(&range_count, memory_order_relaxed) == 0)
		free_segments_locked();
	pthread_mutex_unlock(&lock);
	return code;
}

void smmap_guard_status(smmap_guard_info *info)
{
	*info = (smmap_guard_info){
		.enabled = atomic_load_explicit(&enabled_now, memory_order_relaxed),
		.on_top = smmap__os_trap_is_on_top(),
		.faults = atomic_load_explicit(&faults, memory_order_relaxed),
		.passed = smmap__os_trap_passed(),
		.rearms = atomic_load_explicit(&rearms, memory_order_relaxed),
		.ranges = atomic_load_explicit(&range_count, memory_order_relaxed),
	};
}
