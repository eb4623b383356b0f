/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The probe object, built from probe.bpf.c, inside the program. */
	.section .rodata
	.balign 8
	.globl difftest_probe_obj, difftest_probe_obj_end
difftest_probe_obj:
	.incbin "difftest/probe.bpf.o"
difftest_probe_obj_end:
	.section .note.GNU-stack,"",@progbits
