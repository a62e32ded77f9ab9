/* SPDX-License-Identifier: BSD-3-Clause */
#include "harness/harness.h"

static unsigned kinds_armed;
static uint64_t counted_before;

void inject_arm(unsigned kinds, uint64_t nth, int code, bool sticky)
{
	kinds_armed = kinds;
	counted_before = smmap_faults_count(kinds);
	smmap_faults_arm(kinds, nth, -code, sticky ? SMMAP_FAULT_FOR_EVER : 1);
}

void inject_watch(unsigned kinds)
{
	inject_arm(kinds, UINT64_MAX, 0, false);
}

void inject_disarm(void)
{
	smmap_faults_disarm();
}

uint64_t inject_count(void)
{
	return smmap_faults_count(kinds_armed) - counted_before;
}

bool inject_fired(void)
{
	return smmap_faults_fired() != 0;
}

/* ---- INJECT_EACH ---- */

enum { ROUNDS_MAX = 100000 };

static unsigned each_kinds;
static int each_code;
static bool each_sticky;
static uint64_t each_round;

void inject_each_begin(unsigned kinds, int code, bool sticky)
{
	each_kinds = kinds;
	each_code = code;
	each_sticky = sticky;
	each_round = 0;
}

bool inject_each_next(void)
{
	inject_disarm();
	if (each_round > 0 && !inject_fired())
		return false;
	if (++each_round > ROUNDS_MAX)
		fail_msg("still failing after %d rounds", ROUNDS_MAX);
	inject_arm(each_kinds, each_round, each_code, each_sticky);
	return true;
}
