/* SPDX-License-Identifier: BSD-3-Clause */
/* Faults that a process can only provoke in itself; a shared library, so that Python readers call it too. */
#ifndef SMMAP_TESTS_REAL_INSIDE_H
#define SMMAP_TESTS_REAL_INSIDE_H

#include <stdint.h>

#define INSIDE_API __attribute__((visibility("default")))

/* All functions: 0, or the negative errno. */

/* Sends this thread the signal of a broken page of memory (SIGBUS, BUS_MCEERR_AR) for `address`. */
INSIDE_API int inside_memory_error(const void *address);

enum { INSIDE_SIGBUS = 0, INSIDE_POISON = 1 };

/*
 * Where this process maps [begin, end) of the file whose line in /proc/self/maps contains `name` (a memfd that may be
 * written to): touching it raises SIGBUS. SIGBUS: as BUS_ADRERR; POISON: as BUS_MCEERR_AR. Reading the file works.
 */
INSIDE_API int inside_break(const char *name, uint64_t begin, uint64_t end, int how);
/* Lets go of what inside_break did. */
INSIDE_API int inside_heal(void);

/* All that is mapped from now on is locked (mlockall, MCL_FUTURE). */
INSIDE_API int inside_lock_all(void);

#endif
