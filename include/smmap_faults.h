/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Makes the system fail: for tests of programs that use smmap, and for its own. Only a library that was built with
 * -Dfaults=true has these functions, and only such a build installs this header; any other has no trace of them.
 *
 * Every call of the library's to the system that can fail goes through here, allocations too (but for those of a
 * manager that was given an allocator: smmap_options.allocate). Two things can be asked for: that the n-th call of some
 * kinds fail, and how many calls there were. So all that a function does when the system refuses can be gone through:
 *
 *     for (uint64_t n = 1;; n++) {
 *         smmap_faults_arm(SMMAP_FAULT_ANY, n, ENOMEM, 1);
 *         int result = smmap_cursor_open(&cursor, manager, path, 0);
 *         smmap_faults_disarm();
 *         ...
 *         if (smmap_faults_fired() == 0)
 *             break;
 *     }
 *
 * A call that is made to fail does not reach the system, but for close, which on Linux closes even where it fails.
 * The state is the process's: any thread may make calls that are counted or fail, one thread at a time arms, disarms
 * and resets.
 */
#ifndef SMMAP_FAULTS_H
#define SMMAP_FAULTS_H

#include <smmap.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Every kind of call: X(NAME, bit, the function's name). */
#define SMMAP_FAULT_MAP(X)                                                                                   \
	X(MALLOC, 0, "malloc")                                                                                   \
	X(OPEN, 1, "open")                                                                                       \
	X(FCNTL, 2, "fcntl")                                                                                     \
	X(CLOSE, 3, "close")                                                                                     \
	X(FSTAT, 4, "fstat")                                                                                     \
	X(STAT, 5, "stat")                                                                                       \
	X(STATX, 6, "statx")                                                                                     \
	X(FSTATFS, 7, "fstatfs")                                                                                 \
	X(IOCTL, 8, "ioctl")                                                                                     \
	X(PREAD, 9, "pread")                                                                                     \
	X(READ, 10, "read")                                                                                      \
	X(MMAP, 11, "mmap")                                                                                      \
	X(MUNMAP, 12, "munmap")                                                                                  \
	X(MREMAP, 13, "mremap")                                                                                  \
	X(MPROTECT, 14, "mprotect")                                                                              \
	X(MUNLOCK, 15, "munlock")                                                                                \
	X(MADVISE, 16, "madvise")                                                                                \
	X(MINCORE, 17, "mincore")                                                                                \
	X(GETRLIMIT, 18, "getrlimit")                                                                            \
	X(SIGACTION, 19, "sigaction")                                                                            \
	X(ATFORK, 20, "pthread_atfork")                                                                          \
	X(MUTEX_INIT, 21, "pthread_mutex_init")                                                                  \
	X(COND_INIT, 22, "pthread_cond_init")                                                                    \
	X(PROCESS_MADVISE, 23, "process_madvise")

/* SMMAP_FAULT_MALLOC and so on: bits, so that several can be named at once. */
enum smmap_fault_kind {
#define SMMAP_X(name, bit, text) SMMAP_FAULT_##name = 1 << (bit),
	SMMAP_FAULT_MAP(SMMAP_X)
#undef SMMAP_X
		SMMAP_FAULT_KINDS = 24, /* how many there are */
	SMMAP_FAULT_ANY = (1 << SMMAP_FAULT_KINDS) - 1
};

/* The name of one kind, that of the system's function; NULL for what is none. Static storage. */
SMMAP_API const char *smmap_fault_name(unsigned kind);

#define SMMAP_FAULT_FOR_EVER UINT64_MAX

/*
 * From now on the `nth` call (1, 2, ...) of these kinds, counted together, fails with `error`, a value of errno; so do
 * the following ones until `times` have: 1 for once, SMMAP_FAULT_FOR_EVER until disarmed. Calls that are repeated
 * where they were interrupted are repeated for as long as `error` is EINTR. Replaces what was armed before.
 */
SMMAP_API void smmap_faults_arm(unsigned kinds, uint64_t nth, int error, uint64_t times);

/* No call fails any more. What smmap_faults_fired says stays. */
SMMAP_API void smmap_faults_disarm(void);

/* Calls that were made to fail since the last arming. */
SMMAP_API uint64_t smmap_faults_fired(void);

/* Calls of these kinds since the last reset, whether they were made to fail or not. */
SMMAP_API uint64_t smmap_faults_count(unsigned kinds);

/* Disarms, and all counts begin at 0 again. */
SMMAP_API void smmap_faults_reset(void);

#ifdef __cplusplus
}
#endif

#endif
