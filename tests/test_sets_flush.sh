#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# `flush set` while programs run, of every form of map: at once, in the same generation and map, and
# what is added afterwards holds. Flushed and filled in one file: what stays in is in all the time.
. "$(dirname "$0")/lib.sh"

n=flush-$$
netns $n
cat >"$tmp/sets.nft" <<'NFT'
flush ruleset
table inet t {
	set exact { type ipv4_addr; elements = { 10.0.0.1, 10.0.0.2 comment "two", 10.0.0.3 }; }
	set ivl { type ipv4_addr; flags interval; elements = { 10.1.0.0/16, 10.3.0.10-10.3.0.77 }; }
	set timed { type ipv4_addr; flags timeout; timeout 1h; elements = { 10.4.0.1, 10.4.0.2 }; }
	set box { type ipv4_addr . ipv4_addr; flags interval; elements = { 10.6.0.0/16 . 127.0.0.1-127.0.0.3 }; }
	map verdicts { type ipv4_addr : verdict; elements = { 10.8.0.1 : drop, 10.8.0.2 : jump c, 10.8.0.3 : accept }; }
	map more { type ipv4_addr : verdict; elements = { 10.9.0.1 : drop, 10.9.0.2 : accept, 10.9.0.3 : drop }; }
	map any { type ipv4_addr : verdict; elements = { 10.10.0.1 : accept, * : continue }; }
	chain c { drop; }
	chain in {
		type filter hook input priority 0; policy accept;
		ip saddr @exact drop
		ip saddr @ivl drop
		ip saddr @timed drop
		ip saddr . ip daddr @box drop
		ip saddr vmap @verdicts
		ip saddr vmap @more
		ip saddr vmap @any
	}
}
NFT
pins=${NFT_BPF_BPFFS:-/sys/fs/bpf}/nft-bpf/net-$(stat -L -c %i "/run/netns/$n")
map_ids() {
	for i in "$pins"/gen-*/set_[0-9]*; do bpftool map show pinned "$i" | sed 's/:.*//;q'; done | tr '\n' ' '
}
generation() { nb $n status | sed -n 's/.*: generation \([0-9]*\) .*/\1/p'; }
mine() { ip -n $n addr add "$1/32" dev lo 2>/dev/null; }
passes() { mine "$1"; answers $n "$1" "${2:-127.0.0.1}"; }
blocked() { mine "$1"; silent $n "$1" "${2:-127.0.0.1}"; }
load() { nb $n --require-bpf -f "$tmp/sets.nft"; }
kernels() { in_ns $n nft list "$1" inet t "$2" | grep -c elements; }

ok "load" load
g=$(generation)
was=$(map_ids)
while read -r kind set in again elem; do
	ok "$set: in" blocked $in
	ok "$set: flush" nb $n flush $kind inet t $set
	ok "$set: out" passes $in
	is "$set: the kernel's is empty" "$(kernels $kind $set)" 0
	ok "$set: add" nb $n add element inet t $set "{ $elem }"
	ok "$set: in" blocked $again
	ok "$set: the old one is not" passes $in
	ok "$set: flush once more" nb $n flush $kind inet t $set
	ok "$set: out once more" passes $again
	ok "$set: flush what is empty" nb $n flush $kind inet t $set
done <<'LIST'
set exact 10.0.0.1 10.20.0.1 10.20.0.1
set ivl 10.1.2.3 10.21.255.255 10.21.0.0/16
set timed 10.4.0.1 10.22.0.1 10.22.0.1 timeout 1h
set box 10.6.7.8 10.23.0.9 10.23.0.0/16 . 127.0.0.1
map verdicts 10.8.0.2 10.24.0.1 10.24.0.1 : jump c
map more 10.9.0.1 10.25.0.1 10.25.0.1 : drop
LIST
ok "a catch-all goes, too" nb $n flush map inet t any
is "the kernel's is empty" "$(kernels map any)" 0
is "in one generation" "$(generation)" "$g"
is "and the same maps" "$(map_ids)" "$was"

# Room is found again: more than the map holds, in turns.
for i in 1 2 3; do
	{
		echo "flush set inet t ivl"
		echo "flush set inet t exact"
	} >"$tmp/f.nft"
	ok "turn $i: flush two" nb $n -f "$tmp/f.nft"
	python3 - $i >"$tmp/e.nft" <<-'P'
		import sys
		i = int(sys.argv[1])
		print("add element inet t exact {", ", ".join(f"10.{60 + i}.{k >> 8}.{k & 255}" for k in range(900)), "}")
		print("add element inet t ivl {", ", ".join(f"11.{60 + i}.{k >> 8}.{k & 255}" for k in range(0, 1800, 2)), "}")
	P
	ok "turn $i: 900 elements each" nb $n -f "$tmp/e.nft"
	ok "turn $i: in" blocked 10.$((60 + i)).3.131
	ok "turn $i: in" blocked 11.$((60 + i)).7.6
	ok "turn $i: out" passes 10.$((59 + i)).3.131
	ok "turn $i: out" passes 11.$((59 + i)).7.6
done
is "all in the same maps" "$(map_ids)" "$was"

# Flushed and filled again in one batch.
ok "load" load
g=$(generation)
was=$(map_ids)
cat >"$tmp/f.nft" <<'NFT'
# a new list
add element inet t exact { 10.30.0.9 }
flush set inet t exact; add element inet t exact { 10.0.0.2, 10.30.0.1,
	10.30.0.2 }
flush map inet t more
add element inet t more { 10.9.0.1 : accept, 10.9.0.2 : drop, 10.30.0.3 : drop }
NFT
ok "a new list" nb $n -f "$tmp/f.nft"
for a in 10.0.0.2 10.30.0.1 10.30.0.2 10.9.0.2 10.30.0.3; do ok "$a is in" blocked $a; done
for a in 10.0.0.1 10.0.0.3 10.30.0.9 10.9.0.1 10.9.0.3; do ok "$a is out" passes $a; done
is "in one generation" "$(generation)" "$g"
is "and the same maps" "$(map_ids)" "$was"
for i in 1 2 3 4; do
	ok "element $i afterwards" nb $n add element inet t more "{ 10.31.0.$i : $([ $((i % 2)) = 0 ] && echo drop || echo accept) }"
done
for a in 10.31.0.2 10.31.0.4 10.30.0.3 10.9.0.2; do ok "$a is in" blocked $a; done
for a in 10.31.0.1 10.31.0.3; do ok "$a is out" passes $a; done
python3 - >"$tmp/big.nft" <<'P'
print("flush set inet t exact")
print("add element inet t exact {", ", ".join(f"10.70.{k >> 8}.{k & 255}" for k in range(3000)), "}")
P
ok "more than the map holds" nb $n -f "$tmp/big.nft"
ok "10.70.11.183 is in" blocked 10.70.11.183
ok "10.30.0.1 is out" passes 10.30.0.1
is "is another generation" "$([ "$(generation)" -gt "$g" ]; echo $?)" 0
cat >"$tmp/f.nft" <<'NFT'
flush set inet t ivl
add element inet t ivl { 10.1.0.0/24, 10.40.0.0/24 }
NFT
ok "intervals" nb $n -f "$tmp/f.nft"
for a in 10.1.0.7 10.40.0.1; do ok "$a is in" blocked $a; done
for a in 10.1.1.1 10.3.0.10; do ok "$a is out" passes $a; done

# Killed between the kernel's set and the map, or before that is noted.
for step in elements mapped; do
	ok "$step: load" load
	(NFT_BPF_STOP_AT=$step nb $n flush set inet t exact) >/dev/null 2>&1
	is "$step: the kernel's is empty" "$(kernels set exact)" 0
	like "$step: status tells" "$(nb $n status 2>&1)" "changed"
	ok "$step: sync" nb $n sync
	ok "$step: out" passes 10.0.0.1
	ok "$step: other sets are as before" blocked 10.1.2.3
	ok "$step: add" nb $n add element inet t exact '{ 10.50.0.1 }'
	ok "$step: in" blocked 10.50.0.1
done

out=$(nb $n flush set inet t none 2>&1)
like "nft's own error" "$out" "No such file or directory"
is "in nft's own words" "$out" "$(in_ns $n nft flush set inet t none 2>&1)"
plan
