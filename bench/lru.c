/* SPDX-License-Identifier: BSD-3-Clause */
#include "peers.h"

#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct window {
	unsigned char *data; /* NULL: not mapped */
	size_t length;
	struct window *newer, *older;
} window;

struct lru {
	pthread_mutex_t lock;
	int fd;
	uint64_t size;
	uint64_t stride;
	uint64_t bytes, max_bytes;
	window order; /* order.older: the newest; order.newer: the oldest */
	window windows[];
};

lru *lru_new(const char *path, uint64_t stride, uint64_t max_bytes)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) != 0)
		bench_die(path, errno);
	uint64_t size = (uint64_t)st.st_size;
	lru *l = calloc(1, sizeof *l + (size_t)((size + stride - 1) / stride) * sizeof(window));
	if (l == NULL)
		bench_die(path, ENOMEM);
	pthread_mutex_init(&l->lock, NULL);
	l->fd = fd;
	l->size = size;
	l->stride = stride;
	l->max_bytes = max_bytes;
	l->order.newer = l->order.older = &l->order;
	return l;
}

static void unlink_window(window *w)
{
	w->newer->older = w->older;
	w->older->newer = w->newer;
}

static void link_newest(lru *l, window *w)
{
	w->newer = &l->order;
	w->older = l->order.older;
	w->older->newer = w;
	l->order.older = w;
}

static void drop_window(lru *l, window *w)
{
	unlink_window(w);
	munmap(w->data, w->length);
	l->bytes -= w->length;
	w->data = NULL;
}

void lru_free(lru *l)
{
	while (l->order.newer != &l->order)
		drop_window(l, l->order.newer);
	close(l->fd);
	pthread_mutex_destroy(&l->lock);
	free(l);
}

static void map_window(lru *l, window *w, uint64_t index)
{
	uint64_t begin = index * l->stride;
	size_t length = (size_t)(l->size - begin < l->stride ? l->size - begin : l->stride);
	while (l->bytes + length > l->max_bytes && l->order.newer != &l->order)
		drop_window(l, l->order.newer);
	void *data = mmap(NULL, length, PROT_READ, MAP_SHARED, l->fd, (off_t)begin);
	if (data == MAP_FAILED)
		bench_die("mmap", errno);
	w->data = data;
	w->length = length;
	l->bytes += length;
}

static window *use_window(lru *l, uint64_t index)
{
	window *w = &l->windows[index];
	if (w->data == NULL)
		map_window(l, w, index);
	else if (l->order.older == w)
		return w;
	else
		unlink_window(w);
	link_newest(l, w);
	return w;
}

size_t lru_read(lru *l, uint64_t offset, void *to, size_t size)
{
	size_t done = 0;
	if (offset >= l->size)
		return 0;
	if (size > l->size - offset)
		size = (size_t)(l->size - offset);
	pthread_mutex_lock(&l->lock);
	while (done < size) {
		uint64_t at = offset + done;
		window *w = use_window(l, at / l->stride);
		size_t within = (size_t)(at % l->stride);
		size_t piece = w->length - within < size - done ? w->length - within : size - done;
		memcpy((unsigned char *)to + done, w->data + within, piece);
		done += piece;
	}
	pthread_mutex_unlock(&l->lock);
	return done;
}
