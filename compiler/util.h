/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Small things every part needs: cleanup attributes, intrusive lists, byte strings.
 */
#ifndef NFT_BPF_COMPILER_UTIL_H
#define NFT_BPF_COMPILER_UTIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define CONTAINER_OF(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))
#define ROUND_UP(n, to) (((n) + (to)-1) / (to) * (to))
/* Up to a sixteenth more, in steps of at least @least: a little more or less of it is as large. */
static inline uint64_t with_room(uint64_t n, uint64_t least)
{
	uint64_t step = least;

	while (step < n / 32)
		step *= 2;
	return ROUND_UP(n, step);
}
#define PRINTF_LIKE(fmt, first) __attribute__((format(printf, fmt, first)))
#define UNUSED __attribute__((unused))

static inline void free_ptr(void *pp)
{
	free(*(void **)pp);
}
#define CLEANUP(fn) __attribute__((cleanup(fn)))
#define AUTO_FREE CLEANUP(free_ptr)

/* The value of a pointer variable, which becomes NULL: hands ownership on past a cleanup. */
#define TAKE_PTR(p)                                                                                \
	({                                                                                         \
		__auto_type __taken = (p);                                                         \
		(p) = NULL;                                                                        \
		__taken;                                                                           \
	})

/* A byte string. Who owns the bytes is said where one is stored. */
struct blob {
	const void *data;
	uint32_t len;
};

/* Circular doubly linked list, head included; an unlinked node points at itself. */
struct list {
	struct list *next, *prev;
};

static inline void list_init(struct list *l)
{
	l->next = l->prev = l;
}

static inline bool list_is_empty(const struct list *l)
{
	return l->next == l;
}

/* Links @node behind @at (pass the head to prepend, head->prev to append). */
static inline void list_add_after(struct list *at, struct list *node)
{
	node->prev = at;
	node->next = at->next;
	at->next->prev = node;
	at->next = node;
}

static inline void list_append(struct list *head, struct list *node)
{
	list_add_after(head->prev, node);
}

static inline void list_remove(struct list *node)
{
	node->prev->next = node->next;
	node->next->prev = node->prev;
	list_init(node);
}

#define list_entry(node, type, member) CONTAINER_OF(node, type, member)
#define list_for_each(var, head, member)                                                           \
	for ((var) = list_entry((head)->next, __typeof__(*(var)), member);                         \
	     &(var)->member != (head);                                                             \
	     (var) = list_entry((var)->member.next, __typeof__(*(var)), member))
/* The same where the body may unlink @var; @tmp is a second cursor of the same type. */
#define list_for_each_safe(var, tmp, head, member)                                                 \
	for ((var) = list_entry((head)->next, __typeof__(*(var)), member),                         \
	    (tmp) = list_entry((var)->member.next, __typeof__(*(var)), member);                    \
	     &(var)->member != (head);                                                             \
	     (var) = (tmp), (tmp) = list_entry((tmp)->member.next, __typeof__(*(tmp)), member))

#endif
