/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The idea is that of the "generic SIMD" algorithm (W. Mula, "SIMD-friendly algorithms for substring
 * searching"): compare two bytes of the pattern with many places of the text at once, and the whole pattern
 * only where both are equal. Which two: the rarest (as A. Gallant's memchr does), so that this is seldom.
 * memmem, whose time is linear whatever the text, takes over where candidates are many and in vain.
 */
#include "pattern.h"

#include "size.h"
#include "text.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

/*
 * How common each byte is, as a rank from 0 (rare) to 255: half of it counted over the shared libraries of a
 * Debian system, half over C headers, documentation and Perl modules.
 */
static const unsigned char commonness[256] = {
	/* clang-format off */
	255, 228, 198, 181, 191, 176, 157, 159, 209, 177, 241, 138, 160, 158, 201, 237,
	202, 133, 163, 79, 121, 123, 70, 73, 172, 62, 49, 45, 101, 46, 55, 186,
	254, 110, 118, 178, 219, 149, 96, 99, 230, 227, 216, 93, 220, 188, 185, 207,
	208, 218, 190, 166, 164, 174, 168, 116, 180, 175, 161, 189, 147, 196, 119, 80,
	170, 236, 192, 215, 223, 233, 183, 184, 247, 226, 91, 155, 232, 195, 217, 211,
	214, 86, 212, 235, 225, 179, 165, 120, 182, 141, 102, 142, 162, 151, 75, 253,
	126, 243, 206, 242, 238, 252, 239, 210, 221, 249, 83, 204, 240, 224, 250, 244,
	229, 113, 245, 248, 251, 231, 213, 167, 197, 200, 134, 136, 140, 143, 72, 81,
	169, 94, 41, 199, 187, 194, 98, 63, 112, 234, 17, 222, 92, 203, 68, 53,
	146, 19, 43, 22, 67, 26, 15, 16, 76, 13, 9, 5, 34, 10, 3, 7,
	100, 12, 14, 52, 28, 2, 6, 4, 74, 8, 21, 11, 33, 0, 1, 31,
	97, 20, 18, 23, 59, 24, 114, 69, 128, 58, 95, 35, 61, 39, 111, 89,
	193, 153, 115, 154, 150, 131, 122, 156, 107, 103, 57, 25, 42, 36, 38, 29,
	144, 87, 109, 66, 44, 47, 48, 32, 104, 65, 50, 78, 30, 27, 51, 124,
	135, 60, 90, 37, 54, 40, 71, 82, 205, 173, 77, 132, 108, 85, 88, 145,
	125, 56, 106, 129, 64, 84, 139, 117, 148, 105, 127, 130, 137, 152, 171, 246,
	/* clang-format on */
};

static bool is_space(char byte)
{
	return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

const char *pattern_check(const char *string, bool hex)
{
	size_t pairs = 0;
	for (const char *at = string; hex && *at;) {
		if (is_space(*at)) {
			at++;
			continue;
		}
		if (hex_digit(at[0]) < 0)
			return "not hexadecimal";
		if (hex_digit(at[1]) < 0)
			return at[1] && !is_space(at[1]) ? "not hexadecimal" : "half a byte";
		pairs++;
		at += 2;
	}
	return (hex ? pairs == 0 : !*string) ? "empty" : NULL;
}

static void decode_hex(struct pattern *pattern, const char *string)
{
	while (*string) {
		if (is_space(*string)) {
			string++;
			continue;
		}
		pattern->bytes[pattern->size++] = (unsigned char)(hex_digit(string[0]) * 16 + hex_digit(string[1]));
		string += 2;
	}
}

/* Finds the rarest byte of the pattern, apart from the place `but`. */
static size_t rarest(const struct pattern *pattern, size_t but)
{
	size_t best = but == 0 && pattern->size > 1 ? 1 : 0;
	for (size_t i = best + 1; i < pattern->size; i++)
		if (i != but && commonness[pattern->bytes[i]] < commonness[pattern->bytes[best]])
			best = i;
	return best;
}

void pattern_make(struct pattern *pattern, const char *string, bool hex)
{
	size_t length = strlen(string);
	*pattern = (struct pattern){.bytes = memory_new(length + 1, 1)};
	if (hex) {
		decode_hex(pattern, string);
	} else {
		memcpy(pattern->bytes, string, length);
		pattern->size = length;
	}
	size_t one = rarest(pattern, SIZE_MAX);
	size_t other = rarest(pattern, one);
	pattern->first = one < other ? one : other;
	pattern->second = one < other ? other : one;
}

void pattern_free(struct pattern *pattern)
{
	free(pattern->bytes);
	*pattern = (struct pattern){0};
}

static const unsigned char *find_simple(const struct pattern *pattern, const unsigned char *data, size_t size)
{
	return memmem(data, size, pattern->bytes, pattern->size);
}

#if defined(__x86_64__)

enum { BLOCK = 32 };

/* A bit for each of the 32 places from `at` on where both chosen bytes stand. */
__attribute__((target("avx2"))) static inline uint32_t
candidates(const struct pattern *pattern, const unsigned char *at, __m256i first, __m256i second)
{
	__m256i a = _mm256_loadu_si256((const __m256i *)(const void *)(at + pattern->first));
	__m256i b = _mm256_loadu_si256((const __m256i *)(const void *)(at + pattern->second));
	__m256i both = _mm256_and_si256(_mm256_cmpeq_epi8(a, first), _mm256_cmpeq_epi8(b, second));
	return (uint32_t)_mm256_movemask_epi8(both);
}

__attribute__((target("avx2"))) static const unsigned char *find_avx2(const struct pattern *pattern,
                                                                      const unsigned char *data, size_t size)
{
	const __m256i first = _mm256_set1_epi8((char)pattern->bytes[pattern->first]);
	const __m256i second = _mm256_set1_epi8((char)pattern->bytes[pattern->second]);
	size_t places = size - pattern->size + 1;
	size_t at = 0;
	size_t vain = 0; /* bytes of comparisons that led to nothing */
	for (; at + BLOCK <= places; at += BLOCK) {
		uint32_t bits = candidates(pattern, data + at, first, second);
		for (; bits; bits &= bits - 1) {
			const unsigned char *place = data + at + (unsigned)__builtin_ctz(bits);
			if (memcmp(place, pattern->bytes, pattern->size) == 0)
				return place;
			vain += pattern->size;
		}
		if (vain > 4 * at + 4096)
			break;
	}
	return find_simple(pattern, data + at, size - at);
}

#endif

const unsigned char *pattern_find(const struct pattern *pattern, const unsigned char *data, size_t size)
{
	if (size < pattern->size)
		return NULL;
	if (pattern->size == 1)
		return memchr(data, pattern->bytes[0], size);
#if defined(__x86_64__)
	if (__builtin_cpu_supports("avx2"))
		return find_avx2(pattern, data, size);
#endif
	return find_simple(pattern, data, size);
}
