/* SPDX-License-Identifier: BSD-3-Clause */
#include "sink.h"

#include "report.h"

#include <string.h>
#include <unistd.h>

void sink_init(struct sink *sink)
{
	sink->error = 0;
	sink->size = 0;
	sink->terminal = isatty(STDOUT_FILENO) == 1;
}

int sink_flush(struct sink *sink)
{
	if (sink->size && !sink->error)
		sink->error = write_all(STDOUT_FILENO, sink->data, sink->size, NULL);
	sink->size = 0;
	return sink->error;
}

int sink_write(struct sink *sink, const void *data, size_t size)
{
	if (size > SINK_ROOM - sink->size)
		sink_flush(sink);
	if (sink->error)
		return sink->error;
	if (size > SINK_ROOM) {
		sink->error = write_all(STDOUT_FILENO, data, size, NULL);
		return sink->error;
	}
	memcpy(sink->data + sink->size, data, size);
	sink->size += size;
	return 0;
}
