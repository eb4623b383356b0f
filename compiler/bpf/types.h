/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What <linux/types.h> would give all BPF code here, and bpf_helpers.h wants: it needs the target's
 * <asm/types.h>, which clang does not find for bpf.
 */
#ifndef NFT_BPF_COMPILER_BPF_TYPES_H
#define NFT_BPF_COMPILER_BPF_TYPES_H

typedef unsigned char __u8;
typedef signed char __s8;
typedef unsigned short __u16;
typedef short __s16;
typedef unsigned int __u32;
typedef int __s32;
typedef unsigned long long __u64;
typedef long long __s64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u64 __be64;
typedef __u16 __le16;
typedef __u32 __le32;
typedef __u64 __le64;
typedef __u16 __sum16;
typedef __u32 __wsum;

#endif
