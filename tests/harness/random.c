/* SPDX-License-Identifier: BSD-3-Clause */
#include "harness/random.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

uint64_t random_seed(void)
{
	static uint64_t seed;
	if (seed != 0)
		return seed;
	const char *given = getenv("SMMAP_TEST_SEED");
	if (given != NULL)
		seed = strtoull(given, NULL, 0);
	else if (getrandom(&seed, sizeof(seed), 0) != (ssize_t)sizeof(seed))
		abort();
	if (seed == 0)
		seed = 1;
	printf("seed: SMMAP_TEST_SEED=%" PRIu64 "\n", seed);
	return seed;
}

random_source random_from(uint64_t seed)
{
	return (random_source){seed};
}

uint64_t random_mix(uint64_t x)
{
	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	return x ^ (x >> 31);
}

uint64_t random_next(random_source *source)
{
	source->state += UINT64_C(0x9e3779b97f4a7c15);
	return random_mix(source->state);
}

uint64_t random_below(random_source *source, uint64_t below)
{
	/* The remainder's bias does not matter to a test. */
	return below == 0 ? 0 : random_next(source) % below;
}
