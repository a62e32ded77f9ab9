/* SPDX-License-Identifier: BSD-3-Clause */
/* Standard output, with a buffer, and with the first error that it met. One thread at a time. */
#ifndef SMMAP_TOOL_SINK_H
#define SMMAP_TOOL_SINK_H

#include <stdbool.h>
#include <stddef.h>

enum { SINK_ROOM = 64 << 10 };

struct sink {
	int error;     /* 0, or the negative errno of the first write that failed; nothing is written after it */
	bool terminal; /* lines are shown when they are ready */
	size_t size;
	char data[SINK_ROOM];
};

void sink_init(struct sink *sink);

/* Both return 0 or sink->error. */
int sink_write(struct sink *sink, const void *data, size_t size);
int sink_flush(struct sink *sink);

#endif
