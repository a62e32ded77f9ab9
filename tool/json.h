/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * JSON for --json: one object per line. The only file that knows the JSON library.
 */
#ifndef SMMAP_TOOL_JSON_H
#define SMMAP_TOOL_JSON_H

#include "text.h"

#include <stdbool.h>
#include <stdint.h>

struct json_object;

bool json_available(void);

/* A new object whose member "type" is `type`. Yours, until json_finish or json_add_object takes it. */
struct json_object *json_new(const char *type);

void json_add_text(struct json_object *object, const char *key, const char *value);
void json_add_number(struct json_object *object, const char *key, uint64_t value);
void json_add_signed(struct json_object *object, const char *key, int64_t value);
void json_add_bool(struct json_object *object, const char *key, bool value);
void json_add_fraction(struct json_object *object, const char *key, double value);

/* Takes `value`. */
void json_add_object(struct json_object *object, const char *key, struct json_object *value);

/*
 * Adds "name": JSON has only Unicode, file names have any bytes. Bytes that are not UTF-8 become U+FFFD, and
 * "name_hex" then has all bytes of the name in hexadecimal.
 */
void json_add_name(struct json_object *object, const char *name);

/* Adds "error": code (name of the constant) and message of a code of the library. */
void json_add_error(struct json_object *object, int code);

/* Adds the object to `text` as one line and frees it. */
void json_finish(struct json_object *object, struct text *text);

#endif
