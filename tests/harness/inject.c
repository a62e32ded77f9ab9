/* SPDX-License-Identifier: BSD-3-Clause */
#include "harness/harness.h"

#include "os/os.h"

#include <stdatomic.h>

static smmap__os_calls next; /* the table as it was before */

static _Atomic unsigned armed_kinds;
static _Atomic uint64_t calls;
static _Atomic bool fired;
/* Written before `armed_kinds` and read after it. */
static uint64_t armed_nth;
static int armed_code;
static bool armed_sticky;

void inject_arm(unsigned kinds, uint64_t nth, int code, bool sticky)
{
	inject_disarm();
	atomic_store(&calls, 0);
	atomic_store(&fired, false);
	armed_nth = nth;
	armed_code = code;
	armed_sticky = sticky;
	atomic_store_explicit(&armed_kinds, kinds, memory_order_release);
}

void inject_watch(unsigned kinds)
{
	inject_arm(kinds, UINT64_MAX, 0, false);
}

void inject_disarm(void)
{
	atomic_store(&armed_kinds, 0);
}

uint64_t inject_count(void)
{
	return atomic_load(&calls);
}

bool inject_fired(void)
{
	return atomic_load(&fired);
}

/* The code that this call of `kind` has to fail with, or 0. */
static int failure(unsigned kind)
{
	if ((atomic_load_explicit(&armed_kinds, memory_order_acquire) & kind) == 0)
		return 0;
	uint64_t call = atomic_fetch_add_explicit(&calls, 1, memory_order_relaxed) + 1;
	if (call < armed_nth || (call > armed_nth && !armed_sticky))
		return 0;
	atomic_store_explicit(&fired, true, memory_order_relaxed);
	return armed_code;
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

/* ---- the table ---- */

static void *allocate(size_t size)
{
	return failure(INJECT_ALLOCATE) != 0 ? NULL : next.allocate(size);
}

static int open_path(const char *path, int flags, int *descriptor)
{
	int code = failure(INJECT_OPEN);
	return code != 0 ? code : next.open(path, flags, descriptor);
}

static int duplicate(int descriptor, int *copy)
{
	int code = failure(INJECT_DUPLICATE);
	return code != 0 ? code : next.duplicate(descriptor, copy);
}

static int identify(int descriptor, smmap__identity *identity)
{
	int code = failure(INJECT_IDENTIFY);
	return code != 0 ? code : next.identify(descriptor, identity);
}

static int identify_path(const char *path, smmap__identity *identity)
{
	int code = failure(INJECT_IDENTIFY_PATH);
	return code != 0 ? code : next.identify_path(path, identity);
}

static int64_t read_at(int descriptor, void *to, size_t size, uint64_t offset)
{
	int code = failure(INJECT_READ);
	return code != 0 ? code : next.read(descriptor, to, size, offset);
}

static int map(int descriptor, uint64_t offset, size_t length, size_t congruence, int how, void **address)
{
	int code = failure(INJECT_MAP);
	return code != 0 ? code : next.map(descriptor, offset, length, congruence, how, address);
}

static int unmap(void *address, size_t length)
{
	int code = failure(INJECT_UNMAP);
	return code != 0 ? code : next.unmap(address, length);
}

static int extend(void *address, size_t length, size_t new_length)
{
	int code = failure(INJECT_EXTEND);
	return code != 0 ? code : next.extend(address, length, new_length);
}

static int zap(void *address, size_t length)
{
	int code = failure(INJECT_ZAP);
	return code != 0 ? code : next.zap(address, length);
}

static int advise(void *address, size_t length, int advice)
{
	int code = failure(INJECT_ADVISE);
	return code != 0 ? code : next.advise(address, length, advice);
}

static int residency(void *address, size_t length, unsigned char *pages)
{
	int code = failure(INJECT_RESIDENCY);
	return code != 0 ? code : next.residency(address, length, pages);
}

void inject_install(void)
{
	next = smmap__os;
	smmap__os.allocate = allocate;
	smmap__os.open = open_path;
	smmap__os.duplicate = duplicate;
	smmap__os.identify = identify;
	smmap__os.identify_path = identify_path;
	smmap__os.read = read_at;
	smmap__os.map = map;
	smmap__os.unmap = unmap;
	smmap__os.extend = extend;
	smmap__os.zap = zap;
	smmap__os.advise = advise;
	smmap__os.residency = residency;
}
