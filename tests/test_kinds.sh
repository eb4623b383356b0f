#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Sets whose elements have very many different limits, or stand for very many limits and quotas. Up to 16
# kinds are code, more are rows of a table.
. "$(dirname "$0")/lib.sh"

n=kinds-$$
netns $n
cat >"$tmp/rules.py" <<'PY'
import sys
what, n, more = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
def address(i):
    return "127.%d.%d.%d" % (i >> 14 & 63, i >> 6 & 255, (i & 63) + 1)
def limit(i, of):
    over = "over " if i % 3 else ""
    if of == "packets":
        return f"limit rate {over}{i % 500 + 1}/day burst {i // 500 + 1} packets"
    return f"limit rate {over}{i + 1} bytes/hour burst {60 + i % 200} bytes"
print("flush ruleset\ntable ip t {")
rules = ["ip saddr @s counter drop", "ip daddr @b counter drop"]
if what == "elements": # of n kinds, the set's own one of them; what stands in front of each
    count = " ".join(more)
    for name, of in ("s", "packets"), ("b", "bytes"):
        print(f"set {name} {{ type ipv4_addr; size 131072; {count} {limit(n, of)}\nelements = {{")
        print(",\n".join(f"{address(i)} {count} {limit(i, of)}" for i in range(1, n)))
        print("}\n}")
elif what == "objects": # maps to n limits and n quotas
    rules = []
    for i in range(1, n + 1):
        print(f"limit l{i} {{ rate over {i}/day burst {i % 7 + 1} packets; }}")
        print(f"quota q{i} {{ over {500 + i} bytes; }}")
    for kind, field in ("limit", "saddr"), ("quota", "daddr"):
        elements = ",".join(f'{address(i)} : "{kind[0]}{i}"' for i in range(1, n + 1))
        rules.append(f"{kind} name ip {field} map {{ {elements} }} counter drop")
else: # one set, for pings
    print(f"set s {{ type ipv4_addr; size 131072; {limit(n, 'packets')}\nelements = {{")
    print(",\n".join(f"{address(i)} {limit(i, 'packets')}" for i in range(1, n)))
    print("}\n}")
    rules = ["ip daddr @s drop"]
print("chain in { type filter hook input priority 0; policy accept;", *rules, "}\n}", sep="\n")
PY
rules() { python3 "$tmp/rules.py" "$@" >"$tmp/rules.nft"; }
agrees() { # all of it compiled, no difference
	"$NFT_BPF" difftest -v --packets 1500 -f "$tmp/rules.nft" >"$tmp/out" 2>&1
	local e=$?
	cat "$tmp/out"
	[ $e = 0 ] && grep -q '^chains: 1, compiled: 1$' "$tmp/out"
}
for k in 16 17 256 257 5000; do
	rules elements $k
	ok "elements of $k kinds" agrees
done
rules elements 300 counter
ok "elements of 300 kinds that count" agrees
for k in 17 257 2000; do
	rules objects $k
	ok "maps to $k limits and quotas" agrees
done

# While it runs: an element of a kind that is there goes into the map, one of a new kind is compiled.
generation() { nb $n status | sed -n 's/.*: generation \([0-9]*\) .*/\1/p'; }
passes() { # passes ADDRESS: how many of three pings
	local i p=0
	for i in 1 2 3; do
		in_ns $n ping -c1 -W0.2 -q "$1" >/dev/null && p=$((p + 1))
	done
	echo $p
}
rules one 300
ok "loads" nb $n --require-bpf -f "$tmp/rules.nft"
g=$(generation)
is "over 5 a day with a burst of 1" "$(passes 127.0.0.5)" 1
is "over 201 a day with a burst of 1" "$(passes 127.0.3.9)" 1
is "within 4 a day with a burst of 1" "$(passes 127.0.0.4)" 2
ok "an element of a known kind" nb $n add element ip t s '{ 127.9.0.1 limit rate over 5/day burst 1 packets }'
is "… in place" "$(generation)" "$g"
is "… has its own" "$(passes 127.9.0.1)" 1
ok "an element of a new kind" nb $n add element ip t s '{ 127.9.0.2 limit rate over 7/day burst 2 packets }'
is "… has its own" "$(passes 127.9.0.2)" 2
is "the others have what they had" "$(passes 127.0.0.5)$(passes 127.0.3.9)$(passes 127.9.0.1)" 000
ok "reload" nb $n --require-bpf -f "$tmp/rules.nft"
is "as new" "$(passes 127.0.0.5)" 1
ok "give" nb $n give
plan
