/* SPDX-License-Identifier: BSD-3-Clause */
/* The guard among other handlers of the signal: ours is contained, everything else goes on as if we were not there. */
#include "cursor/setup.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* A file of the manager that was cut, and a mapping of its own that was. */
static smmap_manager *manager;
static smmap_cursor ours, cold;
static const unsigned char *foreign;
static size_t page;

static volatile sig_atomic_t calls, first_calls;
static void *volatile fault_address;
static volatile int fault_code;
static sigjmp_buf out;

static unsigned char touch(const unsigned char *at)
{
	return *(const volatile unsigned char *)at;
}

static void prepare(void)
{
	page = (size_t)smmap_allocation_granularity();
	const char *path = files_make("ours", 25 * page, 1);
	manager = new_manager(SMMAP_PLACEMENT_STABLE, page, 256 * page);
	open_cursor(&ours, manager, path);
	use_and_check(&ours, 2 * page, 0, page, 1);
	open_cursor(&cold, manager, files_make("cold", 25 * page, 2));
	assert_int_equal(truncate(path, 0), 0);
	const char *other = files_make("foreign", page, 3);
	FILE *file = fopen(other, "re");
	foreign = mmap(NULL, page, PROT_READ, MAP_SHARED, fileno(file), 0);
	assert_ptr_not_equal(foreign, MAP_FAILED);
	fclose(file);
	assert_int_equal(truncate(other, 0), 0);
}

static void clean_up(void)
{
	smmap_cursor_close(&ours);
	smmap_cursor_close(&cold);
	free_manager(manager);
	munmap((void *)(uintptr_t)foreign, page);
}

static void assert_ours_is_contained(void)
{
	static uint64_t at;
	assert_int_equal(touch(smmap_cursor_data(&ours) + at++ % page), 0);
	assert_int_equal(smmap_cursor_error(&ours, NULL), SMMAP_ETRUNCATED);
}

static void miss(void)
{
	static uint64_t at;
	(void)smmap_manager_collect(manager);
	use_and_check(&cold, at++ % 20 * page, 0, page, 2);
}

/* ---- foreign handlers ---- */

static void plain(int signal)
{
	(void)signal;
	calls++;
	siglongjmp(out, 1);
}

static void plain_that_returns(int signal)
{
	(void)signal;
	calls++;
}

static void with_info(int signal, siginfo_t *info, void *context)
{
	(void)signal;
	assert_non_null(context);
	calls++;
	fault_address = info->si_addr;
	fault_code = info->si_code;
	siglongjmp(out, 1);
}

static void install(void (*handler)(int), int flags)
{
	struct sigaction action = {.sa_flags = flags};
	sigemptyset(&action.sa_mask);
	action.sa_handler = handler;
	assert_int_equal(sigaction(SIGBUS, &action, NULL), 0);
}

static void install_info(void (*handler)(int, siginfo_t *, void *), int flags, struct sigaction *old)
{
	struct sigaction action = {.sa_flags = SA_SIGINFO | flags};
	sigemptyset(&action.sa_mask);
	action.sa_sigaction = handler;
	assert_int_equal(sigaction(SIGBUS, &action, old), 0);
}

static void assert_foreign_fault_reaches(void (*expected)(void))
{
	sig_atomic_t before = calls;
	if (sigsetjmp(out, 1) == 0) {
		(void)touch(foreign);
		fail_msg("went on");
	}
	assert_int_equal(calls, before + 1);
	if (expected != NULL)
		expected();
}

static void address_is_right(void)
{
	assert_ptr_equal(fault_address, foreign);
	assert_int_equal(fault_code, BUS_ADRERR);
}

/* The status of a child that does `what`. */
static int status_of(void (*what)(void))
{
	int status;
	fflush(NULL);
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		alarm(10);
		what();
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return status;
}

static void fault_foreign(void)
{
	(void)touch(foreign);
}

static void send_signal(void)
{
	kill(getpid(), SIGBUS);
}

static void fault_ours(void)
{
	_exit(touch(smmap_cursor_data(&ours)));
}

static bool died_of_it(int status)
{
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS;
}

/* ---- installed before ours ---- */

static void before_default(void)
{
	prepare();
	install(SIG_DFL, 0);
	assert_int_equal(smmap_guard_enable(), 0);
	assert_true(died_of_it(status_of(fault_foreign)));
	assert_true(died_of_it(status_of(send_signal)));
	assert_int_equal(status_of(fault_ours), 0);
	assert_ours_is_contained();
	assert_int_equal(smmap_guard_disable(), 0);
	assert_true(died_of_it(status_of(send_signal)));
	clean_up();
}

static void before_ignored(void)
{
	prepare();
	install(SIG_IGN, 0);
	assert_int_equal(smmap_guard_enable(), 0);
	/* A signal that is sent is ignored, a fault is not. */
	assert_true(died_of_it(status_of(fault_foreign)));
	assert_int_equal(status_of(send_signal), 0);
	assert_ours_is_contained();
	assert_int_equal(smmap_guard_disable(), 0);
	assert_int_equal(status_of(send_signal), 0);
	clean_up();
}

static void before_plain(void)
{
	prepare();
	install(plain, 0);
	assert_int_equal(smmap_guard_enable(), 0);
	assert_foreign_fault_reaches(NULL);
	assert_foreign_fault_reaches(NULL);
	assert_ours_is_contained();
	if (sigsetjmp(out, 1) == 0)
		raise(SIGBUS);
	assert_int_equal(calls, 3);
	smmap_guard_info info;
	smmap_guard_status(&info);
	assert_int_equal(info.passed, 3);
	assert_int_equal(info.on_top, 1);
	assert_int_equal(smmap_guard_disable(), 0);
	struct sigaction now;
	sigaction(SIGBUS, NULL, &now);
	assert_ptr_equal(now.sa_handler, plain);
	assert_foreign_fault_reaches(NULL);
	clean_up();
}

static void before_with_info(void)
{
	prepare();
	install_info(with_info, 0, NULL);
	assert_int_equal(smmap_guard_enable(), 0);
	assert_foreign_fault_reaches(address_is_right);
	assert_ours_is_contained();
	assert_int_equal(smmap_guard_disable(), 0);
	assert_foreign_fault_reaches(address_is_right);
	clean_up();
}

static void before_once_only(void)
{
	prepare();
	install(plain_that_returns, (int)SA_RESETHAND);
	assert_int_equal(smmap_guard_enable(), 0);
	raise(SIGBUS);
	assert_int_equal(calls, 1);
	assert_ours_is_contained();
	assert_true(died_of_it(status_of(send_signal)));
	assert_int_equal(smmap_guard_disable(), 0);
	clean_up();
}

/* The handler's own mask holds while it runs, and ours is as it was afterwards. */
static sigset_t mask_inside;

static void looks_at_its_mask(int signal)
{
	(void)signal;
	calls++;
	pthread_sigmask(SIG_SETMASK, NULL, &mask_inside);
}

static void before_with_a_mask(void)
{
	for (int nodefer = 0; nodefer < 2; nodefer++) {
		struct sigaction action = {.sa_flags = nodefer ? SA_NODEFER : 0};
		sigset_t before, after;
		if (nodefer == 0)
			prepare();
		sigemptyset(&action.sa_mask);
		sigaddset(&action.sa_mask, SIGUSR1);
		action.sa_handler = looks_at_its_mask;
		assert_int_equal(sigaction(SIGBUS, &action, NULL), 0);
		assert_int_equal(smmap_guard_enable(), 0);
		pthread_sigmask(SIG_SETMASK, NULL, &before);
		raise(SIGBUS);
		pthread_sigmask(SIG_SETMASK, NULL, &after);
		assert_int_equal(calls, nodefer + 1);
		assert_int_equal(sigismember(&mask_inside, SIGUSR1), 1);
		assert_int_equal(sigismember(&mask_inside, SIGBUS), !nodefer);
		for (int i = 1; i < 32; i++)
			assert_int_equal(sigismember(&before, i), sigismember(&after, i));
		assert_int_equal(smmap_guard_disable(), 0);
	}
	clean_up();
}

static char other_stack[65536];
static char *volatile seen_stack;

static void looks_at_its_stack(int signal)
{
	(void)signal;
	calls++;
	seen_stack = __builtin_frame_address(0); /* a sanitizer may keep variables elsewhere */
	siglongjmp(out, 1);
}

static void on_an_alternate_stack(void)
{
	prepare();
	stack_t stack = {.ss_sp = other_stack, .ss_size = sizeof other_stack};
	assert_int_equal(sigaltstack(&stack, NULL), 0);
	install(looks_at_its_stack, SA_ONSTACK);
	assert_int_equal(smmap_guard_enable(), 0);
	assert_foreign_fault_reaches(NULL);
	assert_true((char *)seen_stack >= other_stack && (char *)seen_stack < other_stack + sizeof other_stack);
	assert_ours_is_contained();
	assert_int_equal(smmap_guard_disable(), 0);
	stack.ss_flags = SS_DISABLE;
	sigaltstack(&stack, NULL);
	clean_up();
}

/* ---- installed after ours ---- */

static void after_without_chaining(void)
{
	prepare();
	install(plain_that_returns, 0);
	assert_int_equal(smmap_guard_enable(), 0);
	assert_ours_is_contained();
	install_info(with_info, 0, NULL);
	smmap_guard_info info;
	smmap_guard_status(&info);
	assert_int_equal(info.on_top, 0);
	/* In the gap ours goes to it; the next miss ends the gap. */
	smmap_guard_info before = info;
	miss();
	smmap_guard_status(&info);
	assert_int_equal(info.on_top, 1);
	assert_int_equal(info.rearms, before.rearms + 1);
	assert_ours_is_contained();
	assert_foreign_fault_reaches(address_is_right);
	/* Again and again. */
	for (int i = 0; i < 30; i++) {
		install_info(with_info, 0, NULL);
		miss();
		assert_ours_is_contained();
		assert_foreign_fault_reaches(address_is_right);
	}
	assert_int_equal(smmap_guard_disable(), 0);
	assert_foreign_fault_reaches(address_is_right);
	clean_up();
}

static struct sigaction remembered;

static void chains(int signal, siginfo_t *info, void *context)
{
	calls++;
	if ((remembered.sa_flags & SA_SIGINFO) != 0)
		remembered.sa_sigaction(signal, info, context);
	else if (remembered.sa_handler != SIG_DFL && remembered.sa_handler != SIG_IGN)
		remembered.sa_handler(signal);
	else
		_exit(9);
}

static void first(int signal)
{
	(void)signal;
	first_calls++;
	siglongjmp(out, 1);
}

static void after_with_chaining(void)
{
	prepare();
	install(first, 0);
	assert_int_equal(smmap_guard_enable(), 0);
	install_info(chains, 0, &remembered);
	assert_ours_is_contained(); /* through it */
	assert_int_equal(calls, 1);
	for (int i = 1; i <= 3; i++) {
		miss();
		if (sigsetjmp(out, 1) == 0)
			(void)touch(foreign);
		assert_int_equal(first_calls, i);
		assert_int_equal(calls, 1 + i);
		if (sigsetjmp(out, 1) == 0)
			raise(SIGBUS);
		assert_int_equal(calls, 1 + i + 1);
		calls = 1 + i;
		first_calls = i;
	}
	assert_ours_is_contained();
	assert_int_equal(calls, 4);
	assert_int_equal(smmap_guard_disable(), 0);
	if (sigsetjmp(out, 1) == 0)
		(void)touch(foreign);
	assert_int_equal(first_calls, 4);
	clean_up();
}

/* It takes itself off again, as faulthandler.disable() does. */
static void after_and_gone_again(void)
{
	prepare();
	install(first, 0);
	assert_int_equal(smmap_guard_enable(), 0);
	install_info(chains, 0, &remembered);
	miss();
	assert_int_equal(sigaction(SIGBUS, &remembered, NULL), 0);
	assert_ours_is_contained();
	assert_int_equal(calls, 0);
	if (sigsetjmp(out, 1) == 0)
		(void)touch(foreign);
	assert_int_equal(first_calls, 1);
	assert_int_equal(smmap_guard_disable(), 0);
	clean_up();
}

static void disabled_below_a_foreign_one(void)
{
	prepare();
	install(first, 0);
	assert_int_equal(smmap_guard_enable(), 0);
	install_info(chains, 0, &remembered);
	assert_int_equal(smmap_guard_disable(), 0);
	struct sigaction now;
	sigaction(SIGBUS, NULL, &now);
	assert_ptr_equal(now.sa_sigaction, chains);
	/* Ours hands on what the foreign one hands to it. */
	if (sigsetjmp(out, 1) == 0)
		(void)touch(foreign);
	assert_int_equal(first_calls, 1);
	assert_true(status_of(fault_ours) != 0);
	assert_int_equal(smmap_guard_enable(), 0);
	miss();
	assert_ours_is_contained();
	assert_int_equal(smmap_guard_disable(), 0);
	clean_up();
}

static void many_different_handlers(void)
{
	prepare();
	assert_int_equal(smmap_guard_enable(), 0);
	static void (*const handlers[])(int) = {plain, first, plain_that_returns, looks_at_its_mask,
	                                        looks_at_its_stack};
	for (int round = 0; round < 10; round++)
		for (size_t i = 0; i < sizeof handlers / sizeof *handlers; i++) {
			install(handlers[i], 0);
			miss();
			assert_ours_is_contained();
		}
	assert_int_equal(smmap_guard_disable(), 0);
	clean_up();
}

static void enables_are_counted(void)
{
	smmap_guard_info info;
	struct sigaction now;
	prepare();
	install(plain, 0);
	assert_int_equal(smmap_guard_disable(), SMMAP_EINVAL);
	for (int i = 1; i <= 5; i++) {
		assert_int_equal(smmap_guard_enable(), 0);
		smmap_guard_status(&info);
		assert_int_equal(info.enabled, i);
	}
	assert_true(info.ranges >= 2);
	for (int i = 4; i >= 0; i--) {
		assert_ours_is_contained();
		assert_int_equal(smmap_guard_disable(), 0);
	}
	assert_int_equal(smmap_guard_disable(), SMMAP_EINVAL);
	sigaction(SIGBUS, NULL, &now);
	assert_ptr_equal(now.sa_handler, plain);
	for (int i = 0; i < 100; i++) {
		assert_int_equal(smmap_guard_enable(), 0);
		assert_int_equal(smmap_guard_disable(), 0);
	}
	sigaction(SIGBUS, NULL, &now);
	assert_ptr_equal(now.sa_handler, plain);
	clean_up();
	smmap_guard_status(&info);
	assert_int_equal(info.ranges, 0);
}

/* ---- forks while a handler is being replaced ---- */

static _Atomic bool stop;

static void *replace_all_the_time(void *unused)
{
	smmap_cursor cursor = SMMAP_CURSOR_INIT;
	const char *path = smmap_cursor_path(&cold);
	(void)unused;
	while (!atomic_load(&stop)) {
		install(plain_that_returns, 0);
		if (smmap_cursor_open(&cursor, manager, path, 0) == 0)
			(void)smmap_cursor_use_region(&cursor, 12 * page, 0);
		smmap_cursor_close(&cursor);
		(void)smmap_manager_make_room(manager, 0);
	}
	return NULL;
}

static const char *more;

static void use_in_child(void)
{
	smmap_cursor cursor = SMMAP_CURSOR_INIT;
	install(plain_that_returns, 0);
	if (smmap_cursor_open(&cursor, manager, more, 0) != 0 || smmap_cursor_use_region(&cursor, 0, 0) <= 0)
		_exit(5);
	smmap_guard_info info;
	smmap_guard_status(&info);
	_exit(info.on_top ? 0 : 6);
}

static void forks_while_handlers_are_replaced(void)
{
	pthread_t threads[2];
	prepare();
	more = files_make("more", 25 * page, 4);
	assert_int_equal(smmap_guard_enable(), 0);
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, replace_all_the_time, NULL), 0);
	for (size_t i = test_rounds(1000); i != 0; i--)
		assert_int_equal(status_of(use_in_child), 0);
	atomic_store(&stop, true);
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_int_equal(smmap_guard_disable(), 0);
	clean_up();
}

TEST_PROGRAM(TEST(before_default), TEST(before_ignored), TEST(before_plain), TEST(before_with_info),
             TEST(before_once_only), TEST(before_with_a_mask), TEST(on_an_alternate_stack),
             TEST(after_without_chaining), TEST(after_with_chaining), TEST(after_and_gone_again),
             TEST(disabled_below_a_foreign_one), TEST(many_different_handlers),
             TEST(enables_are_counted, .stable = true), TEST(forks_while_handlers_are_replaced))
