/* SPDX-License-Identifier: BSD-3-Clause */
/* The commands, one file each. Each works on all files of the run and notes failures in it. */
#ifndef SMMAP_TOOL_COMMANDS_H
#define SMMAP_TOOL_COMMANDS_H

#include "run.h"

void command_cat(struct run *run);
void command_hash(struct run *run);
void command_find(struct run *run);
void command_info(struct run *run);

#endif
