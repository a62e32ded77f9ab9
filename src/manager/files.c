/* SPDX-License-Identifier: BSD-3-Clause */
/* The files of a manager: found by inode, held, idle, renewed, dropped. */
#include "manager/manager.h"

#include "base/arith.h"
#include "base/assert.h"

/* ---- hash and lists; under the lock ---- */

static size_t bucket_of(const smmap_manager *manager, uint64_t device, uint64_t inode)
{
	smmap__assert(smmap__is_power_of_two(manager->bucket_count));
	/* Fibonacci hashing (Knuth, The Art of Computer Programming, 6.4): the high bits of a product. */
	uint64_t h = (inode ^ device * UINT64_C(0xff51afd7ed558ccd)) * UINT64_C(0x9e3779b97f4a7c15);
	return (size_t)(h >> 32) & (manager->bucket_count - 1);
}

static smmap__file *find_locked(const smmap_manager *manager, const smmap__identity *identity)
{
	smmap__file *file = manager->buckets[bucket_of(manager, identity->device, identity->inode)];
	while (file != NULL && !smmap__file_is(file, identity))
		file = file->hash_next;
	return file;
}

static void hash_locked(smmap_manager *manager, smmap__file *file)
{
	smmap__file **bucket = &manager->buckets[bucket_of(manager, file->device, file->inode)];
	file->hash_next = *bucket;
	*bucket = file;
	file->hashed = true;
	manager->file_count++;
}

static void unhash_locked(smmap_manager *manager, smmap__file *file)
{
	smmap__assert(!file->hashed || manager->file_count != 0);
	if (!file->hashed)
		return;
	smmap__file **at = &manager->buckets[bucket_of(manager, file->device, file->inode)];
	while (*at != file)
		at = &(*at)->hash_next;
	*at = file->hash_next;
	file->hashed = false;
	manager->file_count--;
}

/* More buckets when they fill up; without memory the chains grow longer instead. */
static void grow_buckets_locked(smmap_manager *manager)
{
	size_t old_count = manager->bucket_count;
	smmap__file **old = manager->buckets;
	if (manager->file_count < old_count)
		return;
	smmap__file **larger = smmap__memory_new(&manager->shared.memory, 2 * old_count * sizeof(smmap__file *));
	if (larger == NULL)
		return;
	manager->buckets = larger;
	manager->bucket_count = 2 * old_count;
	manager->file_count = 0;
	for (size_t i = 0; i < old_count; i++) {
		smmap__file *file = old[i];
		while (file != NULL) {
			smmap__file *next = file->hash_next;
			hash_locked(manager, file);
			file = next;
		}
	}
	smmap__memory_free(&manager->shared.memory, old, old_count * sizeof(smmap__file *));
}

static void enlist_locked(smmap_manager *manager, smmap__file *file)
{
	smmap__assert(!file->hashed);
	grow_buckets_locked(manager);
	hash_locked(manager, file);
	file->all_next = manager->all_first;
	file->all_previous = NULL;
	if (manager->all_first != NULL)
		manager->all_first->all_previous = file;
	manager->all_first = file;
}

static void delist_locked(smmap_manager *manager, smmap__file *file)
{
	smmap__assert(!file->idle);
	smmap__assert(manager->all_first != NULL);
	unhash_locked(manager, file);
	if (file->all_previous != NULL)
		file->all_previous->all_next = file->all_next;
	else
		manager->all_first = file->all_next;
	if (file->all_next != NULL)
		file->all_next->all_previous = file->all_previous;
}

static void make_idle_locked(smmap_manager *manager, smmap__file *file)
{
	smmap__assert(!file->idle);
	smmap__assert((manager->idle_newest == NULL) == (manager->idle_oldest == NULL));
	file->idle = true;
	file->idle_next = NULL;
	file->idle_previous = manager->idle_newest;
	if (manager->idle_newest != NULL)
		manager->idle_newest->idle_next = file;
	else
		manager->idle_oldest = file;
	manager->idle_newest = file;
}

static void end_idle_locked(smmap_manager *manager, smmap__file *file)
{
	if (!file->idle)
		return;
	file->idle = false;
	if (file->idle_previous != NULL)
		file->idle_previous->idle_next = file->idle_next;
	else
		manager->idle_oldest = file->idle_next;
	if (file->idle_next != NULL)
		file->idle_next->idle_previous = file->idle_previous;
	else
		manager->idle_newest = file->idle_previous;
}

/* ---- references and holders ---- */

/* The end of a reference; the last one frees the file. */
void smmap__manager_give(smmap__budget *budget, smmap__file *file)
{
	smmap__assert(file != NULL);
	smmap__assert(atomic_load_explicit(&file->references, memory_order_relaxed) != 0);
	smmap_manager *manager = smmap__manager_of(budget);
	uint64_t references = atomic_load_explicit(&file->references, memory_order_relaxed);
	while (references > 1)
		if (atomic_compare_exchange_weak_explicit(&file->references, &references, references - 1,
		                                          memory_order_acq_rel, memory_order_relaxed))
			return;
	/* Perhaps the last: finding a file by its inode takes the same lock, so that none is found that is going. */
	pthread_mutex_lock(&manager->files_lock);
	bool last = atomic_fetch_sub_explicit(&file->references, 1, memory_order_acq_rel) == 1;
	if (last) {
		smmap__assert(atomic_load_explicit(&file->holders, memory_order_relaxed) == 0);
		end_idle_locked(manager, file);
		delist_locked(manager, file);
	}
	pthread_mutex_unlock(&manager->files_lock);
	if (!last)
		return;
	smmap__file_trace(file, SMMAP_EVENT_DROP, 0, smmap__file_size(file));
	smmap__file_free(file);
}

void smmap__manager_hold_again(smmap__file *file)
{
	smmap__assert(atomic_load_explicit(&file->references, memory_order_relaxed) != 0);
	smmap__file_take(file);
	atomic_fetch_add_explicit(&file->holders, 1, memory_order_relaxed);
}

static void hold_locked(smmap_manager *manager, smmap__file *file)
{
	end_idle_locked(manager, file);
	smmap__manager_hold_again(file);
}

void smmap__manager_let_go(smmap_manager *manager, smmap__file *file)
{
	smmap__assert(atomic_load_explicit(&file->holders, memory_order_relaxed) != 0);
	smmap__assert(!file->idle);
	pthread_mutex_lock(&manager->files_lock);
	if (atomic_fetch_sub_explicit(&file->holders, 1, memory_order_relaxed) == 1)
		make_idle_locked(manager, file);
	pthread_mutex_unlock(&manager->files_lock);
	smmap__manager_give(&manager->budget, file);
}

smmap__file *smmap__manager_find(smmap_manager *manager, const smmap__identity *identity)
{
	pthread_mutex_lock(&manager->files_lock);
	smmap__file *file = find_locked(manager, identity);
	if (file != NULL)
		smmap__file_take(file);
	pthread_mutex_unlock(&manager->files_lock);
	return file;
}

/* ---- giving mappings of idle files up ---- */

static bool evict_visited(smmap__region region, void *budget)
{
	(void)smmap__budget_evict(budget, region);
	return true;
}

/* From here on nobody can find it, and nobody holds it. */
static void forget_idle_locked(smmap_manager *manager, smmap__file *file)
{
	smmap__assert(file->idle);
	smmap__assert(atomic_load_explicit(&file->holders, memory_order_relaxed) == 0);
	end_idle_locked(manager, file);
	unhash_locked(manager, file);
}

static smmap__file *take_oldest_idle(smmap_manager *manager)
{
	pthread_mutex_lock(&manager->files_lock);
	smmap__file *file = manager->idle_oldest;
	if (file != NULL) {
		forget_idle_locked(manager, file);
		smmap__file_take(file);
	}
	pthread_mutex_unlock(&manager->files_lock);
	return file;
}

/* A file that nobody can find or hold loses its mapping: once none of its regions is mapped, none will be. */
static void unplace_if_empty(smmap__file *file)
{
	if (atomic_load_explicit(&file->mapped, memory_order_acquire) == 0)
		smmap__file_unplace(file);
}

/* The least recently held idle file loses its regions and its mapping. false: there is none. */
static bool drop_idle(smmap_manager *manager)
{
	smmap__file *file = take_oldest_idle(manager);
	if (file == NULL)
		return false;
	smmap__table_visit(&file->regions, evict_visited, &manager->budget);
	smmap__table_visit(&file->spans, evict_visited, &manager->budget);
	unplace_if_empty(file);
	smmap__manager_give(&manager->budget, file);
	return true;
}

void smmap__manager_drop_if_idle(smmap_manager *manager, smmap__file *file)
{
	pthread_mutex_lock(&manager->files_lock);
	bool idle = file->idle;
	if (idle)
		forget_idle_locked(manager, file);
	pthread_mutex_unlock(&manager->files_lock);
	if (idle)
		unplace_if_empty(file);
}

/* ---- opening ---- */

static bool same_size_and_sound(const smmap__file *file, const smmap__identity *now)
{
	bool content_is_old = file->backing == SMMAP_BACKING_MEMORY &&
	                      (file->mtime_ns != now->mtime_ns || file->ctime_ns != now->ctime_ns);
	/* A snapshot has the size that was read, not the one that the system says. */
	bool has_size = file->backing == SMMAP_BACKING_MEMORY || smmap__file_size(file) == now->size;
	return has_size && !content_is_old && smmap__fault_count(&file->faults) == 0;
}

/* Where the system refuses: first idle files, then regions. Where our share is used up: idle files. */
static bool give_something_back(smmap_manager *manager, int code)
{
	bool refused = smmap__os_is_pressure(code);
	if (!refused && code != SMMAP_EBUSY)
		return false;
	bool given = drop_idle(manager) || (refused && smmap__budget_evict_one(&manager->budget));
	if (given)
		smmap__count(&manager->shared.count.retries, 1);
	return given;
}

#define SMALL_ENOUGH_TO_READ (UINT64_C(1) << 20)
/* Some files without a size never end, or hold the memory of a process. */
#define LARGEST_SNAPSHOT (UINT64_C(64) << 20)

/* An entry placed as wished; else detached, each region for itself; a small file is read rather than mapped. */
static int new_file(smmap_manager *manager, smmap__name *name, int flags, int descriptor,
                    const smmap__identity *identity, smmap__file **file)
{
	smmap__shared *shared = &manager->shared;
	smmap__file_wish wish = manager->wish;
	uint64_t limit = atomic_load_explicit(&manager->budget.max_bytes, memory_order_relaxed);
	wish.max_snapshot = smmap__min(limit, LARGEST_SNAPSHOT);
	int code = smmap__file_new(shared, &wish, name, flags, descriptor, identity, file);
	while (give_something_back(manager, code))
		code = smmap__file_new(shared, &wish, name, flags, descriptor, identity, file);
	if (!smmap__os_is_pressure(code) && code != SMMAP_EBUSY)
		return code;
	if (identity->size <= SMALL_ENOUGH_TO_READ)
		wish.in_memory = true;
	else
		wish.placement = SMMAP_PLACEMENT_DETACHED;
	code = smmap__file_new(shared, &wish, name, flags, descriptor, identity, file);
	if (code == 0 && !wish.in_memory)
		smmap__count(&shared->count.fallback_detached, 1);
	return code;
}

/* Enters a new file, or takes the one that another thread has entered meanwhile. */
static smmap__file *enter_or_take(smmap_manager *manager, smmap__file *made, const smmap__identity *identity)
{
	smmap__assert(!made->hashed);
	smmap__assert(atomic_load_explicit(&made->references, memory_order_relaxed) != 0);
	pthread_mutex_lock(&manager->files_lock);
	smmap__file *known = find_locked(manager, identity);
	smmap__file *file = made;
	if (known != NULL && same_size_and_sound(known, identity)) {
		file = known;
	} else {
		if (known != NULL) {
			made->generation = known->generation + 1;
			atomic_store_explicit(&known->stale, true, memory_order_relaxed);
			unhash_locked(manager, known);
		}
		enlist_locked(manager, made);
	}
	hold_locked(manager, file);
	pthread_mutex_unlock(&manager->files_lock);
	return file;
}

/* The known entry, where nothing about the file has changed. */
static smmap__file *hold_known(smmap_manager *manager, const smmap__identity *identity)
{
	pthread_mutex_lock(&manager->files_lock);
	smmap__file *file = find_locked(manager, identity);
	if (file != NULL && same_size_and_sound(file, identity))
		hold_locked(manager, file);
	else
		file = NULL;
	pthread_mutex_unlock(&manager->files_lock);
	return file;
}

/*
 * A file that grew keeps its entry where its last regions can be made longer: stable, they are, and only their charge
 * changes; detached, they must not be mapped.
 */
static bool grow_known(smmap_manager *manager, const smmap__identity *identity)
{
	pthread_mutex_lock(&manager->files_lock);
	smmap__file *file = find_locked(manager, identity);
	bool grown = file != NULL && smmap__fault_count(&file->faults) == 0 &&
	             identity->size > smmap__file_size(file) &&
	             smmap__budget_grow(&manager->budget, file, identity->size);
	if (grown) {
		file->mtime_ns = identity->mtime_ns;
		file->ctime_ns = identity->ctime_ns;
	}
	pthread_mutex_unlock(&manager->files_lock);
	return grown;
}

int smmap__manager_compare(smmap_manager *manager, smmap__file *file, const smmap__identity *now)
{
	smmap__assert(now != NULL);
	int found = atomic_load_explicit(&file->change, memory_order_relaxed);
	if (smmap__fault_count(&file->faults) != 0)
		found |= SMMAP_CHANGE_FAULTED;
	if (!smmap__file_is(file, now))
		return found | SMMAP_CHANGE_REPLACED;
	pthread_mutex_lock(&manager->files_lock);
	/* What was read into memory may have another size than the system says, and said before. */
	uint64_t size = file->backing == SMMAP_BACKING_MEMORY ? file->told_size : smmap__file_size(file);
	if (file->mtime_ns != now->mtime_ns || file->ctime_ns != now->ctime_ns)
		found |= SMMAP_CHANGE_MODIFIED;
	pthread_mutex_unlock(&manager->files_lock);
	if (now->type != SMMAP__BLOCK_DEVICE && now->size > size)
		found |= SMMAP_CHANGE_GREW;
	if (now->type != SMMAP__BLOCK_DEVICE && now->size < size)
		found |= SMMAP_CHANGE_SHRANK;
	return found;
}

static void take_times(smmap_manager *manager, smmap__file *file, const smmap__identity *now)
{
	pthread_mutex_lock(&manager->files_lock);
	file->mtime_ns = now->mtime_ns;
	file->ctime_ns = now->ctime_ns;
	atomic_store_explicit(&file->change, 0, memory_order_relaxed);
	pthread_mutex_unlock(&manager->files_lock);
}

/* What the policy on changes makes of what was found. */
static int note_change(smmap_manager *manager, smmap__file *file, int found)
{
	int bits = found & ~SMMAP_CHANGE_FAULTED; /* that is the file's error already */
	if (bits != 0 && atomic_fetch_or_explicit(&file->change, bits, memory_order_relaxed) == 0)
		smmap__count(&manager->shared.count.changed, 1);
	return bits != 0 && manager->change == SMMAP_CHANGE_REFUSE ? SMMAP_ECHANGED : 0;
}

/* Opened again while others hold it: the policy on changes is asked. An idle file is nobody's: the change is taken up. */
static int check_known(smmap_manager *manager, const smmap__identity *identity)
{
	int code = 0;
	smmap__file *file = smmap__manager_find(manager, identity);
	if (file == NULL)
		return 0;
	if (atomic_load_explicit(&file->holders, memory_order_relaxed) != 0)
		code = note_change(manager, file, smmap__manager_compare(manager, file, identity));
	else if (smmap__file_size(file) == identity->size && file->backing != SMMAP_BACKING_MEMORY)
		take_times(manager, file, identity);
	smmap__manager_give(&manager->budget, file);
	return code;
}

static int hold_opened(smmap_manager *manager, smmap__name *name, int flags, int descriptor,
                       const smmap__identity *identity, smmap__file **out)
{
	smmap__assert(descriptor >= 0 && out != NULL);
	smmap__file *made;
	smmap__file *file = hold_known(manager, identity);
	if (file == NULL && grow_known(manager, identity)) {
		file = hold_known(manager, identity);
		smmap__budget_make_room(&manager->budget);
	}
	if (file == NULL) {
		int code = new_file(manager, name, flags, descriptor, identity, &made);
		if (code != 0)
			return code;
		file = enter_or_take(manager, made, identity);
		if (file == made) {
			smmap__file_trace(file, SMMAP_EVENT_OPEN, 0, identity->size);
			smmap__manager_give(&manager->budget, made); /* its maker's reference */
		} else {
			smmap__file_free(made);
		}
	}
	*out = file;
	return 0;
}

int smmap__manager_hold(smmap_manager *manager, smmap__name *name, int flags, bool anew, smmap__file **file)
{
	smmap__assert(name != NULL && file != NULL);
	smmap__identity identity;
	int descriptor;
	if (atomic_load_explicit(&manager->budget.forked, memory_order_relaxed))
		manager->budget.repair(&manager->budget);
	int code = smmap__descriptor_open(&manager->shared, name, flags, &descriptor);
	if (code == SMMAP_ENXIO)
		code = SMMAP_ENOTREG; /* what open says of a socket */
	if (code != 0)
		return code;
	code = smmap__os.identify(descriptor, &identity);
	if (code == 0)
		code = smmap__file_admit(&identity, manager->wish.block_devices);
	if (code == 0 && !anew && manager->change != SMMAP_CHANGE_IGNORE)
		code = check_known(manager, &identity);
	if (code == 0)
		code = hold_opened(manager, name, flags, descriptor, &identity, file);
	if (code != 0) {
		smmap__descriptor_close(&manager->shared, descriptor);
		return code;
	}
	smmap__descriptor_rename(*file, name);
	smmap__descriptor_adopt(*file, descriptor);
	return 0;
}

/* ---- change ---- */

int smmap__manager_identify(const smmap__name *name, smmap__identity *identity)
{
	return smmap__name_is_path(name) ? smmap__os.identify_path(name->path, identity)
	                                 : smmap__os.identify(name->descriptor, identity);
}

int smmap__manager_check_change(smmap__budget *budget, smmap__file *file)
{
	smmap_manager *manager = smmap__manager_of(budget);
	smmap__identity now;
	if (manager->change == SMMAP_CHANGE_IGNORE)
		return 0;
	smmap__name *name = smmap__file_take_name(file);
	int code = smmap__os.glance(smmap__name_is_path(name) ? name->path : NULL, name->descriptor, &now);
	smmap__name_give(name, &manager->shared.memory);
	if (code == SMMAP_ENOENT || code == SMMAP_EBADF)
		return note_change(manager, file, SMMAP_CHANGE_REPLACED);
	if (code != 0)
		return manager->change == SMMAP_CHANGE_REFUSE ? code : 0;
	return note_change(manager, file, smmap__manager_compare(manager, file, &now));
}

int smmap__manager_renew(smmap_manager *manager, smmap__name *name, int flags, smmap__file **file)
{
	smmap__assert(*file != NULL);
	smmap__file *now_means;
	smmap__identity identity;
	/* Compared first: a file that grows in place has its new size as soon as it is found again. */
	int code = smmap__manager_identify(name, &identity);
	if (code != 0)
		return code;
	int found = smmap__manager_compare(manager, *file, &identity);
	code = smmap__manager_hold(manager, name, flags, true, &now_means);
	if (code != 0)
		return code;
	take_times(manager, now_means, &identity);
	smmap__manager_let_go(manager, *file);
	*file = now_means;
	return found;
}

int smmap__manager_error(smmap_manager *manager, int code)
{
	if (code < 0)
		smmap__count(&manager->shared.count.errors, 1);
	return code;
}
