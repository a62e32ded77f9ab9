/* SPDX-License-Identifier: BSD-3-Clause */
/* What all files of one manager share. */
#ifndef SMMAP_SHARED_H
#define SMMAP_SHARED_H

#include "base/counters.h"
#include "base/memory.h"
#include "os/os.h"
#include "region/table.h"

#include <pthread.h>

struct smmap__file;

/* The bounded cache of open descriptors: at most one a file. */
typedef struct smmap__descriptors {
	pthread_mutex_t lock;
	struct smmap__file **files; /* the files that have one */
	unsigned max;
	unsigned used;
	unsigned hand;      /* where the search for one to close goes on */
	smmap__gauge count; /* of all open descriptors, also those that did not fit in */
} smmap__descriptors;

typedef struct smmap__shared {
	smmap__memory memory;
	smmap__counters count;
	smmap__directory directory;
	smmap__descriptors descriptors;
	smmap__gauge mappings;
	uint64_t max_mappings;
	smmap__gauge address_space; /* bytes of stable mappings */
	uint64_t max_address_space;
	void (*trace)(const smmap_trace_event *event, void *context);
	void *trace_context;
} smmap__shared;

#endif
