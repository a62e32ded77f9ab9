/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fork. All locks are taken before and let go after, in parent and child, so that no table is half-written in the child.
 * What other threads had under way at that moment, BUSY and EVICTING regions, has nobody to finish it there: the first call
 * in the child that may meet such a region puts all books right (smmap__fork_repair). It costs the child nothing when it
 * only starts another program.
 */
#ifndef SMMAP_FORK_H
#define SMMAP_FORK_H

#include "manager/manager.h"

int smmap__fork_enlist(smmap_manager *manager);
void smmap__fork_delist(smmap_manager *manager);
void smmap__fork_repair(smmap__budget *budget);

#endif
