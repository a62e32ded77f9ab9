/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The handler, called as a function with what the system might tell it: so also what no fault can be made to bring, and
 * what ends the process, with the signal blocked.
 */
#include "../cursor/setup.h"

#include "os/os.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <smmap_faults.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

typedef void handler(int, siginfo_t *, void *);

static volatile int called;

static void plain(int signal_number)
{
	(void)signal_number;
	called++;
}

static void other_plain(int signal_number)
{
	(void)signal_number;
	called++;
}

static handler *again; /* what the next one calls again, as one that chains does */

static void with_info(int signal_number, siginfo_t *info, void *context)
{
	called++;
	if (again != NULL)
		again(signal_number, info, context);
}

static void install(void (*function)(int), int flags)
{
	struct sigaction action = {.sa_handler = function, .sa_flags = flags};
	assert_int_equal(sigaction(SIGBUS, &action, NULL), 0);
}

static void install_with_info(int flags)
{
	struct sigaction action = {.sa_sigaction = with_info, .sa_flags = flags | SA_SIGINFO};
	assert_int_equal(sigaction(SIGBUS, &action, NULL), 0);
}

static handler *ours(void)
{
	struct sigaction top;
	assert_int_equal(sigaction(SIGBUS, NULL, &top), 0);
	assert_true((top.sa_flags & SA_SIGINFO) != 0);
	return top.sa_sigaction;
}

static handler *enable_over(void (*function)(int), int flags)
{
	install(function, flags);
	assert_int_equal(smmap_guard_enable(), 0);
	called = 0;
	return ours();
}

static void disable(void)
{
	assert_int_equal(smmap_guard_disable(), 0);
	install(SIG_DFL, 0);
}

static void block(void)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGBUS);
	assert_int_equal(sigprocmask(SIG_BLOCK, &set, NULL), 0);
}

static bool is_pending(void)
{
	sigset_t set;
	assert_int_equal(sigpending(&set), 0);
	return sigismember(&set, SIGBUS) == 1;
}

/* Takes the signal that would have ended the process. */
static void assert_would_die(int code)
{
	sigset_t set;
	siginfo_t info;
	struct sigaction top;
	assert_true(is_pending());
	assert_int_equal(sigaction(SIGBUS, NULL, &top), 0);
	assert_ptr_equal(top.sa_handler, SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, SIGBUS);
	assert_int_equal(sigwaitinfo(&set, &info), SIGBUS);
	assert_int_equal(info.si_code, code);
}

static siginfo_t info_with(int code, const void *address)
{
	siginfo_t info;
	memset(&info, 0, sizeof info);
	info.si_signo = SIGBUS;
	info.si_code = code;
	info.si_addr = (void *)(uintptr_t)address;
	return info;
}

/* ---- handing on ---- */

static void any_info_and_context(void)
{
	static char nothing[100];
	siginfo_t info = info_with(BUS_ADRERR, nothing);
	ucontext_t context;
	handler *h = enable_over(plain, 0);
	h(SIGBUS, NULL, NULL);
	assert_int_equal(called, 1);
	h(SIGBUS, &info, NULL);
	assert_int_equal(called, 2);
	memset(&context, 0, sizeof context);
	h(SIGBUS, &info, &context);
	assert_int_equal(called, 3);
	assert_null(context.uc_link);
	/* What hangs there need not be a mark of ours. */
	_Alignas(16) static char foreign[64];
	for (int odd = 0; odd < 2; odd++) {
		context.uc_link = (void *)(foreign + odd);
		h(SIGBUS, &info, &context);
		assert_int_equal(called, 4 + odd);
		assert_ptr_equal(context.uc_link, foreign + odd);
	}
	disable();
}

static void entered_unblocked_or_blocked(void)
{
	siginfo_t info = info_with(BUS_ADRERR, NULL);
	ucontext_t context;
	memset(&context, 0, sizeof context);
	handler *h = enable_over(plain, SA_NODEFER);
	h(SIGBUS, &info, NULL);
	sigemptyset(&context.uc_sigmask);
	h(SIGBUS, &info, &context);
	sigaddset(&context.uc_sigmask, SIGBUS);
	h(SIGBUS, &info, &context);
	assert_int_equal(called, 3);
	disable();
}

static void ignored_unless_it_is_forced(void)
{
	static const struct {
		int code;
		bool dies;
	} rows[] = {
		{SI_USER, false}, {BUS_MCEERR_AO, false}, {SI_QUEUE, false}, {BUS_ADRERR, true}, {BUS_OBJERR, true}};
	block();
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		siginfo_t info = info_with(rows[i].code, NULL);
		handler *h = enable_over(SIG_IGN, 0);
		h(SIGBUS, &info, NULL);
		assert_int_equal(is_pending(), rows[i].dies);
		if (rows[i].dies)
			assert_would_die(rows[i].code);
		disable();
	}
	handler *h = enable_over(SIG_IGN, 0);
	h(SIGBUS, NULL, NULL);
	assert_false(is_pending());
	disable();
}

static void default_ends_the_process(void)
{
	siginfo_t info = info_with(BUS_ADRERR, NULL);
	block();
	handler *h = enable_over(SIG_DFL, 0);
	h(SIGBUS, &info, NULL);
	assert_would_die(BUS_ADRERR);
	disable();
	h = enable_over(SIG_DFL, 0);
	h(SIGBUS, NULL, NULL);
	assert_true(is_pending());
	disable();
}

/* A process that may not send a signal with what it says sends it without. */
static void sent_without_what_it_says(void)
{
	siginfo_t info = info_with(BUS_ADRERR, NULL);
	struct sock_filter program[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_rt_tgsigqueueinfo, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog filter = {sizeof program / sizeof *program, program};
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0)
		skip_test("needs seccomp");
	block();
	handler *h = enable_over(SIG_DFL, 0);
	h(SIGBUS, &info, NULL);
	assert_true(is_pending());
	disable();
}

static void called_once_only(void)
{
	siginfo_t info = info_with(BUS_ADRERR, NULL);
	block();
	handler *h = enable_over(plain, (int)SA_RESETHAND);
	h(SIGBUS, &info, NULL);
	assert_int_equal(called, 1);
	assert_false(is_pending());
	h(SIGBUS, &info, NULL);
	assert_int_equal(called, 1);
	assert_would_die(BUS_ADRERR);
	disable();
	h = enable_over(SIG_DFL, (int)SA_RESETHAND);
	h(SIGBUS, &info, NULL);
	assert_would_die(BUS_ADRERR);
	disable();
}

/* One that calls ours again for the same signal: it has had its turn, and so ends the process. */
static void a_ring_ends(void)
{
	siginfo_t info = info_with(BUS_ADRERR, NULL);
	ucontext_t context;
	memset(&context, 0, sizeof context);
	block();
	install_with_info(0);
	assert_int_equal(smmap_guard_enable(), 0);
	called = 0;
	again = ours();
	again(SIGBUS, &info, &context);
	assert_int_equal(called, 1);
	assert_would_die(BUS_ADRERR);
	disable();
}

/* The same function, installed with and without SA_SIGINFO, is not the same handler. */
static void kinds_of_handlers(void)
{
	struct sigaction action = {.sa_flags = SA_SIGINFO};
	siginfo_t info = info_with(SI_USER, NULL);
	action.sa_sigaction = (handler *)(uintptr_t)plain;
	handler *first = enable_over(plain, 0);
	assert_int_equal(sigaction(SIGBUS, &action, NULL), 0);
	assert_true(smmap__os_trap_rearm());
	handler *second = ours();
	assert_ptr_not_equal(first, second);
	install(plain, 0);
	assert_true(smmap__os_trap_rearm());
	assert_ptr_equal(ours(), first);
	/* Nobody is on top: whoever is called was called by hand. */
	install(SIG_DFL, 0);
	called = 0;
	first(SIGBUS, &info, NULL);
	assert_int_equal(called, 1);
	disable();
}

/* ---- the system refuses ---- */

static void signals_cannot_be_asked_about(void)
{
	siginfo_t info = info_with(SI_USER, NULL);
	install(plain, 0);
	for (uint64_t nth = 1; nth <= 2; nth++) {
		smmap_faults_arm(SMMAP_FAULT_SIGACTION, nth, EINVAL, 1);
		assert_int_equal(smmap_guard_enable(), SMMAP_EINVAL);
	}
	smmap_faults_disarm();
	handler *h = enable_over(plain, 0);
	smmap_faults_arm(SMMAP_FAULT_SIGACTION, 1, EINVAL, 1);
	h(SIGBUS, &info, NULL);
	assert_int_equal(called, 1);
	install(other_plain, 0);
	/* Looked at, looked at again, put over it. */
	for (uint64_t nth = 1; nth <= 3; nth++) {
		smmap_faults_arm(SMMAP_FAULT_SIGACTION, nth, EINVAL, nth == 1 ? 2 : 1);
		assert_false(smmap__os_trap_rearm());
	}
	smmap_faults_disarm();
	assert_true(smmap__os_trap_rearm());
	assert_false(smmap__os_trap_rearm());
	smmap_faults_arm(SMMAP_FAULT_SIGACTION, 1, EINVAL, 1);
	assert_int_equal(smmap_guard_disable(), 0);
	smmap_faults_disarm();
	/* Ours stayed on top, and only hands on. */
	called = 0;
	ours()(SIGBUS, &info, NULL);
	assert_int_equal(called, 1);
	install(plain, 0);
	assert_false(smmap__os_trap_rearm());
	install(SIG_DFL, 0);
}

static void *rearm(void *unused)
{
	(void)unused;
	return smmap__os_trap_rearm() ? "did" : NULL;
}

static void another_thread_has_put_it_back(void)
{
	pthread_t thread;
	void *result;
	struct sigaction top;
	(void)enable_over(plain, 0);
	assert_int_equal(sigaction(SIGBUS, NULL, &top), 0);
	install(other_plain, 0);
	smmap__os_trap_lock();
	assert_int_equal(pthread_create(&thread, NULL, rearm, NULL), 0);
	usleep(100000);
	assert_int_equal(sigaction(SIGBUS, &top, NULL), 0);
	smmap__os_trap_unlock();
	assert_int_equal(pthread_join(thread, &result), 0);
	assert_null(result);
	disable();
}

/* ---- patching ---- */

enum { PAGES = 40, FAULTS = 12 };

/*
 * Faults in a range while so many mappings in a row are refused, and then are to be had again: the page is zeros in the end, or
 * the signal is handed on.
 */
static void mappings_are_refused(void)
{
	const size_t page = smmap__os_facts_now.granularity;
	smmap_manager *manager = new_manager(SMMAP_PLACEMENT_DETACHED, PAGES * page, 64 * MIB);
	handler *h = enable_over(plain, 0);
	void *room = mmap(NULL, page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(room, MAP_FAILED);
	static const size_t faults[FAULTS] = {5, 6, 39, 0, 20, 1, 2, 38, 37, 36, 30, 3};
	for (uint64_t refused = 0; refused < 400; refused = refused * 4 / 3 + 1) {
		for (size_t step = 0; step < FAULTS; step += 3) {
			smmap_cursor cursor = SMMAP_CURSOR_INIT;
			const char *path = files_make("a", PAGES * page, 1);
			open_cursor(&cursor, manager, path);
			use_and_check(&cursor, 0, PAGES * page, PAGES * page, 1);
			const unsigned char *data = smmap_cursor_data(&cursor);
			for (size_t i = 0; i < FAULTS; i++) {
				siginfo_t info = info_with(BUS_ADRERR, data + faults[(i + step) % FAULTS] * page + 7);
				smmap__os_hold_spares(i % 2 == 0);
				smmap_faults_arm(SMMAP_FAULT_MMAP, 1, ENOMEM, refused);
				if (refused == 0)
					smmap_faults_disarm();
				called = 0;
				h(SIGBUS, &info, NULL);
				smmap_faults_disarm();
				if (called == 0)
					assert_int_equal(data[faults[(i + step) % FAULTS] * page + 7], 0);
			}
			smmap_view view = SMMAP_VIEW_INIT;
			int code = smmap_cursor_error(&cursor, NULL);
			assert_true(code != 0);
			assert_int_equal(smmap_cursor_map_at(&view, &cursor, 0, page, room), code);
			smmap_cursor_close(&cursor);
			(void)smmap_manager_collect(manager);
			assert_int_equal(unlink(path), 0);
		}
	}
	assert_int_equal(munmap(room, page), 0);
	free_manager(manager);
	disable();
}

/* Ranges come and go, handlers and spares, too, while signals are looked at that are of none of them. */
static _Atomic bool over;

static void *change_ranges(void *unused)
{
	static char room[100];
	smmap__fault_log log = {0};
	(void)unused;
	while (!atomic_load(&over)) {
		smmap__guard_slot slots[8];
		for (int i = 0; i < 8; i++)
			if (smmap__guard_add(room, sizeof room, 0, &log, &slots[i]) != 0)
				return "no slot";
		for (int i = 0; i < 8; i++)
			smmap__guard_remove(&slots[i]);
	}
	return NULL;
}

static void *change_handlers(void *unused)
{
	(void)unused;
	for (int i = 0; !atomic_load(&over); i++) {
		/* Not the one below: where that is on top, it has called ours. */
		install(other_plain, i % 2 == 0 ? 0 : SA_NODEFER);
		(void)smmap__os_trap_rearm();
	}
	return NULL;
}

static void *change_spares(void *unused)
{
	(void)unused;
	while (!atomic_load(&over)) {
		smmap__os_hold_spares(true);
		smmap__os_hold_spares(false);
	}
	return NULL;
}

static void everything_changes_meanwhile(void)
{
	void *(*const all[])(void *) = {change_ranges, change_handlers, change_spares, change_spares};
	enum { THREADS = sizeof all / sizeof *all };
	pthread_t threads[THREADS];
	static char nothing[100];
	siginfo_t info = info_with(BUS_ADRERR, nothing);
	handler *h = enable_over(plain, 0);
	atomic_store(&over, false);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, all[i], NULL), 0);
	size_t rounds = test_rounds(2000000);
	for (size_t i = 0; i < rounds; i++)
		h(SIGBUS, &info, NULL);
	atomic_store(&over, true);
	for (int i = 0; i < THREADS; i++) {
		void *result;
		assert_int_equal(pthread_join(threads[i], &result), 0);
		assert_null(result);
	}
	assert_int_equal(called, rounds);
	disable();
}

TEST_PROGRAM(TEST(any_info_and_context), TEST(entered_unblocked_or_blocked),
             TEST(ignored_unless_it_is_forced), TEST(default_ends_the_process),
             TEST(sent_without_what_it_says), TEST(called_once_only), TEST(a_ring_ends),
             TEST(kinds_of_handlers), TEST(signals_cannot_be_asked_about),
             TEST(another_thread_has_put_it_back), TEST(mappings_are_refused, .unit = 4096),
             TEST(everything_changes_meanwhile))
