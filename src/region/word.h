/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The state word of a region: one 64-bit atomic, and every step that it may take as a pure function from the old word
 * to the new one. The callers own the atomic operations; the model checker in tests/region explores the same functions.
 *
 *      63            32 31          24 23           8 7                0
 *     +----------------+--------------+--------------+------------------+
 *     | pins           | heat epoch   | rounds, heat | flags   | state  |     not EMPTY
 *     | eviction stamp |              | (2 + 14)     |         |        |     EMPTY
 *     +----------------+--------------+--------------+------------------+
 *
 *              map            publish             choose (pins = 0)
 *      EMPTY ------> BUSY --------------> MAPPED ------------------> EVICTING
 *        ^             |                   ^  |                         |  |
 *        |   undo      |          pin/unpin|  |          rescue (stable)|  |
 *        +-------------+                   +--+<------------------------+  |
 *        +-----------------------------------------------------------------+
 *                                        finish
 *
 * EMPTY, all bits 0, is what untouched memory says. Only who wins EMPTY -> BUSY or MAPPED -> EVICTING makes system
 * calls for the region. In detached placement nobody pins an EVICTING region, so that its memory can go away; in
 * stable placement a pin takes it back, since its memory stays.
 *
 * Orders: `publish` is stored with release and `pin` is an acquire, so that who pins sees the address; `unpin` is a
 * release and `choose` an acquire, so that all reads under a pin are over when the memory goes away.
 */
#ifndef SMMAP_WORD_H
#define SMMAP_WORD_H

#include "base/assert.h"

#include <stdbool.h>
#include <stdint.h>

enum smmap__state { SMMAP__EMPTY = 0, SMMAP__BUSY = 1, SMMAP__MAPPED = 2, SMMAP__EVICTING = 3 };

#define SMMAP__STATE_MASK UINT64_C(3)
#define SMMAP__REFERENCED UINT64_C(0x04) /* used since the eviction order last looked */
#define SMMAP__LINKED UINT64_C(0x08)     /* on one of the lists of the eviction order */
#define SMMAP__PARKED UINT64_C(0x10)     /* taken off the lists while pinned; the last unpin links it again */
#define SMMAP__WAITED UINT64_C(0x20)     /* somebody sleeps until the state changes */
#define SMMAP__SHORT UINT64_C(0x40)      /* charged less than a whole region: the end of the file */
#define SMMAP__MAIN UINT64_C(0x80)       /* belongs to the main list, not to the probation list */
#define SMMAP__HEAT_SHIFT 8
#define SMMAP__HEAT_MASK UINT64_C(0x3fff00)
#define SMMAP__ONE_ROUND                                                                                     \
	UINT64_C(0x400000) /* on the main list: turns that the region outlives without being used */
#define SMMAP__ROUNDS_MASK UINT64_C(0xc00000)
#define SMMAP__EPOCH_SHIFT 24
#define SMMAP__EPOCH_MASK UINT64_C(0xff000000)
#define SMMAP__PIN_SHIFT 32
#define SMMAP__ONE_PIN (UINT64_C(1) << SMMAP__PIN_SHIFT)
#define SMMAP__LOW_MASK UINT64_C(0xffffffff)

static inline enum smmap__state smmap__word_state(uint64_t word)
{
	return (enum smmap__state)(word & SMMAP__STATE_MASK);
}

/* Pins of a word that is not EMPTY. */
static inline uint32_t smmap__word_pins(uint64_t word)
{
	return (uint32_t)(word >> SMMAP__PIN_SHIFT);
}

/* When an EMPTY region was last evicted (low 32 bits of a count of evictions); 0: never. */
static inline uint32_t smmap__word_stamp(uint64_t word)
{
	return (uint32_t)(word >> SMMAP__PIN_SHIFT);
}

static inline uint64_t smmap__word_with_state(uint64_t word, enum smmap__state state)
{
	return (word & ~SMMAP__STATE_MASK) | (uint64_t)state;
}

/* A pin of a MAPPED region. The caller has seen to it that the count does not overflow. */
static inline uint64_t smmap__word_pin(uint64_t word)
{
	smmap__assert(smmap__word_state(word) == SMMAP__MAPPED);
	smmap__assert(smmap__word_pins(word) != UINT32_MAX);
	return (word + SMMAP__ONE_PIN) | SMMAP__REFERENCED;
}

static inline bool smmap__word_can_pin(uint64_t word)
{
	return smmap__word_pins(word) != UINT32_MAX;
}

/* The end of a pin. The last one takes PARKED off: who does it links the region again. */
static inline uint64_t smmap__word_unpin(uint64_t word)
{
	smmap__assert(smmap__word_state(word) == SMMAP__MAPPED);
	smmap__assert(smmap__word_pins(word) != 0);
	word -= SMMAP__ONE_PIN;
	return smmap__word_pins(word) == 0 ? word & ~SMMAP__PARKED : word;
}

/* EMPTY -> BUSY: the stamp gives way to the pins. */
static inline uint64_t smmap__word_begin_map(uint64_t word)
{
	smmap__assert(smmap__word_state(word) == SMMAP__EMPTY);
	return smmap__word_with_state(word & SMMAP__LOW_MASK, SMMAP__BUSY) & ~(SMMAP__SHORT | SMMAP__MAIN);
}

/* BUSY -> EMPTY after a failure; `stamp` is what the word said before. */
static inline uint64_t smmap__word_undo_map(uint64_t word, uint32_t stamp)
{
	smmap__assert(smmap__word_state(word) == SMMAP__BUSY);
	word = smmap__word_with_state(word & SMMAP__LOW_MASK, SMMAP__EMPTY) & ~SMMAP__WAITED;
	return word | (uint64_t)stamp << SMMAP__PIN_SHIFT;
}

/* BUSY -> MAPPED with the pin of who mapped it. `flags`: SMMAP__SHORT, SMMAP__MAIN and SMMAP__REFERENCED as they apply. */
static inline uint64_t smmap__word_publish(uint64_t word, uint64_t flags)
{
	smmap__assert(smmap__word_state(word) == SMMAP__BUSY);
	smmap__assert((flags & SMMAP__STATE_MASK) == 0);
	word =
		smmap__word_with_state(word & SMMAP__LOW_MASK, SMMAP__MAPPED) & ~(SMMAP__WAITED | SMMAP__REFERENCED);
	return (word | flags) + SMMAP__ONE_PIN;
}

/* Whether an evictor may choose the region: only what is on a list, so that one evictor at a time works on it. */
static inline bool smmap__word_can_evict(uint64_t word)
{
	return smmap__word_state(word) == SMMAP__MAPPED && smmap__word_pins(word) == 0 &&
	       (word & SMMAP__LINKED) != 0;
}

/* MAPPED -> EVICTING. */
static inline uint64_t smmap__word_begin_evict(uint64_t word)
{
	smmap__assert(smmap__word_state(word) == SMMAP__MAPPED);
	return smmap__word_with_state(word, SMMAP__EVICTING);
}

/* EVICTING -> MAPPED with a pin: stable placement only. */
static inline uint64_t smmap__word_rescue(uint64_t word)
{
	smmap__assert(smmap__word_state(word) == SMMAP__EVICTING);
	return smmap__word_pin(smmap__word_with_state(word & ~SMMAP__WAITED, SMMAP__MAPPED));
}

/* EVICTING -> EMPTY. */
static inline uint64_t smmap__word_finish_evict(uint64_t word, uint32_t stamp)
{
	smmap__assert(smmap__word_state(word) == SMMAP__EVICTING);
	word = smmap__word_with_state(word & SMMAP__LOW_MASK, SMMAP__EMPTY) &
	       ~(SMMAP__WAITED | SMMAP__SHORT | SMMAP__REFERENCED | SMMAP__ROUNDS_MASK);
	return word | (uint64_t)stamp << SMMAP__PIN_SHIFT;
}

#endif
