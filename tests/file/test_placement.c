/* SPDX-License-Identifier: BSD-3-Clause */
/* Where a file is placed: by what the system is like, how much address space there is, and how large the file says it is. */
#include "../cursor/setup.h"

#include "os/os.h"

#include <errno.h>
#include <fcntl.h>

#include <smmap_faults.h>
#include <sys/resource.h>
#include <unistd.h>

/* ---- a system as the tests want it ---- */

static smmap__os_calls system_calls;
static uint64_t told_size;
static int told_type;

static int identify_as_told(int descriptor, smmap__identity *identity)
{
	int code = system_calls.identify(descriptor, identity);
	identity->size = told_size;
	identity->type = told_type;
	return code;
}

/* From now on every file that is opened says this of itself. */
static void tell(int type, uint64_t size)
{
	if (system_calls.identify == NULL)
		system_calls = smmap__os;
	told_type = type;
	told_size = size;
	smmap__os.identify = identify_as_told;
}

static smmap_file_status status_of(const smmap_cursor *cursor)
{
	smmap_file_status status;
	assert_int_equal(smmap_cursor_status(cursor, &status), 0);
	return status;
}

static int placement_of(smmap_manager *manager, const char *path)
{
	smmap_cursor cursor = SMMAP_CURSOR_INIT;
	open_cursor(&cursor, manager, path);
	int placement = status_of(&cursor).placement;
	uint64_t size = smmap_cursor_file_size(&cursor);
	assert_int_equal(smmap_cursor_use_region(&cursor, size - 1, 1), 1);
	files_assert(smmap_cursor_data(&cursor), size - 1, 1, 1);
	smmap_cursor_close(&cursor);
	return placement;
}

static void placement_follows_the_system(void)
{
	const struct {
		bool can_zap, plenty;
		int asked;
		int small, one_region, several; /* expected */
	} rows[] = {
		{true, true, SMMAP_PLACEMENT_AUTO, SMMAP_PLACEMENT_STABLE, SMMAP_PLACEMENT_STABLE,
	     SMMAP_PLACEMENT_STABLE},
		{false, true, SMMAP_PLACEMENT_AUTO, SMMAP_PLACEMENT_DETACHED, SMMAP_PLACEMENT_DETACHED,
	     SMMAP_PLACEMENT_DETACHED},
		{false, true, SMMAP_PLACEMENT_STABLE, SMMAP_PLACEMENT_DETACHED, SMMAP_PLACEMENT_DETACHED,
	     SMMAP_PLACEMENT_DETACHED},
		{true, false, SMMAP_PLACEMENT_AUTO, SMMAP_PLACEMENT_STABLE, SMMAP_PLACEMENT_DETACHED,
	     SMMAP_PLACEMENT_DETACHED},
		{true, false, SMMAP_PLACEMENT_STABLE, SMMAP_PLACEMENT_STABLE, SMMAP_PLACEMENT_STABLE,
	     SMMAP_PLACEMENT_STABLE},
		{true, true, SMMAP_PLACEMENT_DETACHED, SMMAP_PLACEMENT_DETACHED, SMMAP_PLACEMENT_DETACHED,
	     SMMAP_PLACEMENT_DETACHED},
	};
	const char *small = files_make("small", 100000, 1);
	const char *one_region = files_make("one", 3 * MIB, 1);
	const char *several = files_make("several", 9 * MIB, 1);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		smmap_manager *manager = new_manager(rows[i].asked, 4 * MIB, GIB);
		smmap__os_facts_now.can_zap = rows[i].can_zap;
		smmap__os_facts_now.plenty_of_address = rows[i].plenty;
		assert_int_equal(placement_of(manager, small), rows[i].small);
		assert_int_equal(placement_of(manager, one_region), rows[i].one_region);
		assert_int_equal(placement_of(manager, several), rows[i].several);
		free_manager(manager);
	}
}

/* ---- sizes that no address space has ---- */

static void files_as_large_as_can_be(void)
{
	const char *path = files_make("a", 100000, 1);
	smmap_manager *manager = new_manager(SMMAP_PLACEMENT_STABLE, 65536, MIB);
	smmap_cursor cursor = SMMAP_CURSOR_INIT;
	smmap_buffer buffer = SMMAP_BUFFER_INIT;
	smmap_view view = SMMAP_VIEW_INIT;
	smmap_region region = SMMAP_REGION_INIT;
	unsigned char pages[1];
	tell(SMMAP__REGULAR, (uint64_t)INT64_MAX + 1);
	assert_int_equal(smmap_cursor_open(&cursor, manager, path, 0), SMMAP_EOVERFLOW);
	tell(SMMAP__REGULAR, INT64_MAX);
	assert_int_equal(smmap_cursor_open(&cursor, manager, path, 0), 0);
	assert_int_equal(status_of(&cursor).placement, SMMAP_PLACEMENT_DETACHED);
	assert_int_equal(stats_of(manager).fallback_detached, 1);
	use_and_check(&cursor, 4096, 100, 100, 1);
	assert_int_equal(smmap_cursor_residency(&cursor, 0, UINT64_MAX, pages, UINT64_MAX), SMMAP_ENOMEM);
	assert_int_equal(smmap_buffer_begin_access(&buffer, &cursor, 0, UINT64_MAX), 0);
	assert_int_equal(smmap_buffer_size(&buffer), INT64_MAX);
	assert_int_equal(smmap_buffer_get(&buffer, INT64_MIN), SMMAP_ERANGE);
	assert_int_equal(smmap_buffer_get(&buffer, -INT64_MAX), files_byte(0, 1));
	assert_int_equal(smmap_buffer_view(&view, &buffer, 0, INT64_MAX), SMMAP_ENOMEM);
	assert_int_equal(smmap_region_open(&region, path, 0, UINT64_MAX, 0), SMMAP_ENOMEM);
	smmap_buffer_close(&buffer);
	smmap_cursor_close(&cursor);
	free_manager(manager);
}

/* A file that grows beyond all address space is a new one, and the old one stays as it is. */
static void growing_beyond_address_space(void)
{
	const char *path = files_make("a", 5 * MIB, 1);
	smmap_manager *manager = new_manager(SMMAP_PLACEMENT_STABLE, 2 * MIB, GIB);
	smmap_cursor cursor = SMMAP_CURSOR_INIT;
	smmap_cursor later = SMMAP_CURSOR_INIT;
	open_cursor(&cursor, manager, path);
	tell(SMMAP__REGULAR, INT64_MAX);
	open_cursor(&later, manager, path);
	assert_int_equal(smmap_cursor_file_size(&later), INT64_MAX);
	assert_int_equal(status_of(&later).generation, 1);
	assert_int_equal(smmap_cursor_file_size(&cursor), 5 * MIB);
	assert_int_equal(status_of(&cursor).stale, 1);
	use_and_check(&cursor, 4 * MIB, 100, 100, 1);
	smmap_cursor_close(&later);
	smmap_cursor_close(&cursor);
	free_manager(manager);
}

static void block_devices_have_one_size(void)
{
	const char *path = files_make("a", 100000, 1);
	smmap_manager *manager;
	smmap_cursor cursor = SMMAP_CURSOR_INIT;
	smmap_options options = SMMAP_OPTIONS_INIT;
	tell(SMMAP__BLOCK_DEVICE, 100000);
	assert_int_equal(smmap_manager_new(&manager, &options), 0);
	assert_int_equal(smmap_cursor_open(&cursor, manager, path, 0), SMMAP_ENOTREG);
	free_manager(manager);
	options.flags = SMMAP_ALLOW_BLOCK_DEVICES;
	assert_int_equal(smmap_manager_new(&manager, &options), 0);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(smmap_cursor_open_fd(&cursor, manager, fd), 0);
	use_and_check(&cursor, 99000, 0, 1000, 1);
	assert_int_equal(smmap_verify(&cursor), 0);
	/* What is told of a device's size tells nothing of its contents. */
	tell(SMMAP__BLOCK_DEVICE, 200000);
	assert_int_equal(smmap_verify(&cursor), 0);
	tell(SMMAP__BLOCK_DEVICE, 50000);
	assert_int_equal(smmap_verify(&cursor), 0);
	tell(SMMAP__REGULAR, 50000);
	assert_int_equal(smmap_verify(&cursor), SMMAP_CHANGE_SHRANK);
	tell(SMMAP__REGULAR, 200000);
	assert_int_equal(smmap_verify(&cursor), SMMAP_CHANGE_GREW);
	smmap_cursor_close(&cursor);
	close(fd);
	free_manager(manager);
}

static void unmappable_types(void)
{
	const char *path = files_make("a", 100, 1);
	smmap_manager *manager = new_manager(SMMAP_PLACEMENT_AUTO, 4096, MIB);
	smmap_cursor cursor = SMMAP_CURSOR_INIT;
	tell(SMMAP__UNMAPPABLE, 100);
	assert_int_equal(smmap_cursor_open(&cursor, manager, path, 0), SMMAP_ENOTSUP);
	tell(SMMAP__OTHER, 100);
	assert_int_equal(smmap_cursor_open(&cursor, manager, path, 0), SMMAP_ENOTREG);
	free_manager(manager);
}

/* Half of the limit of address space is for stable files; what is larger is detached. */
static void address_space_is_shared_out(void)
{
	struct rlimit before;
	if (!smmap_is_64_bit())
		skip_test("needs 64-bit pointers");
	assert_int_equal(getrlimit(RLIMIT_AS, &before), 0);
	struct rlimit limit = {UINT64_C(1) << 46, before.rlim_max};
	if (setrlimit(RLIMIT_AS, &limit) != 0)
		skip_test("needs a limit of address space of 2^46 bytes");
	smmap_manager *manager = new_manager(SMMAP_PLACEMENT_STABLE, GIB, GIB);
	assert_int_equal(setrlimit(RLIMIT_AS, &before), 0);
	assert_int_equal(manager->shared.max_address_space, UINT64_C(1) << 45);
	manager->shared.max_address_space = 100 * MIB;
	const char *small = files_make_sparse("small", 40 * MIB);
	const char *other = files_make_sparse("other", 50 * MIB);
	const char *third = files_make_sparse("third", 20 * MIB);
	const char *large = files_make_sparse("large", 101 * MIB);
	smmap_cursor cursors[4] = {SMMAP_CURSOR_INIT, SMMAP_CURSOR_INIT, SMMAP_CURSOR_INIT, SMMAP_CURSOR_INIT};
	open_cursor(&cursors[0], manager, large);
	assert_int_equal(status_of(&cursors[0]).placement, SMMAP_PLACEMENT_DETACHED);
	open_cursor(&cursors[1], manager, small);
	assert_int_equal(status_of(&cursors[1]).placement, SMMAP_PLACEMENT_STABLE);
	open_cursor(&cursors[2], manager, other);
	assert_int_equal(status_of(&cursors[2]).placement, SMMAP_PLACEMENT_STABLE);
	open_cursor(&cursors[3], manager, third);
	assert_int_equal(status_of(&cursors[3]).placement, SMMAP_PLACEMENT_DETACHED);
	for (int i = 0; i < 4; i++)
		smmap_cursor_close(&cursors[i]);
	free_manager(manager);
}

/* ---- fallbacks that fail ---- */

/* The shared mapping is not to be had; the private one fails for want of memory once, and is tried again. */
static void private_mapping_for_want_of_a_shared_one(void)
{
	const char *path = files_make("a", 100000, 1);
	for (int p = 0; p < PLACEMENTS; p++) {
		for (int nth = 1; nth <= 3; nth++) {
			smmap_manager *manager = new_manager(placements[p], 65536, MIB);
			smmap_cursor cursor = SMMAP_CURSOR_INIT;
			smmap_faults_arm(SMMAP_FAULT_MMAP, 1, nth == 1 ? ENODEV : nth == 2 ? EACCES : ENOMEM, 1);
			int code = smmap_cursor_open(&cursor, manager, path, 0);
			smmap_faults_disarm();
			assert_int_equal(code, 0);
			smmap_stats stats = stats_of(manager);
			assert_int_equal(stats.fallback_private, nth <= 2);
			use_and_check(&cursor, 1000, 500, 500, 1);
			smmap_cursor_close(&cursor);
			free_manager(manager);
		}
	}
}

static int mmaps;
static int map_as_told(int descriptor, uint64_t offset, size_t length, size_t congruence, int how,
                       void **address)
{
	static const int codes[] = {SMMAP_ENODEV, SMMAP_ENFILE};
	return mmaps < 2 ? codes[mmaps++]
	                 : system_calls.map(descriptor, offset, length, congruence, how, address);
}

static void private_mapping_that_fails_otherwise(void)
{
	const char *path = files_make("a", 100000, 1);
	smmap_manager *manager = new_manager(SMMAP_PLACEMENT_AUTO, 65536, MIB);
	smmap_cursor cursor = SMMAP_CURSOR_INIT;
	system_calls = smmap__os;
	smmap__os.map = map_as_told;
	assert_int_equal(smmap_cursor_open(&cursor, manager, path, 0), SMMAP_ENFILE);
	assert_int_equal(mmaps, 2);
	assert_int_equal(smmap_cursor_open(&cursor, manager, path, 0), 0);
	assert_int_equal(status_of(&cursor).backing, SMMAP_BACKING_SHARED);
	smmap_cursor_close(&cursor);
	free_manager(manager);
}

/* A file that is read into memory, and is shorter by then than it was when it was opened. */
static void read_into_memory_and_cut(void)
{
	const char *path = files_make("a", 200000, 1);
	smmap_manager *manager = new_manager(SMMAP_PLACEMENT_AUTO, 65536, MIB);
	smmap_cursor cursor = SMMAP_CURSOR_INIT;
	smmap_view view = SMMAP_VIEW_INIT;
	unsigned char byte;
	smmap_faults_arm(SMMAP_FAULT_MMAP, 1, ENODEV, SMMAP_FAULT_FOR_EVER);
	open_cursor(&cursor, manager, path);
	smmap_faults_disarm();
	assert_int_equal(status_of(&cursor).backing, SMMAP_BACKING_MEMORY);
	use_and_check(&cursor, 65536, 100, 100, 1);
	assert_int_equal(smmap_cursor_map_at(&view, &cursor, 0, 100, &byte - (uintptr_t)&byte % 4096),
	                 SMMAP_ENOTSUP);
	assert_int_equal(truncate(path, 140000), 0);
	assert_int_equal(smmap_cursor_use_region(&cursor, 131072, 100), SMMAP_ETRUNCATED);
	assert_int_equal(smmap_read(&cursor, 190000, &byte, 1), SMMAP_ETRUNCATED);
	use_and_check(&cursor, 65536, 100, 100, 1);
	smmap_cursor_close(&cursor);
	free_manager(manager);
}

/* Contents without a size, of more than one page: the block that they are read into grows, or cannot. */
static void snapshots_grow(void)
{
	INJECT_EACH(INJECT_ALLOCATE, SMMAP_ENOMEM, true)
	{
		smmap_manager *manager = NULL;
		smmap_cursor cursor = SMMAP_CURSOR_INIT;
		smmap_options options = SMMAP_OPTIONS_INIT;
		int code = smmap_manager_new(&manager, &options);
		if (code == 0)
			code = smmap_cursor_open(&cursor, manager, "/proc/self/smaps", 0);
		inject_disarm();
		assert_int_equal(code, inject_fired() ? SMMAP_ENOMEM : 0);
		if (code == 0)
			assert_true(smmap_cursor_file_size(&cursor) > 4096);
		smmap_cursor_close(&cursor);
		smmap_manager_free(manager);
	}
}

/* A mapping that the system keeps, with no memory for the register: it goes later, unguarded meanwhile. */
static void unguarded_until_it_goes(void)
{
	const char *path = files_make("a", 100000, 1);
	smmap_manager *manager = new_manager(SMMAP_PLACEMENT_DETACHED, 4096, MIB);
	smmap_cursor cursor = SMMAP_CURSOR_INIT;
	open_cursor(&cursor, manager, path);
	use_and_check(&cursor, 8192, 100, 100, 1);
	smmap_cursor_unuse_region(&cursor);
	smmap_faults_arm(SMMAP_FAULT_MUNMAP | SMMAP_FAULT_MALLOC, 1, ENOMEM, SMMAP_FAULT_FOR_EVER);
	assert_int_equal(smmap_manager_collect(manager), 0);
	assert_true(smmap_faults_fired() > 1);
	smmap_faults_disarm();
	assert_int_equal(smmap_manager_mapped_memory_size(manager), 4096);
	use_and_check(&cursor, 8192, 100, 100, 1);
	smmap_cursor_unuse_region(&cursor);
	assert_int_equal(smmap_manager_collect(manager), 1);
	smmap_cursor_close(&cursor);
	free_manager(manager);
}

TEST_PROGRAM(TEST(placement_follows_the_system, .unit = 4096, .stable = true),
             TEST(files_as_large_as_can_be, .unit = 4096, .stable = true),
             TEST(growing_beyond_address_space, .unit = 4096, .stable = true),
             TEST(block_devices_have_one_size, .unit = 4096, .stable = true),
             TEST(unmappable_types, .unit = 4096, .stable = true),
             TEST(address_space_is_shared_out, .unit = 4096, .stable = true),
             TEST(private_mapping_for_want_of_a_shared_one, .unit = 4096, .stable = true),
             TEST(private_mapping_that_fails_otherwise, .unit = 4096, .stable = true),
             TEST(read_into_memory_and_cut, .unit = 4096, .stable = true),
             TEST(snapshots_grow, .unit = 4096, .stable = true),
             TEST(unguarded_until_it_goes, .unit = 4096, .stable = true))
