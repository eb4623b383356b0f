/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The passes in their order.
 */
#include "opt.h"

void opt_run(struct ir *ir, const struct opt_options *opt)
{
	ir->seed = opt->seed;
	opt_dispatch(ir);
}
