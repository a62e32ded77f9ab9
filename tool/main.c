/* SPDX-License-Identifier: BSD-3-Clause */
/* The tool: finds the command, makes the manager that all files of the run share, and tells how it went. */
#include "commands.h"
#include "options.h"
#include "report.h"
#include "run.h"
#include "smmap.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct command commands[] = {
	{"cat", COMMAND_CAT, command_cat, 1, "FILE...", "Write files, or a part of each, to standard output",
     "A part that lies behind the end of the file is empty.\n"
     "Exit status: 0 all was written, 1 a file failed, 2 wrong use.\n"},
	{"hash", COMMAND_HASH, command_hash, 1, "FILE...",
     "Print the hash of each file, as xxhsum -H2 or sha256sum does",
     "Exit status: 0 all was hashed (or all is as the lists say), 1 a file failed or differs, 2 wrong "
     "use.\n"},
	{"find", COMMAND_FIND, command_find, 2, "PATTERN FILE...",
     "Print the offsets of the bytes PATTERN in files",
     "Matches do not overlap (as with grep -o); newlines mean nothing, so that --count counts matches, "
     "where\n"
     "grep -c counts lines. With several files each line begins with the file's name.\n"
     "Exit status: 0 found, 1 not found, 2 a file failed or wrong use.\n"},
	{"info", COMMAND_INFO, command_info, 1, "FILE...",
     "Print size, identity, placement and what is in the page cache",
     "The system tells what is in the page cache only for files that one owns or may write to.\n"
     "Exit status: 0 all was printed, 1 a file failed, 2 wrong use.\n"},
};

enum { COMMAND_COUNT = sizeof commands / sizeof *commands };

/*
 * A descriptor 0, 1 or 2 that is closed would be given to the next file that is opened. Put something there
 * that can be neither read nor written by mistake, so that using it fails as if it were closed.
 */
static void keep_standard_descriptors(void)
{
	for (int fd = 0; fd <= 2; fd++)
		if (fcntl(fd, F_GETFD) == -1 && open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY) != fd)
			_exit(STATUS_USAGE);
}

static int print_help(void)
{
	puts("Usage: smmap COMMAND [OPTION]... FILE...\n"
	     "Read files of any size through memory maps, inside a fixed memory budget.\n\n"
	     "Commands:");
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		printf("  %-6s %s\n", commands[i].name, commands[i].help);
	puts("\n'smmap COMMAND --help' lists the options. 'smmap --version' prints the version.");
	return report_stdio() ? STATUS_OK : STATUS_USAGE;
}

static int print_version(void)
{
	printf("smmap %s\n", smmap_version());
	return report_stdio() ? STATUS_OK : STATUS_USAGE;
}

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		if (strcmp(name, commands[i].name) == 0)
			return &commands[i];
	return NULL;
}

/* Makes the manager and puts the guard on. Returns 0 or an error code. */
static int run_begin(struct run *run, const struct options *options)
{
	smmap_options library = SMMAP_OPTIONS_INIT;
	library.window_size = (int64_t)options_window(options);
	library.max_memory = options->limit;
	library.max_handles = options->handles;
	library.placement = options->placement;
	run->options = options;
	sink_init(&run->sink);
	progress_init(&run->progress, options);
	probe_init(&run->probe, options->stats);
	int code = smmap_guard_enable();
	return code < 0 ? code : smmap_manager_new(&run->manager, &library);
}

static int run_end(struct run *run)
{
	const struct command *command = run->options->command;
	if (!run->stop)
		progress_finish(&run->progress);
	if (run->options->stats)
		probe_report(&run->probe, run->manager, run->options->json);
	smmap_manager_free(run->manager);
	if (run->failed)
		return command->status_on_error;
	return command->bit == COMMAND_FIND && !run->found ? 1 : STATUS_OK;
}

int main(int argc, char **argv)
{
	static struct run run;
	struct options options;
	keep_standard_descriptors();
	if (argc < 2)
		return usage_error(NULL, "COMMAND is missing");
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0)
		return print_help();
	if (strcmp(argv[1], "--version") == 0)
		return print_version();
	const struct command *command = find_command(argv[1]);
	if (!command && *argv[1] == '-')
		return usage_error(NULL, "'%s': options stand behind the COMMAND", argv[1]);
	if (!command)
		return usage_error(NULL, "unknown command '%s'", argv[1]);
	int status = options_parse(&options, command, argc - 1, argv + 1);
	if (status != OPTIONS_GO)
		return status;
	int code = run_begin(&run, &options);
	if (code < 0) {
		report_line("cannot begin", report_reason(code));
		return STATUS_USAGE;
	}
	command->run(&run);
	return run_end(&run);
}
