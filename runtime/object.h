/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A compiled object in the kernel: programs verified, maps made, nothing pinned or attached.
 */
#ifndef NFT_BPF_RUNTIME_OBJECT_H
#define NFT_BPF_RUNTIME_OBJECT_H

#include "../compiler/emit/emit.h"
#include "../compiler/ir.h"

struct bpf_object;

/* Why the kernel refused a program. */
struct runtime;
struct object_refusal {
	const struct ir_prog *prog; /* NULL: it was not about one program */
	char why[512];		    /* the verifier's last words */
	uint8_t family;		    /* where, from line info; chain NULL: not known */
	char *table, *chain;
	uint32_t rule;
};
void object_refusal_fini(struct object_refusal *r);

/*
 * 0; -EACCES, -EINVAL… with @ret_refusal filled when a program was refused; any other failure as an
 * error in @ds.
 */
int object_load(struct runtime *rt, const struct ir *ir, const struct emitted *e, struct diags *ds,
		struct bpf_object **ret, struct object_refusal *ret_refusal);
void object_closep(struct bpf_object **obj);
int object_prog_fd(const struct bpf_object *obj, const struct ir_prog *p);
/* Of a program that was split: its parts by number, from 0 on; -ENOENT behind the last. */
int object_part_fd(const struct bpf_object *obj, const struct ir_prog *p, uint32_t number);

#endif
