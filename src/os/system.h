/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The system's functions that can fail, as this layer calls them: to be included after all other headers by every file
 * of it. Nothing in a normal build. In one with -Dfaults=true each goes through os/faults.c, which can make it fail
 * (smmap_faults.h); tests/build/run.sh looks at the object files for calls that do not.
 *
 * Functions with a variable number of arguments are called with all that they can have.
 */
#ifndef SMMAP_SYSTEM_H
#define SMMAP_SYSTEM_H

#ifdef SMMAP_FAULTS

#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/vfs.h>

#include <linux/stat.h>

void *smmap__fault_malloc(size_t size);
int smmap__fault_open(const char *path, int flags);
int smmap__fault_fcntl(int descriptor, int command, int argument);
int smmap__fault_close(int descriptor);
int smmap__fault_fstat(int descriptor, struct stat *st);
int smmap__fault_stat(const char *path, struct stat *st);
long smmap__fault_SYS_statx(long number, int directory, const char *path, int flags, unsigned mask,
                            struct statx *st);
long smmap__fault_SYS_process_madvise(long number, int process, const struct iovec *ranges, size_t count,
                                      int advice, unsigned flags);
/* Never made to fail: the process ends with it. */
long smmap__fault_SYS_rt_tgsigqueueinfo(long number, pid_t process, pid_t thread, int signal,
                                        siginfo_t *info);
int smmap__fault_fstatfs(int descriptor, struct statfs *fs);
long smmap__fault_SYS_ioctl(long number, int descriptor, unsigned long request, void *argument);
ssize_t smmap__fault_pread(int descriptor, void *to, size_t size, off_t offset);
ssize_t smmap__fault_read(int descriptor, void *to, size_t size);
void *smmap__fault_mmap(void *at, size_t length, int protection, int flags, int descriptor, off_t offset);
int smmap__fault_munmap(void *address, size_t length);
void *smmap__fault_mremap(void *address, size_t length, size_t new_length, int flags);
int smmap__fault_mprotect(void *address, size_t length, int protection);
int smmap__fault_munlock(const void *address, size_t length);
int smmap__fault_madvise(void *address, size_t length, int advice);
int smmap__fault_mincore(void *address, size_t length, unsigned char *pages);
int smmap__fault_getrlimit(int resource, struct rlimit *limit);
int smmap__fault_sigaction(int number, const struct sigaction *action, struct sigaction *before);
int smmap__fault_atfork(void (*before)(void), void (*in_parent)(void), void (*in_child)(void));
int smmap__fault_mutex_init(pthread_mutex_t *mutex, const pthread_mutexattr_t *attributes);
int smmap__fault_cond_init(pthread_cond_t *condition, const pthread_condattr_t *attributes);

#ifndef SMMAP_FAULTS_INSIDE
#define malloc(...) smmap__fault_malloc(__VA_ARGS__)
#define open(...) smmap__fault_open(__VA_ARGS__)
#define fcntl(...) smmap__fault_fcntl(__VA_ARGS__)
#define close(...) smmap__fault_close(__VA_ARGS__)
#define fstat(...) smmap__fault_fstat(__VA_ARGS__)
#define stat(...) smmap__fault_stat(__VA_ARGS__)
/* What is called by its number has a function of that name each. */
#define syscall(number, ...) smmap__fault_##number(number, __VA_ARGS__)
#define fstatfs(...) smmap__fault_fstatfs(__VA_ARGS__)
#define pread(...) smmap__fault_pread(__VA_ARGS__)
#define read(...) smmap__fault_read(__VA_ARGS__)
#define mmap(...) smmap__fault_mmap(__VA_ARGS__)
#define munmap(...) smmap__fault_munmap(__VA_ARGS__)
#define mremap(...) smmap__fault_mremap(__VA_ARGS__)
#define mprotect(...) smmap__fault_mprotect(__VA_ARGS__)
#define munlock(...) smmap__fault_munlock(__VA_ARGS__)

#define madvise(...) smmap__fault_madvise(__VA_ARGS__)
#define mincore(...) smmap__fault_mincore(__VA_ARGS__)
#define getrlimit(...) smmap__fault_getrlimit(__VA_ARGS__)
#define sigaction(...) smmap__fault_sigaction(__VA_ARGS__)
#define pthread_atfork(...) smmap__fault_atfork(__VA_ARGS__)
#define pthread_mutex_init(...) smmap__fault_mutex_init(__VA_ARGS__)
#define pthread_cond_init(...) smmap__fault_cond_init(__VA_ARGS__)
#endif

#endif

#endif
