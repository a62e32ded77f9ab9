/* SPDX-License-Identifier: BSD-3-Clause */
/* What smmap hash and smmap hash --check share. */
#ifndef SMMAP_TOOL_HASH_H
#define SMMAP_TOOL_HASH_H

#include "digest.h"
#include "scan.h"

enum { HASH_TEXT_ROOM = 2 * DIGEST_MAX_SIZE + 1 };

/* Hashes what the scan goes over. Returns 0 or an error code. */
int hash_scan(struct scan *scan, const struct digest *digest, unsigned char result[DIGEST_MAX_SIZE]);

/* Writes the hash in hexadecimal. */
void hash_format(char to[HASH_TEXT_ROOM], const struct digest *digest, const unsigned char *result);

#endif
