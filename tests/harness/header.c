/* SPDX-License-Identifier: BSD-3-Clause */
#include "harness/header.h"

#include <ctype.h>
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_MAX_LENGTH = 100, DECLARATION_MAX = 1000 };

/* The header without comments and directives. */
static char *read_header(void)
{
	FILE *file = fopen(SMMAP_TESTS_HEADER, "re");
	static char text[200000];
	if (file == NULL)
		err(1, SMMAP_TESTS_HEADER);
	size_t size = fread(text, 1, sizeof text - 1, file);
	fclose(file);
	text[size] = 0;
	char *to = text;
	bool at_line_start = true;
	for (const char *at = text; *at != 0;) {
		if (strncmp(at, "/*", 2) == 0) {
			at = strstr(at, "*/") + 2;
		} else if (at_line_start && *at == '#') {
			while (*at != 0 && *at != '\n')
				at += *at == '\\' && at[1] != 0 ? 2 : 1;
		} else {
			at_line_start = *at == '\n' || (at_line_start && isspace((unsigned char)*at));
			*to++ = *at++;
		}
	}
	*to = 0;
	return text;
}

static bool is_word(char c)
{
	return isalnum((unsigned char)c) || c == '_';
}

/* The last word before `end`, and where it begins. */
static const char *last_word(const char *begin, const char *end, char word[NAME_MAX_LENGTH])
{
	while (end > begin && !is_word(end[-1]))
		end--;
	const char *from = end;
	while (from > begin && is_word(from[-1]))
		from--;
	snprintf(word, NAME_MAX_LENGTH, "%.*s", (int)(end - from), from);
	return from;
}

/* Calls `see` with each declaration's name and its parameters, in parentheses. */
static void each_declaration(void (*see)(const char *function, const char *parameters, void *context),
                             void *context)
{
	static const char *const begins[] = {"SMMAP_API ", "static inline "};
	char *text = read_header();
	for (size_t i = 0; i < sizeof begins / sizeof *begins; i++)
		for (char *at = text; (at = strstr(at, begins[i])) != NULL; at++) {
			char name[NAME_MAX_LENGTH], parameters[DECLARATION_MAX];
			const char *open = strchr(at, '('), *close = strchr(at, ')');
			last_word(at, open, name);
			snprintf(parameters, sizeof parameters, "%.*s", (int)(close - open - 1), open + 1);
			if (strncmp(name, "smmap__", 7) != 0)
				see(name, parameters, context);
		}
}

struct seer {
	void (*function)(const char *function, void *context);
	void (*integer)(const char *name, const char *type, void *context);
	void *context;
};

static void see_function(const char *function, const char *parameters, void *context)
{
	const struct seer *seer = context;
	(void)parameters;
	seer->function(function, seer->context);
}

void header_each_function(void (*see)(const char *function, void *context), void *context)
{
	struct seer seer = {.function = see, .context = context};
	each_declaration(see_function, &seer);
}

static bool is_integer(const char *type)
{
	static const char *const types[] = {"int",     "unsigned", "size_t",   "uint64_t",
	                                    "int64_t", "uint32_t", "uintptr_t"};
	for (size_t i = 0; i < sizeof types / sizeof *types; i++)
		if (strcmp(type, types[i]) == 0)
			return true;
	return false;
}

static void see_parameters(const char *function, const char *parameters, void *context)
{
	const struct seer *seer = context;
	char copy[DECLARATION_MAX];
	snprintf(copy, sizeof copy, "%s", parameters);
	char *rest = copy;
	for (char *one; (one = strsep(&rest, ",")) != NULL;) {
		char name[NAME_MAX_LENGTH], type[NAME_MAX_LENGTH], full[2 * NAME_MAX_LENGTH];
		if (strchr(one, '*') != NULL)
			continue;
		const char *before = last_word(one, one + strlen(one), name);
		last_word(one, before, type);
		snprintf(full, sizeof full, "%s.%s", function, name);
		if (is_integer(type))
			seer->integer(full, type, seer->context);
	}
}

void header_each_integer(void (*see)(const char *name, const char *type, void *context), void *context)
{
	struct seer seer = {.integer = see, .context = context};
	each_declaration(see_parameters, &seer);
}
