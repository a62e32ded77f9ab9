/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A file that grows where it lies. Its last region was charged what it had; from now on it is longer, or the last one no
 * longer. Nobody may map it or give it back while the size changes, since both look at the size: so it is held, BUSY where
 * it is EMPTY, pinned where it is MAPPED.
 */
#include "budget/budget.h"

#include "base/arith.h"
#include "base/assert.h"

static bool change(smmap__region region, uint64_t *word, uint64_t to)
{
	return atomic_compare_exchange_strong_explicit(smmap__region_word(region), word, to, memory_order_acq_rel,
	                                               memory_order_acquire);
}

/* Whether the regions of the larger file can lie behind those that it has. */
static bool can_lie_there(const smmap__file *file, uint64_t size)
{
	const smmap__os_facts *facts = &smmap__os_facts_now;
	if (file->base == NULL || file->is_whole)
		return false;
	if (size <= file->stride)
		return size <= facts->block_size || (uintptr_t)file->base % facts->block_size == 0;
	return file->stride % facts->block_size == 0 && (uintptr_t)file->base % facts->block_size == 0;
}

/* false: another thread is at work on the region. `before` is its word. */
static bool hold(smmap__region region, uint64_t *before)
{
	*before = atomic_load_explicit(smmap__region_word(region), memory_order_acquire);
	for (;;) {
		uint64_t next;
		if (smmap__word_state(*before) == SMMAP__EMPTY)
			next = smmap__word_begin_map(*before);
		else if (smmap__word_state(*before) == SMMAP__MAPPED && smmap__word_can_pin(*before))
			next = *before + SMMAP__ONE_PIN;
		else
			return false;
		if (change(region, before, next))
			return true;
	}
}

/* Charged for what it has of a file of `size` bytes from now on. */
static void charge_more(smmap__budget *budget, smmap__region region, uint64_t size)
{
	smmap__assert(size > smmap__region_begin(region));
	smmap__assert(!region.leaf->detached);
	smmap__file *file = region.leaf->file;
	uint64_t word = atomic_load_explicit(smmap__region_word(region), memory_order_acquire);
	uint64_t charged = smmap__region_charge(region, word);
	uint64_t length = smmap__min(size - smmap__region_begin(region), file->stride);
	if ((word & SMMAP__SHORT) == 0)
		return;
	if (length == file->stride)
		atomic_fetch_and_explicit(smmap__region_word(region), ~SMMAP__SHORT, memory_order_acq_rel);
	else
		atomic_store_explicit(&file->short_length[0], length, memory_order_relaxed);
	smmap__gauge_add(&budget->bytes, length - charged);
	smmap__count(&budget->slack, smmap__budget_slack(length));
	atomic_fetch_sub_explicit(&budget->slack, smmap__budget_slack(charged), memory_order_relaxed);
}

static void let_go(smmap__budget *budget, smmap__region region, uint64_t before)
{
	uint64_t word = atomic_load_explicit(smmap__region_word(region), memory_order_acquire);
	bool was_mapped = smmap__word_state(before) == SMMAP__MAPPED;
	while (
		!change(region, &word,
	            was_mapped ? smmap__word_unpin(word) : smmap__word_undo_map(word, smmap__word_stamp(before))))
		;
	if (was_mapped && smmap__word_pins(word) == 1 && (word & SMMAP__PARKED) != 0)
		smmap__evict_link(budget, region);
	smmap__budget_wake(budget, word);
}

bool smmap__budget_grow(smmap__budget *budget, smmap__file *file, uint64_t size)
{
	smmap__assert(size > smmap__file_size(file));
	smmap__table_kind kind;
	smmap__table *table = smmap__file_table(file, false, &kind);
	smmap__region last;
	uint64_t before;
	if (!can_lie_there(file, size))
		return false;
	if (smmap__table_get(table, &kind, smmap__file_slot(file, smmap__file_size(file) - 1), &last) != 0 ||
	    !hold(last, &before))
		return false;
	bool extended = smmap__file_extend(file, size) == 0;
	if (extended) {
		if (smmap__word_state(before) == SMMAP__MAPPED)
			charge_more(budget, last, size);
		atomic_store_explicit(&file->size, size, memory_order_release);
	}
	let_go(budget, last, before);
	return extended;
}
