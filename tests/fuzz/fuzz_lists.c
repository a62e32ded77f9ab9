/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Lists of hashes, as `smmap hash --check` reads them: the first byte chooses the algorithm, the rest is the list. Its lines
 * are taken apart again by regular expressions, and the files that it names hashed in one piece.
 */
#include "fuzz/fuzz.h"
#include "fuzz/captured.h"

#include "check.h"
#include "escape.h"
#include "harness/files.h"
#include "size.h"

#include <err.h>
#include <fcntl.h>
#include <limits.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ALGORITHMS = 2, ROOM = 1 << 14 };

static const struct digest *digests[ALGORITHMS];
static regex_t plain[ALGORITHMS], tagged[ALGORITHMS];
static char home[PATH_MAX];
static unsigned char room[ROOM];

/* ---- lines, once more ---- */

static char *part_of(const char *line, regmatch_t part)
{
	return strndup(line + part.rm_so, (size_t)(part.rm_eo - part.rm_so));
}

/* As sha256sum's manual has it. NULL: the backslash means nothing. */
static char *unescaped(char *name)
{
	char *from = name, *to = name;
	while (*from != 0) {
		char c = *from++;
		if (c == '\\') {
			c = *from++;
			if (c != '\\' && c != 'n' && c != 'r') {
				free(name);
				return NULL;
			}
			c = (char)(c == 'n' ? '\n' : c == 'r' ? '\r' : c);
		}
		*to++ = c;
	}
	*to = 0;
	return name;
}

/* The name that a line is about, or NULL; `hex` is its hash. */
static char *name_of(const char *line, size_t algorithm, char **hex)
{
	regmatch_t parts[3];
	bool escaped = *line == '\\';
	char *name;
	*hex = NULL;
	line += escaped;
	if (regexec(&tagged[algorithm], line, 3, parts, 0) == 0) {
		name = part_of(line, parts[1]);
		*hex = part_of(line, parts[2]);
	} else if (regexec(&plain[algorithm], line, 3, parts, 0) == 0) {
		*hex = part_of(line, parts[1]);
		name = part_of(line, parts[2]);
	} else {
		return NULL;
	}
	if (escaped && (name = unescaped(name)) == NULL) {
		free(*hex);
		*hex = NULL;
	}
	return name;
}

static void check_hash(const unsigned char *hash, const char *hex, size_t size)
{
	char again[2 * DIGEST_MAX_SIZE + 1];
	for (size_t i = 0; i < size; i++)
		snprintf(again + 2 * i, 3, "%02x", hash[i]);
	CHECK(strcasecmp(again, hex) == 0);
}

/* ---- files, once more ---- */

static const char *outcome_of(const char *name, const struct digest *digest, const char *hex)
{
	struct digest_state state;
	unsigned char result[DIGEST_MAX_SIZE];
	int fd = open(name, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	ssize_t size = fd >= 0 ? read(fd, room, ROOM) : -1;
	close(fd);
	if (size < 0)
		return "FAILED open or read";
	CHECK(size < ROOM);
	CHECK(digest->begin(&state) && digest->update(&state, room, (size_t)size));
	digest->finish(&state, result);
	for (size_t i = 0; i < digest->size; i++) {
		if (hex_digit(hex[2 * i]) * 16 + hex_digit(hex[2 * i + 1]) != result[i])
			return "FAILED";
	}
	return "OK";
}

/* Returns whether it is well. */
static bool add_outcome(struct text *wanted, const char *name, const struct digest *digest, const char *hex)
{
	bool escaped = digest->escapes_names && strpbrk(name, "\\\n\r") != NULL;
	text_add_string(wanted, escaped ? "\\" : "");
	for (const char *c = name; *c != 0; c++) {
		const char *known = escaped ? strchr("\n\r\\", *c) : NULL;
		if (known != NULL)
			text_printf(wanted, "\\%c", "nr\\"[*c == '\n' ? 0 : *c == '\r' ? 1 : 2]);
		else
			text_add(wanted, c, 1);
	}
	const char *outcome = outcome_of(name, digest, hex);
	text_printf(wanted, ": %s\n", outcome);
	return strcmp(outcome, "OK") == 0;
}

/* ---- a list ---- */

/* What checking the list must print. Returns false where a name leads out of the directory of the files. */
static bool read_again(const char *list, size_t size, size_t algorithm, struct text *wanted, bool *all_well)
{
	const struct digest *digest = digests[algorithm];
	bool inside = true, any = false;
	*all_well = true;
	while (size != 0) {
		const char *newline = memchr(list, '\n', size);
		size_t length = newline != NULL ? (size_t)(newline - list) : size;
		char *line = strndup(list, length), *mine = strndup(list, length), *name, *hex;
		bool text = memchr(list, 0, length) == NULL;
		unsigned char hash[DIGEST_MAX_SIZE] = {0};
		char *again = name_of(line, algorithm, &hex);
		bool parsed = check_parse_line(mine, digest, &name, hash);
		CHECK_EQUAL(parsed, again != NULL);
		if (parsed) {
			CHECK(strcmp(name, again) == 0);
			check_hash(hash, hex, digest->size);
		}
		if (parsed && text && length != 0 && *list != '#') {
			any = true;
			inside = inside && strchr(again, '/') == NULL;
			if (inside && !add_outcome(wanted, again, digest, hex))
				*all_well = false;
		}
		free(again);
		free(hex);
		free(line);
		free(mine);
		list += length + (newline != NULL);
		size -= length + (newline != NULL);
	}
	*all_well = *all_well && any;
	return inside;
}

static void check_list(size_t algorithm, const struct text *wanted, bool all_well)
{
	static const struct command command = {.name = "hash", .bit = COMMAND_HASH, .status_on_error = 1};
	static struct run run;
	char *names[] = {(char *)(uintptr_t) "list"};
	const struct options options = {.command = &command,
	                                .threads = 1,
	                                .progress = WHEN_NEVER,
	                                .algorithm = digests[algorithm]->name,
	                                .check = true,
	                                .files = names,
	                                .file_count = 1};
	memset(&run, 0, sizeof run);
	run.options = &options;
	sink_init(&run.sink);
	progress_init(&run.progress, &options);
	probe_init(&run.probe, false);
	CHECK_EQUAL(smmap_manager_new(&run.manager, NULL), 0);
	check_lists(&run, digests[algorithm]);
	CHECK_EQUAL(sink_flush(&run.sink), 0);
	CHECK_EQUAL(smmap_manager_free(run.manager), 0);
	CHECK_EQUAL(reported_output.size, wanted->size);
	CHECK(wanted->size == 0 || memcmp(reported_output.data, wanted->data, wanted->size) == 0);
	CHECK_EQUAL(run.failed, !all_well);
}

/* ---- */

static void begin(void)
{
	static const char *const names[ALGORITHMS] = {"xxh3-128", "sha256"};
	static const char *const files[] = {"a", "b c", "new\nline", "back\\slash", "*star"};
	const char *why;
	for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
		fuzz_file file;
		fuzz_make_file(&file, files[i], i * 1000);
		free(file.data);
	}
	for (size_t i = 0; i < ALGORITHMS; i++) {
		char expression[100];
		digests[i] = digest_load(names[i], &why);
		/* A 32-bit build may have no libcrypto to load. */
		if (digests[i] == NULL) {
			printf("inputs for %s are left out: %s\n", names[i], why);
			continue;
		}
		size_t digits = 2 * digests[i]->size;
		snprintf(expression, sizeof expression, "^([0-9a-fA-F]{%zu}) [ *](.+)$", digits);
		CHECK_EQUAL(regcomp(&plain[i], expression, REG_EXTENDED), 0);
		snprintf(expression, sizeof expression, "^%s \\((.+)\\) = ([0-9a-fA-F]{%zu})$", digests[i]->tag,
		         digits);
		CHECK_EQUAL(regcomp(&tagged[i], expression, REG_EXTENDED), 0);
	}
	if (getcwd(home, sizeof home) == NULL)
		err(1, "getcwd");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_input in = {data, size};
	struct text wanted = {0};
	bool all_well;
	if (home[0] == 0)
		begin();
	size_t algorithm = (size_t)fuzz_below(&in, ALGORITHMS);
	if (digests[algorithm] == NULL)
		return 0;
	reported_clear();
	CHECK_EQUAL(chdir(files_dir()), 0);
	int fd = open("list", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, in.at, in.left) != (ssize_t)in.left)
		err(1, "list");
	close(fd);
	if (in.left < ROOM && read_again((const char *)in.at, in.left, algorithm, &wanted, &all_well))
		check_list(algorithm, &wanted, all_well);
	CHECK_EQUAL(chdir(home), 0);
	text_free(&wanted);
	return 0;
}
