/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A shared library that is opened when something of it is first called: starting takes a third of
 * the time that adding an element may, and needs neither libbpf nor libnftables.
 *
 * The program does not link it. It has functions of the library's names, which hand on to the
 * library's; they are hidden, so that the library keeps to its own. FUNCTIONS(F) lists them as
 * F(type, name, (parameters), (arguments)), and `lib` has a pointer to each.
 */
#ifndef NFT_BPF_COMPILER_LIBRARY_H
#define NFT_BPF_COMPILER_LIBRARY_H

/* Ends the program where there is none, as the dynamic linker would. */
void *library_open(const char *soname);
void *library_symbol(void *library, const char *name);

#define LIBRARY_MEMBER(type, name, params, args) __typeof__(&(name)) name;
#define LIBRARY_RESOLVE(type, name, params, args)                                                  \
	lib.name = (__typeof__(lib.name))library_symbol(lib.so, #name);
/* With open_library(), which sets lib.so and resolves all. */
#define LIBRARY_FORWARD(type, name, params, args)                                                  \
	type name params                                                                           \
	{                                                                                          \
		if (!lib.so)                                                                       \
			open_library();                                                            \
		return lib.name args;                                                              \
	}

#endif
