/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A file system of one file whose reads fail, or wait, where it is told to.
 *
 *     real-fuse MOUNTPOINT BACKING [direct]     MOUNTPOINT/f shows BACKING; direct: every open is direct I/O
 *
 * It speaks the kernel's protocol on /dev/fuse (linux/fuse.h) without a library, in one thread. Lines on standard input
 * command it, each answered by "ok":
 *
 *     fail BEGIN END ERRNO    reads that touch [BEGIN, END) fail
 *     hold BEGIN END          reads that touch [BEGIN, END) wait; "held OFFSET" is printed for each
 *     go                      nothing fails or waits any more, and what waits is answered
 *     die                     ends without a word to the kernel, as a crash would
 *
 * At the end of its input it unmounts and ends.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fuse.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { ROOM = 1 << 20, HELD = 256, FILE_NODE = 2 };

typedef struct range {
	uint64_t begin, end;
} range;

typedef struct held_read {
	uint64_t unique;
	struct fuse_read_in in;
} held_read;

static int device;
static int backing;
static bool direct;
static range failing;
static int failing_with;
static range holding;
static held_read held[HELD];
static size_t held_count;

static bool touches(const range *r, uint64_t offset, uint64_t size)
{
	return offset < r->end && r->begin < offset + size;
}

/* ---- answers ---- */

static void answer(uint64_t unique, int error, const void *data, size_t size)
{
	struct fuse_out_header out = {(uint32_t)(sizeof out + size), -error, unique};
	struct iovec parts[] = {{&out, sizeof out}, {(void *)(uintptr_t)data, size}};
	/* ENOENT: the request was interrupted, and nobody waits any more. */
	if (writev(device, parts, 2) < 0 && errno != ENOENT)
		err(1, "answer");
}

static void fill_attributes(struct fuse_attr *attr, uint64_t node)
{
	struct stat st;
	*attr = (struct fuse_attr){.ino = node, .mode = S_IFDIR | 0755, .nlink = 2, .blksize = 4096};
	if (node != FILE_NODE)
		return;
	if (fstat(backing, &st) != 0)
		err(1, "fstat");
	attr->mode = S_IFREG | 0644;
	attr->nlink = 1;
	attr->size = (uint64_t)st.st_size;
	attr->blocks = (uint64_t)st.st_blocks;
	attr->mtime = (uint64_t)st.st_mtim.tv_sec;
	attr->mtimensec = (uint32_t)st.st_mtim.tv_nsec;
	attr->ctime = (uint64_t)st.st_ctim.tv_sec;
	attr->ctimensec = (uint32_t)st.st_ctim.tv_nsec;
}

static void answer_attributes(uint64_t unique, uint64_t node)
{
	struct fuse_attr_out out = {0};
	fill_attributes(&out.attr, node);
	answer(unique, 0, &out, sizeof out);
}

static void answer_lookup(uint64_t unique, const char *name)
{
	struct fuse_entry_out out = {.nodeid = FILE_NODE};
	if (strcmp(name, "f") != 0) {
		answer(unique, ENOENT, NULL, 0);
		return;
	}
	fill_attributes(&out.attr, FILE_NODE);
	answer(unique, 0, &out, sizeof out);
}

static void answer_init(uint64_t unique, const struct fuse_init_in *in)
{
	struct fuse_init_out out = {
		.major = FUSE_KERNEL_VERSION,
		.minor = 31,
		.max_readahead = in->max_readahead,
		.max_write = 128 << 10,
		.max_background = 16,
		.congestion_threshold = 12,
		.time_gran = 1,
	};
	answer(unique, 0, &out, sizeof out);
}

static void answer_read(uint64_t unique, const struct fuse_read_in *in)
{
	static unsigned char data[ROOM];
	if (touches(&failing, in->offset, in->size)) {
		answer(unique, failing_with, NULL, 0);
		return;
	}
	ssize_t n = pread(backing, data, in->size < ROOM ? in->size : ROOM, (off_t)in->offset);
	answer(unique, n < 0 ? errno : 0, data, n < 0 ? 0 : (size_t)n);
}

static void read_or_hold(uint64_t unique, const struct fuse_read_in *in)
{
	if (!touches(&holding, in->offset, in->size)) {
		answer_read(unique, in);
		return;
	}
	if (held_count == HELD)
		errx(1, "too many reads are held");
	held[held_count++] = (held_read){unique, *in};
	printf("held %" PRIu64 "\n", (uint64_t)in->offset);
}

static void let_go(void)
{
	failing = holding = (range){0, 0};
	for (size_t i = 0; i < held_count; i++)
		answer_read(held[i].unique, &held[i].in);
	held_count = 0;
}

/* Whoever waited was killed or got a signal. */
static void interrupt(uint64_t unique)
{
	for (size_t i = 0; i < held_count; i++)
		if (held[i].unique == unique) {
			answer(unique, EINTR, NULL, 0);
			held[i] = held[--held_count];
			return;
		}
}

static void set_attributes(uint64_t unique, const struct fuse_setattr_in *in)
{
	if ((in->valid & FATTR_SIZE) != 0 && ftruncate(backing, (off_t)in->size) != 0)
		answer(unique, errno, NULL, 0);
	else
		answer_attributes(unique, FILE_NODE);
}

static void serve_one(void)
{
	static char request[ROOM + 4096];
	ssize_t n = read(device, request, sizeof request);
	if (n < 0 && (errno == ENODEV || errno == ENOENT || errno == EINTR || errno == EAGAIN)) {
		if (errno == ENODEV)
			exit(0); /* unmounted */
		return;
	}
	if (n < (ssize_t)sizeof(struct fuse_in_header))
		err(1, "/dev/fuse");
	struct fuse_in_header in;
	memcpy(&in, request, sizeof in);
	const void *body = request + sizeof in;
	struct fuse_open_out opened = {.open_flags = direct && in.nodeid == FILE_NODE ? FOPEN_DIRECT_IO : 0};
	struct fuse_statfs_out statfs = {.st = {.bsize = 4096, .frsize = 4096, .namelen = 255}};
	switch (in.opcode) {
	case FUSE_INIT:
		answer_init(in.unique, body);
		break;
	case FUSE_LOOKUP:
		answer_lookup(in.unique, body);
		break;
	case FUSE_GETATTR:
		answer_attributes(in.unique, in.nodeid);
		break;
	case FUSE_SETATTR:
		set_attributes(in.unique, body);
		break;
	case FUSE_OPEN:
	case FUSE_OPENDIR:
		answer(in.unique, 0, &opened, sizeof opened);
		break;
	case FUSE_READ:
		read_or_hold(in.unique, body);
		break;
	case FUSE_STATFS:
		answer(in.unique, 0, &statfs, sizeof statfs);
		break;
	case FUSE_READDIR:
	case FUSE_RELEASE:
	case FUSE_RELEASEDIR:
	case FUSE_FLUSH:
	case FUSE_DESTROY:
		answer(in.unique, 0, NULL, 0);
		break;
	case FUSE_INTERRUPT:
		interrupt(((const struct fuse_interrupt_in *)body)->unique);
		break;
	case FUSE_FORGET:
	case FUSE_BATCH_FORGET:
		break;
	default:
		answer(in.unique, ENOSYS, NULL, 0);
	}
}

/* ---- commands ---- */

static void obey(const char *line)
{
	range r;
	int code;
	if (sscanf(line, "fail %" SCNu64 " %" SCNu64 " %d", &r.begin, &r.end, &code) == 3) {
		failing = r;
		failing_with = code;
	} else if (sscanf(line, "hold %" SCNu64 " %" SCNu64, &r.begin, &r.end) == 2) {
		holding = r;
	} else if (strncmp(line, "go", 2) == 0) {
		let_go();
	} else if (strncmp(line, "die", 3) == 0) {
		printf("ok\n");
		_exit(0);
	} else {
		errx(1, "what is %s", line);
	}
	printf("ok\n");
}

/* false at the end of the input. */
static bool obey_input(void)
{
	static char input[4096];
	static size_t have;
	ssize_t n = read(0, input + have, sizeof input - 1 - have);
	if (n <= 0)
		return false;
	have += (size_t)n;
	input[have] = '\0';
	for (char *end; (end = strchr(input, '\n')) != NULL;) {
		*end = '\0';
		obey(input);
		have -= (size_t)(end + 1 - input);
		memmove(input, end + 1, have + 1);
	}
	return true;
}

int main(int argc, char **argv)
{
	char options[100];
	if (argc < 3)
		errx(2, "usage: real-fuse MOUNTPOINT BACKING [direct]");
	direct = argc > 3 && strcmp(argv[3], "direct") == 0;
	setvbuf(stdout, NULL, _IOLBF, 0);
	backing = open(argv[2], O_RDWR | O_CLOEXEC);
	device = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	if (backing < 0 || device < 0)
		err(1, "%s", backing < 0 ? argv[2] : "/dev/fuse");
	snprintf(options, sizeof options, "fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other", device);
	if (mount("real-fuse", argv[1], "fuse.real", MS_NOSUID | MS_NODEV, options) != 0)
		err(1, "mount %s", argv[1]);
	printf("ready\n");
	struct pollfd waits[] = {{device, POLLIN, 0}, {0, POLLIN, 0}};
	for (;;) {
		if (poll(waits, 2, -1) < 0 && errno != EINTR)
			err(1, "poll");
		if (waits[0].revents != 0)
			serve_one();
		if (waits[1].revents != 0 && !obey_input())
			break;
	}
	let_go();
	umount2(argv[1], MNT_DETACH);
	return 0;
}
