/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The guard: containment of faults of mapped pages.
 *
 *        reader touches a page                 handler (async-signal-safe)              next library call
 *   +---------------------------+      +-----------------------------------+     +----------------------------+
 *   | file truncated, I/O error | ---> | find the range in the register;   | --> | sees log.count != 0:       |
 *   | -> SIGBUS at that address |      | put zeros there; note it in the   |     | classifies by a pread, or  |
 *   +---------------------------+      | range's log; the reader goes on   |     | serves the data from there |
 *                                      +-----------------------------------+     +----------------------------+
 *
 * The register of mapped ranges is the only global state of the library. It is kept whether or not the guard is
 * enabled, so that enabling it protects what is mapped already. Looking a range up takes no lock; adding and removing
 * take one. A slot is removed before its range is unmapped and its log freed.
 */
#ifndef SMMAP_GUARD_H
#define SMMAP_GUARD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the handler notes about one file. Written by the handler, read by anyone. */
typedef struct smmap__fault_log {
	_Atomic uint32_t count;     /* faults so far */
	_Atomic int code;           /* SMMAP_E... once classified, else 0 */
	_Atomic uint64_t first_end; /* offset of the first page that failed, plus 1; 0: none */
} smmap__fault_log;

/* A range's place in the register. 0 is no place. */
typedef uint32_t smmap__guard_slot;

/*
 * Registers [address, address + length), which maps the file from `offset` on. Returns 0 or SMMAP_ENOMEM.
 * `log` must live until the slot is removed.
 */
int smmap__guard_add(const void *address, size_t length, uint64_t offset, smmap__fault_log *log,
                     smmap__guard_slot *slot);
/*
 * Gives the place up, and says so in `*slot`, in one step as a fork sees it. false: there was none. Who finds none though
 * there is an address is in a child, forked while another thread gave the mapping up: it may be another's by now.
 */
bool smmap__guard_remove(smmap__guard_slot *slot);

/* To be called now and then where a system call is made anyway: keeps ours on top and the spares held. */
void smmap__guard_tend(void);

/* How many times the file has failed; its copies made since a smaller count cannot be trusted. */
static inline uint32_t smmap__fault_count(const smmap__fault_log *log)
{
	return atomic_load_explicit(&log->count, memory_order_acquire);
}

/* Around a fork: the register must not be half-written in the child. */
void smmap__guard_lock(void);
void smmap__guard_unlock(void);

#endif
