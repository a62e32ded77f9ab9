/* SPDX-License-Identifier: BSD-3-Clause */
/* What the library is measured against, beside plain system calls. */
#ifndef SMMAP_BENCH_PEERS_H
#define SMMAP_BENCH_PEERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- windows by mmap and munmap, exact LRU, one mutex, bounds checked ---- */

typedef struct lru lru;

lru *lru_new(const char *path, uint64_t window, uint64_t max_bytes);
void lru_free(lru *l);
/* Copies across any number of windows; bytes copied, short at the end of the file only. */
size_t lru_read(lru *l, uint64_t offset, void *to, size_t size);

/* ---- libgit2's mwindow; laid out as in libgit2 1.5 ---- */

typedef struct git_mwindow git_mwindow;

typedef struct git2 {
	void *file;          /* the library's struct */
	git_mwindow *cursor; /* the window in use */
	int fd;
} git2;

/* Whether the peer was linked in. */
bool git2_exists(void);
/* Only one at a time: the limits are the library's globals. */
void git2_open(git2 *g, const char *path, uint64_t window, uint64_t max_bytes);
void git2_close(git2 *g);
/* The address of the byte, in a window that is in use until the next call. */
const unsigned char *git2_at(git2 *g, uint64_t offset);
/* The offset of a window that is mapped, by its place on the list; false: there are not so many. */
bool git2_window(const git2 *g, uint64_t place, uint64_t *offset);
/* Times it called mmap so far. */
uint64_t git2_maps(void);

#endif
