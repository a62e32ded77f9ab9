/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/arith.h"
#include "os/os.h"

uint64_t smmap_allocation_granularity(void)
{
	smmap__os_init();
	return smmap__os_facts_now.granularity;
}

uint64_t smmap_align(uint64_t num, int round_up)
{
	uint64_t unit = smmap_allocation_granularity();
	return round_up ? smmap__align_up(num, unit) : smmap__align_down(num, unit);
}

uint64_t smmap_window_end(const smmap_window *window)
{
	return smmap__add_saturating(window->offset, window->size);
}

void smmap_window_align(smmap_window *window)
{
	uint64_t begin = smmap_align(window->offset, 0);
	uint64_t end = smmap_align(smmap_window_end(window), 1);
	window->offset = begin;
	window->size = end - begin;
}

void smmap_window_extend_left_to(smmap_window *window, const smmap_window *left, uint64_t max_size)
{
	uint64_t limit = smmap_window_end(left);
	if (window->offset <= limit || window->size >= max_size)
		return;
	uint64_t by = smmap__min(window->offset - limit, max_size - window->size);
	window->offset -= by;
	window->size += by;
}

void smmap_window_extend_right_to(smmap_window *window, const smmap_window *right, uint64_t max_size)
{
	uint64_t end = smmap_window_end(window);
	if (right->offset <= end || window->size >= max_size)
		return;
	window->size += smmap__min(right->offset - end, max_size - window->size);
}
