/* SPDX-License-Identifier: BSD-3-Clause */
/* In place of tool/report.c: what the tool would write to standard output and error, kept in memory. */
#ifndef SMMAP_TESTS_FUZZ_CAPTURED_H
#define SMMAP_TESTS_FUZZ_CAPTURED_H

#include "text.h"

extern struct text reported_output;
extern struct text reported_error;

void reported_clear(void);

#endif
