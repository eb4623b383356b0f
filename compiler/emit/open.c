/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Opening the backend: in the main program, which knows nothing of LLVM.
 */
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "emit.h"

#define MODULE "nft-bpf-llvm.so"

void emitted_fini(struct emitted *e)
{
	free(e->object);
	free(e->llvm);
	free(e->assembly);
	memset(e, 0, sizeof(*e));
}

/* Not installed yet: beside the program, where libtool builds it. False: it is not there. */
static bool find_uninstalled(char *ret_path, size_t size)
{
	char exe[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	char *slash;

	if (n < 0)
		return false;
	exe[n] = '\0';
	slash = strrchr(exe, '/');
	if (!slash)
		return false;
	n = snprintf(ret_path, size, "%.*s/.libs/" MODULE, (int)(slash - exe), exe);
	return n > 0 && (size_t)n < size && access(ret_path, R_OK) == 0;
}

const char *emit_backend_path(void)
{
	static char built[PATH_MAX];
	const char *path = secure_getenv("NFT_BPF_BACKEND");

	if (path)
		return path;
	return find_uninstalled(built, sizeof(built)) ? built : PKGLIBDIR "/" MODULE;
}

/* Opened once and kept: LLVM's libraries do not like to be unloaded. */
const struct emit_backend *emit_open(struct diags *ds)
{
	static const struct emit_backend *opened;
	const char *path = emit_backend_path();
	const struct emit_backend *be;
	void *module;

	if (opened)
		return opened;
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
