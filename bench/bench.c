/* SPDX-License-Identifier: BSD-3-Clause */
#include "bench.h"

#include <smmap.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

double bench_now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

bool bench_wants(const bench *b, const char *group)
{
	size_t length = strlen(group);
	for (const char *p = b->only; p != NULL; p = strchr(p, ',')) {
		p += *p == ',';
		if (strncmp(p, group, length) == 0 && (p[length] == '\0' || p[length] == ','))
			return true;
	}
	return b->only == NULL;
}

void bench_die(const char *what, int error)
{
	fflush(stdout);
	fprintf(stderr, "smmap-bench: %s: %s\n", what, error < 0 ? smmap_strerror(error) : strerror(error));
	exit(2);
}

void bench_check(const char *what, int64_t code)
{
	if (code < 0)
		bench_die(what, (int)code);
}

void bench_progress(const bench *b, const char *what)
{
	(void)b;
	if (isatty(STDERR_FILENO))
		fprintf(stderr, what != NULL ? "\r\033[K%s" : "\r\033[K", what);
}

/* ---- rounds ---- */

static double run_once(contestant *c)
{
	if (c->prepare != NULL)
		c->prepare(c->context);
	double begin = bench_now();
	uint64_t units = c->run(c->context, c->count);
	double seconds = bench_now() - begin;
	return seconds / (double)(units != 0 ? units : 1);
}

/* So many operations that a round lasts about as long as it should. Runs them, too: the first rounds warm up. */
static void find_count(const bench *b, contestant *c)
{
	c->count = 1;
	for (;;) {
		if (c->prepare != NULL)
			c->prepare(c->context);
		double begin = bench_now();
		c->run(c->context, c->count);
		double seconds = bench_now() - begin;
		if (seconds >= b->round_seconds / 2)
			return;
		double factor = seconds > 0 ? b->round_seconds / seconds : 64;
		c->count = (uint64_t)((double)c->count * (factor < 64 ? factor : 64)) + 1;
	}
}

void bench_race(bench *b, contestant *all, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (all[i].count == 0) {
			bench_progress(b, all[i].name);
			find_count(b, &all[i]);
		}
	for (unsigned round = 0; round < b->rounds; round++)
		for (size_t i = 0; i < count; i++) {
			char what[160];
			snprintf(what, sizeof what, "%s, round %u of %u", all[i].name, round + 1, b->rounds);
			bench_progress(b, what);
			all[i].cost[round] = run_once(&all[i]);
		}
	bench_progress(b, NULL);
}

/* ---- results ---- */

typedef struct spread {
	double min, low, median, high, max;
} spread;

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a;
	double y = *(const double *)b;
	return (x > y) - (x < y);
}

static double quantile(const double *sorted, unsigned count, double q)
{
	double at = q * (count - 1);
	unsigned i = (unsigned)at;
	double rest = at - i;
	return i + 1 < count ? sorted[i] * (1 - rest) + sorted[i + 1] * rest : sorted[i];
}

static spread spread_of(const double *values, unsigned count)
{
	double sorted[BENCH_ROUNDS_MAX];
	memcpy(sorted, values, count * sizeof *sorted);
	qsort(sorted, count, sizeof *sorted, compare);
	return (spread){sorted[0], quantile(sorted, count, 0.25), quantile(sorted, count, 0.5),
	                quantile(sorted, count, 0.75), sorted[count - 1]};
}

static bool meets(enum bench_sense sense, double value, double bar)
{
	return bar == 0 || (sense == AT_MOST ? value <= bar : value >= bar);
}

static const char *verdict(const figure *f, double value)
{
	double goal = f->goal != 0 ? f->goal : f->bar;
	if (f->sense == REPORTED)
		return "";
	if (!meets(f->sense, value, f->bar))
		return "MISSED";
	return meets(f->sense, value, goal) ? "met" : "goal missed";
}

static void print_bars(const figure *f)
{
	char bars[32] = "";
	if (f->sense != REPORTED && f->bar != 0 && f->goal != 0)
		snprintf(bars, sizeof bars, "%s %g / %g", f->sense == AT_MOST ? "<=" : ">=", f->bar, f->goal);
	else if (f->sense != REPORTED)
		snprintf(bars, sizeof bars, "%s %g",
		         f->sense == AT_MOST ? "<=" : ">=", f->bar != 0 ? f->bar : f->goal);
	printf("  %-16s", bars);
}

static void print_figure(const figure *f, const spread *s, unsigned count)
{
	printf("%-8s %-44s %-26s %9.4f", f->group, f->name, f->peer, s->median);
	if (count > 1)
		printf("  [%8.4f %8.4f]", s->low, s->high);
	else
		printf("  %19s", "");
	print_bars(f);
	printf(" %-11s %s\n", verdict(f, s->median), f->condition != NULL ? f->condition : "");
	fflush(stdout);
}

static void json_string(FILE *json, const char *name, const char *value)
{
	fprintf(json, "\"%s\": ", name);
	if (value == NULL) {
		fputs("null, ", json);
		return;
	}
	fputc('"', json);
	for (; *value != '\0'; value++) {
		if (*value == '"' || *value == '\\')
			fputc('\\', json);
		fputc(*value, json);
	}
	fputs("\", ", json);
}

static void json_begin(bench *b, const char *group, const char *name)
{
	fputs(b->any_record ? ",\n  {" : "\n  {", b->json);
	b->any_record = true;
	json_string(b->json, "group", group);
	json_string(b->json, "name", name);
}

static void json_figure(bench *b, const figure *f, const spread *s, unsigned count, double own, double other)
{
	static const char *const senses[] = {"reported", "at most", "at least"};
	if (b->json == NULL)
		return;
	json_begin(b, f->group, f->name);
	json_string(b->json, "peer", f->peer);
	json_string(b->json, "condition", f->condition);
	json_string(b->json, "series", f->series);
	json_string(b->json, "sense", senses[f->sense]);
	json_string(b->json, "verdict", verdict(f, s->median));
	fprintf(b->json,
	        "\"x\": %.10g, \"bar\": %.6g, \"goal\": %.6g, \"median\": %.6g, \"low\": %.6g, \"high\": %.6g, "
	        "\"min\": %.6g, \"max\": %.6g, \"rounds\": %u, \"own_seconds\": %.6g, \"peer_seconds\": %.6g}",
	        f->x, f->bar, f->goal, s->median, s->low, s->high, s->min, s->max, count, own, other);
	fflush(b->json);
}

static void record(bench *b, const figure *f, const double *ratios, unsigned count, double own, double other)
{
	spread s = spread_of(ratios, count);
	double goal = f->goal != 0 ? f->goal : f->bar;
	b->judged += f->sense != REPORTED;
	if (f->sense != REPORTED && !(meets(f->sense, s.median, f->bar) && meets(f->sense, s.median, goal)))
		b->missed++;
	print_figure(f, &s, count);
	json_figure(b, f, &s, count, own, other);
}

void bench_record(bench *b, const figure *f, const double *ratios, unsigned count)
{
	record(b, f, ratios, count, 0, 0);
}

void bench_record_value(bench *b, const figure *f, double value)
{
	record(b, f, &value, 1, 0, 0);
}

static void record_costs(bench *b, const figure *f, const contestant *over, const contestant *under,
                         const contestant *ours, const contestant *peer)
{
	double ratios[BENCH_ROUNDS_MAX];
	for (unsigned i = 0; i < b->rounds; i++)
		ratios[i] = over->cost[i] / under->cost[i];
	record(b, f, ratios, b->rounds, spread_of(ours->cost, b->rounds).median,
	       spread_of(peer->cost, b->rounds).median);
}

void bench_record_time(bench *b, const figure *f, const contestant *ours, const contestant *peer)
{
	record_costs(b, f, ours, peer, ours, peer);
}

void bench_record_speed(bench *b, const figure *f, const contestant *ours, const contestant *peer)
{
	record_costs(b, f, peer, ours, ours, peer);
}

void bench_note(bench *b, const char *group, const char *format, ...)
{
	char text[256];
	va_list list;
	va_start(list, format);
	vsnprintf(text, sizeof text, format, list);
	va_end(list);
	printf("%-8s (%s)\n", group, text);
	fflush(stdout);
	if (b->json == NULL)
		return;
	json_begin(b, group, text);
	fputs("\"note\": true}", b->json);
}
