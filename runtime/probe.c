/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What this kernel and this process can do.
 */
#include <errno.h>

#include <bpf/bpf.h>

#include "priv.h"

static int no(struct diags *ds, int err, const char *why)
{
	diag_add(ds, DIAG_ERROR, "no-bpf", NULL, "%s", why);
	return err;
}

int rt_probe(struct diags *ds)
{
	struct bpf_insn insns[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = NF_ACCEPT },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts,
		    .expected_attach_type = (enum bpf_attach_type)RT_ATTACH_NETFILTER);
	int fd;

	fd = bpf_prog_load((enum bpf_prog_type)RT_PROG_TYPE_NETFILTER, "nb_probe", "GPL", insns,
			   ARRAY_SIZE(insns), &opts);
	if (fd == -EPERM || fd == -EACCES)
		return no(ds, -EPERM, "loading BPF programs is not permitted (CAP_BPF and "
				      "CAP_NET_ADMIN are needed)");
	if (fd == -ENOSYS)
		return no(ds, fd, "this kernel has no bpf system call");
	if (fd < 0)
		return no(ds, fd, "this kernel has no BPF netfilter programs (Linux 6.4 with "
				  "CONFIG_NETFILTER_BPF_LINK has)");
	close(fd);
	if (access("/sys/kernel/btf/vmlinux", R_OK) < 0)
		return no(ds, -errno, "this kernel has no type information "
				      "(/sys/kernel/btf/vmlinux, CONFIG_DEBUG_INFO_BTF)");
	return 0;
}
