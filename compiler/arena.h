/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One arena per compilation: everything of an IR lives in it and goes at once.
 *
 * Allocation never fails towards the caller: a compiler that runs out of memory ends the process
 * with a message, before anything of the kernel's was touched. What must survive lack of memory
 * (the ruleset model, the run time) does not use arenas.
 */
#ifndef NFT_BPF_COMPILER_ARENA_H
#define NFT_BPF_COMPILER_ARENA_H

#include <stdarg.h>
#include <stddef.h>

#include "util.h"

struct arena;

struct arena *arena_new(void);
void arena_free(struct arena *a);
static inline void arena_freep(struct arena **a)
{
	arena_free(*a);
}

/* Zeroed, aligned for any type. Never NULL. */
void *arena_alloc(struct arena *a, size_t size);
void *arena_memdup(struct arena *a, const void *data, size_t size);
char *arena_strdup(struct arena *a, const char *s);
char *arena_printf(struct arena *a, const char *fmt, ...) PRINTF_LIKE(2, 3);

/*
 * A growing array: returns @array with room for @n + 1 elements of @size bytes. Only for arrays that
 * came from here, from their first element on: how much room there is follows from @n.
 */
void *arena_grow(struct arena *a, void *array, size_t n, size_t size);

#define ARENA_NEW(a, type) ((type *)arena_alloc((a), sizeof(type)))
/* Appends @value to the array @arr of @n elements. */
#define ARENA_PUSH(a, arr, n, value)                                                               \
	((arr) = arena_grow((a), (arr), (n), sizeof(*(arr))), (arr)[(n)++] = (value))

/* Bytes handed out so far. */
size_t arena_used(const struct arena *a);

#endif
