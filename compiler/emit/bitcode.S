/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The helpers of compiler/bpf as bitcode. LLVM wants a zero byte behind a buffer's end. */
	.section .rodata
	.balign 16
	.globl gen_bitcode
	.globl gen_bitcode_end
	.hidden gen_bitcode
	.hidden gen_bitcode_end
gen_bitcode:
	.incbin "compiler/bpf/nb.bc"
gen_bitcode_end:
	.byte 0
	.section .note.GNU-stack,"",%progbits
