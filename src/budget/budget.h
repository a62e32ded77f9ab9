/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The budget of a manager: what is charged, what is given back next, and the pins.
 *
 *   pin  --miss-->  reserve, make room, BUSY, map, MAPPED, link          (pin.c)
 *   make room  -->  choose victims from the lists, EVICTING, unmap       (budget.c)
 *   how many at a time                                                   (batch.c)
 *   the lists  -->  which victim                                         (evict.c)
 *
 * Eviction order: two first-in-first-out lists (evict.c says why). A hit only sets a bit in the state word; the lists are
 * touched on misses, under one short lock, and no system call is made under it.
 */
#ifndef SMMAP_BUDGET_H
#define SMMAP_BUDGET_H

#include "file/file.h"

#include <pthread.h>

/* The stress build evicts every region as soon as nothing pins it. */
#ifdef SMMAP_STRESS
#define SMMAP__EVICT_AT_ONCE 1
#else
#define SMMAP__EVICT_AT_ONCE 0
#endif

typedef struct smmap__list {
	smmap__link head;
	smmap__link tail;
	uint64_t count;
} smmap__list;

typedef struct smmap__evict {
	pthread_mutex_t lock;
	smmap__list probation;
	smmap__list main;
	_Atomic uint64_t stale; /* linked regions that are EMPTY */
	_Atomic uint32_t clock; /* evictions so far; never 0 */
} smmap__evict;

typedef struct smmap__budget {
	smmap__shared *shared;
	smmap__gauge bytes; /* of files */
	/* What the last pages of mapped files hold beyond the files' ends: resident too, so it counts against the limit. */
	_Atomic uint64_t slack;
	smmap__gauge handles;
	_Atomic uint64_t max_bytes;
	_Atomic uint64_t max_handles;
	bool keeps_one; /* the last unpin leaves the only region there is, though it is over the limit */
	_Atomic uint64_t open_files; /* files with at least one region */
	_Atomic unsigned heat_epoch; /* the clock of the heat that copying reads keep (cursor/read.c) */
	smmap__evict evict;
	_Atomic uint32_t batch; /* regions that are given back at a time; 0: none yet */
	_Atomic int32_t regret; /* for what was given back too early (batch.c) */
	/* Who waits for a region that another thread is making system calls for. */
	pthread_mutex_t wait_lock;
	pthread_cond_t wait_over;
	/* Set in a forked child: what other threads had under way must be put right first. */
	_Atomic bool forked;
	bool is_childs; /* what those threads had allocated for the moment is lost */
	/* The manager's: whether a file is to be read from, as its policy on changes says; 0 or a code. NULL: it always is. */
	int (*check_file)(struct smmap__budget *budget, smmap__file *file);
	/* The manager's: given a file whose last reference may have gone. */
	void (*give_file)(struct smmap__budget *budget, smmap__file *file);
	void (*repair)(struct smmap__budget *budget);
} smmap__budget;

int smmap__budget_init(smmap__budget *budget, smmap__shared *shared);
void smmap__budget_destroy(smmap__budget *budget);

/* ---- references of files ---- */

static inline void smmap__file_take(smmap__file *file)
{
	atomic_fetch_add_explicit(&file->references, 1, memory_order_relaxed);
}

/* ---- pins (pin.c) ---- */

/*
 * Pins a region, mapping it where it is not mapped. Returns 0 or a code. `missed`, when not NULL, says whether it had to
 * be mapped. The caller holds a reference to the file.
 */
int smmap__pin(smmap__budget *budget, smmap__file *file, bool span, uint64_t index, smmap__region *region,
               bool *missed);
/* Pins a region only if it is mapped already. */
bool smmap__pin_mapped(smmap__region region);
/* Pins `by` more times what the caller has pinned. Returns 0 or SMMAP_EOVERFLOW. */
int smmap__pin_again(smmap__region region, uint32_t by);
/* The last unpin while the budget is exceeded evicts. */
void smmap__unpin(smmap__budget *budget, smmap__region region, uint32_t by);

/* Maps a region without keeping a pin, for copying reads: only where it fits without exceeding the budget. */
bool smmap__map_if_room(smmap__budget *budget, smmap__file *file, uint64_t index, smmap__region region);

/* ---- giving back (budget.c) ---- */

bool smmap__budget_is_over(const smmap__budget *budget);
/* Whether one region of `length` bytes more fits without giving anything back. */
bool smmap__budget_has_room(const smmap__budget *budget, uint64_t length);
/* Evicts until nothing is exceeded or only pins are left (counted). */
void smmap__budget_make_room(smmap__budget *budget);
/* Evicts until one region of `length` bytes more will fit, and charges it; only pins let it exceed the limits (counted). */
void smmap__budget_reserve(smmap__budget *budget, smmap__file *file, uint64_t length);
/* Evicts one region. false: none can be. */
bool smmap__budget_evict_one(smmap__budget *budget);
/* Evicts this region if nothing pins it. */
bool smmap__budget_evict(smmap__budget *budget, smmap__region region);
/* Charges one region of `length` bytes, or takes that back. */
void smmap__budget_charge(smmap__budget *budget, smmap__file *file, uint64_t length);
void smmap__budget_uncharge(smmap__budget *budget, smmap__file *file, uint64_t length);
/*
 * Makes a stable file larger where it lies; the lock that keeps its size from changing is held. false: it cannot be, and
 * nothing has changed.
 */
bool smmap__budget_grow(smmap__budget *budget, smmap__file *file, uint64_t size);
/* What the last page of `length` bytes holds beyond them. */
uint64_t smmap__budget_slack(uint64_t length);
/* After a state change: wakes who waits for the region; `before` is the old word. */
void smmap__budget_wake(smmap__budget *budget, uint64_t before);
/* Sleeps until the region's state is neither BUSY nor, when `also_evicting`, EVICTING. */
void smmap__budget_wait(smmap__budget *budget, smmap__region region, bool also_evicting);

/* ---- how many at a time (batch.c) ---- */

/* A region is mapped that was given back at `stamp` (0: never). */
void smmap__batch_missed(smmap__budget *budget, uint32_t stamp);
/* How many regions to give back now; SMMAP__RANGES_MAX at most. */
unsigned smmap__batch_next(smmap__budget *budget);

/* ---- eviction order (evict.c) ---- */

int smmap__evict_init(smmap__evict *evict);
void smmap__evict_destroy(smmap__evict *evict);
/*
 * The flags (of SMMAP__MAIN and SMMAP__REFERENCED) with which a region that is mapped now is published; `word` is what it
 * said while EMPTY.
 */
uint64_t smmap__evict_list_for(smmap__budget *budget, uint64_t word);
/* Puts a MAPPED region on the list that its word says, unless it is on one. */
void smmap__evict_link(smmap__budget *budget, smmap__region region);
/*
 * Takes a region off the lists. SMMAP__VICTIM: it is EVICTING. SMMAP__STALE: it was EMPTY. Its list's reference to the
 * file is the caller's then. SMMAP__NOTHING: all that is left is pinned.
 */
enum smmap__choice { SMMAP__NOTHING, SMMAP__VICTIM, SMMAP__STALE };
enum smmap__choice smmap__evict_choose(smmap__budget *budget, smmap__region *region);
/*
 * The coldest of the next few regions, as `heat` says of their words, with a reference to its file. Their turns pass, so that
 * others are looked at the next time. false: there is none.
 */
bool smmap__evict_coldest(smmap__budget *budget, unsigned epoch,
                          unsigned (*heat)(uint64_t word, unsigned epoch), smmap__region *region);
/* The stamp for a region that is evicted now. */
uint32_t smmap__evict_stamp(smmap__budget *budget);
/* Whether EMPTY regions are the larger part of the lists, so that a purge pays. */
bool smmap__evict_is_stale(smmap__budget *budget);
/* Takes one EMPTY region off, searching on from where the last search ended. false: there is none. */
bool smmap__evict_take_stale(smmap__budget *budget, smmap__region *region);

#endif
