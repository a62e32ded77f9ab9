/* SPDX-License-Identifier: BSD-3-Clause */
/* The command line: what was asked for. */
#ifndef SMMAP_TOOL_OPTIONS_H
#define SMMAP_TOOL_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct run;

/* Bits of struct command.bit, for options that only some commands know. */
enum { COMMAND_CAT = 1, COMMAND_HASH = 2, COMMAND_FIND = 4, COMMAND_INFO = 8, COMMAND_ALL = 15 };

/* One command: what it is called and what it does. */
struct command {
	const char *name;
	unsigned bit;
	void (*run)(struct run *run);
	int status_on_error; /* exit status when a file failed; 2 for commands whose 1 has another meaning */
	const char *operands;
	const char *help;    /* one line */
	const char *details; /* for `smmap COMMAND --help` */
};

enum when { WHEN_AUTO, WHEN_ALWAYS, WHEN_NEVER };

enum { STATUS_OK = 0, STATUS_USAGE = 2 };

struct options {
	const struct command *command;
	/* every command */
	uint64_t window; /* 0: not given */
	uint64_t limit;  /* 0: not given */
	uint64_t handles;
	unsigned threads;
	int placement; /* enum smmap_placement */
	enum when progress;
	bool stats;
	bool json;
	bool copy; /* files may be read by copy where that is faster */
	/* cat */
	uint64_t offset;
	uint64_t length; /* UINT64_MAX: to the end */
	/* hash */
	const char *algorithm;
	bool check;
	/* find */
	bool hex;
	bool count;
	uint64_t max;
	const char *pattern;
	/* operands */
	char **files;
	size_t file_count;
};

enum { OPTIONS_GO = -1 };

/*
 * Reads the arguments behind the command's name (argv[0] is the name). Returns OPTIONS_GO, or the status to
 * exit with when everything is said already: --help was answered or a mistake was reported.
 */
int options_parse(struct options *options, const struct command *command, int argc, char **argv);

/* Reports a mistake in the use of `command` (NULL: of the tool itself). Returns STATUS_USAGE. */
int usage_error(const struct command *command, const char *format, ...) __attribute__((format(printf, 2, 3)));

/*
 * The window size that the manager gets: the one asked for, or the one that suits the limit; 0: the default.
 */
uint64_t options_window(const struct options *options);

#endif
