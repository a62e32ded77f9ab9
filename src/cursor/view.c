/* SPDX-License-Identifier: BSD-3-Clause */
/* Views: bytes without a copy that outlive the moves of the cursor or buffer they came from. */
#include "cursor/cursor.h"

#include "base/arith.h"
#include "base/assert.h"

#include <string.h>

static void fill(smmap_view *view, smmap_manager *manager, smmap__file *file, const unsigned char *data,
                 uint64_t size)
{
	smmap__assert(file != NULL);
	smmap__assert(view->file == NULL);
	smmap__manager_hold_again(file);
	memset(view, 0, sizeof *view);
	view->manager = manager;
	view->file = file;
	view->data = data;
	view->size = size;
}

/* Within one window: pinned, inside the budget. */
static int view_pinned(smmap_view *view, smmap_manager *manager, smmap__file *file, uint64_t offset,
                       uint64_t size)
{
	smmap__assert(size != 0 && size <= smmap__file_window(file));
	smmap__region pins[2];
	bool missed = false;
	int code = smmap__pin_range(&manager->budget, file, offset, size, pins, &missed);
	if (code != 0)
		return code;
	fill(view, manager, file, smmap__region_at(file, pins[0], offset), size);
	for (int i = 0; i < 2; i++) {
		view->pin_leaf[i] = pins[i].leaf;
		view->pin_slot[i] = pins[i].slot;
	}
	return 0;
}

/* Longer, stable: the bytes lie there already. */
static void view_in_place(smmap_view *view, smmap_manager *manager, smmap__file *file, uint64_t offset,
                          uint64_t size)
{
	smmap__assert(smmap__file_is_stable(file));
	smmap__assert(file->base != NULL);
	fill(view, manager, file, file->base + (size_t)offset, size);
	view->exported = size;
}

/* Longer, detached, or where the caller wants it: a mapping of its own. With `at` it replaces what is there. */
static int view_mapped(smmap_view *view, smmap_manager *manager, smmap__file *file, uint64_t offset,
                       uint64_t size, void *at)
{
	smmap__assert(file->backing != SMMAP_BACKING_MEMORY);
	smmap__assert(size != 0);
	smmap__descriptor descriptor;
	void *address = at;
	smmap__guard_slot guard;
	uint64_t begin = smmap__align_down(offset, smmap__os_facts_now.granularity);
	uint64_t length = smmap__align_up(offset + size - begin, smmap__os_facts_now.granularity);
	int how = file->backing == SMMAP_BACKING_PRIVATE ? SMMAP__MAP_PRIVATE : 0;
	if (at != NULL)
		how |= SMMAP__MAP_FIXED;
	if (length > SIZE_MAX / 2)
		return SMMAP_ENOMEM;
	int code = smmap__descriptor_take(file, &descriptor);
	if (code != 0)
		return code;
	do
		code = smmap__os.map(descriptor.number, begin, (size_t)length, 0, how, &address);
	while (smmap__os_is_pressure(code) && smmap__budget_evict_one(&manager->budget));
	smmap__descriptor_give(file, descriptor);
	if (code != 0)
		return code;
	code = smmap__guard_add(address, (size_t)length, begin, &file->faults, &guard);
	if (code != 0) {
		if (at == NULL)
			(void)smmap__os.unmap(address, (size_t)length);
		return code;
	}
	atomic_fetch_add_explicit(&manager->view_mappings, 1, memory_order_relaxed);
	smmap__gauge_add(&manager->shared.mappings, 1);
	smmap__count(&manager->shared.count.maps, 1);
	fill(view, manager, file, (unsigned char *)address + (size_t)(offset - begin), size);
	view->mapped = at == NULL ? address : NULL;
	view->mapped_size = length;
	view->exported = size;
	view->guard = guard;
	return 0;
}

static int view_range(smmap_view *view, const smmap_cursor *cursor, uint64_t offset, uint64_t size)
{
	smmap__assert(size != 0);
	smmap__assert(cursor->file != NULL);
	smmap__file *file = cursor->file;
	smmap_manager *manager = cursor->manager;
	int code = smmap__file_error(file);
	if (code != 0)
		return code;
	if (size <= smmap__file_window(file))
		return view_pinned(view, manager, file, offset, size);
	if (file->backing == SMMAP_BACKING_MEMORY)
		return SMMAP_ENOTSUP;
	code = smmap__manager_check_change(&manager->budget, file);
	if (code != 0)
		return code;
	if (smmap__file_is_stable(file))
		view_in_place(view, manager, file, offset, size);
	else
		code = view_mapped(view, manager, file, offset, size, NULL);
	if (code == 0)
		atomic_fetch_add_explicit(&manager->exported_bytes, size, memory_order_relaxed);
	return code;
}

int smmap_cursor_view(smmap_view *view, const smmap_cursor *cursor)
{
	if (cursor->size == 0)
		return SMMAP_ECLOSED;
	return smmap__manager_error(cursor->manager, view_range(view, cursor, cursor->offset, cursor->size));
}

int smmap_buffer_view(smmap_view *view, smmap_buffer *buffer, int64_t start, int64_t stop)
{
	uint64_t first;
	if (buffer->size == 0)
		return SMMAP_ECLOSED;
	uint64_t size = smmap_buffer_clip(buffer, start, stop, &first);
	if (size == 0) {
		fill(view, buffer->cursor.manager, buffer->cursor.file, buffer->cursor.data, 0);
		return 0;
	}
	return smmap__manager_error(buffer->cursor.manager,
	                            view_range(view, &buffer->cursor, buffer->begin + first, size));
}

static int map_pinned_at(smmap_view *view, const smmap_cursor *cursor, uint64_t offset, uint64_t size,
                         void *at)
{
	smmap__assert(at != NULL);
	smmap_view pinned = SMMAP_VIEW_INIT;
	int code = view_pinned(&pinned, cursor->manager, cursor->file, offset, size);
	if (code == 0)
		code = view_mapped(view, cursor->manager, cursor->file, offset, size, at);
	if (code == 0) {
		memcpy(view->pin_leaf, pinned.pin_leaf, sizeof view->pin_leaf);
		memcpy(view->pin_slot, pinned.pin_slot, sizeof view->pin_slot);
		memset(pinned.pin_leaf, 0, sizeof pinned.pin_leaf);
		view->exported = 0;
	}
	smmap_view_release(&pinned);
	return code;
}

int smmap_cursor_map_at(smmap_view *view, const smmap_cursor *cursor, uint64_t offset, uint64_t size,
                        void *address)
{
	size_t granularity = smmap__os_facts_now.granularity;
	smmap__file *file = cursor->file;
	if (file == NULL)
		return SMMAP_ECLOSED;
	if (offset % granularity != 0 || (uintptr_t)address % granularity != 0 || address == NULL)
		return smmap__manager_error(cursor->manager, SMMAP_EINVAL);
	uint64_t file_size = smmap__file_size(file);
	if (size == 0 || offset >= file_size || size > file_size - offset)
		return smmap__manager_error(cursor->manager, SMMAP_ERANGE);
	int code = smmap__file_error(file);
	if (code == 0 && file->backing == SMMAP_BACKING_MEMORY)
		code = SMMAP_ENOTSUP;
	if (code == 0)
		code = smmap__manager_check_change(&cursor->manager->budget, file);
	if (code == 0 && size <= smmap__file_window(file))
		code = map_pinned_at(view, cursor, offset, size, address);
	else if (code == 0) {
		code = view_mapped(view, cursor->manager, file, offset, size, address);
		if (code == 0)
			atomic_fetch_add_explicit(&cursor->manager->exported_bytes, size, memory_order_relaxed);
	}
	return smmap__manager_error(cursor->manager, code);
}

static void unmap_view(smmap_view *view)
{
	smmap__assert(view->guard != 0);
	smmap__assert(view->mapped_size != 0);
	smmap__shared *shared = &view->manager->shared;
	(void)smmap__guard_remove(&view->guard);
	if (view->mapped != NULL)
		(void)smmap__os.unmap(view->mapped, (size_t)view->mapped_size);
	atomic_fetch_sub_explicit(&view->manager->view_mappings, 1, memory_order_relaxed);
	smmap__gauge_sub(&shared->mappings, 1);
	smmap__count(&shared->count.unmaps, 1);
}

void smmap_view_release(smmap_view *view)
{
	if (view->file != NULL) {
		for (int i = 0; i < 2; i++)
			if (view->pin_leaf[i] != NULL)
				smmap__unpin(&view->manager->budget, (smmap__region){view->pin_leaf[i], view->pin_slot[i]},
				             1);
		if (view->mapped_size != 0)
			unmap_view(view);
		atomic_fetch_sub_explicit(&view->manager->exported_bytes, view->exported, memory_order_relaxed);
		smmap__manager_let_go(view->manager, view->file);
	}
	memset(view, 0, sizeof *view);
}
