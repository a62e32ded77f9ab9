/* SPDX-License-Identifier: BSD-3-Clause */
#include <smmap.h>
#include <stdio.h>

int main(int argc, char **argv)
{
	smmap_manager *manager;
	smmap_buffer buffer = SMMAP_BUFFER_INIT;
	smmap_cursor cursor = SMMAP_CURSOR_INIT;
	int code = smmap_manager_new(&manager, NULL); /* 1 GiB windows, at most 8 GiB mapped */
	if (code == 0 && (code = smmap_cursor_open(&cursor, manager, argc > 1 ? argv[1] : argv[0], 0)) == 0 &&
	    (code = smmap_buffer_begin_access(&buffer, &cursor, 0, SMMAP_TO_END)) == 0)
		printf("%llu bytes, the first is %d, the last is %d\n", (unsigned long long)buffer.size,
		       smmap_buffer_get(&buffer, 0), smmap_buffer_get(&buffer, -1));
	if (code != 0)
		fprintf(stderr, "%s\n", smmap_strerror(code));
	smmap_buffer_close(&buffer);
	smmap_cursor_close(&cursor);
	smmap_manager_free(manager);
	return code != 0;
}
