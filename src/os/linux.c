/* SPDX-License-Identifier: BSD-3-Clause */
/* The os layer on Linux (glibc and musl): the table of calls and the facts. */
#include "os/os.h"

#include "base/arith.h"
#include "base/assert.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <linux/fs.h>
#include <linux/stat.h>

#include "os/system.h"

#ifndef MADV_DONTNEED_LOCKED
#define MADV_DONTNEED_LOCKED 24
#endif
#ifndef SYS_process_madvise
#define SYS_process_madvise 440
#endif

/* The table entries are called through function pointers, so that libc's own functions need a wrapper. */
static void *os_allocate(size_t size)
{
	return malloc(size);
}

static void os_deallocate(void *block)
{
	free(block);
}

static int os_open(const char *path, int flags, int *descriptor)
{
	smmap__assert(path != NULL && descriptor != NULL);
	smmap__assert((flags & O_ACCMODE) == O_RDONLY);
	int fd;
	do
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | flags);
	while (fd < 0 && errno == EINTR);
	if (fd < 0)
		return -errno;
	*descriptor = fd;
	return 0;
}

static int os_duplicate(int descriptor, int *copy)
{
	smmap__assert(copy != NULL);
	int flags = fcntl(descriptor, F_GETFL, 0);
	if (flags < 0)
		return -errno;
	if ((flags & O_ACCMODE) == O_WRONLY || (flags & O_PATH) != 0)
		return SMMAP_EBADF;
	int fd = fcntl(descriptor, F_DUPFD_CLOEXEC, 3);
	if (fd < 0)
		return errno == EINVAL ? SMMAP_EMFILE : -errno;
	*copy = fd;
	return 0;
}

static void os_close(int descriptor)
{
	smmap__assert(descriptor >= 0);
	/* Linux has let go of the descriptor even when close reports an interruption: never repeat it. */
	(void)close(descriptor);
}

static int type_of(const struct stat *st)
{
	if (S_ISREG(st->st_mode))
		return SMMAP__REGULAR;
	if (S_ISDIR(st->st_mode))
		return SMMAP__DIRECTORY;
	if (S_ISBLK(st->st_mode))
		return SMMAP__BLOCK_DEVICE;
	return SMMAP__OTHER;
}

static int64_t nanoseconds(struct timespec t)
{
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Asked for by its number, since not every libc has a function for it. Kernels and sandboxes without it say so. */
static int find_birth(int directory, const char *path, int flags, int64_t *birth_ns)
{
	struct statx st = {0};
	*birth_ns = 0;
	if (syscall(SYS_statx, directory, path, flags, STATX_BTIME, &st) != 0)
		return errno == ENOSYS || errno == EPERM || errno == EINVAL ? 0 : -errno;
	if ((st.stx_mask & STATX_BTIME) != 0)
		*birth_ns = (int64_t)st.stx_btime.tv_sec * 1000000000 + st.stx_btime.tv_nsec;
	return 0;
}

static void fill_identity(smmap__identity *identity, const struct stat *st)
{
	smmap__assert(identity != NULL && st != NULL);
	identity->device = (uint64_t)st->st_dev;
	identity->inode = (uint64_t)st->st_ino;
	identity->size = (uint64_t)st->st_size;
	identity->mtime_ns = nanoseconds(st->st_mtim);
	identity->ctime_ns = nanoseconds(st->st_ctim);
	identity->type = type_of(st);
}

/* hugetlbfs is known by its block size, which no other file system has; only then the system is asked. */
static int find_hugetlbfs(int descriptor, const struct stat *st, bool *found)
{
	struct statfs fs;
	*found = false;
	if ((uint64_t)st->st_blksize < smmap__os_facts_now.block_size)
		return 0;
	if (fstatfs(descriptor, &fs) != 0)
		return -errno;
	*found = (unsigned long)fs.f_type == HUGETLBFS_MAGIC;
	return 0;
}

static int os_identify(int descriptor, smmap__identity *identity)
{
	smmap__assert(descriptor >= 0 && identity != NULL);
	struct stat st;
	if (fstat(descriptor, &st) != 0)
		return -errno;
	uint64_t device_size = 0;
	int64_t birth_ns;
	bool is_hugetlbfs;
	/* By its number as well: C libraries disagree about the type of a request. */
	if (S_ISBLK(st.st_mode) && syscall(SYS_ioctl, descriptor, BLKGETSIZE64, &device_size) != 0)
		return -errno;
	int code = find_birth(descriptor, "", AT_EMPTY_PATH, &birth_ns);
	if (code == 0)
		code = find_hugetlbfs(descriptor, &st, &is_hugetlbfs);
	if (code != 0)
		return code;
	fill_identity(identity, &st);
	identity->birth_ns = birth_ns;
	if (S_ISBLK(st.st_mode))
		identity->size = device_size;
	else if (is_hugetlbfs)
		identity->type = SMMAP__UNMAPPABLE;
	return 0;
}

static int os_identify_path(const char *path, smmap__identity *identity)
{
	smmap__assert(path != NULL && identity != NULL);
	struct stat st;
	int64_t birth_ns;
	if (stat(path, &st) != 0)
		return -errno;
	int code = find_birth(AT_FDCWD, path, 0, &birth_ns);
	if (code != 0)
		return code;
	fill_identity(identity, &st);
	identity->birth_ns = birth_ns;
	return 0;
}

static int os_glance(const char *path, int descriptor, smmap__identity *identity)
{
	smmap__assert(identity != NULL);
	smmap__assert(path != NULL || descriptor >= 0);
	struct stat st;
	if ((path != NULL ? stat(path, &st) : fstat(descriptor, &st)) != 0)
		return -errno;
	fill_identity(identity, &st);
	identity->birth_ns = 0;
	return 0;
}

/* How much of `size` bytes from `offset` on lies in the first page. */
static size_t within_page(uint64_t offset, size_t size)
{
	const size_t page = smmap__os_facts_now.page_size;
	size_t left = page - (size_t)(offset & (page - 1));
	return size < left ? size : left;
}

/*
 * A file system that is read directly fails a request as a whole, wherever in it the bad byte lies: after an error it is
 * asked page by page, so that what comes before the page that fails is not lost.
 */
static int64_t os_read(int descriptor, void *to, size_t size, uint64_t offset)
{
	smmap__assert(to != NULL || size == 0);
	smmap__assert(smmap__os_facts_now.page_size != 0);
	bool page_by_page = false;
	size_t done = 0;
	while (done < size) {
		size_t part = page_by_page ? within_page(offset + done, size - done) : size - done;
		ssize_t n = pread(descriptor, (unsigned char *)to + done, part, (off_t)(offset + done));
		if (n == 0)
			break;
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && part > within_page(offset + done, part)) {
			page_by_page = true;
			continue;
		}
		if (n < 0)
			return done != 0 ? (int64_t)done : -errno;
		done += (size_t)n;
	}
	return (int64_t)done;
}

/*
 * Under mlockall(MCL_FUTURE) a readable mapping would be filled and locked at once, which for a whole huge file means
 * all of memory. So large mappings are made unreadable, unlocked, and only then made readable.
 */
static int map_unlocked(int descriptor, uint64_t offset, size_t length, int flags, void *at, void **address)
{
	smmap__assert(length != 0);
	smmap__assert((flags & MAP_FIXED) != 0);
	void *p = mmap(at, length, PROT_NONE, flags, descriptor, (off_t)offset);
	if (p == MAP_FAILED)
		return -errno;
	if (munlock(p, length) == 0 && mprotect(p, length, PROT_READ) == 0) {
		*address = p;
		return 0;
	}
	return -errno; /* what is there now goes with the address space that was reserved for it */
}

/* Reserves more than is needed, maps into the part that is congruent, and gives the margins back. */
static int map_congruent(int descriptor, uint64_t offset, size_t length, size_t congruence, int flags,
                         void **address)
{
	smmap__assert(smmap__is_power_of_two(congruence));
	smmap__assert(congruence % smmap__os_facts_now.page_size == 0);
	if (length > SIZE_MAX - congruence)
		return SMMAP_ENOMEM;
	size_t reserved = length + congruence;
	unsigned char *p = mmap(NULL, reserved, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED)
		return -errno;
	size_t before = ((size_t)offset - (size_t)(uintptr_t)p) & (congruence - 1);
	size_t after = reserved - before - length;
	smmap__assert(after != 0); /* `before` is less than the congruence */
	void *mapped = NULL;
	int code = map_unlocked(descriptor, offset, length, flags | MAP_FIXED, p + before, &mapped);
	if (code != 0) {
		munmap(p, reserved);
		return code;
	}
	if (before != 0)
		munmap(p, before);
	munmap(p + before + length, after);
	*address = mapped;
	return 0;
}

static int os_map(int descriptor, uint64_t offset, size_t length, size_t congruence, int how, void **address)
{
	smmap__assert(length != 0 && length % smmap__os_facts_now.page_size == 0);
	smmap__assert((how & ~(SMMAP__MAP_PRIVATE | SMMAP__MAP_FIXED)) == 0);
	int flags = descriptor < 0 || (how & SMMAP__MAP_PRIVATE) != 0 ? MAP_PRIVATE : MAP_SHARED;
	if (descriptor < 0)
		flags |= MAP_ANONYMOUS | MAP_NORESERVE;
	if (offset > INT64_MAX)
		return SMMAP_EOVERFLOW;
	if (congruence != 0)
		return map_congruent(descriptor, offset, length, congruence, flags, address);
	if ((how & SMMAP__MAP_FIXED) != 0)
		flags |= MAP_FIXED;
	int protection = descriptor < 0 ? PROT_NONE : PROT_READ;
	void *at = (how & SMMAP__MAP_FIXED) != 0 ? *address : NULL;
	void *p = mmap(at, length, protection, flags, descriptor, (off_t)offset);
	if (p == MAP_FAILED)
		return -errno;
	*address = p;
	return 0;
}

static int os_unmap(void *address, size_t length)
{
	smmap__assert((uintptr_t)address % smmap__os_facts_now.page_size == 0);
	smmap__assert(length != 0);
	return munmap(address, length) == 0 ? 0 : -errno;
}

static int os_extend(void *address, size_t length, size_t new_length)
{
	smmap__assert(new_length > length);
	return mremap(address, length, new_length, 0) == MAP_FAILED ? -errno : 0;
}

static int os_zap(void *address, size_t length)
{
	smmap__assert((uintptr_t)address % smmap__os_facts_now.page_size == 0);
	if (madvise(address, length, MADV_DONTNEED) == 0)
		return 0;
	/* EINVAL: somebody locked the range (mlockall). Newer kernels give locked pages back when asked so. */
	if (errno == EINVAL && madvise(address, length, MADV_DONTNEED_LOCKED) == 0)
		return 0;
	if (munlock(address, length) == 0 && madvise(address, length, MADV_DONTNEED) == 0)
		return 0;
	return -errno;
}

/* This process, for process_madvise: a number that Linux 6.14 and later know. */
enum { PIDFD_OF_OURSELVES = -10000 };

static long zap_ranges(const struct iovec *ranges, size_t count)
{
	return syscall(SYS_process_madvise, PIDFD_OF_OURSELVES, ranges, count, MADV_DONTNEED, 0);
}

static unsigned os_zap_many(const smmap__range *ranges, unsigned count)
{
	smmap__assert(count <= SMMAP__RANGES_MAX);
	struct iovec vectors[SMMAP__RANGES_MAX] = {{NULL, 0}};
	for (unsigned i = 0; i < count; i++)
		vectors[i] = (struct iovec){ranges[i].address, ranges[i].length};
	long bytes = zap_ranges(vectors, count);
	unsigned done = 0;
	/* What was interrupted is not done: it can be done again. */
	while (done < count && bytes > 0 && (size_t)bytes >= ranges[done].length)
		bytes -= (long)ranges[done++].length;
	return done;
}

static int os_advise(void *address, size_t length, int advice)
{
	smmap__assert(advice >= SMMAP_ADVICE_NORMAL && advice <= SMMAP_ADVICE_WILLNEED);
	static const int system_advice[] = {MADV_NORMAL, MADV_SEQUENTIAL, MADV_RANDOM, MADV_WILLNEED};
	return madvise(address, length, system_advice[advice]) == 0 ? 0 : -errno;
}

static int os_residency(void *address, size_t length, unsigned char *pages)
{
	smmap__assert(pages != NULL);
	smmap__assert((uintptr_t)address % smmap__os_facts_now.page_size == 0);
	if (mincore(address, length, pages) != 0)
		return -errno;
	for (size_t i = 0; i < length / smmap__os_facts_now.page_size; i++)
		pages[i] &= 1;
	return 0;
}

smmap__os_calls smmap__os = {
	.allocate = os_allocate,
	.deallocate = os_deallocate,
	.open = os_open,
	.duplicate = os_duplicate,
	.close = os_close,
	.identify = os_identify,
	.identify_path = os_identify_path,
	.glance = os_glance,
	.read = os_read,
	.map = os_map,
	.unmap = os_unmap,
	.extend = os_extend,
	.zap = os_zap,
	.zap_many = os_zap_many,
	.advise = os_advise,
	.residency = os_residency,
};

smmap__os_facts smmap__os_facts_now;

static void find_facts(void)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	smmap__os_facts_now = (smmap__os_facts){
		.page_size = page,
		.granularity = page,
		/* One page table is one page of 8-byte entries (4-byte ones of i386 cover more: harmless). */
		.block_size = page / 8 * page,
		.can_zap = true,
		.can_zap_many = zap_ranges(NULL, 0) == 0,
		.plenty_of_address = sizeof(void *) >= 8,
	};
}

void smmap__os_init(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	pthread_once(&once, find_facts);
}

uint64_t smmap__os_max_mappings(void)
{
	uint64_t limit = 65530; /* the kernel's default, when /proc is not there to ask */
	int fd = open("/proc/sys/vm/max_map_count", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return limit;
	char text[32];
	ssize_t n = read(fd, text, sizeof text - 1);
	(void)close(fd);
	if (n <= 0)
		return limit;
	text[n] = '\0';
	uint64_t found = strtoull(text, NULL, 10);
	return found != 0 ? found : limit;
}

uint64_t smmap__os_max_address_space(void)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
		return UINT64_MAX;
	return (uint64_t)limit.rlim_cur;
}

bool smmap__os_may_open_with(int flags)
{
	return (flags & (O_ACCMODE | O_CREAT | O_EXCL | O_TRUNC | O_APPEND | O_PATH)) == 0;
}

bool smmap__os_is_pressure(int code)
{
	return code == SMMAP_ENOMEM || code == SMMAP_EAGAIN;
}

bool smmap__os_is_descriptor_pressure(int code)
{
	return code == SMMAP_EMFILE || code == SMMAP_ENFILE;
}

bool smmap__os_is_unmappable(int code)
{
	return code == SMMAP_ENODEV || code == SMMAP_EINVAL || code == SMMAP_EACCES || code == SMMAP_EPERM ||
	       code == SMMAP_ENOTSUP || code == SMMAP_ENOSYS;
}

int smmap__os_mutex_init(pthread_mutex_t *mutex)
{
	return -pthread_mutex_init(mutex, NULL);
}

int smmap__os_cond_init(pthread_cond_t *condition)
{
	return -pthread_cond_init(condition, NULL);
}

int smmap__os_at_fork(void (*before)(void), void (*in_parent)(void), void (*in_child)(void))
{
	return -pthread_atfork(before, in_parent, in_child);
}
