#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# More sets in a hook than a program has maps (64): some share one, concatenations of ranges too. Looked
# up right, changed in place, kept over a reload; and maps of their own again when they are few.
. "$(dirname "$0")/lib.sh"

n=many-$$
netns $n
sets=150
ruleset() { # ruleset HOW-MANY: set I has 127.I.0.1 to 127.I.0.3; every third of intervals, each 7th large
	local i k more
	echo "flush ruleset"
	echo "table ip t {"
	for ((i = 1; i <= $1; i++)); do
		more=
		((i % 7)) || for ((k = 0; k < 300; k++)); do more+=", 10.$i.$((k >> 6)).$(((k & 63) << 2))"; done
		((i % 3)) && echo "set s$i { type ipv4_addr; elements = { 127.$i.0.1, 127.$i.0.2, 127.$i.0.3$more } }" ||
			echo "set s$i { type ipv4_addr; flags interval; elements = { 127.$i.0.1-127.$i.0.3$more } }"
	done
	for ((i = 201; i <= 206 && $1 > 100; i++)); do
		echo "set s$i { type ipv4_addr . ipv4_addr; flags interval;"
		echo "elements = { 127.$i.0.1-127.$i.0.3 . 127.0.0.0/8 } }"
	done
	echo "chain in { type filter hook input priority 0; policy accept;"
	for ((i = 1; i <= $1; i++)); do
		echo "ip daddr @s$i counter drop"
	done
	for ((i = 201; i <= 206 && $1 > 100; i++)); do
		echo "ip daddr . ip saddr @s$i counter drop"
	done
	echo "}"
	echo "}"
}
ruleset $sets >"$tmp/many.nft"
ruleset 20 >"$tmp/few.nft"
passes() { answers $n 127.0.0.1 "$1"; }
blocked() { silent $n 127.0.0.1 "$1"; }
generation() { nb $n status | sed -n 's/.*: generation \([0-9]*\) .*/\1/p'; }
agrees() {
	"$NFT_BPF" difftest -v --packets 2000 -f "$1" >"$tmp/out" 2>&1
	local e=$?
	cat "$tmp/out"
	[ $e = 0 ] && grep -q '^chains: 1, compiled: 1$' "$tmp/out"
}

ok "as the interpreter" agrees "$tmp/many.nft"
ok "loads" nb $n --require-bpf -f "$tmp/many.nft"
for i in 1 2 3 21 42 75 149 150 201 206; do
	ok "set $i: its first is in" blocked 127.$i.0.1
	ok "set $i: its last is in" blocked 127.$i.0.3
	ok "set $i: the next is not" passes 127.$i.0.4
done
g=$(generation)
for i in 1 3 21 42 75 149 150 201 206; do
	more=
	[ $i -le 200 ] || more=". 127.0.0.0/8"
	ok "set $i: add" nb $n add element ip t s$i "{ 127.$i.0.9 $more }"
	ok "set $i: in" blocked 127.$i.0.9
	ok "set $i: not the next" passes 127.$i.0.10
	ok "set $i: delete" nb $n delete element ip t s$i "{ 127.$i.0.9 $more }"
	ok "set $i: out" passes 127.$i.0.9
done
is "all in one generation" "$(generation)" "$g"
ok "another element" nb $n add element ip t s5 "{ 127.5.0.9 }"
ok "a rule more: all is made anew" nb $n add rule ip t in counter
ok "the element is still there" blocked 127.5.0.9
ok "and the others" blocked 127.149.0.2
ok "few of them" nb $n --require-bpf -f "$tmp/few.nft"
ok "in" blocked 127.20.0.3
ok "the others are gone" passes 127.21.0.3
g=$(generation)
ok "an element" nb $n add element ip t s20 "{ 127.20.0.9 }"
ok "is in" blocked 127.20.0.9
is "in place" "$(generation)" "$g"
ok "many again" nb $n --require-bpf -f "$tmp/many.nft"
ok "in again" blocked 127.21.0.3
ok "the element is gone" passes 127.20.0.9
plan
