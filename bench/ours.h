/* SPDX-License-Identifier: BSD-3-Clause */
/* A manager with one cursor, and what its statistics say. */
#ifndef SMMAP_BENCH_OURS_H
#define SMMAP_BENCH_OURS_H

#include "bench.h"

#include <smmap.h>

typedef struct ours {
	smmap_manager *manager;
	smmap_cursor cursor;
} ours;

static inline void ours_open(ours *o, const char *path, uint64_t window, uint64_t max_bytes, int placement)
{
	smmap_options options = SMMAP_OPTIONS_INIT;
	smmap_file_status status;
	options.window_size = (int64_t)window;
	options.max_memory = max_bytes;
	options.placement = placement;
	bench_check("smmap_manager_new", smmap_manager_new(&o->manager, &options));
	o->cursor = (smmap_cursor)SMMAP_CURSOR_INIT;
	bench_check(path, smmap_cursor_open(&o->cursor, o->manager, path, 0));
	bench_check(path, smmap_cursor_status(&o->cursor, &status));
	if (placement != SMMAP_PLACEMENT_AUTO && status.placement != placement)
		bench_die("placement", SMMAP_ENOTSUP);
}

static inline void ours_close(ours *o)
{
	smmap_cursor_close(&o->cursor);
	bench_check("smmap_manager_free", smmap_manager_free(o->manager));
}

static inline smmap_stats ours_stats(const ours *o)
{
	smmap_stats stats;
	smmap_manager_stats(o->manager, &stats);
	return stats;
}

/* Moves the cursor to one byte. */
static inline const unsigned char *ours_at(smmap_cursor *cursor, uint64_t offset)
{
	bench_check("smmap_cursor_use_region", smmap_cursor_use_region(cursor, offset, 1));
	return cursor->data;
}

#endif
