/* SPDX-License-Identifier: BSD-3-Clause */
#include <smmap.h>

const char *smmap_strerror(int code)
{
	switch (code) {
	case 0:
		return "no error";
#define SMMAP_X(name, value, message)                                                                        \
	case name:                                                                                               \
		return message;
		SMMAP_ERROR_MAP(SMMAP_X)
#undef SMMAP_X
	default:
		return "unknown error";
	}
}

const char *smmap_err_name(int code)
{
	switch (code) {
	case 0:
		return "SMMAP_OK";
#define SMMAP_X(name, value, message)                                                                        \
	case name:                                                                                               \
		return #name;
		SMMAP_ERROR_MAP(SMMAP_X)
#undef SMMAP_X
	default:
		return "SMMAP_EUNKNOWN";
	}
}
