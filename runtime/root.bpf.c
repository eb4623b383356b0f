/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The root: the one program that is attached at a hook and priority, for good.
 *
 * A netfilter link cannot be updated, so what changes is behind it: the namespace's generation
 * word chooses one of two slots. Every packet comes through here, so there is nothing else on its
 * way: the word is read where it lies in memory, the slots' keys are constants, which lets the JIT
 * patch direct jumps, and no register is used that would have to be saved.
 *
 * A tail call into an empty slot falls through: then the verdict of that parity decides, which is
 * accept where the generation has no program here, and else the policy of the chains, should
 * somebody take the slots away.
 */
#include "compiler/bpf/types.h"
#include <bpf/bpf_helpers.h>

#include "root.h"

/* Of linux/bpf.h, for which types.h is not enough. */
enum { MAP_TYPE_ARRAY = 2, MAP_TYPE_PROG_ARRAY = 3, FUNC_TAIL_CALL = 12 };

/* The namespace's map takes its place (load_root()). */
volatile struct word words[RT_WORDS] SEC(RT_WORDS_SECTION);

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

	int said;

	/* Out of LLVM's sight, or it would keep the constant in a saved register from before. */
	asm volatile("%[said] = 1" : [said] "=r"(said));
	return v ? *v & 1 : said; /* NF_DROP is 0, NF_ACCEPT 1 */
}

/* The helper's arguments in their registers; assembly, so that LLVM cannot merge two calls. */
static __always_inline void enter(void *ctx, const int slot)
{
	register void *r1 asm("r1") = ctx;

	asm volatile("r2 = %[slots] ll\n\t"
		     "r3 = %[slot]\n\t"
		     "call %[tail_call]"
		     : "+r"(r1)
		     : [slots] "i"(&slots), [slot] "i"(slot), [tail_call] "i"(FUNC_TAIL_CALL)
		     : "r0", "r2", "r3", "r4", "r5", "memory");
}

SEC("netfilter")
int root(void *ctx)
{
	if (words[RT_WORD_GENERATION].value & 1) {
		enter(ctx, 1);
		return verdict(1);
	}
	enter(ctx, 0);
	return verdict(0);
}

char _license[] SEC("license") = "GPL";
