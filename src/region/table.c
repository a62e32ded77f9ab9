/* SPDX-License-Identifier: BSD-3-Clause */
#include "region/table.h"

#include "base/assert.h"

#include "os/os.h"

enum { BRANCHES = 1 << SMMAP__BRANCH_BITS };

/* ---- directory ---- */

int smmap__directory_init(smmap__directory *directory, smmap__memory *memory)
{
	directory->memory = memory;
	return smmap__os_mutex_init(&directory->lock);
}

static size_t segment_size(unsigned k)
{
	smmap__assert(k < SMMAP__DIRECTORY_SEGMENTS);
	return (size_t)SMMAP__DIRECTORY_FIRST << k;
}

void smmap__directory_destroy(smmap__directory *directory)
{
	for (unsigned k = 0; k < SMMAP__DIRECTORY_SEGMENTS; k++)
		smmap__memory_free(directory->memory, atomic_load(&directory->segments[k]),
		                   segment_size(k) * sizeof(uintptr_t));
	pthread_mutex_destroy(&directory->lock);
}

static unsigned segment_of(uint32_t number, uint32_t *within)
{
	uint32_t n = number / SMMAP__DIRECTORY_FIRST + 1;
	unsigned k = 31u - (unsigned)__builtin_clz(n);
	*within = number - (uint32_t)SMMAP__DIRECTORY_FIRST * ((1u << k) - 1);
	return k;
}

static uintptr_t *entry_of(const smmap__directory *directory, uint32_t number)
{
	uint32_t within;
	unsigned k = segment_of(number, &within);
	return &atomic_load_explicit(&directory->segments[k], memory_order_acquire)[within];
}

static int take_new_number_locked(smmap__directory *directory, uint32_t *number)
{
	uint32_t within;
	unsigned k = segment_of(directory->used, &within);
	if (k >= SMMAP__DIRECTORY_SEGMENTS)
		return SMMAP_ENOMEM;
	if (within == 0) {
		uintptr_t *segment = smmap__memory_new(directory->memory, segment_size(k) * sizeof(uintptr_t));
		if (segment == NULL)
			return SMMAP_ENOMEM;
		atomic_store_explicit(&directory->segments[k], segment, memory_order_release);
	}
	*number = directory->used++;
	return 0;
}

static int enter_leaf(smmap__directory *directory, smmap__leaf *leaf)
{
	smmap__assert(leaf->slots != 0);
	int code = 0;
	pthread_mutex_lock(&directory->lock);
	if (directory->free_number != 0) {
		leaf->number = directory->free_number - 1;
		directory->free_number = (uint32_t)(*entry_of(directory, leaf->number) >> 1);
	} else {
		code = take_new_number_locked(directory, &leaf->number);
	}
	if (code == 0)
		*entry_of(directory, leaf->number) = (uintptr_t)leaf;
	pthread_mutex_unlock(&directory->lock);
	return code;
}

static void remove_leaf(smmap__directory *directory, const smmap__leaf *leaf)
{
	pthread_mutex_lock(&directory->lock);
	*entry_of(directory, leaf->number) = ((uintptr_t)directory->free_number << 1) | 1;
	directory->free_number = leaf->number + 1;
	pthread_mutex_unlock(&directory->lock);
}

smmap__region smmap__link_region(const smmap__directory *directory, smmap__link link)
{
	smmap__assert(link != 0);
	uintptr_t entry = *entry_of(directory, (link - 1) >> SMMAP__LEAF_BITS);
	smmap__assert((entry & 1) == 0);
	return (smmap__region){(smmap__leaf *)entry, (link - 1) & (SMMAP__LEAF_SLOTS - 1)};
}

/* ---- leaves and nodes ---- */

static size_t leaf_size(unsigned slots, bool detached)
{
	smmap__assert(slots == 1 || slots == SMMAP__LEAF_SLOTS);
	size_t each = sizeof(uint64_t) + sizeof(smmap__link);
	if (detached)
		each += sizeof(uint64_t) + sizeof(uint32_t);
	return sizeof(smmap__leaf) + slots * each;
}

static void free_leaf(smmap__leaf *leaf, smmap__directory *directory)
{
	smmap__assert(leaf != NULL);
	remove_leaf(directory, leaf);
	smmap__memory_free(directory->memory, leaf, leaf_size(leaf->slots, leaf->detached));
}

static smmap__leaf *new_leaf(const smmap__table_kind *kind, uint64_t first, unsigned slots)
{
	smmap__assert(first % SMMAP__LEAF_SLOTS == 0);
	smmap__leaf *leaf = smmap__memory_new(kind->directory->memory, leaf_size(slots, kind->detached));
	if (leaf == NULL)
		return NULL;
	leaf->file = kind->file;
	leaf->first = first;
	leaf->slots = (uint16_t)slots;
	leaf->detached = kind->detached;
	leaf->is_span = kind->is_span;
	if (enter_leaf(kind->directory, leaf) == 0)
		return leaf;
	smmap__memory_free(kind->directory->memory, leaf, leaf_size(slots, kind->detached));
	return NULL;
}

static smmap__node *new_node(smmap__memory *memory, unsigned shift)
{
	smmap__assert(shift >= SMMAP__LEAF_BITS && shift < 64);
	smmap__node *node = smmap__memory_new(memory, sizeof *node);
	if (node != NULL)
		node->shift = shift;
	return node;
}

/* A root that covers `index`, or NULL without memory. */
static smmap__node *grown_root(smmap__table *table, smmap__memory *memory, uint64_t index)
{
	smmap__assert(index != 0);
	smmap__node *root = atomic_load_explicit(&table->root, memory_order_acquire);
	while (root == NULL || !smmap__node_covers(root, index)) {
		unsigned shift = root == NULL ? SMMAP__LEAF_BITS : root->shift + SMMAP__BRANCH_BITS;
		smmap__node *taller = new_node(memory, shift);
		if (taller == NULL)
			return NULL;
		atomic_store_explicit(&taller->branches[0], root, memory_order_relaxed);
		if (atomic_compare_exchange_strong_explicit(&table->root, &root, taller, memory_order_acq_rel,
		                                            memory_order_acquire))
			root = taller;
		else
			smmap__memory_free(memory, taller, sizeof *taller);
	}
	return root;
}

/* The node below `node` on the way to `index`, made when it is not there. */
static smmap__node *grown_branch(smmap__node *node, smmap__memory *memory, uint64_t index)
{
	smmap__assert(node->shift > SMMAP__LEAF_BITS);
	_Atomic(void *) *branch = &node->branches[smmap__node_branch(node, index)];
	void *below = atomic_load_explicit(branch, memory_order_acquire);
	if (below != NULL)
		return below;
	smmap__node *made = new_node(memory, node->shift - SMMAP__BRANCH_BITS);
	if (made == NULL || atomic_compare_exchange_strong_explicit(branch, &below, made, memory_order_acq_rel,
	                                                            memory_order_acquire))
		return made;
	smmap__memory_free(memory, made, sizeof *made);
	return below;
}

static smmap__leaf *grown_leaf(_Atomic(void *) *branch, const smmap__table_kind *kind, uint64_t first)
{
	void *there = atomic_load_explicit(branch, memory_order_acquire);
	if (there != NULL)
		return there;
	smmap__leaf *made = new_leaf(kind, first, SMMAP__LEAF_SLOTS);
	if (made == NULL || atomic_compare_exchange_strong_explicit(branch, &there, made, memory_order_acq_rel,
	                                                            memory_order_acquire))
		return made;
	free_leaf(made, kind->directory);
	return there;
}

static int get_first(smmap__table *table, const smmap__table_kind *kind, smmap__region *region)
{
	smmap__leaf *there = NULL;
	smmap__leaf *made = new_leaf(kind, 0, 1);
	if (made == NULL)
		return SMMAP_ENOMEM;
	if (atomic_compare_exchange_strong_explicit(&table->first, &there, made, memory_order_acq_rel,
	                                            memory_order_acquire))
		there = made;
	else
		free_leaf(made, kind->directory);
	*region = (smmap__region){there, 0};
	return 0;
}

int smmap__table_get(smmap__table *table, const smmap__table_kind *kind, uint64_t index,
                     smmap__region *region)
{
	smmap__memory *memory = kind->directory->memory;
	if (smmap__table_find(table, index, region))
		return 0;
	if (index == 0)
		return get_first(table, kind, region);
	smmap__node *node = grown_root(table, memory, index);
	while (node != NULL && !smmap__node_is_lowest(node))
		node = grown_branch(node, memory, index);
	if (node == NULL)
		return SMMAP_ENOMEM;
	uint32_t slot = (uint32_t)index & (SMMAP__LEAF_SLOTS - 1);
	smmap__leaf *leaf = grown_leaf(&node->branches[smmap__node_branch(node, index)], kind, index - slot);
	if (leaf == NULL)
		return SMMAP_ENOMEM;
	*region = (smmap__region){leaf, slot};
	return 0;
}

/* ---- walking ---- */

static bool visit_leaf(smmap__leaf *leaf, bool (*visit)(smmap__region, void *), void *context)
{
	for (uint32_t slot = 0; leaf != NULL && slot < leaf->slots; slot++)
		if (!visit((smmap__region){leaf, slot}, context))
			return false;
	return true;
}

/* As deep as the tree is high: 10 at most. */
static bool visit_node(const smmap__node *node, bool (*visit)(smmap__region, void *), void *context)
{
	bool lowest = smmap__node_is_lowest(node);
	for (unsigned i = 0; i < BRANCHES; i++) {
		void *below = atomic_load_explicit(&node->branches[i], memory_order_acquire);
		if (below == NULL)
			continue;
		bool go_on = lowest ? visit_leaf(below, visit, context) : visit_node(below, visit, context);
		if (!go_on)
			return false;
	}
	return true;
}

void smmap__table_visit(const smmap__table *table, bool (*visit)(smmap__region region, void *context),
                        void *context)
{
	const smmap__node *root = atomic_load_explicit(&table->root, memory_order_acquire);
	if (visit_leaf(atomic_load_explicit(&table->first, memory_order_acquire), visit, context) && root != NULL)
		visit_node(root, visit, context);
}

static void free_node(smmap__node *node, smmap__directory *directory)
{
	bool lowest = smmap__node_is_lowest(node);
	for (unsigned i = 0; i < BRANCHES; i++) {
		void *below = atomic_load_explicit(&node->branches[i], memory_order_relaxed);
		if (below != NULL && lowest)
			free_leaf(below, directory);
		else if (below != NULL)
			free_node(below, directory);
	}
	smmap__memory_free(directory->memory, node, sizeof *node);
}

void smmap__table_clear(smmap__table *table, smmap__directory *directory)
{
	smmap__leaf *first = atomic_exchange_explicit(&table->first, NULL, memory_order_acq_rel);
	smmap__node *root = atomic_exchange_explicit(&table->root, NULL, memory_order_acq_rel);
	if (first != NULL)
		free_leaf(first, directory);
	if (root != NULL)
		free_node(root, directory);
}
