/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Opening the backend: in the main program, which knows nothing of LLVM.
 */
#include <dlfcn.h>
#include <errno.h>

#include "emit.h"

#define MODULE "nft-bpf-llvm.so"

void emitted_fini(struct emitted *e)
{
	free(e->object);
	free(e->llvm);
	free(e->assembly);
	memset(e, 0, sizeof(*e));
}

/* Opened once and kept: LLVM's libraries do not like to be unloaded. */
const struct emit_backend *emit_open(struct diags *ds)
{
	static const struct emit_backend *opened;
	const char *path = getenv("NFT_BPF_BACKEND");
	const struct emit_backend *be;
	void *module;

	if (opened)
		return opened;
	if (!path)
		path = PKGLIBDIR "/" MODULE;
	module = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!module) {
		diag_add(ds, DIAG_ERROR, "backend", NULL, "the compiler's backend: %s", dlerror());
		return NULL;
	}
	be = dlsym(module, EMIT_BACKEND);
	if (!be || be->abi != EMIT_ABI) {
		diag_add(ds, DIAG_ERROR, "backend", NULL,
			 "the compiler's backend %s is of another version of nft-bpf", path);
		dlclose(module);
		return NULL;
	}
	opened = be;
	return opened;
}
