/* SPDX-License-Identifier: BSD-3-Clause */
#include "cursor/cursor.h"

#include "base/arith.h"
#include "base/assert.h"

#include <string.h>

/* ---- pins of a range ---- */

/*
 * Stable: the region of the first byte and that of the last, which is the next one at most. Detached: one region, or the
 * span of two where the range crosses a border, so that it is contiguous.
 */
int smmap__pin_range(smmap__budget *budget, smmap__file *file, uint64_t offset, uint64_t size,
                     smmap__region pins[2], bool *missed)
{
	smmap__assert(size != 0 && offset < smmap__file_size(file));
	smmap__assert(size <= smmap__file_window(file));
	uint64_t first = smmap__file_slot(file, offset);
	uint64_t last = smmap__file_slot(file, offset + size - 1);
	bool span = first != last && !smmap__file_is_stable(file);
	bool missed_last = false;
	pins[1] = (smmap__region){NULL, 0};
	int code = smmap__pin(budget, file, span, first, &pins[0], missed);
	if (code != 0 || first == last || span)
		return code;
	code = smmap__pin(budget, file, false, last, &pins[1], &missed_last);
	if (code != 0)
		smmap__unpin(budget, pins[0], 1);
	*missed |= missed_last;
	return code;
}

/* Whether the cursor's pins are just what the range needs. */
static bool pins_cover(const smmap_cursor *cursor, uint64_t offset, uint64_t size)
{
	smmap__assert(size != 0);
	uint64_t first = smmap__file_slot(cursor->file, offset);
	uint64_t last = smmap__file_slot(cursor->file, offset + size - 1);
	return cursor->pin_leaf[0] != NULL && first == cursor->pin_index &&
	       last - first == cursor->pin_slots - UINT64_C(1);
}

static void unpin_both(smmap_cursor *cursor)
{
	smmap__budget *budget = &cursor->manager->budget;
	for (int i = 0; i < 2; i++) {
		smmap__leaf *leaf = cursor->pin_leaf[i];
		cursor->pin_leaf[i] = NULL;
		if (leaf != NULL)
			smmap__unpin(budget, (smmap__region){leaf, cursor->pin_slot[i]}, 1);
	}
}

static void set_range(smmap_cursor *cursor, uint64_t offset, uint64_t size)
{
	smmap__assert(size != 0 && cursor->pin_leaf[0] != NULL);
	cursor->data = smmap__region_at(cursor->file, smmap__cursor_pin(cursor, 0), offset);
	cursor->offset = offset;
	cursor->size = size;
}

/* ---- sequential access ---- */

/*
 * Two neighbouring regions missed in a row are a sequence: the system is told, and reads the next region ahead of its use as
 * the cursor comes near. A miss elsewhere takes that back. (Asking for the next region outright, by MADV_WILLNEED, was
 * measured on a cold file at 0.4 of the speed of pread, because it fills the page cache with small folios; the system's own
 * reading ahead reached 1.0 to 1.1. And a caller that only hops from region to region would have all of them read.)
 */
static void note_miss(smmap_cursor *cursor, uint64_t slot)
{
	smmap__file *file = cursor->file;
	bool sequential = slot == cursor->last_slot + 1;
	cursor->last_slot = slot;
	if (smmap__file_expect(file, sequential) && sequential)
		smmap__count(&cursor->manager->shared.count.prefetches, 1);
}

/* ---- moving ---- */

static int move_pins(smmap_cursor *cursor, uint64_t offset, uint64_t size)
{
	smmap__assert(cursor->file != NULL);
	smmap__assert(size != 0);
	smmap__region pins[2];
	bool missed = false;
	/* The successor is pinned before the predecessor is let go: a failure leaves the cursor where it was. */
	int code = smmap__pin_range(&cursor->manager->budget, cursor->file, offset, size, pins, &missed);
	if (code != 0)
		return code;
	unpin_both(cursor);
	for (int i = 0; i < 2; i++) {
		cursor->pin_leaf[i] = pins[i].leaf;
		cursor->pin_slot[i] = pins[i].slot;
	}
	cursor->pin_index = smmap__file_slot(cursor->file, offset);
	cursor->pin_slots = 1 + (uint32_t)(smmap__file_slot(cursor->file, offset + size - 1) - cursor->pin_index);
	if (missed) {
		smmap__cursor_flush(cursor);
		note_miss(cursor, smmap__file_slot(cursor->file, offset + size - 1));
	} else {
		cursor->hits++;
	}
	return 0;
}

int64_t smmap_cursor_use_region(smmap_cursor *cursor, uint64_t offset, uint64_t size)
{
	smmap__file *file = cursor->file;
	if (file == NULL)
		return SMMAP_ECLOSED;
	int code = smmap__file_error(file);
	if (code != 0)
		return smmap__manager_error(cursor->manager, code);
	uint64_t file_size = smmap__file_size(file);
	if (offset >= file_size) {
		smmap_cursor_unuse_region(cursor);
		return 0;
	}
	uint64_t window = smmap__file_window(file);
	uint64_t offered = smmap__min(size != 0 ? smmap__min(size, window) : window, file_size - offset);
	if (pins_cover(cursor, offset, offered))
		cursor->hits++;
	else
		code = move_pins(cursor, offset, offered);
	if (code != 0)
		return smmap__manager_error(cursor->manager, code);
	set_range(cursor, offset, offered);
	return (int64_t)offered;
}

void smmap_cursor_unuse_region(smmap_cursor *cursor)
{
	cursor->data = NULL;
	cursor->offset = 0;
	cursor->size = 0;
	if (cursor->manager != NULL) {
		unpin_both(cursor);
		smmap__cursor_end_read(cursor);
	}
}

/* ---- life ---- */

void smmap__cursor_flush(smmap_cursor *cursor)
{
	smmap__assert(cursor->manager != NULL);
	smmap__counters *count = &cursor->manager->shared.count;
	if (cursor->hits != 0)
		smmap__count(&count->hits, cursor->hits);
	if (cursor->copied != 0)
		smmap__count(&count->copied, cursor->copied);
	cursor->hits = 0;
	cursor->copied = 0;
}

void smmap_cursor_close(smmap_cursor *cursor)
{
	if (cursor->file != NULL) {
		smmap__cursor_end_read(cursor);
		smmap_cursor_unuse_region(cursor);
		smmap__cursor_flush(cursor);
		smmap__manager_let_go(cursor->manager, cursor->file);
		smmap__name_give(cursor->name, &cursor->manager->shared.memory);
	}
	memset(cursor, 0, sizeof *cursor);
}

void smmap__cursor_bind(smmap_cursor *cursor, smmap_manager *manager, smmap__name *name, int flags,
                        smmap__file *file)
{
	smmap__assert(manager != NULL && name != NULL && file != NULL);
	smmap_cursor_close(cursor);
	cursor->manager = manager;
	cursor->name = name;
	cursor->file = file;
	cursor->flags = flags;
	cursor->last_slot = UINT64_MAX - 1;
}

static int open_named(smmap_cursor *cursor, smmap_manager *manager, const char *path, int descriptor,
                      int flags)
{
	smmap__assert((path != NULL) != (descriptor >= 0));
	smmap__file *file;
	smmap__name *name = smmap__name_new(&manager->shared.memory, path, descriptor);
	int code = name != NULL ? smmap__manager_hold(manager, name, flags, false, &file) : SMMAP_ENOMEM;
	if (code == 0)
		smmap__cursor_bind(cursor, manager, name, flags, file);
	else
		smmap__name_give(name, &manager->shared.memory);
	return smmap__manager_error(manager, code);
}

int smmap_cursor_open(smmap_cursor *cursor, smmap_manager *manager, const char *path, int flags)
{
	if (path == NULL || !smmap__os_may_open_with(flags))
		return smmap__manager_error(manager, SMMAP_EINVAL);
	return open_named(cursor, manager, path, -1, flags);
}

int smmap_cursor_open_fd(smmap_cursor *cursor, smmap_manager *manager, int fd)
{
	if (fd < 0)
		return smmap__manager_error(manager, SMMAP_EBADF);
	return open_named(cursor, manager, NULL, fd, 0);
}

/* Pins for `to` what `from` has pinned. */
static int copy_pins(smmap_cursor *to, const smmap_cursor *from)
{
	smmap__assert(from->file != NULL);
	smmap__assert(to->pin_leaf[0] == NULL && to->pin_leaf[1] == NULL);
	smmap__budget *budget = &from->manager->budget;
	int code = 0;
	for (int i = 0; i < 2 && code == 0; i++) {
		if (from->pin_leaf[i] == NULL)
			continue;
		code = smmap__pin_again(smmap__cursor_pin(from, i), 1);
		if (code != 0)
			break;
		to->pin_leaf[i] = from->pin_leaf[i];
		to->pin_slot[i] = from->pin_slot[i];
	}
	if (code != 0 && to->pin_leaf[0] != NULL)
		smmap__unpin(budget, smmap__cursor_pin(to, 0), 1);
	return code;
}

int smmap_cursor_assign(smmap_cursor *to, const smmap_cursor *from)
{
	smmap_cursor copy = SMMAP_CURSOR_INIT;
	if (to == from)
		return 0;
	if (from->file != NULL) {
		int code = copy_pins(&copy, from);
		if (code != 0)
			return smmap__manager_error(from->manager, code);
		smmap__manager_hold_again(from->file);
		copy.manager = from->manager;
		copy.name = smmap__name_take(from->name);
		copy.file = from->file;
		copy.flags = from->flags;
		copy.pin_index = from->pin_index;
		copy.pin_slots = from->pin_slots;
		copy.data = from->data;
		copy.offset = from->offset;
		copy.size = from->size;
		copy.last_slot = from->last_slot;
	}
	smmap_cursor_close(to);
	*to = copy;
	return 0;
}

/* ---- questions ---- */

uint64_t smmap_cursor_file_size(const smmap_cursor *cursor)
{
	return cursor->file != NULL ? smmap__file_size(cursor->file) : 0;
}

const char *smmap_cursor_path(const smmap_cursor *cursor)
{
	return cursor->name != NULL && smmap__name_is_path(cursor->name) ? cursor->name->path : NULL;
}

int smmap_cursor_fd(const smmap_cursor *cursor)
{
	if (cursor->name == NULL)
		return SMMAP_ECLOSED;
	return smmap__name_is_path(cursor->name) ? SMMAP_EINVAL : cursor->name->descriptor;
}

int smmap_cursor_map(const smmap_cursor *cursor, const unsigned char **data, smmap_window *window)
{
	if (cursor->size == 0)
		return SMMAP_ECLOSED;
	smmap__region first = smmap__cursor_pin(cursor, 0);
	smmap__region last = cursor->pin_leaf[1] != NULL ? smmap__cursor_pin(cursor, 1) : first;
	bool is_short;
	uint64_t begin = smmap__region_begin(first);
	uint64_t end = smmap__region_begin(last) + smmap__region_length(last, &is_short);
	*data = smmap__region_at(cursor->file, first, begin);
	*window = (smmap_window){begin, end - begin};
	return 0;
}

int smmap_cursor_error(smmap_cursor *cursor, uint64_t *offset)
{
	if (cursor->file == NULL)
		return SMMAP_ECLOSED;
	int code = smmap__file_error(cursor->file);
	if (code != 0 && offset != NULL)
		*offset = atomic_load_explicit(&cursor->file->faults.first_end, memory_order_relaxed) - 1;
	return code;
}

int smmap_cursor_status(const smmap_cursor *cursor, smmap_file_status *status)
{
	const smmap__file *file = cursor->file;
	if (file == NULL)
		return SMMAP_ECLOSED;
	pthread_mutex_lock(&cursor->manager->files_lock);
	*status = (smmap_file_status){
		.size = smmap__file_size(file),
		.device = file->device,
		.inode = file->inode,
		.mtime_ns = file->mtime_ns,
		.ctime_ns = file->ctime_ns,
		.window_size = file->is_whole ? smmap__file_size(file) : file->stride,
		.regions = atomic_load_explicit(&file->mapped, memory_order_relaxed),
		.generation = file->generation,
		.placement = file->placement,
		.backing = file->backing,
		.open_flags = file->open_flags,
		.stale = atomic_load_explicit(&file->stale, memory_order_relaxed),
		.change = atomic_load_explicit(&file->change, memory_order_relaxed),
	};
	pthread_mutex_unlock(&cursor->manager->files_lock);
	return 0;
}
