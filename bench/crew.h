/* SPDX-License-Identifier: BSD-3-Clause */
/* Running the same work in several threads at once. */
#ifndef SMMAP_BENCH_CREW_H
#define SMMAP_BENCH_CREW_H

#include "bench.h"

enum { CREW_MAX = 8 };

typedef struct crew {
	unsigned threads;
	/* Does `count` operations as member `number`. Returns the units done. */
	uint64_t (*work)(void *shared, unsigned number, uint64_t count);
	void *shared;
} crew;

/* For a contestant: `count` operations in each thread; the context is a crew. */
uint64_t crew_run(void *context, uint64_t count);

/* Work that threads share nothing in: what they gain with it is all that the machine has to give. */
uint64_t crew_count(void *shared, unsigned number, uint64_t count);

/* What `many` threads gain against one, round by round: throughput over throughput. */
void crew_gains(const bench *b, const contestant *one, const contestant *many, double *gains);

#endif
