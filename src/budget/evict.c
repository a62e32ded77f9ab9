/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which region goes next.
 *
 *                      not used since                        no round left
 *   miss --> probation --------------> out      main ---------------------> out
 *                |  used since           ^       ^ |  else: once more round
 *                +-----------------------|-------+ +--+
 *                                        |
 *   miss soon after being evicted, and the next on the main list has no round left
 *
 * Two first-in-first-out lists. A region that is mapped for the first time is on probation; it comes to the main list when
 * it is used again before its turn, or when it is asked for again soon after it was given back. So one scan over everything
 * passes through probation and leaves the main list alone, where exact LRU would throw everything out.
 *
 * On the main list a region that was used since its last turn gains a round, up to three, and one that was not loses one; at
 * its turn without any it goes (generalized CLOCK: Smith, ACM TODS 1978). So the regions that are used in many turns outlive
 * those that were used in one.
 *
 * Whether a region comes back "soon" is told by the stamp that its state word keeps while EMPTY: a count of evictions. That
 * costs no memory where 2Q (Johnson and Shasha, VLDB 1994), ARC (Megiddo and Modha, FAST 2003) and S3-FIFO (Yang and others,
 * SOSP 2023) keep lists of ghosts. Having come back soon is not enough for a place on the main list: the next one there has
 * its turn, and only where that one has no round left do the two change places; otherwise the newcomer goes on probation
 * again. This is what makes a loop over more than fits cheap: its regions all come back equally soon, those on the main list
 * are used in every round and keep their places, and the others take turns in the small rest. The same comparison, of how
 * long ago the newcomer was used with how long ago the coldest that is kept, is the idea of LIRS (Jiang and Zhang,
 * SIGMETRICS 2002).
 *
 * The price: where what is hot is replaced as a whole, the old ones have to lose their rounds first. The benchmark group
 * "evict" measures all this beside exact LRU, on seeded and on recorded traces.
 *
 * Names: lists are linked through the regions' links, 4 bytes each. A pinned region that comes to the head is taken off
 * (PARKED), and the last unpin links it again: so pinned regions are looked at once, however often the lists turn.
 * Regions that were evicted out of turn stay linked, EMPTY, until they come to the head or a purge takes them off.
 */
#include "budget/budget.h"

#include "base/arith.h"
#include "base/assert.h"

#include <limits.h>

/*
 * Probation has a fifth of all that is linked and a few regions more, but no more than half. Less is better for loops and
 * scans, more where what is hot changes; and where only a few regions fit they are used in runs, which LRU serves best.
 */
enum { PROBATION_SHARE = 5, PROBATION_LEAST = 6 };
/* Below this share the main list grows by whatever finds a place; above it one goes for each that comes. */
enum { MAIN_LEAST = 3, MAIN_LEAST_OF = 5 };
/* A region that comes back within so many times the number of mapped regions is not a newcomer. */
enum { REMEMBERED = 2 };
/* Looks at a region until it goes: one takes the bit, three the rounds, and the last one finds nothing. */
enum { LOOKS = 5 };

int smmap__evict_init(smmap__evict *evict)
{
	atomic_init(&evict->clock, 1);
	return smmap__os_mutex_init(&evict->lock);
}

void smmap__evict_destroy(smmap__evict *evict)
{
	smmap__assert(evict->probation.count == 0 && evict->main.count == 0);
	pthread_mutex_destroy(&evict->lock);
}

/* ---- lists; all under the lock ---- */

static void push(smmap__list *list, const smmap__directory *directory, smmap__region region)
{
	smmap__assert((list->count == 0) == (list->tail == 0));
	smmap__link link = smmap__region_link(region);
	*smmap__region_next(region) = 0;
	if (list->tail != 0)
		*smmap__region_next(smmap__link_region(directory, list->tail)) = link;
	else
		list->head = link;
	list->tail = link;
	list->count++;
}

static smmap__region pop(smmap__list *list, const smmap__directory *directory)
{
	smmap__assert(list->count != 0);
	smmap__assert(list->head != 0 && list->tail != 0);
	smmap__region region = smmap__link_region(directory, list->head);
	list->head = *smmap__region_next(region);
	if (list->head == 0)
		list->tail = 0;
	list->count--;
	return region;
}

static uint64_t linked(const smmap__evict *evict)
{
	return evict->probation.count + evict->main.count;
}

static bool replace_word(smmap__region region, uint64_t *word, uint64_t by)
{
	return atomic_compare_exchange_weak_explicit(smmap__region_word(region), word, by, memory_order_acq_rel,
	                                             memory_order_acquire);
}

/* ---- what happens to the region at the head ---- */

/* The word after a turn of a region that stays: used since then, it gains a round, else it loses one. */
static uint64_t after_turn(uint64_t word)
{
	if ((word & SMMAP__REFERENCED) == 0)
		return word - SMMAP__ONE_ROUND;
	word &= ~SMMAP__REFERENCED;
	return (word & SMMAP__ROUNDS_MASK) != SMMAP__ROUNDS_MASK ? word + SMMAP__ONE_ROUND : word;
}

static bool has_a_round(uint64_t word)
{
	return (word & (SMMAP__REFERENCED | SMMAP__ROUNDS_MASK)) != 0;
}

enum fate { TO_MAIN, TO_SAME, TAKEN_OFF, EVICTED, WAS_EMPTY };

static enum fate decide_locked(smmap__evict *evict, smmap__region region)
{
	uint64_t word = atomic_load_explicit(smmap__region_word(region), memory_order_acquire);
	for (;;) {
		uint64_t next;
		enum fate fate;
		switch (smmap__word_state(word)) {
		case SMMAP__EMPTY:
			next = word & ~SMMAP__LINKED;
			fate = WAS_EMPTY;
			break;
		case SMMAP__MAPPED:
			if (smmap__word_pins(word) != 0) {
				next = (word & ~SMMAP__LINKED) | SMMAP__PARKED;
				fate = TAKEN_OFF;
			} else if ((word & SMMAP__MAIN) != 0 && has_a_round(word)) {
				next = after_turn(word);
				fate = TO_MAIN;
			} else if ((word & SMMAP__REFERENCED) != 0) {
				next = (word & ~SMMAP__REFERENCED) | SMMAP__MAIN;
				fate = TO_MAIN;
			} else {
				next = smmap__word_begin_evict(word & ~SMMAP__LINKED);
				fate = EVICTED;
			}
			break;
		default:
			return TO_SAME; /* another thread is at work on it */
		}
		if (replace_word(region, &word, next)) {
			if (fate == WAS_EMPTY)
				atomic_fetch_sub_explicit(&evict->stale, 1, memory_order_relaxed);
			return fate;
		}
	}
}

static smmap__list *next_list(smmap__evict *evict)
{
	uint64_t all = linked(evict);
	uint64_t share = smmap__min(all / PROBATION_SHARE + PROBATION_LEAST, all / 2);
	return evict->main.count == 0 || evict->probation.count > share ? &evict->probation : &evict->main;
}

/*
 * A parked region is no longer named by the lists. Its reference is not the last: whoever pins it holds the file, and cannot
 * let go of it before having linked the region again, for which it needs the lock that we hold.
 */
static void park(smmap__region region)
{
	uint64_t before = atomic_fetch_sub_explicit(&region.leaf->file->references, 1, memory_order_relaxed);
	smmap__assert(before > 1);
	(void)before;
}

static smmap__list *other_list(smmap__evict *evict, const smmap__list *list)
{
	return list == &evict->main ? &evict->probation : &evict->main;
}

static enum smmap__choice choose_locked(smmap__evict *evict, const smmap__directory *directory,
                                        smmap__region *region)
{
	/* A list on which other threads are at work on everything keeps its turn; then it is the other one's. */
	const smmap__list *all_busy = NULL;
	bool filled = false; /* the main list was all busy, and regions came to it since */
	uint64_t busy = 0;   /* in a row */
	for (uint64_t steps = LOOKS * linked(evict) + 2; steps != 0; steps--) {
		smmap__list *from = next_list(evict);
		if (from == all_busy)
			from = other_list(evict, from);
		if (from->count == 0 && !filled)
			break;
		if (from->count == 0) {
			all_busy = NULL;
			filled = false;
			from = &evict->main;
		}
		*region = pop(from, directory);
		enum fate fate = decide_locked(evict, *region);
		busy = fate == TO_SAME ? busy + 1 : 0;
		switch (fate) {
		case TO_MAIN:
			push(&evict->main, directory, *region);
			filled = all_busy == &evict->main;
			break;
		case TO_SAME:
			push(from, directory, *region);
			if (busy >= from->count) {
				all_busy = from;
				busy = 0;
			}
			break;
		case TAKEN_OFF:
			park(*region);
			break;
		case EVICTED:
			return SMMAP__VICTIM;
		default:
			smmap__assert(fate == WAS_EMPTY);
			return SMMAP__STALE;
		}
	}
	return SMMAP__NOTHING;
}

enum smmap__choice smmap__evict_choose(smmap__budget *budget, smmap__region *region)
{
	smmap__evict *evict = &budget->evict;
	pthread_mutex_lock(&evict->lock);
	enum smmap__choice choice = choose_locked(evict, &budget->shared->directory, region);
	pthread_mutex_unlock(&evict->lock);
	return choice;
}

enum { LOOKED_AT = 4 };

bool smmap__evict_coldest(smmap__budget *budget, unsigned epoch,
                          unsigned (*heat)(uint64_t word, unsigned epoch), smmap__region *region)
{
	smmap__evict *evict = &budget->evict;
	const smmap__directory *directory = &budget->shared->directory;
	unsigned coldest = UINT_MAX;
	pthread_mutex_lock(&evict->lock);
	for (int i = 0; i < LOOKED_AT && linked(evict) != 0; i++) {
		smmap__list *list = next_list(evict);
		smmap__region next = pop(list, directory);
		push(list, directory, next);
		uint64_t word = atomic_load_explicit(smmap__region_word(next), memory_order_relaxed);
		if (!smmap__word_can_evict(word) || heat(word, epoch) >= coldest)
			continue;
		coldest = heat(word, epoch);
		*region = next;
	}
	if (coldest != UINT_MAX)
		smmap__file_take(region->leaf->file);
	pthread_mutex_unlock(&evict->lock);
	return coldest != UINT_MAX;
}

/* ---- arrivals ---- */

/*
 * Takes the turn of the next region on the main list. true: it has no round left, and its place is there to be had. Then it
 * goes on probation, so that no other newcomer finds the same place (victims may have been taken for many misses to come);
 * only where the main list is short it stays, and the list grows.
 */
static bool main_has_place_locked(smmap__evict *evict, const smmap__directory *directory)
{
	if (evict->main.count == 0)
		return true;
	bool is_short = evict->main.count <= linked(evict) / MAIN_LEAST_OF * MAIN_LEAST;
	smmap__region next = pop(&evict->main, directory);
	uint64_t word = atomic_load_explicit(smmap__region_word(next), memory_order_relaxed);
	uint64_t turned;
	do {
		turned = has_a_round(word) ? after_turn(word) : word;
		if (!has_a_round(word) && !is_short)
			turned &= ~SMMAP__MAIN;
	} while (!replace_word(next, &word, turned));
	bool has_place = !has_a_round(word);
	push(has_place && !is_short ? &evict->probation : &evict->main, directory, next);
	return has_place;
}

uint64_t smmap__evict_list_for(smmap__budget *budget, uint64_t word)
{
	smmap__evict *evict = &budget->evict;
	uint32_t stamp = smmap__word_stamp(word);
	if (stamp == 0)
		return 0;
	pthread_mutex_lock(&evict->lock);
	uint32_t distance = atomic_load_explicit(&evict->clock, memory_order_relaxed) - stamp;
	bool to_main =
		distance <= REMEMBERED * linked(evict) && main_has_place_locked(evict, &budget->shared->directory);
	pthread_mutex_unlock(&evict->lock);
	/* As if used: its first turn must not come before its first use could. */
	return to_main ? SMMAP__MAIN | SMMAP__REFERENCED : 0;
}

void smmap__evict_link(smmap__budget *budget, smmap__region region)
{
	smmap__evict *evict = &budget->evict;
	uint64_t word = atomic_load_explicit(smmap__region_word(region), memory_order_acquire);
	pthread_mutex_lock(&evict->lock);
	bool ours = false;
	while (smmap__word_state(word) == SMMAP__MAPPED && (word & (SMMAP__LINKED | SMMAP__PARKED)) == 0 && !ours)
		ours = replace_word(region, &word, word | SMMAP__LINKED);
	if (ours) {
		smmap__file_take(region.leaf->file);
		push((word & SMMAP__MAIN) != 0 ? &evict->main : &evict->probation, &budget->shared->directory,
		     region);
	}
	pthread_mutex_unlock(&evict->lock);
}

/* ---- time and leftovers ---- */

uint32_t smmap__evict_stamp(smmap__budget *budget)
{
	uint32_t stamp = atomic_fetch_add_explicit(&budget->evict.clock, 1, memory_order_relaxed) + 1;
	return stamp != 0 ? stamp : 1;
}

bool smmap__evict_is_stale(smmap__budget *budget)
{
	smmap__evict *evict = &budget->evict;
	uint64_t stale = atomic_load_explicit(&evict->stale, memory_order_relaxed);
	return stale > SMMAP__LEAF_SLOTS && stale > smmap__gauge_now(&budget->handles);
}

static bool take_stale_locked(smmap__evict *evict, smmap__list *list, const smmap__directory *directory,
                              smmap__region *region)
{
	for (uint64_t left = list->count; left != 0; left--) {
		*region = pop(list, directory);
		uint64_t word = atomic_load_explicit(smmap__region_word(*region), memory_order_acquire);
		while (smmap__word_state(word) == SMMAP__EMPTY) {
			if (!replace_word(*region, &word, word & ~SMMAP__LINKED))
				continue;
			atomic_fetch_sub_explicit(&evict->stale, 1, memory_order_relaxed);
			return true;
		}
		push(list, directory, *region);
	}
	return false;
}

bool smmap__evict_take_stale(smmap__budget *budget, smmap__region *region)
{
	smmap__assert(region != NULL);
	smmap__evict *evict = &budget->evict;
	const smmap__directory *directory = &budget->shared->directory;
	pthread_mutex_lock(&evict->lock);
	bool found = take_stale_locked(evict, &evict->probation, directory, region) ||
	             take_stale_locked(evict, &evict->main, directory, region);
	pthread_mutex_unlock(&evict->lock);
	return found;
}
