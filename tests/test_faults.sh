#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# One call of a command fails, whichever (tests/fault.c, tests/faults.py): what is there then is as
# before or as behind it. FAULTS="--all" tries every call.
. "$(dirname "$0")/lib.sh"

export FAULT_SO=${FAULT_SO:-$(dirname "$NFT_BPF")/tests/fault.so} NFT_BPF
LD_PRELOAD=$FAULT_SO "$NFT_BPF" --version >/dev/null 2>&1 || skip_all "nothing can be preloaded"
ns=fault-$$
netns $ns
own_bpffs
in_ns $ns python3 "$top_srcdir/tests/faults.py" ${FAULTS:-}
