/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The contract of docs/signals.md: who installed what for SIGBUS, when, and what happens then. Each row of its tables is
 * a test of that name here; what is documented is compared, too. `PROGRAM --table` prints the tables.
 */
#include "cursor/setup.h"
#include "harness/sanitizers.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

/* ---- what is played with ---- */

enum { VALUE = 77, MENDED = 7 };

static size_t page;
static smmap_manager *manager;
static smmap_cursor ours, cold;      /* `ours` lies in a file that was cut */
static const unsigned char *foreign; /* so does this mapping of the test's own */
static int enables;

/* What happened, in letters; shared with the children that try things out. */
static volatile char *trace;
static sigjmp_buf out;
static char *stack_begin;
static size_t stack_size;

static void say(char what)
{
	size_t at = 0;
	while (at < page - 2 && trace[at] != 0)
		at++;
	trace[at] = what;
}

static unsigned char touch(const unsigned char *at)
{
	return *(const volatile unsigned char *)at;
}

static void *shared_page(void)
{
	void *p = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(p, MAP_FAILED);
	return p;
}

static void set_default(void)
{
	assert_true(signal(SIGBUS, SIG_DFL) != SIG_ERR);
}

static const unsigned char *cut_mapping(const char *name)
{
	const char *path = files_make(name, page, 3);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	void *p = mmap(NULL, page, PROT_READ, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(p, MAP_FAILED);
	close(fd);
	assert_int_equal(truncate(path, 0), 0);
	return p;
}

static void prepare(void)
{
	page = (size_t)smmap_allocation_granularity();
	trace = shared_page();
	set_default(); /* a sanitizer has a handler of its own */
	const char *path = files_make("ours", 4 * page, 1);
	manager = new_manager(SMMAP_PLACEMENT_STABLE, page, MIB);
	open_cursor(&ours, manager, path);
	use_and_check(&ours, page, 0, page, 1);
	open_cursor(&cold, manager, files_make("cold", 20 * page, 2));
	assert_int_equal(truncate(path, 0), 0);
	foreign = cut_mapping("foreign");
}

static void disable_all(void)
{
	for (; enables != 0; enables--)
		assert_int_equal(smmap_guard_disable(), 0);
}

static void clean_up(void)
{
	disable_all();
	set_default();
	smmap_cursor_close(&ours);
	smmap_cursor_close(&cold);
	free_manager(manager);
	munmap((void *)(uintptr_t)foreign, page);
	munmap((void *)(uintptr_t)trace, page);
	if (stack_begin != NULL) {
		sigaltstack(&(stack_t){.ss_flags = SS_DISABLE}, NULL);
		munmap(stack_begin, stack_size);
	}
}

static void miss(void)
{
	static uint64_t at;
	(void)smmap_manager_collect(manager);
	use_and_check(&cold, at++ % 20 * page, 0, page, 2);
}

/* ---- foreign handlers: A, B, C ... ---- */

enum { HANDLERS = 18 };

static struct handler {
	bool chains; /* calls the one that it has replaced */
	bool mends;  /* puts a page where the fault was, and returns; others leave by siglongjmp */
	bool reads;  /* reads our file, while the guard is on */
	bool copies; /* hands copies of what it got to the one that it has replaced */
	bool bare;   /* hands nothing */
	bool masks;
	bool by_signal;
	struct sigaction remembered;
} handlers[HANDLERS];

static void call_remembered(const struct handler *self, int signal_number, siginfo_t *info, void *context)
{
	const struct sigaction *to = &self->remembered;
	if (to->sa_handler == SIG_IGN)
		return;
	if (to->sa_handler == SIG_DFL) {
		signal(signal_number, SIG_DFL);
		raise(signal_number);
	} else if ((to->sa_flags & SA_SIGINFO) != 0 && self->copies) {
		siginfo_t info_copy = *info;
		ucontext_t context_copy = *(ucontext_t *)context;
		to->sa_sigaction(signal_number, &info_copy, &context_copy);
	} else if ((to->sa_flags & SA_SIGINFO) != 0 && self->bare) {
		to->sa_sigaction(signal_number, NULL, NULL);
	} else if ((to->sa_flags & SA_SIGINFO) != 0) {
		to->sa_sigaction(signal_number, info, context);
	} else {
		to->sa_handler(signal_number);
	}
}

/* m: SIGUSR1 is blocked, d: SIGBUS is not, s: on the alternate stack, v: the value of sigqueue came, e: memory failure */
static void tell_how_it_was_called(const struct handler *self, const siginfo_t *info)
{
	sigset_t mask;
	const char *here = __builtin_frame_address(0);
	pthread_sigmask(SIG_SETMASK, NULL, &mask);
	/* ThreadSanitizer blocks all signals while it calls any handler. */
	if (sigismember(&mask, SIGUSR1) && (self->masks || !THREAD_SANITIZER))
		say('m');
	if (!sigismember(&mask, SIGBUS))
		say('d');
	if (stack_begin != NULL && here >= stack_begin && here < stack_begin + stack_size)
		say('s');
	if (info != NULL && info->si_code == SI_QUEUE && info->si_value.sival_int == VALUE)
		say('v');
	if (info != NULL && (info->si_code == BUS_MCEERR_AR || info->si_code == BUS_MCEERR_AO))
		say('e');
}

static void act(int index, int signal_number, siginfo_t *info, void *context, bool is_fault)
{
	struct handler *self = &handlers[index];
	say((char)('A' + index));
	tell_how_it_was_called(self, info);
	if (self->reads && enables != 0)
		say(touch(smmap_cursor_data(&ours)) == 0 ? 'r' : '?');
	if (self->chains)
		call_remembered(self, signal_number, info, context);
	else if (is_fault && self->mends)
		memset(mmap((void *)(uintptr_t)foreign, page, PROT_READ | PROT_WRITE,
		            MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0),
		       MENDED, page);
	else if (is_fault)
		siglongjmp(out, 1);
}

/* A plain handler cannot know what the signal is about: the test tells it. */
static volatile bool in_a_fault;

#define HANDLER(index)                                                                                       \
	static void plain_##index(int signal_number)                                                             \
	{                                                                                                        \
		act(index, signal_number, NULL, NULL, in_a_fault);                                                   \
	}                                                                                                        \
	static void with_info_##index(int signal_number, siginfo_t *info, void *context)                         \
	{                                                                                                        \
		act(index, signal_number, info, context, info->si_code == BUS_ADRERR);                               \
	}
#define EACH_HANDLER(X)                                                                                      \
	X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15) X(16) X(17)
EACH_HANDLER(HANDLER)

static void (*const plain[HANDLERS])(int) = {
#define PLAIN(index) plain_##index,
	EACH_HANDLER(PLAIN)};
static void (*const with_info[HANDLERS])(int, siginfo_t *, void *) = {
#define WITH_INFO(index) with_info_##index,
	EACH_HANDLER(WITH_INFO)};

static bool has_option(const char *options, const char *name)
{
	return options != NULL && strstr(options, name) != NULL;
}

static void install(int index, const char *options)
{
	struct handler *self = &handlers[index];
	struct sigaction to = {.sa_flags = 0};
	self->chains = has_option(options, "chain");
	self->mends = has_option(options, "mend");
	self->reads = has_option(options, "reads");
	self->masks = has_option(options, "mask");
	self->copies = has_option(options, "copies");
	self->bare = has_option(options, "bare");
	self->by_signal = has_option(options, "signal");
	sigemptyset(&to.sa_mask);
	if (self->masks)
		sigaddset(&to.sa_mask, SIGUSR1);
	to.sa_flags |= has_option(options, "once") ? (int)SA_RESETHAND : 0;
	to.sa_flags |= has_option(options, "nodefer") ? SA_NODEFER : 0;
	to.sa_flags |= has_option(options, "onstack") ? SA_ONSTACK : 0;
	if (has_option(options, "plain")) {
		to.sa_handler = plain[index];
	} else {
		to.sa_flags |= SA_SIGINFO;
		to.sa_sigaction = with_info[index];
	}
	if (self->by_signal)
		self->remembered.sa_handler = signal(SIGBUS, plain[index]);
	else
		assert_int_equal(sigaction(SIGBUS, &to, &self->remembered), 0);
}

static void take_off(int index)
{
	struct handler *self = &handlers[index];
	if (self->by_signal)
		assert_true(signal(SIGBUS, self->remembered.sa_handler) != SIG_ERR);
	else
		assert_int_equal(sigaction(SIGBUS, &self->remembered, NULL), 0);
}

/* ---- what is tried, each in a child of its own ---- */

static void see(const unsigned char *at)
{
	in_a_fault = true;
	if (sigsetjmp(out, 1) != 0)
		say('^');
	else
		say(touch(at) == MENDED ? '+' : '0');
	in_a_fault = false;
}

static void a_fault_of_ours(void)
{
	see(smmap_cursor_data(&ours));
}

static void a_foreign_fault(void)
{
	see(foreign);
}

static void a_signal_sent(void)
{
	kill(getpid(), SIGBUS);
}

static void a_signal_queued(void)
{
	sigqueue(getpid(), SIGBUS, (union sigval){.sival_int = VALUE});
	usleep(1000); /* ThreadSanitizer calls the handler when the next call of libc is over */
}

/* The letters of all handlers that were called, and how it ended: '!' death by SIGBUS, '~' for ever. */
static const char *what_comes_of(void (*attempt)(void))
{
	int status;
	for (size_t i = 0; i < page; i++)
		trace[i] = 0;
	fflush(NULL);
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		alarm(10);
		attempt();
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	if (WIFSIGNALED(status))
		say(WTERMSIG(status) == SIGBUS ? '!' : WTERMSIG(status) == SIGALRM ? '~' : '?');
	else if (status != 0)
		say('?');
	return (const char *)(uintptr_t)trace;
}

/* ---- steps ---- */

static void use_stack(size_t size)
{
	stack_size = size;
	stack_begin = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
	assert_ptr_not_equal(stack_begin, MAP_FAILED);
	stack_t stack = {.ss_sp = stack_begin, .ss_size = size};
	assert_int_equal(sigaltstack(&stack, NULL), 0);
}

static void enable(void)
{
	assert_int_equal(smmap_guard_enable(), 0);
	enables++;
}

static void disable(void)
{
	assert_int_equal(smmap_guard_disable(), 0);
	enables--;
}

static void ignore(void)
{
	assert_true(signal(SIGBUS, SIG_IGN) != SIG_ERR);
}

static void block(void)
{
	sigset_t mask;
	sigemptyset(&mask);
	sigaddset(&mask, SIGBUS);
	assert_int_equal(pthread_sigmask(SIG_BLOCK, &mask, NULL), 0);
}

static void stack(void)
{
	use_stack(65536);
}

/* What POSIX says is enough, on a processor with large registers too. */
static void small_stack(void)
{
	use_stack((size_t)smmap__align_up((uint64_t)SIGSTKSZ, page));
}

static const struct step {
	const char *name;
	void (*run)(void);
} steps[] = {
	{"enable", enable},         {"disable", disable},    {"miss", miss},   {"default", set_default},
	{"ignore", ignore},         {"block", block},        {"stack", stack}, {"small-stack", small_stack},
	{"fault", a_foreign_fault}, {"kill", a_signal_sent},
};

static void take_step(char *step)
{
	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
		if (strcmp(step, steps[i].name) == 0) {
			steps[i].run();
			return;
		}
	bool off = *step == '-';
	int index = step[off] - 'A';
	assert_in_range(index, 0, HANDLERS - 1);
	if (off)
		take_off(index);
	else
		install(index, strchr(step, ':'));
}

static void take_steps(const char *all)
{
	char *copy = strdup(all);
	char *rest = copy;
	assert_non_null(copy);
	for (char *step; (step = strtok_r(NULL, " ", &rest)) != NULL;)
		take_step(step);
	free(copy);
}

/* ---- the first table ---- */

/*
 * name; steps; what comes of a fault of ours, a foreign fault, kill(2), sigqueue(3), and of a foreign fault after the
 * guard was disabled.
 */
#define CELLS(X)                                                                                             \
	/* installed before ours */                                                                              \
	X(before_default, "enable", "0", "!", "!", "!", "!")                                                     \
	X(before_ignored, "ignore enable", "0", "!", "", "", "!")                                                \
	X(before_plain, "A:plain enable", "0", "A^", "A", "A", "A^")                                             \
	X(before_with_info, "A enable", "0", "A^", "A", "Av", "A^")                                              \
	X(before_mending, "A:mend enable", "0", "A+", "A", "Av", "A+")                                           \
	X(before_once, "A:once enable", "0", "A^", "A", "Av", "A^")                                              \
	X(before_once_and_called, "A:once enable kill", "0", "!", "!", "!", "!")                                 \
	X(before_with_nodefer, "A:nodefer enable", "0", "Ad^", "Ad", "Adv", "Ad^")                               \
	X(before_with_a_mask, "A:mask enable", "0", "Am^", "Am", "Amv", "Am^")                                   \
	X(before_two_that_chain, "A B:chain enable", "0", "BA^", "BA", "BvAv", "BA^")                            \
	X(before_chained_to_default, "A:chain enable", "0", "A!", "A!", "Av!", "A!")                             \
	/* stacks, masks, reads inside a handler */                                                              \
	X(stack_of_its_own, "stack A:onstack enable", "0", "As^", "As", "Asv", "As^")                            \
	X(stack_not_asked_for, "stack A enable", "0", "As^", "As", "Asv", "A^")                                  \
	X(stack_asked_for_but_missing, "A:onstack enable", "0", "A^", "A", "Av", "A^")                           \
	X(stack_without_handler, "stack enable", "0", "!", "!", "!", "!")                                        \
	X(stack_small, "small-stack A:onstack enable", "0", "As^", "As", "Asv", "As^")                           \
	X(stack_small_and_a_long_chain,                                                                          \
	  "small-stack A:onstack enable B:chain miss C:chain miss D:chain miss E:chain miss", "0",               \
	  "EsDsCsBsAs^", "EsDsCsBsAs", "EsvDsvCsvBsvAsv", "EDCBA^")                                              \
	X(blocked_in_the_thread, "A enable block", "!", "!", "", "", "!")                                        \
	X(handler_reads_ours, "A:reads enable", "0", "A!", "A!", "Av!", "A^")                                    \
	X(handler_reads_ours_with_nodefer, "A:reads,nodefer enable", "0", "Adr^", "Adr", "Advr", "Ad^")          \
	/* installed after ours */                                                                               \
	X(after_alone, "enable A", "A^", "A^", "A", "Av", "A^")                                                  \
	X(after_alone_then_miss, "enable A miss", "0", "A^", "A", "Av", "A^")                                    \
	X(after_alone_again_and_again, "B enable A miss A miss A miss", "0", "A^", "A", "Av", "A^")              \
	X(after_plain_then_miss, "enable A:plain miss", "0", "A^", "A", "A", "A^")                               \
	X(after_once_then_miss, "B enable A:once miss", "0", "A^", "A", "Av", "A^")                              \
	X(after_default, "A enable default", "!", "!", "!", "!", "!")                                            \
	X(after_default_then_miss, "A enable default miss", "0", "!", "!", "!", "!")                             \
	X(after_ignored_then_miss, "A enable ignore miss", "0", "!", "", "", "!")                                \
	X(after_chaining, "enable A:chain", "A0", "A!", "A!", "Av!", "A!")                                       \
	X(after_chaining_then_miss, "enable A:chain miss", "0", "A!", "A!", "Av!", "A!")                         \
	X(after_chaining_to_one_before, "B enable A:chain miss", "0", "AB^", "AB", "AvBv", "AB^")                \
	X(after_chaining_to_ignored, "ignore enable A:chain miss", "0", "A!", "A", "Av", "A!")                   \
	X(after_chaining_to_mending, "B:mend enable A:chain miss", "0", "AB+", "AB", "AvBv", "AB+")              \
	X(after_chaining_with_copies, "B enable A:chain,copies miss", "0", "AB^", "AB", "AvBv", "AB^")           \
	X(after_chaining_with_nothing, "B:plain enable A:chain,bare miss", "0", "AB^", "AB", "AvB", "AB^")       \
	X(after_two_that_chain, "C enable A:chain miss B:chain miss", "0", "BAC^", "BAC", "BvAvCv", "BAC^")      \
	X(after_two_with_one_miss, "C enable A:chain B:chain miss", "0", "BAC^", "BAC", "BvAvCv", "BAC^")        \
	X(after_one_alone_over_one_that_chains, "C enable A:chain miss B miss", "0", "B^", "B", "Bv", "B^")      \
	/* taken off again */                                                                                    \
	X(off_again, "B enable A:chain -A", "0", "B^", "B", "Bv", "B^")                                          \
	X(off_again_after_a_miss, "B enable A:chain miss -A", "0", "B^", "B", "Bv", "B^")                        \
	X(off_again_alone_after_a_miss, "B enable A miss -A", "0", "B^", "B", "Bv", "B^")                        \
	X(off_again_and_on_again, "B enable A:chain miss -A A:chain miss", "0", "AB^", "AB", "AvBv", "AB^")      \
	X(off_again_the_upper_of_two, "C enable A:chain miss B:chain miss -B", "0", "AC^", "AC", "AvCv", "AC^")  \
	X(off_again_to_default, "B enable A:chain miss default miss", "0", "!", "!", "!", "!")                   \
	X(off_again_by_signal, "B enable A:signal -A miss", "0", "B^", "B", "Bv", "B^")                          \
	/* rings: who remembers ours is installed once more */                                                   \
	X(ring_of_one, "B enable A:chain miss A:chain", "A0", "AB^", "AB", "AvBv", "AB^")                        \
	X(ring_of_one_then_miss, "B enable A:chain miss A:chain miss", "0", "AB^", "AB", "AvBv", "AB^")          \
	X(ring_of_one_over_default, "enable A:chain miss A:chain miss", "0", "A!", "A!", "Av!", "A!")            \
	X(ring_of_one_over_ignored, "ignore enable A:chain miss A:chain miss", "0", "A!", "A", "Av", "A!")       \
	X(ring_of_one_again_and_again, "B enable A:chain miss A:chain miss A:chain miss A:chain miss", "0",      \
	  "AB^", "AB", "AvBv", "AB^")                                                                            \
	X(ring_of_two, "C enable A:chain miss B:chain miss A:chain miss", "0", "ABC^", "ABC", "AvBvCv", "ABC^")  \
	X(ring_of_two_twice, "C enable A:chain miss B:chain miss A:chain miss B:chain miss", "0", "BAC^", "BAC", \
	  "BvAvCv", "BAC^")                                                                                      \
	X(ring_of_three_over_default,                                                                            \
	  "enable A:chain miss B:chain miss C:chain miss A:chain miss B:chain miss C:chain miss", "0", "CBA!",   \
	  "CBA!", "CvBvAv!", "CBA!")                                                                             \
	X(ring_with_one_before, "A:chain enable A:chain", "A0", "A!", "A!", "Av!", "A!")                         \
	X(ring_with_one_before_then_miss, "A:chain enable A:chain miss", "0", "A!", "A!", "Av!", "A!")           \
	X(ring_left_by_longjmp, "B enable A:chain miss A:chain miss fault fault fault", "0", "AB^", "AB",        \
	  "AvBv", "AB^")                                                                                         \
	X(ring_that_mends, "B:mend enable A:chain miss A:chain miss", "0", "AB+", "AB", "AvBv", "AB+")           \
	X(ring_with_copies, "B enable A:chain,copies miss A:chain,copies miss", "0", "AB^", "AB", "AvBv", "AB^") \
	X(more_than_there_are_levels,                                                                            \
	  "enable A miss B miss C miss D miss E miss F miss G miss H miss I miss J miss K miss L miss M miss "   \
	  "N miss O miss P miss Q miss R miss",                                                                  \
	  "0", "R^", "R", "Rv", "R^")                                                                            \
	X(more_that_chain_than_there_are_levels,                                                                 \
	  "A enable B:chain miss C:chain miss D:chain miss E:chain miss F:chain miss G:chain miss H:chain miss " \
	  "I:chain miss J:chain miss K:chain miss L:chain miss M:chain miss N:chain miss O:chain miss "          \
	  "P:chain miss Q:chain miss R:chain miss",                                                              \
	  "0", "RA^", "RA", "RvAv", "RA^")                                                                       \
	/* the guard is switched */                                                                              \
	X(disabled_and_enabled, "A enable disable enable", "0", "A^", "A", "Av", "A^")                           \
	X(enabled_twice_disabled_once, "A enable enable disable", "0", "A^", "A", "Av", "A^")                    \
	X(disabled, "A enable disable", "A^", "A^", "A", "Av", "A^")                                             \
	X(disabled_over_default, "enable disable", "!", "!", "!", "!", "!")                                      \
	X(disabled_below_one_that_chains, "B enable A:chain disable", "AB^", "AB^", "AB", "AvBv", "AB^")         \
	X(disabled_in_a_ring, "B enable A:chain miss A:chain disable", "AB^", "AB^", "AB", "AvBv", "AB^")        \
	X(disabled_in_a_ring_after_a_miss, "B enable A:chain miss A:chain miss disable", "AB^", "AB^", "AB",     \
	  "AvBv", "AB^")                                                                                         \
	X(enabled_again_below_one_that_chains, "B enable A:chain disable enable", "0", "AB^", "AB", "AvBv", "AB^")

typedef struct cell {
	const char *name, *steps, *ours, *foreign, *sent, *queued, *after;
} cell;

/* ThreadSanitizer puts a handler of its own between, and not all flags come through it. */
static void skip_what_a_sanitizer_changes(void)
{
	if (THREAD_SANITIZER)
		skip_test("ThreadSanitizer calls handlers in its own way, without SA_NODEFER and SA_RESTART");
}

static void run_cell(const cell *c)
{
	if (has_option(c->steps, "nodefer"))
		skip_what_a_sanitizer_changes();
	prepare();
	take_steps(c->steps);
	/* Twice: what comes of one signal leaves nothing behind for the next. */
	for (int i = 0; i < 2; i++) {
		assert_string_equal(what_comes_of(a_fault_of_ours), c->ours);
		assert_string_equal(what_comes_of(a_foreign_fault), c->foreign);
		assert_string_equal(what_comes_of(a_signal_sent), c->sent);
		assert_string_equal(what_comes_of(a_signal_queued), c->queued);
	}
	disable_all();
	assert_string_equal(what_comes_of(a_foreign_fault), c->after);
	clean_up();
}

/* ---- the second table: what takes more than steps ---- */

/* As the system would send it, with this code and the address of a page of ours that cannot be read. */
static int code_to_send;

static void send_with_code(void)
{
	siginfo_t info = {.si_signo = SIGBUS};
	info.si_code = code_to_send;
	info.si_addr = (void *)(uintptr_t)smmap_cursor_data(&ours);
	in_a_fault = true;
	if (sigsetjmp(out, 1) == 0)
		assert_int_equal(syscall(SYS_rt_tgsigqueueinfo, getpid(), syscall(SYS_gettid), SIGBUS, &info), 0);
	usleep(1000);
}

static const char *what_comes_of_code(int code)
{
	code_to_send = code;
	return what_comes_of(send_with_code);
}

static void memory_failure(void)
{
	prepare();
	take_steps("enable");
	assert_string_equal(what_comes_of_code(BUS_MCEERR_AO), "!");
	take_steps("disable ignore enable");
	assert_string_equal(what_comes_of_code(BUS_MCEERR_AO), "");
	take_steps("disable A enable");
	assert_string_equal(what_comes_of_code(BUS_MCEERR_AO), "Ae");
	assert_string_equal(what_comes_of_code(BUS_MCEERR_AR), "");
	clean_up();
}

static void other_codes(void)
{
	prepare();
	take_steps("enable");
	assert_string_equal(what_comes_of_code(BUS_ADRALN), "!");
	assert_string_equal(what_comes_of_code(BUS_OBJERR), "!");
	take_steps("disable A enable");
	assert_string_equal(what_comes_of_code(BUS_ADRALN), "A");
	assert_string_equal(what_comes_of_code(BUS_OBJERR), "A");
	/* The one that means a page that the file does not have. */
	assert_string_equal(what_comes_of_code(BUS_ADRERR), "");
	clean_up();
}

static int pipe_ends[2];

/* Reads from a pipe; another process sends the signal, and then a byte. */
static void be_interrupted(void)
{
	char byte;
	pid_t parent = getpid();
	assert_int_equal(pipe(pipe_ends), 0);
	pid_t child = fork();
	if (child == 0) {
		usleep(100000);
		kill(parent, SIGBUS);
		usleep(100000);
		_exit(write(pipe_ends[1], "x", 1) == 1 ? 0 : 1);
	}
	say(read(pipe_ends[0], &byte, 1) == 1 ? '+' : errno == EINTR ? '-' : '?');
	waitpid(child, NULL, 0);
}

static void interrupted_calls(void)
{
	skip_what_a_sanitizer_changes();
	prepare();
	take_steps("A:plain enable");
	assert_string_equal(what_comes_of(be_interrupted), "A-");
	take_steps("disable A:signal enable");
	assert_string_equal(what_comes_of(be_interrupted), "A+");
	take_steps("disable ignore enable");
	assert_string_equal(what_comes_of(be_interrupted), "+");
	clean_up();
}

static void *fault_in_a_thread(void *with_stack)
{
	if (with_stack != NULL)
		use_stack(65536);
	a_fault_of_ours();
	a_foreign_fault();
	if (with_stack != NULL)
		sigaltstack(&(stack_t){.ss_flags = SS_DISABLE}, NULL);
	return NULL;
}

static void fault_in_two_threads(void)
{
	pthread_t thread;
	pthread_create(&thread, NULL, fault_in_a_thread, NULL);
	pthread_join(thread, NULL);
	pthread_create(&thread, NULL, fault_in_a_thread, "yes");
	pthread_join(thread, NULL);
}

static void other_threads(void)
{
	prepare();
	take_steps("A:onstack enable");
	assert_string_equal(what_comes_of(fault_in_two_threads), "0A^0As^");
	clean_up();
}

static void blocked_in_another_thread(void)
{
	prepare();
	take_steps("enable");
	sigset_t mask, old;
	sigemptyset(&mask);
	sigaddset(&mask, SIGBUS);
	/* The system kills for a fault whose signal is blocked, without asking anybody. */
	assert_int_equal(pthread_sigmask(SIG_BLOCK, &mask, &old), 0);
	assert_string_equal(what_comes_of(a_fault_of_ours), "!");
	assert_int_equal(pthread_sigmask(SIG_SETMASK, &old, NULL), 0);
	assert_string_equal(what_comes_of(a_fault_of_ours), "0");
	clean_up();
}

static smmap_cursor second;

static void fault_of_the_second(void)
{
	see(smmap_cursor_data(&second));
}

static void several_managers(void)
{
	prepare();
	smmap_manager *other = new_manager(SMMAP_PLACEMENT_DETACHED, page, MIB);
	const char *path = files_make("second", 4 * page, 4);
	take_steps("A enable B:chain miss");
	open_cursor(&second, other, path);
	use_and_check(&second, 2 * page, 0, page, 4);
	assert_int_equal(truncate(path, 0), 0);
	assert_string_equal(what_comes_of(a_fault_of_ours), "0");
	assert_string_equal(what_comes_of(fault_of_the_second), "0");
	assert_string_equal(what_comes_of(a_foreign_fault), "BA^");
	smmap_cursor_close(&second);
	free_manager(other);
	assert_string_equal(what_comes_of(a_fault_of_ours), "0");
	clean_up();
}

/* ---- another copy of the library ---- */

static struct {
	void *handle;
	int (*enable)(void);
	int (*disable)(void);
	int (*manager_new)(smmap_manager **, const smmap_options *);
	int (*manager_free)(smmap_manager *);
	uint64_t (*collect)(smmap_manager *);
	int (*open)(smmap_cursor *, smmap_manager *, const char *, int);
	int64_t (*use_region)(smmap_cursor *, uint64_t, uint64_t);
	void (*close)(smmap_cursor *);
	smmap_manager *manager;
	smmap_cursor ours, cold;
} copy;

static void find_in_copy(const char *name, void *function, size_t size)
{
	void *found = dlsym(copy.handle, name);
	assert_non_null(found);
	memcpy(function, &found, size);
}

#define FIND_IN_COPY(member, name) find_in_copy(name, &copy.member, sizeof copy.member)

static void open_copy(void)
{
	char path[PATH_MAX + 32] = "";
	assert_true(readlink("/proc/self/exe", path, PATH_MAX) > 0);
	for (int i = 0; i < 2; i++)
		*strrchr(path, '/') = 0;
	strcat(path, "/libsmmap.so");
	copy.handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (copy.handle == NULL)
		fail_msg("%s", dlerror());
	FIND_IN_COPY(enable, "smmap_guard_enable");
	FIND_IN_COPY(disable, "smmap_guard_disable");
	FIND_IN_COPY(manager_new, "smmap_manager_new");
	FIND_IN_COPY(manager_free, "smmap_manager_free");
	FIND_IN_COPY(collect, "smmap_manager_collect");
	FIND_IN_COPY(open, "smmap_cursor_open");
	FIND_IN_COPY(use_region, "smmap_cursor_use_region");
	FIND_IN_COPY(close, "smmap_cursor_close");
	assert_true(copy.enable != smmap_guard_enable);
}

static void use_copy(void)
{
	smmap_options options = SMMAP_OPTIONS_INIT;
	options.window_size = (int64_t)page;
	options.placement = SMMAP_PLACEMENT_STABLE;
	const char *path = files_make("copy's", 4 * page, 5);
	assert_int_equal(copy.manager_new(&copy.manager, &options), 0);
	assert_int_equal(copy.open(&copy.ours, copy.manager, path, 0), 0);
	assert_int_equal(copy.use_region(&copy.ours, page, 0), page);
	assert_int_equal(truncate(path, 0), 0);
	assert_int_equal(copy.open(&copy.cold, copy.manager, files_make("copy's cold", 20 * page, 6), 0), 0);
}

static void copy_misses(void)
{
	static uint64_t at;
	(void)copy.collect(copy.manager);
	assert_int_equal(copy.use_region(&copy.cold, at++ % 20 * page, 0), page);
}

static void let_copy_go(void)
{
	copy.close(&copy.ours);
	copy.close(&copy.cold);
	assert_int_equal(copy.manager_free(copy.manager), 0);
}

static void fault_of_copys(void)
{
	see(smmap_cursor_data(&copy.ours));
}

static void two_copies(void)
{
	prepare();
	open_copy();
	use_copy();
	take_steps("small-stack A:onstack enable");
	assert_int_equal(copy.enable(), 0);
	/* Each puts itself over the other when it misses, for ever. */
	for (int i = 0; i < 60; i++) {
		if (i < 3 || i > 57) {
			assert_string_equal(what_comes_of(a_fault_of_ours), "0");
			assert_string_equal(what_comes_of(fault_of_copys), "0");
			assert_string_equal(what_comes_of(a_foreign_fault), "As^");
			assert_string_equal(what_comes_of(a_signal_queued), "Asv");
		}
		miss();
		copy_misses();
	}
	/* Ours is disabled below the other, and goes on handing on. */
	take_steps("disable");
	assert_string_equal(what_comes_of(a_fault_of_ours), "As^");
	assert_string_equal(what_comes_of(fault_of_copys), "0");
	take_steps("enable");
	assert_string_equal(what_comes_of(a_fault_of_ours), "0");
	assert_int_equal(copy.disable(), 0);
	assert_string_equal(what_comes_of(fault_of_copys), "As^");
	assert_string_equal(what_comes_of(a_fault_of_ours), "0");
	disable_all();
	assert_string_equal(what_comes_of(a_foreign_fault), "As^");
	let_copy_go();
	dlclose(copy.handle);
	clean_up();
}

static void two_copies_and_a_ring(void)
{
	prepare();
	open_copy();
	use_copy();
	take_steps("B enable");
	assert_int_equal(copy.enable(), 0);
	for (int i = 0; i < 20; i++) {
		take_steps("A:chain");
		miss();
		assert_string_equal(what_comes_of(fault_of_copys), "A0");
		copy_misses();
		assert_string_equal(what_comes_of(a_fault_of_ours), "0");
		assert_string_equal(what_comes_of(fault_of_copys), "0");
		assert_string_equal(what_comes_of(a_foreign_fault), "AB^");
	}
	assert_int_equal(copy.disable(), 0);
	disable_all();
	let_copy_go();
	dlclose(copy.handle);
	clean_up();
}

static void unloaded_while_enabled(void)
{
	prepare();
	take_steps("A");
	open_copy();
	use_copy();
	assert_int_equal(copy.enable(), 0);
	take_steps("B:chain");
	assert_int_equal(dlclose(copy.handle), 0);
	/* It stays in memory, since nobody knows who remembers its handler. */
	assert_string_equal(what_comes_of(fault_of_copys), "B0");
	assert_string_equal(what_comes_of(a_foreign_fault), "BA^");
	take_steps("-B");
	assert_string_equal(what_comes_of(fault_of_copys), "0");
	assert_string_equal(what_comes_of(a_foreign_fault), "A^");
	assert_int_equal(copy.disable(), 0);
	let_copy_go();
	clean_up();
}

static void unloaded_after_it_was_disabled(void)
{
	prepare();
	take_steps("A");
	open_copy();
	use_copy();
	assert_int_equal(copy.enable(), 0);
	take_steps("B:chain");
	assert_int_equal(copy.disable(), 0);
	let_copy_go();
	assert_int_equal(dlclose(copy.handle), 0);
	assert_string_equal(what_comes_of(a_foreign_fault), "BA^");
	assert_string_equal(what_comes_of(a_signal_sent), "BA");
	clean_up();
}

#define OWN_CELLS(X)                                                                                         \
	X(memory_failure, "`BUS_MCEERR_AO` is handed on, whatever its address: default action, ignored, or "     \
	                  "handler; `BUS_MCEERR_AR` in a page of ours is contained, and the file is marked")     \
	X(other_codes, "`BUS_ADRALN` and `BUS_OBJERR` are handed on, `BUS_ADRERR` is contained")                 \
	X(interrupted_calls, "a call of the system that the signal interrupts goes on, or ends with EINTR, as "  \
	                     "it would without us")                                                              \
	X(other_threads, "contained in any thread, with an alternate stack and without")                         \
	X(blocked_in_another_thread, "a thread that blocks SIGBUS dies of a fault, others do not")               \
	X(several_managers, "one guard for all; freeing one manager leaves the others guarded")                  \
	X(two_copies, "of the library (linked statically and loaded): each contains its own; on top of each "    \
	              "other again and again, foreign faults end where they would")                              \
	X(two_copies_and_a_ring, "the same with a handler between them that is installed again and again")       \
	X(unloaded_while_enabled, "`dlclose` leaves the shared library in memory, and the guard at work")        \
	X(unloaded_after_it_was_disabled, "a handler that remembers ours can go on calling it after `dlclose`")

/* ---- the tests, and what is documented of them ---- */

#define CELL_NUMBER(name, ...) CELL_##name,
enum { CELLS(CELL_NUMBER) CELL_COUNT };

static const cell cells[] = {
#define CELL_ENTRY(name, ...) {#name, __VA_ARGS__},
	CELLS(CELL_ENTRY)};

#define CELL_FUNCTION(name, ...)                                                                             \
	static void name(void)                                                                                   \
	{                                                                                                        \
		run_cell(&cells[CELL_##name]);                                                                       \
	}
CELLS(CELL_FUNCTION)

static const struct {
	const char *name, *what;
} own_cells[] = {
#define OWN_ENTRY(name, what) {#name, what},
	OWN_CELLS(OWN_ENTRY)};

static void print_tables(FILE *to)
{
	fprintf(to, "| test | steps | a fault of ours | a foreign fault | kill | sigqueue | a foreign fault "
	            "after disabling |\n"
	            "| --- | --- | --- | --- | --- | --- | --- |\n");
	for (size_t i = 0; i < sizeof cells / sizeof *cells; i++) {
		const cell *c = &cells[i];
		const char *columns[] = {c->ours, c->foreign, c->sent, c->queued, c->after};
		fprintf(to, "| %s | %s |", c->name, c->steps);
		for (int k = 0; k < 5; k++)
			fprintf(to, *columns[k] != 0 ? " `%s` |" : " |", columns[k]);
		fprintf(to, "\n");
	}
	fprintf(to, "\n| test | what happens |\n| --- | --- |\n");
	for (size_t i = 0; i < sizeof own_cells / sizeof *own_cells; i++)
		fprintf(to, "| %s | %s |\n", own_cells[i].name, own_cells[i].what);
}

static char *read_documentation(void)
{
	char path[2 * PATH_MAX] = "";
	const char *here = __FILE__; /* from the build directory, two above this program */
	if (*here != '/') {
		assert_true(readlink("/proc/self/exe", path, PATH_MAX) > 0);
		for (int i = 0; i < 2; i++)
			*strrchr(path, '/') = 0;
		strcat(path, "/");
	}
	strcat(path, here);
	strcpy(strstr(path, "tests/guard/test_signals.c"), "docs/signals.md");
	FILE *file = fopen(path, "re");
	if (file == NULL)
		fail_msg("no %s", path);
	char *text = calloc(1, 1 << 16);
	assert_non_null(text);
	assert_true(fread(text, 1, (1 << 16) - 1, file) > 0);
	fclose(file);
	return text;
}

/* Word for word, and nothing else. */
static void the_documentation_has_these_tables(void)
{
	char *documented = read_documentation(), *tables = NULL;
	size_t size;
	FILE *to = open_memstream(&tables, &size);
	assert_non_null(to);
	print_tables(to);
	fclose(to);
	char *begin = strstr(documented, "| test | steps");
	assert_non_null(begin);
	if (strcmp(begin, tables) != 0)
		fail_msg("docs/signals.md does not end with what %s --table prints", "guard-signals");
	free(tables);
	free(documented);
}

int main(int argc, char **argv)
{
	static const test_case tests[] = {
#define CELL_TEST(name, ...) TEST(name, .seconds = 120),
		CELLS(CELL_TEST) OWN_CELLS(CELL_TEST) TEST(the_documentation_has_these_tables)};
	if (argc == 2 && strcmp(argv[1], "--table") == 0) {
		print_tables(stdout);
		return 0;
	}
	return run_test_program(argc, argv, tests, sizeof tests / sizeof *tests);
}
