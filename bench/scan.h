/* SPDX-License-Identifier: BSD-3-Clause */
/* Reading a file from begin to end and summing its bytes up, in the ways that are compared. */
#ifndef SMMAP_BENCH_SCAN_H
#define SMMAP_BENCH_SCAN_H

#include <smmap.h>

uint64_t scan_sum(const unsigned char *data, size_t size);
uint64_t scan_windows(smmap_cursor *cursor);
uint64_t scan_pread(int fd, unsigned char *block, size_t size);

#endif
