/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Elements that packets look up, add, update and delete (compiler/dynamic.h), after
 * nft_dynset_eval() and nft_rhash_update().
 *
 * An element never leaves the map while it counts: who takes it away or begins it anew first claims
 * it by its time of expiry, with a compare and swap, so that of several CPUs one does it, and no
 * element that another CPU has just brought back is lost. Those who meet a claimed one wait for a few
 * tries. Then whoever claimed it must have been interrupted, maybe by the very packet that waits, and
 * the element is taken as it is: as if the packet had come before it was taken away.
 */
#include "nb.h"

struct nb_elem { /* struct dyn_value */
	__u64 expires, timeout;
	__u32 flags, reserved;
};

struct nb_dyn_head { /* struct dyn_head */
	__u64 collected, handle;
};

enum { ANEW = 1, GOING = 2 }; /* expires, claimed: to begin anew; to be deleted */
enum { DYNSET_TRIES = 16, E_NOMEM_FULL = -7 /* E2BIG */, E_EXIST = -17 };

NB_INLINE __u64 nb_expires(struct nb_elem *e)
{
	return *(volatile __u64 *)&e->expires;
}

NB_INLINE bool nb_claim(struct nb_elem *e, __u64 is, __u64 as)
{
	return __sync_val_compare_and_swap(&e->expires, is, as) == is;
}

/* The element of @key, or NULL. @timeout: elements of the set may expire. */
NB_API void *nb_dyn_find(void *map, const void *key, __u64 timeout)
{
	struct nb_elem *e = bpf_map_lookup_elem(map, key);
	__u64 expires;

	if (!e || !timeout)
		return e;
	expires = nb_expires(e);
	return !expires || expires > bpf_ktime_get_ns() ? e : NULL;
}

/* nft_set_elem_dead() */
NB_API void nb_dyn_delete(void *map, const void *key)
{
	struct nb_elem *e = bpf_map_lookup_elem(map, key);
	__u64 expires;

	if (!e)
		return;
	expires = nb_expires(e);
	if ((!expires || expires > bpf_ktime_get_ns()) && nb_claim(e, expires, GOING))
		bpf_map_delete_elem(map, key);
}

static __attribute__((noinline)) long nb_dyn_collect_one(void *map, const void *key,
							 struct nb_elem *e, __u64 *now)
{
	const __u64 expires = nb_expires(e);

	if (expires > GOING && expires <= *now && nb_claim(e, expires, GOING))
		bpf_map_delete_elem(map, key);
	return 0;
}

/*
 * The kernel takes expired elements away every gc interval (nft_rhash_gc()); until then they count
 * as elements. Here the first packet that finds the set full does, as often as the kernel would.
 */
NB_INLINE bool nb_dyn_collect(void *map, struct nb_dyn_head *head, __u64 now, __u64 interval)
{
	const __u64 last = *(volatile __u64 *)&head->collected;

	if (!interval || now < last + interval ||
	    __sync_val_compare_and_swap(&head->collected, last, now) != last)
		return false;
	bpf_for_each_map_elem(map, nb_dyn_collect_one, &now, 0);
	return true;
}

/*
 * The element of @key, made of @init (@words of 8 bytes) when there is none. @timeout: ns from now
 * until it expires; @update: also when it is there, if it has a timeout. NULL: the set is full.
 */
NB_API void *nb_dyn_add(void *map, struct nb_dyn_head *head, const void *key, __u64 *init,
			__u64 words, __u64 timeout, __u64 update, __u64 interval)
{
	const __u64 now = bpf_ktime_get_ns();
	bool collected = false, created = false;
	struct nb_elem *e = NULL;

	init[0] = timeout ? now + timeout : 0;
	for (int i = 0; i < DYNSET_TRIES; i++) {
		__u64 expires;
		long err;

		e = bpf_map_lookup_elem(map, key);
		if (!e) {
			err = bpf_map_update_elem(map, key, init, BPF_NOEXIST);
			created = !err;
			if (!err || err == E_EXIST)
				continue;
			if (err != E_NOMEM_FULL || collected ||
			    !nb_dyn_collect(map, head, now, interval))
				return NULL;
			collected = true;
			continue;
		}
		expires = nb_expires(e);
		if (!expires || expires > now) {
			if (update && !created && *(volatile __u64 *)&e->timeout)
				nb_claim(e, expires, now + timeout);
			return e;
		}
		if (expires <= GOING || !nb_claim(e, expires, ANEW))
			continue;
		for (__u64 k = 1; k < words; k++)
			((volatile __u64 *)e)[k] = init[k];
		/* Not a plain store: nobody may see the time and not yet the words. */
		nb_claim(e, ANEW, init[0]);
		return e;
	}
	return e;
}

NB_API void nb_dyn_count(struct nb_pkt *p, __u64 *counter)
{
	__sync_fetch_and_add(&counter[0], 1);
	__sync_fetch_and_add(&counter[1], nb_len(p));
}
