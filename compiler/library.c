/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "library.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

static void *or_end(void *p)
{
	if (p)
		return p;
	fprintf(stderr, "nft-bpf: %s\n", dlerror());
	exit(EXIT_FAILURE);
}

void *library_open(const char *soname)
{
	return or_end(dlopen(soname, RTLD_NOW | RTLD_LOCAL));
}

void *library_symbol(void *library, const char *name)
{
	return or_end(dlsym(library, name));
}
