/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The root program's object, carried along. */
	.section .rodata
	.balign 8
	.globl rt_root_object
	.globl rt_root_object_end
rt_root_object:
	.incbin "runtime/root.bpf.o"
rt_root_object_end:
	.byte 0
	.section .note.GNU-stack,"",%progbits
