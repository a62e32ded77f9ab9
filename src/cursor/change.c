/* SPDX-License-Identifier: BSD-3-Clause */
/* Verify and refresh. */
#include "cursor/cursor.h"

int smmap_verify(smmap_cursor *cursor)
{
	smmap__identity now;
	if (cursor->file == NULL)
		return SMMAP_ECLOSED;
	int code = smmap__manager_identify(cursor->name, &now);
	if (code == SMMAP_ENOENT || code == SMMAP_EBADF)
		return SMMAP_CHANGE_REPLACED;
	if (code != 0)
		return smmap__manager_error(cursor->manager, code);
	return smmap__manager_compare(cursor->manager, cursor->file, &now);
}

int smmap_refresh(smmap_cursor *cursor)
{
	smmap__file *file = cursor->file;
	smmap_manager *manager = cursor->manager;
	if (file == NULL)
		return SMMAP_ECLOSED;
	/* The cursor's own hold is exchanged by renewal; one more keeps its pins sound until they are let go. */
	smmap__manager_hold_again(file);
	int found = smmap__manager_renew(manager, cursor->name, cursor->flags, &cursor->file);
	if (found >= 0 && cursor->file != file) {
		smmap__cursor_end_read(cursor);
		smmap_cursor_unuse_region(cursor);
		cursor->last_slot = UINT64_MAX - 1;
	}
	smmap__manager_let_go(manager, file);
	return smmap__manager_error(manager, found);
}
