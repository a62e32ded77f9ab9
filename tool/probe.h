/* SPDX-License-Identifier: BSD-3-Clause */
/* --stats: what the manager counted, and how much of the files was in the memory of the process. */
#ifndef SMMAP_TOOL_PROBE_H
#define SMMAP_TOOL_PROBE_H

#include "smmap.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* The figure RssFile of /proc/self/status, in bytes, as far as samples saw it; not known elsewhere. */
struct probe {
	bool on;
	bool known;
	uint64_t first;
	_Atomic uint64_t peak;
	_Atomic uint64_t samples;
	_Atomic uint64_t sampled; /* time of the last sample */
	_Atomic uint64_t copied;  /* bytes that the tool itself read by copy, see copier.h */
};

/* Takes the first sample, when `on`. */
void probe_init(struct probe *probe, bool on);

/* Takes a sample when the last one is some milliseconds old. Any thread. */
void probe_sample(struct probe *probe);

/* Writes everything to standard error. */
void probe_report(struct probe *probe, const smmap_manager *manager, bool json);

#endif
