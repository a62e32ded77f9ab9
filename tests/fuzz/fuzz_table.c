/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The table of regions and the state words in it, by actors whose steps come in the order that the input gives. A step is
 * what is one atomic operation in the library; between an actor's load and its compare-and-swap others have their turns.
 * (tests/region explores one word exhaustively; here are several regions, longer lists and more actors.)
 *
 * Growing races, too: the table asks for memory before it swaps the new node in, so the allocator is where another actor
 * looks the same or another region up, and either may lose the swap.
 */
#include "fuzz/fuzz.h"

#include "region/table.h"

#include <smmap.h>

#include <stdlib.h>
#include <string.h>

enum { ACTORS = 4, REGIONS = 6, DEEPEST = 3, LOOKUPS = 64 };

static struct world {
	fuzz_input in;
	smmap__directory directory;
	smmap__table table;
	smmap__table_kind kind;
	int depth;
	struct {
		uint64_t index;
		smmap__region region;
	} lookups[LOOKUPS];
	int lookup_count;
	/* The protocol. */
	smmap__region regions[REGIONS];
	smmap__link head, tail; /* of the one list */
	uint64_t listed;
	uint32_t stamp;
} w;

static uint64_t below(uint64_t n)
{
	return fuzz_below(&w.in, n);
}

/* ---- growing ---- */

static smmap__memory memory;

/* The region must be the same whenever it is asked for. */
static void remember(uint64_t index, smmap__region region)
{
	CHECK_EQUAL(smmap__region_index(region), index);
	CHECK_EQUAL(region.leaf->detached, w.kind.detached);
	for (int i = 0; i < w.lookup_count; i++)
		if (w.lookups[i].index == index)
			CHECK(w.lookups[i].region.leaf == region.leaf && w.lookups[i].region.slot == region.slot);
	if (w.lookup_count < LOOKUPS) {
		w.lookups[w.lookup_count].index = index;
		w.lookups[w.lookup_count++].region = region;
	}
}

static bool was_seen(uint64_t index)
{
	for (int i = 0; i < w.lookup_count; i++)
		if (w.lookups[i].index == index)
			return true;
	return false;
}

static bool get(uint64_t index)
{
	smmap__region region;
	int code = smmap__table_get(&w.table, &w.kind, index, &region);
	if (code != 0) {
		CHECK_EQUAL(code, SMMAP_ENOMEM);
		return false;
	}
	remember(index, region);
	return true;
}

static void find(uint64_t index)
{
	smmap__region region;
	bool found = smmap__table_find(&w.table, index, &region);
	CHECK(found || !was_seen(index));
	if (found)
		remember(index, region);
}

static uint64_t some_index(void)
{
	if (w.lookup_count != 0 && fuzz_flag(&w.in))
		return w.lookups[below((uint64_t)w.lookup_count)].index + below(3) - 1;
	return fuzz_number(&w.in);
}

/* Another actor's turn, unless the directory is being changed: that is under a lock. */
static void let_others_look(void)
{
	if (w.depth >= DEEPEST || pthread_mutex_trylock(&w.directory.lock) != 0)
		return;
	pthread_mutex_unlock(&w.directory.lock);
	w.depth++;
	for (uint64_t turns = below(3); turns != 0; turns--)
		(void)get(some_index());
	w.depth--;
}

static bool fails;

static void *allocate(size_t size, void *context)
{
	(void)context;
	if (fails && below(4) == 3)
		return NULL;
	let_others_look();
	return malloc(size);
}

static void deallocate(void *block, void *context)
{
	(void)context;
	free(block);
}

/* All that was made is visited, once and in order. */
typedef struct visit {
	uint64_t last;
	bool any;
} visit;

static bool see(smmap__region region, void *context)
{
	visit *v = context;
	uint64_t index = smmap__region_index(region);
	/* Region 0 is in a leaf of its own; the slot for it in a larger leaf stays unused. */
	if (v->any && index == 0 && v->last == 0)
		return true;
	CHECK(!v->any || index > v->last);
	*v = (visit){index, true};
	smmap__region again = smmap__link_region(&w.directory, smmap__region_link(region));
	CHECK(again.leaf == region.leaf && again.slot == region.slot);
	return true;
}

static void grow(void)
{
	fails = fuzz_flag(&w.in);
	for (uint64_t n = 1 + below(16); n != 0; n--) {
		uint64_t index = some_index();
		find(index);
		if (get(index))
			find(index);
	}
	visit v = {0};
	smmap__table_visit(&w.table, see, &v);
	CHECK(v.any || w.lookup_count == 0);
	fails = false;
}

/* ---- the protocol ---- */

enum step { IDLE, PIN_TRY, MAPPING, PUBLISH_TRY, UNDO_TRY, LINK, UNPIN_TRY, EVICTING, FINISH_TRY };

typedef struct actor {
	enum step step;
	int region;
	uint64_t seen;   /* the word as it was loaded */
	uint32_t before; /* the stamp, while it maps */
	uint32_t pins[REGIONS];
} actor;

static struct protocol {
	actor actors[ACTORS];
	bool there[REGIONS]; /* the memory */
	int owner[REGIONS];  /* the actor that makes system calls for it, plus 1 */
} p;

static _Atomic uint64_t *word_of(int region)
{
	return smmap__region_word(w.regions[region]);
}

static bool swap(actor *a, uint64_t next)
{
	return atomic_compare_exchange_strong(word_of(a->region), &a->seen, next);
}

static void push(int region)
{
	smmap__link link = smmap__region_link(w.regions[region]);
	*smmap__region_next(w.regions[region]) = 0;
	if (w.tail != 0)
		*smmap__region_next(smmap__link_region(&w.directory, w.tail)) = link;
	else
		w.head = link;
	w.tail = link;
	w.listed++;
}

static int pop(void)
{
	smmap__region region = smmap__link_region(&w.directory, w.head);
	int i = 0;
	while (w.regions[i].leaf != region.leaf || w.regions[i].slot != region.slot)
		i++;
	w.head = *smmap__region_next(region);
	if (w.head == 0)
		w.tail = 0;
	w.listed--;
	return i;
}

/* What is done under the lock of the lists is one step. */
static void link_region(int region)
{
	uint64_t word = atomic_load(word_of(region));
	if (smmap__word_state(word) == SMMAP__MAPPED && (word & (SMMAP__LINKED | SMMAP__PARKED)) == 0) {
		atomic_store(word_of(region), word | SMMAP__LINKED);
		push(region);
	}
}

static void own(const actor *a)
{
	CHECK_EQUAL(p.owner[a->region], 0);
	p.owner[a->region] = (int)(a - p.actors) + 1;
}

static void disown(const actor *a)
{
	CHECK_EQUAL(p.owner[a->region], a - p.actors + 1);
	p.owner[a->region] = 0;
}

static void choose(actor *a)
{
	if (w.listed == 0)
		return;
	a->region = pop();
	uint64_t word = atomic_load(word_of(a->region));
	switch (smmap__word_state(word)) {
	case SMMAP__EMPTY:
		atomic_store(word_of(a->region), word & ~SMMAP__LINKED);
		return;
	case SMMAP__MAPPED:
		if (smmap__word_pins(word) != 0) {
			atomic_store(word_of(a->region), (word & ~SMMAP__LINKED) | SMMAP__PARKED);
		} else if ((word & SMMAP__REFERENCED) != 0) {
			atomic_store(word_of(a->region), (word & ~SMMAP__REFERENCED) | SMMAP__MAIN);
			push(a->region);
		} else {
			CHECK(smmap__word_can_evict(word));
			atomic_store(word_of(a->region), smmap__word_begin_evict(word & ~SMMAP__LINKED));
			own(a);
			a->step = EVICTING;
		}
		return;
	default:
		push(a->region);
	}
}

static void begin_call(actor *a)
{
	a->region = (int)below(REGIONS);
	uint64_t what = below(4);
	if (what == 0) {
		choose(a);
		return;
	}
	a->seen = atomic_load(word_of(a->region));
	a->step = what == 1 && a->pins[a->region] != 0 ? UNPIN_TRY : PIN_TRY;
}

static void try_pin(actor *a)
{
	uint64_t seen = a->seen;
	a->step = IDLE;
	switch (smmap__word_state(seen)) {
	case SMMAP__MAPPED:
		if (swap(a, smmap__word_pin(seen)))
			a->pins[a->region]++;
		return;
	case SMMAP__EMPTY:
		if (swap(a, smmap__word_begin_map(seen))) {
			own(a);
			a->before = smmap__word_stamp(seen);
			a->step = MAPPING;
		}
		return;
	case SMMAP__EVICTING:
		if (!w.kind.detached && swap(a, smmap__word_rescue(seen)))
			a->pins[a->region]++;
		return;
	case SMMAP__BUSY:
		/* As a waiter would. */
		(void)swap(a, seen | SMMAP__WAITED);
	}
}

static void map(actor *a)
{
	bool failed = below(4) == 3;
	if (!failed)
		p.there[a->region] = true;
	a->seen = atomic_load(word_of(a->region));
	a->step = failed ? UNDO_TRY : PUBLISH_TRY;
}

static void publish(actor *a)
{
	uint64_t flags = (a->before != 0 ? SMMAP__MAIN : 0) | (a->region == REGIONS - 1 ? SMMAP__SHORT : 0);
	if (!swap(a, smmap__word_publish(a->seen, flags)))
		return; /* somebody waits: once more */
	disown(a);
	a->pins[a->region]++;
	a->step = LINK;
}

static void undo(actor *a)
{
	uint64_t next = smmap__word_undo_map(a->seen, a->before);
	if (!swap(a, next))
		return;
	CHECK_EQUAL(smmap__word_stamp(next), a->before);
	disown(a);
	a->step = IDLE;
}

static void unpin(actor *a)
{
	uint64_t next = smmap__word_unpin(a->seen);
	if (!swap(a, next))
		return;
	a->pins[a->region]--;
	a->step = smmap__word_pins(next) == 0 && (a->seen & SMMAP__PARKED) != 0 ? LINK : IDLE;
}

static void evict(actor *a)
{
	/* Stable: a pin may have taken the region back meanwhile, and another may own it by now. */
	a->seen = atomic_load(word_of(a->region));
	if (w.kind.detached)
		p.there[a->region] = false;
	a->step = FINISH_TRY;
}

static void finish(actor *a)
{
	bool ours = smmap__word_state(a->seen) == SMMAP__EVICTING;
	if (ours && !swap(a, smmap__word_finish_evict(a->seen, ++w.stamp)))
		return;
	disown(a);
	/* Rescued: it goes back on the list. */
	a->step = ours ? IDLE : LINK;
}

static void step(actor *a)
{
	switch (a->step) {
	case IDLE:
		begin_call(a);
		break;
	case PIN_TRY:
		try_pin(a);
		break;
	case MAPPING:
		map(a);
		break;
	case PUBLISH_TRY:
		publish(a);
		break;
	case UNDO_TRY:
		undo(a);
		break;
	case LINK:
		link_region(a->region);
		a->step = IDLE;
		break;
	case UNPIN_TRY:
		unpin(a);
		break;
	case EVICTING:
		evict(a);
		break;
	case FINISH_TRY:
		finish(a);
		break;
	}
}

static void check_region(int region)
{
	uint64_t word = atomic_load(word_of(region)), pins = 0, listed = 0;
	enum smmap__state state = smmap__word_state(word);
	for (int i = 0; i < ACTORS; i++)
		pins += p.actors[i].pins[region];
	CHECK_EQUAL(state == SMMAP__EMPTY ? 0 : smmap__word_pins(word), pins);
	if (pins != 0)
		CHECK(state == SMMAP__MAPPED && p.there[region]);
	if (state == SMMAP__MAPPED)
		CHECK(p.there[region]);
	if (state == SMMAP__BUSY)
		CHECK(p.owner[region] != 0);
	if (state == SMMAP__EVICTING)
		CHECK(p.owner[region] != 0 && pins == 0);
	if (state == SMMAP__EMPTY)
		CHECK((word & (SMMAP__PARKED | SMMAP__WAITED | SMMAP__SHORT)) == 0);
	for (smmap__link link = w.head; link != 0;
	     link = *smmap__region_next(smmap__link_region(&w.directory, link)))
		listed += link == smmap__region_link(w.regions[region]);
	CHECK_EQUAL(listed, (word & SMMAP__LINKED) != 0);
}

/* All that is MAPPED is on the list, or parked under a pin, or about to be put there. */
static void check_end(void)
{
	for (int i = 0; i < ACTORS; i++)
		while (p.actors[i].step != IDLE)
			step(&p.actors[i]);
	for (int region = 0; region < REGIONS; region++) {
		uint64_t word = atomic_load(word_of(region));
		check_region(region);
		if (smmap__word_state(word) == SMMAP__MAPPED)
			CHECK((word & SMMAP__LINKED) != 0 ||
			      ((word & SMMAP__PARKED) != 0 && smmap__word_pins(word) != 0));
		CHECK_EQUAL(p.owner[region], 0);
	}
}

static void run_protocol(void)
{
	static const uint64_t indices[REGIONS] = {0, 1, 2, 64, 5000, UINT64_MAX / 2};
	memset(&p, 0, sizeof p);
	w.depth = DEEPEST;
	for (int i = 0; i < REGIONS; i++) {
		CHECK(get(indices[i]));
		CHECK(smmap__table_find(&w.table, indices[i], &w.regions[i]));
	}
	while (fuzz_more(&w.in)) {
		actor *a = &p.actors[below(ACTORS)];
		int region = a->region;
		step(a);
		check_region(region);
		check_region(a->region);
	}
	check_end();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	memset(&w, 0, sizeof w);
	w.in = (fuzz_input){data, size};
	memory = (smmap__memory){.allocate = allocate, .deallocate = deallocate};
	w.depth = DEEPEST;
	CHECK_EQUAL(smmap__directory_init(&w.directory, &memory), 0);
	w.kind = (smmap__table_kind){.directory = &w.directory, .detached = fuzz_flag(&w.in)};
	w.depth = 0;
	if (fuzz_flag(&w.in))
		grow();
	else
		run_protocol();
	smmap__table_clear(&w.table, &w.directory);
	smmap__directory_destroy(&w.directory);
	CHECK_EQUAL(atomic_load(&memory.bytes), 0);
	return 0;
}
