/* SPDX-License-Identifier: BSD-3-Clause */
#include "text.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void memory_exhausted(void)
{
	static const char message[] = "smmap: not enough memory\n";
	ssize_t ignored = write(STDERR_FILENO, message, sizeof message - 1);
	(void)ignored;
	_exit(2);
}

void *memory_new(size_t count, size_t size)
{
	void *block = calloc(count ? count : 1, size);
	if (!block)
		memory_exhausted();
	return block;
}

void *memory_resize(void *block, size_t count, size_t size)
{
	void *larger = count <= SIZE_MAX / size ? realloc(block, count * size) : NULL;
	if (!larger)
		memory_exhausted();
	return larger;
}

/* Makes room for `size` more bytes and the 0 behind them. */
static void text_reserve(struct text *text, size_t size)
{
	size_t room = text->room ? text->room : 128;
	if (size >= SIZE_MAX / 2 - text->size)
		memory_exhausted();
	while (room <= text->size + size)
		room *= 2;
	if (room != text->room) {
		text->data = memory_resize(text->data, room, 1);
		text->room = room;
	}
}

void text_add(struct text *text, const void *data, size_t size)
{
	text_reserve(text, size);
	if (size)
		memcpy(text->data + text->size, data, size);
	text->size += size;
	text->data[text->size] = 0;
}

void text_add_string(struct text *text, const char *string)
{
	text_add(text, string, strlen(string));
}

void text_vprintf(struct text *text, const char *format, va_list arguments)
{
	va_list again;
	va_copy(again, arguments);
	/* The analyzer loses sight of va_start in the caller. NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized) */
	int size = vsnprintf(NULL, 0, format, arguments);
	if (size > 0) {
		text_reserve(text, (size_t)size);
		vsnprintf(text->data + text->size, (size_t)size + 1, format, again);
		text->size += (size_t)size;
	}
	va_end(again);
}

void text_printf(struct text *text, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	text_vprintf(text, format, arguments);
	va_end(arguments);
}

void text_free(struct text *text)
{
	free(text->data);
	*text = (struct text){0};
}
