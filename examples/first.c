/* SPDX-License-Identifier: BSD-3-Clause */
#include <smmap.h>
#include <stdio.h>

int main(int argc, char **argv)
{
	smmap_manager *manager;
	smmap_cursor cursor = SMMAP_CURSOR_INIT;
	uint64_t lines = 0, at = 0;
	if (argc != 2 || smmap_manager_new(&manager, NULL) != 0) /* 1 GiB windows, at most 8 GiB mapped */
		return 2;
	int64_t n = smmap_cursor_open(&cursor, manager, argv[1], 0);
	while (n >= 0 && (n = smmap_cursor_use_region(&cursor, at, 0)) > 0)
		for (at += (uint64_t)n; n > 0; n--)
			lines += cursor.data[n - 1] == '\n';
	printf("%llu lines: %s\n", (unsigned long long)lines, smmap_strerror((int)n));
	smmap_cursor_close(&cursor);
	return smmap_manager_free(manager) != 0;
}
