/* SPDX-License-Identifier: BSD-3-Clause */
#include "probe.h"

#include "json.h"
#include "progress.h"
#include "report.h"
#include "size.h"
#include "text.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define INTERVAL 5000000u /* nanoseconds between two samples */

/* RssFile in bytes; false where the system does not tell. */
static bool read_rss(uint64_t *bytes)
{
	char status[4096];
	int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	ssize_t size = read(fd, status, sizeof status - 1);
	close(fd);
	if (size <= 0)
		return false;
	status[size] = 0;
	const char *line = strstr(status, "\nRssFile:");
	if (!line)
		return false;
	*bytes = strtoull(line + strlen("\nRssFile:"), NULL, 10) * 1024;
	return true;
}

static void take_sample(struct probe *probe)
{
	uint64_t bytes = 0;
	if (!read_rss(&bytes))
		return;
	uint64_t peak = probe->peak;
	while (bytes > peak && !atomic_compare_exchange_weak(&probe->peak, &peak, bytes))
		;
	probe->samples++;
}

void probe_init(struct probe *probe, bool on)
{
	*probe = (struct probe){.on = on};
	if (!on)
		return;
	take_sample(probe);
	probe->known = probe->samples != 0;
	probe->first = probe->peak;
	probe->sampled = clock_now();
}

void probe_sample(struct probe *probe)
{
	if (!probe->known)
		return;
	uint64_t now = clock_now();
	uint64_t sampled = probe->sampled;
	if (now - sampled >= INTERVAL && atomic_compare_exchange_strong(&probe->sampled, &sampled, now))
		take_sample(probe);
}

/* What to show of smmap_stats, in this order. */
static const struct {
	const char *key;
	const char *label;
	size_t offset;
	bool bytes;
} rows[] = {
#define ROW(field, label, bytes)                                                                             \
	{                                                                                                        \
#field, label, offsetof(smmap_stats, field), bytes                                                   \
	}
	ROW(mapped_bytes, "mapped now", true),
	ROW(peak_mapped_bytes, "mapped at most", true),
	ROW(exported_bytes, "exported now", true),
	ROW(handles, "regions now", false),
	ROW(peak_handles, "regions at most", false),
	ROW(mappings, "mappings now", false),
	ROW(peak_mappings, "mappings at most", false),
	ROW(descriptors, "descriptors now", false),
	ROW(peak_descriptors, "descriptors at most", false),
	ROW(files, "files known", false),
	ROW(table_bytes, "tables", true),
	ROW(opens, "files opened", false),
	ROW(hits, "hits", false),
	ROW(misses, "misses", false),
	ROW(evictions, "evictions", false),
	ROW(rescues, "rescues", false),
	ROW(waits, "waits", false),
	ROW(maps, "maps", false),
	ROW(unmaps, "unmaps", false),
	ROW(prefetches, "prefetches", false),
	ROW(copied, "copied from maps", true),
	ROW(preads, "preads", false),
	ROW(pread_bytes, "read by pread", true),
	ROW(over_budget, "over budget", false),
	ROW(retries, "retries", false),
	ROW(fallback_private, "mapped privately", false),
	ROW(fallback_detached, "placed detached", false),
	ROW(fallback_memory, "read into memory", false),
	ROW(faults, "files faulted", false),
	ROW(errors, "errors", false),
#undef ROW
};

static uint64_t row_value(const smmap_stats *stats, size_t row)
{
	uint64_t value;
	memcpy(&value, (const char *)stats + rows[row].offset, sizeof value);
	return value;
}

static void add_row(struct text *text, const char *label, uint64_t value, bool bytes)
{
	char size[SIZE_TEXT_ROOM];
	text_printf(text, "  %-20s %15" PRIu64, label, value);
	if (bytes && value >= 1024)
		text_printf(text, "  (%s)", size_format(size, (double)value));
	text_add_string(text, "\n");
}

static void report_table(struct text *text, const struct probe *probe, const smmap_stats *stats,
                         const smmap_manager *manager)
{
	text_add_string(text, "smmap: statistics\n");
	add_row(text, "window", smmap_manager_window_size(manager), true);
	add_row(text, "limit", smmap_manager_max_mapped_memory_size(manager), true);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		add_row(text, rows[i].label, row_value(stats, i), rows[i].bytes);
	add_row(text, "read by the tool", probe->copied, true);
	if (probe->known) {
		add_row(text, "RssFile at start", probe->first, true);
		add_row(text, "RssFile at most", probe->peak, true);
		add_row(text, "RssFile samples", probe->samples, false);
	}
}

static void report_json(struct text *text, const struct probe *probe, const smmap_stats *stats,
                        const smmap_manager *manager)
{
	struct json_object *object = json_new("stats");
	json_add_number(object, "window_size", smmap_manager_window_size(manager));
	json_add_number(object, "max_memory", smmap_manager_max_mapped_memory_size(manager));
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		json_add_number(object, rows[i].key, row_value(stats, i));
	json_add_number(object, "tool_read_bytes", probe->copied);
	if (probe->known) {
		json_add_number(object, "rss_file_at_start", probe->first);
		json_add_number(object, "peak_rss_file", probe->peak);
		json_add_number(object, "rss_file_samples", probe->samples);
	}
	json_finish(object, text);
}

void probe_report(struct probe *probe, const smmap_manager *manager, bool json)
{
	smmap_stats stats = {0};
	struct text text = {0};
	if (probe->known)
		take_sample(probe);
	smmap_manager_stats(manager, &stats);
	if (json)
		report_json(&text, probe, &stats, manager);
	else
		report_table(&text, probe, &stats, manager);
	report_text(&text);
	text_free(&text);
}
