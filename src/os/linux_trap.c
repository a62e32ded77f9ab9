/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The trap on Linux: SIGBUS.
 *
 * A process has one handler for the signal, and others install theirs over ours, with or without remembering ours.
 * So ours has several entry points, one per level. Level 0 is installed first and hands foreign signals on to what was
 * there before. When a foreign handler is found in our place, the next level goes on top of it and hands on to it.
 * If that handler remembers ours it calls the level below, which knows its own predecessor: no loop can arise, and a
 * handler that takes itself off (as Python's faulthandler does) uncovers the level it had covered.
 *
 * Everything reachable from `enter` is async-signal-safe.
 */
#include "os/os.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include "os/system.h"

enum { LEVELS = 8 };

static struct sigaction
	before_level[LEVELS]; /* what each level was put over; written before it is installed */
static int levels_used;   /* under `lock` */
static _Atomic(smmap__trap_handle *) handle_now;
static _Atomic uint64_t passed;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* ---- spare mappings ---- */

/* A range that is patched to its end needs one or two; the rest is for others before the next miss. */
enum { SPARES = 16 };

static _Atomic(void *) spares[SPARES];

static void give_spares_up(void)
{
	for (int i = 0; i < SPARES; i++) {
		void *spare = atomic_exchange_explicit(&spares[i], NULL, memory_order_acq_rel);
		if (spare != NULL)
			munmap(spare, smmap__os_facts_now.page_size);
	}
}

void smmap__os_hold_spares(bool hold)
{
	if (!hold) {
		give_spares_up();
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

bool smmap__os_patch(void *address, size_t length)
{
	return mmap(address, length, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0) !=
	       MAP_FAILED;
}

/* ---- handing a signal on ---- */

static void fall_back_to_default(int signal)
{
	struct sigaction action = {.sa_handler = SIG_DFL};
	sigemptyset(&action.sa_mask);
	sigaction(signal, &action, NULL);
}

/* A fault happens again when the handler returns; a signal that was sent does not, so it is sent again. */
static void act_as_default(int signal, const siginfo_t *info)
{
	fall_back_to_default(signal);
	if (info->si_code <= 0)
		raise(signal);
}

static void call_with_its_mask(const struct sigaction *to, int signal, siginfo_t *info, void *context)
{
	sigset_t mask = to->sa_mask;
	sigset_t old;
	sigaddset(&mask, signal);
	pthread_sigmask(SIG_BLOCK, &mask, &old);
	/* Ours is entered with the signal blocked; it may have been installed to be entered without. */
	if ((to->sa_flags & SA_NODEFER) != 0 &&
	    !sigismember(&((const ucontext_t *)context)->uc_sigmask, signal)) {
		sigemptyset(&mask);
		sigaddset(&mask, signal);
		pthread_sigmask(SIG_UNBLOCK, &mask, NULL);
	}
	if ((to->sa_flags & SA_SIGINFO) != 0)
		to->sa_sigaction(signal, info, context);
	else
		to->sa_handler(signal);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
}

static void hand_on(int level, int signal, siginfo_t *info, void *context)
{
	struct sigaction *to = &before_level[level];
	atomic_fetch_add_explicit(&passed, 1, memory_order_relaxed);
	bool has_function =
		(to->sa_flags & SA_SIGINFO) != 0 || (to->sa_handler != SIG_DFL && to->sa_handler != SIG_IGN);
	if (has_function) {
		struct sigaction now = *to;
		if ((to->sa_flags & (int)SA_RESETHAND) != 0) {
			to->sa_flags = 0;
			to->sa_handler = SIG_DFL;
		}
		call_with_its_mask(&now, signal, info, context);
	} else if (to->sa_handler == SIG_DFL || info->si_code > 0) {
		/* The system does not let a process ignore its own faults. */
		act_as_default(signal, info);
	}
}

static void enter(int level, int signal, siginfo_t *info, void *context)
{
	int saved = errno;
	smmap__trap_handle *handle = atomic_load_explicit(&handle_now, memory_order_acquire);
	bool is_fault = info->si_code > 0;
	if (!is_fault || handle == NULL || !handle(info->si_addr))
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

static void (*const entries[LEVELS])(int, siginfo_t *, void *) = {enter_0, enter_1, enter_2, enter_3,
                                                                  enter_4, enter_5, enter_6, enter_7};

/* ---- installing ---- */

/* The level that `action` enters, or -1 when it is not ours. */
static int level_of(const struct sigaction *action)
{
	if ((action->sa_flags & SA_SIGINFO) == 0)
		return -1;
	for (int i = 0; i < LEVELS; i++)
		if (action->sa_sigaction == entries[i])
			return i;
	return -1;
}

static bool same_action(const struct sigaction *a, const struct sigaction *b)
{
	if ((a->sa_flags & SA_SIGINFO) != (b->sa_flags & SA_SIGINFO))
		return false;
	return (a->sa_flags & SA_SIGINFO) != 0 ? a->sa_sigaction == b->sa_sigaction
	                                       : a->sa_handler == b->sa_handler;
}

/* A level for putting ours over `foreign`: the one that was over it before, or the next one; -1: none left. */
static int level_over(const struct sigaction *foreign)
{
	for (int i = 0; i < levels_used; i++)
		if (same_action(&before_level[i], foreign))
			return i;
	return levels_used < LEVELS ? levels_used : -1;
}

static int install_over_locked(const struct sigaction *foreign)
{
	int level = level_over(foreign);
	if (level < 0)
		return SMMAP_EBUSY;
	struct sigaction ours = {.sa_flags = SA_SIGINFO | SA_ONSTACK};
	sigemptyset(&ours.sa_mask);
	ours.sa_sigaction = entries[level];
	before_level[level] = *foreign;
	if (sigaction(SIGBUS, &ours, NULL) != 0)
		return -errno;
	if (level == levels_used)
		levels_used++;
	return 0;
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
	struct sigaction now;
	if (sigaction(SIGBUS, NULL, &now) != 0)
		return -errno;
	pthread_mutex_lock(&lock);
	atomic_store_explicit(&handle_now, handle, memory_order_release);
	int code = level_of(&now) >= 0 ? 0 : install_over_locked(&now);
	if (code != 0)
		atomic_store_explicit(&handle_now, NULL, memory_order_release);
	pthread_mutex_unlock(&lock);
	return code;
}

void smmap__os_trap_remove(void)
{
	struct sigaction now;
	pthread_mutex_lock(&lock);
	atomic_store_explicit(&handle_now, NULL, memory_order_release);
	/* Where a foreign handler is on top it may have remembered ours: our levels then stay and only hand on. */
	if (sigaction(SIGBUS, NULL, &now) == 0) {
		int level = level_of(&now);
		if (level >= 0)
			sigaction(SIGBUS, &before_level[level], NULL);
	}
	pthread_mutex_unlock(&lock);
}

bool smmap__os_trap_is_on_top(void)
{
	struct sigaction now;
	return sigaction(SIGBUS, NULL, &now) == 0 && level_of(&now) >= 0;
}

bool smmap__os_trap_rearm(void)
{
	struct sigaction now;
	if (smmap__os_trap_is_on_top())
		return false;
	pthread_mutex_lock(&lock);
	/* Looked at again: another thread may have done it, or the guard may have been disabled. */
	bool replaced = atomic_load_explicit(&handle_now, memory_order_relaxed) != NULL &&
	                sigaction(SIGBUS, NULL, &now) == 0 && level_of(&now) < 0 &&
	                install_over_locked(&now) == 0;
	pthread_mutex_unlock(&lock);
	return replaced;
}

uint64_t smmap__os_trap_passed(void)
{
	return atomic_load_explicit(&passed, memory_order_relaxed);
}
