/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One inode as a manager knows it: identity, placement, table of regions. This layer makes the system calls for a file
 * and its regions; it knows nothing of budgets and decides nothing about when.
 *
 *   stable:    base                                          base + map_length
 *              |<------------------ the whole file ------------------>|<- room to grow ->|
 *              | region 0 | region 1 | region 2 | ...     | last |
 *              one mapping; a region that is given back is zapped, its address stays
 *
 *   detached:  | region 0 |      | region 7 |    | span 3: slots 3 and 4 |      each a mapping of its own
 *
 * A file that cannot be mapped is detached, each region a block of memory that was read.
 */
#ifndef SMMAP_FILE_H
#define SMMAP_FILE_H

#include "file/name.h"
#include "file/shared.h"
#include "guard/guard.h"

typedef struct smmap__file {
	smmap__shared *shared;
	/* Fixed from the beginning. */
	uint64_t device;
	uint64_t inode;
	int64_t birth_ns;
	uint64_t told_size; /* in memory: what the system said its size was, which may be wrong */
	uint64_t stride;    /* size of a slot in bytes */
	uint64_t generation;
	unsigned char *base; /* stable only */
	int open_flags;
	uint8_t stride_shift; /* log2 of `stride` where it is a power of two, else 64 */
	uint8_t placement;    /* enum smmap_placement */
	uint8_t backing;      /* enum smmap_backing */
	bool is_whole;        /* one region, whatever the size: a static manager's, or a snapshot */
	smmap__guard_slot guard;
	/* Under the lock of the descriptors. */
	smmap__name *name;     /* by which it is opened again: the latest path */
	bool keeps_descriptor; /* its descriptor could not be had again */
	/* Changed when the file grows; the manager's lock is held for writing. */
	_Atomic uint64_t size;
	_Atomic uint64_t map_length;
	int64_t mtime_ns;
	int64_t ctime_ns;
	/* Any thread. */
	_Atomic uint64_t references;      /* holders, regions on a list or not EMPTY, threads at work */
	_Atomic uint64_t holders;         /* cursors, buffers, views, region handles */
	_Atomic uint64_t mapped;          /* regions that are not EMPTY */
	_Atomic uint64_t descriptor;      /* high half: descriptor + 1; low half: how many use it */
	_Atomic uint64_t short_length[2]; /* length of the region, and of the span, that has SMMAP__SHORT */
	_Atomic int advice;               /* enum smmap_advice, as the caller gave it */
	_Atomic bool is_sequential;       /* what we found out by ourselves */
	_Atomic bool descriptor_recent;
	_Atomic bool stale; /* a later generation exists */
	_Atomic int change; /* SMMAP_CHANGE_... bits noted since the last refresh */
	unsigned descriptor_place;
	smmap__table regions;
	smmap__table spans;
	smmap__fault_log faults;
	unsigned char *snapshot; /* contents of a file without a size, until its region takes them over */
	/* The manager's: under its lock. */
	struct smmap__file *hash_next;
	struct smmap__file *all_next, *all_previous;
	struct smmap__file *idle_next, *idle_previous;
	bool hashed;
	bool idle;
} smmap__file;

/* How a manager wants its files placed. */
typedef struct smmap__file_wish {
	int kind;
	int placement;
	uint64_t window;
	uint64_t max_snapshot; /* bytes that a file without a size may have */
	bool block_devices;
	bool in_memory; /* read it instead of mapping it */
} smmap__file_wish;

/* Whether the library serves files of this type: 0 or a code. */
int smmap__file_admit(const smmap__identity *identity, bool block_devices);

/*
 * A file entry with one reference, placed as `wish` says and the system allows. Takes references of its own; does not
 * take `descriptor` over. SMMAP_ENOMEM and the like mean that giving something back may help; SMMAP_EBUSY, that the manager's
 * share of mappings is used up.
 */
int smmap__file_new(smmap__shared *shared, const smmap__file_wish *wish, smmap__name *name, int open_flags,
                    int descriptor, const smmap__identity *identity, smmap__file **file);
/* Unmaps and frees; all regions are EMPTY, nobody holds it. */
void smmap__file_free(smmap__file *file);
/* Gives the mapping and the descriptor up before that; all regions are EMPTY and stay so. */
void smmap__file_unplace(smmap__file *file);

/* Whether that is the inode of this entry, and not a later one of the same number, as far as births are known. */
static inline bool smmap__file_is(const smmap__file *file, const smmap__identity *identity)
{
	return file->device == identity->device && file->inode == identity->inode &&
	       (file->birth_ns == identity->birth_ns || file->birth_ns == 0 || identity->birth_ns == 0);
}

/* ---- geometry ---- */

static inline uint64_t smmap__file_size(const smmap__file *file)
{
	return atomic_load_explicit(&file->size, memory_order_acquire);
}

/* The number of the slot that `offset` lies in. */
static inline uint64_t smmap__file_slot(const smmap__file *file, uint64_t offset)
{
	return file->stride_shift < 64 ? offset >> file->stride_shift : offset / file->stride;
}

static inline bool smmap__file_is_stable(const smmap__file *file)
{
	return file->placement == SMMAP_PLACEMENT_STABLE;
}

/* First byte of a region in the file. */
static inline uint64_t smmap__region_begin(smmap__region region)
{
	return smmap__region_index(region) * region.leaf->file->stride;
}

/* Bytes of a region for the size that the file has now: what it is charged when it is mapped. */
uint64_t smmap__region_length(smmap__region region, bool *is_short);

/* Bytes that a region was charged: `word` is its state. Of an EMPTY one it says nothing, and may be asked: another thread was quicker. */
uint64_t smmap__region_charge(smmap__region region, uint64_t word);

/*
 * The address of `offset`, which lies in the region of this file; the region is pinned, or the file is stable. Where the
 * file is stable the region's leaf is not looked at: it may well not be in the cache.
 */
static inline const unsigned char *smmap__region_at(const smmap__file *file, smmap__region region,
                                                    uint64_t offset)
{
	if (smmap__file_is_stable(file))
		return file->base + (size_t)offset;
	return (const unsigned char *)(uintptr_t)*smmap__region_address(region) +
	       (size_t)(offset - smmap__region_begin(region));
}

/* Table and kind for plain regions or for spans. */
smmap__table *smmap__file_table(smmap__file *file, bool spans, smmap__table_kind *kind);

/* ---- system calls for a region; the caller holds it BUSY or EVICTING ---- */

int smmap__file_map_region(smmap__region region, uint64_t length);
int smmap__file_unmap_region(smmap__region region, uint64_t length);
/*
 * The same for up to SMMAP__RANGES_MAX regions for which smmap__file_can_batch. Returns how many it did, from the first on; the
 * others are as they were.
 */
unsigned smmap__file_unmap_regions(const smmap__region *regions, unsigned count);
bool smmap__file_can_batch(const smmap__file *file);

/* ---- the rest ---- */

/* Up to `size` bytes at `offset` by a system call. Returns the count, or a code when there is none. */
int64_t smmap__file_read(smmap__file *file, uint64_t offset, void *to, size_t size);

/* The code of a file that has failed, found out where it is not known yet; 0 when it has not. */
int smmap__file_error(smmap__file *file);

/* Sets the advice for the whole file. */
int smmap__file_advise(smmap__file *file, int advice);
/*
 * Tells the system how the file is read, as the library found out by itself, where the caller has not advised. Returns true
 * when that is news.
 */
bool smmap__file_expect(smmap__file *file, bool sequential);
/*
 * Whether the file is in the page cache around `offset`, as far as that can be told; a page fault on what is not there reads
 * much more than was asked for.
 */
bool smmap__file_is_warm(const smmap__file *file, uint64_t offset);
/* Asks for a range of it to be read ahead; the range is cut to what is mapped. */
int smmap__file_will_need(smmap__file *file, uint64_t offset, uint64_t size);

/* Stable: makes room for a larger size without moving. Returns 0 or why not. */
int smmap__file_extend(smmap__file *file, uint64_t size);

void smmap__file_trace(const smmap__file *file, int event, uint64_t offset, uint64_t size);

/* ---- descriptors ---- */

int smmap__descriptors_init(smmap__descriptors *descriptors, smmap__memory *memory, unsigned max);
void smmap__descriptors_destroy(smmap__descriptors *descriptors, smmap__memory *memory);

typedef struct smmap__descriptor {
	int number;
	bool cached;
} smmap__descriptor;

/*
 * A descriptor of the file for the time of a few system calls: the cached one, or the file opened again, which must be
 * the same inode still (SMMAP_ESTALE).
 */
int smmap__descriptor_take(smmap__file *file, smmap__descriptor *descriptor);
void smmap__descriptor_give(smmap__file *file, smmap__descriptor descriptor);

/*
 * Opens a name. Where there are too many descriptors a cached one is closed and it is tried again.
 */
int smmap__descriptor_open(smmap__shared *shared, const smmap__name *name, int flags, int *number);
void smmap__descriptor_close(smmap__shared *shared, int number);
/*
 * The file was opened by `name` just now: the path that was used last, or without one the descriptor, is the likeliest to
 * mean it still. A descriptor of the caller's may be closed any time; then what the cache has must stay there.
 */
void smmap__descriptor_rename(smmap__file *file, smmap__name *name);
/* The name by which the file would be opened again now; to be given back. */
smmap__name *smmap__file_take_name(smmap__file *file);
/* Leaves an open descriptor to the cache for this file; closes it when the file has one or there is no room. */
void smmap__descriptor_adopt(smmap__file *file, int number);
/* Closes the file's cached descriptor, if it has one. */
void smmap__descriptor_drop(smmap__file *file);

#endif
