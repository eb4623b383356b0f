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
ip -n $n addr add 10.0.0.3/32 dev lo
ok "one of them drops" silent $n 10.0.0.3 127.0.0.1

# Programs in parts: split small, so that all ways from part to part are gone.
parts=$top_srcdir/testdata/difftest/parts.nft
for size in 200 400 1000; do
	export NFT_BPF_SPLIT=$size
	ok "parts of $size: as the interpreter" "$NFT_BPF" difftest -f "$parts"
	{ echo "flush ruleset"; cat "$parts"; } >"$tmp/whole.nft"
	ok "parts of $size: loaded" nb $n --require-bpf -f "$tmp/whole.nft"
	like "parts of $size: several" "$(nb $n status)" 'v4_input_0: .* in [0-9]+ parts$'
done
NFT_BPF_SPLIT=20000 scales mixed 600 600 1
blocked() { silent $n 127.0.0.1 127.0.0.1; }
cat >"$tmp/parts.nft" <<-EOF
	flush ruleset
	table ip t {
		chain end {
			ip saddr 127.0.0.3 counter drop
		}
		chain input { type filter hook input priority 0; policy accept;
			$(for i in {1..60}; do echo "limit rate 10/second meta mark $i jump end"; done)
			jump end
			counter accept
		}
	}
EOF
state=/sys/fs/bpf/nft-bpf/net-$(stat -Lc %i /run/netns/$n)
export NFT_BPF_SPLIT=400
ok "parts, one after the other" nb $n --require-bpf -f "$tmp/parts.nft"
like "of their number" "$(nb $n status)" ' in ([4-9]|[12][0-9]) parts$'
passes() { answers $n 127.0.0.1 127.0.0.1 && silent $n 127.0.0.3 127.0.0.1; }
ok "the last one decides" passes
like "and counts" "$(nb $n list chain ip t input)" 'counter packets [1-9]'
for step in filled pinned committed flipped parked; do
	NFT_BPF_STOP_AT=$step nb $n -f "$tmp/parts.nft" >/dev/null 2>&1
	ok "killed at $step" passes
	ok "and loaded again" nb $n --require-bpf -f "$tmp/parts.nft"
done
ok "as before" passes
is "nothing else is left" "$(find "$state" -name nb_parts | wc -l)" 1
bpftool map delete pinned "$(find "$state" -name nb_parts)" key 1 0 0 0
ok "a part that was taken away drops" blocked
ok "a load puts it back" nb $n --require-bpf -f "$tmp/parts.nft"
ok "then it decides again" passes
ok "give" nb $n give
ok "and the interpreter does" passes
unset NFT_BPF_SPLIT

# Larger than a program may be.
ruleset mixed 3500
ok "3,500 chains of all sorts" nb $n --require-bpf -f "$tmp/mixed-3500.nft"
like "are parts" "$(nb $n status)" 'v4_input_0: .* in [0-9]+ parts$'
ruleset mixed 20000
ok "20,000 of them" nb $n -f "$tmp/mixed-20000.nft"
like "too much, and it is said" "$(cat "$tmp/ok.out")" 'program v4_input_0: about [0-9]+ instructions'
plan
