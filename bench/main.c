/* SPDX-License-Identifier: BSD-3-Clause */
#include "files.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *name;
	void (*run)(bench *b);
	const char *help;
} groups[] = {
	{"hit", group_hit, "a byte that the cursor covers"},
	{"move", group_move, "moving among mapped regions"},
	{"miss", group_miss, "a region that has to be mapped"},
	{"crowd", group_crowd, "the same with many regions mapped"},
	{"scan", group_scan, "a warm file from begin to end"},
	{"cold", group_cold, "a file that is not in the page cache"},
	{"read", group_read, "copying reads: size x pattern x budget"},
	{"threads", group_threads, "two threads against one"},
	{"memory", group_memory, "the manager's own memory, and page tables"},
	{"evict", group_evict, "misses on traces, beside exact LRU (simulated)"},
	{"tool", group_tool, "the command-line tool"},
};
enum { GROUPS = sizeof groups / sizeof *groups };

static void print_help(void)
{
	printf("usage: smmap-bench [OPTION...]\n"
	       "Measures the library against its peers, as ratios within one run.\n\n"
	       "  --only GROUP,...  these groups alone\n"
	       "  --quick           few and short rounds\n"
	       "  --rounds N        rounds (11; at most %d)\n"
	       "  --directory PATH  where test files are written, about 9 GiB (/var/tmp)\n"
	       "  --tool PATH       the command-line tool\n"
	       "  --json PATH       result file\n"
	       "  --help\n\n"
	       "Groups:\n",
	       BENCH_ROUNDS_MAX);
	for (size_t i = 0; i < GROUPS; i++)
		printf("  %-8s %s\n", groups[i].name, groups[i].help);
}

static unsigned parse_rounds(const char *text)
{
	long n = strtol(text, NULL, 10);
	if (n < 1 || n > BENCH_ROUNDS_MAX)
		bench_die("--rounds", ERANGE);
	return (unsigned)n;
}

static void parse(int argc, char **argv, bench *b, const char **where, const char **json)
{
	static const struct option options[] = {
		{"only", required_argument, NULL, 'o'},   {"quick", no_argument, NULL, 'q'},
		{"rounds", required_argument, NULL, 'r'}, {"directory", required_argument, NULL, 'd'},
		{"tool", required_argument, NULL, 't'},   {"json", required_argument, NULL, 'j'},
		{"help", no_argument, NULL, 'h'},         {0},
	};
	int option;
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
		switch (option) {
		case 'o':
			b->only = optarg;
			break;
		case 'q':
			b->quick = true;
			b->rounds = 3;
			b->round_seconds = 0.01;
			b->warm_seconds = 0.1;
			break;
		case 'r':
			b->rounds = parse_rounds(optarg);
			break;
		case 'd':
			*where = optarg;
			break;
		case 't':
			b->tool = optarg;
			break;
		case 'j':
			*json = optarg;
			break;
		case 'h':
			print_help();
			exit(0);
		default:
			exit(2);
		}
}

static void begin_json(bench *b, const char *path)
{
	b->json = fopen(path, "we");
	if (b->json == NULL)
		bench_die(path, errno);
	fprintf(b->json, "{\"rounds\": %u, \"quick\": %s, \"results\": [", b->rounds,
	        b->quick ? "true" : "false");
}

static void end_json(bench *b, const char *path)
{
	fputs("\n]}\n", b->json);
	if (fclose(b->json) != 0)
		bench_die(path, errno);
}

int main(int argc, char **argv)
{
	bench b = {.rounds = 11, .round_seconds = 0.04, .warm_seconds = 0.5};
	const char *where = "/var/tmp";
	const char *json = NULL;
	parse(argc, argv, &b, &where, &json);
	b.directory = files_directory(where);
	if (json != NULL)
		begin_json(&b, json);
	printf("%-8s %-44s %-26s %9s  %-19s  %-16s %-11s %s\n", "group", "figure", "against", "median",
	       "[quartiles]", "bar / goal", "", "condition");
	for (size_t i = 0; i < GROUPS; i++)
		if (bench_wants(&b, groups[i].name))
			groups[i].run(&b);
	if (json != NULL)
		end_json(&b, json);
	printf("%u of %u bars and goals are missed\n", b.missed, b.judged);
	return 0;
}
