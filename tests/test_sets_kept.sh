#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Maps of named sets over reloads: those of sets that stay as they are stay, with what was changed in
# place; others are made anew. Refused loads, killed processes, elements' remaining time.
. "$(dirname "$0")/lib.sh"

n=kept-$$
netns $n
pins=${NFT_BPF_BPFFS:-/sys/fs/bpf}/nft-bpf/net-$(stat -L -c %i "/run/netns/$n")
# ID SET: of the map of the nth set (in order of rules).
map_id() { bpftool map show pinned "$(ls -d "$pins"/gen-*/set_"$1" | tail -1)" | sed 's/:.*//;q'; }
map_ids() { for i in 0 1 2 3 4 5; do map_id $i; done | tr '\n' ' '; }
generation() { nb $n status | sed -n 's/.*: generation \([0-9]*\) .*/\1/p'; }
mine() { ip -n $n addr add "$1/32" dev lo 2>/dev/null; }
passes() { mine "$1"; answers $n "$1" "${2:-127.0.0.1}"; }
blocked() { mine "$1"; silent $n "$1" "${2:-127.0.0.1}"; }
# ruleset EXACT: with these elements in the first set.
ruleset() {
	cat <<NFT
flush ruleset
table ip t {
	set exact { type ipv4_addr; elements = { $1 }; }
	set ivl { type ipv4_addr; flags interval; elements = { 10.1.0.0/16, 10.3.0.10-10.3.0.77 }; }
	set box { type ipv4_addr . ipv4_addr; flags interval; elements = { 10.6.0.0/16 . 127.0.0.1-127.0.0.3 }; }
	map verdicts { type ipv4_addr : verdict; elements = { 10.8.0.1 : drop, 10.8.0.2 : ${2:-jump c} }; }
	map more { type ipv4_addr : verdict; elements = { 10.9.0.1 : ${3:-drop}, 10.9.0.2 : accept${4:-} }; }
	set timed { type ipv4_addr; flags timeout; elements = { 10.4.0.1 timeout 1h expires 10m }; }
	chain c { drop; }
	chain in {
		type filter hook input priority 0; policy accept;
		ip saddr @exact drop
		ip saddr @ivl drop
		ip saddr . ip daddr @box drop
		ip saddr vmap @verdicts
		ip saddr vmap @more
		ip saddr @timed drop
	}
}
NFT
}
load() { ruleset "$@" >"$tmp/r.nft" && nb $n --require-bpf -f "$tmp/r.nft"; }
# same WHAT FROM: which of the six maps are those of before, as 1 and 0.
same() {
	local now=() was=() out= i
	read -ra was <<<"$2"
	read -ra now <<<"$(map_ids)"
	for i in "${!was[@]}"; do
		[ "${was[i]}" = "${now[i]}" ] && out+=1 || out+=0
	done
	is "$1" "$out" "$3"
}

ok "load" load "10.0.0.1, 10.0.0.2"
was=$(map_ids)
g=$(generation)
ok "load the same" load "10.0.0.1, 10.0.0.2"
is "it is the next generation" "$(generation)" $((g + 1))
same "all maps stay but that of elements with timeouts" "$was" 111110
for a in 10.0.0.1 10.0.0.2 10.1.0.0 10.1.255.255 10.3.0.10 10.3.0.77 10.6.0.1 10.8.0.1 10.8.0.2 10.9.0.1 \
	10.4.0.1; do
	ok "$a is in" blocked $a
done
for a in 10.0.0.3 10.0.255.255 10.2.0.0 10.3.0.9 10.3.0.78 10.5.0.1 10.8.0.3 10.9.0.2 10.4.0.2; do
	ok "$a is out" passes $a
done

was=$(map_ids)
ok "add in place" nb $n add element ip t exact '{ 10.20.0.1, 10.20.0.2 }'
ok "delete in place" nb $n delete element ip t exact '{ 10.0.0.2 }'
ok "an interval in place" nb $n add element ip t ivl '{ 10.21.0.0/24 }'
ok "and away again" nb $n delete element ip t ivl '{ 10.21.0.0/24 }'
ok "a value" nb $n add element ip t more '{ 10.22.0.1 : drop }'
ok "and away again" nb $n delete element ip t more '{ 10.22.0.1 }'
same "maps are those of before" "$was" 111111
ok "load what it is now" load "10.0.0.1, 10.20.0.1, 10.20.0.2"
same "all stay" "$was" 111110

# Free places are known to the new generation: none is given to two elements.
ok "three in place" nb $n add element ip t more '{ 10.22.0.1 : drop, 10.22.0.2 : accept, 10.22.0.3 : drop }'
ok "two away again" nb $n delete element ip t more '{ 10.22.0.1, 10.22.0.2 }'
was=$(map_ids)
ok "load what it is now" load "10.0.0.1, 10.20.0.1, 10.20.0.2" "" "" ", 10.22.0.3 : drop"
same "all stay" "$was" 111110
ok "two other ones" nb $n add element ip t more '{ 10.22.0.4 : accept, 10.22.0.5 : accept }'
ok "10.22.0.3 is in" blocked 10.22.0.3
for i in 1 2 3 4 5; do
	ok "value $i" nb $n add element ip t more "{ 10.23.0.$i : $([ $((i & 1)) = 1 ] && echo drop || echo accept) }"
done
for i in 1 3 5; do ok "verdict of 10.23.0.$i" blocked 10.23.0.$i; done
for i in 2 4; do ok "verdict of 10.23.0.$i" passes 10.23.0.$i; done
ok "10.9.0.1 still" blocked 10.9.0.1
ok "10.9.0.2 still" passes 10.9.0.2
ok "10.20.0.2 is in" blocked 10.20.0.2
ok "10.0.0.2 is out" passes 10.0.0.2

was=$(map_ids)
ok "load without what was added" load "10.0.0.1, 10.20.0.1"
same "two are made anew" "$was" 011100
ok "10.20.0.2 is out" passes 10.20.0.2
ok "10.23.0.1 is out" passes 10.23.0.1
was=$(map_ids)
ok "another element, as many as before" load "10.0.0.1, 10.20.0.3"
same "is another map" "$was" 011110
ok "10.20.0.1 is out" passes 10.20.0.1
ok "10.20.0.3 is in" blocked 10.20.0.3
was=$(map_ids)
ok "another verdict" load "10.0.0.1, 10.20.0.3" accept
# Maps have numbers of verdicts, and which verdict that is, programs say.
same "needs no other map" "$was" 111110
ok "10.8.0.2 is out" passes 10.8.0.2
was=$(map_ids)
ok "another value" load "10.0.0.1, 10.20.0.3" accept accept
same "is another map" "$was" 111100
ok "10.9.0.1 is out" passes 10.9.0.1

was=$(map_ids)
in_ns $n nft add element ip t exact '{ 10.30.0.1 }'
in_ns $n nft delete element ip t exact '{ 10.30.0.1 }'
ok "plain nft was here" load "10.0.0.1, 10.20.0.3" accept accept
same "none is kept" "$was" 000000

# A refused load leaves maps alone, and a killed one, too.
ok "load" load "10.0.0.1, 10.20.0.3"
was=$(map_ids)
{ ruleset "10.0.0.1, 10.20.0.3"; echo 'delete rule ip t in handle 4711'; } >"$tmp/bad.nft"
ok "a load that the kernel refuses" not nb $n -f "$tmp/bad.nft"
same "maps are those of before" "$was" 111111
ok "10.20.0.3 is in" blocked 10.20.0.3
ruleset "10.0.0.1, 10.20.0.3" >"$tmp/r.nft"
for step in filled pinned committed flipped parked; do
	(NFT_BPF_STOP_AT=$step nb $n -f "$tmp/r.nft") >/dev/null 2>&1
	ok "killed at $step: 10.20.0.3 is in" blocked 10.20.0.3
	ok "killed at $step: 10.20.0.1 is out" passes 10.20.0.1
	ok "$step: load" nb $n --require-bpf -f "$tmp/r.nft"
	ok "$step: add" nb $n add element ip t exact '{ 10.31.0.1 }'
	ok "$step: 10.31.0.1 is in" blocked 10.31.0.1
	ok "$step: load once more" nb $n --require-bpf -f "$tmp/r.nft"
	ok "$step: 10.31.0.1 is out" passes 10.31.0.1
	ok "$step: 10.20.0.3 is in" blocked 10.20.0.3
done

# Killed between the kernel's set and the map, or before that is noted.
for step in elements mapped; do
	(NFT_BPF_STOP_AT=$step nb $n add element ip t exact '{ 10.32.0.1 }') >/dev/null 2>&1
	ok "$step: the kernel has it" in_ns $n nft get element ip t exact '{ 10.32.0.1 }'
	like "$step: status tells" "$(nb $n status 2>&1)" "changed"
	was=$(map_id 0)
	ok "$step: sync" nb $n sync
	ok "$step: 10.32.0.1 is in" blocked 10.32.0.1
	is "$step: in another map" "$([ "$was" = "$(map_id 0)" ]; echo $?)" 1
	ok "$step: delete" nb $n delete element ip t exact '{ 10.32.0.1 }'
	ok "$step: 10.32.0.1 is out" passes 10.32.0.1
done

# What is left of an element's time, over a take and over a reload that leaves the set alone.
left() { # in seconds
	in_ns $n nft -j list set ip t timed | python3 -c "
import json, sys
print(*(e['elem'].get('expires', 0) for o in json.load(sys.stdin)['nftables'] if 'set' in o for e in o['set']['elem']))"
}
echo 'add table ip other; add chain ip other c { type filter hook output priority 9; }' >"$tmp/other.nft"
ok "time: load beside it" nb $n --require-bpf -f "$tmp/other.nft"
t=$(left)
like "time: at most ten minutes ($t s)" "$([ "$t" -gt 500 ] && [ "$t" -le 600 ] && echo yes)" yes
short() { # until a load and a look have fitted into its time
	nb $n delete element ip t timed '{ 10.33.0.1 }' 2>/dev/null
	clock
	nb $n add element ip t timed '{ 10.33.0.1 timeout 1h expires '$((6 * slow))'s }'
	added=$(elapsed)
	nb $n --require-bpf -f "$tmp/other.nft"
	blocked 10.33.0.1
	is_in=$?
	by 5900
}
in_time short
is "time: a short one is in, after a load beside it" "$is_in" 0
at $((added + 6001))
ok "time: it is over" passes 10.33.0.1
ok "time: 10.4.0.1 is not" blocked 10.4.0.1

# Chains of a verdict map that share code, and one that no longer does: the map's numbers mean other
# chains then, although what it says is the same.
{
	echo 'flush ruleset'
	echo 'table ip t {'
	for i in {0..19}; do
		echo "chain c$i { ip saddr 127.0.0.$((100 + i)) counter accept; udp dport $i counter drop; }"
	done
	echo 'map m { type inet_service : verdict; elements = {'
	for i in {0..19}; do
		echo "$((1000 + i)) : jump c$i,"
	done
	printf '%s\n' '} }' 'chain in {' 'type filter hook input priority 0; policy accept;' \
		'udp dport vmap @m' '}' '}'
} >"$tmp/shared.nft"
hit_each() {
	in_ns $n python3 -c "
import socket
for i in range(20):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(('127.0.0.%d' % (100 + i), 0))
    s.sendto(b'x', ('127.0.0.1', 1000 + i))"
	settled
}
counted() { nb $n list table ip t | grep -c "saddr.* counter packets $1 "; }
ok "chains that share code" nb $n --require-bpf -f "$tmp/shared.nft"
hit_each
is "each is hit" "$(counted 1)" 20
ok "a rule in one of them" nb $n insert rule ip t c5 meta mark 7 drop
hit_each
is "each is hit again, and no other one" "$(counted 2)" 20
plan
