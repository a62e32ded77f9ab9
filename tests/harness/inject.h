/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The seam of smmap_faults.h as most tests want it: by the library's codes, and each call in its turn. The kinds are
 * named for what the library does; some do more than one call of the system's.
 */
#ifndef SMMAP_TESTS_INJECT_H
#define SMMAP_TESTS_INJECT_H

#include <smmap_faults.h>

#include <stdbool.h>
#include <stdint.h>

enum inject_kind {
	INJECT_ALLOCATE = SMMAP_FAULT_MALLOC,
	INJECT_OPEN = SMMAP_FAULT_OPEN,
	INJECT_DUPLICATE = SMMAP_FAULT_FCNTL,
	INJECT_IDENTIFY = SMMAP_FAULT_FSTAT,
	INJECT_IDENTIFY_PATH = SMMAP_FAULT_STAT,
	INJECT_READ = SMMAP_FAULT_PREAD,
	INJECT_MAP = SMMAP_FAULT_MMAP,
	INJECT_UNMAP = SMMAP_FAULT_MUNMAP,
	INJECT_EXTEND = SMMAP_FAULT_MREMAP,
	INJECT_ADVISE = SMMAP_FAULT_MADVISE, /* giving pages back, too */
	INJECT_RESIDENCY = SMMAP_FAULT_MINCORE,
	INJECT_ANY = SMMAP_FAULT_ANY
};

/* From now on the `nth` call (1, 2, ...) of `kinds` fails with `code`; `sticky`: all later ones too. */
void inject_arm(unsigned kinds, uint64_t nth, int code, bool sticky);
/* From now on calls of `kinds` are counted, and none fails. */
void inject_watch(unsigned kinds);
/* No call fails any more; inject_fired stays as it is. */
void inject_disarm(void);
/* Calls of the armed kinds since arming / whether one was made to fail. */
uint64_t inject_count(void);
bool inject_fired(void);

/*
 * Runs the block that follows with the 1st, 2nd, 3rd ... call of `kinds` failing, until nothing was left to fail;
 * so the last round is the one that must succeed. The block leaves everything as it found it:
 *
 *     INJECT_EACH(INJECT_ANY, SMMAP_ENOMEM, false)
 *     {
 *         int result = smmap_cursor_open(&cursor, manager, path, 0);
 *         inject_disarm();
 *         if (result < 0)
 *             assert_true(inject_fired());
 *         ...
 *         smmap_cursor_close(&cursor);
 *     }
 */
#define INJECT_EACH(kinds, code, sticky)                                                                     \
	for (inject_each_begin((kinds), (code), (sticky)); inject_each_next();)

void inject_each_begin(unsigned kinds, int code, bool sticky);
bool inject_each_next(void);

#endif
