/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the fuzz targets share. A target is one file, fuzz_<what>.c, with the function that libFuzzer and AFL++ call for each
 * input; it reads the input as a list of choices and ends the process when the library does other than its model. All of
 * them are built three ways:
 *
 *     scripts/fuzz.sh             with libFuzzer and with AFL++, under the sanitizers: finds new inputs
 *     tests/fuzz/replay.c         as a test program: the inputs of tests/fuzz/corpus/<what>, in `make check`
 *
 * An input leaves nothing behind: neither memory nor descriptors nor mappings, and files only where each input makes them
 * anew. So an input that failed fails again alone.
 */
#ifndef SMMAP_TESTS_FUZZ_H
#define SMMAP_TESTS_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* ---- the input ---- */

typedef struct fuzz_input {
	const uint8_t *at;
	size_t left;
} fuzz_input;

static inline bool fuzz_more(const fuzz_input *in)
{
	return in->left != 0;
}

/* Each takes as few bytes as it needs; where the input is at its end, they are 0. */
uint8_t fuzz_byte(fuzz_input *in);
uint64_t fuzz_below(fuzz_input *in, uint64_t n);
static inline bool fuzz_flag(fuzz_input *in)
{
	return fuzz_byte(in) & 1;
}
/* Any number, often one where arithmetic changes: 0, pages, powers of two, the ends of the types, each a little off. */
uint64_t fuzz_number(fuzz_input *in);

/* ---- checks ---- */

_Noreturn void fuzz_failed(const char *what, const char *file, int line);
_Noreturn void fuzz_differs(const char *what, int64_t got, int64_t wanted, const char *file, int line);

#define CHECK(condition) ((condition) ? (void)0 : fuzz_failed(#condition, __FILE__, __LINE__))
#define CHECK_EQUAL(got, wanted)                                                                             \
	do {                                                                                                     \
		int64_t got_ = (int64_t)(got), wanted_ = (int64_t)(wanted);                                          \
		if (got_ != wanted_)                                                                                 \
			fuzz_differs(#got " == " #wanted, got_, wanted_, __FILE__, __LINE__);                            \
	} while (0)

/* ---- files ---- */

/* A file and what a plain pread says that it holds. */
typedef struct fuzz_file {
	const char *path;
	unsigned char *data;
	uint64_t size;
} fuzz_file;

/* Made once for the process, with random content. */
void fuzz_make_file(fuzz_file *file, const char *name, uint64_t size);
/* All of a short range; of a long one both ends and the middle. */
void fuzz_check_bytes(const fuzz_file *file, const unsigned char *data, uint64_t offset, uint64_t size);

/* The lowest descriptor that is free: the same before and after an input. */
int fuzz_next_descriptor(void);

#endif
