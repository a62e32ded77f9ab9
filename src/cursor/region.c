/* SPDX-License-Identifier: BSD-3-Clause */
/* Region handles: of a manager's file, and alone; lists of them. */
#include "cursor/cursor.h"

#include "base/arith.h"
#include "base/assert.h"

#include <string.h>

/* A region mapped by itself. It has no manager, so it carries what a manager's file would. */
struct smmap__alone {
	unsigned char *data;
	uint64_t offset;
	uint64_t size;
	smmap__guard_slot guard;
	smmap__fault_log faults;
};

static smmap__region region_of(const smmap_region *region)
{
	return (smmap__region){region->leaf, region->slot};
}

static uint64_t word_of(const smmap_region *region)
{
	return atomic_load_explicit(smmap__region_word(region_of(region)), memory_order_acquire);
}

/* ---- of a manager ---- */

static void set_region(smmap_region *to, smmap_manager *manager, smmap__region region)
{
	smmap__assert(region.leaf != NULL);
	smmap__manager_hold_again(region.leaf->file);
	smmap_region_close(to);
	to->manager = manager;
	to->file = region.leaf->file;
	to->leaf = region.leaf;
	to->slot = region.slot;
}

int smmap_cursor_region(const smmap_cursor *cursor, smmap_region *region)
{
	if (cursor->size == 0)
		return SMMAP_ECLOSED;
	set_region(region, cursor->manager, smmap__cursor_pin(cursor, 0));
	return 0;
}

/* ---- alone ---- */

static int map_alone(struct smmap__alone *alone, int descriptor, uint64_t offset, uint64_t size)
{
	smmap__assert(alone->data == NULL);
	smmap__identity identity;
	void *address;
	int code = smmap__os.identify(descriptor, &identity);
	if (code == 0)
		code = smmap__file_admit(&identity, false);
	if (code != 0)
		return code;
	if (offset >= identity.size || size == 0)
		return SMMAP_ERANGE;
	alone->offset = offset;
	alone->size = smmap__min(size, identity.size - offset);
	uint64_t length = smmap__align_up(alone->size, smmap__os_facts_now.granularity);
	if (length > SIZE_MAX / 2)
		return SMMAP_ENOMEM;
	code = smmap__os.map(descriptor, offset, (size_t)length, 0, 0, &address);
	if (smmap__os_is_unmappable(code))
		code = smmap__os.map(descriptor, offset, (size_t)length, 0, SMMAP__MAP_PRIVATE, &address);
	if (code != 0)
		return code;
	code = smmap__guard_add(address, (size_t)length, offset, &alone->faults, &alone->guard);
	if (code != 0)
		(void)smmap__os.unmap(address, (size_t)length);
	else
		alone->data = address;
	return code;
}

static int open_alone(smmap_region *region, int descriptor, uint64_t offset, uint64_t size)
{
	struct smmap__alone *alone = smmap__os.allocate(sizeof *alone);
	if (alone == NULL)
		return SMMAP_ENOMEM;
	memset(alone, 0, sizeof *alone);
	int code = map_alone(alone, descriptor, offset, size);
	if (code != 0) {
		smmap__os.deallocate(alone);
		return code;
	}
	smmap_region_close(region);
	region->alone = alone;
	region->taken = 1;
	return 0;
}

int smmap_region_open(smmap_region *region, const char *path, uint64_t offset, uint64_t size, int flags)
{
	int descriptor;
	smmap__os_init();
	if (path == NULL || !smmap__os_may_open_with(flags) || offset % smmap__os_facts_now.granularity != 0)
		return SMMAP_EINVAL;
	int code = smmap__os.open(path, flags, &descriptor);
	if (code == SMMAP_ENXIO)
		code = SMMAP_ENOTREG; /* what open says of a socket */
	if (code != 0)
		return code;
	code = open_alone(region, descriptor, offset, size);
	smmap__os.close(descriptor);
	return code;
}

int smmap_region_open_fd(smmap_region *region, int fd, uint64_t offset, uint64_t size)
{
	int copy;
	smmap__os_init();
	if (offset % smmap__os_facts_now.granularity != 0)
		return SMMAP_EINVAL;
	/* The duplicate is asked for only because it tells a descriptor that cannot be read. */
	int code = fd >= 0 ? smmap__os.duplicate(fd, &copy) : SMMAP_EBADF;
	if (code != 0)
		return code;
	code = open_alone(region, copy, offset, size);
	smmap__os.close(copy);
	return code;
}

static void free_alone(smmap_region *region)
{
	smmap__assert(region->alone != NULL);
	struct smmap__alone *alone = region->alone;
	uint64_t length = smmap__align_up(alone->size, smmap__os_facts_now.granularity);
	(void)smmap__guard_remove(&alone->guard);
	(void)smmap__os.unmap(alone->data, (size_t)length);
	smmap__os.deallocate(alone);
	region->alone = NULL;
	region->taken = 0;
}

/* ---- both ---- */

void smmap_region_close(smmap_region *region)
{
	if (region->alone != NULL)
		free_alone(region);
	if (region->file != NULL) {
		if (region->taken != 0)
			smmap__unpin(&region->manager->budget, region_of(region), region->taken);
		smmap__manager_let_go(region->manager, region->file);
	}
	memset(region, 0, sizeof *region);
}

uint64_t smmap_region_ofs_begin(const smmap_region *region)
{
	if (region->alone != NULL)
		return region->alone->offset;
	return region->file != NULL ? smmap__region_begin(region_of(region)) : 0;
}

uint64_t smmap_region_size(const smmap_region *region)
{
	bool is_short;
	if (region->alone != NULL)
		return region->alone->size;
	return region->file != NULL ? smmap__region_length(region_of(region), &is_short) : 0;
}

uint64_t smmap_region_ofs_end(const smmap_region *region)
{
	return smmap_region_ofs_begin(region) + smmap_region_size(region);
}

int smmap_region_includes_ofs(const smmap_region *region, uint64_t offset)
{
	return offset - smmap_region_ofs_begin(region) < smmap_region_size(region);
}

smmap_window smmap_window_from_region(const smmap_region *region)
{
	return (smmap_window){smmap_region_ofs_begin(region), smmap_region_size(region)};
}

const unsigned char *smmap_region_data(const smmap_region *region)
{
	if (region->alone != NULL)
		return region->alone->data;
	if (region->file == NULL || smmap__word_state(word_of(region)) != SMMAP__MAPPED)
		return NULL;
	return smmap__region_at(region->file, region_of(region), smmap__region_begin(region_of(region)));
}

uint64_t smmap_region_client_count(const smmap_region *region)
{
	if (region->alone != NULL)
		return region->taken;
	if (region->file == NULL)
		return 0;
	uint64_t word = word_of(region);
	return smmap__word_state(word) == SMMAP__MAPPED ? (uint64_t)smmap__word_pins(word) + 1 : 0;
}

static int take_clients(smmap_region *region, uint32_t by)
{
	if (region->taken > UINT32_MAX - by)
		return SMMAP_EOVERFLOW;
	if (region->alone == NULL && by != 0) {
		/* The first pin is had only while the region is mapped; the others then are certain but for their number. */
		if (!smmap__pin_mapped(region_of(region)))
			return smmap__word_state(word_of(region)) == SMMAP__MAPPED ? SMMAP_EOVERFLOW : SMMAP_ECLOSED;
		int code = smmap__pin_again(region_of(region), by - 1);
		if (code != 0) {
			smmap__unpin(&region->manager->budget, region_of(region), 1);
			return code;
		}
	}
	region->taken += by;
	return 0;
}

static int give_clients(smmap_region *region, uint32_t by)
{
	smmap__assert(by <= region->taken);
	region->taken -= by;
	if (region->alone != NULL) {
		if (region->taken != 0)
			return 0;
		free_alone(region);
		return 1;
	}
	smmap__unpin(&region->manager->budget, region_of(region), by);
	return 0;
}

int smmap_region_increment_client_count(smmap_region *region, int64_t by)
{
	if (region->alone == NULL && region->file == NULL)
		return SMMAP_ECLOSED;
	if (by > (int64_t)UINT32_MAX)
		return SMMAP_EOVERFLOW;
	if (by < -(int64_t)region->taken)
		return SMMAP_EINVAL;
	return by >= 0 ? take_clients(region, (uint32_t)by) : give_clients(region, (uint32_t)-by);
}

int smmap_region_release(smmap_region *region)
{
	if (region->alone != NULL) {
		free_alone(region);
		return 0;
	}
	if (region->file == NULL)
		return SMMAP_ECLOSED;
	if (smmap__word_state(word_of(region)) == SMMAP__EMPTY)
		return 0;
	return smmap__budget_evict(&region->manager->budget, region_of(region)) ? 0 : SMMAP_EBUSY;
}

int smmap_region_equal(const smmap_region *a, const smmap_region *b)
{
	return a->leaf == b->leaf && a->slot == b->slot && a->alone == b->alone;
}

/* ---- lists ---- */

struct smmap_region_list {
	smmap_manager *manager;
	smmap__file *file;
	smmap__name *name;
	size_t count;
	size_t room;
	smmap__region *regions; /* in order; the file is held, so they stay */
};

static bool is_mapped(smmap__region region)
{
	uint64_t word = atomic_load_explicit(smmap__region_word(region), memory_order_acquire);
	return smmap__word_state(word) == SMMAP__MAPPED;
}

static size_t block_size(size_t room)
{
	return room * sizeof(smmap__region);
}

static bool collect(smmap__region region, void *context)
{
	smmap_region_list *list = context;
	if (list->count < list->room && is_mapped(region))
		list->regions[list->count++] = region;
	return list->count < list->room;
}

/* Merges the spans, which were collected after the plain regions, in by their offsets: both parts are in order. */
static void sort_in(smmap__region *regions, size_t plain, size_t count)
{
	smmap__assert(plain <= count);
	for (size_t i = plain; i < count; i++) {
		smmap__region span = regions[i];
		size_t at = i;
		while (at > 0 && smmap__region_begin(regions[at - 1]) > smmap__region_begin(span)) {
			regions[at] = regions[at - 1];
			at--;
		}
		regions[at] = span;
	}
}

int smmap_region_list_new(smmap_region_list **out, const smmap_cursor *cursor)
{
	smmap__file *file = cursor->file;
	if (file == NULL)
		return SMMAP_ECLOSED;
	smmap__memory *memory = &cursor->manager->shared.memory;
	smmap_region_list *list = smmap__memory_new(memory, sizeof *list);
	if (list == NULL)
		return smmap__manager_error(cursor->manager, SMMAP_ENOMEM);
	list->room = (size_t)atomic_load_explicit(&file->mapped, memory_order_relaxed) + 1;
	list->regions = smmap__memory_new(memory, block_size(list->room));
	if (list->regions == NULL) {
		smmap__memory_free(memory, list, sizeof *list);
		return smmap__manager_error(cursor->manager, SMMAP_ENOMEM);
	}
	smmap__manager_hold_again(file);
	list->manager = cursor->manager;
	list->file = file;
	list->name = smmap__name_take(cursor->name);
	smmap__table_visit(&file->regions, collect, list);
	size_t plain = list->count;
	smmap__table_visit(&file->spans, collect, list);
	sort_in(list->regions, plain, list->count);
	*out = list;
	return 0;
}

void smmap_region_list_free(smmap_region_list *list)
{
	if (list == NULL)
		return;
	smmap_manager *manager = list->manager;
	smmap__memory *memory = &manager->shared.memory;
	smmap__file *file = list->file;
	smmap__name_give(list->name, memory);
	smmap__memory_free(memory, list->regions, block_size(list->room));
	smmap__memory_free(memory, list, sizeof *list);
	smmap__manager_let_go(manager, file);
}

size_t smmap_region_list_count(const smmap_region_list *list)
{
	return list->count;
}

uint64_t smmap_region_list_file_size(const smmap_region_list *list)
{
	return smmap__file_size(list->file);
}

const char *smmap_region_list_path(const smmap_region_list *list)
{
	return smmap__name_is_path(list->name) ? list->name->path : NULL;
}

int smmap_region_list_fd(const smmap_region_list *list)
{
	return list->name->descriptor;
}

int smmap_region_list_get(const smmap_region_list *list, size_t i, smmap_region *region)
{
	if (i >= list->count)
		return SMMAP_ERANGE;
	set_region(region, list->manager, list->regions[i]);
	return 0;
}
