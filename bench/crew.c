/* SPDX-License-Identifier: BSD-3-Clause */
#include "crew.h"

#include <pthread.h>

typedef struct member {
	const crew *crew;
	pthread_barrier_t *begin;
	unsigned number;
	uint64_t count;
	uint64_t units;
} member;

static void *run_member(void *context)
{
	member *m = context;
	pthread_barrier_wait(m->begin);
	m->units = m->crew->work(m->crew->shared, m->number, m->count);
	return NULL;
}

uint64_t crew_run(void *context, uint64_t count)
{
	const crew *c = context;
	member members[CREW_MAX];
	pthread_t ids[CREW_MAX];
	pthread_barrier_t begin;
	uint64_t units = 0;
	pthread_barrier_init(&begin, NULL, c->threads);
	for (unsigned i = 0; i < c->threads; i++)
		members[i] = (member){c, &begin, i, count, 0};
	for (unsigned i = 1; i < c->threads; i++) {
		int error = pthread_create(&ids[i], NULL, run_member, &members[i]);
		if (error != 0)
			bench_die("pthread_create", error);
	}
	run_member(&members[0]);
	for (unsigned i = 1; i < c->threads; i++)
		pthread_join(ids[i], NULL);
	pthread_barrier_destroy(&begin);
	for (unsigned i = 0; i < c->threads; i++)
		units += members[i].units;
	return units;
}

uint64_t crew_count(void *shared, unsigned number, uint64_t count)
{
	volatile uint64_t counter = 0;
	(void)shared;
	(void)number;
	for (uint64_t i = 0; i < count; i++)
		counter = counter + 1;
	return count;
}

void crew_gains(const bench *b, const contestant *one, const contestant *many, double *gains)
{
	for (unsigned i = 0; i < b->rounds; i++)
		gains[i] = one->cost[i] / many->cost[i];
}
