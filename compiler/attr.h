/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading the attributes of an nf_tables expression.
 *
 * The model keeps an expression as the kernel and nft exchange it: a name and the bytes of
 * NFTA_EXPR_DATA (type-length-value, lengths and types in host order, values in network order).
 * So an attribute that is newer than our libraries is neither lost when a rule is sent back nor
 * hidden from lowering. This is all of it that the compiler needs; messages are libmnl's business.
 */
#ifndef NFT_BPF_COMPILER_ATTR_H
#define NFT_BPF_COMPILER_ATTR_H

#include "util.h"

/* Finds the first attribute of @type; false when there is none or @attrs is malformed before it. */
bool attr_find(struct blob attrs, uint16_t type, struct blob *ret_value);

/* Each attribute in turn: start with *pos = 0; false at the end. */
bool attr_next(struct blob attrs, uint32_t *pos, uint16_t *ret_type, struct blob *ret_value);

/*
 * A u8, be16, be32 or be64 attribute as a host integer, by its length; @dflt if absent or of any
 * other length.
 */
uint64_t attr_uint(struct blob attrs, uint16_t type, uint64_t dflt);

/* A string attribute; NULL if absent or without a terminating NUL. */
const char *attr_str(struct blob attrs, uint16_t type);

/* The bytes of a nested NFTA_DATA_VALUE, e.g. NFTA_CMP_DATA; false if absent. */
bool attr_data(struct blob attrs, uint16_t type, struct blob *ret_value);

#endif
