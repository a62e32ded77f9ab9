/* SPDX-License-Identifier: BSD-3-Clause */
/* Pins, and the way of a region from EMPTY to MAPPED. */
#include "budget/budget.h"

#include "base/assert.h"

static bool change(smmap__region region, uint64_t *word, uint64_t to)
{
	return atomic_compare_exchange_weak_explicit(smmap__region_word(region), word, to, memory_order_acq_rel,
	                                             memory_order_acquire);
}

/* ---- a miss ---- */

/*
 * A detached region is a mapping: where pins alone have used the share of mappings up, it may be exceeded, but not beyond
 * twice the share.
 */
static int check_mappings(smmap__budget *budget, const smmap__file *file)
{
	smmap__shared *shared = budget->shared;
	if (smmap__file_is_stable(file) || file->backing == SMMAP_BACKING_MEMORY)
		return 0;
	/* Stable victims give no mapping back, so that only so many are tried. */
	for (int tries = 0; tries < SMMAP__LEAF_SLOTS; tries++)
		if (smmap__gauge_now(&shared->mappings) < shared->max_mappings || !smmap__budget_evict_one(budget))
			break;
	return smmap__gauge_now(&shared->mappings) / 2 < shared->max_mappings ? 0 : SMMAP_ENOMEM;
}

/* Maps with one victim after another given back for as long as the system refuses. */
static int map_with_victims(smmap__budget *budget, smmap__region region, uint64_t length)
{
	smmap__assert(length != 0);
	int code = check_mappings(budget, region.leaf->file);
	if (code == 0)
		code = smmap__file_map_region(region, length);
	while (smmap__os_is_pressure(code) && smmap__budget_evict_one(budget)) {
		smmap__count(&budget->shared->count.retries, 1);
		code = smmap__file_map_region(region, length);
	}
	return code;
}

static void undo_map(smmap__budget *budget, smmap__region region, uint64_t before)
{
	uint64_t word = atomic_load_explicit(smmap__region_word(region), memory_order_acquire);
	if ((before & SMMAP__LINKED) != 0)
		atomic_fetch_add_explicit(&budget->evict.stale, 1, memory_order_relaxed);
	while (!change(region, &word, smmap__word_undo_map(word, smmap__word_stamp(before))))
		;
	smmap__budget_wake(budget, word);
}

static void publish(smmap__budget *budget, smmap__region region, uint64_t flags)
{
	smmap__assert((flags & ~(SMMAP__SHORT | SMMAP__MAIN | SMMAP__REFERENCED | SMMAP__ROUNDS_MASK)) == 0);
	uint64_t word = atomic_load_explicit(smmap__region_word(region), memory_order_acquire);
	while (!change(region, &word, smmap__word_publish(word, flags)))
		;
	smmap__budget_wake(budget, word);
	if ((word & SMMAP__LINKED) == 0)
		smmap__evict_link(budget, region);
}

/* The region is BUSY and ours; `before` is what its word said. Maps it with one pin, or undoes all. */
static int map_busy(smmap__budget *budget, smmap__region region, uint64_t before)
{
	smmap__assert(smmap__word_state(before) == SMMAP__EMPTY);
	smmap__assert(smmap__word_state(atomic_load_explicit(smmap__region_word(region), memory_order_relaxed)) ==
	              SMMAP__BUSY);
	smmap__file *file = region.leaf->file;
	bool is_short;
	uint64_t length = smmap__region_length(region, &is_short);
	if (is_short)
		atomic_store_explicit(&file->short_length[region.leaf->is_span], length, memory_order_relaxed);
	if ((before & SMMAP__LINKED) != 0)
		atomic_fetch_sub_explicit(&budget->evict.stale, 1, memory_order_relaxed);
	int code = budget->check_file != NULL ? budget->check_file(budget, file) : 0;
	if (code == 0) {
		smmap__batch_missed(budget, smmap__word_stamp(before));
		smmap__budget_reserve(budget, file, length);
		code = map_with_victims(budget, region, length);
		if (code != 0)
			smmap__budget_uncharge(budget, file, length);
	}
	if (code != 0) {
		undo_map(budget, region, before);
		return code;
	}
	uint64_t list = smmap__evict_list_for(budget, before);
	publish(budget, region, list | (is_short ? SMMAP__SHORT : 0));
	smmap__count(&budget->shared->count.misses, 1);
	smmap__file_trace(file, SMMAP_EVENT_MAP, smmap__region_begin(region), length);
	return 0;
}

/* ---- pinning ---- */

/* One step towards a pin. true: `*code` is the outcome. */
static bool try_pin(smmap__budget *budget, smmap__region region, bool stable, bool *missed, int *code)
{
	uint64_t word = atomic_load_explicit(smmap__region_word(region), memory_order_acquire);
	*code = 0;
	switch (smmap__word_state(word)) {
	case SMMAP__MAPPED:
		if (!smmap__word_can_pin(word)) {
			*code = SMMAP_EOVERFLOW;
			return true;
		}
		return change(region, &word, smmap__word_pin(word));
	case SMMAP__EMPTY:
		if (!change(region, &word, smmap__word_begin_map(word)))
			return false;
		*missed = true;
		*code = map_busy(budget, region, word);
		return true;
	case SMMAP__EVICTING:
		if (!stable)
			break;
		if (!change(region, &word, smmap__word_rescue(word)))
			return false;
		smmap__count(&budget->shared->count.rescues, 1);
		smmap__budget_wake(budget, word);
		return true;
	case SMMAP__BUSY:
		break;
	}
	smmap__budget_wait(budget, region, !stable);
	return false;
}

int smmap__pin(smmap__budget *budget, smmap__file *file, bool span, uint64_t index, smmap__region *region,
               bool *missed)
{
	smmap__assert(file != NULL && region != NULL);
	smmap__assert(smmap__file_size(file) != 0);
	smmap__assert(!span || !smmap__file_is_stable(file));
	smmap__table_kind kind;
	smmap__table *table = smmap__file_table(file, span, &kind);
	bool mapped_now = false;
	if (atomic_load_explicit(&budget->forked, memory_order_relaxed))
		budget->repair(budget);
	int code = smmap__table_get(table, &kind, index, region);
	while (code == SMMAP_ENOMEM && smmap__budget_evict_one(budget)) {
		smmap__count(&budget->shared->count.retries, 1);
		code = smmap__table_get(table, &kind, index, region);
	}
	if (code != 0)
		return code;
	while (!try_pin(budget, *region, smmap__file_is_stable(file), &mapped_now, &code))
		;
	if (missed != NULL)
		*missed = mapped_now;
	return code;
}

bool smmap__pin_mapped(smmap__region region)
{
	uint64_t word = atomic_load_explicit(smmap__region_word(region), memory_order_acquire);
	while (smmap__word_state(word) == SMMAP__MAPPED && smmap__word_can_pin(word))
		if (change(region, &word, smmap__word_pin(word)))
			return true;
	return false;
}

int smmap__pin_again(smmap__region region, uint32_t by)
{
	uint64_t word = atomic_load_explicit(smmap__region_word(region), memory_order_relaxed);
	smmap__assert(smmap__word_pins(word) != 0);
	do
		if (smmap__word_pins(word) > UINT32_MAX - by)
			return SMMAP_EOVERFLOW;
	while (!change(region, &word, word + by * SMMAP__ONE_PIN));
	return 0;
}

void smmap__unpin(smmap__budget *budget, smmap__region region, uint32_t by)
{
	smmap__assert(by != 0);
	_Atomic uint64_t *at = smmap__region_word(region);
	uint64_t word = atomic_load_explicit(at, memory_order_relaxed);
	uint64_t next;
	do {
		smmap__assert(smmap__word_state(word) == SMMAP__MAPPED && smmap__word_pins(word) >= by);
		next = smmap__word_unpin(word - (by - 1) * SMMAP__ONE_PIN);
	} while (
		!atomic_compare_exchange_weak_explicit(at, &word, next, memory_order_release, memory_order_relaxed));
	if (smmap__word_pins(next) != 0)
		return;
	if ((word & SMMAP__PARKED) != 0)
		smmap__evict_link(budget, region);
	if (SMMAP__EVICT_AT_ONCE)
		(void)smmap__budget_evict(budget, region);
	bool is_over = smmap__budget_is_over(budget);
	if (is_over && !(budget->keeps_one && smmap__gauge_now(&budget->handles) == 1))
		smmap__budget_make_room(budget);
	else if (!is_over && smmap__gauge_now(&budget->shared->mappings) > budget->shared->max_mappings &&
	         region.leaf->detached)
		(void)smmap__budget_evict_one(budget);
}

/* ---- copying reads ---- */

bool smmap__map_if_room(smmap__budget *budget, smmap__file *file, uint64_t index, smmap__region region)
{
	smmap__assert(region.leaf->file == file);
	smmap__assert(smmap__region_index(region) == index);
	bool is_short;
	uint64_t length = smmap__region_length(region, &is_short);
	/* The budget is exceeded for pins, not for copies. */
	if (length > atomic_load_explicit(&budget->max_bytes, memory_order_relaxed))
		return false;
	while (!smmap__budget_has_room(budget, length))
		if (!smmap__budget_evict_one(budget))
			return false;
	smmap__region pinned;
	if (smmap__pin(budget, file, region.leaf->is_span, index, &pinned, NULL) != 0)
		return false;
	smmap__unpin(budget, pinned, 1);
	return true;
}
