/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * In place of json.c where there is no JSON library: --json is refused, so that nothing else here is called.
 */
#include "json.h"

#ifdef SMMAP_TOOL_NO_JSON

bool json_available(void)
{
	return false;
}

struct json_object *json_new(const char *type)
{
	(void)type;
	return NULL;
}

void json_add_text(struct json_object *object, const char *key, const char *value)
{
	(void)object, (void)key, (void)value;
}

void json_add_number(struct json_object *object, const char *key, uint64_t value)
{
	(void)object, (void)key, (void)value;
}

void json_add_signed(struct json_object *object, const char *key, int64_t value)
{
	(void)object, (void)key, (void)value;
}

void json_add_bool(struct json_object *object, const char *key, bool value)
{
	(void)object, (void)key, (void)value;
}

void json_add_fraction(struct json_object *object, const char *key, double value)
{
	(void)object, (void)key, (void)value;
}

void json_add_object(struct json_object *object, const char *key, struct json_object *value)
{
	(void)object, (void)key, (void)value;
}

void json_add_name(struct json_object *object, const char *name)
{
	(void)object, (void)name;
}

void json_add_error(struct json_object *object, int code)
{
	(void)object, (void)code;
}

void json_finish(struct json_object *object, struct text *text)
{
	(void)object, (void)text;
}

#endif
