/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A fuzz target as a test program: its test replays the inputs of the target's corpus. By hand:
 *
 *     PROGRAM --input FILE...     these inputs, in this very process
 */
#include "harness/harness.h"

#include "fuzz/fuzz.h"

#include <dirent.h>
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void replay_file(const char *path)
{
	FILE *file = fopen(path, "re");
	if (file == NULL || fseek(file, 0, SEEK_END) != 0)
		err(1, "%s", path);
	long size = ftell(file);
	/* Of just that size, so that reading behind the end is seen. */
	uint8_t *data = malloc(size > 0 ? (size_t)size : 1);
	rewind(file);
	if (data == NULL || size < 0 || fread(data, 1, (size_t)size, file) != (size_t)size)
		err(1, "%s", path);
	fclose(file);
	(void)LLVMFuzzerTestOneInput(data, (size_t)size);
	free(data);
}

static int is_input(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static void replays_its_corpus(void)
{
	struct dirent **entries;
	int count = scandir(FUZZ_CORPUS, &entries, is_input, alphasort);
	assert_true(count > 0);
	for (int i = 0; i < count; i++) {
		char *path;
		assert_true(asprintf(&path, "%s/%s", FUZZ_CORPUS, entries[i]->d_name) > 0);
		printf("%s\n", path);
		replay_file(path);
		free(path);
		free(entries[i]);
	}
	free(entries);
	printf("%d inputs\n", count);
}

int main(int argc, char **argv)
{
	static const test_case tests[] = {TEST(replays_its_corpus, .seconds = 120)};
	if (argc < 2 || strcmp(argv[1], "--input") != 0)
		return run_test_program(argc, argv, tests, 1);
	for (int i = 2; i < argc; i++) {
		printf("%s\n", argv[i]);
		fflush(stdout);
		replay_file(argv[i]);
	}
	return 0;
}
