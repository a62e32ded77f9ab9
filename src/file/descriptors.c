/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The cache of descriptors. Using a cached one is one atomic on the file; opening, closing and the bounded list of files
 * that have one are under a lock, but no system call is made under it.
 */
#include "file/file.h"

#include "base/assert.h"

#define ONE_USER UINT64_C(1)
#define USERS_MASK UINT64_C(0xffffffff)

static uint64_t word_of(int number)
{
	smmap__assert(number >= 0);
	return (uint64_t)((uint32_t)number + 1) << 32;
}

static int number_of(uint64_t word)
{
	smmap__assert(word != 0);
	return (int)((word >> 32) - 1);
}

int smmap__descriptors_init(smmap__descriptors *descriptors, smmap__memory *memory, unsigned max)
{
	smmap__assert(max != 0);
	descriptors->files = smmap__memory_new(memory, max * sizeof(smmap__file *));
	if (descriptors->files == NULL)
		return SMMAP_ENOMEM;
	descriptors->max = max;
	int code = smmap__os_mutex_init(&descriptors->lock);
	if (code != 0)
		smmap__memory_free(memory, descriptors->files, max * sizeof(smmap__file *));
	return code;
}

void smmap__descriptors_destroy(smmap__descriptors *descriptors, smmap__memory *memory)
{
	smmap__assert(descriptors->used == 0);
	pthread_mutex_destroy(&descriptors->lock);
	smmap__memory_free(memory, descriptors->files, descriptors->max * sizeof(smmap__file *));
}

/* ---- the list of files that have one ---- */

static void remove_locked(smmap__descriptors *descriptors, unsigned place)
{
	smmap__assert(place < descriptors->used);
	smmap__assert(descriptors->used <= descriptors->max);
	smmap__file *last = descriptors->files[--descriptors->used];
	descriptors->files[place] = last;
	last->descriptor_place = place;
}

/* Takes a descriptor that nobody uses off a file, least recently used first. -1: there is none. */
static int take_unused_locked(smmap__descriptors *descriptors)
{
	smmap__assert(descriptors->used <= descriptors->max);
	for (unsigned tries = 2 * descriptors->used; tries != 0; tries--) {
		unsigned place = descriptors->hand++ % descriptors->used;
		smmap__file *file = descriptors->files[place];
		if (file->keeps_descriptor ||
		    atomic_exchange_explicit(&file->descriptor_recent, false, memory_order_relaxed))
			continue;
		uint64_t word = atomic_load_explicit(&file->descriptor, memory_order_relaxed);
		if ((word & USERS_MASK) != 0 ||
		    !atomic_compare_exchange_strong_explicit(&file->descriptor, &word, 0, memory_order_acq_rel,
		                                             memory_order_relaxed))
			continue;
		remove_locked(descriptors, place);
		return number_of(word);
	}
	return -1;
}

void smmap__descriptor_close(smmap__shared *shared, int number)
{
	smmap__assert(number >= 0);
	smmap__os.close(number);
	smmap__gauge_sub(&shared->descriptors.count, 1);
}

/* Closes one cached descriptor. false: there was none that could be closed. */
static bool close_one(smmap__shared *shared)
{
	pthread_mutex_lock(&shared->descriptors.lock);
	int number = shared->descriptors.used != 0 ? take_unused_locked(&shared->descriptors) : -1;
	pthread_mutex_unlock(&shared->descriptors.lock);
	if (number < 0)
		return false;
	smmap__descriptor_close(shared, number);
	return true;
}

/* Enters the file with `number` in use once. false: no room, or it has one. `to_close`: what had to make room, or -1. */
static bool enter(smmap__file *file, int number, uint64_t users, int *to_close)
{
	smmap__assert(number >= 0);
	smmap__assert(users <= USERS_MASK);
	smmap__descriptors *descriptors = &file->shared->descriptors;
	bool entered = false;
	*to_close = -1;
	pthread_mutex_lock(&descriptors->lock);
	if (atomic_load_explicit(&file->descriptor, memory_order_relaxed) == 0) {
		if (descriptors->used == descriptors->max)
			*to_close = take_unused_locked(descriptors);
		if (descriptors->used < descriptors->max) {
			file->descriptor_place = descriptors->used;
			descriptors->files[descriptors->used++] = file;
			atomic_store_explicit(&file->descriptor_recent, true, memory_order_relaxed);
			atomic_store_explicit(&file->descriptor, word_of(number) + users, memory_order_release);
			entered = true;
		}
	}
	pthread_mutex_unlock(&descriptors->lock);
	return entered;
}

static bool enter_and_close_other(smmap__file *file, int number, uint64_t users)
{
	int to_close;
	bool entered = enter(file, number, users, &to_close);
	if (to_close >= 0)
		smmap__descriptor_close(file->shared, to_close);
	return entered;
}

void smmap__descriptor_adopt(smmap__file *file, int number)
{
	smmap__assert(number >= 0);
	if (!enter_and_close_other(file, number, 0))
		smmap__descriptor_close(file->shared, number);
}

void smmap__descriptor_drop(smmap__file *file)
{
	smmap__descriptors *descriptors = &file->shared->descriptors;
	pthread_mutex_lock(&descriptors->lock);
	uint64_t word = atomic_exchange_explicit(&file->descriptor, 0, memory_order_acq_rel);
	smmap__assert((word & USERS_MASK) == 0);
	if (word != 0)
		remove_locked(descriptors, file->descriptor_place);
	pthread_mutex_unlock(&descriptors->lock);
	if (word != 0)
		smmap__descriptor_close(file->shared, number_of(word));
}

/* ---- opening ---- */

static int open_once(const smmap__name *name, int flags, int *number)
{
	return smmap__name_is_path(name) ? smmap__os.open(name->path, flags, number)
	                                 : smmap__os.duplicate(name->descriptor, number);
}

int smmap__descriptor_open(smmap__shared *shared, const smmap__name *name, int flags, int *number)
{
	int code = open_once(name, flags, number);
	while (smmap__os_is_descriptor_pressure(code) && close_one(shared)) {
		smmap__count(&shared->count.retries, 1);
		code = open_once(name, flags, number);
	}
	if (code != 0)
		return code;
	smmap__gauge_add(&shared->descriptors.count, 1);
	smmap__count(&shared->count.opens, 1);
	return 0;
}

void smmap__descriptor_rename(smmap__file *file, smmap__name *name)
{
	smmap__descriptors *descriptors = &file->shared->descriptors;
	smmap__name *old = NULL;
	pthread_mutex_lock(&descriptors->lock);
	if (smmap__name_is_path(name) || !smmap__name_is_path(file->name)) {
		old = file->name;
		file->name = smmap__name_take(name);
	}
	/* Either the name is no certain one, or it is another than the caller's. */
	if (!smmap__name_is_path(name) && (smmap__name_is_path(file->name) || !smmap__file_is_stable(file)))
		file->keeps_descriptor = true;
	pthread_mutex_unlock(&descriptors->lock);
	smmap__name_give(old, &file->shared->memory);
}

smmap__name *smmap__file_take_name(smmap__file *file)
{
	pthread_mutex_lock(&file->shared->descriptors.lock);
	smmap__name *name = smmap__name_take(file->name);
	pthread_mutex_unlock(&file->shared->descriptors.lock);
	return name;
}

/* Opens the file again; it must be the inode that it was. */
static int open_again(smmap__file *file, int *number)
{
	smmap__identity now;
	int fd;
	smmap__name *name = smmap__file_take_name(file);
	int code = smmap__descriptor_open(file->shared, name, file->open_flags, &fd);
	smmap__name_give(name, &file->shared->memory);
	if (code == SMMAP_ENOENT || code == SMMAP_EBADF)
		return SMMAP_ESTALE;
	if (code != 0)
		return code;
	code = smmap__os.identify(fd, &now);
	if (code == 0 && !smmap__file_is(file, &now))
		code = SMMAP_ESTALE;
	if (code != 0)
		smmap__descriptor_close(file->shared, fd);
	else
		*number = fd;
	return code;
}

/* ---- use ---- */

static bool take_cached(smmap__file *file, smmap__descriptor *descriptor)
{
	uint64_t word = atomic_load_explicit(&file->descriptor, memory_order_relaxed);
	while (word != 0) {
		if (!atomic_compare_exchange_weak_explicit(&file->descriptor, &word, word + ONE_USER,
		                                           memory_order_acquire, memory_order_relaxed))
			continue;
		if (!atomic_load_explicit(&file->descriptor_recent, memory_order_relaxed))
			atomic_store_explicit(&file->descriptor_recent, true, memory_order_relaxed);
		*descriptor = (smmap__descriptor){number_of(word), true};
		return true;
	}
	return false;
}

int smmap__descriptor_take(smmap__file *file, smmap__descriptor *descriptor)
{
	if (take_cached(file, descriptor))
		return 0;
	int number;
	int code = open_again(file, &number);
	if (code != 0)
		return code;
	*descriptor = (smmap__descriptor){number, enter_and_close_other(file, number, ONE_USER)};
	return 0;
}

void smmap__descriptor_give(smmap__file *file, smmap__descriptor descriptor)
{
	smmap__assert(descriptor.number >= 0);
	if (descriptor.cached)
		atomic_fetch_sub_explicit(&file->descriptor, ONE_USER, memory_order_release);
	else
		smmap__descriptor_close(file->shared, descriptor.number);
}
