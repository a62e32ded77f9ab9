/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The invariant walker: counts everything anew from the tables and compares it with the books that are kept along the
 * way. Built with -Dinvariants=true only, and called by tests after every step, while no other thread uses the manager.
 */
#include "manager/manager.h"

#include <stdio.h>
#include <stdlib.h>

#ifndef SMMAP_INVARIANTS
#error "built only where invariants are checked"
#endif

/* As assert, but also where assertions are compiled out. */
#define CHECK(condition) ((condition) ? (void)0 : fail(#condition, __LINE__))

_Noreturn static void fail(const char *condition, int line)
{
	fprintf(stderr, "invariant violated: %s (check.c:%d)\n", condition, line);
	abort();
}

/* What the tables say, of one file or of all. */
typedef struct sums {
	const smmap_manager *manager;
	const smmap__file *file;
	uint64_t bytes;
	uint64_t slack;
	uint64_t mapped;
	uint64_t linked;
	uint64_t stale;
	uint64_t mappings;
	uint64_t address_space;
	uint64_t open_files;
	uint64_t with_descriptor;
	uint64_t hashed;
	uint64_t idle;
	uint64_t holders;
} sums;

/* ---- regions ---- */

static void check_empty(smmap__region region, uint64_t word, sums *s)
{
	CHECK((word & (SMMAP__PARKED | SMMAP__WAITED | SMMAP__SHORT)) == 0);
	if (region.leaf->detached) {
		CHECK(*smmap__region_address(region) == 0);
		CHECK(*smmap__region_guard(region) == 0);
	}
	s->stale += (word & SMMAP__LINKED) != 0;
}

static void check_detached(smmap__region region, sums *s)
{
	bool in_memory = s->file->backing == SMMAP_BACKING_MEMORY;
	CHECK(*smmap__region_address(region) != 0);
	CHECK((*smmap__region_guard(region) == 0) == in_memory);
	s->mappings += !in_memory;
}

static void check_mapped(smmap__region region, uint64_t word, sums *s)
{
	bool is_short;
	bool is_linked = (word & SMMAP__LINKED) != 0;
	bool is_parked = (word & SMMAP__PARKED) != 0;
	uint64_t charge = smmap__region_charge(region, word);
	/* Whatever is mapped can be found by an evictor, or by who lets go of its last pin. */
	CHECK(is_linked != is_parked);
	CHECK(!is_parked || smmap__word_pins(word) != 0);
	CHECK((word & SMMAP__WAITED) == 0);
	CHECK(smmap__region_begin(region) < smmap__file_size(s->file));
	CHECK(charge == smmap__region_length(region, &is_short));
	CHECK(is_short == ((word & SMMAP__SHORT) != 0));
	s->bytes += charge;
	s->slack += smmap__budget_slack(charge);
	s->mapped++;
	if (region.leaf->detached)
		check_detached(region, s);
}

static bool check_region(smmap__region region, void *context)
{
	sums *s = context;
	uint64_t word = atomic_load_explicit(smmap__region_word(region), memory_order_acquire);
	enum smmap__state state = smmap__word_state(word);
	CHECK(state == SMMAP__EMPTY || state == SMMAP__MAPPED);
	CHECK(region.leaf->file == s->file);
	CHECK(region.leaf->detached == !smmap__file_is_stable(s->file));
	smmap__region named = smmap__link_region(&s->manager->shared.directory, smmap__region_link(region));
	CHECK(named.leaf == region.leaf && named.slot == region.slot);
	s->linked += (word & SMMAP__LINKED) != 0;
	if (state == SMMAP__EMPTY)
		check_empty(region, word, s);
	else
		check_mapped(region, word, s);
	return true;
}

/* ---- files ---- */

static bool is_in_bucket(const smmap_manager *manager, const smmap__file *file)
{
	for (size_t i = 0; i < manager->bucket_count; i++)
		for (const smmap__file *at = manager->buckets[i]; at != NULL; at = at->hash_next)
			if (at == file)
				return true;
	return false;
}

static void check_descriptor(const smmap__file *file, sums *s)
{
	const smmap__descriptors *descriptors = &s->manager->shared.descriptors;
	uint64_t word = atomic_load(&file->descriptor);
	CHECK((word & UINT32_MAX) == 0);
	if (word == 0)
		return;
	CHECK(file->descriptor_place < descriptors->used);
	CHECK(descriptors->files[file->descriptor_place] == file);
	s->with_descriptor++;
}

static void check_file(const smmap__file *file, sums *all)
{
	sums s = {.manager = all->manager, .file = file};
	uint64_t holders = atomic_load(&file->holders);
	smmap__table_visit(&file->regions, check_region, &s);
	smmap__table_visit(&file->spans, check_region, &s);
	CHECK(atomic_load(&file->mapped) == s.mapped);
	CHECK(atomic_load(&file->references) == holders + s.linked);
	CHECK(atomic_load(&file->references) != 0);
	CHECK(!file->idle || holders == 0);
	CHECK(file->idle || holders != 0 || !file->hashed);
	CHECK(file->hashed == is_in_bucket(all->manager, file));
	CHECK(file->base == NULL || smmap__file_is_stable(file));
	CHECK(file->base == NULL || file->guard != 0);
	CHECK(file->base == NULL || atomic_load(&file->map_length) >= smmap__file_size(file));
	CHECK(s.mapped == 0 || !smmap__file_is_stable(file) || file->base != NULL);
	check_descriptor(file, all);
	all->bytes += s.bytes;
	all->slack += s.slack;
	all->mapped += s.mapped;
	all->linked += s.linked;
	all->stale += s.stale;
	all->mappings += s.mappings + (file->base != NULL);
	all->address_space += file->base != NULL ? atomic_load(&file->map_length) : 0;
	all->open_files += s.mapped != 0;
	all->hashed += file->hashed;
	all->idle += file->idle;
	all->holders += holders;
}

static void check_idle(const smmap_manager *manager, const sums *s)
{
	uint64_t count = 0;
	const smmap__file *previous = NULL;
	for (const smmap__file *file = manager->idle_oldest; file != NULL; file = file->idle_next) {
		CHECK(file->idle);
		CHECK(file->idle_previous == previous);
		previous = file;
		count++;
	}
	CHECK(manager->idle_newest == previous);
	CHECK(count == s->idle);
}

/* ---- lists ---- */

static uint64_t check_list(const smmap_manager *manager, const smmap__list *list)
{
	uint64_t count = 0;
	smmap__link last = 0;
	for (smmap__link link = list->head; link != 0 && count <= list->count; count++) {
		smmap__region region = smmap__link_region(&manager->shared.directory, link);
		CHECK((atomic_load(smmap__region_word(region)) & SMMAP__LINKED) != 0);
		last = link;
		link = *smmap__region_next(region);
	}
	CHECK(count == list->count);
	CHECK(list->tail == last);
	return count;
}

/* ---- all ---- */

static void compare(const smmap_manager *manager, const sums *s)
{
	const smmap__budget *budget = &manager->budget;
	const smmap__shared *shared = &manager->shared;
	CHECK(smmap__gauge_now(&budget->bytes) == s->bytes);
	CHECK(atomic_load(&budget->slack) == s->slack);
	CHECK(smmap__gauge_now(&budget->handles) == s->mapped);
	CHECK(atomic_load(&budget->open_files) == s->open_files);
	CHECK(atomic_load(&budget->evict.stale) == s->stale);
	CHECK(manager->file_count == s->hashed);
	CHECK(shared->descriptors.used == s->with_descriptor);
	CHECK(smmap__gauge_now(&shared->descriptors.count) == s->with_descriptor);
	CHECK(smmap__gauge_now(&shared->address_space) == s->address_space);
	CHECK(smmap__gauge_now(&shared->mappings) == s->mappings + atomic_load(&manager->view_mappings));
	CHECK(atomic_load(&budget->bytes.peak) >= s->bytes);
	CHECK(atomic_load(&budget->handles.peak) >= s->mapped);
	CHECK(atomic_load(&shared->mappings.peak) >= s->mappings);
}

void smmap__manager_check(smmap_manager *manager)
{
	sums s = {.manager = manager};
	const smmap__file *previous = NULL;
	pthread_mutex_lock(&manager->files_lock);
	for (const smmap__file *file = manager->all_first; file != NULL; file = file->all_next) {
		CHECK(file->all_previous == previous);
		check_file(file, &s);
		previous = file;
	}
	check_idle(manager, &s);
	pthread_mutex_lock(&manager->budget.evict.lock);
	CHECK(check_list(manager, &manager->budget.evict.probation) +
	          check_list(manager, &manager->budget.evict.main) ==
	      s.linked);
	compare(manager, &s);
	pthread_mutex_unlock(&manager->budget.evict.lock);
	pthread_mutex_unlock(&manager->files_lock);
}
