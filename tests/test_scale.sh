#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Sizes that no rule-by-rule compiler stands: thousands of services, chains, jumps, base chains. Each is
# compiled, and decides and counts as the interpreter does, or is left alone at once, with the reason.
. "$(dirname "$0")/lib.sh"

ruleset() { awk -v "what=$1" -v "n=$2" -f "$top_srcdir/tests/scale.awk" >"$tmp/$1-$2.nft"; }
# scales WHAT N PACKETS CHAINS: that many base chains are compiled; no difference.
scales() {
	ruleset "$1" "$2"
	ok "$2 $1: as the interpreter" "$NFT_BPF" difftest -f "$tmp/$1-$2.nft" --packets "$3"
	like "$2 $1: compiled" "$(cat "$tmp/ok.out")" "^chains: $4, compiled: $4\$"
}

scales services 5000 3000 1
scales alike 10000 1500 1
scales mixed 600 1500 1
scales tree 1000 1500 1
scales bases 64 600 64

n=scale-$$
netns $n
# size FILE: instructions of its program.
size() {
	nb $n --require-bpf -f "$tmp/$1.nft" >/dev/null 2>&1
	nb $n status | sed -n 's/.*v4_input_0: .* \([0-9]*\) instructions$/\1/p'
}
ruleset services 500
small=$(size services-500)
large=$(size services-5000)
ok "as many instructions for 5,000 services ($large) as for 500 ($small)" \
	test "${small:-0}" -gt 100 -a "${large:-9999}" -lt $((${small:-0} + 20))

ruleset rules 100000
ok "100,000 rules in a chain" nb $n --require-bpf -f "$tmp/rules-100000.nft"
ok "one of them drops" not in_ns $n ping -c1 -W0.3 -q -I 10.0.0.3 127.0.0.1
ruleset mixed 10000
ok "10,000 chains of all sorts" nb $n -f "$tmp/mixed-10000.nft"
like "too much, and it is said" "$(cat "$tmp/ok.out")" 'program v4_input_0: about [0-9]+ instructions \['
plan
