/* SPDX-License-Identifier: BSD-3-Clause */
#include "sha256.h"

#include <dlfcn.h>
#include <string.h>

/* The functions of libcrypto's EVP interface, declared here so that its headers are not needed to build. */
static struct {
	void *(*context_new)(void);
	void (*context_free)(void *context);
	const void *(*sha256)(void);
	int (*init)(void *context, const void *algorithm, void *engine);
	int (*update)(void *context, const void *data, size_t size);
	int (*final)(void *context, unsigned char *result, unsigned *size);
} crypto;

static const struct {
	const char *name;
	void *function; /* a pointer to the pointer to set */
} symbols[] = {
	{"EVP_MD_CTX_new", &crypto.context_new}, {"EVP_MD_CTX_free", &crypto.context_free},
	{"EVP_sha256", &crypto.sha256},          {"EVP_DigestInit_ex", &crypto.init},
	{"EVP_DigestUpdate", &crypto.update},    {"EVP_DigestFinal_ex", &crypto.final},
};

static void *context_of(const struct digest_state *state)
{
	void *context;
	memcpy(&context, state->room, sizeof context);
	return context;
}

static bool sha256_begin(struct digest_state *state)
{
	void *context = crypto.context_new();
	memcpy(state->room, &context, sizeof context);
	if (context && crypto.init(context, crypto.sha256(), NULL) == 1)
		return true;
	crypto.context_free(context);
	return false;
}

static bool sha256_update(struct digest_state *state, const void *data, size_t size)
{
	return crypto.update(context_of(state), data, size) == 1;
}

static void sha256_finish(struct digest_state *state, unsigned char result[DIGEST_MAX_SIZE])
{
	unsigned size = 0;
	crypto.final(context_of(state), result, &size);
	crypto.context_free(context_of(state));
}

static const struct digest sha256 = {
	.name = "sha256",
	.tag = "SHA256",
	.size = 32,
	.escapes_names = true,
	.begin = sha256_begin,
	.update = sha256_update,
	.finish = sha256_finish,
};

const struct digest *sha256_load(const char **why)
{
	void *library = dlopen("libcrypto.so.3", RTLD_NOW | RTLD_LOCAL);
	if (!library)
		library = dlopen("libcrypto.so.1.1", RTLD_NOW | RTLD_LOCAL);
	if (!library) {
		*why = "needs libcrypto (libssl3), which is not installed";
		return NULL;
	}
	for (size_t i = 0; i < sizeof symbols / sizeof *symbols; i++) {
		void *symbol = dlsym(library, symbols[i].name);
		if (!symbol) {
			*why = "the libcrypto that is installed lacks a function";
			return NULL;
		}
		memcpy(symbols[i].function, &symbol, sizeof symbol);
	}
	return &sha256; /* the library stays loaded until the process ends */
}
