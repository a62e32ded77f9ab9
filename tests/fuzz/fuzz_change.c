/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Files that change between the calls: cut, grown, overwritten, punched, replaced, removed. The guard is on.
 *
 * What must be seen. `known` is the size that the library knows, `now` the one that the file has; the content is always that
 * of now, since mappings are shared:
 *
 *     0                     now        end of page          known
 *     |------ content -------|-- zeros --|---- SIGBUS ---------|
 *
 * A copying read gives the content; behind it zeros up to the end of the page at most, then an error. A direct reader sees
 * zeros where there is a SIGBUS, and once the file has failed it may see zeros anywhere; the error stays until refresh. What
 * verify has to find is told by stat.
 */
#include "fuzz/fuzz.h"

#include "harness/files.h"
#include "manager/manager.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NAMES = 2, INODES = 40, CURSORS = 3, PAGE = 4096, SIZE_MAX_NOW = 6 * PAGE, ROOM = 8 * PAGE };

/* One inode, open as long as the input runs, so that its number is not given away. */
typedef struct inode {
	int fd;
	uint64_t size;
	unsigned char data[SIZE_MAX_NOW];
} inode;

typedef struct held {
	smmap_cursor cursor;
	int name;
	inode *inode; /* NULL: not bound */
	bool by_descriptor;
} held;

static inode inodes[INODES];
static const char *paths[NAMES], *spare_path;
static unsigned char room[ROOM];

static struct world {
	fuzz_input in;
	smmap_manager *manager;
	int used;            /* inodes */
	inode *named[NAMES]; /* what a name means; NULL: nothing */
	held cursors[CURSORS];
	unsigned char next; /* for contents */
} w;

static uint64_t below(uint64_t n)
{
	return fuzz_below(&w.in, n);
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* ---- changing files ---- */

/* Never zeros, and other bytes each time. */
static void write_content(inode *i, uint64_t offset, uint64_t size)
{
	for (uint64_t k = 0; k < size; k++) {
		w.next = (unsigned char)(w.next * 5 + 17);
		i->data[offset + k] = w.next != 0 ? w.next : 1;
	}
	CHECK_EQUAL(pwrite(i->fd, i->data + (size_t)offset, (size_t)size, (off_t)offset), size);
	if (offset + size > i->size)
		i->size = offset + size;
}

static inode *new_inode(const char *path)
{
	if (w.used == INODES)
		return NULL;
	inode *i = &inodes[w.used++];
	memset(i, 0, sizeof *i);
	i->fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	CHECK(i->fd >= 0);
	write_content(i, 0, below(SIZE_MAX_NOW));
	return i;
}

static void cut(inode *i)
{
	uint64_t size = below(i->size + 1);
	if (size == 0) /* an empty file is read, not mapped: tests/cursor has those */
		size = 1;
	if (size >= i->size)
		return;
	CHECK_EQUAL(ftruncate(i->fd, (off_t)size), 0);
	memset(i->data + (size_t)size, 0, (size_t)(SIZE_MAX_NOW - size));
	i->size = size;
}

static void punch(inode *i)
{
	uint64_t offset = below(i->size + 1), size = smaller(1 + below(2 * PAGE), i->size - offset);
	if (size == 0)
		return;
	CHECK_EQUAL(fallocate(i->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset, (off_t)size), 0);
	memset(i->data + (size_t)offset, 0, (size_t)size);
}

static void replace(int name)
{
	inode *i = new_inode(spare_path);
	if (i == NULL)
		return;
	CHECK_EQUAL(rename(spare_path, paths[name]), 0);
	w.named[name] = i;
}

static void change(held *h)
{
	int name = (int)below(NAMES);
	inode *i = fuzz_flag(&w.in) && h->inode != NULL ? h->inode : w.named[name];
	uint64_t how = below(8);
	if (how == 0 || i == NULL) {
		replace(name);
		return;
	}
	switch (how) {
	case 1:
		if (w.named[name] != NULL)
			CHECK_EQUAL(unlink(paths[name]), 0);
		w.named[name] = NULL;
		break;
	case 2:
	case 3:
		cut(i);
		break;
	case 4:
	case 5:
		write_content(i, i->size, smaller(1 + below(3 * PAGE), SIZE_MAX_NOW - i->size));
		break;
	case 6:
		punch(i);
		break;
	default: {
		uint64_t offset = below(i->size + 1);
		write_content(i, offset, smaller(1 + below(PAGE), i->size - offset));
	}
	}
}

/* ---- what must be seen ---- */

static int64_t nanoseconds(struct timespec t)
{
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* What the cursor's name means now. */
static inode *meant(const held *h)
{
	return h->by_descriptor ? h->inode : w.named[h->name];
}

/* The changes since the library looked, as stat tells them; `had_fault`: the file has failed. */
static int changes(const held *h, bool had_fault)
{
	smmap_file_status known;
	struct stat now;
	int found = had_fault ? SMMAP_CHANGE_FAULTED : 0;
	const inode *i = meant(h);
	if (i == NULL)
		return SMMAP_CHANGE_REPLACED;
	CHECK_EQUAL(smmap_cursor_status(&h->cursor, &known), 0);
	CHECK_EQUAL(fstat(i->fd, &now), 0);
	if (i != h->inode)
		return found | SMMAP_CHANGE_REPLACED;
	CHECK_EQUAL(known.inode, now.st_ino);
	CHECK_EQUAL(now.st_size, i->size);
	if (i->size > known.size)
		found |= SMMAP_CHANGE_GREW;
	if (i->size < known.size)
		found |= SMMAP_CHANGE_SHRANK;
	if (nanoseconds(now.st_mtim) != known.mtime_ns || nanoseconds(now.st_ctim) != known.ctime_ns)
		found |= SMMAP_CHANGE_MODIFIED;
	return found;
}

static bool has_failed(held *h)
{
	uint64_t offset = UINT64_MAX;
	int code = smmap_cursor_error(&h->cursor, &offset);
	if (code == 0)
		return false;
	/* The file was cut when it failed; it may be whole again. */
	CHECK(code == SMMAP_ETRUNCATED || code == SMMAP_EFAULTED);
	CHECK_EQUAL(offset % PAGE, 0);
	CHECK(offset < smmap_cursor_file_size(&h->cursor));
	return true;
}

/* Whether it is what the file holds, and zeros behind that. */
static bool is_right(const inode *i, const unsigned char *data, uint64_t offset, uint64_t size)
{
	static const unsigned char zeros[ROOM];
	uint64_t there = offset < i->size ? smaller(size, i->size - offset) : 0;
	return memcmp(data, i->data + (size_t)(there != 0 ? offset : 0), (size_t)there) == 0 &&
	       memcmp(data + (size_t)there, zeros, (size_t)(size - there)) == 0;
}

/* What a direct reader sees. */
static void check_direct(held *h)
{
	const unsigned char *data = smmap_cursor_data(&h->cursor);
	uint64_t offset = smmap_cursor_ofs_begin(&h->cursor), size = smmap_cursor_size(&h->cursor), wrong = 0;
	bool right = size == 0 || is_right(h->inode, data, offset, size);
	for (uint64_t k = 0; k < size && !right; k++) {
		if (data[k] != (offset + k < h->inode->size ? h->inode->data[offset + k] : 0)) {
			CHECK_EQUAL(data[k], 0);
			wrong++;
		}
	}
	uint64_t page_end = (h->inode->size + PAGE - 1) / PAGE * PAGE;
	bool failed = has_failed(h);
	if (wrong != 0 || (size != 0 && offset + size > page_end))
		CHECK(failed);
}

/*
 * A name that means another file, or none, is no way to open this one again; nor is a descriptor, where the file is known by
 * such a name as well and the cache of descriptors had no room for it.
 */
static bool may_be_lost(const held *h)
{
	const smmap__descriptors *cache = &w.manager->shared.descriptors;
	return meant(h) != h->inode ||
	       (h->by_descriptor && w.named[h->name] != h->inode && cache->used == cache->max);
}

static void read_copy(held *h)
{
	uint64_t known = smmap_cursor_file_size(&h->cursor), now = h->inode->size;
	uint64_t offset = below(SIZE_MAX_NOW + PAGE), size = 1 + below(3 * PAGE);
	int64_t n = smmap_read(&h->cursor, offset, room, size);
	uint64_t wanted = offset < known ? smaller(size, known - offset) : 0;
	if (n < 0) {
		CHECK(wanted != 0);
		if (n == SMMAP_ESTALE || n == SMMAP_EFAULTED)
			CHECK(may_be_lost(h));
		else
			CHECK(n == SMMAP_ETRUNCATED && (offset >= now || may_be_lost(h)));
		return;
	}
	CHECK((uint64_t)n <= wanted);
	if ((uint64_t)n < wanted && !may_be_lost(h))
		CHECK(offset + (uint64_t)n >= now);
	CHECK(n == 0 || offset + (uint64_t)n <= (now + PAGE - 1) / PAGE * PAGE);
	CHECK(is_right(h->inode, room, offset, (uint64_t)n));
}

/* ---- calls ---- */

static void bind(held *h)
{
	int name = (int)below(NAMES);
	bool by_descriptor = below(4) == 0 && w.named[name] != NULL;
	int code = by_descriptor ? smmap_cursor_open_fd(&h->cursor, w.manager, w.named[name]->fd)
	                         : smmap_cursor_open(&h->cursor, w.manager, paths[name], 0);
	CHECK_EQUAL(code, w.named[name] != NULL ? 0 : SMMAP_ENOENT);
	if (code != 0)
		return;
	h->name = name;
	h->inode = w.named[name];
	h->by_descriptor = by_descriptor;
	CHECK_EQUAL(smmap_cursor_file_size(&h->cursor), h->inode->size);
	CHECK(!has_failed(h));
}

static void use(held *h)
{
	uint64_t known = smmap_cursor_file_size(&h->cursor), offset = below(SIZE_MAX_NOW + PAGE);
	uint64_t size = below(3 * PAGE);
	bool failed = has_failed(h);
	int64_t n = smmap_cursor_use_region(&h->cursor, offset, size);
	if (failed) {
		CHECK_EQUAL(n, smmap_cursor_error(&h->cursor, NULL));
	} else if (n < 0) {
		CHECK(n == SMMAP_ESTALE && may_be_lost(h));
	} else {
		CHECK((n != 0) == (offset < known));
	}
	check_direct(h);
}

static void verify(held *h)
{
	bool failed = has_failed(h);
	CHECK_EQUAL(smmap_verify(&h->cursor), changes(h, failed));
}

static void refresh(held *h)
{
	bool failed = has_failed(h);
	int wanted = changes(h, failed);
	inode *i = meant(h);
	int found = smmap_refresh(&h->cursor);
	if (i == NULL) {
		CHECK_EQUAL(found, SMMAP_ENOENT);
		return;
	}
	CHECK_EQUAL(found, wanted);
	h->inode = i;
	CHECK(!has_failed(h));
	CHECK_EQUAL(smmap_verify(&h->cursor), 0);
	CHECK_EQUAL(smmap_cursor_file_size(&h->cursor), i->size);
	check_direct(h);
}

static void assign(held *h)
{
	const held *from = &w.cursors[below(CURSORS)];
	CHECK_EQUAL(smmap_cursor_assign(&h->cursor, &from->cursor), 0);
	h->name = from->name;
	h->inode = from->inode;
	h->by_descriptor = from->by_descriptor;
}

static void let_go(held *h)
{
	smmap_cursor_close(&h->cursor);
	h->inode = NULL;
}

static void collect(held *h)
{
	(void)h;
	smmap_manager_collect(w.manager);
}

/* A slice is copied whole or not at all; a view shows what a direct reader sees. */
static void slice(held *h)
{
	smmap_buffer buffer = SMMAP_BUFFER_INIT;
	uint64_t begin = below(SIZE_MAX_NOW), size = 1 + below(3 * PAGE), now = h->inode->size;
	uint64_t known = smmap_cursor_file_size(&h->cursor);
	if (smmap_buffer_begin_access(&buffer, &h->cursor, begin, size) == 0) {
		uint64_t wanted = smaller(size, known - begin);
		int64_t n = smmap_buffer_slice(&buffer, 0, INT64_MAX, room, ROOM);
		if (n >= 0) {
			CHECK_EQUAL(n, wanted);
			CHECK(begin + wanted <= (now + PAGE - 1) / PAGE * PAGE);
			CHECK(is_right(h->inode, room, begin, wanted));
		} else {
			CHECK(begin + wanted > now || may_be_lost(h));
		}
		smmap_buffer_close(&buffer);
	}
}

static void (*const operations[])(held *h) = {bind,    use,     use,     read_copy, read_copy,
                                              verify,  refresh, refresh, assign,    let_go,
                                              collect, slice,   change,  change,    change};
enum { OPERATIONS = sizeof operations / sizeof *operations };

static bool works_unbound(void (*operation)(held *h))
{
	return operation == bind || operation == assign || operation == let_go || operation == collect ||
	       operation == change;
}

/* ---- one input ---- */

static void begin(void)
{
	smmap_options options = SMMAP_OPTIONS_INIT;
	options.kind = below(8) == 0 ? SMMAP_STATIC : SMMAP_SLIDING;
	options.placement = (int)below(3);
	options.window_size = (int64_t)(1 + below(4)) * PAGE;
	options.max_memory = (1 + below(12)) * PAGE;
	options.max_descriptors = (unsigned)below(4);
	CHECK_EQUAL(smmap_guard_enable(), 0);
	CHECK_EQUAL(smmap_manager_new(&w.manager, &options), 0);
	for (int i = 0; i < NAMES; i++)
		w.named[i] = new_inode(paths[i]);
}

static void end(void)
{
	for (int i = 0; i < CURSORS; i++)
		let_go(&w.cursors[i]);
	smmap_manager_collect(w.manager);
	smmap__manager_check(w.manager);
	CHECK_EQUAL(smmap_manager_free(w.manager), 0);
	CHECK_EQUAL(smmap_guard_disable(), 0);
	for (int i = 0; i < NAMES; i++)
		if (w.named[i] != NULL)
			CHECK_EQUAL(unlink(paths[i]), 0);
	for (int i = 0; i < w.used; i++)
		close(inodes[i].fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (spare_path == NULL) {
		fuzz_file any; /* for its directory */
		fuzz_make_file(&any, "any", 1);
		free(any.data);
		paths[0] = files_path("one");
		paths[1] = files_path("two");
		spare_path = files_path("spare");
	}
	int before = fuzz_next_descriptor();
	memset(&w, 0, sizeof w);
	w.in = (fuzz_input){data, size};
	begin();
	while (fuzz_more(&w.in)) {
		held *h = &w.cursors[below(CURSORS)];
		uint64_t operation = below(OPERATIONS);
		if (h->inode == NULL && !works_unbound(operations[operation]))
			bind(h);
		else
			operations[operation](h);
		smmap__manager_check(w.manager);
	}
	end();
	CHECK_EQUAL(fuzz_next_descriptor(), before);
	return 0;
}
