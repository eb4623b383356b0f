/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Runs the data path's lookups over an array of keys, one key per run, for tests/test_classify.c
 * and bench/classify.c. The place of the next key depends on the result, so that runs cannot
 * overlap in the CPU: what is timed is latency, as for a packet whose verdict depends on it.
 */
#include "../compiler/bpf/classify.bpf.c"

enum { BPF_MAP_TYPE_ARRAY = 2 }; /* of linux/bpf.h */

char LICENSE[] SEC("license") = "GPL";

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, 1024 /* BPF_F_MMAPABLE */);
	__uint(max_entries, 1);
	__uint(key_size, 4);
	__uint(value_size, 4096); /* set before loading */
} blob SEC(".maps");

#define MAX_KEYS 65536

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, 1024);
	__uint(max_entries, 1);
	__uint(key_size, 4);
	__uint(value_size, MAX_KEYS * 64);
} keys SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, 1024);
	__uint(max_entries, 1);
	__uint(key_size, 4);
	__uint(value_size, MAX_KEYS * 4);
} results SEC(".maps");

const volatile __u64 limit = 0;
const volatile __u32 n_keys_mask = MAX_KEYS - 1;
const volatile __u8 widths[8] = {};
__u64 now;
__u32 pos;

struct run {
	const void *blob;
	const __u64 *key; /* 8 chunks */
	__u32 *result;
};

NB_INLINE bool start(struct run *r)
{
	__u32 zero = 0, at = *(volatile __u32 *)&pos & n_keys_mask;
	char *k, *o;

	r->blob = bpf_map_lookup_elem(&blob, &zero);
	k = bpf_map_lookup_elem(&keys, &zero);
	o = bpf_map_lookup_elem(&results, &zero);
	if (!r->blob || !k || !o || at >= MAX_KEYS)
		return false;
	r->key = (const __u64 *)(k + at * 64);
	r->result = (__u32 *)(o + at * 4);
	return true;
}

NB_INLINE int end(struct run *r, __u32 result)
{
	*r->result = result;
	pos += 1 + (result == 0xfffffffe);
	return 2;
}

SEC("xdp")
int empty(void *ctx)
{
	struct run r;

	if (!start(&r))
		return 0;
	return end(&r, r.key[0]);
}

#define RUN(name)                                                                                  \
	SEC("xdp") int run_##name(void *ctx)                                                       \
	{                                                                                          \
		struct run r;                                                                      \
                                                                                                   \
		if (!start(&r))                                                                    \
			return 0;                                                                  \
		return end(&r, nb_classify_##name(r.blob, limit, r.key));                          \
	}
RUN(hash4)
RUN(hash8)
RUN(hash16)
RUN(hash24)
RUN(hash32)
RUN(hash40)
RUN(hash48)
RUN(hash56)
RUN(hash64)
RUN(tree4)
RUN(tree7)
RUN(tree8)
RUN(tree16)
RUN(tree24)
RUN(tree32)
RUN(tree40)
RUN(tree48)
RUN(tree56)
RUN(tree64)

/* Fields of up to 4, 8 or 16 bytes. */
NB_INLINE void fields(const struct run *r, __u32 n, __u32 *key)
{
	const __u64 *k = r->key;

#pragma unroll
	for (__u32 i = 0; i < n; i++) {
		if (widths[i] <= 4)
			key[i] = nb_classify_field4(r->blob, limit, i, k++);
		else if (widths[i] <= 7)
			key[i] = nb_classify_field7(r->blob, limit, i, k++);
		else if (widths[i] == 8)
			key[i] = nb_classify_field8(r->blob, limit, i, k++);
		else
			key[i] = nb_classify_field16(r->blob, limit, i, k), k += 2;
	}
}

#define RUN_BOXES(n)                                                                               \
	SEC("xdp") int run_boxes##n(void *ctx)                                                     \
	{                                                                                          \
		__u32 key[8] = {};                                                                    \
		struct run r;                                                                      \
                                                                                                   \
		if (!start(&r))                                                                    \
			return 0;                                                                  \
		fields(&r, n, key);                                                                \
		return end(&r, nb_classify_boxes##n(r.blob, limit, key));                          \
	}
RUN_BOXES(1)
RUN_BOXES(2)
RUN_BOXES(3)
RUN_BOXES(4)
RUN_BOXES(5)
RUN_BOXES(6)
RUN_BOXES(7)
RUN_BOXES(8)

SEC("xdp") int run_live(void *ctx)
{
	struct run r;

	if (!start(&r))
		return 0;
	return end(&r, nb_classify_live(r.blob, limit, nb_classify_hash4(r.blob, limit, r.key), now));
}
