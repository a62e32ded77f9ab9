/* SPDX-License-Identifier: BSD-3-Clause */
/* Short ways to managers and cursors, for the tests of the public functions. */
#ifndef SMMAP_TESTS_SETUP_H
#define SMMAP_TESTS_SETUP_H

#include "harness/harness.h"

#include "base/arith.h"
#include "manager/manager.h"

#include <smmap.h>

#define KIB UINT64_C(1024)
#define MIB (UINT64_C(1024) * KIB)
#define GIB (UINT64_C(1024) * MIB)

static const int placements[] = {SMMAP_PLACEMENT_STABLE, SMMAP_PLACEMENT_DETACHED};
enum { PLACEMENTS = 2 };

static inline smmap_manager *new_manager(int placement, uint64_t window, uint64_t limit)
{
	smmap_manager *manager;
	smmap_options options = SMMAP_OPTIONS_INIT;
	options.placement = placement;
	options.window_size = (int64_t)window;
	options.max_memory = limit;
	assert_int_equal(smmap_manager_new(&manager, &options), 0);
	return manager;
}

static inline smmap_manager *new_static_manager(int placement)
{
	smmap_manager *manager;
	smmap_options options = SMMAP_OPTIONS_INIT;
	options.kind = SMMAP_STATIC;
	options.placement = placement;
	assert_int_equal(smmap_manager_new(&manager, &options), 0);
	return manager;
}

/* All that was opened must be closed again by then. */
static inline void free_manager(smmap_manager *manager)
{
	smmap__manager_check(manager);
	assert_int_equal(smmap_manager_free(manager), 0);
}

static inline void open_cursor(smmap_cursor *cursor, smmap_manager *manager, const char *path)
{
	assert_int_equal(smmap_cursor_open(cursor, manager, path, 0), 0);
}

/* Uses a region, which must be offered with that size, and looks at all its bytes. */
static inline void use_and_check(smmap_cursor *cursor, uint64_t offset, uint64_t size, uint64_t expected,
                                 uint64_t seed)
{
	assert_int_equal(smmap_cursor_use_region(cursor, offset, size), expected);
	assert_int_equal(smmap_cursor_ofs_begin(cursor), offset);
	assert_int_equal(smmap_cursor_size(cursor), expected);
	files_assert(smmap_cursor_data(cursor), offset, (size_t)expected, seed);
}

static inline smmap_stats stats_of(const smmap_manager *manager)
{
	smmap_stats stats;
	smmap_manager_stats(manager, &stats);
	return stats;
}

#endif
