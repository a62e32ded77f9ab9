/* SPDX-License-Identifier: BSD-3-Clause */
/* What cursors, buffers, views and region handles share. They belong to one thread each. */
#ifndef SMMAP_CURSOR_H
#define SMMAP_CURSOR_H

#include "manager/manager.h"

static inline smmap__region smmap__cursor_pin(const smmap_cursor *cursor, int i)
{
	return (smmap__region){cursor->pin_leaf[i], cursor->pin_slot[i]};
}

/* Binds a cursor to a file that is held for it and a name whose reference it takes over; lets go of what it had. */
void smmap__cursor_bind(smmap_cursor *cursor, smmap_manager *manager, smmap__name *name, int flags,
                        smmap__file *file);

/* Pins what [offset, offset + size) needs, which lies in the file and is no larger than W: one region or two. */
int smmap__pin_range(smmap__budget *budget, smmap__file *file, uint64_t offset, uint64_t size,
                     smmap__region pins[2], bool *missed);

/* The longest range that a cursor of this file can offer. */
static inline uint64_t smmap__file_window(const smmap__file *file)
{
	return file->stride;
}

/* Lets go of the region that copying reads keep. */
void smmap__cursor_end_read(smmap_cursor *cursor);

/* Brings the cursor's own counts into the manager's. */
void smmap__cursor_flush(smmap_cursor *cursor);

#endif
