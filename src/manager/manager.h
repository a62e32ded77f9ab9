/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A manager: the budget, and the files that it knows by inode.
 *
 * References of a file: each holder (cursor, buffer, view, region handle), each region on the eviction lists, and each
 * thread at work on it. The last one frees it. A file without holders whose regions are still mapped is *idle*: it is a
 * cache, and gives its mapping up first, least recently held first.
 *
 * Order of the locks, where one is taken under another: managers, files, lists, then the leaves of the order: descriptors,
 * directory, waiting, register of the guard. No system call is made under any of them but those of the allocator, and the mremap of
 * a file that grows in place.
 */
#ifndef SMMAP_MANAGER_H
#define SMMAP_MANAGER_H

#include "budget/budget.h"

struct smmap_manager {
	smmap__shared shared;
	smmap__budget budget;
	smmap__file_wish wish;
	int change; /* enum smmap_change_policy */
	uint64_t default_memory;
	/* Files by inode; under `files_lock`. */
	pthread_mutex_t files_lock;
	smmap__file **buckets;
	size_t bucket_count; /* a power of two */
	uint64_t file_count; /* hashed */
	smmap__file *all_first;
	smmap__file *idle_oldest, *idle_newest;
	_Atomic uint64_t exported_bytes;
	_Atomic uint64_t view_mappings;        /* of views' own, which no table knows */
	struct smmap_manager *next, *previous; /* of all managers */
};

static inline smmap_manager *smmap__manager_of(smmap__budget *budget)
{
	return (smmap_manager *)(void *)((char *)budget - offsetof(smmap_manager, budget));
}

/* The end of a reference that is no holder; the last one frees the file. */
void smmap__manager_give(smmap__budget *budget, smmap__file *file);

/* The entry of an inode, with a reference, or NULL when it is not known. */
smmap__file *smmap__manager_find(smmap_manager *manager, const smmap__identity *identity);
/* A file that nobody holds is forgotten, and its mapping and descriptor go. The caller has a reference to it. */
void smmap__manager_drop_if_idle(smmap_manager *manager, smmap__file *file);

/*
 * Finds or makes the entry of the inode that `name` means now, with one holder and its reference. `anew`: for who takes
 * a change up, so that no policy on changes is asked.
 */
int smmap__manager_hold(smmap_manager *manager, smmap__name *name, int flags, bool anew, smmap__file **file);
/* One more holder of a file that is held. */
void smmap__manager_hold_again(smmap__file *file);
/* The end of a holder. */
void smmap__manager_let_go(smmap_manager *manager, smmap__file *file);

/*
 * Renews what is known of a file: `*file`, held, grows in place, or is exchanged for a new generation (held instead).
 * Returns SMMAP_CHANGE_... bits or a code.
 */
int smmap__manager_renew(smmap_manager *manager, smmap__name *name, int flags, smmap__file **file);

/* What a name means now. */
int smmap__manager_identify(const smmap__name *name, smmap__identity *identity);

/* What differs between the entry and an identity, SMMAP_CHANGE_... bits. */
int smmap__manager_compare(smmap_manager *manager, smmap__file *file, const smmap__identity *now);

/*
 * Looks whether a file has changed, where the policy is to look, and notes it. Returns 0, or a code where it is not to be read
 * from.
 */
int smmap__manager_check_change(smmap__budget *budget, smmap__file *file);

/* Counts an error on its way to the caller; returns it. */
int smmap__manager_error(smmap_manager *manager, int code);

#ifdef SMMAP_INVARIANTS
/* Walks all tables and compares the books. Only when no other thread uses the manager. */
void smmap__manager_check(smmap_manager *manager);
#endif

#endif
