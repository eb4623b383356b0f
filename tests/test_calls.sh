#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Look-ups that the verifier goes through once, however many rules make them: one set of ranges over two
# fields in many rules, many chains with a look-up over several fields each, large and small in turns.
. "$(dirname "$0")/lib.sh"

box_set() { # 100 elements
	local i
	echo "set s { type ipv4_addr . inet_service; flags interval; elements = {"
	for ((i = 1; i <= 100; i++)); do
		echo "$i.0.0.0/8 . $((100 * i))-$((100 * i + 50)),"
	done
	echo "}"
	echo "}"
}
in_rules() { # in_rules N: the set, in N rules that a look-up of their own each begins
	local i
	echo "flush ruleset"
	echo "table ip t {"
	box_set
	echo "chain in { type filter hook input priority 0; policy accept;"
	for ((i = 1; i <= $1; i++)); do
		echo "ip saddr . udp dport @s udp length $((i + 7)) counter drop"
	done
	echo "}"
	echo "}"
}
in_chains() { # in_chains N: chains of 64 or, every third, 300 rules over five fields
	local c i n
	echo "flush ruleset"
	echo "table ip t {"
	for ((c = 1; c <= $1; c++)); do
		echo "chain c$c {"
		n=$((c % 3 ? 64 : 300))
		for ((i = 1; i <= n; i++)); do
			echo -n "ip protocol $((i % 2 ? 6 : 17)) ip saddr $((i % 50 + 1)).$((c * i % 256)).0.0/16 "
			echo "ip daddr $((i % 7 + c)).0.0.0/8 th dport $((i * 31))-$((i * 31 + 500 * c)) counter $([ $((i % 5)) = 0 ] && echo accept || echo drop)"
		done
		echo "}"
	done
	echo "chain in { type filter hook input priority 0; policy accept;"
	for ((c = 1; c <= $1; c++)); do
		echo "ip ttl $c jump c$c"
	done
	echo "}"
	echo "}"
}
agrees() { # agrees FILE: all of it compiled, no difference
	"$NFT_BPF" difftest -v --packets 500 -f "$1" >"$tmp/out" 2>&1
	local e=$?
	cat "$tmp/out"
	[ $e = 0 ] && grep -q '^chains: 1, compiled: 1$' "$tmp/out"
}

for n in 4 5 23 300; do
	in_rules $n >"$tmp/rules.nft"
	ok "a set of ranges over two fields in $n rules" agrees "$tmp/rules.nft"
done
for n in 4 30; do
	in_chains $n >"$tmp/chains.nft"
	ok "look-ups over several fields in $n chains" agrees "$tmp/chains.nft"
done

# In an object of its own, too.
in_rules 40 >"$tmp/rules.nft"
ok "compiled to an object" "$NFT_BPF" compile -f "$tmp/rules.nft" -o "$tmp/o.o"
ok "… with the function" grep -q nb_shared_set_ "$tmp/o.o"
plan
