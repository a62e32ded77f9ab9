/* SPDX-License-Identifier: BSD-3-Clause */
/* One run of the tool: what all its parts share. */
#ifndef SMMAP_TOOL_RUN_H
#define SMMAP_TOOL_RUN_H

#include "options.h"
#include "probe.h"
#include "progress.h"
#include "sink.h"
#include "smmap.h"

#include <stdatomic.h>
#include <stdbool.h>

struct run {
	const struct options *options;
	smmap_manager *manager; /* one for all files and threads */
	struct sink sink;
	struct progress progress;
	struct probe probe;
	atomic_bool failed; /* a file could not be worked on as asked */
	atomic_bool found;  /* find: something was */
	atomic_bool stop;   /* nobody reads the output any more */
};

#endif
