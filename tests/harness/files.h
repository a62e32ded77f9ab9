/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Test files. Their content is random, but a function of a seed and the offset: what a huge file must hold is
 * known without a copy of it. Functions that fail here end the test process with a message.
 */
#ifndef SMMAP_TESTS_FILES_H
#define SMMAP_TESTS_FILES_H

#include <stddef.h>
#include <stdint.h>

/* A directory for this test alone, removed after it. It lies below TMPDIR, or /var/tmp, which is on a disk. */
const char *files_dir(void);

/* The path of `name` in files_dir(). Lives as long as the process, as all paths here. */
const char *files_path(const char *name);

/* A file of `size` bytes of content. */
const char *files_make(const char *name, uint64_t size, uint64_t seed);
/* A file that is one hole of `size` bytes; files_write puts content into it. */
const char *files_make_sparse(const char *name, uint64_t size);
/* Writes the content that belongs at [offset, offset + size). */
void files_write(const char *path, uint64_t offset, uint64_t size, uint64_t seed);

/* The content: one byte, or a range of it. */
unsigned char files_byte(uint64_t offset, uint64_t seed);
void files_fill(void *to, uint64_t offset, size_t size, uint64_t seed);

/* Index of the first byte that differs from the content, or `size` when none does. */
size_t files_compare(const void *data, uint64_t offset, size_t size, uint64_t seed);
/* Fails the test when a byte differs. */
void files_assert(const void *data, uint64_t offset, size_t size, uint64_t seed);

/* For the runner: a fresh directory (to be freed), and its removal with all that is in it. */
char *files_create_dir(void);
void files_remove_dir(const char *path);
/* Removes the directory where this very process made it. */
void files_remove_own_dir(void);

#define FILES_DIR_VARIABLE "SMMAP_TEST_DIR" /* how the runner hands the directory to the test */

#endif
