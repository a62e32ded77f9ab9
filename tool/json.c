/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Written with json-c, linked statically: it keeps 64-bit numbers exact (cJSON makes doubles of them, and
 * offsets pass 2^53), and Debian has its static archive, so that a run without --json pays nothing for it at
 * start. A build for a machine without it defines SMMAP_TOOL_NO_JSON and gets json_none.c instead.
 */
#include "json.h"

#ifndef SMMAP_TOOL_NO_JSON

#include "escape.h"
#include "smmap.h"

#include <json-c/json.h>
#include <stdlib.h>

bool json_available(void)
{
	return true;
}

static void add(struct json_object *object, const char *key, struct json_object *value)
{
	if (!value || json_object_object_add_ex(object, key, value, JSON_C_OBJECT_ADD_CONSTANT_KEY) != 0)
		memory_exhausted();
}

struct json_object *json_new(const char *type)
{
	struct json_object *object = json_object_new_object();
	if (!object)
		memory_exhausted();
	if (type)
		json_add_text(object, "type", type);
	return object;
}

void json_add_text(struct json_object *object, const char *key, const char *value)
{
	add(object, key, json_object_new_string(value));
}

void json_add_number(struct json_object *object, const char *key, uint64_t value)
{
	add(object, key, json_object_new_uint64(value));
}

void json_add_signed(struct json_object *object, const char *key, int64_t value)
{
	add(object, key, json_object_new_int64(value));
}

void json_add_bool(struct json_object *object, const char *key, bool value)
{
	add(object, key, json_object_new_boolean(value));
}

void json_add_fraction(struct json_object *object, const char *key, double value)
{
	add(object, key, json_object_new_double(value));
}

void json_add_object(struct json_object *object, const char *key, struct json_object *value)
{
	add(object, key, value);
}

static void add_hex(struct json_object *object, const char *key, const char *name)
{
	struct text hex = {0};
	for (; *name; name++)
		text_printf(&hex, "%02x", (unsigned)(unsigned char)*name);
	json_add_text(object, key, hex.data);
	text_free(&hex);
}

void json_add_name(struct json_object *object, const char *name)
{
	struct text clean = {0};
	bool lossy = false;
	text_add(&clean, "", 0);
	for (const char *at = name; *at;) {
		size_t length = utf8_length(at);
		if (length)
			text_add(&clean, at, length);
		else
			text_add_string(&clean, "\xef\xbf\xbd");
		lossy |= length == 0;
		at += length ? length : 1;
	}
	json_add_text(object, "name", clean.data);
	text_free(&clean);
	if (lossy)
		add_hex(object, "name_hex", name);
}

void json_add_error(struct json_object *object, int code)
{
	struct json_object *error = json_new(NULL);
	json_add_text(error, "code", smmap_err_name(code));
	json_add_text(error, "message", smmap_strerror(code));
	add(object, "error", error);
}

void json_finish(struct json_object *object, struct text *text)
{
	const char *line =
		json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
	if (!line)
		memory_exhausted();
	text_printf(text, "%s\n", line);
	json_object_put(object);
}

#endif
