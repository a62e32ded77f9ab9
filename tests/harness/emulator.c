/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Makes up for one defect of an emulator. qemu-user 7.2 hands the address of a bus error on as two numbers of 32 bits;
 * a big-endian program of 64 bits gets them in the wrong order. Where a fault of our own shows that it is so, handlers are
 * called through one of ours that puts the halves right. Linked into big-endian builds, with --wrap=sigaction;
 * without the defect everything goes straight through.
 */
#include <err.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

/* NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp): the linker makes the names */
int __real_sigaction(int signal, const struct sigaction *to, struct sigaction *old);
int __wrap_sigaction(int signal, const struct sigaction *to, struct sigaction *old);
/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */

static bool halves_are_exchanged;
static struct sigaction wanted; /* what the program believes is installed, when ours is */

static void *exchanged(const void *address)
{
	uint64_t halves = (uint64_t)(uintptr_t)address;
	return (void *)(uintptr_t)(halves << 32 | halves >> 32);
}

static void put_right(int signal, siginfo_t *info, void *context)
{
	void (*handler)(int, siginfo_t *, void *) = wanted.sa_sigaction;
	if ((wanted.sa_flags & (int)SA_RESETHAND) != 0)
		wanted = (struct sigaction){.sa_handler = SIG_DFL};
	if (info->si_code > 0)
		info->si_addr = exchanged(info->si_addr);
	handler(signal, info, context);
}

int __wrap_sigaction(int signal, const struct sigaction *to, struct sigaction *old)
{
	if (signal != SIGBUS || !halves_are_exchanged)
		return __real_sigaction(signal, to, old);
	struct sigaction before = wanted;
	struct sigaction now;
	struct sigaction ours;
	if (to != NULL) {
		ours = *to;
		if ((to->sa_flags & SA_SIGINFO) != 0) {
			wanted = *to;
			ours.sa_sigaction = put_right;
		}
	}
	int result = __real_sigaction(signal, to != NULL ? &ours : NULL, &now);
	bool was_ours = (now.sa_flags & SA_SIGINFO) != 0 && now.sa_sigaction == put_right;
	if (result == 0 && old != NULL)
		*old = was_ours ? before : now;
	return result;
}

static sigjmp_buf back;
static void *volatile seen;

static void see(int signal, siginfo_t *info, void *context)
{
	(void)signal;
	(void)context;
	seen = info->si_addr;
	siglongjmp(back, 1);
}

__attribute__((constructor)) static void look_for_the_defect(void)
{
	struct sigaction before;
	struct sigaction ours = {.sa_flags = SA_SIGINFO};
	size_t size = (size_t)sysconf(_SC_PAGESIZE);
	int empty = memfd_create("empty", MFD_CLOEXEC);
	void *page = mmap(NULL, size, PROT_READ, MAP_SHARED, empty, 0);
	if (empty < 0 || page == MAP_FAILED)
		err(1, "a mapping that fails");
	sigemptyset(&ours.sa_mask);
	ours.sa_sigaction = see;
	__real_sigaction(SIGBUS, &ours, &before);
	if (sigsetjmp(back, 1) == 0)
		(void)*(volatile unsigned char *)page;
	__real_sigaction(SIGBUS, &before, NULL);
	halves_are_exchanged = seen != page && seen == exchanged(page);
	munmap(page, size);
	close(empty);
}
