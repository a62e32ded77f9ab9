/* SPDX-License-Identifier: BSD-3-Clause */
/* Misses of the eviction order against those of exact LRU on the same trace: counts, the same on any machine. */
#include "sim.h"

enum { REGIONS = 10000, STEPS = 60 * REGIONS };

/* Of a pack of some 600 KiB. */
enum { PACK_WINDOW = 1024 };

/* What pollutes LRU has to be a tenth below it. */
#define PLAIN 1.01
#define POLLUTED 0.9

static const struct {
	const char *name;
	const char *series; /* the end of its curve's name, or NULL */
	double bar;
	const char *recorded;
	sim_recipe recipe;
} kinds[] = {
	{.name = "uniform", .series = "uniform", .bar = PLAIN},
	{.name = "Zipf 0.8", .series = "zipf-0.8", .bar = PLAIN, .recipe = {.zipf = 0.8}},
	{.name = "Zipf 1.0", .series = "zipf-1.0", .bar = PLAIN, .recipe = {.zipf = 1.0}},
	{.name = "Zipf 1.2", .series = "zipf-1.2", .bar = PLAIN, .recipe = {.zipf = 1.2}},
	{.name = "scan, again and again", .series = "scan", .bar = PLAIN, .recipe = {.loop = REGIONS}},
	{.name = "Zipf 1.0, one in 4 a scan",
     .series = "zipf-scan",
     .bar = POLLUTED,
     .recipe = {.zipf = 1.0, .scan_each = 4}},
	{.name = "Zipf 0.8, one in 2 a scan", .bar = POLLUTED, .recipe = {.zipf = 0.8, .scan_each = 2}},
	{.name = "Zipf 1.0, scans in one go", .bar = POLLUTED, .recipe = {.zipf = 1.0, .burst = 3}},
	{.name = "loop over 1.1 times what fits", .series = "loop", .bar = POLLUTED, .recipe = {.loop = 1.1}},
	{.name = "loop over 1.5 times what fits", .bar = POLLUTED, .recipe = {.loop = 1.5}},
	{.name = "loop over what fits", .bar = PLAIN, .recipe = {.loop = 1}},
	{.name = "git pack walk, recorded",
     .series = "pack",
     .bar = PLAIN,
     .recorded = SMMAP_BENCH_TRACES "/pack-walk.txt"},
	{.name = "Zipf 1.0, ranks drift", .series = "drift", .bar = PLAIN, .recipe = {.zipf = 1.0, .drift = 5}},
	{.name = "Zipf 1.0, ranks shuffled at times",
     .series = "phase",
     .bar = PLAIN,
     .recipe = {.zipf = 1.0, .phase = 5}},
};

static void point(bench *b, size_t kind, unsigned percent)
{
	char condition[64];
	char series[64];
	uint32_t fits = REGIONS / 100 * percent;
	sim_trace trace;
	if (kinds[kind].recorded != NULL) {
		trace = sim_load(kinds[kind].recorded, PACK_WINDOW);
		fits = (trace.regions * percent + 99) / 100;
	} else {
		trace = sim_make(&kinds[kind].recipe, REGIONS, fits, STEPS);
	}
	snprintf(condition, sizeof condition, "room for %u%%", percent);
	if (kinds[kind].series != NULL)
		snprintf(series, sizeof series, "evict-%s", kinds[kind].series);
	bench_record_value(b,
	                   &(figure){.group = "evict",
	                             .name = kinds[kind].name,
	                             .peer = "exact LRU",
	                             .condition = condition,
	                             .series = kinds[kind].series != NULL ? series : NULL,
	                             .x = percent,
	                             .sense = AT_MOST,
	                             .goal = kinds[kind].bar},
	                   (double)sim_ours(&trace, fits) / (double)sim_lru(&trace, fits));
	sim_trace_free(&trace);
}

void group_evict(bench *b)
{
	static const unsigned percents[] = {1, 5, 10, 20, 50};
	for (size_t kind = 0; kind < sizeof kinds / sizeof *kinds; kind++)
		for (size_t i = 0; i < sizeof percents / sizeof *percents; i++)
			point(b, kind, percents[i]);
}
