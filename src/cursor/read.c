/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Copying reads.
 *
 *   region MAPPED, stable:    look, copy, look again: no pin, no write that others see but a bit that is not set yet
 *   region MAPPED, detached:  pin (kept until another region is read), copy
 *   region cold:              pread through the cached descriptor; mapped once it proves worth it
 *
 * What is worth it. Copying from a mapped region costs a tenth of a small pread; mapping one, faulting its pages in and
 * giving them back later costs as much as five to seventy preads (large folios, small folios). So a region is mapped when
 * access is sequential, or when it has been read a few times and there is room; where there is none, when it is hotter by a
 * clear step than the coldest of the next few that would have to go (the admission rule of TinyLFU: Einziger, Friedman and
 * Manes, ACM TOS 2017). Heat is a count of samples in the state word; when the hottest region
 * reaches HEAT_FULL an epoch ends, and all heat of earlier epochs counts half.
 *
 * A file that has failed is read by pread alone: what its mapping shows may be zeros of the guard's.
 */
#include "cursor/cursor.h"

#include "base/arith.h"
#include "base/assert.h"

#include <string.h>

enum {
	COLD_SAMPLE = 8,  /* one cold read in so many raises the heat, by 1 */
	HIT_SAMPLE = 64,  /* one copy from a map in so many, by what it stands for: threads share these words */
	HEAT_STEP = 16,   /* hotter than another: by so much at least, and by a quarter of it */
	HEAT_FULL = 4096, /* ends an epoch; the count has room for what comes in until all have seen it */
	EPOCH_MASK = 0xff
};

/* So much in a row is sequential access. */
#define RUN_BYTES (UINT64_C(64) << 10)

/* ---- heat ---- */

/* Heat as of now: halved for each epoch that has passed. */
static unsigned heat_now(uint64_t word, unsigned epoch)
{
	unsigned heat = (unsigned)((word & SMMAP__HEAT_MASK) >> SMMAP__HEAT_SHIFT);
	unsigned passed = (epoch - (unsigned)((word & SMMAP__EPOCH_MASK) >> SMMAP__EPOCH_SHIFT)) & EPOCH_MASK;
	return passed < 16 ? heat >> passed : 0;
}

static uint64_t with_heat(uint64_t word, unsigned heat, unsigned epoch)
{
	smmap__assert(heat <= 0xffff);
	word &= ~(SMMAP__HEAT_MASK | SMMAP__EPOCH_MASK);
	return word | (uint64_t)heat << SMMAP__HEAT_SHIFT | (uint64_t)(epoch & EPOCH_MASK) << SMMAP__EPOCH_SHIFT;
}

static unsigned epoch_of(const smmap__budget *budget)
{
	return atomic_load_explicit(&budget->heat_epoch, memory_order_relaxed);
}

/* `by` samples more; lost where another thread changes the word at the same time. Returns the heat. */
static unsigned raise_heat(smmap__budget *budget, smmap__region region, unsigned by)
{
	smmap__assert(by != 0);
	unsigned epoch = epoch_of(budget);
	uint64_t word = atomic_load_explicit(smmap__region_word(region), memory_order_relaxed);
	unsigned heat = heat_now(word, epoch);
	if (heat < HEAT_FULL)
		heat += by;
	else
		atomic_compare_exchange_strong_explicit(&budget->heat_epoch, &epoch, epoch + 1, memory_order_relaxed,
		                                        memory_order_relaxed);
	atomic_compare_exchange_strong_explicit(smmap__region_word(region), &word, with_heat(word, heat, epoch),
	                                        memory_order_relaxed, memory_order_relaxed);
	return heat;
}

/* Whether this read is a sample. */
static bool is_sample(smmap_cursor *cursor, unsigned one_in)
{
	return cursor->tick++ % one_in == 0;
}

static void note_hit(smmap_cursor *cursor, smmap__region region)
{
	if (is_sample(cursor, HIT_SAMPLE))
		raise_heat(&cursor->manager->budget, region, HIT_SAMPLE / COLD_SAMPLE);
}

/* ---- mapped regions ---- */

static void mark_referenced(smmap__region region, uint64_t word)
{
	if ((word & SMMAP__REFERENCED) == 0)
		atomic_fetch_or_explicit(smmap__region_word(region), SMMAP__REFERENCED, memory_order_relaxed);
}

/*
 * The region was given back while we copied from it: our own faults may have made pages of it resident again that nobody
 * is charged for. One page fault maps no more than a block.
 */
static void give_pages_back(const smmap__file *file, uint64_t region_begin, uint64_t offset, uint64_t size)
{
	smmap__assert(smmap__file_is_stable(file));
	smmap__assert(size != 0);
	uint64_t block = smmap__max(smmap__os_facts_now.block_size, smmap__os_facts_now.granularity);
	uint64_t begin = smmap__max(smmap__align_down(offset, block), region_begin);
	uint64_t end = smmap__min(smmap__align_up(offset + size, block),
	                          atomic_load_explicit(&file->map_length, memory_order_relaxed));
	(void)smmap__os.zap(file->base + (size_t)begin, (size_t)(end - begin));
}

static bool copy_stable(smmap_cursor *cursor, smmap__region region, uint64_t offset, void *to, size_t size)
{
	smmap__assert(smmap__file_is_stable(cursor->file));
	uint64_t word = atomic_load_explicit(smmap__region_word(region), memory_order_acquire);
	if (smmap__word_state(word) != SMMAP__MAPPED)
		return false;
	memcpy(to, smmap__region_at(cursor->file, region, offset), size);
	mark_referenced(region, word);
	word = atomic_load_explicit(smmap__region_word(region), memory_order_acquire);
	if (smmap__word_state(word) == SMMAP__EMPTY)
		give_pages_back(cursor->file, smmap__region_begin(region), offset, size);
	note_hit(cursor, region);
	return true;
}

void smmap__cursor_end_read(smmap_cursor *cursor)
{
	if (cursor->read_pinned) {
		smmap__region region = {cursor->read_leaf, cursor->read_pinned - 1};
		cursor->read_pinned = 0;
		smmap__unpin(&cursor->manager->budget, region, 1);
	}
	cursor->read_leaf = NULL;
	cursor->read_size = 0;
}

static bool copy_detached(smmap_cursor *cursor, smmap__region region, uint64_t offset, void *to, size_t size)
{
	smmap__assert(!smmap__file_is_stable(cursor->file));
	if (!cursor->read_pinned) {
		if (!smmap__pin_mapped(region))
			return false;
		cursor->read_pinned = region.slot + 1;
	}
	memcpy(to, smmap__region_at(cursor->file, region, offset), size);
	note_hit(cursor, region);
	return true;
}

static bool copy_mapped(smmap_cursor *cursor, smmap__region region, uint64_t offset, void *to, size_t size)
{
	return smmap__file_is_stable(cursor->file) ? copy_stable(cursor, region, offset, to, size)
	                                           : copy_detached(cursor, region, offset, to, size);
}

/* ---- cold regions ---- */

/*
 * Leaves stay as long as the file, which the cursor holds. The leaf itself is not looked at, for it may well not be in the
 * cache. `file_size` is beyond the region's begin.
 */
static inline void remember(smmap_cursor *cursor, smmap__region region, uint64_t index, uint64_t file_size)
{
	smmap__assert(region.leaf->file == cursor->file);
	smmap__assert(smmap__region_index(region) == index);
	const smmap__file *file = cursor->file;
	cursor->read_leaf = region.leaf;
	cursor->read_index = index;
	if (!smmap__file_is_stable(file))
		return;
	cursor->read_word = smmap__region_word(region);
	cursor->read_begin = index * file->stride;
	cursor->read_size = smmap__min(file->stride, file_size - cursor->read_begin);
	cursor->read_data = file->base + (size_t)cursor->read_begin;
}

/* The region that `offset` lies in, remembered from the last read or looked up; false when it was never touched. */
static bool find_region(smmap_cursor *cursor, uint64_t index, smmap__region *region)
{
	if (cursor->read_leaf != NULL && cursor->read_index == index) {
		*region = (smmap__region){cursor->read_leaf, (uint32_t)(index - cursor->read_leaf->first)};
		return true;
	}
	smmap__cursor_end_read(cursor);
	if (!smmap__table_find(&cursor->file->regions, index, region))
		return false;
	remember(cursor, *region, index, smmap__file_size(cursor->file));
	return true;
}

/* The same, made where it is not there. */
static bool get_region(smmap_cursor *cursor, uint64_t index, smmap__region *region)
{
	smmap__table_kind kind;
	smmap__table *table = smmap__file_table(cursor->file, false, &kind);
	return find_region(cursor, index, region) || smmap__table_get(table, &kind, index, region) == 0;
}

static bool is_hotter(unsigned heat, unsigned other)
{
	return heat > other + HEAT_STEP + other / 4;
}

/* Gives the coldest of the next few victims back, where this region is hotter. */
static bool replaces_another(smmap_cursor *cursor, unsigned heat, uint64_t offset)
{
	smmap__budget *budget = &cursor->manager->budget;
	smmap__region victim;
	if (heat <= HEAT_STEP || !smmap__evict_coldest(budget, epoch_of(budget), heat_now, &victim))
		return false;
	smmap__file *file = victim.leaf->file;
	uint64_t word = atomic_load_explicit(smmap__region_word(victim), memory_order_relaxed);
	bool replaced = is_hotter(heat, heat_now(word, epoch_of(budget))) &&
	                smmap__file_is_warm(cursor->file, offset) && smmap__budget_evict(budget, victim);
	budget->give_file(budget, file);
	return replaced;
}

/*
 * Only what is in the page cache is mapped for reads at random: a page fault elsewhere reads far more from the disk than
 * pread. With room to spare that is asked at heat 1, 2, 4 ...: while the file comes in bit by bit the answer stays no for
 * long.
 */
static bool is_worth_mapping(smmap_cursor *cursor, smmap__region region, uint64_t offset)
{
	smmap__budget *budget = &cursor->manager->budget;
	bool is_short;
	unsigned heat = raise_heat(budget, region, 1);
	if (smmap__budget_has_room(budget, smmap__region_length(region, &is_short)))
		return smmap__is_power_of_two(heat) && smmap__file_is_warm(cursor->file, offset);
	return replaces_another(cursor, heat, offset);
}

static bool is_sequential(const smmap_cursor *cursor, uint64_t offset, uint64_t size)
{
	return offset == cursor->read_next && cursor->run + size >= RUN_BYTES;
}

/* Maps a cold region where that is worth it. */
static bool warm(smmap_cursor *cursor, uint64_t index, uint64_t offset, uint64_t size)
{
	smmap__region region;
	/* What is in memory anyway is not read twice. */
	bool must = cursor->file->backing == SMMAP_BACKING_MEMORY;
	bool sequential = is_sequential(cursor, offset, size);
	bool sample = is_sample(cursor, COLD_SAMPLE);
	if (!must && !sequential && !sample)
		return false;
	if (!get_region(cursor, index, &region))
		return false;
	if (!must && !sequential && !is_worth_mapping(cursor, region, offset))
		return false;
	return smmap__map_if_room(&cursor->manager->budget, cursor->file, index, region);
}

static int64_t read_cold(smmap_cursor *cursor, uint64_t offset, void *to, size_t size)
{
	smmap__assert(size != 0);
	smmap__file *file = cursor->file;
	smmap__counters *count = &cursor->manager->shared.count;
	int code = smmap__manager_check_change(&cursor->manager->budget, file);
	if (code != 0)
		return code;
	int64_t n = smmap__file_read(file, offset, to, size);
	if (n == 0)
		return SMMAP_ETRUNCATED;
	if (n > 0) {
		smmap__count(&count->preads, 1);
		smmap__count(&count->pread_bytes, (uint64_t)n);
		smmap__file_trace(file, SMMAP_EVENT_READ, offset, (uint64_t)n);
	}
	return n;
}

/* ---- one piece: within one region ---- */

static bool is_sound(const smmap_cursor *cursor)
{
	return smmap__fault_count(&cursor->file->faults) == 0;
}

/* A file that cannot be opened again is still there where all of it is mapped. */
static int64_t read_through_map(smmap_cursor *cursor, uint64_t index, uint64_t offset, void *to, size_t size)
{
	smmap__budget *budget = &cursor->manager->budget;
	smmap__region region;
	int code = smmap__pin(budget, cursor->file, false, index, &region, NULL);
	if (code != 0)
		return code;
	memcpy(to, smmap__region_at(cursor->file, region, offset), size);
	smmap__unpin(budget, region, 1);
	if (!is_sound(cursor))
		return smmap__file_error(cursor->file);
	cursor->copied += size;
	return (int64_t)size;
}

static bool copy_piece(smmap_cursor *cursor, uint64_t index, uint64_t offset, void *to, size_t size)
{
	smmap__region region;
	if (!is_sound(cursor))
		return false;
	bool copied = find_region(cursor, index, &region) && copy_mapped(cursor, region, offset, to, size);
	if (!copied && warm(cursor, index, offset, size))
		copied = find_region(cursor, index, &region) && copy_mapped(cursor, region, offset, to, size);
	/* A fault while we copied: the bytes may be the guard's zeros. */
	return copied && is_sound(cursor);
}

static int64_t read_piece(smmap_cursor *cursor, uint64_t offset, void *to, uint64_t size)
{
	smmap__assert(size != 0 && offset < smmap__file_size(cursor->file));
	smmap__file *file = cursor->file;
	uint64_t index = smmap__file_slot(file, offset);
	uint64_t piece = smmap__min(size, (index + 1) * file->stride - offset);
	if (copy_piece(cursor, index, offset, to, (size_t)piece)) {
		cursor->copied += piece;
		return (int64_t)piece;
	}
	int64_t n = read_cold(cursor, offset, to, (size_t)piece);
	if (n == SMMAP_ESTALE && smmap__file_is_stable(file) && is_sound(cursor))
		return read_through_map(cursor, index, offset, to, (size_t)piece);
	return n;
}

/* ---- all of it ---- */

/* Remembers the region of `offset` where the file is stable and has it. */
static bool go_to(smmap_cursor *cursor, uint64_t offset)
{
	const smmap__file *file = cursor->file;
	smmap__region region;
	uint64_t index = smmap__file_slot(file, offset);
	uint64_t file_size = smmap__file_size(file);
	if (!smmap__file_is_stable(file) || offset >= file_size ||
	    !smmap__table_find(&file->regions, index, &region))
		return false;
	remember(cursor, region, index, file_size);
	return true;
}

/*
 * The short way for a stable region: what copy_stable does. false: there is something to do besides. Few instructions matter
 * more than it seems: while one read waits for memory the processor goes on with the next ones, as far as they fit in.
 */
static inline bool copy_shortly(smmap_cursor *cursor, uint64_t offset, void *to, uint64_t size)
{
	if (offset - cursor->read_begin >= cursor->read_size && !go_to(cursor, offset))
		return false;
	uint64_t within = offset - cursor->read_begin;
	if (size > cursor->read_size - within || size == 0 || cursor->tick % HIT_SAMPLE == 0)
		return false;
	const uint64_t warm_bits = SMMAP__STATE_MASK | SMMAP__REFERENCED;
	const uint64_t warm_word = SMMAP__MAPPED | SMMAP__REFERENCED;
	_Atomic uint64_t *word = cursor->read_word;
	if ((atomic_load_explicit(word, memory_order_acquire) & warm_bits) != warm_word)
		return false;
	memcpy(to, cursor->read_data + (size_t)within, (size_t)size);
	if (smmap__word_state(atomic_load_explicit(word, memory_order_acquire)) != SMMAP__MAPPED ||
	    !is_sound(cursor))
		return false;
	cursor->tick++;
	cursor->copied += size;
	return true;
}

static void note_run(smmap_cursor *cursor, uint64_t offset, uint64_t done)
{
	smmap__assert(offset + done >= offset);
	cursor->run = offset == cursor->read_next ? smmap__add_saturating(cursor->run, done) : done;
	cursor->read_next = offset + done;
}

/* Apart, so that the short way has no registers to save for it. */
static __attribute__((noinline)) int64_t read_pieces(smmap_cursor *cursor, uint64_t offset, void *to,
                                                     uint64_t size)
{
	uint64_t file_size = smmap__file_size(cursor->file);
	if (offset >= file_size || size == 0)
		return 0;
	uint64_t wanted = smmap__min(smmap__min(size, file_size - offset), PTRDIFF_MAX);
	uint64_t done = 0;
	while (done < wanted) {
		int64_t n = read_piece(cursor, offset + done, (unsigned char *)to + done, wanted - done);
		if (n < 0 && done == 0)
			return smmap__manager_error(cursor->manager, (int)n);
		if (n < 0)
			break;
		done += (uint64_t)n;
	}
	note_run(cursor, offset, done);
	return (int64_t)done;
}

int64_t smmap_read(smmap_cursor *cursor, uint64_t offset, void *to, uint64_t size)
{
	if (cursor->file == NULL)
		return SMMAP_ECLOSED;
	if (!copy_shortly(cursor, offset, to, size))
		return read_pieces(cursor, offset, to, size);
	note_run(cursor, offset, size);
	return (int64_t)size;
}
