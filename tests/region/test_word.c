/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The protocol of the state word, explored exhaustively: two or three threads, each with a script of calls, every
 * interleaving of their atomic steps, by the very functions of region/word.h. A step is what is one atomic operation in
 * the library; a compare-and-swap is a load and a try, so that others come in between.
 *
 * Checked in each state:
 *  - detached: nobody has a pin while the memory is gone, and one thread at a time makes system calls for the region;
 *  - stable: one thread at a time maps;
 *  - the charge is what the state says: 1 while the region is not EMPTY;
 *  - the region is on a list as often as its word says LINKED: once or not at all.
 * And when all threads are done: nobody sleeps, and what is MAPPED is on a list (or PARKED under a pin).
 *
 * Variants of the protocol that leave one rule out must fail, or the explorer sees nothing.
 */
#include "harness/harness.h"

#include "region/word.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum variant {
	RIGHT,
	PIN_WHILE_EVICTING, /* a detached region is rescued */
	MAP_WITHOUT_BUSY,   /* EMPTY -> MAPPED at once, mapped afterwards */
	UNPIN_KEEPS_PARKED, /* so that nobody links the region again */
	EVICT_IN_SPITE_OF_PINS,
	SLEEP_WITHOUT_A_MARK, /* the waiter does not say that it waits */
	WAKE_NOBODY,          /* publish does not look for waiters */
	CHARGE_READ_EARLY,    /* an evictor takes back what the region was charged when it began */
	VARIANTS
};

enum { THREADS_MAX = 3, CALLS_MAX = 3 };
enum call { NONE, PIN_UNPIN, EVICT_FROM_LIST, EVICT_DIRECTLY, MAP_FAILS };

/* Where a thread is within its call. */
enum at {
	BEGIN,
	PIN_TRY, /* has loaded the word, tries to change it */
	MAPPING, /* owns it BUSY: the system call */
	PUBLISH, /* its load */
	PUBLISH_TRY,
	UNDO_TRY,
	LINK,   /* the lists' lock is one step: load, try and push under it */
	PINNED, /* uses the memory */
	UNPIN_TRY,
	UNPIN_LINK,
	WAIT, /* takes the waiting lock and marks, in one step with going to sleep */
	ASLEEP,
	EVICTING, /* owns it: the system call */
	FINISH,   /* its load */
	FINISH_TRY,
	RELINK,
	DIRECT_TRY,
	DONE
};

typedef struct thread_state {
	uint64_t seen; /* the word as loaded */
	uint64_t before;
	uint8_t at;
	uint8_t call; /* index into the script */
	uint8_t has_pin;
	uint8_t woken;
} thread_state;

typedef struct state {
	uint64_t word;
	thread_state threads[THREADS_MAX];
	uint8_t on_list; /* how often */
	uint8_t memory;  /* detached: it is there */
	uint8_t charge;
	uint8_t busy_by;    /* threads that own it BUSY */
	uint8_t evicted_by; /* threads that own it EVICTING */
	uint8_t pad[3];
} state;

typedef struct exploration {
	enum variant variant;
	bool stable;
	int threads;
	uint8_t script[THREADS_MAX][CALLS_MAX];
	/* Found states: open addressing. */
	state *table;
	uint32_t *used; /* the number of the exploration that found it */
	uint32_t number;
	size_t room, count;
	state *stack;
	size_t stack_count, stack_room;
	const char *violation;
} exploration;

static bool violate(exploration *e, bool right, const char *what)
{
	if (!right && e->violation == NULL)
		e->violation = what;
	return right;
}

/* ---- one step of one thread ---- */

static void next_call(const exploration *e, thread_state *t, int self)
{
	t->call++;
	t->at = t->call >= CALLS_MAX || e->script[self][t->call] == NONE ? DONE : BEGIN;
	t->seen = 0;
	t->before = 0;
}

static void wake(const exploration *e, state *s, uint64_t before, bool publishing)
{
	if ((before & SMMAP__WAITED) == 0 || (publishing && e->variant == WAKE_NOBODY))
		return;
	for (int i = 0; i < e->threads; i++)
		if (s->threads[i].at == ASLEEP)
			s->threads[i].at = WAIT;
}

/* smmap__evict_link: all of it under the lists' lock; other threads' pins do not disturb its loop. */
static void link_region(state *s)
{
	if (smmap__word_state(s->word) == SMMAP__MAPPED && (s->word & (SMMAP__LINKED | SMMAP__PARKED)) == 0) {
		s->word |= SMMAP__LINKED;
		s->on_list++;
	}
}

static void begin_pin(const exploration *e, state *s, thread_state *t, int self)
{
	uint64_t word = t->seen;
	bool changed = s->word == word;
	switch (smmap__word_state(word)) {
	case SMMAP__MAPPED:
		t->at = BEGIN;
		if (changed) {
			s->word = smmap__word_pin(word);
			t->has_pin = 1;
			t->at = PINNED;
		}
		return;
	case SMMAP__EMPTY:
		t->at = BEGIN;
		if (!changed)
			return;
		t->before = word & (SMMAP__LINKED | SMMAP__MAIN);
		s->charge++;
		s->busy_by++;
		s->word = smmap__word_begin_map(word);
		if (e->variant == MAP_WITHOUT_BUSY)
			s->word = smmap__word_with_state(s->word, SMMAP__MAPPED);
		t->at = MAPPING;
		return;
	case SMMAP__EVICTING:
		if (e->stable || e->variant == PIN_WHILE_EVICTING) {
			t->at = BEGIN;
			if (changed) {
				s->word = smmap__word_rescue(word);
				wake(e, s, word, false);
				t->has_pin = 1;
				t->at = PINNED;
			}
			return;
		}
		break;
	case SMMAP__BUSY:
		break;
	}
	(void)self;
	t->at = WAIT;
}

static void do_wait(const exploration *e, state *s, thread_state *t)
{
	enum smmap__state now = smmap__word_state(s->word);
	if (now == SMMAP__BUSY || (!e->stable && now == SMMAP__EVICTING)) {
		if (e->variant != SLEEP_WITHOUT_A_MARK)
			s->word |= SMMAP__WAITED;
		t->at = ASLEEP;
	} else {
		t->at = BEGIN;
	}
}

/* The head of the list: what smmap__evict_choose does under the lists' lock. */
static void choose(const exploration *e, state *s, thread_state *t, int self)
{
	if (s->on_list == 0) {
		next_call(e, t, self);
		return;
	}
	switch (smmap__word_state(s->word)) {
	case SMMAP__EMPTY:
		s->word &= ~SMMAP__LINKED;
		s->on_list--;
		break;
	case SMMAP__MAPPED:
		if (smmap__word_pins(s->word) != 0 && e->variant != EVICT_IN_SPITE_OF_PINS) {
			s->word = (s->word & ~SMMAP__LINKED) | SMMAP__PARKED;
			s->on_list--;
		} else if ((s->word & SMMAP__REFERENCED) != 0) {
			s->word = (s->word & ~SMMAP__REFERENCED) | SMMAP__MAIN;
			return; /* looked at once more */
		} else {
			s->word = smmap__word_begin_evict(s->word & ~SMMAP__LINKED);
			s->on_list--;
			s->evicted_by++;
			t->at = EVICTING;
			return;
		}
		break;
	default:
		break; /* another thread is at work on it */
	}
	next_call(e, t, self);
}

/* The region is the end of its file: charged 1, where a whole one would be charged 2. */
static uint64_t charge_of(uint64_t word)
{
	return (word & SMMAP__SHORT) != 0 ? 1 : 2;
}

static void step(exploration *e, state *s, int self)
{
	thread_state *t = &s->threads[self];
	enum call call = (enum call)e->script[self][t->call];
	switch ((enum at)t->at) {
	case BEGIN:
		t->seen = s->word;
		if (call == EVICT_FROM_LIST)
			choose(e, s, t, self);
		else if (call == EVICT_DIRECTLY)
			t->at = DIRECT_TRY;
		else
			t->at = PIN_TRY;
		if (call == EVICT_FROM_LIST)
			t->seen = 0;
		break;
	case PIN_TRY:
		begin_pin(e, s, t, self);
		t->seen = 0;
		break;
	case MAPPING:
		if (call != MAP_FAILS) {
			violate(e, !s->memory || e->stable, "mapped over what is mapped");
			s->memory = 1;
		}
		t->at = call == MAP_FAILS ? UNDO_TRY : PUBLISH;
		break;
	case PUBLISH:
		t->seen = s->word;
		t->at = PUBLISH_TRY;
		break;
	case PUBLISH_TRY:
		if (s->word != t->seen) {
			t->at = PUBLISH;
			break;
		}
		violate(e, smmap__word_state(s->word) == SMMAP__BUSY || e->variant != RIGHT,
		        "published what is not busy");
		s->word = smmap__word_publish(s->word, SMMAP__SHORT);
		s->busy_by--;
		t->has_pin = 1;
		wake(e, s, t->seen, true);
		t->at = (t->seen & SMMAP__LINKED) == 0 ? LINK : PINNED;
		t->seen = 0;
		t->before = 0;
		break;
	case UNDO_TRY:
		s->charge--;
		s->busy_by--;
		{
			uint64_t before = s->word;
			s->word = smmap__word_undo_map(before, 0);
			wake(e, s, before, false);
		}
		t->before = 0;
		next_call(e, t, self);
		break;
	case LINK:
		link_region(s);
		t->at = PINNED;
		break;
	case PINNED:
		violate(e, e->stable || s->memory, "a pin on memory that is gone");
		t->seen = s->word;
		t->at = UNPIN_TRY;
		break;
	case UNPIN_TRY: {
		if (s->word != t->seen) {
			t->seen = s->word;
			break;
		}
		uint64_t next = smmap__word_unpin(s->word);
		if (e->variant == UNPIN_KEEPS_PARKED)
			next |= s->word & SMMAP__PARKED;
		bool link = smmap__word_pins(next) == 0 && (s->word & SMMAP__PARKED) != 0;
		s->word = next;
		t->has_pin = 0;
		t->seen = 0;
		if (link)
			t->at = UNPIN_LINK;
		else
			next_call(e, t, self);
		break;
	}
	case UNPIN_LINK:
		link_region(s);
		next_call(e, t, self);
		break;
	case WAIT:
		do_wait(e, s, t);
		break;
	case DIRECT_TRY:
		if (!smmap__word_can_evict(t->seen)) {
			next_call(e, t, self);
			break;
		}
		if (s->word == t->seen) {
			s->word = smmap__word_begin_evict(s->word);
			s->evicted_by++;
			t->at = EVICTING;
		} else {
			t->at = BEGIN;
		}
		t->seen = 0;
		break;
	case EVICTING:
		violate(e, s->memory || e->stable, "unmapped twice");
		s->memory = 0;
		if (e->variant == CHARGE_READ_EARLY)
			t->before = charge_of(s->word);
		t->at = FINISH;
		break;
	case FINISH:
		t->seen = s->word;
		t->at = smmap__word_state(s->word) == SMMAP__EVICTING ? FINISH_TRY : RELINK;
		if (t->at == RELINK) {
			s->evicted_by--;
			t->seen = 0;
		}
		break;
	case FINISH_TRY:
		if (s->word != t->seen) {
			t->at = FINISH;
			t->seen = 0;
			break;
		}
		/* A wrong variant may take more away than there is. */
		s->charge =
			(uint8_t)((s->charge - (e->variant == CHARGE_READ_EARLY ? t->before : charge_of(s->word))) &
		              0xff);
		s->word = smmap__word_finish_evict(s->word, 0);
		s->evicted_by--;
		wake(e, s, t->seen, false);
		next_call(e, t, self);
		break;
	case RELINK:
		violate(e, e->stable, "a detached region was rescued");
		link_region(s);
		next_call(e, t, self);
		break;
	case ASLEEP:
	case DONE:
		break;
	}
}

/* ---- what must hold ---- */

static void check_state(exploration *e, const state *s)
{
	enum smmap__state now = smmap__word_state(s->word);
	unsigned pins = 0;
	for (int i = 0; i < e->threads; i++)
		pins += s->threads[i].has_pin;
	violate(e, s->charge == (now != SMMAP__EMPTY), "the charge is not what the state says");
	violate(e, s->on_list == ((s->word & SMMAP__LINKED) != 0),
	        "LINKED, but not on a list, or the other way round");
	violate(e, s->busy_by <= 1, "two map");
	violate(e, s->busy_by == (now == SMMAP__BUSY), "an owner of what is not busy");
	if (now != SMMAP__EMPTY)
		violate(e, smmap__word_pins(s->word) == pins, "pins are lost");
	violate(e, (s->word & SMMAP__PARKED) == 0 || pins != 0, "parked without a pin");
	if (e->stable)
		return;
	violate(e, s->busy_by + s->evicted_by <= 1, "two make system calls");
	violate(e, pins == 0 || now == SMMAP__MAPPED, "a pin on what is not mapped");
	violate(e, now != SMMAP__MAPPED || s->memory, "mapped, but not there");
}

static void check_end(exploration *e, const state *s)
{
	for (int i = 0; i < e->threads; i++)
		violate(e, s->threads[i].at != ASLEEP, "sleeps for ever");
	violate(e, smmap__word_state(s->word) != SMMAP__MAPPED || s->on_list == 1, "mapped, but on no list");
	violate(e, smmap__word_state(s->word) == SMMAP__MAPPED || smmap__word_state(s->word) == SMMAP__EMPTY,
	        "left in the middle");
	violate(e, (s->word & (SMMAP__WAITED | SMMAP__PARKED)) == 0, "a mark is left");
}

/* ---- all interleavings ---- */

static size_t home(const state *s, size_t room)
{
	uint64_t words[sizeof(state) / 8];
	uint64_t h = 0;
	memcpy(words, s, sizeof words);
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		h = random_mix(h ^ words[i]);
	return (size_t)h & (room - 1);
}

/* true when the state is new. */
static bool enter(exploration *e, const state *s)
{
	size_t i = home(s, e->room);
	while (e->used[i] == e->number) {
		/* NOLINTNEXTLINE: states are zeroed as a whole before they are filled in */
		if (memcmp(&e->table[i], s, sizeof *s) == 0)
			return false;
		i = (i + 1) & (e->room - 1);
	}
	e->used[i] = e->number;
	e->table[i] = *s;
	assert_true(++e->count < e->room / 4 * 3);
	return true;
}

static void push(exploration *e, const state *s)
{
	check_state(e, s);
	if (e->violation != NULL || !enter(e, s))
		return;
	assert_true(e->stack_count < e->stack_room);
	e->stack[e->stack_count++] = *s;
}

static void explore_from(exploration *e, uint64_t word, uint8_t on_list)
{
	state first;
	memset(&first, 0, sizeof first);
	first.word = word;
	first.on_list = on_list;
	first.charge = first.memory = smmap__word_state(word) == SMMAP__MAPPED;
	for (int i = 0; i < THREADS_MAX; i++)
		first.threads[i].at = i < e->threads && e->script[i][0] != NONE ? BEGIN : DONE;
	push(e, &first);
	while (e->stack_count != 0 && e->violation == NULL) {
		state s = e->stack[--e->stack_count];
		bool stuck = true;
		for (int i = 0; i < e->threads && e->violation == NULL; i++) {
			if (s.threads[i].at == DONE || s.threads[i].at == ASLEEP)
				continue;
			state next = s;
			step(e, &next, i);
			push(e, &next);
			stuck = false;
		}
		if (stuck)
			check_end(e, &s);
	}
}

/* From each way in which a region can lie there while nobody is at work on it. */
static void explore(exploration *e)
{
	const struct {
		uint64_t word;
		uint8_t on_list;
	} beginnings[] = {
		{0, 0},
		{SMMAP__LINKED, 1},
		{SMMAP__MAPPED | SMMAP__LINKED | SMMAP__SHORT, 1},
		{SMMAP__MAPPED | SMMAP__LINKED | SMMAP__SHORT | SMMAP__REFERENCED | SMMAP__MAIN, 1},
	};
	for (size_t i = 0; i < sizeof beginnings / sizeof *beginnings && e->violation == NULL; i++) {
		e->number++;
		e->count = 0;
		e->stack_count = 0;
		explore_from(e, beginnings[i].word, beginnings[i].on_list);
	}
}

static uint64_t states;

/* All scripts of so many calls each; the first violation, or NULL. */
static const char *explore_scripts(enum variant variant, bool stable, int threads, int calls)
{
	static exploration e;
	static const uint8_t kinds[] = {PIN_UNPIN, EVICT_FROM_LIST, EVICT_DIRECTLY, MAP_FAILS};
	size_t total = 1;
	if (e.table == NULL) {
		e.room = (size_t)1 << 19;
		e.stack_room = e.room;
		e.table = malloc(e.room * sizeof *e.table);
		e.used = calloc(e.room, sizeof *e.used);
		e.stack = malloc(e.stack_room * sizeof *e.stack);
		assert_true(e.table != NULL && e.used != NULL && e.stack != NULL);
	}
	e.variant = variant;
	e.stable = stable;
	e.threads = threads;
	e.violation = NULL;
	for (int i = 0; i < threads * calls; i++)
		total *= 4;
	for (size_t n = 0; n < total && e.violation == NULL; n++) {
		size_t rest = n;
		bool in_order = true;
		size_t last = 0;
		memset(e.script, 0, sizeof e.script);
		for (int i = 0; i < threads; i++) {
			size_t own = 0;
			for (int k = 0; k < calls; k++, rest /= 4) {
				e.script[i][k] = kinds[rest % 4];
				own = own * 4 + rest % 4;
			}
			in_order = in_order && own >= last; /* the others differ by the threads' names only */
			last = own;
		}
		if (!in_order)
			continue;
		explore(&e);
		states += e.count;
	}
	return e.violation;
}

static void assert_holds(bool stable, int threads, int calls)
{
	states = 0;
	const char *violation = explore_scripts(RIGHT, stable, threads, calls);
	printf("%llu states\n", (unsigned long long)states);
	if (violation != NULL)
		fail_msg("%s", violation);
	assert_true(states > 100);
}

static void two_threads_detached(void)
{
	assert_holds(false, 2, 3);
}

static void two_threads_stable(void)
{
	assert_holds(true, 2, 3);
}

static void three_threads_detached(void)
{
	assert_holds(false, 3, 2);
}

static void three_threads_stable(void)
{
	assert_holds(true, 3, 2);
}

static void weaker_protocols_are_caught(void)
{
	for (enum variant v = RIGHT + 1; v < VARIANTS; v++) {
		const char *violation = explore_scripts(v, false, 2, 2);
		if (violation == NULL)
			violation = explore_scripts(v, true, 3, 2);
		if (violation == NULL)
			fail_msg("variant %d is not caught", (int)v);
		printf("variant %d: %s\n", (int)v, violation);
	}
}

static void words_keep_what_they_must(void)
{
	uint64_t empty = smmap__word_finish_evict(SMMAP__EVICTING | SMMAP__SHORT | SMMAP__WAITED | SMMAP__LINKED |
	                                              SMMAP__MAIN | UINT64_C(0x1234) << 8,
	                                          77);
	assert_int_equal(smmap__word_state(empty), SMMAP__EMPTY);
	assert_int_equal(smmap__word_stamp(empty), 77);
	assert_int_equal(empty & (SMMAP__SHORT | SMMAP__WAITED | SMMAP__LINKED | SMMAP__MAIN),
	                 SMMAP__LINKED | SMMAP__MAIN);
	uint64_t busy = smmap__word_begin_map(empty);
	assert_int_equal(smmap__word_pins(busy), 0);
	assert_int_equal(smmap__word_state(busy), SMMAP__BUSY);
	assert_int_equal(smmap__word_stamp(smmap__word_undo_map(busy, 77)), 77);
	uint64_t mapped = smmap__word_publish(busy | SMMAP__WAITED, SMMAP__SHORT);
	assert_int_equal(smmap__word_pins(mapped), 1);
	assert_int_equal(mapped & (SMMAP__WAITED | SMMAP__SHORT | SMMAP__REFERENCED), SMMAP__SHORT);
	assert_false(smmap__word_can_evict(mapped));
	assert_true(smmap__word_can_evict(smmap__word_unpin(mapped)));
	assert_true(smmap__word_can_pin(mapped));
	uint64_t full = mapped | UINT64_C(0xffffffff) << SMMAP__PIN_SHIFT;
	assert_false(smmap__word_can_pin(full));
	assert_true(smmap__word_can_pin(smmap__word_unpin(full)));
	assert_int_equal(smmap__word_unpin(smmap__word_pin(mapped | SMMAP__PARKED)) & SMMAP__PARKED,
	                 SMMAP__PARKED);
	assert_int_equal(smmap__word_unpin(mapped | SMMAP__PARKED) & SMMAP__PARKED, 0);
}

TEST_PROGRAM(TEST(two_threads_detached, .seconds = 120), TEST(two_threads_stable, .seconds = 120),
             TEST(three_threads_detached, .seconds = 120), TEST(three_threads_stable, .seconds = 120),
             TEST(weaker_protocols_are_caught, .seconds = 120), TEST(words_keep_what_they_must))
