/* SPDX-License-Identifier: BSD-3-Clause */
#include "manager/manager.h"

#include "base/arith.h"
#include "base/assert.h"
#include "manager/fork.h"

#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)

enum { FIRST_BUCKETS = 16, DEFAULT_DESCRIPTORS = 32, MAX_DESCRIPTORS = 1 << 16 };

static uint64_t default_window(void)
{
	if (SMMAP__EVICT_AT_ONCE) /* the stress build: windows of one page */
		return 1;
	return sizeof(void *) >= 8 ? GIB : 64 * MIB;
}

static uint64_t default_memory(void)
{
	return sizeof(void *) >= 8 ? 8 * GIB : GIB;
}

static uint64_t or_default(uint64_t value, uint64_t otherwise)
{
	return value != 0 ? value : otherwise;
}

/* ---- options ---- */

static int check_options(const smmap_options *options)
{
	for (size_t i = 0; i < sizeof options->reserved / sizeof *options->reserved; i++)
		if (options->reserved[i] != 0)
			return SMMAP_EINVAL;
	if (options->kind != SMMAP_SLIDING && options->kind != SMMAP_STATIC)
		return SMMAP_EINVAL;
	if ((options->flags & ~(SMMAP_ALLOW_BLOCK_DEVICES | SMMAP_KEEP_ONE)) != 0 || options->window_size < -1)
		return SMMAP_EINVAL;
	if (options->placement < SMMAP_PLACEMENT_AUTO || options->placement > SMMAP_PLACEMENT_DETACHED)
		return SMMAP_EINVAL;
	if ((options->allocate == NULL) != (options->deallocate == NULL))
		return SMMAP_EINVAL;
	if (options->change < SMMAP_CHANGE_IGNORE || options->change > SMMAP_CHANGE_REFUSE ||
	    options->reserved_int != 0)
		return SMMAP_EINVAL;
	return options->max_descriptors <= MAX_DESCRIPTORS ? 0 : SMMAP_EINVAL;
}

static void *system_allocate(size_t size, void *context)
{
	(void)context;
	return smmap__os.allocate(size);
}

static void system_deallocate(void *block, void *context)
{
	(void)context;
	smmap__os.deallocate(block);
}

static uint64_t window_for(const smmap_options *options)
{
	uint64_t unit = smmap__os_facts_now.granularity;
	if (options->window_size <= 0)
		return smmap__align_up(default_window(), unit);
	return smmap__align_up((uint64_t)options->window_size, unit);
}

static void take_options(smmap_manager *manager, const smmap_options *options)
{
	smmap__assert(manager->shared.memory.allocate == NULL);
	smmap__shared *shared = &manager->shared;
	bool own = options->allocate != NULL;
	shared->memory.allocate = own ? options->allocate : system_allocate;
	shared->memory.deallocate = own ? options->deallocate : system_deallocate;
	shared->memory.context = options->allocator_context;
	shared->trace = options->trace;
	shared->trace_context = options->trace_context;
	shared->max_mappings = or_default(options->max_mappings, smmap__os_max_mappings() / 4);
	uint64_t space = smmap__os_max_address_space();
	shared->max_address_space = space == UINT64_MAX ? space : space / 2;
	manager->wish = (smmap__file_wish){
		.kind = options->kind,
		.placement = options->placement,
		.window = window_for(options),
		.block_devices = (options->flags & SMMAP_ALLOW_BLOCK_DEVICES) != 0,
	};
	manager->change = options->change;
	if (options->change != SMMAP_CHANGE_IGNORE)
		manager->budget.check_file = smmap__manager_check_change;
	manager->budget.keeps_one = (options->flags & SMMAP_KEEP_ONE) != 0;
	atomic_init(&manager->budget.max_bytes, or_default(options->max_memory, default_memory()));
	atomic_init(&manager->budget.max_handles, or_default(options->max_handles, UINT64_MAX));
}

/* ---- life ---- */

static int init_parts(smmap_manager *manager, unsigned max_descriptors)
{
	smmap__assert(max_descriptors <= MAX_DESCRIPTORS);
	smmap__shared *shared = &manager->shared;
	smmap__memory *memory = &shared->memory;
	int code = smmap__directory_init(&shared->directory, memory);
	if (code != 0)
		return code;
	code = smmap__descriptors_init(&shared->descriptors, memory,
	                               max_descriptors != 0 ? max_descriptors : DEFAULT_DESCRIPTORS);
	if (code != 0)
		goto no_descriptors;
	code = smmap__budget_init(&manager->budget, shared);
	if (code != 0)
		goto no_budget;
	code = smmap__os_mutex_init(&manager->files_lock);
	if (code != 0)
		goto no_lock;
	manager->bucket_count = FIRST_BUCKETS;
	manager->buckets = smmap__memory_new(memory, FIRST_BUCKETS * sizeof(smmap__file *));
	code = manager->buckets != NULL ? 0 : SMMAP_ENOMEM;
	if (code != 0)
		goto no_buckets;
	manager->budget.give_file = smmap__manager_give;
	manager->budget.repair = smmap__fork_repair;
	return 0;
no_buckets:
	pthread_mutex_destroy(&manager->files_lock);
no_lock:
	smmap__budget_destroy(&manager->budget);
no_budget:
	smmap__descriptors_destroy(&shared->descriptors, memory);
no_descriptors:
	smmap__directory_destroy(&shared->directory);
	return code;
}

static void destroy_parts(smmap_manager *manager)
{
	smmap__assert(manager->all_first == NULL);
	smmap__assert(manager->file_count == 0);
	smmap__shared *shared = &manager->shared;
	smmap__memory_free(&shared->memory, manager->buckets, manager->bucket_count * sizeof(smmap__file *));
	pthread_mutex_destroy(&manager->files_lock);
	smmap__budget_destroy(&manager->budget);
	smmap__descriptors_destroy(&shared->descriptors, &shared->memory);
	smmap__directory_destroy(&shared->directory);
}

static void free_block(smmap_manager *manager)
{
	smmap__assert(atomic_load(&manager->shared.memory.bytes) == 0 || manager->budget.is_childs);
	void (*deallocate)(void *block, void *context) = manager->shared.memory.deallocate;
	deallocate(manager, manager->shared.memory.context);
}

int smmap_manager_new(smmap_manager **out, const smmap_options *options)
{
	static const smmap_options defaults = SMMAP_OPTIONS_INIT;
	if (options == NULL)
		options = &defaults;
	int code = check_options(options);
	if (code != 0)
		return code;
	smmap__os_init();
	smmap_manager *manager = options->allocate != NULL
	                             ? options->allocate(sizeof *manager, options->allocator_context)
	                             : smmap__os.allocate(sizeof *manager);
	if (manager == NULL)
		return SMMAP_ENOMEM;
	__builtin_memset(manager, 0, sizeof *manager);
	take_options(manager, options);
	code = init_parts(manager, options->max_descriptors);
	if (code == 0) {
		code = smmap__fork_enlist(manager);
		if (code == 0) {
			*out = manager;
			return 0;
		}
		destroy_parts(manager);
	}
	free_block(manager);
	return code;
}

static bool is_held(smmap_manager *manager)
{
	bool held = false;
	pthread_mutex_lock(&manager->files_lock);
	for (smmap__file *file = manager->all_first; file != NULL && !held; file = file->all_next)
		held = atomic_load_explicit(&file->holders, memory_order_relaxed) != 0;
	pthread_mutex_unlock(&manager->files_lock);
	return held;
}

int smmap_manager_free(smmap_manager *manager)
{
	if (manager == NULL)
		return 0;
	if (is_held(manager))
		return SMMAP_EBUSY;
	(void)smmap_manager_collect(manager);
	/* What the system did not take back is still mapped, and the books still know it. */
	if (manager->all_first != NULL)
		return SMMAP_EBUSY;
	smmap__fork_delist(manager);
	destroy_parts(manager);
	free_block(manager);
	return 0;
}

/* ---- giving back ---- */

static void repair_after_fork(smmap_manager *manager)
{
	if (atomic_load_explicit(&manager->budget.forked, memory_order_relaxed))
		smmap__fork_repair(&manager->budget);
}

uint64_t smmap_manager_collect(smmap_manager *manager)
{
	uint64_t count = 0;
	repair_after_fork(manager);
	while (smmap__budget_evict_one(&manager->budget))
		count++;
	return count;
}

uint64_t smmap_manager_make_room(smmap_manager *manager, uint64_t size)
{
	smmap__budget *budget = &manager->budget;
	uint64_t max = atomic_load_explicit(&budget->max_bytes, memory_order_relaxed);
	uint64_t allowed = size < max ? max - size : 0;
	uint64_t count = 0;
	repair_after_fork(manager);
	if (size == 0)
		return smmap__budget_evict_one(budget);
	while (smmap__gauge_now(&budget->bytes) + atomic_load_explicit(&budget->slack, memory_order_relaxed) >
	           allowed &&
	       smmap__budget_evict_one(budget))
		count++;
	return count;
}

int smmap_manager_set_limits(smmap_manager *manager, uint64_t max_memory, uint64_t max_handles)
{
	smmap__budget *budget = &manager->budget;
	repair_after_fork(manager);
	atomic_store_explicit(&budget->max_bytes, or_default(max_memory, default_memory()), memory_order_relaxed);
	atomic_store_explicit(&budget->max_handles, or_default(max_handles, UINT64_MAX), memory_order_relaxed);
	smmap__budget_make_room(budget);
	return 0;
}

/* ---- one path ---- */

typedef struct release {
	smmap__budget *budget;
	uint64_t given;
	uint64_t pinned;
} release;

static bool release_visited(smmap__region region, void *context)
{
	release *r = context;
	if (smmap__budget_evict(r->budget, region))
		r->given++;
	else if (smmap__word_state(atomic_load(smmap__region_word(region))) != SMMAP__EMPTY)
		r->pinned++;
	return true;
}

int64_t smmap_manager_release_path(smmap_manager *manager, const char *path, uint64_t *pinned)
{
	smmap__identity identity;
	release r = {.budget = &manager->budget};
	repair_after_fork(manager);
	int code = smmap__os.identify_path(path, &identity);
	if (code != 0)
		return smmap__manager_error(manager, code);
	smmap__file *file = smmap__manager_find(manager, &identity);
	if (file != NULL) {
		smmap__table_visit(&file->regions, release_visited, &r);
		smmap__table_visit(&file->spans, release_visited, &r);
		smmap__manager_drop_if_idle(manager, file);
		smmap__manager_give(&manager->budget, file);
	}
	if (pinned != NULL)
		*pinned = r.pinned;
	return (int64_t)r.given;
}

/* ---- figures ---- */

uint64_t smmap_manager_num_file_handles(const smmap_manager *manager)
{
	return smmap__gauge_now(&manager->budget.handles);
}

uint64_t smmap_manager_num_open_files(const smmap_manager *manager)
{
	return atomic_load_explicit(&manager->budget.open_files, memory_order_relaxed);
}

uint64_t smmap_manager_window_size(const smmap_manager *manager)
{
	return manager->wish.kind == SMMAP_STATIC ? 0 : manager->wish.window;
}

uint64_t smmap_manager_mapped_memory_size(const smmap_manager *manager)
{
	return smmap__gauge_now(&manager->budget.bytes);
}

uint64_t smmap_manager_max_mapped_memory_size(const smmap_manager *manager)
{
	return atomic_load_explicit(&manager->budget.max_bytes, memory_order_relaxed);
}

uint64_t smmap_manager_max_file_handles(const smmap_manager *manager)
{
	return atomic_load_explicit(&manager->budget.max_handles, memory_order_relaxed);
}

static uint64_t value(const _Atomic uint64_t *counter)
{
	return atomic_load_explicit(counter, memory_order_relaxed);
}

void smmap_manager_stats(const smmap_manager *manager, smmap_stats *stats)
{
	const smmap__budget *budget = &manager->budget;
	const smmap__shared *shared = &manager->shared;
	const smmap__counters *count = &shared->count;
	*stats = (smmap_stats){
		.mapped_bytes = value(&budget->bytes.now),
		.exported_bytes = value(&manager->exported_bytes),
		.handles = value(&budget->handles.now),
		.mappings = value(&shared->mappings.now),
		.descriptors = value(&shared->descriptors.count.now),
		.table_bytes = value(&shared->memory.bytes),
		.peak_mapped_bytes = value(&budget->bytes.peak),
		.peak_handles = value(&budget->handles.peak),
		.peak_mappings = value(&shared->mappings.peak),
		.peak_descriptors = value(&shared->descriptors.count.peak),
		.hits = value(&count->hits),
		.misses = value(&count->misses),
		.evictions = value(&count->evictions),
		.rescues = value(&count->rescues),
		.waits = value(&count->waits),
		.maps = value(&count->maps),
		.unmaps = value(&count->unmaps),
		.opens = value(&count->opens),
		.copied = value(&count->copied),
		.preads = value(&count->preads),
		.pread_bytes = value(&count->pread_bytes),
		.prefetches = value(&count->prefetches),
		.over_budget = value(&count->over_budget),
		.retries = value(&count->retries),
		.fallback_private = value(&count->fallback_private),
		.fallback_detached = value(&count->fallback_detached),
		.fallback_memory = value(&count->fallback_memory),
		.faults = value(&count->faults),
		.errors = value(&count->errors),
		.changed = value(&count->changed),
	};
	/* The one figure that is not atomic. */
	pthread_mutex_t *lock = (pthread_mutex_t *)(uintptr_t)&manager->files_lock;
	pthread_mutex_lock(lock);
	stats->files = manager->file_count;
	pthread_mutex_unlock(lock);
}
