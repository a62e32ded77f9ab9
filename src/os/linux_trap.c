/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The trap on Linux: SIGBUS.
 *
 * A process has one handler for the signal, and others install theirs over ours, with or without remembering ours. So
 * ours has several entry points, one per level. Level 0 is installed first and hands foreign signals on to what was
 * there before. When a foreign handler is found in our place, the next level goes on top of it and hands on to it.
 *
 *      the system calls
 *            |
 *            v
 *       level 1 ---> F ---> level 0 ---> D        D was there, ours came, F came and remembered ours (level 0),
 *                                                 ours was put on top again
 *
 *       level 1 ---> F      level 0 ---> D        the same, where F remembered nothing: it decides alone
 *
 *       level 1 ---> F                            the first, and then F was installed once more: what it remembers now
 *          ^         |                            is level 1, and nobody remembers level 0
 *          +---------+      level 0 ---> D
 *
 * By its level a handler that chains finds its own predecessor, and one that takes itself off, as Python's faulthandler
 * does, uncovers what it had covered. The ring is cut by a mark on each signal that is handed on: a level that is
 * entered a second time for the same signal hands on to what stood before level 0, and after that the default action
 * is due. docs/signals.md tells what comes of every order.
 *
 * The mark hangs on the context's uc_link, which the system sets to NULL for each signal that it delivers, and which
 * nobody reads: so it cannot outlive its signal, even where a handler leaves by siglongjmp, and needs no book of threads.
 *
 * Everything reachable from `enter` is async-signal-safe; scripts/check-handler.sh proves it of the built library.
 */
#include "os/os.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "os/system.h"

/* More different handlers than that, put over ours one after another, take the place of the last. */
enum { LEVELS = 16 };

static _Atomic int levels_used; /* written under `lock` */
static _Atomic(smmap__trap_handle *) handle_now;
static _Atomic uint64_t passed;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* ---- spare mappings ---- */

/* A range that is patched needs one or two; the rest is for others before the next miss. */
enum { SPARES = 16 };

static _Atomic(void *) spares[SPARES];

bool smmap__os_give_spare(void)
{
	for (int i = 0; i < SPARES; i++) {
		void *spare = atomic_exchange_explicit(&spares[i], NULL, memory_order_acq_rel);
		if (spare != NULL) {
			munmap(spare, smmap__os_facts_now.page_size);
			return true;
		}
	}
	return false;
}

unsigned smmap__os_count_spares(void)
{
	unsigned count = 0;
	for (int i = 0; i < SPARES; i++)
		count += atomic_load_explicit(&spares[i], memory_order_relaxed) != NULL;
	return count;
}

void smmap__os_hold_spares(bool hold)
{
	if (!hold) {
		while (smmap__os_give_spare()) {
		}
		return;
	}
	for (int i = 0; i < SPARES; i++) {
		if (atomic_load_explicit(&spares[i], memory_order_acquire) != NULL)
			continue;
		/* Different protections, so that neighbours are not merged into one mapping. */
		void *page = mmap(NULL, smmap__os_facts_now.page_size, i % 2 == 0 ? PROT_NONE : PROT_READ,
		                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
		if (page == MAP_FAILED)
			return;
		void *none = NULL;
		if (!atomic_compare_exchange_strong_explicit(&spares[i], &none, page, memory_order_acq_rel,
		                                             memory_order_acquire))
			munmap(page, smmap__os_facts_now.page_size);
	}
}

/* Nothing is ever reserved for what cannot be written to: the flag only keeps the two kinds apart. */
bool smmap__os_patch(void *address, size_t length, bool rest)
{
	int apart = rest ? MAP_NORESERVE : 0;
	return mmap(address, length, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | apart, -1, 0) !=
	       MAP_FAILED;
}

/* ---- what each level was put over ---- */

/* What sigaction(2) tells of a handler, and nothing that it does not use: a handler's stack may be small. */
enum { MASK_WORDS = (int)((NSIG - 1 + 8 * sizeof(unsigned long) - 1) / (8 * sizeof(unsigned long))) };

typedef struct action {
	uintptr_t function;
	int flags;
	unsigned long mask[MASK_WORDS];
} action;

/*
 * A handler may run while the lock's owner writes, perhaps in the owner's own thread. So there are two copies, the one
 * that counts is never written, and `version` tells which it is.
 */
typedef struct shown_action {
	_Atomic uintptr_t function;
	_Atomic int flags;
	_Atomic unsigned long mask[MASK_WORDS];
	_Atomic bool spent; /* it was to be called once only, and was */
} shown_action;

static struct {
	_Atomic uint32_t version;
	shown_action copies[2];
} before_level[LEVELS];

static action action_of(const struct sigaction *from)
{
	action to = {(uintptr_t)from->sa_handler, from->sa_flags, {0}};
	if ((from->sa_flags & SA_SIGINFO) != 0)
		to.function = (uintptr_t)from->sa_sigaction;
	memcpy(to.mask, &from->sa_mask, sizeof to.mask);
	return to;
}

static bool is_function(const action *a)
{
	return a->function != (uintptr_t)SIG_DFL && a->function != (uintptr_t)SIG_IGN;
}

static bool same_function(const action *a, const action *b)
{
	return a->function == b->function && (!is_function(a) || ((a->flags ^ b->flags) & SA_SIGINFO) == 0);
}

static void write_before_locked(int level, const action *a)
{
	uint32_t version = atomic_load_explicit(&before_level[level].version, memory_order_relaxed);
	shown_action *to = &before_level[level].copies[(version + 1) % 2];
	/* Release: who sees one of these sees that the version before this one is over. */
	atomic_store_explicit(&to->function, a->function, memory_order_release);
	atomic_store_explicit(&to->flags, a->flags, memory_order_release);
	for (int i = 0; i < MASK_WORDS; i++)
		atomic_store_explicit(&to->mask[i], a->mask[i], memory_order_release);
	atomic_store_explicit(&to->spent, false, memory_order_release);
	atomic_store_explicit(&before_level[level].version, version + 1, memory_order_release);
}

/* Repeats only when another thread has written twice meanwhile. `from` may be NULL. */
static void read_before(int level, action *a, shown_action **from)
{
	uint32_t version;
	do {
		version = atomic_load_explicit(&before_level[level].version, memory_order_acquire);
		shown_action *copy = &before_level[level].copies[version % 2];
		a->function = atomic_load_explicit(&copy->function, memory_order_acquire);
		a->flags = atomic_load_explicit(&copy->flags, memory_order_acquire);
		for (int i = 0; i < MASK_WORDS; i++)
			a->mask[i] = atomic_load_explicit(&copy->mask[i], memory_order_acquire);
		if (from != NULL)
			*from = copy;
	} while (atomic_load_explicit(&before_level[level].version, memory_order_relaxed) != version);
}

/* ---- marks ---- */

/* On the stack of who hands the signal on. Another copy of the library in the process may have hung up its own. */
typedef struct mark {
	_Atomic uintptr_t magic; /* MAGIC ^ its address, until the signal is done with */
	const void *owner;       /* &before_level of the copy that it belongs to */
	void *outer;             /* what hung there before */
	uint32_t entered;        /* a bit for each level whose predecessor got the signal */
} mark;

#define MAGIC ((uintptr_t)UINT64_C(0x6b72616d70616d73))

/* The mark of this signal, or NULL when nobody hands it on yet. */
static mark *find_mark(const ucontext_t *context)
{
	mark *m = context != NULL ? (void *)context->uc_link : NULL;
	while (m != NULL && (uintptr_t)m % _Alignof(mark) == 0 &&
	       atomic_load_explicit(&m->magic, memory_order_relaxed) == (MAGIC ^ (uintptr_t)m)) {
		if (m->owner == before_level)
			return m;
		m = m->outer;
	}
	return NULL;
}

/* ---- handing a signal on ---- */

/* The system calls a handler again for its own fault, whatever the process wants; for what was sent, or came late, not. */
static bool is_forced(const siginfo_t *info)
{
	return info != NULL && info->si_code > 0 && info->si_code != BUS_MCEERR_AO;
}

/* Sent again with all it said, so that who looks at the remains sees the fault, and not us. */
static void act_as_default(int signal, siginfo_t *info)
{
	struct sigaction to_default = {.sa_handler = SIG_DFL};
	sigemptyset(&to_default.sa_mask);
	sigaction(signal, &to_default, NULL);
	if (info == NULL || syscall(SYS_rt_tgsigqueueinfo, getpid(), gettid(), signal, info) != 0)
		raise(signal);
}

static void call(const action *to, int signal, siginfo_t *info, void *context)
{
	if ((to->flags & SA_SIGINFO) != 0)
		((void (*)(int, siginfo_t *, void *))to->function)(signal, info, context);
	else
		((void (*)(int))to->function)(signal);
}

/* Apart, since the sets are large and a stack may be small. */
__attribute__((noinline)) static void call_with_mask(const action *to, int signal, siginfo_t *info,
                                                     void *context)
{
	sigset_t mask;
	sigset_t old;
	sigemptyset(&mask);
	memcpy(&mask, to->mask, sizeof to->mask);
	pthread_sigmask(SIG_BLOCK, &mask, &old);
	/* Ours is entered with the signal blocked; it may have been installed to be entered without. */
	if ((to->flags & SA_NODEFER) != 0 && context != NULL &&
	    !sigismember(&((const ucontext_t *)context)->uc_sigmask, signal)) {
		sigemptyset(&mask);
		sigaddset(&mask, signal);
		pthread_sigmask(SIG_UNBLOCK, &mask, NULL);
	}
	call(to, signal, info, context);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
}

static bool has_mask(const action *a)
{
	unsigned long any = 0;
	for (int i = 0; i < MASK_WORDS; i++)
		any |= a->mask[i];
	return any != 0 || (a->flags & SA_NODEFER) != 0;
}

/* To what the level was put over, unless that has had this signal already. */
static void hand_on_marked(mark *m, int level, int signal, siginfo_t *info, void *context)
{
	action to;
	shown_action *from;
	if ((m->entered & 1u << level) != 0)
		level = 0;
	if ((m->entered & 1u << level) != 0) {
		act_as_default(signal, info);
		return;
	}
	m->entered |= 1u << level;
	read_before(level, &to, &from);
	bool once = (to.flags & (int)SA_RESETHAND) != 0;
	bool spent =
		once && is_function(&to) && atomic_exchange_explicit(&from->spent, true, memory_order_relaxed);
	if (to.function == (uintptr_t)SIG_IGN && !is_forced(info))
		return;
	if (!is_function(&to) || spent)
		act_as_default(signal, info);
	else if (has_mask(&to))
		call_with_mask(&to, signal, info, context);
	else
		call(&to, signal, info, context);
}

/* Levels whose predecessor is on top now: the system has called it, before it called us. */
__attribute__((noinline)) static uint32_t entered_from_above(void)
{
	struct sigaction top;
	uint32_t entered = 0;
	if (sigaction(SIGBUS, NULL, &top) != 0)
		return 0;
	action now = action_of(&top);
	int used = atomic_load_explicit(&levels_used, memory_order_acquire);
	for (int i = 0; i < used && is_function(&now); i++) {
		action below;
		read_before(i, &below, NULL);
		if (same_function(&below, &now))
			entered |= 1u << i;
	}
	return entered;
}

static void hand_on(int level, int signal, siginfo_t *info, ucontext_t *context)
{
	mark *m = find_mark(context);
	if (m != NULL) {
		hand_on_marked(m, level, signal, info, context);
		return;
	}
	mark own = {.owner = before_level, .entered = entered_from_above()};
	atomic_init(&own.magic, MAGIC ^ (uintptr_t)&own);
	atomic_fetch_add_explicit(&passed, 1, memory_order_relaxed);
	if (context != NULL) {
		own.outer = context->uc_link;
		context->uc_link = (void *)&own; /* cppcheck-suppress autoVariables ; taken back below */
	}
	hand_on_marked(&own, level, signal, info, context);
	if (context != NULL)
		context->uc_link = own.outer;
	/* For who keeps a copy of the context: what it points to is no mark any more. */
	atomic_store_explicit(&own.magic, 0, memory_order_relaxed);
}

/*
 * BUS_ADRERR: a page that a file does not have, or that could not be read. BUS_MCEERR_AR: one whose memory failed when it was
 * read, which for the reader is the same. All else is not about a page that a thread is reading just now.
 */
static bool is_unreadable_page(const siginfo_t *info)
{
	return info != NULL && (info->si_code == BUS_ADRERR || info->si_code == BUS_MCEERR_AR);
}

static void enter(int level, int signal, siginfo_t *info, void *context)
{
	int saved = errno;
	smmap__trap_handle *handle = atomic_load_explicit(&handle_now, memory_order_acquire);
	if (handle == NULL || !is_unreadable_page(info) || !handle(info->si_addr))
		hand_on(level, signal, info, context);
	errno = saved;
}

#define LEVEL(n)                                                                                             \
	static void enter_##n(int signal, siginfo_t *info, void *context)                                        \
	{                                                                                                        \
		enter(n, signal, info, context);                                                                     \
	}
LEVEL(0)
LEVEL(1)
LEVEL(2)
LEVEL(3)
LEVEL(4)
LEVEL(5)
LEVEL(6)
LEVEL(7)
LEVEL(8)
LEVEL(9)
LEVEL(10)
LEVEL(11)
LEVEL(12)
LEVEL(13)
LEVEL(14)
LEVEL(15)

static void (*const entries[LEVELS])(int, siginfo_t *, void *) = {
	enter_0, enter_1, enter_2,  enter_3,  enter_4,  enter_5,  enter_6,  enter_7,
	enter_8, enter_9, enter_10, enter_11, enter_12, enter_13, enter_14, enter_15,
};

/* ---- installing ---- */

/* The level that `a` enters, or -1 when it is not ours. */
static int level_of(const action *a)
{
	for (int i = 0; i < LEVELS; i++)
		if (a->function == (uintptr_t)entries[i])
			return i;
	return -1;
}

/* false, too, for ours when somebody put it back by signal(2), which loses how it is to be called. */
static bool is_ours(const action *a)
{
	int needed = SA_SIGINFO | SA_ONSTACK;
	return (a->flags & needed) == needed && level_of(a) >= 0;
}

static bool find_top(action *top)
{
	struct sigaction now;
	if (sigaction(SIGBUS, NULL, &now) != 0)
		return false;
	*top = action_of(&now);
	return true;
}

/* A level for putting ours over `foreign`: the one that was over it before, or the next one, or the last. */
static int level_over(const action *foreign)
{
	int used = atomic_load_explicit(&levels_used, memory_order_relaxed);
	for (int i = 0; i < used; i++) {
		action below;
		read_before(i, &below, NULL);
		if (same_function(&below, foreign))
			return i;
	}
	return used < LEVELS ? used : LEVELS - 1;
}

/* Calls of the system go on after the signal if they did before ours came, or if nobody was to be called at all. */
static int install_level(int level, const action *over)
{
	int restart = is_function(over) ? over->flags & SA_RESTART : SA_RESTART;
	struct sigaction ours = {.sa_flags = SA_SIGINFO | SA_ONSTACK | restart};
	sigemptyset(&ours.sa_mask);
	ours.sa_sigaction = entries[level];
	return sigaction(SIGBUS, &ours, NULL) == 0 ? 0 : -errno;
}

static int install_over_locked(const action *top)
{
	action foreign = *top;
	int level = level_of(top);
	if (level >= 0) {
		read_before(level, &foreign, NULL);
		return install_level(level, &foreign);
	}
	level = level_over(&foreign);
	write_before_locked(level, &foreign);
	int code = install_level(level, &foreign);
	if (code == 0 && level == atomic_load_explicit(&levels_used, memory_order_relaxed))
		atomic_store_explicit(&levels_used, level + 1, memory_order_release);
	return code;
}

/* What the level was put over goes on top again; a handler that was to be called once, and was, does not. */
static void uncover_locked(int level)
{
	action below;
	shown_action *from;
	read_before(level, &below, &from);
	struct sigaction to = {.sa_flags = below.flags};
	sigemptyset(&to.sa_mask);
	memcpy(&to.sa_mask, below.mask, sizeof below.mask);
	if (atomic_load_explicit(&from->spent, memory_order_relaxed))
		to.sa_handler = SIG_DFL;
	else if ((below.flags & SA_SIGINFO) != 0)
		to.sa_sigaction = (void (*)(int, siginfo_t *, void *))below.function;
	else
		to.sa_handler = (void (*)(int))below.function;
	sigaction(SIGBUS, &to, NULL);
}

void smmap__os_trap_lock(void)
{
	pthread_mutex_lock(&lock);
}

void smmap__os_trap_unlock(void)
{
	pthread_mutex_unlock(&lock);
}

int smmap__os_trap_install(smmap__trap_handle *handle)
{
	action top;
	pthread_mutex_lock(&lock);
	atomic_store_explicit(&handle_now, handle, memory_order_release);
	int code = !find_top(&top) ? -errno : is_ours(&top) ? 0 : install_over_locked(&top);
	if (code != 0)
		atomic_store_explicit(&handle_now, NULL, memory_order_release);
	pthread_mutex_unlock(&lock);
	return code;
}

void smmap__os_trap_remove(void)
{
	action top;
	pthread_mutex_lock(&lock);
	atomic_store_explicit(&handle_now, NULL, memory_order_release);
	/* Where a foreign handler is on top it may have remembered ours: our levels then stay and only hand on. */
	if (find_top(&top) && level_of(&top) >= 0)
		uncover_locked(level_of(&top));
	pthread_mutex_unlock(&lock);
}

bool smmap__os_trap_is_on_top(void)
{
	action top;
	return find_top(&top) && is_ours(&top);
}

bool smmap__os_trap_rearm(void)
{
	action top;
	if (smmap__os_trap_is_on_top())
		return false;
	pthread_mutex_lock(&lock);
	/* Looked at again: another thread may have done it, or the guard may have been disabled. */
	bool replaced = atomic_load_explicit(&handle_now, memory_order_relaxed) != NULL && find_top(&top) &&
	                !is_ours(&top) && install_over_locked(&top) == 0;
	pthread_mutex_unlock(&lock);
	return replaced;
}

uint64_t smmap__os_trap_passed(void)
{
	return atomic_load_explicit(&passed, memory_order_relaxed);
}
