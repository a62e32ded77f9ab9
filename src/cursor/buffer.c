/* SPDX-License-Identifier: BSD-3-Clause */
#include "cursor/cursor.h"

#include "base/arith.h"
#include "base/assert.h"

#include <string.h>

/* ---- life ---- */

/* Pins the slot that `offset` lies in, as far as it is within the buffer: the next indices either side are hits. */
static int slide_to(smmap_buffer *buffer, uint64_t offset)
{
	smmap__assert(buffer->size != 0);
	smmap__assert(offset - buffer->begin < buffer->size);
	const smmap__file *file = buffer->cursor.file;
	if (file == NULL)
		return SMMAP_ECLOSED;
	uint64_t slot = smmap__file_slot(file, offset) * file->stride;
	uint64_t begin = smmap__max(slot, buffer->begin);
	uint64_t end = smmap__min(smmap__add_saturating(slot, file->stride), buffer->begin + buffer->size);
	int64_t n = smmap_cursor_use_region(&buffer->cursor, begin, end - begin);
	if (n < 0)
		return (int)n;
	return smmap_cursor_includes_ofs(&buffer->cursor, offset) ? 0 : SMMAP_ERANGE;
}

int smmap_buffer_begin_access(smmap_buffer *buffer, const smmap_cursor *cursor, uint64_t offset,
                              uint64_t size)
{
	smmap_buffer next = SMMAP_BUFFER_INIT;
	int code = smmap_cursor_assign(&next.cursor, cursor != NULL ? cursor : &buffer->cursor);
	if (code != 0)
		return code;
	uint64_t file_size = smmap_cursor_file_size(&next.cursor);
	next.begin = offset;
	next.size = offset < file_size ? smmap__min(size, file_size - offset) : 0;
	if (next.cursor.file == NULL)
		code = SMMAP_ECLOSED;
	else
		code = next.size != 0 ? slide_to(&next, offset) : SMMAP_ERANGE;
	if (code != 0) {
		smmap_cursor_close(&next.cursor);
		return code;
	}
	smmap_buffer_close(buffer);
	*buffer = next;
	return 0;
}

void smmap_buffer_end_access(smmap_buffer *buffer)
{
	if (buffer->cursor.file != NULL) {
		smmap__cursor_end_read(&buffer->cursor);
		smmap_cursor_unuse_region(&buffer->cursor);
	}
	buffer->begin = 0;
	buffer->size = 0;
}

void smmap_buffer_close(smmap_buffer *buffer)
{
	smmap_cursor_close(&buffer->cursor);
	memset(buffer, 0, sizeof *buffer);
}

/* ---- access ---- */

int smmap__buffer_get_far(smmap_buffer *buffer, int64_t index)
{
	if (buffer->size == 0)
		return SMMAP_ECLOSED;
	uint64_t i = index >= 0 ? (uint64_t)index : buffer->size + (uint64_t)index;
	smmap__assert(buffer->size <= INT64_MAX);
	if (i >= buffer->size) /* a negative index before the beginning has wrapped beyond any size */
		return SMMAP_ERANGE;
	uint64_t offset = buffer->begin + i;
	if (!smmap_cursor_includes_ofs(&buffer->cursor, offset)) {
		int code = slide_to(buffer, offset);
		if (code != 0)
			return code;
	}
	return buffer->cursor.data[(size_t)(offset - buffer->cursor.offset)];
}

static uint64_t clip_index(uint64_t size, int64_t index)
{
	smmap__assert(size <= INT64_MAX);
	if (index >= 0)
		return smmap__min((uint64_t)index, size);
	uint64_t back = (uint64_t)0 - (uint64_t)index;
	return back < size ? size - back : 0;
}

uint64_t smmap_buffer_clip(const smmap_buffer *buffer, int64_t start, int64_t stop, uint64_t *first)
{
	uint64_t from = clip_index(buffer->size, start);
	uint64_t to = clip_index(buffer->size, stop);
	if (first != NULL)
		*first = from;
	return to > from ? to - from : 0;
}

int64_t smmap_buffer_slice(smmap_buffer *buffer, int64_t start, int64_t stop, void *to, uint64_t room)
{
	uint64_t first;
	if (buffer->size == 0)
		return SMMAP_ECLOSED;
	uint64_t size = smmap_buffer_clip(buffer, start, stop, &first);
	if (size > room)
		return SMMAP_ERANGE;
	const unsigned char *here = smmap_cursor_at(&buffer->cursor, buffer->begin + first, size);
	if (here != NULL) {
		memcpy(to, here, (size_t)size);
		/* A copy that met a fault may hold zeros: then it is made again, by reading. */
		if (smmap__fault_count(&buffer->cursor.file->faults) == 0)
			return (int64_t)size;
	}
	uint64_t done = 0;
	while (done < size) {
		int64_t n = smmap_read(&buffer->cursor, buffer->begin + first + done, (unsigned char *)to + done,
		                       size - done);
		if (n < 0)
			return n;
		if (n == 0)
			return SMMAP_ETRUNCATED;
		done += (uint64_t)n;
	}
	return (int64_t)size;
}
