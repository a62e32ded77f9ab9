/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The seam of smmap_faults.h. Some of these calls are made inside a signal handler: nothing here but atomics and errno.
 */
#define SMMAP_FAULTS_INSIDE
#include "os/os.h"
#include "os/system.h"

#include <smmap_faults.h>

#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static _Atomic uint64_t counts[SMMAP_FAULT_KINDS];

static _Atomic unsigned armed_kinds;
/* Written before `armed_kinds` and read after it. */
static uint64_t armed_nth;
static uint64_t armed_times;
static int armed_error;
static _Atomic uint64_t armed_calls;
static _Atomic uint64_t fired;

/* The value of errno that this call of `kind` has to fail with, or 0. */
static int error_of(unsigned kind)
{
	atomic_fetch_add_explicit(&counts[__builtin_ctz(kind)], 1, memory_order_relaxed);
	if ((atomic_load_explicit(&armed_kinds, memory_order_acquire) & kind) == 0)
		return 0;
	uint64_t call = atomic_fetch_add_explicit(&armed_calls, 1, memory_order_relaxed) + 1;
	if (call < armed_nth || call - armed_nth >= armed_times)
		return 0;
	atomic_fetch_add_explicit(&fired, 1, memory_order_relaxed);
	return armed_error;
}

static bool fails(unsigned kind)
{
	int error = error_of(kind);
	if (error != 0)
		errno = error;
	return error != 0;
}

/* ---- the calls ---- */

#define CALL(type, failure, kind, name, parameters, call)                                                    \
	type smmap__fault_##name parameters                                                                      \
	{                                                                                                        \
		return fails(SMMAP_FAULT_##kind) ? (failure) : (call);                                               \
	}

CALL(void *, NULL, MALLOC, malloc, (size_t size), malloc(size))
CALL(int, -1, OPEN, open, (const char *path, int flags), open(path, flags))
CALL(int, -1, FCNTL, fcntl, (int descriptor, int command, int argument), fcntl(descriptor, command, argument))
CALL(int, -1, FSTAT, fstat, (int descriptor, struct stat *st), fstat(descriptor, st))
CALL(int, -1, STAT, stat, (const char *path, struct stat *st), stat(path, st))
CALL(long, -1, PROCESS_MADVISE, SYS_process_madvise,
     (long number, int process, const struct iovec *ranges, size_t count, int advice, unsigned flags),
     syscall(number, process, ranges, count, advice, flags))
CALL(long, -1, STATX, SYS_statx,
     (long number, int directory, const char *path, int flags, unsigned mask, struct statx *st),
     syscall(number, directory, path, flags, mask, st))
CALL(int, -1, FSTATFS, fstatfs, (int descriptor, struct statfs *fs), fstatfs(descriptor, fs))
CALL(long, -1, IOCTL, SYS_ioctl, (long number, int descriptor, unsigned long request, void *argument),
     syscall(number, descriptor, request, argument))
CALL(ssize_t, -1, PREAD, pread, (int descriptor, void *to, size_t size, off_t offset),
     pread(descriptor, to, size, offset))
CALL(ssize_t, -1, READ, read, (int descriptor, void *to, size_t size), read(descriptor, to, size))
CALL(void *, MAP_FAILED, MMAP, mmap,
     (void *at, size_t length, int protection, int flags, int descriptor, off_t offset),
     mmap(at, length, protection, flags, descriptor, offset))
CALL(int, -1, MUNMAP, munmap, (void *address, size_t length), munmap(address, length))
CALL(void *, MAP_FAILED, MREMAP, mremap, (void *address, size_t length, size_t new_length, int flags),
     mremap(address, length, new_length, flags))
CALL(int, -1, MPROTECT, mprotect, (void *address, size_t length, int protection),
     mprotect(address, length, protection))
CALL(int, -1, MUNLOCK, munlock, (const void *address, size_t length), munlock(address, length))
CALL(int, -1, MADVISE, madvise, (void *address, size_t length, int advice), madvise(address, length, advice))
CALL(int, -1, MINCORE, mincore, (void *address, size_t length, unsigned char *pages),
     mincore(address, length, pages))
CALL(int, -1, GETRLIMIT, getrlimit, (int resource, struct rlimit *limit),
     getrlimit((unsigned)resource, limit))
CALL(int, -1, SIGACTION, sigaction, (int number, const struct sigaction *action, struct sigaction *before),
     sigaction(number, action, before))

long smmap__fault_SYS_rt_tgsigqueueinfo(long number, pid_t process, pid_t thread, int signal, siginfo_t *info)
{
	return syscall(number, process, thread, signal, info);
}

/* It fails after the fact: Linux has let go of the descriptor by then. */
int smmap__fault_close(int descriptor)
{
	int result = close(descriptor);
	return fails(SMMAP_FAULT_CLOSE) ? -1 : result;
}

/* These return the error. */
#define THREAD_CALL(kind, name, parameters, call)                                                            \
	int smmap__fault_##name parameters                                                                       \
	{                                                                                                        \
		int error = error_of(SMMAP_FAULT_##kind);                                                            \
		return error != 0 ? error : (call);                                                                  \
	}

THREAD_CALL(ATFORK, atfork, (void (*before)(void), void (*in_parent)(void), void (*in_child)(void)),
            pthread_atfork(before, in_parent, in_child))
THREAD_CALL(MUTEX_INIT, mutex_init, (pthread_mutex_t * mutex, const pthread_mutexattr_t *attributes),
            pthread_mutex_init(mutex, attributes))
THREAD_CALL(COND_INIT, cond_init, (pthread_cond_t * condition, const pthread_condattr_t *attributes),
            pthread_cond_init(condition, attributes))

/* ---- public ---- */

const char *smmap_fault_name(unsigned kind)
{
	switch (kind) {
#define SMMAP_X(name, bit, text)                                                                             \
	case SMMAP_FAULT_##name:                                                                                 \
		return text;
		SMMAP_FAULT_MAP(SMMAP_X)
#undef SMMAP_X
	default:
		return NULL;
	}
}

void smmap_faults_arm(unsigned kinds, uint64_t nth, int error, uint64_t times)
{
	smmap_faults_disarm();
	atomic_store_explicit(&armed_calls, 0, memory_order_relaxed);
	atomic_store_explicit(&fired, 0, memory_order_relaxed);
	armed_nth = nth;
	armed_times = times;
	armed_error = error;
	atomic_store_explicit(&armed_kinds, kinds, memory_order_release);
}

void smmap_faults_disarm(void)
{
	atomic_store_explicit(&armed_kinds, 0, memory_order_relaxed);
}

uint64_t smmap_faults_fired(void)
{
	return atomic_load_explicit(&fired, memory_order_relaxed);
}

uint64_t smmap_faults_count(unsigned kinds)
{
	uint64_t sum = 0;
	for (unsigned i = 0; i < SMMAP_FAULT_KINDS; i++)
		if ((kinds >> i & 1) != 0)
			sum += atomic_load_explicit(&counts[i], memory_order_relaxed);
	return sum;
}

void smmap_faults_reset(void)
{
	smmap_faults_disarm();
	for (unsigned i = 0; i < SMMAP_FAULT_KINDS; i++)
		atomic_store_explicit(&counts[i], 0, memory_order_relaxed);
}
