/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nft-bpf difftest: its options are its own (difftest/main.c).
 */
#include "../difftest/difftest.h"
#include "cli.h"

int cmd_difftest(struct cli *cli, int argc, char **argv)
{
	(void)cli;
	return difftest_main(argc, argv);
}
