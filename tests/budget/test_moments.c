/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What comes in between: other cursors act at the moment of a system call, from within it, as other threads would with luck.
 */
#include "../cursor/setup.h"

#include "os/os.h"

#include <errno.h>
#include <smmap_faults.h>
#include <stdio.h>
#include <unistd.h>

static smmap__os_calls system_calls;
static void (*meanwhile)(void); /* done once, by the next call of zap or unmap */
static int answer;              /* of that call; 0: the system's */

static void act(void)
{
	void (*what)(void) = meanwhile;
	meanwhile = NULL;
	if (what != NULL)
		what();
}

static int zap_and_act(void *address, size_t length)
{
	bool refuse = meanwhile != NULL && answer != 0;
	act();
	return refuse ? answer : system_calls.zap(address, length);
}

static int unmap_and_act(void *address, size_t length)
{
	bool refuse = meanwhile != NULL && answer != 0;
	act();
	return refuse ? answer : system_calls.unmap(address, length);
}

static void hook(void (*what)(void), int code)
{
	if (system_calls.zap == NULL)
		system_calls = smmap__os;
	smmap__os.zap = zap_and_act;
	smmap__os.unmap = unmap_and_act;
	smmap__os_facts_now.can_zap_many = false;
	meanwhile = what;
	answer = code;
}

static smmap_manager *manager;
static smmap_cursor first = SMMAP_CURSOR_INIT;
static smmap_cursor second = SMMAP_CURSOR_INIT;
static int outcome;

static void begin(int placement, uint64_t window, uint64_t limit, const char *path)
{
	manager = new_manager(placement, window, limit);
	open_cursor(&first, manager, path);
	open_cursor(&second, manager, path);
}

static void end(void)
{
	smmap_cursor_close(&first);
	smmap_cursor_close(&second);
	free_manager(manager);
}

static void use_second(void)
{
	outcome = (int)smmap_cursor_use_region(&second, 0, 100);
}

/* A pin takes a region back that is being given back; whether the system call succeeds or not. */
static void rescued_while_it_goes(void)
{
	const char *path = files_make("a", 6 * MIB, 1);
	for (int refused = 0; refused < 2; refused++) {
		begin(SMMAP_PLACEMENT_STABLE, 2 * MIB, 64 * MIB, path);
		use_and_check(&first, 0, 100, 100, 1);
		smmap_cursor_unuse_region(&first);
		hook(use_second, refused ? SMMAP_EAGAIN : 0);
		assert_int_equal(smmap_manager_collect(manager), 0);
		assert_null(meanwhile);
		assert_int_equal(outcome, 100);
		files_assert(smmap_cursor_data(&second), 0, 100, 1);
		assert_int_equal(stats_of(manager).rescues, 1);
		assert_int_equal(stats_of(manager).evictions, 0);
		assert_int_equal(smmap_manager_mapped_memory_size(manager), 2 * MIB);
		smmap_cursor_unuse_region(&second);
		assert_int_equal(smmap_manager_collect(manager), 1);
		end();
	}
}

static void look_for_more(void)
{
	outcome = smmap_refresh(&second);
}

/* A file grows while its last region is being given back: it becomes another one. */
static void grows_while_its_end_goes(void)
{
	const char *path = files_make("a", 5 * MIB, 1);
	begin(SMMAP_PLACEMENT_STABLE, 2 * MIB, 64 * MIB, path);
	use_and_check(&first, 4 * MIB, 0, MIB, 1);
	smmap_cursor_unuse_region(&first);
	files_write(path, 5 * MIB, MIB, 1);
	hook(look_for_more, 0);
	assert_int_equal(smmap_manager_collect(manager), 1);
	assert_int_equal(outcome, SMMAP_CHANGE_GREW | SMMAP_CHANGE_MODIFIED);
	assert_int_equal(smmap_cursor_file_size(&second), 6 * MIB);
	assert_int_equal(smmap_cursor_file_size(&first), 5 * MIB);
	use_and_check(&second, 5 * MIB, 0, MIB, 1);
	use_and_check(&first, 4 * MIB, 0, MIB, 1);
	end();
}

/* No pin is left for the growing itself. */
static void grows_with_all_pins_taken(void)
{
	smmap_region region = SMMAP_REGION_INIT;
	const char *path = files_make("a", 5 * MIB, 1);
	begin(SMMAP_PLACEMENT_STABLE, 2 * MIB, 64 * MIB, path);
	use_and_check(&first, 4 * MIB, 0, MIB, 1);
	assert_int_equal(smmap_cursor_region(&first, &region), 0);
	assert_int_equal(smmap_region_increment_client_count(&region, UINT32_MAX - 1), 0);
	assert_int_equal(smmap_cursor_use_region(&second, 4 * MIB, 0), SMMAP_EOVERFLOW);
	assert_int_equal(smmap_cursor_assign(&second, &first), SMMAP_EOVERFLOW);
	files_write(path, 5 * MIB, MIB, 1);
	assert_int_equal(smmap_refresh(&second), SMMAP_CHANGE_GREW | SMMAP_CHANGE_MODIFIED);
	assert_int_equal(smmap_cursor_file_size(&second), 6 * MIB);
	assert_int_equal(smmap_cursor_file_size(&first), 5 * MIB);
	assert_int_equal(smmap_region_increment_client_count(&region, -(int64_t)(UINT32_MAX - 1)), 0);
	smmap_region_close(&region);
	end();
}

/* A last region that ends with the file is whole: it is charged no more when the file goes on behind it. */
/* Where addresses are short files are not laid at a multiple of a block, and do not grow where they lie. */
static void need_plenty_of_address(void)
{
	smmap__os_init();
	if (!smmap__os_facts_now.plenty_of_address)
		skip_test("needs 64-bit addresses");
}

static void grows_behind_a_whole_region(void)
{
	need_plenty_of_address();
	const char *path = files_make("a", 4 * MIB, 1);
	begin(SMMAP_PLACEMENT_STABLE, 2 * MIB, 64 * MIB, path);
	use_and_check(&first, 2 * MIB, 0, 2 * MIB, 1);
	const unsigned char *data = smmap_cursor_data(&first);
	files_write(path, 4 * MIB, 100, 1);
	assert_int_equal(smmap_refresh(&first), SMMAP_CHANGE_GREW | SMMAP_CHANGE_MODIFIED);
	assert_int_equal(smmap_manager_mapped_memory_size(manager), 2 * MIB);
	assert_ptr_equal(smmap_cursor_data(&first), data);
	use_and_check(&first, 4 * MIB, 0, 100, 1);
	end();
}

/* Where a file lies that began small decides how far it may grow there. */
static void grows_as_far_as_its_place_allows(void)
{
	static const uint64_t sizes[][2] = {{100000, 300000},          {100000, 3 * MIB},  {100000, 9 * MIB},
	                                    {3 * MIB, 3 * MIB + 5000}, {3 * MIB, 9 * MIB}, {3 * MIB, 4 * MIB}};
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		const char *path = files_make("a", sizes[i][0], 1);
		begin(SMMAP_PLACEMENT_STABLE, 4 * MIB, 64 * MIB, path);
		use_and_check(&first, sizes[i][0] - 100, 0, 100, 1);
		files_write(path, sizes[i][0], sizes[i][1] - sizes[i][0], 1);
		assert_int_equal(smmap_refresh(&second), SMMAP_CHANGE_GREW | SMMAP_CHANGE_MODIFIED);
		assert_int_equal(smmap_cursor_file_size(&second), sizes[i][1]);
		use_and_check(&second, sizes[i][1] - 100, 0, 100, 1);
		files_assert(smmap_cursor_data(&first), sizes[i][0] - 100, 100, 1);
		smmap__manager_check(manager);
		end();
		assert_int_equal(unlink(path), 0);
	}
	/* A stride that is no multiple of what a page fault maps. */
	const char *path = files_make("a", 3 * MIB, 1);
	begin(SMMAP_PLACEMENT_STABLE, 3 * MIB, 64 * MIB, path);
	files_write(path, 3 * MIB, 3 * MIB, 1);
	assert_int_equal(smmap_refresh(&second), SMMAP_CHANGE_GREW | SMMAP_CHANGE_MODIFIED);
	use_and_check(&second, 4 * MIB, 100, 100, 1);
	end();
}

/* A parked region whose pins are other cursors' goes back on a list when the last of them goes. */
static void parked_while_the_file_grows(void)
{
	const char *path = files_make("a", 5 * MIB, 1);
	begin(SMMAP_PLACEMENT_STABLE, 2 * MIB, 64 * MIB, path);
	use_and_check(&first, 4 * MIB, 0, MIB, 1);
	assert_int_equal(smmap_manager_collect(manager), 0);
	files_write(path, 5 * MIB, MIB / 2, 1);
	assert_int_equal(smmap_refresh(&second), SMMAP_CHANGE_GREW | SMMAP_CHANGE_MODIFIED);
	smmap_cursor_unuse_region(&first);
	assert_int_equal(smmap_manager_collect(manager), 1);
	end();
}

/* A region that was given back out of turn is on its list still when it cannot be mapped again. */
static void cannot_be_mapped_again(void)
{
	const char *path = files_make("a", 100000, 1);
	smmap_region region = SMMAP_REGION_INIT;
	begin(SMMAP_PLACEMENT_DETACHED, 4096, MIB, path);
	use_and_check(&first, 8192, 100, 100, 1);
	assert_int_equal(smmap_cursor_region(&first, &region), 0);
	smmap_cursor_unuse_region(&first);
	assert_int_equal(smmap_region_release(&region), 0);
	assert_int_equal(atomic_load(&manager->budget.evict.stale), 1);
	smmap_faults_arm(SMMAP_FAULT_MMAP, 1, EACCES, SMMAP_FAULT_FOR_EVER);
	assert_int_equal(smmap_cursor_use_region(&first, 8192, 100), SMMAP_EACCES);
	smmap_faults_disarm();
	assert_int_equal(atomic_load(&manager->budget.evict.stale), 1);
	smmap__manager_check(manager);
	use_and_check(&first, 8192, 100, 100, 1);
	assert_int_equal(atomic_load(&manager->budget.evict.stale), 0);
	smmap_region_close(&region);
	end();
}

/* Many regions given back out of turn: the lists are rid of them once they outnumber what is mapped. */
static void leftovers_are_cleared_away(void)
{
	enum { REGIONS = 300 };
	const char *path = files_make("a", REGIONS * 4096, 1);
	begin(SMMAP_PLACEMENT_DETACHED, 4096, GIB, path);
	for (uint64_t i = 0; i < REGIONS; i++) {
		smmap_region region = SMMAP_REGION_INIT;
		use_and_check(&first, i * 4096, 0, 4096, 1);
		assert_int_equal(smmap_cursor_region(&first, &region), 0);
		smmap_cursor_unuse_region(&first);
		if (i % 10 != 0)
			assert_int_equal(smmap_region_release(&region), 0);
		smmap_region_close(&region);
		uint64_t stale = atomic_load(&manager->budget.evict.stale);
		assert_true(stale <= SMMAP__LEAF_SLOTS || stale <= smmap_manager_num_file_handles(manager));
	}
	assert_int_equal(smmap_manager_num_file_handles(manager), REGIONS / 10);
	end();
}

/* With SMMAP_KEEP_ONE the only region there is stays over the limit; two do not. */
static void keeps_one_but_not_two(void)
{
	smmap_options options = SMMAP_OPTIONS_INIT;
	options.flags = SMMAP_KEEP_ONE;
	options.window_size = 4096;
	options.max_memory = 1;
	options.placement = SMMAP_PLACEMENT_DETACHED;
	const char *path = files_make("a", 100000, 1);
	assert_int_equal(smmap_manager_new(&manager, &options), 0);
	open_cursor(&first, manager, path);
	open_cursor(&second, manager, path);
	use_and_check(&first, 0, 100, 100, 1);
	use_and_check(&second, 8192, 100, 100, 1);
	smmap_cursor_unuse_region(&first);
	assert_int_equal(smmap_manager_num_file_handles(manager), 1);
	smmap_cursor_unuse_region(&second);
	assert_int_equal(smmap_manager_num_file_handles(manager), 1);
	end();
}

/* The system gives regions back one by one; then no more are given back than must be. */
static void one_at_a_time(void)
{
	enum { REGIONS = 200 };
	const char *path = files_make_sparse("a", REGIONS * 2 * MIB);
	begin(SMMAP_PLACEMENT_STABLE, 2 * MIB, 100 * MIB, path);
	smmap__os_facts_now.can_zap_many = false;
	for (uint64_t i = 0; i < REGIONS; i++) {
		assert_int_equal(smmap_cursor_use_region(&first, i * 2 * MIB, 1), 1);
		assert_int_equal(smmap_manager_num_file_handles(manager), i < 50 ? i + 1 : 50);
	}
	end();
}

/* The share of mappings is used up by what is pinned: up to twice as many are had, and no more. */
static void mappings_are_used_up(void)
{
	enum { SHARE = 8 };
	smmap_cursor cursors[3 * SHARE];
	smmap_options options = SMMAP_OPTIONS_INIT;
	options.window_size = 4096;
	options.max_mappings = SHARE;
	options.placement = SMMAP_PLACEMENT_DETACHED;
	const char *path = files_make("a", 100000, 1);
	assert_int_equal(smmap_manager_new(&manager, &options), 0);
	int had = 0;
	for (int i = 0; i < 3 * SHARE; i++) {
		cursors[i] = (smmap_cursor)SMMAP_CURSOR_INIT;
		open_cursor(&cursors[i], manager, path);
		int64_t n = smmap_cursor_use_region(&cursors[i], (uint64_t)i * 4096, 100);
		assert_int_equal(n, i < 2 * SHARE ? 100 : SMMAP_ENOMEM);
		had += n > 0;
	}
	assert_int_equal(had, 2 * SHARE);
	assert_int_equal(stats_of(manager).mappings, 2 * SHARE);
	for (int i = 0; i < 3 * SHARE; i++)
		smmap_cursor_close(&cursors[i]);
	assert_true(stats_of(manager).mappings <= SHARE);
	free_manager(manager);
}

static int extend_and_act(void *address, size_t length, size_t new_length)
{
	act();
	return system_calls.extend(address, length, new_length);
}

static void let_first_go(void)
{
	smmap_cursor_unuse_region(&first);
}

/* The last pin of a parked region goes while the file grows: who grows it puts the region back on a list. */
static void let_go_while_the_file_grows(void)
{
	need_plenty_of_address();
	const char *path = files_make("a", 5 * MIB, 1);
	begin(SMMAP_PLACEMENT_STABLE, 2 * MIB, 64 * MIB, path);
	use_and_check(&first, 4 * MIB, 0, MIB, 1);
	assert_int_equal(smmap_manager_collect(manager), 0);
	files_write(path, 5 * MIB, 15 * MIB, 1);
	system_calls = smmap__os;
	smmap__os.extend = extend_and_act;
	meanwhile = let_first_go;
	assert_int_equal(smmap_refresh(&second), SMMAP_CHANGE_GREW | SMMAP_CHANGE_MODIFIED);
	assert_null(meanwhile);
	smmap__manager_check(manager);
	assert_int_equal(smmap_manager_collect(manager), 1);
	end();
}

/* Without memory for the last region's place in the table the file is a new one. */
static void grows_without_memory(void)
{
	const char *path = files_make("a", 300 * MIB, 1);
	bool fired = true;
	for (uint64_t nth = 1; fired; nth++) {
		assert_int_equal(truncate(path, 300 * MIB), 0);
		begin(SMMAP_PLACEMENT_STABLE, 2 * MIB, 64 * MIB, path);
		assert_int_equal(truncate(path, 301 * MIB), 0);
		smmap_faults_arm(SMMAP_FAULT_MALLOC, nth, ENOMEM, 1);
		int code = smmap_refresh(&second);
		fired = smmap_faults_fired() != 0;
		smmap_faults_disarm();
		assert_true(code == (SMMAP_CHANGE_GREW | SMMAP_CHANGE_MODIFIED) || (fired && code == SMMAP_ENOMEM));
		assert_int_equal(smmap_cursor_file_size(&second), (code > 0 ? 301 : 300) * MIB);
		end();
	}
}

static int64_t read_and_act(int descriptor, void *to, size_t size, uint64_t offset)
{
	act();
	return system_calls.read(descriptor, to, size, offset);
}

static void find_error(void)
{
	outcome = smmap_cursor_error(&second, NULL);
}

/* Two ask at once what is wrong with a file: it is counted once. */
static void error_found_twice(void)
{
	const char *path = files_make("a", 100000, 1);
	begin(SMMAP_PLACEMENT_DETACHED, 4096, MIB, path);
	atomic_store(&first.file->faults.first_end, 5001);
	atomic_store(&first.file->faults.count, 1);
	system_calls = smmap__os;
	smmap__os.read = read_and_act;
	meanwhile = find_error;
	assert_int_equal(smmap_cursor_error(&first, NULL), SMMAP_EFAULTED);
	assert_int_equal(outcome, SMMAP_EFAULTED);
	assert_int_equal(stats_of(manager).faults, 1);
	end();
}

/* What lies behind the file's end has no length. */
static void regions_behind_the_end(void)
{
	bool is_short = false;
	begin(SMMAP_PLACEMENT_DETACHED, 4096, MIB, files_make("a", 10000, 1));
	use_and_check(&first, 4096, 100, 100, 1);
	smmap__region region = {first.pin_leaf[0], 63};
	assert_int_equal(smmap__region_length(region, &is_short), 0);
	assert_true(is_short);
	region.slot = 2;
	assert_int_equal(smmap__region_length(region, &is_short), 10000 - 8192);
	end();
}

/* ---- files of both placements in one budget ---- */

enum { SMALL = 100, SMALL_SIZE = 3000 };
static smmap_cursor small[SMALL];

/* Files of one region, which are stable, each with its region mapped; and one of many, which is detached. */
static void begin_mixed(uint64_t limit, uint64_t max_mappings)
{
	smmap_options options = SMMAP_OPTIONS_INIT;
	options.window_size = 4096;
	options.max_memory = limit;
	options.max_mappings = max_mappings;
	assert_int_equal(smmap_manager_new(&manager, &options), 0);
	for (int i = 0; i < SMALL; i++) {
		char name[20];
		snprintf(name, sizeof name, "small%d", i);
		open_cursor(&small[i], manager, files_make(name, SMALL_SIZE, 2));
		use_and_check(&small[i], 0, SMALL_SIZE, SMALL_SIZE, 2);
		smmap_cursor_unuse_region(&small[i]);
	}
	const char *path = files_make("a", 400000, 1);
	open_cursor(&first, manager, path);
	open_cursor(&second, manager, path);
}

static void end_mixed(void)
{
	for (int i = 0; i < SMALL; i++)
		smmap_cursor_close(&small[i]);
	end();
}

/* Stable regions give no mapping back: after so many it is let be. */
static void stable_victims_give_no_mapping_back(void)
{
	begin_mixed(MIB, SMALL);
	assert_int_equal(smmap_cursor_use_region(&first, 4096, 100), 100);
	assert_in_range(smmap_manager_num_file_handles(manager), 1, SMALL + 1 - SMMAP__LEAF_SLOTS);
	files_assert(smmap_cursor_data(&first), 4096, 100, 1);
	end_mixed();
}

static unsigned zap_one_by_one(const smmap__range *ranges, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		assert_int_equal(smmap__os.zap(ranges[i].address, ranges[i].length), 0);
	return count;
}

/* A batch ends at a detached victim, at the end of all that can go, and at one that the system does not take. */
static void batches_of_both_kinds(void)
{
	begin_mixed(SMALL * 4096, 0);
	system_calls = smmap__os;
	smmap__os.zap_many = zap_one_by_one;
	smmap__os_facts_now.can_zap_many = true;
	for (uint64_t i = 0; i < 2000; i++) {
		atomic_store(&manager->budget.batch, 8);
		uint64_t slot = i * 31 % 97;
		use_and_check(&first, slot * 4096, 100, 100, 1);
		use_and_check(&small[i * 7 % SMALL], 0, 100, 100, 2);
		smmap_cursor_unuse_region(&small[i * 7 % SMALL]);
		assert_true(smmap_manager_mapped_memory_size(manager) <= SMALL * 4096);
	}
	smmap__manager_check(manager);
	/* One has failed: its pages are given back one by one. */
	atomic_store(&small[5].file->faults.count, 1);
	for (uint64_t i = 0; i < 300; i++) {
		atomic_store(&manager->budget.batch, 8);
		use_and_check(&first, i * 31 % 97 * 4096, 100, 100, 1);
		if (i * 7 % SMALL != 5)
			use_and_check(&small[i * 7 % SMALL], 0, 100, 100, 2);
		smmap_cursor_unuse_region(&small[i * 7 % SMALL]);
	}
	atomic_store(&small[5].file->faults.count, 0);
	/* All but a few are pinned. */
	for (int i = 0; i < SMALL - 3; i++)
		use_and_check(&small[i], 0, 100, 100, 2);
	atomic_store(&manager->budget.batch, 8);
	use_and_check(&second, 96 * 4096, 100, 100, 1);
	use_and_check(&first, 0, 100, 100, 1);
	smmap__manager_check(manager);
	end_mixed();
}

TEST_PROGRAM(TEST(rescued_while_it_goes, .unit = 4096, .stable = true),
             TEST(grows_while_its_end_goes, .unit = 4096, .stable = true),
             TEST(grows_with_all_pins_taken, .unit = 4096, .stable = true),
             TEST(grows_behind_a_whole_region, .unit = 4096, .stable = true),
             TEST(grows_as_far_as_its_place_allows, .unit = 4096, .stable = true),
             TEST(parked_while_the_file_grows, .unit = 4096, .stable = true),
             TEST(cannot_be_mapped_again, .unit = 4096, .stable = true),
             TEST(leftovers_are_cleared_away, .unit = 4096, .stable = true),
             TEST(keeps_one_but_not_two, .unit = 4096, .stable = true),
             TEST(one_at_a_time, .unit = 4096, .stable = true),
             TEST(mappings_are_used_up, .unit = 4096, .stable = true),
             TEST(let_go_while_the_file_grows, .unit = 4096, .stable = true),
             TEST(grows_without_memory, .unit = 4096, .stable = true),
             TEST(error_found_twice, .unit = 4096, .stable = true),
             TEST(regions_behind_the_end, .unit = 4096, .stable = true),
             TEST(stable_victims_give_no_mapping_back, .unit = 4096, .stable = true),
             TEST(batches_of_both_kinds, .unit = 4096, .stable = true))
