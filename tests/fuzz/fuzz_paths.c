/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Names and descriptors of all kinds: hostile bytes, over-long, loops of links, what is no regular file, descriptors that are
 * closed or cannot be read, and all of them through /proc/self/fd. The library must say what a plain open and fstat say.
 */
#include "fuzz/fuzz.h"

#include "harness/files.h"
#include "manager/manager.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { DESCRIPTORS = 6, MADE = 3, CURSORS = 2, ROOM = 1 << 14 };

static char home[PATH_MAX];
static unsigned char room[ROOM], wanted[ROOM];

static struct world {
	fuzz_input in;
	smmap_manager *manager;
	smmap_cursor cursors[CURSORS];
	int descriptors[DESCRIPTORS];
	char *made[MADE];
	char path[4 * PATH_MAX];
} w;

static uint64_t below(uint64_t n)
{
	return fuzz_below(&w.in, n);
}

/* ---- names ---- */

/* Bytes of the input up to its next 0; no way out of the directory. */
static void add_raw(char *to)
{
	size_t length = (size_t)below(40), i = 0;
	while (i < length && fuzz_more(&w.in)) {
		char c = (char)fuzz_byte(&w.in);
		if (c == 0)
			break;
		if (c == '/')
			c = '\n';
		to[i++] = c;
	}
	to[i] = 0;
	if (strcmp(to, "..") == 0)
		to[1] = 0;
}

static void add_many(char *to)
{
	size_t length = (size_t)below(2) == 0 ? 253 + (size_t)below(5) : PATH_MAX - 3 + (size_t)below(6);
	memset(to, 'x', length);
	to[length] = 0;
}

/* Components that are there, and others. "sub/.." leads back. */
static const char *make_path(void)
{
	static const char *const known[] = {"file", "empty", "sub/..", "link", "loop",
	                                    "dir",  "fifo",  "socket", ".",    "dangling",
	                                    "sub",  "",      "file/",  "deep", "unreadable"};
	enum { KNOWN = sizeof known / sizeof *known };
	char *at = w.path;
	*at = 0;
	if (below(4) == 0) {
		static const char *const places[] = {"/proc/self/fd", "/dev/fd", "/proc/thread-self/fd"};
		uint64_t which = below(DESCRIPTORS + 2);
		int fd = which < DESCRIPTORS ? w.descriptors[which] : which == DESCRIPTORS ? 99999 : -1;
		sprintf(w.path, "%s/%d%s", places[below(3)], fd, below(4) == 0 ? "/file" : "");
		return w.path;
	}
	for (uint64_t parts = 1 + below(3); parts != 0; parts--) {
		uint64_t which = below(KNOWN + 4);
		if (which < KNOWN)
			(void)stpcpy(at, known[which]);
		else if (which == KNOWN)
			add_many(at);
		else if (which == KNOWN + 1 && w.made[0] != NULL)
			(void)stpcpy(at, w.made[below(MADE)] != NULL ? w.made[0] : "gone");
		else
			add_raw(at);
		at += strlen(at);
		if (parts > 1 && at != w.path)
			at = stpcpy(at, "/");
	}
	return w.path;
}

static int some_flags(void)
{
	static const int flags[] = {0,         0,        0,         O_NOFOLLOW, O_NOATIME, O_DIRECTORY,
	                            O_CLOEXEC, O_WRONLY, O_RDWR,    O_CREAT,    O_TRUNC,   O_EXCL,
	                            O_APPEND,  O_PATH,   O_TMPFILE, O_SYNC,     O_NONBLOCK};
	return flags[below(sizeof flags / sizeof *flags)];
}

/* ---- what a plain call says ---- */

/* The code for an open descriptor. */
static int code_of(int fd)
{
	struct stat st;
	int flags = fcntl(fd, F_GETFL);
	if (flags < 0 || (flags & O_ACCMODE) == O_WRONLY || (flags & O_PATH) != 0)
		return SMMAP_EBADF;
	CHECK_EQUAL(fstat(fd, &st), 0);
	if (S_ISDIR(st.st_mode))
		return SMMAP_EISDIR;
	return S_ISREG(st.st_mode) ? 0 : SMMAP_ENOTREG;
}

/* Opens `path` as the library does; -1 and the code where it must fail. */
static int open_plainly(const char *path, int flags, int *code)
{
	const int refused = O_ACCMODE | O_CREAT | O_EXCL | O_TRUNC | O_APPEND | O_PATH;
	if ((flags & refused) != 0) {
		*code = SMMAP_EINVAL;
		return -1;
	}
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | flags);
	if (fd < 0) {
		*code = errno == ENXIO ? SMMAP_ENOTREG : -errno;
		return -1;
	}
	*code = code_of(fd);
	if (*code == 0)
		return fd;
	close(fd);
	return -1;
}

static void check_contents(smmap_cursor *cursor, int fd)
{
	struct stat st, other;
	smmap_file_status status;
	CHECK_EQUAL(fstat(fd, &st), 0);
	CHECK_EQUAL(smmap_cursor_status(cursor, &status), 0);
	CHECK_EQUAL(status.inode, st.st_ino);
	CHECK_EQUAL(status.size, st.st_size);
	ssize_t size = pread(fd, wanted, ROOM, 0);
	int64_t n = smmap_read(cursor, 0, room, ROOM);
	/* The name may be another file's by now, and not every file can be opened again. */
	if (n == SMMAP_ESTALE) {
		CHECK(smmap_cursor_path(cursor) != NULL);
		CHECK(stat(smmap_cursor_path(cursor), &other) != 0 || other.st_ino != st.st_ino);
		return;
	}
	CHECK_EQUAL(n, size);
	CHECK(memcmp(room, wanted, (size_t)size) == 0);
}

/* ---- calls ---- */

static void open_path(smmap_cursor *cursor)
{
	const char *path = make_path();
	int flags = some_flags(), code;
	smmap_cursor before = *cursor;
	int fd = open_plainly(path, flags, &code);
	CHECK_EQUAL(smmap_cursor_open(cursor, w.manager, path, flags), code);
	if (fd >= 0) {
		CHECK(strcmp(smmap_cursor_path(cursor), path) == 0);
		CHECK_EQUAL(smmap_cursor_fd(cursor), SMMAP_EINVAL);
		check_contents(cursor, fd);
		close(fd);
	} else {
		CHECK(memcmp(&before, cursor, sizeof before) == 0);
	}
}

static int some_descriptor(void)
{
	static const int odd[] = {-1, INT_MIN, INT_MAX, 99999};
	return below(4) == 0 ? odd[below(4)] : w.descriptors[below(DESCRIPTORS)];
}

static void open_descriptor(smmap_cursor *cursor)
{
	int fd = some_descriptor(), code = code_of(fd);
	CHECK_EQUAL(smmap_cursor_open_fd(cursor, w.manager, fd), code);
	if (code == 0) {
		CHECK(smmap_cursor_path(cursor) == NULL);
		CHECK_EQUAL(smmap_cursor_fd(cursor), fd);
		check_contents(cursor, fd);
	}
}

static void open_region(smmap_cursor *cursor)
{
	smmap_region region = SMMAP_REGION_INIT;
	bool by_path = fuzz_flag(&w.in);
	int flags = some_flags(), code;
	(void)cursor;
	const char *path = by_path ? make_path() : NULL;
	int fd = by_path ? open_plainly(path, flags, &code) : some_descriptor();
	if (!by_path)
		code = code_of(fd);
	int result = by_path ? smmap_region_open(&region, path, 0, SMMAP_TO_END, flags)
	                     : smmap_region_open_fd(&region, fd, 0, SMMAP_TO_END);
	if (code == 0) {
		ssize_t size = pread(fd, wanted, ROOM, 0);
		CHECK_EQUAL(result, size == 0 ? SMMAP_ERANGE : 0);
		CHECK_EQUAL(smmap_region_size(&region), size);
		if (result == 0)
			CHECK(memcmp(smmap_region_data(&region), wanted, (size_t)size) == 0);
	} else {
		CHECK_EQUAL(result, code);
	}
	if (by_path && fd >= 0)
		close(fd);
	smmap_region_close(&region);
}

static void release_path(smmap_cursor *cursor)
{
	struct stat st;
	(void)cursor;
	const char *path = make_path();
	int code = stat(path, &st) == 0 ? 0 : -errno;
	int64_t n = smmap_manager_release_path(w.manager, path, NULL);
	if (code != 0)
		CHECK_EQUAL(n, code);
	else
		CHECK(n >= 0);
}

static void verify(smmap_cursor *cursor)
{
	int found = smmap_verify(cursor);
	CHECK(found >= 0 || smmap_cursor_path(cursor) != NULL || !smmap_cursor_is_associated(cursor));
	(void)smmap_refresh(cursor);
	smmap_cursor_close(cursor);
}

/* Another file, under whatever name. */
static void make_file(smmap_cursor *cursor)
{
	size_t i = (size_t)below(MADE);
	char name[64];
	(void)cursor;
	if (w.made[i] != NULL) {
		(void)unlink(w.made[i]);
		free(w.made[i]);
		w.made[i] = NULL;
	}
	add_raw(name);
	int fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return;
	CHECK_EQUAL(write(fd, name, strlen(name)), strlen(name));
	close(fd);
	w.made[i] = strdup(name);
}

static int new_descriptor(void)
{
	int pair[2] = {-1, -1};
	switch (below(12)) {
	case 0:
		return open("file", O_WRONLY | O_CLOEXEC);
	case 1:
		return open("file", O_RDWR | O_CLOEXEC);
	case 2:
		return open("file", O_PATH | O_CLOEXEC);
	case 3:
		return open("dir", O_RDONLY | O_CLOEXEC);
	case 4:
	case 5: {
		CHECK_EQUAL(pipe2(pair, O_CLOEXEC), 0);
		bool first = fuzz_flag(&w.in);
		close(pair[first]);
		return pair[!first];
	}
	case 6:
		return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	case 7:
		return eventfd(0, EFD_CLOEXEC);
	case 8:
		return open("/dev/null", O_RDONLY | O_CLOEXEC);
	case 9: {
		int fd = memfd_create("any", MFD_CLOEXEC);
		CHECK_EQUAL(write(fd, "contents", 8), 8);
		return fd;
	}
	default:
		return open(fuzz_flag(&w.in) ? "file" : "empty", O_RDONLY | O_CLOEXEC);
	}
}

/* A descriptor's number may come to mean something else, or nothing. */
static void change_descriptor(smmap_cursor *cursor)
{
	size_t i = (size_t)below(DESCRIPTORS);
	(void)cursor;
	if (w.descriptors[i] >= 0)
		close(w.descriptors[i]);
	w.descriptors[i] = below(4) == 0 ? -1 : new_descriptor();
}

static void (*const operations[])(smmap_cursor *cursor) = {
	open_path,   open_path,    open_path, open_path, open_descriptor,  open_descriptor,
	open_region, release_path, verify,    make_file, change_descriptor};
enum { OPERATIONS = sizeof operations / sizeof *operations };

/* ---- one input ---- */

static void make_files(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "socket"};
	fuzz_file file;
	fuzz_make_file(&file, "file", 9000);
	free(file.data);
	fuzz_make_file(&file, "empty", 0);
	free(file.data);
	if (getcwd(home, sizeof home) == NULL)
		err(1, "getcwd");
	CHECK_EQUAL(chdir(files_dir()), 0);
	CHECK_EQUAL(mkdir("dir", 0700), 0);
	CHECK_EQUAL(mkdir("sub", 0700), 0);
	CHECK_EQUAL(mkfifo("fifo", 0600), 0);
	CHECK_EQUAL(symlink("file", "link"), 0);
	CHECK_EQUAL(symlink("sub/../loop", "loop"), 0);
	CHECK_EQUAL(symlink("nowhere", "dangling"), 0);
	CHECK_EQUAL(symlink("sub/../link", "deep"), 0);
	int fd = open("unreadable", O_WRONLY | O_CREAT | O_CLOEXEC, 0);
	CHECK(fd >= 0);
	close(fd);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	CHECK_EQUAL(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
	close(fd);
	CHECK_EQUAL(chdir(home), 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	smmap_options options = SMMAP_OPTIONS_INIT;
	if (home[0] == 0)
		make_files();
	int before = fuzz_next_descriptor();
	memset(&w, 0, sizeof w);
	w.in = (fuzz_input){data, size};
	for (int i = 0; i < DESCRIPTORS; i++)
		w.descriptors[i] = -1;
	options.window_size = 1;
	options.placement = (int)below(3);
	options.max_descriptors = (unsigned)below(4);
	CHECK_EQUAL(chdir(files_dir()), 0);
	CHECK_EQUAL(smmap_manager_new(&w.manager, &options), 0);
	while (fuzz_more(&w.in)) {
		uint64_t operation = below(OPERATIONS);
		operations[operation](&w.cursors[below(CURSORS)]);
		smmap__manager_check(w.manager);
	}
	for (int i = 0; i < CURSORS; i++)
		smmap_cursor_close(&w.cursors[i]);
	CHECK_EQUAL(smmap_manager_free(w.manager), 0);
	for (int i = 0; i < MADE; i++) {
		if (w.made[i] != NULL)
			CHECK_EQUAL(unlink(w.made[i]), 0);
		free(w.made[i]);
	}
	for (int i = 0; i < DESCRIPTORS; i++)
		if (w.descriptors[i] >= 0)
			close(w.descriptors[i]);
	CHECK_EQUAL(chdir(home), 0);
	CHECK_EQUAL(fuzz_next_descriptor(), before);
	return 0;
}
