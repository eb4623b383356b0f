/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Connections that exist before their packet comes.
 */
#ifndef NFT_BPF_DIFFTEST_CT_H
#define NFT_BPF_DIFFTEST_CT_H

#include "lab.h"

/* Makes conntrack of both namespaces know (or not know) the packet's connection, as p->ct says. */
void ct_prepare(struct lab *lab, const struct packet *p);
/* In the namespace the thread is in. */
int ct_open(struct lab_side *s);
/* Forgets every connection. */
void ct_flush(struct lab_side *s);
void ct_close(struct lab_side *s);

#endif
