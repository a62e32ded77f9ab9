/* SPDX-License-Identifier: BSD-3-Clause */
#include <smmap.h>

const char *smmap_version(void)
{
	return SMMAP_VERSION_STRING;
}

int smmap_is_64_bit(void)
{
	return sizeof(void *) >= 8;
}
