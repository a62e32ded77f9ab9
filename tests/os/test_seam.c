/* SPDX-License-Identifier: BSD-3-Clause */
/* The seam by which the system is made to fail: smmap_faults.h, and what the os layer does about it. */
#include "harness/harness.h"

#include "os/os.h"

#include <errno.h>
#include <string.h>

static void each_kind_has_a_name(void)
{
	for (unsigned i = 0; i < SMMAP_FAULT_KINDS; i++) {
		assert_non_null(smmap_fault_name(1u << i));
		for (unsigned j = 0; j < i; j++)
			assert_string_not_equal(smmap_fault_name(1u << i), smmap_fault_name(1u << j));
	}
	assert_string_equal(smmap_fault_name(SMMAP_FAULT_MALLOC), "malloc");
	assert_string_equal(smmap_fault_name(SMMAP_FAULT_COND_INIT), "pthread_cond_init");
	assert_null(smmap_fault_name(0));
	assert_null(smmap_fault_name(SMMAP_FAULT_ANY));
	assert_null(smmap_fault_name(1u << SMMAP_FAULT_KINDS));
}

static bool allocates(void)
{
	void *block = smmap__os.allocate(1);
	smmap__os.deallocate(block);
	return block != NULL;
}

static void fails_from_the_nth_call_on_as_often_as_asked(void)
{
	for (uint64_t nth = 1; nth < 5; nth++)
		for (uint64_t times = 0; times < 4; times++) {
			smmap_faults_arm(SMMAP_FAULT_MALLOC, nth, ENOMEM, times);
			for (uint64_t call = 1; call < 9; call++)
				assert_int_equal(allocates(), call < nth || call >= nth + times);
			assert_int_equal(smmap_faults_fired(), times);
			smmap_faults_disarm();
			assert_true(allocates());
			assert_int_equal(smmap_faults_fired(), times);
		}
	smmap_faults_arm(SMMAP_FAULT_MALLOC, 3, ENOMEM, SMMAP_FAULT_FOR_EVER);
	for (uint64_t call = 1; call < 50; call++)
		assert_int_equal(allocates(), call < 3);
	smmap_faults_arm(SMMAP_FAULT_ANY & ~SMMAP_FAULT_MALLOC, 1, ENOMEM, SMMAP_FAULT_FOR_EVER);
	assert_true(allocates());
	assert_int_equal(smmap_faults_fired(), 0);
	smmap_faults_disarm();
}

static void counts_each_kind_by_itself(void)
{
	int descriptor;
	smmap__identity identity;
	smmap_faults_reset();
	assert_int_equal(smmap_faults_count(SMMAP_FAULT_ANY), 0);
	assert_int_equal(smmap__os.open("/dev/null", 0, &descriptor), 0);
	assert_int_equal(smmap__os.identify(descriptor, &identity), 0);
	smmap__os.close(descriptor);
	assert_int_equal(smmap_faults_count(SMMAP_FAULT_OPEN), 1);
	assert_int_equal(smmap_faults_count(SMMAP_FAULT_FSTAT), 1);
	assert_int_equal(smmap_faults_count(SMMAP_FAULT_STATX), 1);
	assert_int_equal(smmap_faults_count(SMMAP_FAULT_CLOSE), 1);
	assert_int_equal(smmap_faults_count(SMMAP_FAULT_MMAP), 0);
	assert_int_equal(smmap_faults_count(SMMAP_FAULT_OPEN | SMMAP_FAULT_CLOSE), 2);
	assert_int_equal(smmap_faults_count(SMMAP_FAULT_ANY), 4);
	/* Calls that fail are counted, too. */
	smmap_faults_arm(SMMAP_FAULT_OPEN, 1, EACCES, 1);
	assert_int_equal(smmap__os.open("/dev/null", 0, &descriptor), SMMAP_EACCES);
	assert_int_equal(smmap_faults_count(SMMAP_FAULT_OPEN), 2);
	smmap_faults_reset();
	assert_int_equal(smmap_faults_count(SMMAP_FAULT_ANY), 0);
}

static void what_is_interrupted_is_repeated(void)
{
	int descriptor;
	char text[4];
	smmap_faults_arm(SMMAP_FAULT_OPEN, 1, EINTR, 100);
	assert_int_equal(smmap__os.open(files_make("a", 100, 1), 0, &descriptor), 0);
	assert_int_equal(smmap_faults_fired(), 100);
	smmap_faults_arm(SMMAP_FAULT_PREAD, 1, EINTR, 100);
	assert_int_equal(smmap__os.read(descriptor, text, 4, 50), 4);
	assert_int_equal(smmap_faults_fired(), 100);
	files_assert(text, 50, 4, 1);
	/* It is closed all the same, and not closed twice. */
	smmap_faults_reset();
	smmap_faults_arm(SMMAP_FAULT_CLOSE, 1, EINTR, SMMAP_FAULT_FOR_EVER);
	smmap__os.close(descriptor);
	assert_int_equal(smmap_faults_count(SMMAP_FAULT_CLOSE), 1);
	smmap_faults_disarm();
	smmap__identity identity;
	assert_int_equal(smmap__os.identify(descriptor, &identity), SMMAP_EBADF);
}

/* Some systems and sandboxes have no statx: they say so. Anything else is an error, or a file might be taken for another. */
static void the_birth_of_a_file_may_be_unknown(void)
{
	static const int says_no[] = {ENOSYS, EPERM, EINVAL};
	static const int is_an_error[] = {ENOMEM, EACCES, EIO, ELOOP};
	const char *path = files_make("a", 100, 1);
	smmap__identity identity;
	for (size_t i = 0; i < sizeof says_no / sizeof *says_no; i++) {
		smmap_faults_arm(SMMAP_FAULT_STATX, 1, says_no[i], 1);
		assert_int_equal(smmap__os.identify_path(path, &identity), 0);
		assert_int_equal(identity.birth_ns, 0);
		assert_int_equal(identity.size, 100);
	}
	for (size_t i = 0; i < sizeof is_an_error / sizeof *is_an_error; i++) {
		smmap_faults_arm(SMMAP_FAULT_STATX, 1, is_an_error[i], 1);
		assert_int_equal(smmap__os.identify_path(path, &identity), -is_an_error[i]);
	}
	smmap_faults_disarm();
}

TEST_PROGRAM(TEST(each_kind_has_a_name), TEST(fails_from_the_nth_call_on_as_often_as_asked),
             TEST(counts_each_kind_by_itself), TEST(what_is_interrupted_is_repeated),
             TEST(the_birth_of_a_file_may_be_unknown))
