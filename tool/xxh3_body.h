/* SPDX-License-Identifier: BSD-3-Clause */
/* Defines the digest XXH3_DIGEST by XXH3-128; for inclusion by xxh3_*.c after the choice of instructions. */
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "xxh3.h"

_Static_assert(sizeof(XXH3_state_t) <= DIGEST_STATE_ROOM, "the state does not fit");
_Static_assert(_Alignof(XXH3_state_t) <= _Alignof(struct digest_state), "the state is not aligned");

static bool xxh3_begin(struct digest_state *state)
{
	return XXH3_128bits_reset((XXH3_state_t *)(void *)state->room) == XXH_OK;
}

static bool xxh3_update(struct digest_state *state, const void *data, size_t size)
{
	return XXH3_128bits_update((XXH3_state_t *)(void *)state->room, data, size) == XXH_OK;
}

static void xxh3_finish(struct digest_state *state, unsigned char result[DIGEST_MAX_SIZE])
{
	XXH128_canonical_t canonical;
	XXH128_canonicalFromHash(&canonical, XXH3_128bits_digest((XXH3_state_t *)(void *)state->room));
	for (size_t i = 0; i < sizeof canonical.digest; i++)
		result[i] = canonical.digest[i];
}

const struct digest XXH3_DIGEST = {
	.name = "xxh3-128",
	.tag = "XXH128",
	.size = 16,
	.begin = xxh3_begin,
	.update = xxh3_update,
	.finish = xxh3_finish,
};
