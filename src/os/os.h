/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The contract between the library and the system it runs on. One file per system implements it; the build
 * chooses which. Nothing above this layer names a system or calls it in any other way, and nothing here knows
 * what a region or a file entry is.
 *
 * Rules for every call below:
 *  - The result is 0 (or a count) or a negative SMMAP_E... code; errno is not looked at by callers.
 *  - A failed call has changed nothing and written no out-parameter.
 *  - Interrupted system calls are repeated inside.
 *  - Addresses and lengths are multiples of `granularity`, offsets too; callers see to it. zap, advise and residency
 *    work on any whole pages inside a mapping.
 *  - A mapping may reach past the end of the file, within its last unit; nothing is touched there.
 *  - extend, zap, advise and residency may answer SMMAP_ENOTSUP.
 *  - Any thread may call.
 *
 * System calls and allocations go through one table of functions, `smmap__os`, so that a test can keep books of them.
 * Differences between systems are data, `smmap__os_facts`. Both are set up before the first call and changed by tests
 * alone. Below the table, every function of the system's that can fail is called by way of os/system.h, so that a build
 * with -Dfaults=true can make it fail (smmap_faults.h).
 */
#ifndef SMMAP_OS_H
#define SMMAP_OS_H

#include <smmap.h>

#include <pthread.h>
#include <stdbool.h>

/* What makes an inode the same one, and unchanged. */
typedef struct smmap__identity {
	uint64_t device;
	uint64_t inode;
	int64_t birth_ns; /* tells it from a later one of the same number; 0: the system does not know */
	uint64_t size;
	int64_t mtime_ns;
	int64_t ctime_ns;
	int type; /* enum smmap__file_type */
} smmap__identity;

enum smmap__file_type {
	SMMAP__REGULAR,
	SMMAP__DIRECTORY,
	SMMAP__BLOCK_DEVICE,
	SMMAP__UNMAPPABLE, /* a file system whose files the library does not serve (hugetlbfs) */
	SMMAP__OTHER       /* pipe, socket, character device */
};

/* How to map. */
enum {
	SMMAP__MAP_PRIVATE = 1, /* a private mapping instead of a shared one */
	SMMAP__MAP_FIXED = 2    /* at `*address`, replacing what is there */
};

typedef struct smmap__range {
	void *address;
	size_t length;
} smmap__range;

enum { SMMAP__RANGES_MAX = 64 };

typedef struct smmap__os_calls {
	void *(*allocate)(size_t size);
	void (*deallocate)(void *block);

	/* Opens for reading: never blocks on a FIFO, never inherited by a program started later. */
	int (*open)(const char *path, int flags, int *descriptor);
	/* A duplicate, never inherited. Fails with SMMAP_EBADF when it cannot be read from. */
	int (*duplicate)(int descriptor, int *copy);
	void (*close)(int descriptor);
	int (*identify)(int descriptor, smmap__identity *identity);
	int (*identify_path)(const char *path, smmap__identity *identity);
	/* The same by one call of the system: what is born and whether it can be mapped is left unknown. NULL: the descriptor. */
	int (*glance)(const char *path, int descriptor, smmap__identity *identity);
	/* Up to `size` bytes at `offset`; fewer only at the end of the file or before a failing byte. */
	int64_t (*read)(int descriptor, void *to, size_t size, uint64_t offset);

	/*
	 * Maps `length` bytes of the file, or, with a negative descriptor, reserves that much address space.
	 * `congruence`, when not 0, is a power of two: address and offset will be equal modulo it.
	 */
	int (*map)(int descriptor, uint64_t offset, size_t length, size_t congruence, int how, void **address);
	int (*unmap)(void *address, size_t length);
	/* Makes a mapping longer without moving it. */
	int (*extend)(void *address, size_t length, size_t new_length);
	/* Gives the resident pages of a file mapping back; the next touch reads them again. */
	int (*zap)(void *address, size_t length);
	/* The same for up to SMMAP__RANGES_MAX ranges at once. Returns how many it did, from the first on; 0: none. */
	unsigned (*zap_many)(const smmap__range *ranges, unsigned count);
	int (*advise)(void *address, size_t length, int advice);
	/* One byte for each page: 1 when it is in the page cache. */
	int (*residency)(void *address, size_t length, unsigned char *pages);
} smmap__os_calls;

extern smmap__os_calls smmap__os;

/* The system as data. Sizes in bytes, powers of two. */
typedef struct smmap__os_facts {
	size_t page_size;
	size_t granularity;     /* of mapping: offsets and addresses are multiples of it */
	size_t block_size;      /* what one page fault may map at most, and one page table covers */
	bool can_zap;           /* stable placement is possible */
	bool can_zap_many;      /* giving back many ranges at once is cheaper than one after another */
	bool plenty_of_address; /* 64-bit pointers */
} smmap__os_facts;

extern smmap__os_facts smmap__os_facts_now;

/* Fills smmap__os_facts_now once; any thread, any number of times. */
void smmap__os_init(void);

/* How many mappings the process may have, and bytes of address space (UINT64_MAX: no limit). */
uint64_t smmap__os_max_mappings(void);
uint64_t smmap__os_max_address_space(void);

/* Whether a caller may add these flags to those that the library opens files with. */
bool smmap__os_may_open_with(int flags);

/* true when `code` can be cured by giving something back: memory, mappings, locked memory. */
bool smmap__os_is_pressure(int code);
/* true when `code` means that there are too many open descriptors. */
bool smmap__os_is_descriptor_pressure(int code);
/* true when `code`, of map(), means that this file cannot be mapped that way, though perhaps in another. */
bool smmap__os_is_unmappable(int code);

/*
 * The trap: what the system calls when a page of a mapping cannot be read. `handle` runs inside a signal handler: it
 * may use only what is async-signal-safe. It returns true when the fault was its own and is mended; otherwise the
 * handler that was installed before ours gets the signal as if ours were not there.
 */
typedef bool smmap__trap_handle(void *address);
int smmap__os_trap_install(smmap__trap_handle *handle);
void smmap__os_trap_remove(void);
/* Puts ours on top again where a foreign handler has replaced it. Returns true when it had to. */
bool smmap__os_trap_rearm(void);
bool smmap__os_trap_is_on_top(void);
uint64_t smmap__os_trap_passed(void); /* signals handed on to previous handlers */
/* Around a fork: the child must not find the trap locked by a thread that it does not have. */
void smmap__os_trap_lock(void);
void smmap__os_trap_unlock(void);

/*
 * Replaces the pages by readable zeros; async-signal-safe. false: no mapping was to be had. What was replaced with the
 * same `rest` may become one mapping with what lies beside it.
 */
bool smmap__os_patch(void *address, size_t length, bool rest);
/* Takes care that spare mappings are held (hold), or gives them all up. */
void smmap__os_hold_spares(bool hold);
/* How many are held; gives one up, so that a patch may work then (false: none left). Async-signal-safe. */
unsigned smmap__os_count_spares(void);
bool smmap__os_give_spare(void);

/* With the default attributes. */
int smmap__os_mutex_init(pthread_mutex_t *mutex);
int smmap__os_cond_init(pthread_cond_t *condition);

/* Calls the three functions around every fork of the process; once. Returns 0 or a code. */
int smmap__os_at_fork(void (*before)(void), void (*in_parent)(void), void (*in_child)(void));

#endif
