/* SPDX-License-Identifier: BSD-3-Clause */
/* XXH3-128 with the instructions that the build is for. */
#define XXH3_DIGEST xxh3_base
#include "xxh3_body.h"
