/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The root: the one program that is attached at a hook and priority, for good.
 *
 * A netfilter link cannot be updated, so what changes is behind it: the namespace's generation
 * word chooses one of two slots. The slots' keys are constants, which lets the JIT patch direct
 * jumps; bpf_tail_call_static() is inline assembly, so LLVM cannot merge the two calls.
 *
 * A tail call into an empty slot falls through: then the verdict of that parity decides, which is
 * accept where the generation has no program here, and else the policy of the chains, should
 * somebody take the slots away.
 */
typedef unsigned char __u8;
typedef unsigned short __u16;
typedef unsigned int __u32;
typedef unsigned long long __u64;
typedef int __s32;
typedef long long __s64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u32 __wsum;

#include <bpf/bpf_helpers.h>

#include "root.h"

/* linux/bpf.h needs the target's asm/types.h, which clang does not find for bpf. */
enum { MAP_TYPE_ARRAY = 2, MAP_TYPE_PROG_ARRAY = 3, MAP_MMAPABLE = 1 << 10 };

struct {
	__uint(type, MAP_TYPE_ARRAY);
	__uint(map_flags, MAP_MMAPABLE);
	__uint(max_entries, RT_WORDS);
	__type(key, __u32);
	__type(value, __u32);
} generation SEC(".maps");

struct {
	__uint(type, MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u32);
} slots SEC(".maps");

struct {
	__uint(type, MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u32);
} verdicts SEC(".maps");

static __always_inline int verdict(__u32 parity)
{
	const __u32 *v = bpf_map_lookup_elem(&verdicts, &parity);

	return v && !*v ? 0 /* NF_DROP */ : 1 /* NF_ACCEPT */;
}

SEC("netfilter")
int root(void *ctx)
{
	__u32 key = RT_WORD_GENERATION;
	const __u32 *gen = bpf_map_lookup_elem(&generation, &key);

	if (gen && (*gen & 1)) {
		bpf_tail_call_static(ctx, &slots, 1);
		return verdict(1);
	}
	bpf_tail_call_static(ctx, &slots, 0);
	return verdict(0);
}

char _license[] SEC("license") = "GPL";
