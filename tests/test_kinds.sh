#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Sets whose elements have very many different limits, or stand for very many limits and quotas. Up to 16
# kinds are code, more are rows of a table.
. "$(dirname "$0")/lib.sh"

n=kinds-$$
netns $n
address() { echo "127.$(($1 >> 14 & 63)).$(($1 >> 6 & 255)).$((($1 & 63) + 1))"; }
# kept N [STATEMENT]: elements with limits of N kinds, one of them the set's own, of packets in a set and
# of bytes in another; in front of each STATEMENT
kept() {
	local i set
	echo "flush ruleset"
	echo "table ip t {"
	for set in s b; do
		echo "set $set { type ipv4_addr; size 131072; $2 limit rate 1/day burst 2 packets" |
			{ [ $set = s ] && cat || sed 's/limit.*/limit rate 70 bytes\/hour burst 300 bytes/'; }
		echo "elements = { $(address 0),"
		for ((i = 1; i < $1; i++)); do
			[ $set = s ] &&
				echo "$(address $i) $2 limit rate $([ $((i % 3)) = 0 ] || echo over) $((i % 500 + 1))/day burst $((i / 500 + 1)) packets," ||
				echo "$(address $i) $2 limit rate $([ $((i % 3)) = 0 ] || echo over) $((i + 1)) bytes/hour burst $((60 + i % 200)) bytes,"
		done
		echo "}"
		echo "}"
	done
	echo "chain in { type filter hook input priority 0; policy accept;"
	echo "ip saddr @s counter drop"
	echo "ip daddr @b counter drop"
	echo "}"
	echo "}"
}
# objects N: a map to N limits, and one to as many quotas
objects() {
	local i
	echo "flush ruleset"
	echo "table ip t {"
	for ((i = 1; i <= $1; i++)); do
		echo "limit l$i { rate over $i/day burst $((i % 7 + 1)) packets; }"
		echo "quota q$i { over $((500 + i)) bytes; }"
	done
	echo "chain in { type filter hook input priority 0; policy accept;"
	echo "limit name ip saddr map {"
	for ((i = 1; i <= $1; i++)); do
		echo "$(address $i) : \"l$i\","
	done
	echo "} counter drop"
	echo "quota name ip daddr map {"
	for ((i = 1; i <= $1; i++)); do
		echo "$(address $i) : \"q$i\","
	done
	echo "} counter drop"
	echo "}"
	echo "}"
}
agrees() { # agrees FILE: all of it compiled, no difference
	"$NFT_BPF" difftest -v --packets "${2:-2000}" -f "$1" >"$tmp/out" 2>&1
	local e=$?
	cat "$tmp/out"
	[ $e = 0 ] && grep -q '^chains: 1, compiled: 1$' "$tmp/out"
}
for k in 16 17 256 257 5000; do
	kept $k >"$tmp/$k.nft"
	ok "elements of $k kinds" agrees "$tmp/$k.nft"
	kept $k counter >"$tmp/$k.nft"
	ok "elements of $k kinds that count" agrees "$tmp/$k.nft"
done
for k in 17 257 2000; do
	objects $k >"$tmp/objects.nft"
	ok "a map to $k limits" agrees "$tmp/objects.nft"
done

# While it runs: an element of a kind that is there goes into the map, one of a new kind is compiled.
generation() { nb $n status | sed -n 's/.*: generation \([0-9]*\) .*/\1/p'; }
passes() { # passes I: how many of three pings to element I's address
	local i p=0
	for i in 1 2 3; do
		in_ns $n ping -c1 -W0.2 -q "$(address "$1")" >/dev/null && p=$((p + 1))
	done
	echo $p
}
{ kept 300 | grep -v 'daddr @b\|saddr' | sed '/^chain in/aip daddr @s drop'; } >"$tmp/run.nft"
ok "loads" nb $n --require-bpf -f "$tmp/run.nft"
g=$(generation)
is "a limit over 5 a day with a burst of 1" "$(passes 4)" 1
is "a limit over 201 a day with a burst of 1" "$(passes 200)" 1
ok "an element of a known kind" nb $n add element ip t s "{ $(address 1000) limit rate over 5/day burst 1 packets }"
is "… in place" "$(generation)" "$g"
is "… has its own" "$(passes 1000)" 1
ok "an element of a new kind" nb $n add element ip t s "{ $(address 1001) limit rate over 7/day burst 2 packets }"
is "… has its own" "$(passes 1001)" 2
is "the others have what they had" "$(passes 4)$(passes 200)$(passes 1000)" 000
ok "reload" nb $n --require-bpf -f "$tmp/run.nft"
is "as new" "$(passes 4)" 1
ok "give" nb $n give
is "given back" "$(passes 4)" 0
plan
