/* SPDX-License-Identifier: BSD-3-Clause */
/* Random numbers that can be had again: SMMAP_TEST_SEED replays a failed test. */
#ifndef SMMAP_TESTS_RANDOM_H
#define SMMAP_TESTS_RANDOM_H

#include <stdint.h>

typedef struct random_source {
	uint64_t state;
} random_source;

/* The seed of this test process: SMMAP_TEST_SEED or a fresh one. Printed, so that a failure shows it. */
uint64_t random_seed(void);

random_source random_from(uint64_t seed);
uint64_t random_next(random_source *source);
/* 0 ... below - 1; 0 when `below` is 0. */
uint64_t random_below(random_source *source, uint64_t below);
/* splitmix64's output function: a bijection of 64 bits. */
uint64_t random_mix(uint64_t x);

#endif
