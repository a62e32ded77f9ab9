/* SPDX-License-Identifier: BSD-3-Clause */
#include "size.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define MAX_FRACTION_DIGITS 6 /* 10^6 * (2^60 / 10^6) stays inside 64 bits, see add_fraction */

static const char not_a_size[] = "not a size (write 4096, 64k, 1.5GiB or 10MB)";
static const char not_a_number[] = "not a whole number";
static const char negative[] = "must not be negative";
static const char too_large[] = "too large for 64 bits";

/* Reads digits at *string, moving it behind them. `*value` must be 0. */
static const char *read_digits(const char **string, uint64_t *value)
{
	for (; **string >= '0' && **string <= '9'; ++*string) {
		unsigned digit = (unsigned)(**string - '0');
		if (*value > (UINT64_MAX - digit) / 10)
			return too_large;
		*value = *value * 10 + digit;
	}
	return NULL;
}

/* The factor that a unit means; 0 for what is none. */
static uint64_t unit_factor(const char *unit)
{
	static const char letters[] = "kmgtpe";
	if (!*unit || strcasecmp(unit, "b") == 0)
		return 1;
	char small = (char)(*unit | 0x20);
	const char *letter = strchr(letters, small);
	if (!letter || small == 0)
		return 0;
	uint64_t base = 1024;
	if (strcasecmp(unit + 1, "b") == 0)
		base = 1000;
	else if (unit[1] && strcasecmp(unit + 1, "ib") != 0)
		return 0;
	uint64_t factor = base;
	for (; letter > letters; letter--)
		factor *= base;
	return factor;
}

/* Adds `digits`/`scale` units, rounded down, without leaving 64 bits on the way: `factor` is at most 2^60. */
static const char *add_fraction(uint64_t *value, uint64_t digits, uint64_t scale, uint64_t factor)
{
	uint64_t part = digits * (factor / scale) + digits * (factor % scale) / scale;
	if (part > UINT64_MAX - *value)
		return too_large;
	*value += part;
	return NULL;
}

const char *size_parse(const char *string, uint64_t *value)
{
	uint64_t whole = 0;
	uint64_t fraction = 0;
	uint64_t scale = 1;
	while (*string == ' ')
		string++;
	if (*string == '-')
		return negative;
	if (*string < '0' || *string > '9')
		return not_a_size;
	const char *error = read_digits(&string, &whole);
	if (error)
		return error;
	if (*string == '.') {
		const char *first = ++string;
		error = read_digits(&string, &fraction);
		if (error || string - first > MAX_FRACTION_DIGITS)
			return "more than six digits after the point";
		if (string == first)
			return not_a_size;
		for (const char *digit = first; digit < string; digit++)
			scale *= 10;
	}
	while (*string == ' ')
		string++;
	uint64_t factor = unit_factor(string);
	if (factor == 0)
		return not_a_size;
	if (scale > 1 && factor == 1)
		return "a fraction of a byte";
	if (whole > UINT64_MAX / factor)
		return too_large;
	whole *= factor;
	error = add_fraction(&whole, fraction, scale, factor);
	if (error)
		return error;
	*value = whole;
	return NULL;
}

const char *number_parse(const char *string, uint64_t *value)
{
	uint64_t number = 0;
	if (*string == '-')
		return negative;
	if (*string < '0' || *string > '9')
		return not_a_number;
	const char *error = read_digits(&string, &number);
	if (error)
		return error;
	if (*string)
		return not_a_number;
	*value = number;
	return NULL;
}

int hex_digit(char digit)
{
	if (digit >= '0' && digit <= '9')
		return digit - '0';
	if (digit >= 'a' && digit <= 'f')
		return digit - 'a' + 10;
	if (digit >= 'A' && digit <= 'F')
		return digit - 'A' + 10;
	return -1;
}

const char *size_format(char to[SIZE_TEXT_ROOM], double value)
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	size_t unit = 0;
	while (value >= 1023.95 && unit + 1 < sizeof units / sizeof *units) {
		value /= 1024;
		unit++;
	}
	bool whole = unit == 0 || value >= 99.95;
	snprintf(to, SIZE_TEXT_ROOM, "%.*f %s", whole ? 0 : 1, value, units[unit]);
	return to;
}
