/* SPDX-License-Identifier: BSD-3-Clause */
#include "manager/fork.h"

#include "base/assert.h"

static pthread_mutex_t managers_lock = PTHREAD_MUTEX_INITIALIZER;
static smmap_manager *managers;
static bool handlers_are_set; /* under the lock */

/* ---- around a fork ---- */

static void lock_manager(smmap_manager *m)
{
	pthread_mutex_lock(&m->files_lock);
	pthread_mutex_lock(&m->budget.evict.lock);
	pthread_mutex_lock(&m->shared.descriptors.lock);
	pthread_mutex_lock(&m->shared.directory.lock);
	pthread_mutex_lock(&m->budget.wait_lock);
}

static void unlock_manager(smmap_manager *m)
{
	pthread_mutex_unlock(&m->budget.wait_lock);
	pthread_mutex_unlock(&m->shared.directory.lock);
	pthread_mutex_unlock(&m->shared.descriptors.lock);
	pthread_mutex_unlock(&m->budget.evict.lock);
	pthread_mutex_unlock(&m->files_lock);
}

static void before_fork(void)
{
	pthread_mutex_lock(&managers_lock);
	for (smmap_manager *m = managers; m != NULL; m = m->next)
		lock_manager(m);
	smmap__guard_lock();
}

static void unlock_all(void)
{
	smmap__guard_unlock();
	for (smmap_manager *m = managers; m != NULL; m = m->next)
		unlock_manager(m);
	pthread_mutex_unlock(&managers_lock);
}

static void in_child(void)
{
	for (smmap_manager *m = managers; m != NULL; m = m->next) {
		/* Its sleepers do not exist here; destroying it would wait for them. */
		m->budget.wait_over = (pthread_cond_t)PTHREAD_COND_INITIALIZER;
		atomic_store_explicit(&m->budget.forked, true, memory_order_relaxed);
		m->budget.is_childs = true;
	}
	unlock_all();
}

int smmap__fork_enlist(smmap_manager *manager)
{
	pthread_mutex_lock(&managers_lock);
	int code = handlers_are_set ? 0 : smmap__os_at_fork(before_fork, unlock_all, in_child);
	if (code == 0) {
		handlers_are_set = true;
		manager->next = managers;
		if (managers != NULL)
			managers->previous = manager;
		managers = manager;
	}
	pthread_mutex_unlock(&managers_lock);
	return code;
}

void smmap__fork_delist(smmap_manager *manager)
{
	pthread_mutex_lock(&managers_lock);
	if (manager->previous != NULL)
		manager->previous->next = manager->next;
	else
		managers = manager->next;
	if (manager->next != NULL)
		manager->next->previous = manager->previous;
	pthread_mutex_unlock(&managers_lock);
}

/* ---- putting the books right ---- */

typedef struct recount {
	smmap__budget *budget;
	uint64_t mapped; /* of one file */
	uint64_t linked;
	uint64_t bytes;
	uint64_t slack;
	uint64_t handles;
	uint64_t mappings;
	uint64_t stale;
	uint64_t address_space;
} recount;

/* The mapping of a detached region that was on its way in or out cannot be known any more: the child may leak it. */
static uint64_t settled(smmap__region region, uint64_t word)
{
	enum smmap__state state = smmap__word_state(word);
	if (state == SMMAP__BUSY)
		return smmap__word_undo_map(word, 0);
	if (state == SMMAP__EVICTING) {
		if (!region.leaf->detached)
			(void)smmap__file_unmap_region(region, 0);
		return smmap__word_finish_evict(word, 0);
	}
	return word & ~SMMAP__WAITED;
}

static bool settle(smmap__region region, void *context)
{
	smmap__assert(region.leaf->file != NULL);
	recount *r = context;
	smmap__file *file = region.leaf->file;
	uint64_t before = atomic_load_explicit(smmap__region_word(region), memory_order_relaxed);
	uint64_t word = settled(region, before);
	if (word != before)
		atomic_store_explicit(smmap__region_word(region), word, memory_order_relaxed);
	bool mapped = smmap__word_state(word) == SMMAP__MAPPED;
	if ((word & SMMAP__LINKED) != 0) {
		r->linked++;
		r->stale += !mapped;
	}
	if (mapped) {
		r->mapped++;
		r->handles++;
		uint64_t length = smmap__region_charge(region, word);
		r->bytes += length;
		r->slack += smmap__budget_slack(length);
		r->mappings += region.leaf->detached && file->backing != SMMAP_BACKING_MEMORY;
	}
	return true;
}

static bool link_again(smmap__region region, void *budget)
{
	uint64_t word = atomic_load_explicit(smmap__region_word(region), memory_order_relaxed);
	if (smmap__word_state(word) == SMMAP__MAPPED && (word & (SMMAP__LINKED | SMMAP__PARKED)) == 0)
		smmap__evict_link(budget, region);
	return true;
}

static void repair_file(smmap__file *file, recount *r)
{
	r->mapped = 0;
	r->linked = 0;
	smmap__table_visit(&file->regions, settle, r);
	smmap__table_visit(&file->spans, settle, r);
	uint64_t holders = atomic_load_explicit(&file->holders, memory_order_relaxed);
	atomic_store_explicit(&file->mapped, r->mapped, memory_order_relaxed);
	atomic_store_explicit(&file->references, holders + r->linked, memory_order_relaxed);
	/* Threads that were reading through the descriptor are gone. */
	atomic_fetch_and_explicit(&file->descriptor, ~UINT64_C(0xffffffff), memory_order_relaxed);
	smmap__table_visit(&file->regions, link_again, r->budget);
	smmap__table_visit(&file->spans, link_again, r->budget);
	/* A thread that is not here was giving the mapping up. */
	if (file->base != NULL && file->guard == 0)
		smmap__file_unplace(file);
	r->mappings += file->base != NULL;
	r->address_space +=
		file->base != NULL ? atomic_load_explicit(&file->map_length, memory_order_relaxed) : 0;
}

static void set(_Atomic uint64_t *to, uint64_t value)
{
	atomic_store_explicit(to, value, memory_order_relaxed);
}

/* A file that only a vanished thread referred to. */
static smmap__file *take_orphan(smmap_manager *manager)
{
	pthread_mutex_lock(&manager->files_lock);
	smmap__file *file = manager->all_first;
	while (file != NULL && atomic_load_explicit(&file->references, memory_order_relaxed) != 0)
		file = file->all_next;
	if (file != NULL)
		smmap__file_take(file);
	pthread_mutex_unlock(&manager->files_lock);
	return file;
}

static void free_orphans(smmap_manager *manager)
{
	smmap__file *file;
	while ((file = take_orphan(manager)) != NULL)
		smmap__manager_give(&manager->budget, file);
}

void smmap__fork_repair(smmap__budget *budget)
{
	smmap_manager *manager = smmap__manager_of(budget);
	recount r = {.budget = budget};
	pthread_mutex_lock(&manager->files_lock);
	bool needed = atomic_load_explicit(&budget->forked, memory_order_relaxed);
	uint64_t open_files = 0;
	for (smmap__file *file = needed ? manager->all_first : NULL; file != NULL; file = file->all_next) {
		repair_file(file, &r);
		open_files += r.mapped != 0;
	}
	if (needed) {
		set(&budget->bytes.now, r.bytes);
		set(&budget->slack, r.slack);
		set(&budget->handles.now, r.handles);
		set(&budget->open_files, open_files);
		set(&budget->evict.stale, r.stale);
		uint64_t views = atomic_load_explicit(&manager->view_mappings, memory_order_relaxed);
		set(&manager->shared.mappings.now, r.mappings + views);
		set(&manager->shared.address_space.now, r.address_space);
		atomic_store_explicit(&budget->forked, false, memory_order_release);
	}
	pthread_mutex_unlock(&manager->files_lock);
	if (needed)
		free_orphans(manager);
}
