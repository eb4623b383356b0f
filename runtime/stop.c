/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Dying on purpose: tests stop a load, reload, take or give after each of its steps, as a crash or
 * the out-of-memory killer would, and look what packets meet then.
 */
#include <signal.h>

#include "priv.h"

void rt_stop_at(const char *step)
{
	const char *at = getenv("NFT_BPF_STOP_AT");

	if (at && strcmp(at, step) == 0)
		kill(getpid(), SIGKILL);
}
