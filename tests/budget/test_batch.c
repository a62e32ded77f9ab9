/* SPDX-License-Identifier: BSD-3-Clause */
/* Giving back many regions at a time: when, how many, and what happens where the system does only some of them. */
#include "../cursor/setup.h"

#include "os/os.h"

#include <string.h>
#include <sys/mman.h>

enum { KEPT = 64, REGIONS = 4096, W = 1 << 16 };

static unsigned calls;   /* of zap_many */
static unsigned largest; /* number of ranges */
static unsigned refused; /* every so many calls do but the first range; 0: none does */

/* What the system does, range by range, so that it runs also where the system cannot. */
static unsigned zap_one_by_one(const smmap__range *ranges, unsigned count)
{
	assert_in_range(count, 2, SMMAP__RANGES_MAX);
	calls++;
	largest = count > largest ? count : largest;
	unsigned wanted = refused != 0 && calls % refused == 0 ? 1 : count;
	for (unsigned i = 0; i < wanted; i++)
		assert_int_equal(smmap__os.zap(ranges[i].address, ranges[i].length), 0);
	return wanted;
}

static smmap_manager *start(const char **path)
{
	*path = files_make_sparse("vast", (uint64_t)REGIONS * W);
	smmap_manager *manager = new_manager(SMMAP_PLACEMENT_STABLE, W, (uint64_t)KEPT * W);
	smmap__os.zap_many = zap_one_by_one;
	smmap__os_facts_now.can_zap_many = true;
	calls = largest = refused = 0;
	return manager;
}

static void use(smmap_cursor *cursor, uint64_t region)
{
	assert_int_equal(smmap_cursor_use_region(cursor, region * W, 1), 1);
	assert_int_equal(*smmap_cursor_data(cursor), 0);
}

/* Regions that do not come back: more and more go at a time, up to an eighth of what is mapped. */
static void grows_where_nothing_comes_back(void)
{
	const char *path;
	smmap_manager *manager = start(&path);
	smmap_cursor cursor = SMMAP_CURSOR_INIT;
	open_cursor(&cursor, manager, path);
	for (uint64_t i = 0; i < REGIONS; i++) {
		use(&cursor, i);
		assert_true(stats_of(manager).mapped_bytes <= (uint64_t)KEPT * W);
	}
	smmap__manager_check(manager);
	assert_int_equal(largest, KEPT / 8);
	assert_true(calls > REGIONS / KEPT);
	assert_true(smmap_manager_num_file_handles(manager) >= KEPT - KEPT / 8);
	assert_int_equal(stats_of(manager).misses, REGIONS);
	assert_int_equal(stats_of(manager).evictions, REGIONS - smmap_manager_num_file_handles(manager));
	smmap_cursor_close(&cursor);
	free_manager(manager);
}

/* A set slightly larger than the budget comes back all the time: then one at a time is given back most of the time. */
static void shrinks_where_they_come_back(void)
{
	const char *path;
	smmap_manager *manager = start(&path);
	smmap_cursor cursor = SMMAP_CURSOR_INIT;
	random_source random = random_from(random_seed());
	open_cursor(&cursor, manager, path);
	for (uint64_t i = 0; i < 1000; i++)
		use(&cursor, i);
	assert_int_equal(largest, KEPT / 8);
	uint64_t evictions = stats_of(manager).evictions;
	calls = 0;
	for (unsigned i = 0; i < 20000; i++)
		use(&cursor, random_below(&random, KEPT + 8));
	evictions = stats_of(manager).evictions - evictions;
	assert_true(evictions > 500);
	assert_true(calls < evictions / 4);
	smmap_cursor_close(&cursor);
	free_manager(manager);
}

/* Ranges that the call left out are given back one by one. */
static void the_rest_goes_one_by_one(void)
{
	const char *path;
	smmap_manager *manager = start(&path);
	smmap_cursor cursor = SMMAP_CURSOR_INIT;
	refused = 2;
	open_cursor(&cursor, manager, path);
	for (uint64_t i = 0; i < 2000; i++) {
		use(&cursor, i);
		assert_true(stats_of(manager).mapped_bytes <= (uint64_t)KEPT * W);
	}
	smmap__manager_check(manager);
	assert_true(calls > 10);
	assert_int_equal(stats_of(manager).evictions, 2000 - smmap_manager_num_file_handles(manager));
	smmap_cursor_close(&cursor);
	free_manager(manager);
}

/* Few regions: the budget is used to the last one, so that what is mapped can be told in advance. */
static void few_regions_go_one_at_a_time(void)
{
	const char *path;
	smmap_manager *manager = start(&path);
	smmap_cursor cursor = SMMAP_CURSOR_INIT;
	assert_int_equal(smmap_manager_set_limits(manager, 31 * (uint64_t)W, 0), 0);
	open_cursor(&cursor, manager, path);
	for (uint64_t i = 0; i < 500; i++)
		use(&cursor, i);
	assert_int_equal(calls, 0);
	assert_int_equal(smmap_manager_num_file_handles(manager), 31);
	smmap_cursor_close(&cursor);
	free_manager(manager);
}

/* The system's own call, where there is one: all ranges, and only those. */
static void the_system_gives_back_what_it_is_told(void)
{
	smmap__os_init();
	if (!smmap__os_facts_now.can_zap_many)
		skip_test("needs process_madvise on oneself (Linux 6.14)");
	enum { RANGES = 5, PAGES = 3 };
	size_t page = smmap__os_facts_now.page_size;
	void *address;
	smmap__range ranges[RANGES];
	int fd;
	const char *path = files_make("a", RANGES * 2 * PAGES * page, 7);
	assert_int_equal(smmap__os.open(path, 0, &fd), 0);
	/* Private pages that were written say whether they were given back: they are the file's again then. */
	assert_int_equal(smmap__os.map(fd, 0, RANGES * 2 * PAGES * page, 0, SMMAP__MAP_PRIVATE, &address), 0);
	assert_int_equal(mprotect(address, RANGES * 2 * PAGES * page, PROT_READ | PROT_WRITE), 0);
	unsigned char *bytes = address;
	memset(bytes, 0x5a, RANGES * 2 * PAGES * page);
	for (unsigned i = 0; i < RANGES; i++)
		ranges[i] = (smmap__range){bytes + (size_t)i * 2 * PAGES * page, PAGES * page};
	assert_int_equal(smmap__os.zap_many(ranges, RANGES), RANGES);
	for (unsigned i = 0; i < RANGES; i++) {
		size_t begin = (size_t)i * 2 * PAGES * page;
		files_assert(bytes + begin, begin, PAGES * page, 7);
		for (size_t k = PAGES * page; k < 2 * PAGES * page; k++)
			assert_int_equal(bytes[begin + k], 0x5a);
	}
	/* The third is not mapped: the first two are done. */
	assert_int_equal(munmap(ranges[2].address, PAGES * page), 0);
	assert_int_equal(smmap__os.zap_many(ranges, RANGES), 2);
	assert_int_equal(smmap__os.unmap(address, RANGES * 2 * PAGES * page), 0);
	smmap__os.close(fd);
}

TEST_PROGRAM(TEST(grows_where_nothing_comes_back, .stable = true),
             TEST(shrinks_where_they_come_back, .stable = true),
             TEST(the_rest_goes_one_by_one, .stable = true),
             TEST(few_regions_go_one_at_a_time, .stable = true), TEST(the_system_gives_back_what_it_is_told))
