/* SPDX-License-Identifier: BSD-3-Clause */
#include "file/file.h"

#include "base/arith.h"
#include "base/assert.h"

/* ---- geometry ---- */

uint64_t smmap__region_length(smmap__region region, bool *is_short)
{
	smmap__assert(region.leaf->file != NULL && is_short != NULL);
	smmap__assert(region.leaf->file->stride != 0);
	const smmap__file *file = region.leaf->file;
	uint64_t begin = smmap__region_begin(region);
	uint64_t size = smmap__file_size(file);
	uint64_t whole = region.leaf->is_span ? 2 * file->stride : file->stride;
	uint64_t length = smmap__min(whole, size > begin ? size - begin : 0);
	*is_short = length != whole;
	return length;
}

uint64_t smmap__region_charge(smmap__region region, uint64_t word)
{
	const smmap__file *file = region.leaf->file;
	bool is_span = region.leaf->is_span;
	if ((word & SMMAP__SHORT) != 0)
		return atomic_load_explicit(&file->short_length[is_span], memory_order_relaxed);
	return is_span ? 2 * file->stride : file->stride;
}

smmap__table *smmap__file_table(smmap__file *file, bool spans, smmap__table_kind *kind)
{
	smmap__assert(file != NULL && kind != NULL);
	*kind = (smmap__table_kind){
		.file = file,
		.directory = &file->shared->directory,
		.detached = !smmap__file_is_stable(file),
		.is_span = spans,
	};
	return spans ? &file->spans : &file->regions;
}

void smmap__file_trace(const smmap__file *file, int event, uint64_t offset, uint64_t size)
{
	if (file->shared->trace == NULL)
		return;
	smmap_trace_event e = {event, file->device, file->inode, offset, size};
	file->shared->trace(&e, file->shared->trace_context);
}

/* ---- counting mappings ---- */

static void count_map(smmap__shared *shared)
{
	smmap__gauge_add(&shared->mappings, 1);
	smmap__count(&shared->count.maps, 1);
}

static void count_unmap(smmap__shared *shared)
{
	smmap__gauge_sub(&shared->mappings, 1);
	smmap__count(&shared->count.unmaps, 1);
}

static int how_to_map(const smmap__file *file)
{
	return file->backing == SMMAP_BACKING_PRIVATE ? SMMAP__MAP_PRIVATE : 0;
}

/* ---- placing a new file ---- */

int smmap__file_admit(const smmap__identity *identity, bool block_devices)
{
	smmap__assert(identity != NULL);
	switch (identity->type) {
	case SMMAP__REGULAR:
		return identity->size > INT64_MAX ? SMMAP_EOVERFLOW : 0;
	case SMMAP__DIRECTORY:
		return SMMAP_EISDIR;
	case SMMAP__BLOCK_DEVICE:
		return block_devices ? 0 : SMMAP_ENOTREG;
	case SMMAP__UNMAPPABLE:
		return SMMAP_ENOTSUP;
	default:
		return SMMAP_ENOTREG;
	}
}

static void set_stride(smmap__file *file, uint64_t stride)
{
	smmap__assert(stride != 0);
	smmap__assert(stride % smmap__os_facts_now.granularity == 0);
	file->stride = stride;
	file->stride_shift = smmap__is_power_of_two(stride) ? (uint8_t)__builtin_ctzll(stride) : 64;
}

static bool is_one_region(const smmap__file *file)
{
	return smmap__file_size(file) <= file->stride;
}

/*
 * Stable where a region can be given back without its neighbours: a multiple of what one page fault maps, or the whole
 * file at once. (A smaller file in several regions would keep neighbours resident that are not charged: measured 7 to
 * 32 times the budget, so such a file is detached, however small.)
 */
static bool wants_stable(const smmap__file *file, const smmap__file_wish *wish)
{
	const smmap__os_facts *facts = &smmap__os_facts_now;
	if (!facts->can_zap || wish->placement == SMMAP_PLACEMENT_DETACHED)
		return false;
	if (wish->placement == SMMAP_PLACEMENT_STABLE)
		return true;
	uint64_t size = smmap__file_size(file);
	if (!facts->plenty_of_address)
		return is_one_region(file) && size <= facts->block_size;
	return is_one_region(file) || file->stride % facts->block_size == 0;
}

/* Address space for a stable file: a file of several regions gets room to grow. */
static uint64_t stable_length(const smmap__file *file)
{
	smmap__assert(smmap__file_size(file) != 0);
	const smmap__os_facts *facts = &smmap__os_facts_now;
	uint64_t size = smmap__file_size(file);
	if (is_one_region(file))
		return smmap__align_up(size, facts->granularity);
	return smmap__align_up(smmap__add_saturating(size, size / 4),
	                       smmap__max(facts->block_size, facts->granularity));
}

/* A file of one page table or more shares its alignment with the page cache, so that large folios map at once. */
static size_t congruence_for(uint64_t length)
{
	const smmap__os_facts *facts = &smmap__os_facts_now;
	return facts->plenty_of_address && length >= facts->block_size ? facts->block_size : 0;
}

static int register_stable(smmap__file *file, void *base, uint64_t length)
{
	smmap__assert(file->base == NULL);
	smmap__assert(length % smmap__os_facts_now.granularity == 0);
	int code = smmap__guard_add(base, (size_t)length, 0, &file->faults, &file->guard);
	if (code != 0)
		return code;
	file->base = base;
	atomic_store_explicit(&file->map_length, length, memory_order_relaxed);
	smmap__gauge_add(&file->shared->address_space, length);
	count_map(file->shared);
	return 0;
}

static int map_stable(smmap__file *file, int descriptor)
{
	smmap__assert(smmap__file_is_stable(file));
	smmap__assert(file->backing != SMMAP_BACKING_MEMORY);
	uint64_t length = stable_length(file);
	void *base;
	if (length > SIZE_MAX / 2 || length > file->shared->max_address_space ||
	    smmap__gauge_now(&file->shared->address_space) > file->shared->max_address_space - length)
		return SMMAP_ENOMEM;
	if (smmap__gauge_now(&file->shared->mappings) >= file->shared->max_mappings)
		return SMMAP_EBUSY; /* our own share is used up: regions given back would not help, idle files would */
	int code = smmap__os.map(descriptor, 0, (size_t)length, congruence_for(length), how_to_map(file), &base);
	if (code != 0)
		return code;
	code = register_stable(file, base, length);
	if (code != 0)
		(void)smmap__os.unmap(base, (size_t)length);
	return code;
}

/* Detached files are mapped later, region by region; whether that will work is tried with the first page. */
static int try_detached(smmap__file *file, int descriptor)
{
	smmap__assert(!smmap__file_is_stable(file));
	size_t length = smmap__os_facts_now.granularity;
	void *page;
	int code = smmap__os.map(descriptor, 0, length, 0, how_to_map(file), &page);
	if (code == 0)
		(void)smmap__os.unmap(page, length);
	return code;
}

static int place(smmap__file *file, int descriptor)
{
	return smmap__file_is_stable(file) ? map_stable(file, descriptor) : try_detached(file, descriptor);
}

static void place_in_memory(smmap__file *file)
{
	smmap__assert(file->base == NULL);
	file->placement = SMMAP_PLACEMENT_DETACHED;
	file->backing = SMMAP_BACKING_MEMORY;
	smmap__count(&file->shared->count.fallback_memory, 1);
}

/* ---- files that do not know their size ---- */

/* Reads to the end, into a block that doubles. */
static int read_all(smmap__shared *shared, int descriptor, uint64_t max, unsigned char **block,
                    uint64_t *length)
{
	size_t room = smmap__os_facts_now.page_size;
	size_t done = 0;
	unsigned char *to = shared->memory.allocate(room, shared->memory.context);
	while (to != NULL) {
		int64_t n = smmap__os.read(descriptor, to + done, room - done, done);
		if (n < 0 || (done += (size_t)n) > max) {
			shared->memory.deallocate(to, shared->memory.context);
			return n < 0 ? (int)n : SMMAP_EFBIG;
		}
		if (done < room) {
			*block = to;
			*length = done;
			return 0;
		}
		unsigned char *larger = shared->memory.allocate(2 * room, shared->memory.context);
		if (larger != NULL)
			__builtin_memcpy(larger, to, done);
		shared->memory.deallocate(to, shared->memory.context);
		to = larger;
		room *= 2;
	}
	return SMMAP_ENOMEM;
}

/* A file whose size cannot be trusted (/proc says 0, /sys says 4096): its contents are taken as they are now. */
static int take_snapshot(smmap__file *file, int descriptor, uint64_t max)
{
	smmap__assert(file->snapshot == NULL);
	smmap__assert(file->base == NULL);
	uint64_t length = 0;
	int code = read_all(file->shared, descriptor, max, &file->snapshot, &length);
	if (code != 0)
		return code;
	atomic_store_explicit(&file->size, length, memory_order_relaxed);
	if (length != 0) {
		place_in_memory(file);
		set_stride(file, smmap__align_up(length, smmap__os_facts_now.granularity));
		file->is_whole = true;
	} else {
		file->shared->memory.deallocate(file->snapshot, file->shared->memory.context);
		file->snapshot = NULL;
	}
	return 0;
}

/* Sizes up to this are checked by reading where a file cannot be mapped; larger ones are believed. */
#define DOUBTFUL_SIZE (UINT64_C(64) << 10)

static int read_instead(smmap__file *file, int descriptor, uint64_t max_snapshot)
{
	if (smmap__file_size(file) <= DOUBTFUL_SIZE)
		return take_snapshot(file, descriptor, max_snapshot);
	place_in_memory(file);
	return 0;
}

/* A shared mapping, else a private one, else reading. */
static int place_somehow(smmap__file *file, int descriptor, uint64_t max_snapshot)
{
	int code = place(file, descriptor);
	if (!smmap__os_is_unmappable(code))
		return code;
	file->backing = SMMAP_BACKING_PRIVATE;
	code = place(file, descriptor);
	if (smmap__os_is_unmappable(code))
		return read_instead(file, descriptor, max_snapshot);
	if (code == 0)
		smmap__count(&file->shared->count.fallback_private, 1);
	return code;
}

/* ---- life ---- */

static int find_placement(smmap__file *file, const smmap__file_wish *wish, int descriptor)
{
	smmap__assert(file->base == NULL);
	uint64_t size = smmap__file_size(file);
	if (size == 0)
		return take_snapshot(file, descriptor, wish->max_snapshot);
	if (wish->in_memory) {
		place_in_memory(file);
		return 0;
	}
	if (!wants_stable(file, wish))
		file->placement = SMMAP_PLACEMENT_DETACHED;
	return place_somehow(file, descriptor, wish->max_snapshot);
}

static smmap__file *new_entry(smmap__shared *shared, smmap__name *name, int open_flags,
                              const smmap__identity *identity)
{
	smmap__file *file = smmap__memory_new(&shared->memory, sizeof *file);
	if (file == NULL)
		return NULL;
	file->shared = shared;
	file->name = smmap__name_take(name);
	file->device = identity->device;
	file->inode = identity->inode;
	file->birth_ns = identity->birth_ns;
	file->told_size = identity->size;
	file->mtime_ns = identity->mtime_ns;
	file->ctime_ns = identity->ctime_ns;
	file->open_flags = open_flags;
	file->placement = SMMAP_PLACEMENT_STABLE;
	atomic_init(&file->size, identity->size);
	atomic_init(&file->references, 1);
	return file;
}

int smmap__file_new(smmap__shared *shared, const smmap__file_wish *wish, smmap__name *name, int open_flags,
                    int descriptor, const smmap__identity *identity, smmap__file **out)
{
	smmap__file *file = new_entry(shared, name, open_flags, identity);
	if (file == NULL)
		return SMMAP_ENOMEM;
	uint64_t unit = smmap__os_facts_now.granularity;
	file->is_whole = wish->kind == SMMAP_STATIC;
	set_stride(file, file->is_whole ? smmap__max(unit, smmap__align_up(identity->size, unit)) : wish->window);
	int code = find_placement(file, wish, descriptor);
	if (code != 0) {
		smmap__file_free(file);
		return code;
	}
	*out = file;
	return 0;
}

/* In a child that was forked in the midst of this, what is no longer guarded may be mapped no longer: it is left alone. */
static void unmap_stable(smmap__file *file)
{
	smmap__assert(smmap__file_is_stable(file));
	uint64_t length = atomic_load_explicit(&file->map_length, memory_order_relaxed);
	if (smmap__guard_remove(&file->guard))
		(void)smmap__os.unmap(file->base, (size_t)length);
	file->base = NULL;
	smmap__gauge_sub(&file->shared->address_space, length);
	count_unmap(file->shared);
}

void smmap__file_unplace(smmap__file *file)
{
	if (file->base != NULL)
		unmap_stable(file);
	smmap__descriptor_drop(file);
}

void smmap__file_free(smmap__file *file)
{
	smmap__shared *shared = file->shared;
	smmap__assert(atomic_load_explicit(&file->mapped, memory_order_relaxed) == 0);
	smmap__file_unplace(file);
	if (file->snapshot != NULL)
		shared->memory.deallocate(file->snapshot, shared->memory.context);
	smmap__table_clear(&file->regions, &shared->directory);
	smmap__table_clear(&file->spans, &shared->directory);
	smmap__name_give(file->name, &shared->memory);
	smmap__memory_free(&shared->memory, file, sizeof *file);
}

int smmap__file_extend(smmap__file *file, uint64_t size)
{
	smmap__assert(smmap__file_is_stable(file));
	uint64_t have = atomic_load_explicit(&file->map_length, memory_order_relaxed);
	if (size <= have)
		return 0;
	uint64_t want = smmap__align_up(size, smmap__os_facts_now.granularity);
	smmap__assert(file->base != NULL);
	if (want > SIZE_MAX / 2)
		return SMMAP_ENOMEM;
	int code = smmap__os.extend(file->base, (size_t)have, (size_t)want);
	if (code != 0)
		return code;
	/* The register first learns of the longer range, then forgets the shorter one. */
	smmap__guard_slot longer;
	code = smmap__guard_add(file->base, (size_t)want, 0, &file->faults, &longer);
	if (code != 0) {
		(void)smmap__os.unmap(file->base + (size_t)have, (size_t)(want - have));
		return code;
	}
	atomic_store_explicit(&file->map_length, want, memory_order_relaxed);
	smmap__gauge_add(&file->shared->address_space, want - have);
	smmap__guard_slot shorter = file->guard;
	file->guard = longer;
	(void)smmap__guard_remove(&shorter);
	return 0;
}

/* ---- regions ---- */

static uint64_t mapped_length(uint64_t length)
{
	return smmap__align_up(length, smmap__os_facts_now.granularity);
}

static int map_detached(smmap__file *file, smmap__region region, uint64_t length)
{
	smmap__assert(region.leaf->detached && region.leaf->file == file);
	smmap__assert(length != 0);
	smmap__descriptor descriptor;
	void *address;
	uint64_t begin = smmap__region_begin(region);
	int code = smmap__descriptor_take(file, &descriptor);
	if (code != 0)
		return code;
	code =
		smmap__os.map(descriptor.number, begin, (size_t)mapped_length(length), 0, how_to_map(file), &address);
	smmap__descriptor_give(file, descriptor);
	if (code != 0)
		return code;
	code = smmap__guard_add(address, (size_t)mapped_length(length), begin, &file->faults,
	                        smmap__region_guard(region));
	if (code != 0) {
		(void)smmap__os.unmap(address, (size_t)mapped_length(length));
		return code;
	}
	*smmap__region_address(region) = (uintptr_t)address;
	int advice = atomic_load_explicit(&file->advice, memory_order_relaxed);
	if (advice != SMMAP_ADVICE_NORMAL)
		(void)smmap__os.advise(address, (size_t)mapped_length(length), advice);
	count_map(file->shared);
	return 0;
}

static int unmap_detached(smmap__file *file, smmap__region region, uint64_t length)
{
	smmap__assert(region.leaf->detached && region.leaf->file == file);
	smmap__assert(*smmap__region_address(region) != 0);
	void *address = (void *)(uintptr_t)*smmap__region_address(region);
	smmap__guard_slot *guard = smmap__region_guard(region);
	(void)smmap__guard_remove(guard);
	int code = smmap__os.unmap(address, (size_t)mapped_length(length));
	if (code != 0) {
		/* It stays mapped; without memory for the register it stays unguarded. */
		(void)smmap__guard_add(address, (size_t)mapped_length(length), smmap__region_begin(region),
		                       &file->faults, guard);
		return code;
	}
	*smmap__region_address(region) = 0;
	count_unmap(file->shared);
	return 0;
}

static int fill_memory(smmap__file *file, unsigned char *block, uint64_t offset, size_t length)
{
	int64_t n = smmap__file_read(file, offset, block, length);
	if (n < 0)
		return (int)n;
	return (uint64_t)n == length ? 0 : SMMAP_ETRUNCATED;
}

static int map_memory(smmap__file *file, smmap__region region, uint64_t length)
{
	smmap__assert(file->backing == SMMAP_BACKING_MEMORY);
	unsigned char *block = file->snapshot;
	if (length > SIZE_MAX)
		return SMMAP_ENOMEM;
	if (block == NULL) {
		block = file->shared->memory.allocate((size_t)length, file->shared->memory.context);
		if (block == NULL)
			return SMMAP_ENOMEM;
		int code = fill_memory(file, block, smmap__region_begin(region), (size_t)length);
		if (code != 0) {
			file->shared->memory.deallocate(block, file->shared->memory.context);
			return code;
		}
	}
	file->snapshot = NULL;
	*smmap__region_address(region) = (uintptr_t)block;
	return 0;
}

static int unmap_memory(smmap__file *file, smmap__region region)
{
	smmap__assert(file->backing == SMMAP_BACKING_MEMORY);
	smmap__assert(*smmap__region_address(region) != 0);
	void *block = (void *)(uintptr_t)*smmap__region_address(region);
	file->shared->memory.deallocate(block, file->shared->memory.context);
	*smmap__region_address(region) = 0;
	return 0;
}

/* Pages that the guard replaced by zeros are the file's again only after it is mapped over them. */
static bool map_over(smmap__file *file, void *address, uint64_t offset, size_t length)
{
	smmap__descriptor descriptor;
	if (smmap__descriptor_take(file, &descriptor) != 0)
		return false;
	int code =
		smmap__os.map(descriptor.number, offset, length, 0, how_to_map(file) | SMMAP__MAP_FIXED, &address);
	smmap__descriptor_give(file, descriptor);
	return code == 0;
}

static smmap__range range_of(const smmap__file *file, smmap__region region)
{
	smmap__assert(smmap__file_is_stable(file));
	smmap__assert(file->base != NULL);
	uint64_t begin = smmap__region_begin(region);
	uint64_t end =
		smmap__min(begin + file->stride, atomic_load_explicit(&file->map_length, memory_order_relaxed));
	return (smmap__range){file->base + (size_t)begin, (size_t)(end - begin)};
}

static int zap_stable(smmap__file *file, smmap__region region)
{
	smmap__assert(file == region.leaf->file);
	smmap__assert(!region.leaf->detached);
	smmap__range range = range_of(file, region);
	if (smmap__fault_count(&file->faults) != 0 &&
	    map_over(file, range.address, smmap__region_begin(region), range.length))
		return 0;
	return smmap__os.zap(range.address, range.length);
}

int smmap__file_map_region(smmap__region region, uint64_t length)
{
	smmap__assert(length != 0);
	smmap__assert(region.leaf->detached != smmap__file_is_stable(region.leaf->file));
	smmap__file *file = region.leaf->file;
	smmap__guard_tend();
	if (smmap__file_is_stable(file))
		return 0;
	if (file->backing == SMMAP_BACKING_MEMORY)
		return map_memory(file, region, length);
	return map_detached(file, region, length);
}

int smmap__file_unmap_region(smmap__region region, uint64_t length)
{
	smmap__assert(length != 0 || !region.leaf->detached);
	smmap__assert(region.leaf->detached != smmap__file_is_stable(region.leaf->file));
	smmap__file *file = region.leaf->file;
	if (smmap__file_is_stable(file))
		return zap_stable(file, region);
	if (file->backing == SMMAP_BACKING_MEMORY)
		return unmap_memory(file, region);
	return unmap_detached(file, region, length);
}

bool smmap__file_can_batch(const smmap__file *file)
{
	return smmap__file_is_stable(file) && smmap__fault_count(&file->faults) == 0;
}

unsigned smmap__file_unmap_regions(const smmap__region *regions, unsigned count)
{
	smmap__assert(count != 0 && count <= SMMAP__RANGES_MAX);
	smmap__range ranges[SMMAP__RANGES_MAX];
	for (unsigned i = 0; i < count; i++)
		ranges[i] = range_of(regions[i].leaf->file, regions[i]);
	return smmap__os.zap_many(ranges, count);
}

/* ---- reading, errors, advice ---- */

int64_t smmap__file_read(smmap__file *file, uint64_t offset, void *to, size_t size)
{
	smmap__assert(to != NULL);
	smmap__descriptor descriptor;
	int code = smmap__descriptor_take(file, &descriptor);
	if (code != 0)
		return code;
	int64_t n = smmap__os.read(descriptor.number, to, size, offset);
	smmap__descriptor_give(file, descriptor);
	return n;
}

/*
 * What a read at the page that failed first says, where the file can still be asked. Where it cannot be asked for now it can be
 * later: not `settled`.
 */
static int classify(smmap__file *file, bool *settled)
{
	smmap__assert(smmap__fault_count(&file->faults) != 0);
	unsigned char byte;
	smmap__descriptor descriptor;
	uint64_t first_end = atomic_load_explicit(&file->faults.first_end, memory_order_relaxed);
	int code = smmap__descriptor_take(file, &descriptor);
	*settled = code == 0 || code == SMMAP_ESTALE;
	if (code != 0)
		return SMMAP_EFAULTED;
	int64_t n = smmap__os.read(descriptor.number, &byte, 1, first_end - 1);
	smmap__descriptor_give(file, descriptor);
	if (n == 0)
		return SMMAP_ETRUNCATED;
	return n < 0 ? (int)n : SMMAP_EFAULTED;
}

int smmap__file_error(smmap__file *file)
{
	if (smmap__fault_count(&file->faults) == 0)
		return 0;
	int known = atomic_load_explicit(&file->faults.code, memory_order_acquire);
	if (known != 0)
		return known;
	bool settled;
	int code = classify(file, &settled);
	if (!settled)
		return code;
	if (atomic_compare_exchange_strong_explicit(&file->faults.code, &known, code, memory_order_acq_rel,
	                                            memory_order_acquire)) {
		uint64_t at = atomic_load_explicit(&file->faults.first_end, memory_order_relaxed) - 1;
		smmap__count(&file->shared->count.faults, 1);
		smmap__file_trace(file, SMMAP_EVENT_FAULT, at, 1);
		known = code;
	}
	return known;
}

int smmap__file_advise(smmap__file *file, int advice)
{
	smmap__assert(advice >= SMMAP_ADVICE_NORMAL && advice <= SMMAP_ADVICE_WILLNEED);
	atomic_store_explicit(&file->advice, advice, memory_order_relaxed);
	atomic_store_explicit(&file->is_sequential, false, memory_order_relaxed);
	if (!smmap__file_is_stable(file) || file->base == NULL)
		return 0; /* each region gets it when it is mapped */
	size_t length = (size_t)atomic_load_explicit(&file->map_length, memory_order_relaxed);
	return smmap__os.advise(file->base, length, advice);
}

bool smmap__file_expect(smmap__file *file, bool sequential)
{
	if (!smmap__file_is_stable(file))
		return false;
	smmap__assert(file->base != NULL);
	if (atomic_load_explicit(&file->advice, memory_order_relaxed) != SMMAP_ADVICE_NORMAL ||
	    atomic_exchange_explicit(&file->is_sequential, sequential, memory_order_relaxed) == sequential)
		return false;
	size_t length = (size_t)atomic_load_explicit(&file->map_length, memory_order_relaxed);
	return smmap__os.advise(file->base, length, sequential ? SMMAP_ADVICE_SEQUENTIAL : SMMAP_ADVICE_NORMAL) ==
	       0;
}

/* Whether most of the block of pages around `offset` is in the page cache. */
bool smmap__file_is_warm(const smmap__file *file, uint64_t offset)
{
	enum { PAGES = 512 };
	unsigned char resident[PAGES];
	if (!smmap__file_is_stable(file))
		return true; /* there is no mapping to ask through */
	smmap__assert(file->base != NULL && offset < smmap__file_size(file));
	size_t page = smmap__os_facts_now.page_size;
	uint64_t block = PAGES * (uint64_t)page;
	uint64_t begin = smmap__align_down(offset, block);
	uint64_t end = smmap__min(begin + block, smmap__align_up(smmap__file_size(file), page));
	size_t count = (size_t)((end - begin) / page);
	size_t found = 0;
	if (smmap__os.residency(file->base + (size_t)begin, (size_t)(end - begin), resident) != 0)
		return true;
	for (size_t i = 0; i < count; i++)
		found += resident[i];
	return found >= count - count / 8;
}

int smmap__file_will_need(smmap__file *file, uint64_t offset, uint64_t size)
{
	if (!smmap__file_is_stable(file) || file->base == NULL)
		return 0;
	uint64_t unit = smmap__os_facts_now.page_size;
	uint64_t begin = smmap__align_down(offset, unit);
	uint64_t file_end = smmap__align_up(smmap__file_size(file), unit);
	uint64_t end = smmap__min(smmap__align_up(smmap__add_saturating(offset, size), unit), file_end);
	if (begin >= end)
		return 0;
	return smmap__os.advise(file->base + (size_t)begin, (size_t)(end - begin), SMMAP_ADVICE_WILLNEED);
}
