/* SPDX-License-Identifier: BSD-3-Clause */
/* SHA-256, by libcrypto; loaded only when it is asked for, so that other runs do not wait for it. */
#ifndef SMMAP_TOOL_SHA256_H
#define SMMAP_TOOL_SHA256_H

#include "digest.h"

const struct digest *sha256_load(const char **why);

#endif
