/* SPDX-License-Identifier: BSD-3-Clause */
#include "inside.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/userfaultfd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Linux 6.6; the headers may be older. */
#ifndef UFFD_FEATURE_POISON
#define UFFD_FEATURE_POISON (1 << 14)
struct uffdio_poison {
	struct uffdio_range range;
	__u64 mode;
	__s64 updated;
};
#define UFFDIO_POISON _IOWR(UFFDIO, 0x08, struct uffdio_poison)
#endif

static int faults = -1;

int inside_memory_error(const void *address)
{
	siginfo_t info;
	memset(&info, 0, sizeof info);
	info.si_signo = SIGBUS;
	info.si_code = BUS_MCEERR_AR;
	info.si_addr = (void *)(uintptr_t)address;
	info.si_addr_lsb = 12;
	return syscall(SYS_rt_tgsigqueueinfo, getpid(), gettid(), SIGBUS, &info) == 0 ? 0 : -errno;
}

static int open_faults(int how)
{
	struct uffdio_api api = {.api = UFFD_API};
	api.features = UFFD_FEATURE_MINOR_SHMEM |
	               (how == INSIDE_POISON ? (__u64)UFFD_FEATURE_POISON : (__u64)UFFD_FEATURE_SIGBUS);
	faults = (int)syscall(SYS_userfaultfd, O_CLOEXEC);
	if (faults < 0 || ioctl(faults, UFFDIO_API, &api) != 0)
		return -errno;
	return 0;
}

/* The page stays in the page cache; the next touch would only have to map it. */
static int break_mapping(uint64_t address, uint64_t length, int how)
{
	struct uffdio_register range = {.range = {address, length}, .mode = UFFDIO_REGISTER_MODE_MINOR};
	struct uffdio_poison poison = {.range = {address, length}};
	if (madvise((void *)(uintptr_t)address, (size_t)length, MADV_DONTNEED) != 0 ||
	    ioctl(faults, UFFDIO_REGISTER, &range) != 0)
		return -errno;
	if (how == INSIDE_POISON && ioctl(faults, UFFDIO_POISON, &poison) != 0)
		return -errno;
	return 0;
}

int inside_break(const char *name, uint64_t begin, uint64_t end, int how)
{
	char line[512];
	FILE *maps = fopen("/proc/self/maps", "re");
	int code = maps != NULL ? open_faults(how) : -errno;
	int found = 0;
	while (code == 0 && fgets(line, sizeof line, maps) != NULL) {
		uint64_t from, to, offset;
		if (strstr(line, name) == NULL ||
		    sscanf(line, "%" SCNx64 "-%" SCNx64 " %*s %" SCNx64, &from, &to, &offset) != 3)
			continue;
		uint64_t first = begin > offset ? begin : offset;
		uint64_t last = end < offset + (to - from) ? end : offset + (to - from);
		if (first < last) {
			code = break_mapping(from + (first - offset), last - first, how);
			found++;
		}
	}
	if (maps != NULL)
		fclose(maps);
	return code == 0 && found == 0 ? -ENOENT : code;
}

int inside_heal(void)
{
	if (faults >= 0)
		close(faults);
	faults = -1;
	return 0;
}

int inside_lock_all(void)
{
	return mlockall(MCL_FUTURE) == 0 ? 0 : -errno;
}
