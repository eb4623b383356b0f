/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The arena: chunks of memory that are handed out from the front and freed together.
 *
 * Under AddressSanitizer what was not handed out is poisoned, with a gap behind each piece, so that
 * an overrun is seen as it would be with malloc().
 */
#include "arena.h"

#include <stdio.h>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#define ARENA_GAP 16
#else
#define ARENA_GAP			  0
#define ASAN_POISON_MEMORY_REGION(p, n)	  ((void)(p), (void)(n))
#define ASAN_UNPOISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
#endif

#define ARENA_ALIGN _Alignof(max_align_t)
/* Chunks double in size from the first to the largest: most processes need little. */
#define ARENA_FIRST ((size_t)4 * 1024)
#define ARENA_CHUNK ((size_t)64 * 1024)

struct chunk {
	struct chunk *next;
	size_t size, used; /* of bytes[] */
	_Alignas(max_align_t) uint8_t bytes[];
};

struct arena {
	struct chunk *chunks; /* the first one is being filled */
	size_t used;
	size_t next; /* size of the next chunk */
};

static void out_of_memory(size_t size)
{
	fprintf(stderr, "nft-bpf: out of memory (%zu bytes)\n", size);
	exit(EXIT_FAILURE);
}

static struct chunk *chunk_new(size_t size)
{
	struct chunk *c = size > SIZE_MAX / 2 ? NULL : calloc(1, sizeof(*c) + size);

	if (!c)
		out_of_memory(size);
	c->size = size;
	ASAN_POISON_MEMORY_REGION(c->bytes, size);
	return c;
}

struct arena *arena_new(void)
{
	struct arena *a = calloc(1, sizeof(*a));

	if (!a)
		out_of_memory(sizeof(*a));
	a->next = ARENA_FIRST;
	return a;
}

void arena_free(struct arena *a)
{
	if (!a)
		return;
	while (a->chunks) {
		struct chunk *c = a->chunks;

		a->chunks = c->next;
		ASAN_UNPOISON_MEMORY_REGION(c->bytes, c->size);
		free(c);
	}
	free(a);
}

/* A piece that fills a chunk of its own goes behind the one that is being filled. */
static struct chunk *arena_chunk(struct arena *a, size_t room)
{
	struct chunk *c = a->chunks;

	if (c && c->size - c->used >= room)
		return c;
	c = chunk_new(MAX(room, a->next));
	a->next = MIN(2 * a->next, ARENA_CHUNK);
	if (room >= ARENA_CHUNK / 4 && a->chunks) {
		c->next = a->chunks->next;
		a->chunks->next = c;
	} else {
		c->next = a->chunks;
		a->chunks = c;
	}
	return c;
}

void *arena_alloc(struct arena *a, size_t size)
{
	size_t room;
	struct chunk *c;
	void *p;

	if (size > SIZE_MAX / 4)
		out_of_memory(size);
	room = ROUND_UP(MAX(size, (size_t)1) + ARENA_GAP, ARENA_ALIGN);
	c = arena_chunk(a, room);
	p = c->bytes + c->used;
	c->used += room;
	a->used += size;
	ASAN_UNPOISON_MEMORY_REGION(p, size);
	return p;
}

void *arena_memdup(struct arena *a, const void *data, size_t size)
{
	void *p = arena_alloc(a, size);

	if (size)
		memcpy(p, data, size);
	return p;
}

char *arena_strdup(struct arena *a, const char *s)
{
	return arena_memdup(a, s, strlen(s) + 1);
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap;
	char *s;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0)
		return arena_strdup(a, "");
	s = arena_alloc(a, (size_t)n + 1);
	va_start(ap, fmt);
	vsnprintf(s, (size_t)n + 1, fmt, ap);
	va_end(ap);
	return s;
}

/* The room there is follows from @n: 8, then doubled at each power of two. */
void *arena_grow(struct arena *a, void *array, size_t n, size_t size)
{
	size_t room;
	void *p;

	if (n && (n < 8 || (n & (n - 1))))
		return array;
	room = n ? 2 * n : 8;
	if (room > SIZE_MAX / 4 / size)
		out_of_memory(size);
	p = arena_alloc(a, room * size);
	if (n)
		memcpy(p, array, n * size);
	return p;
}

size_t arena_used(const struct arena *a)
{
	return a->used;
}
