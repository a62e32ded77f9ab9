/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Makes calls of the os table fail: the n-th call of some kinds, once or from then on. Any thread may make the
 * calls; arming is for one thread while no other makes any.
 */
#ifndef SMMAP_TESTS_INJECT_H
#define SMMAP_TESTS_INJECT_H

#include <stdbool.h>
#include <stdint.h>

enum inject_kind {
	INJECT_ALLOCATE = 1 << 0,
	INJECT_OPEN = 1 << 1,
	INJECT_DUPLICATE = 1 << 2,
	INJECT_IDENTIFY = 1 << 3,
	INJECT_IDENTIFY_PATH = 1 << 4,
	INJECT_READ = 1 << 5,
	INJECT_MAP = 1 << 6,
	INJECT_UNMAP = 1 << 7,
	INJECT_EXTEND = 1 << 8,
	INJECT_ZAP = 1 << 9,
	INJECT_ADVISE = 1 << 10,
	INJECT_RESIDENCY = 1 << 11,
	INJECT_ANY = (1 << 12) - 1
};

/* From now on the `nth` call (1, 2, ...) of `kinds` fails with `code`; `sticky`: all later ones too. */
void inject_arm(unsigned kinds, uint64_t nth, int code, bool sticky);
/* From now on calls of `kinds` are counted, and none fails. */
void inject_watch(unsigned kinds);
/* No call fails any more, none is counted; inject_count and inject_fired stay as they are. */
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

/* For the runner: puts itself into the os table. */
void inject_install(void);

#endif
