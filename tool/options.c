/* SPDX-License-Identifier: BSD-3-Clause */
#include "options.h"

#include "digest.h"
#include "escape.h"
#include "json.h"
#include "pattern.h"
#include "report.h"
#include "size.h"
#include "smmap.h"
#include "text.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define HUGE_PAGE ((uint64_t)2 << 20)
#define MAX_THREADS 1024
#define REGIONS_IN_LIMIT 8 /* where only the limit is given, so many windows fit into it */

/* Each sets one option from its argument. Returns NULL or says what is wrong with it. */

static const char *set_size(uint64_t *size, const char *argument)
{
	const char *error = size_parse(argument, size);
	return !error && *size == 0 ? "must be larger than 0" : error;
}

static const char *set_window(struct options *options, const char *argument)
{
	const char *error = set_size(&options->window, argument);
	return !error && options->window > INT64_MAX ? "too large" : error;
}

static const char *set_limit(struct options *options, const char *argument)
{
	return set_size(&options->limit, argument);
}

static const char *set_handles(struct options *options, const char *argument)
{
	return number_parse(argument, &options->handles);
}

static const char *set_threads(struct options *options, const char *argument)
{
	uint64_t threads = 0;
	const char *error = number_parse(argument, &threads);
	if (error)
		return error;
	if (threads > MAX_THREADS)
		return "more than 1024";
	if (threads == 0) {
		long processors = sysconf(_SC_NPROCESSORS_ONLN);
		threads = processors > 0 ? (uint64_t)processors : 1;
	}
	options->threads = (unsigned)threads;
	return NULL;
}

static const char *set_placement(struct options *options, const char *argument)
{
	static const char *const names[] = {"auto", "stable", "detached"}; /* by enum smmap_placement */
	for (int i = 0; i < 3; i++) {
		if (strcmp(argument, names[i]) == 0) {
			options->placement = i;
			return NULL;
		}
	}
	return "not one of auto, stable, detached";
}

static const char *set_progress(struct options *options, const char *argument)
{
	static const char *const names[] = {"auto", "always", "never"}; /* by enum when */
	for (int i = 0; i < 3; i++) {
		if (strcmp(argument, names[i]) == 0) {
			options->progress = (enum when)i;
			return NULL;
		}
	}
	return "not one of auto, always, never";
}

static const char *set_copy(struct options *options, const char *argument)
{
	options->copy = strcmp(argument, "auto") == 0;
	return options->copy || strcmp(argument, "never") == 0 ? NULL : "not one of auto, never";
}

static const char *set_stats(struct options *options, const char *argument)
{
	(void)argument;
	options->stats = true;
	return NULL;
}

static const char *set_json(struct options *options, const char *argument)
{
	(void)argument;
	options->json = true;
	return json_available() ? NULL : "this smmap was built without JSON";
}

static const char *set_offset(struct options *options, const char *argument)
{
	return size_parse(argument, &options->offset);
}

static const char *set_length(struct options *options, const char *argument)
{
	return size_parse(argument, &options->length);
}

static const char *set_algorithm(struct options *options, const char *argument)
{
	options->algorithm = argument;
	return digest_known(argument) ? NULL : "not one of xxh3-128, sha256";
}

static const char *set_check(struct options *options, const char *argument)
{
	(void)argument;
	options->check = true;
	return NULL;
}

static const char *set_hex(struct options *options, const char *argument)
{
	(void)argument;
	options->hex = true;
	return NULL;
}

static const char *set_count(struct options *options, const char *argument)
{
	(void)argument;
	options->count = true;
	return NULL;
}

static const char *set_max(struct options *options, const char *argument)
{
	const char *error = number_parse(argument, &options->max);
	return !error && options->max == 0 ? "must be larger than 0" : error;
}

static const struct spec {
	const char *name;
	const char *argument; /* what the help calls it; NULL: takes none */
	unsigned commands;
	const char *(*set)(struct options *options, const char *argument); /* NULL: prints and exits */
	const char *help;
} specs[] = {
	{"offset", "N", COMMAND_CAT, set_offset, "begin at byte N (0); N as a size"},
	{"length", "N", COMMAND_CAT, set_length, "write at most N bytes of each file (all)"},
	{"algorithm", "NAME", COMMAND_HASH, set_algorithm, "xxh3-128 or sha256 (xxh3-128)"},
	{"check", NULL, COMMAND_HASH, set_check, "the FILEs are lists of hashes: check them; - is a pipe"},
	{"hex", NULL, COMMAND_FIND, set_hex, "PATTERN is bytes in hexadecimal: \"de ad be ef\""},
	{"count", NULL, COMMAND_FIND, set_count, "print how many matches, not where"},
	{"max", "N", COMMAND_FIND, set_max, "stop after N matches in each file"},
	{"window", "SIZE", COMMAND_ALL, set_window, "map in pieces of SIZE (1GiB; with --limit an 8th of it)"},
	{"limit", "SIZE", COMMAND_ALL, set_limit, "keep at most SIZE mapped (8GiB)"},
	{"handles", "N", COMMAND_ALL, set_handles, "keep at most N pieces mapped (0: no limit)"},
	{"threads", "N", COMMAND_ALL, set_threads, "work on N files at a time (1); 0: one per processor"},
	{"placement", "HOW", COMMAND_ALL, set_placement, "auto, stable or detached (auto)"},
	{"copy", "WHEN", COMMAND_HASH | COMMAND_FIND, set_copy,
     "copy what is read faster so: auto, never (auto)"},
	{"stats", NULL, COMMAND_ALL, set_stats, "statistics to standard error at the end"},
	{"json", NULL, COMMAND_ALL, set_json, "results as JSON, one object per line"},
	{"progress", "WHEN", COMMAND_ALL, set_progress, "auto, always or never (auto: on a terminal)"},
	{"help", NULL, COMMAND_ALL, NULL, "this text"},
	{"version", NULL, COMMAND_ALL, NULL, "the version"},
};

#define SPEC_COUNT (sizeof specs / sizeof *specs)

int usage_error(const struct command *command, const char *format, ...)
{
	struct text text = {0};
	va_list arguments;
	va_start(arguments, format);
	text_vprintf(&text, format, arguments);
	va_end(arguments);
	struct text line = {0};
	text_printf(&line, "smmap%s%s: ", command ? " " : "", command ? command->name : "");
	escape_for_message(&line, text.data);
	text_printf(&line, "\nTry 'smmap%s%s --help'.\n", command ? " " : "", command ? command->name : "");
	report_text(&line);
	text_free(&line);
	text_free(&text);
	return STATUS_USAGE;
}

static void print_help(const struct command *command)
{
	printf("Usage: smmap %s [OPTION]... %s\n%s.\n\n%s\n", command->name, command->operands, command->help,
	       command->details);
	for (size_t i = 0; i < SPEC_COUNT; i++) {
		char name[32];
		if (!(specs[i].commands & command->bit))
			continue;
		snprintf(name, sizeof name, "--%s%s%s", specs[i].name, specs[i].argument ? " " : "",
		         specs[i].argument ? specs[i].argument : "");
		printf("  %-18s %s\n", name, specs[i].help);
	}
	printf("\nA SIZE is a number of bytes, perhaps with a unit: K, M, G, T, P, E and KiB, MiB ... count in\n"
	       "1024s, kB, MB ... in 1000s. Options may stand before and behind FILEs; -- ends them.\n");
}

/* Fills `table` for getopt_long with what `command` knows; the value of each is its place in specs + 1. */
static void make_table(struct option table[SPEC_COUNT + 1], const struct command *command)
{
	size_t count = 0;
	for (size_t i = 0; i < SPEC_COUNT; i++) {
		if (specs[i].commands & command->bit)
			table[count++] = (struct option){
				specs[i].name, specs[i].argument ? required_argument : no_argument, NULL, (int)i + 1};
	}
	table[count] = (struct option){NULL, 0, NULL, 0};
}

/* The argument that getopt_long has just refused. */
static int refused(const struct command *command, int why, int argc, char **argv)
{
	const char *text = optind > 0 && optind <= argc ? argv[optind - 1] : "";
	if (why == ':')
		return usage_error(command, "option '%s' needs an argument", text);
	if (optopt > (int)SPEC_COUNT || (optopt > 0 && strncmp(text, "--", 2) != 0))
		return usage_error(command, "unknown option '-%c'", optopt);
	if (optopt > 0)
		return usage_error(command, "option '--%s' takes no argument", specs[optopt - 1].name);
	return usage_error(command, "unknown option '%s'", text);
}

/* Takes PATTERN off the operands and looks whether what is left makes sense. */
static int check_operands(struct options *options, int count, char **operands)
{
	const struct command *command = options->command;
	if (command->bit & COMMAND_FIND) {
		if (count < 1)
			return usage_error(command, "PATTERN is missing");
		options->pattern = *operands++;
		count--;
		const char *error = pattern_check(options->pattern, options->hex);
		if (error)
			return usage_error(command, "pattern '%s': %s", options->pattern, error);
	}
	if (count < 1)
		return usage_error(command, "FILE is missing");
	options->files = operands;
	options->file_count = (size_t)count;
	if (options->length != UINT64_MAX && options->offset > UINT64_MAX - options->length)
		return usage_error(command, "--offset and --length together: too large for 64 bits");
	return OPTIONS_GO;
}

int options_parse(struct options *options, const struct command *command, int argc, char **argv)
{
	struct option table[SPEC_COUNT + 1];
	make_table(table, command);
	*options = (struct options){.command = command,
	                            .threads = 1,
	                            .length = UINT64_MAX,
	                            .max = UINT64_MAX,
	                            .copy = true,
	                            .algorithm = "xxh3-128"};
	opterr = 0;
	for (int found; (found = getopt_long(argc, argv, ":", table, NULL)) != -1;) {
		if (found == '?' || found == ':')
			return refused(command, found, argc, argv);
		const struct spec *spec = &specs[found - 1];
		if (!spec->set) {
			if (strcmp(spec->name, "version") == 0)
				printf("smmap %s\n", smmap_version());
			else
				print_help(command);
			return report_stdio() ? STATUS_OK : command->status_on_error;
		}
		const char *error = spec->set(options, optarg);
		if (error && optarg)
			return usage_error(command, "--%s '%s': %s", spec->name, optarg, error);
		if (error)
			return usage_error(command, "--%s: %s", spec->name, error);
	}
	return check_operands(options, argc - optind, argv + optind);
}

uint64_t options_window(const struct options *options)
{
	if (options->window || !options->limit)
		return options->window;
	uint64_t fallback = smmap_is_64_bit() ? (uint64_t)1 << 30 : (uint64_t)64 << 20;
	uint64_t part = options->limit / REGIONS_IN_LIMIT;
	if (part >= fallback)
		return fallback;
	if (part >= HUGE_PAGE)
		return part / HUGE_PAGE * HUGE_PAGE;
	return part ? smmap_align(part, 1) : smmap_allocation_granularity();
}
