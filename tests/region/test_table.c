/* SPDX-License-Identifier: BSD-3-Clause */
/* The sparse table of regions and the directory of its leaves. */
#include "harness/harness.h"

#include "os/os.h"
#include "region/table.h"

#include <pthread.h>
#include <string.h>

static void *give(size_t size, void *context)
{
	(void)context;
	return smmap__os.allocate(size);
}

static void take(void *block, void *context)
{
	(void)context;
	smmap__os.deallocate(block);
}

static smmap__memory memory = {.allocate = give, .deallocate = take};
static smmap__directory directory;
static smmap__table table;
static struct smmap__file *const no_file = (struct smmap__file *)(uintptr_t)64;

static smmap__table_kind kind_of(bool detached)
{
	return (smmap__table_kind){.file = no_file, .directory = &directory, .detached = detached};
}

static void begin(void)
{
	memset(&directory, 0, sizeof directory);
	assert_int_equal(smmap__directory_init(&directory, &memory), 0);
}

static void end(void)
{
	smmap__table_clear(&table, &directory);
	smmap__directory_destroy(&directory);
	assert_int_equal(atomic_load(&memory.bytes), 0);
}

static const uint64_t indices[] = {0,
                                   1,
                                   63,
                                   64,
                                   65,
                                   4095,
                                   4096,
                                   4097,
                                   (UINT64_C(1) << 18) - 1,
                                   UINT64_C(1) << 18,
                                   (UINT64_C(1) << 32) + 5,
                                   (UINT64_C(1) << 44) - 1,
                                   UINT64_C(1) << 51,
                                   (UINT64_C(1) << 51) + 1,
                                   UINT64_C(1) << 63,
                                   UINT64_MAX};
enum { INDICES = sizeof indices / sizeof *indices };

static bool see(smmap__region region, void *context)
{
	uint64_t *seen = context;
	uint64_t index = smmap__region_index(region);
	if (atomic_load(smmap__region_word(region)) == 0)
		return true;
	assert_true(*seen < INDICES);
	assert_int_equal(index, indices[*seen]);
	++*seen;
	return true;
}

static bool see_first(smmap__region region, void *context)
{
	(void)region;
	++*(uint64_t *)context;
	return false;
}

static void finds_what_was_made(void)
{
	for (int detached = 0; detached < 2; detached++) {
		smmap__table_kind kind = kind_of(detached);
		smmap__region region, again;
		begin();
		for (size_t i = 0; i < INDICES; i++)
			assert_false(smmap__table_find(&table, indices[i], &region));
		/* From the largest on, or from the smallest on. */
		for (size_t i = 0; i < INDICES; i++) {
			uint64_t index = indices[detached ? INDICES - 1 - i : i];
			assert_int_equal(smmap__table_get(&table, &kind, index, &region), 0);
			assert_int_equal(smmap__region_index(region), index);
			assert_int_equal(atomic_load(smmap__region_word(region)), 0);
			atomic_store(smmap__region_word(region), index | 1);
			*smmap__region_next(region) = (smmap__link)index;
			if (detached) {
				*smmap__region_address(region) = ~index;
				*smmap__region_guard(region) = (uint32_t)index + 9;
			}
		}
		for (size_t i = 0; i < INDICES; i++) {
			assert_true(smmap__table_find(&table, indices[i], &region));
			assert_int_equal(atomic_load(smmap__region_word(region)), indices[i] | 1);
			assert_int_equal(*smmap__region_next(region), (smmap__link)indices[i]);
			if (detached) {
				assert_int_equal(*smmap__region_address(region), ~indices[i]);
				assert_int_equal(*smmap__region_guard(region), (uint32_t)indices[i] + 9);
			}
			again = smmap__link_region(&directory, smmap__region_link(region));
			assert_ptr_equal(again.leaf, region.leaf);
			assert_int_equal(again.slot, region.slot);
		}
		uint64_t seen = 0;
		smmap__table_visit(&table, see, &seen);
		assert_int_equal(seen, INDICES);
		seen = 0;
		smmap__table_visit(&table, see_first, &seen);
		assert_int_equal(seen, 1);
		end();
	}
}

/* Numbers of leaves that are gone are given again. */
static void numbers_are_used_again(void)
{
	smmap__table_kind kind = kind_of(false);
	smmap__region region;
	begin();
	for (int round = 0; round < 20; round++) {
		for (uint64_t i = 0; i < 300; i++)
			assert_int_equal(smmap__table_get(&table, &kind, i * 64, &region), 0);
		assert_true(directory.used <= 300);
		smmap__table_clear(&table, &directory);
	}
	end();
}

static void without_memory(void)
{
	for (size_t i = 0; i < INDICES; i++) {
		smmap__table_kind kind = kind_of(true);
		smmap__region region;
		INJECT_EACH(INJECT_ALLOCATE, SMMAP_ENOMEM, false)
		{
			begin();
			int code = smmap__table_get(&table, &kind, indices[i], &region);
			inject_disarm();
			assert_int_equal(code, inject_fired() ? SMMAP_ENOMEM : 0);
			assert_int_equal(smmap__table_get(&table, &kind, indices[i], &region), 0);
			assert_int_equal(smmap__region_index(region), indices[i]);
			end();
		}
	}
}

static void *grow_all(void *unused)
{
	smmap__table_kind kind = kind_of(false);
	(void)unused;
	for (uint64_t i = 0; i < 4096; i++) {
		smmap__region region;
		if (smmap__table_get(&table, &kind, i * i * i * 64 + i, &region) != 0 ||
		    smmap__region_index(region) != i * i * i * 64 + i)
			return "wrong";
		atomic_fetch_add(smmap__region_word(region), 1);
	}
	return NULL;
}

static void threads_grow_one_table(void)
{
	for (size_t round = test_rounds(20); round != 0; round--) {
		pthread_t threads[4];
		begin();
		for (int i = 0; i < 4; i++)
			assert_int_equal(pthread_create(&threads[i], NULL, grow_all, NULL), 0);
		for (int i = 0; i < 4; i++) {
			void *result;
			assert_int_equal(pthread_join(threads[i], &result), 0);
			assert_null(result);
		}
		for (uint64_t i = 0; i < 4096; i++) {
			smmap__region region = {NULL, 0};
			assert_true(smmap__table_find(&table, i * i * i * 64 + i, &region));
			assert_int_equal(atomic_load(smmap__region_word(region)), 4);
		}
		end();
	}
}

/* ---- another thread was quicker ---- */

static uint64_t wanted;
static unsigned before_it; /* allocations until the other one comes */

/* Makes the same region at the moment of an allocation, as another thread would. */
static void *give_too_late(size_t size, void *context)
{
	/* The directory grows under its lock: nobody can come in between. */
	bool is_locked = pthread_mutex_trylock(&directory.lock) != 0;
	if (!is_locked)
		pthread_mutex_unlock(&directory.lock);
	if (!is_locked && before_it != 0 && --before_it == 0) {
		smmap__table_kind kind = kind_of(false);
		smmap__region region;
		assert_int_equal(smmap__table_get(&table, &kind, wanted, &region), 0);
		atomic_fetch_add(smmap__region_word(region), 1);
	}
	return give(size, context);
}

static void another_thread_was_quicker(void)
{
	for (size_t i = 0; i < INDICES; i++) {
		bool more = true;
		for (unsigned nth = 1; more; nth++) {
			smmap__table_kind kind = kind_of(false);
			smmap__region region = {0}, again = {0};
			begin();
			wanted = indices[i];
			before_it = nth;
			memory.allocate = give_too_late;
			assert_int_equal(smmap__table_get(&table, &kind, wanted, &region), 0);
			memory.allocate = give;
			more = before_it == 0;
			before_it = 0;
			assert_int_equal(smmap__region_index(region), wanted);
			assert_int_equal(atomic_load(smmap__region_word(region)), more);
			assert_true(smmap__table_find(&table, wanted, &again));
			assert_ptr_equal(again.leaf, region.leaf);
			end();
		}
	}
}

/* Links have 32 bits: there are only so many leaves. */
static void numbers_run_out(void)
{
	smmap__table_kind kind = kind_of(false);
	smmap__region region;
	begin();
	directory.used = SMMAP__DIRECTORY_FIRST * ((1u << SMMAP__DIRECTORY_SEGMENTS) - 1);
	assert_int_equal(smmap__table_get(&table, &kind, 0, &region), SMMAP_ENOMEM);
	assert_int_equal(smmap__table_get(&table, &kind, 100, &region), SMMAP_ENOMEM);
	directory.used = 0;
	assert_int_equal(smmap__table_get(&table, &kind, 100, &region), 0);
	end();
}

TEST_PROGRAM(TEST(finds_what_was_made), TEST(numbers_are_used_again), TEST(without_memory),
             TEST(threads_grow_one_table), TEST(another_thread_was_quicker), TEST(numbers_run_out))
