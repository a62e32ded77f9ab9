/* SPDX-License-Identifier: BSD-3-Clause */
#include "harness/system.h"

#include "os/os.h"

#include <err.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static smmap__os_calls next; /* the table as it was before */
static size_t real_page;

static size_t unit(void)
{
	return smmap__os_facts_now.granularity;
}

static bool is_imitated(void)
{
	return smmap__os_facts_now.page_size != real_page || unit() != real_page;
}

static void hold_to(bool kept, const char *call, const void *address, size_t length)
{
	if (!kept) {
		warnx("the contract of %s is broken: %zu bytes at %p", call, length, address);
		abort();
	}
}

/* [address, address + length) is not empty and of whole units. */
static void check_range(const char *call, const void *address, size_t length, size_t of)
{
	hold_to(length != 0 && length % of == 0 && (uintptr_t)address % of == 0, call, address, length);
}

/* Reserves a unit more than is needed, maps into the part that begins at a unit, and gives the margins back. */
static int map_at_a_unit(int descriptor, uint64_t offset, size_t length, int how, void **address)
{
	void *reserved = NULL;
	if (length > SIZE_MAX - unit())
		return SMMAP_ENOMEM;
	int code = next.map(-1, 0, length + unit(), 0, 0, &reserved);
	if (code != 0)
		return code;
	size_t before = (0 - (uintptr_t)reserved) % unit();
	void *at = (unsigned char *)reserved + before;
	code = descriptor < 0 ? 0 : next.map(descriptor, offset, length, 0, how | SMMAP__MAP_FIXED, &at);
	if (code != 0) {
		(void)next.unmap(reserved, length + unit());
		return code;
	}
	if (before != 0)
		(void)next.unmap(reserved, before);
	(void)next.unmap((unsigned char *)at + length, unit() - before);
	*address = at;
	return 0;
}

static int map(int descriptor, uint64_t offset, size_t length, size_t congruence, int how, void **address)
{
	bool fixed = (how & SMMAP__MAP_FIXED) != 0;
	check_range("map", fixed ? *address : NULL, length, unit());
	hold_to(offset % unit() == 0 && (congruence & (congruence - 1)) == 0, "map", NULL, length);
	if (!is_imitated() || fixed || congruence >= unit())
		return next.map(descriptor, offset, length, congruence, how, address);
	return map_at_a_unit(descriptor, offset, length, how, address);
}

static int unmap(void *address, size_t length)
{
	check_range("unmap", address, length, unit());
	return next.unmap(address, length);
}

static int extend(void *address, size_t length, size_t new_length)
{
	check_range("extend", address, length, unit());
	check_range("extend", address, new_length, unit());
	hold_to(new_length > length, "extend", address, length);
	return next.extend(address, length, new_length);
}

static int zap(void *address, size_t length)
{
	check_range("zap", address, length, smmap__os_facts_now.page_size);
	return next.zap(address, length);
}

static unsigned zap_many(const smmap__range *ranges, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		check_range("zap_many", ranges[i].address, ranges[i].length, smmap__os_facts_now.page_size);
	return next.zap_many(ranges, count);
}

static int advise(void *address, size_t length, int advice)
{
	check_range("advise", address, length, smmap__os_facts_now.page_size);
	return next.advise(address, length, advice);
}

/* A page is there when all the system's own that make it up are. */
static int residency(void *address, size_t length, unsigned char *pages)
{
	check_range("residency", address, length, smmap__os_facts_now.page_size);
	if (smmap__os_facts_now.page_size == real_page)
		return next.residency(address, length, pages);
	unsigned char *real = malloc(length / real_page);
	if (real == NULL)
		return SMMAP_ENOMEM;
	int code = next.residency(address, length, real);
	size_t each = smmap__os_facts_now.page_size / real_page;
	for (size_t i = 0; code == 0 && i < length / smmap__os_facts_now.page_size; i++) {
		pages[i] = 1;
		for (size_t k = 0; k < each; k++)
			pages[i] &= real[i * each + k] & 1;
	}
	free(real);
	return code;
}

static int cannot_extend(void *address, size_t length, size_t new_length)
{
	(void)address;
	(void)length;
	(void)new_length;
	return SMMAP_ENOTSUP;
}

static int cannot_zap(void *address, size_t length)
{
	(void)address;
	(void)length;
	return SMMAP_ENOTSUP;
}

static int cannot_advise(void *address, size_t length, int advice)
{
	(void)address;
	(void)length;
	(void)advice;
	return SMMAP_ENOTSUP;
}

static int cannot_tell(void *address, size_t length, unsigned char *pages)
{
	(void)address;
	(void)length;
	(void)pages;
	return SMMAP_ENOTSUP;
}

static void imitate_pages(size_t size)
{
	smmap__os_facts_now.page_size = size;
	smmap__os_facts_now.granularity = size;
	smmap__os_facts_now.block_size = size / 8 * size;
}

static void imitate_views(void)
{
	smmap__os_facts_now.granularity = 65536;
	smmap__os_facts_now.can_zap = false;
	smmap__os_facts_now.can_zap_many = false;
	smmap__os.extend = cannot_extend;
	smmap__os.zap = cannot_zap;
	smmap__os.advise = cannot_advise;
	smmap__os.residency = cannot_tell;
}

void system_install(void)
{
	const char *name = getenv("SMMAP_TEST_SYSTEM");
	real_page = smmap__os_facts_now.page_size;
	next = smmap__os;
	smmap__os.map = map;
	smmap__os.unmap = unmap;
	smmap__os.extend = extend;
	smmap__os.zap = zap;
	smmap__os.zap_many = zap_many;
	smmap__os.advise = advise;
	smmap__os.residency = residency;
	if (name == NULL)
		return;
	if (strcmp(name, "pages-16k") == 0)
		imitate_pages(16384);
	else if (strcmp(name, "pages-64k") == 0)
		imitate_pages(65536);
	else if (strcmp(name, "views") == 0)
		imitate_views();
	else
		errx(2, "SMMAP_TEST_SYSTEM: there is no %s", name);
}
