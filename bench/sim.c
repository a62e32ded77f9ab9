/* SPDX-License-Identifier: BSD-3-Clause */
#include "sim.h"

#include "budget/budget.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

static void *new_array(size_t count, size_t size)
{
	void *array = calloc(count, size);
	if (array == NULL)
		bench_die("simulation", ENOMEM);
	return array;
}

void sim_trace_free(sim_trace *trace)
{
	free(trace->steps);
	trace->steps = NULL;
}

/* ---- seeded traces ---- */

typedef struct maker {
	const sim_recipe *recipe;
	uint32_t regions;
	rng random;
	uint32_t *region_of; /* by rank */
	double *upto;        /* sums of the weights */
	double drifted;      /* how many ranks should have changed places by now */
} maker;

static void swap_ranks(maker *m, uint32_t i, uint32_t j)
{
	uint32_t region = m->region_of[i];
	m->region_of[i] = m->region_of[j];
	m->region_of[j] = region;
}

static void shuffle(maker *m)
{
	for (uint32_t i = m->regions - 1; i > 0; i--)
		swap_ranks(m, i, (uint32_t)rng_below(&m->random, i + 1));
}

static uint32_t draw(maker *m)
{
	double at = (double)(rng_next(&m->random) >> 11) * 0x1p-53 * m->upto[m->regions - 1];
	uint32_t low = 0;
	uint32_t high = m->regions - 1;
	while (low < high) {
		uint32_t middle = (low + high) / 2;
		if (m->upto[middle] > at)
			high = middle;
		else
			low = middle + 1;
	}
	return m->region_of[low];
}

static void change(maker *m, uint32_t drawn)
{
	const sim_recipe *r = m->recipe;
	if (r->phase > 0 && drawn % (uint32_t)(r->phase * m->regions) == 0)
		shuffle(m);
	if (r->drift > 0)
		for (m->drifted += 1 / r->drift; m->drifted >= 1; m->drifted -= 1)
			swap_ranks(m, (uint32_t)rng_below(&m->random, m->regions),
			           (uint32_t)rng_below(&m->random, m->regions));
}

static void fill(maker *m, const sim_trace *trace, uint32_t fits)
{
	const sim_recipe *r = m->recipe;
	uint32_t loop = (uint32_t)(r->loop * fits);
	uint32_t period = (uint32_t)((1 + r->burst) * m->regions);
	for (uint32_t i = 0; i < trace->count; i++) {
		if (loop != 0) {
			trace->steps[i] = i % (loop < m->regions ? loop : m->regions);
		} else if (r->scan_each != 0 && i % r->scan_each == 0) {
			trace->steps[i] = i / r->scan_each % m->regions;
		} else if (r->burst > 0 && i % period < m->regions) {
			trace->steps[i] = i % period;
		} else {
			trace->steps[i] = draw(m);
			change(m, i);
		}
	}
}

sim_trace sim_make(const sim_recipe *recipe, uint32_t regions, uint32_t fits, uint32_t count)
{
	sim_trace trace = {.regions = regions, .count = count, .steps = new_array(count, sizeof *trace.steps)};
	maker m = {.recipe = recipe, .regions = regions, .random = {29}};
	double sum = 0;
	m.region_of = new_array(regions, sizeof *m.region_of);
	m.upto = new_array(regions, sizeof *m.upto);
	for (uint32_t i = 0; i < regions; i++) {
		m.region_of[i] = i;
		m.upto[i] = sum += pow(i + 1, -recipe->zipf);
	}
	shuffle(&m);
	fill(&m, &trace, fits);
	free(m.region_of);
	free(m.upto);
	return trace;
}

/* ---- recorded traces ---- */

/* The numbers of one line. */
static uint32_t *read_line(FILE *file, uint32_t *count)
{
	uint32_t *numbers = NULL;
	uint32_t room = 0;
	unsigned number;
	*count = 0;
	while (fscanf(file, "%u", &number) == 1) {
		if (*count == room) {
			room = room != 0 ? 2 * room : 1024;
			numbers = realloc(numbers, room * sizeof *numbers);
			if (numbers == NULL)
				bench_die("trace", ENOMEM);
		}
		numbers[(*count)++] = number;
		if (fgetc(file) == '\n')
			break;
	}
	return numbers;
}

/* The regions of each entry that is read, one after the other; with `steps` NULL they are only counted. */
static uint32_t visit(const uint64_t *ends, const uint32_t *reads, uint32_t count, uint64_t window,
                      uint32_t *steps)
{
	uint32_t done = 0;
	uint64_t last = UINT64_MAX;
	for (uint32_t i = 0; i < count; i++) {
		uint64_t begin = reads[i] != 0 ? ends[reads[i] - 1] : 0;
		for (uint64_t region = begin / window; region <= (ends[reads[i]] - 1) / window; region++) {
			if (region == last)
				continue;
			if (steps != NULL)
				steps[done] = (uint32_t)region;
			done++;
			last = region;
		}
	}
	return done;
}

sim_trace sim_load(const char *path, uint64_t window)
{
	uint32_t entries, count;
	FILE *file = fopen(path, "re");
	if (file == NULL)
		bench_die(path, errno);
	uint32_t *sizes = read_line(file, &entries);
	uint32_t *reads = read_line(file, &count);
	fclose(file);
	if (entries == 0 || count == 0)
		bench_die(path, EINVAL);
	uint64_t *ends = new_array(entries, sizeof *ends);
	for (uint32_t i = 0; i < entries; i++)
		ends[i] = (i != 0 ? ends[i - 1] : 0) + sizes[i];
	sim_trace trace = {.regions = (uint32_t)((ends[entries - 1] + window - 1) / window)};
	for (uint32_t i = 0; i < count; i++)
		if (reads[i] >= entries)
			bench_die(path, EINVAL);
	trace.count = visit(ends, reads, count, window, NULL);
	trace.steps = new_array(trace.count, sizeof *trace.steps);
	visit(ends, reads, count, window, trace.steps);
	free(ends);
	free(reads);
	free(sizes);
	return trace;
}

/* ---- the library's order ---- */

typedef struct ours {
	smmap__shared shared;
	smmap__file file;
	smmap__budget budget;
	uint32_t fits;
	uint32_t mapped;
	uint64_t misses;
} ours;

static void *allocate(size_t size, void *context)
{
	(void)context;
	return malloc(size);
}

static void deallocate(void *block, void *context)
{
	(void)context;
	free(block);
}

static uint64_t word_of(smmap__region region)
{
	return atomic_load_explicit(smmap__region_word(region), memory_order_relaxed);
}

static void set_word(smmap__region region, uint64_t word)
{
	atomic_store_explicit(smmap__region_word(region), word, memory_order_relaxed);
}

static void give_one_back(ours *o)
{
	smmap__region victim;
	if (smmap__evict_choose(&o->budget, &victim) != SMMAP__VICTIM)
		bench_die("simulation: no victim", EINVAL);
	set_word(victim, smmap__word_finish_evict(word_of(victim), smmap__evict_stamp(&o->budget)));
	atomic_fetch_sub_explicit(&o->file.references, 1, memory_order_relaxed);
	o->mapped--;
}

static void map(ours *o, smmap__region region, uint64_t before)
{
	set_word(region, smmap__word_begin_map(before));
	if (o->mapped == o->fits)
		give_one_back(o);
	uint64_t list = smmap__evict_list_for(&o->budget, before);
	set_word(region, smmap__word_publish(word_of(region), list));
	smmap__evict_link(&o->budget, region);
	o->mapped++;
	o->misses++;
}

static void use(ours *o, uint32_t index)
{
	const smmap__table_kind kind = {.file = &o->file, .directory = &o->shared.directory};
	smmap__region region;
	bench_check("simulation", smmap__table_get(&o->file.regions, &kind, index, &region));
	uint64_t word = word_of(region);
	if (smmap__word_state(word) == SMMAP__EMPTY)
		map(o, region, word);
	else
		set_word(region, smmap__word_pin(word));
	set_word(region, smmap__word_unpin(word_of(region)));
}

uint64_t sim_ours(const sim_trace *trace, uint32_t fits)
{
	ours *o = new_array(1, sizeof *o);
	o->fits = fits;
	o->shared.memory = (smmap__memory){.allocate = allocate, .deallocate = deallocate};
	bench_check("simulation", smmap__directory_init(&o->shared.directory, &o->shared.memory));
	bench_check("simulation", smmap__budget_init(&o->budget, &o->shared));
	o->file.shared = &o->shared;
	atomic_store_explicit(&o->file.references, 1, memory_order_relaxed);
	for (uint32_t i = 0; i < trace->count; i++)
		use(o, trace->steps[i]);
	while (o->mapped != 0)
		give_one_back(o);
	uint64_t misses = o->misses;
	smmap__budget_destroy(&o->budget);
	smmap__table_clear(&o->file.regions, &o->shared.directory);
	smmap__directory_destroy(&o->shared.directory);
	free(o);
	return misses;
}

/* ---- exact LRU ---- */

typedef struct entry {
	uint32_t next, previous; /* a ring through the entry after the last region: next is younger */
	bool present;
} entry;

static void take_out(entry *ring, uint32_t i)
{
	ring[ring[i].previous].next = ring[i].next;
	ring[ring[i].next].previous = ring[i].previous;
}

uint64_t sim_lru(const sim_trace *trace, uint32_t fits)
{
	uint32_t end = trace->regions;
	entry *ring = new_array(end + 1, sizeof *ring);
	uint32_t mapped = 0;
	uint64_t misses = 0;
	ring[end].next = ring[end].previous = end;
	for (uint32_t i = 0; i < trace->count; i++) {
		uint32_t region = trace->steps[i];
		if (ring[region].present) {
			take_out(ring, region);
		} else {
			misses++;
			if (mapped == fits) {
				uint32_t oldest = ring[end].next;
				ring[oldest].present = false;
				take_out(ring, oldest);
			} else {
				mapped++;
			}
			ring[region].present = true;
		}
		ring[region].next = end;
		ring[region].previous = ring[end].previous;
		ring[ring[end].previous].next = region;
		ring[end].previous = region;
	}
	free(ring);
	return misses;
}
