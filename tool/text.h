/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Text that grows. The tool cannot do anything useful without memory, so these functions end the process with
 * a message and status 2 when there is none: no caller has to check.
 */
#ifndef SMMAP_TOOL_TEXT_H
#define SMMAP_TOOL_TEXT_H

#include <stdarg.h>
#include <stddef.h>

/* Begins as all zeros. `data` always has a 0 behind its `size` bytes once something was added. */
struct text {
	char *data;
	size_t size;
	size_t room;
};

/* Memory that is there (all 0 when new), and what happens when there is none. */
_Noreturn void memory_exhausted(void);
void *memory_new(size_t count, size_t size);
void *memory_resize(void *block, size_t count, size_t size);

void text_add(struct text *text, const void *data, size_t size);
void text_add_string(struct text *text, const char *string);
void text_printf(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
void text_vprintf(struct text *text, const char *format, va_list arguments)
	__attribute__((format(printf, 2, 0)));
void text_free(struct text *text);

#endif
