/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * libgit2's windows. They are not part of its interface: the prototypes and the two structs are those of libgit2 1.5, and
 * the code is linked from the static archive. What the windows never call here, but the linker would look for through half
 * of libgit2 and its own dependencies, is defined below.
 */
#include "peers.h"

#include "bench.h"

#ifdef SMMAP_BENCH_GIT2

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- what libgit2 1.5 has in src/util/map.h and src/libgit2/mwindow.h ---- */

typedef struct git_map {
	void *data;
	size_t len;
} git_map;

struct git_mwindow {
	struct git_mwindow *next;
	git_map window_map;
	int64_t offset;
	size_t last_used;
	size_t inuse_cnt;
};

typedef struct git_mwindow_file {
	pthread_mutex_t lock;
	git_mwindow *windows;
	int fd;
	int64_t size;
} git_mwindow_file;

typedef struct git_mwindow_ctl {
	size_t mapped;
	unsigned int open_windows;
	unsigned int mmap_calls;
	unsigned int peak_open_windows;
	size_t peak_mapped;
	size_t used_ctr;
} git_mwindow_ctl;

extern size_t git_mwindow__window_size;
extern size_t git_mwindow__mapped_limit;
extern size_t git_mwindow__file_limit;
extern git_mwindow_ctl git_mwindow__mem_ctl;

int git_mwindow_global_init(void);
int git_allocator_global_init(void);
int git_mwindow_file_register(git_mwindow_file *file);
void git_mwindow_file_deregister(git_mwindow_file *file);
int git_mwindow_free_all(git_mwindow_file *file);
unsigned char *git_mwindow_open(git_mwindow_file *file, git_mwindow **cursor, int64_t offset, size_t extra,
                                unsigned int *left);
void git_mwindow_close(git_mwindow **cursor);

/* ---- what it would call, as in src/util/futils.c, or never calls ---- */

int git_futils_mmap_ro(git_map *out, int fd, int64_t begin, size_t length);
int git_futils_mmap_ro(git_map *out, int fd, int64_t begin, size_t length)
{
	out->data = mmap(NULL, length, PROT_READ, MAP_SHARED, fd, (off_t)begin);
	out->len = length;
	return out->data == MAP_FAILED ? -1 : 0;
}

void git_futils_mmap_free(git_map *map);
void git_futils_mmap_free(git_map *map)
{
	munmap(map->data, map->len);
}

#define NEVER_CALLED(name)                                                                                   \
	void name(void);                                                                                         \
	void name(void)                                                                                          \
	{                                                                                                        \
		bench_die(#name, ENOSYS);                                                                            \
	}
NEVER_CALLED(git_error_set)
NEVER_CALLED(git_error_set_oom)
NEVER_CALLED(git_packfile__name)
NEVER_CALLED(git_packfile_alloc)
NEVER_CALLED(git_packfile_free)
NEVER_CALLED(git_strmap_delete)
NEVER_CALLED(git_strmap_exists)
NEVER_CALLED(git_strmap_free)
NEVER_CALLED(git_strmap_get)
NEVER_CALLED(git_strmap_set)

/* At start it makes its table of pack files, which is not used here, and asks to be told of the end. */
int git_strmap_new(void **map);
int git_strmap_new(void **map)
{
	*map = NULL;
	return 0;
}

int git_runtime_shutdown_register(void (*callback)(void));
int git_runtime_shutdown_register(void (*callback)(void))
{
	(void)callback;
	return 0;
}

/* ---- the peer ---- */

bool git2_exists(void)
{
	return true;
}

static void start(void)
{
	static bool started;
	if (!started && (git_allocator_global_init() != 0 || git_mwindow_global_init() != 0))
		bench_die("libgit2", EINVAL);
	started = true;
}

void git2_open(git2 *g, const char *path, uint64_t window, uint64_t max_bytes)
{
	struct stat st;
	start();
	git_mwindow__window_size = (size_t)window;
	git_mwindow__mapped_limit = (size_t)max_bytes;
	git_mwindow__file_limit = 0;
	g->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (g->fd < 0 || fstat(g->fd, &st) != 0)
		bench_die(path, errno);
	git_mwindow_file *file = calloc(1, sizeof *file);
	if (file == NULL)
		bench_die(path, ENOMEM);
	pthread_mutex_init(&file->lock, NULL);
	file->fd = g->fd;
	file->size = (int64_t)st.st_size;
	g->file = file;
	g->cursor = NULL;
	if (git_mwindow_file_register(file) != 0)
		bench_die(path, ENOMEM);
}

void git2_close(git2 *g)
{
	git_mwindow_close(&g->cursor);
	git_mwindow_free_all(g->file);
	free(g->file);
	close(g->fd);
}

const unsigned char *git2_at(git2 *g, uint64_t offset)
{
	unsigned int left;
	return git_mwindow_open(g->file, &g->cursor, (int64_t)offset, 1, &left);
}

bool git2_window(const git2 *g, uint64_t place, uint64_t *offset)
{
	const git_mwindow *w = ((const git_mwindow_file *)g->file)->windows;
	for (; w != NULL && place != 0; place--)
		w = w->next;
	if (w != NULL)
		*offset = (uint64_t)w->offset;
	return w != NULL;
}

uint64_t git2_maps(void)
{
	return git_mwindow__mem_ctl.mmap_calls;
}

#else

bool git2_exists(void)
{
	return false;
}

void git2_open(git2 *g, const char *path, uint64_t window, uint64_t max_bytes)
{
	(void)path;
	(void)window;
	(void)max_bytes;
	*g = (git2){0};
}

void git2_close(git2 *g)
{
	(void)g;
}

const unsigned char *git2_at(git2 *g, uint64_t offset)
{
	(void)g;
	(void)offset;
	return NULL;
}

bool git2_window(const git2 *g, uint64_t place, uint64_t *offset)
{
	(void)g;
	(void)place;
	(void)offset;
	return false;
}

uint64_t git2_maps(void)
{
	return 0;
}

#endif
