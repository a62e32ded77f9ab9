/* SPDX-License-Identifier: BSD-3-Clause */
#include "escape.h"

#include <stdint.h>
#include <string.h>

/* One row for each shape of character in table 3-7 of the Unicode standard; the rest continues as 80..BF. */
static const struct {
	unsigned char first, last, second_first, second_last, length;
} utf8_shapes[] = {
	{0x01, 0x7f, 0x00, 0xff, 1}, {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
	{0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
	{0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
};

size_t utf8_length(const char *string)
{
	const unsigned char *at = (const unsigned char *)string;
	for (size_t i = 0; i < sizeof utf8_shapes / sizeof *utf8_shapes; i++) {
		if (at[0] < utf8_shapes[i].first || at[0] > utf8_shapes[i].last)
			continue;
		size_t length = utf8_shapes[i].length;
		if (length > 1 && (at[1] < utf8_shapes[i].second_first || at[1] > utf8_shapes[i].second_last))
			return 0;
		for (size_t k = 2; k < length; k++)
			if (at[k] < 0x80 || at[k] > 0xbf)
				return 0;
		return length;
	}
	return 0;
}

/* Whether a terminal would act on the character instead of showing it. */
static bool acts(const char *string, size_t length)
{
	const unsigned char *at = (const unsigned char *)string;
	if (length == 1)
		return at[0] < 0x20 || at[0] == 0x7f;
	if (length == 2)
		return at[0] == 0xc2 && at[1] < 0xa0; /* the second set of control characters */
	if (length == 3 && at[0] == 0xe2 && at[1] == 0x80)
		return at[2] == 0x8e || at[2] == 0x8f || (at[2] >= 0xa8 && at[2] <= 0xae);
	return length == 3 && at[0] == 0xe2 && at[1] == 0x81 && at[2] >= 0xa6 && at[2] <= 0xa9;
}

static void escape_byte(struct text *text, char byte)
{
	static const char plain[] = "\\\n\r\t";
	static const char letters[] = "\\nrt";
	const char *known = byte ? strchr(plain, byte) : NULL;
	if (known)
		text_printf(text, "\\%c", letters[known - plain]);
	else
		text_printf(text, "\\x%02x", (unsigned)(unsigned char)byte);
}

void escape_for_message(struct text *text, const char *name)
{
	while (*name) {
		size_t length = utf8_length(name);
		if (length != 0 && *name != '\\' && !acts(name, length)) {
			text_add(text, name, length);
			name += length;
			continue;
		}
		for (size_t i = 0; i < (length ? length : 1); i++)
			escape_byte(text, *name++);
	}
}

bool escape_for_list_needed(const char *name)
{
	return strpbrk(name, "\\\n\r") != NULL;
}

void escape_for_list(struct text *text, const char *name)
{
	for (; *name; name++) {
		if (*name == '\\' || *name == '\n' || *name == '\r')
			escape_byte(text, *name);
		else
			text_add(text, name, 1);
	}
}

bool unescape_from_list(char *name)
{
	char *to = name;
	for (; *name; name++) {
		if (*name != '\\') {
			*to++ = *name;
			continue;
		}
		name++;
		if (*name == 'n')
			*to++ = '\n';
		else if (*name == 'r')
			*to++ = '\r';
		else if (*name == '\\')
			*to++ = '\\';
		else
			return false;
	}
	*to = 0;
	return true;
}
