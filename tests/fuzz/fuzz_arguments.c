/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The arguments of the tool, one a line. What is refused is refused in a line that a terminal can show; what is taken
 * describes a run that makes sense. Sizes are read once more by other arithmetic.
 */
#include "fuzz/fuzz.h"
#include "fuzz/captured.h"

#include "escape.h"
#include "options.h"
#include "pattern.h"
#include "size.h"

#include <getopt.h>
#include <smmap.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { ARGUMENTS = 24 };

/* ---- messages ---- */

/* Two lines that a terminal only shows, and that say who speaks. */
static void check_message(const struct text *text)
{
	size_t lines = 0;
	CHECK(text->size != 0 && text->data[text->size - 1] == '\n' && strlen(text->data) == text->size);
	for (size_t i = 0; i < text->size;) {
		size_t length = utf8_length(text->data + i);
		unsigned char byte = (unsigned char)text->data[i];
		CHECK(length != 0);
		CHECK(byte == '\n' || (byte >= 0x20 && byte != 0x7f));
		CHECK(byte != 0xc2 || (unsigned char)text->data[i + 1] >= 0xa0);
		lines += byte == '\n';
		i += length;
	}
	CHECK(lines == 2 && strncmp(text->data, "smmap", 5) == 0);
}

/* ---- sizes ---- */

/* The size in bytes by decimal digits: the whole part times the factor, then what each digit behind the point adds. */
static bool size_again(const char *string, uint64_t *value)
{
	static const struct {
		const char *unit;
		uint64_t base;
		int power;
	} units[] = {{"", 1, 0},       {"b", 1, 0},      {"k", 1024, 1},   {"m", 1024, 2},   {"g", 1024, 3},
	             {"t", 1024, 4},   {"p", 1024, 5},   {"e", 1024, 6},   {"kib", 1024, 1}, {"mib", 1024, 2},
	             {"gib", 1024, 3}, {"tib", 1024, 4}, {"pib", 1024, 5}, {"eib", 1024, 6}, {"kb", 1000, 1},
	             {"mb", 1000, 2},  {"gb", 1000, 3},  {"tb", 1000, 4},  {"pb", 1000, 5},  {"eb", 1000, 6}};
	string += strspn(string, " ");
	size_t whole_digits = strspn(string, "0123456789");
	const char *whole = string, *fraction = "";
	size_t fraction_digits = 0;
	string += whole_digits;
	if (*string == '.') {
		fraction = ++string;
		fraction_digits = strspn(string, "0123456789");
		string += fraction_digits;
		if (fraction_digits == 0 || fraction_digits > 6)
			return false;
	}
	string += strspn(string, " ");
	if (whole_digits == 0)
		return false;
	for (size_t u = 0; u < sizeof units / sizeof *units; u++) {
		if (strcasecmp(string, units[u].unit) != 0)
			continue;
		uint64_t factor = 1, sum = 0, scale = 1;
		for (int i = 0; i < units[u].power; i++)
			factor *= units[u].base;
		if (factor == 1 && fraction_digits != 0)
			return false;
		for (size_t i = 0; i < whole_digits; i++)
			if (__builtin_mul_overflow(sum, 10, &sum) ||
			    __builtin_add_overflow(sum, (uint64_t)(whole[i] - '0'), &sum))
				return false;
		if (__builtin_mul_overflow(sum, factor, &sum))
			return false;
		/* number * factor / scale, by halves of the factor. */
		for (size_t i = 0; i < fraction_digits; i++)
			scale *= 10;
		uint64_t number = strtoull(fraction, NULL, 10);
		uint64_t high = (factor >> 32) * number, low = (factor & UINT32_MAX) * number;
		uint64_t part = ((high / scale) << 32) + (((high % scale) << 32) + low) / scale;
		if (__builtin_add_overflow(sum, part, &sum))
			return false;
		*value = sum;
		return true;
	}
	return false;
}

static void check_size(const char *string)
{
	uint64_t value = 77, again = 77, number = 77;
	const char *error = size_parse(string, &value);
	CHECK((error == NULL) == size_again(string, &again));
	CHECK(value == again);
	error = number_parse(string, &number);
	CHECK((error == NULL) == (*string != 0 && strspn(string, "0123456789") == strlen(string) &&
	                          (strlen(string) < 20 || size_again(string, &again))));
	CHECK(error != NULL || number == strtoull(string, NULL, 10));
	char text[SIZE_TEXT_ROOM];
	CHECK(strlen(size_format(text, (double)value)) < SIZE_TEXT_ROOM);
}

/* ---- patterns ---- */

static void check_pattern(const char *string, bool hex)
{
	struct pattern pattern;
	unsigned char there[300] = {0};
	if (pattern_check(string, hex) != NULL)
		return;
	pattern_make(&pattern, string, hex);
	CHECK(pattern.size != 0 && pattern.size <= strlen(string));
	CHECK(pattern.first <= pattern.second && pattern.second < pattern.size);
	if (pattern.size <= sizeof there) {
		/* The last place that it can stand at; an earlier one only where it is there. */
		unsigned char *last = there + sizeof there - pattern.size;
		memcpy(last, pattern.bytes, pattern.size);
		CHECK(pattern_find(&pattern, there, sizeof there) ==
		      (unsigned char *)memmem(there, sizeof there, pattern.bytes, pattern.size));
		CHECK(pattern_find(&pattern, there, pattern.size - 1) == NULL);
	}
	pattern_free(&pattern);
}

/* ---- arguments ---- */

static const struct command commands[] = {
	{"cat", COMMAND_CAT, NULL, 1, "FILE...", "help", "details"},
	{"hash", COMMAND_HASH, NULL, 1, "FILE...", "help", "details"},
	{"find", COMMAND_FIND, NULL, 2, "PATTERN FILE...", "help", "details"},
	{"info", COMMAND_INFO, NULL, 1, "FILE...", "help", "details"},
};

static void check_run(const struct options *o, int argc)
{
	smmap_options library = SMMAP_OPTIONS_INIT;
	smmap_manager *manager;
	CHECK(o->threads >= 1 && o->file_count >= 1 && o->file_count < (size_t)argc);
	CHECK(o->max >= 1);
	CHECK(o->length == UINT64_MAX || o->offset <= UINT64_MAX - o->length);
	CHECK((o->pattern != NULL) == (o->command->bit == COMMAND_FIND));
	CHECK(strcmp(o->algorithm, "xxh3-128") == 0 || strcmp(o->algorithm, "sha256") == 0);
	for (size_t i = 0; i < o->file_count; i++)
		CHECK(o->files[i] != NULL);
	/* As main.c does. */
	library.window_size = (int64_t)options_window(o);
	library.max_memory = o->limit;
	library.max_handles = o->handles;
	library.placement = o->placement;
	CHECK_EQUAL(smmap_manager_new(&manager, &library), 0);
	CHECK(o->limit == 0 || smmap_manager_max_mapped_memory_size(manager) == o->limit);
	CHECK_EQUAL(smmap_manager_free(manager), 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_input in = {data, size};
	const struct command *command = &commands[fuzz_below(&in, 4)];
	char *text = malloc(in.left + 1), *rest = text, *argv[ARGUMENTS + 2] = {(char *)(uintptr_t)command->name};
	struct options options;
	int argc = 1;
	CHECK(text != NULL);
	memcpy(text, in.at, in.left);
	text[in.left] = 0;
	/* A line each; a 0 ends the arguments, as it does in a real call. */
	while (argc <= ARGUMENTS && rest != NULL)
		argv[argc++] = strsep(&rest, "\n");
	for (int i = 1; i < argc; i++) {
		check_size(argv[i]);
		check_pattern(argv[i], true);
		check_pattern(argv[i], false);
	}
	optind = 0; /* glibc: begin anew */
	reported_clear();
	int status = options_parse(&options, command, argc, argv);
	CHECK_EQUAL(reported_error.size != 0, status == STATUS_USAGE);
	if (status == STATUS_USAGE)
		check_message(&reported_error);
	if (status == OPTIONS_GO)
		check_run(&options, argc);
	else
		CHECK(status == STATUS_OK || status == STATUS_USAGE);
	free(text);
	return 0;
}
