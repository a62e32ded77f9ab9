/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The regions of a file: a sparse array of state words, indexed by offset / W.
 *
 *   table.first ---> leaf {word 0}                                 region 0: all that a small file needs
 *   table.root  ---> node --+--> node --+--> leaf {word 64..127}   64 words a leaf, 64 branches a node; only what was
 *                           |           +--> leaf ...              touched exists, and nothing moves or goes away
 *                           +--> ...                               before the table is freed
 *
 * Lookup takes no lock. Growing is by compare-and-swap: a taller root takes the old root in as its first branch.
 *
 * A leaf knows its file and the number of its first region, and has a number of its own in the manager's directory, so
 * that 32 bits name a region (`smmap__link`): the eviction lists are singly linked through such names, 4 bytes a
 * region. With the word this makes 12 bytes a region in stable placement; detached regions have an address and a place
 * in the guard's register besides, 24 bytes.
 */
#ifndef SMMAP_TABLE_H
#define SMMAP_TABLE_H

#include "base/assert.h"
#include "base/memory.h"
#include "region/word.h"

#include <pthread.h>

enum { SMMAP__LEAF_SLOTS = 64, SMMAP__LEAF_BITS = 6, SMMAP__BRANCH_BITS = 6 };

struct smmap__file;

typedef struct smmap__leaf {
	struct smmap__file *file;
	uint64_t first;  /* number of the region in slot 0 */
	uint32_t number; /* in the directory */
	uint16_t slots;  /* 1 or SMMAP__LEAF_SLOTS */
	bool detached;
	bool is_span; /* a region reaches over the next one, too */
	/* `slots` state words; detached: as many addresses; then links; detached: then guard slots. */
	_Atomic uint64_t words[];
} smmap__leaf;

typedef struct smmap__node {
	unsigned shift; /* a branch is (index >> shift); the lowest nodes branch to leaves */
	_Atomic(void *) branches[1 << SMMAP__BRANCH_BITS];
} smmap__node;

typedef struct smmap__table {
	_Atomic(smmap__leaf *) first;
	_Atomic(smmap__node *) root;
} smmap__table;

/* Names a region of a manager: leaf number * 64 + slot + 1; 0 names none. */
typedef uint32_t smmap__link;

/* The leaves of a manager by number. Segments double and never move. */
enum { SMMAP__DIRECTORY_FIRST = 64, SMMAP__DIRECTORY_SEGMENTS = 20 };
typedef struct smmap__directory {
	pthread_mutex_t lock;
	_Atomic(uintptr_t *) segments[SMMAP__DIRECTORY_SEGMENTS]; /* a leaf, or a free number * 2 + 1 */
	uint32_t used;
	uint32_t free_number; /* plus 1; 0: none */
	smmap__memory *memory;
} smmap__directory;

/* What the leaves of a table have in common. */
typedef struct smmap__table_kind {
	struct smmap__file *file;
	smmap__directory *directory;
	bool detached;
	bool is_span;
} smmap__table_kind;

/* One region. */
typedef struct smmap__region {
	smmap__leaf *leaf;
	uint32_t slot;
} smmap__region;

int smmap__directory_init(smmap__directory *directory, smmap__memory *memory);
void smmap__directory_destroy(smmap__directory *directory);

static inline bool smmap__node_covers(const smmap__node *node, uint64_t index)
{
	unsigned bits = node->shift + SMMAP__BRANCH_BITS;
	return bits >= 64 || index >> bits == 0;
}

static inline unsigned smmap__node_branch(const smmap__node *node, uint64_t index)
{
	return (unsigned)(index >> node->shift) & ((1u << SMMAP__BRANCH_BITS) - 1);
}

static inline bool smmap__node_is_lowest(const smmap__node *node)
{
	return node->shift == SMMAP__LEAF_BITS;
}

/* The region with that number: false when it was never touched. In line: copying reads do little else. */
static inline bool smmap__table_find(const smmap__table *table, uint64_t index, smmap__region *region)
{
	if (index == 0) {
		*region = (smmap__region){atomic_load_explicit(&table->first, memory_order_acquire), 0};
		return region->leaf != NULL;
	}
	const smmap__node *node = atomic_load_explicit(&table->root, memory_order_acquire);
	if (node == NULL || !smmap__node_covers(node, index))
		return false;
	while (!smmap__node_is_lowest(node)) {
		node = atomic_load_explicit(&node->branches[smmap__node_branch(node, index)], memory_order_acquire);
		if (node == NULL)
			return false;
	}
	region->leaf =
		atomic_load_explicit(&node->branches[smmap__node_branch(node, index)], memory_order_acquire);
	region->slot = (uint32_t)index & (SMMAP__LEAF_SLOTS - 1);
	return region->leaf != NULL;
}

/* The same, made when it is not there. Returns 0 or SMMAP_ENOMEM. */
int smmap__table_get(smmap__table *table, const smmap__table_kind *kind, uint64_t index,
                     smmap__region *region);
/* Calls `visit` for every region that was ever touched, in order; stops when it returns false. */
void smmap__table_visit(const smmap__table *table, bool (*visit)(smmap__region region, void *context),
                        void *context);
/* Frees everything; nobody may be using it. */
void smmap__table_clear(smmap__table *table, smmap__directory *directory);

/* The region that a link names. The caller knows that it exists. */
smmap__region smmap__link_region(const smmap__directory *directory, smmap__link link);

static inline smmap__link smmap__region_link(smmap__region region)
{
	smmap__assert(region.leaf != NULL);
	smmap__assert(region.slot < region.leaf->slots);
	return (region.leaf->number << SMMAP__LEAF_BITS) + region.slot + 1;
}

static inline _Atomic uint64_t *smmap__region_word(smmap__region region)
{
	smmap__assert(region.leaf != NULL);
	smmap__assert(region.slot < SMMAP__LEAF_SLOTS);
	return &region.leaf->words[region.slot];
}

static inline uint64_t smmap__region_index(smmap__region region)
{
	smmap__assert(region.leaf != NULL);
	smmap__assert(region.slot < SMMAP__LEAF_SLOTS);
	return region.leaf->first + region.slot;
}

/* The next region on the list that this one is on; under the lock of the lists. */
static inline smmap__link *smmap__region_next(smmap__region region)
{
	smmap__assert(region.slot < region.leaf->slots);
	const smmap__leaf *leaf = region.leaf;
	size_t words = (size_t)leaf->slots * (leaf->detached ? 2 : 1);
	return (smmap__link *)(void *)(uintptr_t)(leaf->words + words) + region.slot;
}

/* Detached only: where the region is mapped; written by who holds it BUSY. */
static inline uint64_t *smmap__region_address(smmap__region region)
{
	smmap__assert(region.leaf->detached);
	smmap__assert(region.slot < region.leaf->slots);
	return (uint64_t *)(void *)(uintptr_t)(region.leaf->words + region.leaf->slots) + region.slot;
}

/* Detached only: its place in the guard's register. */
static inline uint32_t *smmap__region_guard(smmap__region region)
{
	smmap__assert(region.leaf->detached);
	smmap__assert(region.slot < region.leaf->slots);
	return smmap__region_next(region) + region.leaf->slots;
}

#endif
