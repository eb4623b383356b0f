/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Packets as comment lines of a ruleset file, so that one file is a whole reproducer:
 *
 *	# packet ip in eth0 out lo mark 1 ct new data 4500...
 */
#ifndef NFT_BPF_DIFFTEST_REPLAY_H
#define NFT_BPF_DIFFTEST_REPLAY_H

#include <stdio.h>

#include "lab.h"

void replay_print(const struct lab *lab, const struct packet *p, FILE *out);

/* Makes the devices that the packets of a file name. */
int replay_devices(struct lab *lab, const char *text, struct diags *ds);
/* Appends the packets of a file; -EINVAL with an error in @ds that names the line. */
int replay_packets(const struct lab *lab, const char *text, struct diags *ds,
		   struct list *packets);

#endif
