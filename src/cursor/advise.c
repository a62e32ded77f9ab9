/* SPDX-License-Identifier: BSD-3-Clause */
/* Advice, and what is in the page cache. */
#include "cursor/cursor.h"

#include "base/arith.h"
#include "base/assert.h"

int smmap_advise(smmap_cursor *cursor, int advice, uint64_t offset, uint64_t size)
{
	smmap__file *file = cursor->file;
	if (file == NULL)
		return SMMAP_ECLOSED;
	if (advice < SMMAP_ADVICE_NORMAL || advice > SMMAP_ADVICE_WILLNEED)
		return smmap__manager_error(cursor->manager, SMMAP_EINVAL);
	if (advice != SMMAP_ADVICE_WILLNEED)
		return smmap__manager_error(cursor->manager, smmap__file_advise(file, advice));
	uint64_t window = smmap__file_window(file);
	uint64_t range = size != 0 ? smmap__min(size, window) : window;
	return smmap__manager_error(cursor->manager, smmap__file_will_need(file, offset, range));
}

/* A mapping for looking only: nothing is touched through it, so that nothing becomes resident by it. */
static int map_to_look(smmap__file *file, uint64_t begin, size_t length, void **address)
{
	smmap__assert(length != 0);
	smmap__descriptor descriptor;
	int code = smmap__descriptor_take(file, &descriptor);
	if (code != 0)
		return code;
	int how = file->backing == SMMAP_BACKING_PRIVATE ? SMMAP__MAP_PRIVATE : 0;
	code = smmap__os.map(descriptor.number, begin, length, 0, how, address);
	smmap__descriptor_give(file, descriptor);
	return code;
}

int64_t smmap_cursor_residency(smmap_cursor *cursor, uint64_t offset, uint64_t size, unsigned char *pages,
                               uint64_t count)
{
	smmap__file *file = cursor->file;
	if (file == NULL)
		return SMMAP_ECLOSED;
	if (file->backing == SMMAP_BACKING_MEMORY)
		return smmap__manager_error(cursor->manager, SMMAP_ENOTSUP);
	uint64_t page = smmap__os_facts_now.page_size;
	uint64_t file_size = smmap__file_size(file);
	if (offset >= file_size || size == 0 || count == 0)
		return 0;
	uint64_t end = offset + smmap__min(size, file_size - offset);
	uint64_t first = smmap__align_down(offset, page);
	uint64_t wanted = smmap__min((smmap__align_up(end, page) - first) / page, count);
	uint64_t begin = smmap__align_down(first, smmap__os_facts_now.granularity);
	if (wanted > SIZE_MAX / 2 / page)
		return smmap__manager_error(cursor->manager, SMMAP_ENOMEM);
	size_t before = (size_t)(first - begin);
	size_t length = (size_t)(wanted * page);
	size_t mapped = (size_t)smmap__align_up(before + length, smmap__os_facts_now.granularity);
	void *address;
	int code = map_to_look(file, begin, mapped, &address);
	if (code == 0) {
		code = smmap__os.residency((unsigned char *)address + before, length, pages);
		(void)smmap__os.unmap(address, mapped);
	}
	return code == 0 ? (int64_t)wanted : smmap__manager_error(cursor->manager, code);
}
