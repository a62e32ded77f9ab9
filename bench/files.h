/* SPDX-License-Identifier: BSD-3-Clause */
/* Test files, the state of the page cache they are in, and what the process has mapped. */
#ifndef SMMAP_BENCH_FILES_H
#define SMMAP_BENCH_FILES_H

#include "bench.h"

#define KIB UINT64_C(1024)
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)
#define TIB (1024 * GIB)

/* How the page cache holds a file: in folios as large as the system makes them, or page by page. */
enum folios { FOLIOS_LARGE, FOLIOS_SMALL };

/* Size of the files of files_warm. */
#define FILES_WARM_SIZE (2 * GIB)

/*
 * The path of a file of 2 GiB of random bytes, all of it in the page cache, held in large or in small folios. Made at first
 * use; says in a note what one page fault maps.
 */
const char *files_warm(bench *b, enum folios folios);
const char *files_warm_second(bench *b, enum folios folios); /* another file of the same kind */

/* The name of the state, for tables. */
const char *files_folios_name(enum folios folios);

/*
 * The path of a file of `size` bytes without any block. `cached_step` is 0, or the distance of the pages that are read into
 * the page cache, one by one, from the beginning on.
 */
const char *files_sparse(bench *b, const char *name, uint64_t size, uint64_t cached_step);

/* A file of `size` random bytes. */
const char *files_random(bench *b, const char *name, uint64_t size);

/* Path of a name in the directory of the run; a buffer of its own for each call, never freed. */
char *files_path(const bench *b, const char *name);

/* Takes a file that is on disk out of the page cache. */
void files_drop(const char *path);

/* A field of /proc/self/status (RssFile, RssAnon, VmPTE), in bytes. */
uint64_t files_status(const char *field);

/* Makes the directory of the run below `where`, and sees to it that it goes away again. */
const char *files_directory(const char *where);

#endif
