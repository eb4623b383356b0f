#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Named sets while programs run: elements added, deleted and timed out take effect at once and without
# a new generation where the map has a place for them; plain nft's changes with sync; borders of every
# shape; nft's own errors.
. "$(dirname "$0")/lib.sh"

n=sets-$$
netns $n
cat >"$tmp/sets.nft" <<'NFT'
flush ruleset
table inet t {
	set exact { type ipv4_addr; elements = { 10.0.0.1, 10.0.0.2 comment "two" }; }
	set ivl { type ipv4_addr; flags interval; elements = { 10.1.0.0/16, 10.3.0.10-10.3.0.77 }; }
	set timed { type ipv4_addr; flags timeout; timeout 1h; elements = { 10.4.0.1 timeout 6s, 10.4.0.2 }; }
	set box { type ipv4_addr . ipv4_addr; flags interval; elements = { 10.6.0.0/16 . 127.0.0.1-127.0.0.3 }; }
	set name { type ifname; flags interval; elements = { "eth*" }; }
	map verdicts { type ipv4_addr : verdict; elements = { 10.8.0.1 : drop, 10.8.0.2 : jump c, 10.8.0.3 : accept, 10.8.0.4 : continue }; }
	set merged { type ipv4_addr; flags interval; auto-merge; elements = { 10.40.0.0/24 }; }
	set zero { type ipv4_addr; flags interval; elements = { 0.0.0.0/8 }; }
	chain c {
		drop
	}
	chain in {
		type filter hook input priority 0; policy accept;
		iifname @name drop
		ip saddr @exact drop
		ip saddr @ivl drop
		ip saddr @timed drop
		ip saddr . ip daddr @box drop
		ip saddr @merged drop
		ip saddr @zero drop
		ip saddr vmap @verdicts
	}
}
NFT
generation() { nb $n status | sed -n 's/.*: generation \([0-9]*\) .*/\1/p'; }
# passes SOURCE [DESTINATION]
mine() { ip -n $n addr add "$1/32" dev lo 2>/dev/null; }
passes() { mine "$1"; answers $n "$1" "${2:-127.0.0.1}"; }
blocked() { mine "$1"; silent $n "$1" "${2:-127.0.0.1}"; }

timed() { # within the time of the one of 6 s
	sed -i "s/\(10.4.0.1 timeout\) [0-9]*s/\1 $((6 * slow))s/" "$tmp/sets.nft"
	clock
	nb $n --require-bpf -f "$tmp/sets.nft"
	loaded=$?
	blocked 10.4.0.1
	is_in=$?
	began=$(elapsed)
	by 5900
}
in_time timed
is "every shape is compiled" "$loaded" 0
is "10.4.0.1 is in" "$is_in" 0
for a in 10.0.0.1 10.0.0.2 10.1.0.0 10.1.0.1 10.1.128.7 10.1.255.255 10.3.0.10 10.3.0.11 10.3.0.77 \
	10.4.0.2 10.6.0.1 10.6.255.255 10.8.0.1 10.8.0.2; do
	ok "$a is in" blocked $a
done
for a in 10.0.0.0 10.0.0.3 10.0.255.255 10.2.0.0 10.3.0.9 10.3.0.78 10.4.0.3 10.5.255.255 10.7.0.0 \
	10.8.0.0 10.8.0.3 10.8.0.4 10.8.0.5; do
	ok "$a is out" passes $a
done
ok "box: second field's end" blocked 10.6.0.1 127.0.0.3
ok "box: behind it" passes 10.6.0.1 127.0.0.4
at $((began + 6001))
ok "time is up" passes 10.4.0.1
ok "the set's own time is not" blocked 10.4.0.2

explained=$(nb $n explain)
is "explain tells each set once" "$(grep -c '^	set ' <<<"$explained")" 8
like "explain -j tells structures" "$(nb $n explain -j | python3 -c "
import json, sys
print(*(s['set'] + ':' + s['form'] for s in json.load(sys.stdin)['sets']))")" \
	'exact:hash.*ivl:interval tree.*box:boxes.*verdicts:hash'

g=$(generation)
while read -r set in out elem; do
	ok "$set: out before" passes $in
	ok "$set: add" nb $n add element inet t $set "{ $elem }"
	ok "$set: in" blocked $in
	ok "$set: the next one is out" passes $out
	ok "$set: nft knows" in_ns $n nft get element inet t $set "{ $elem }"
	ok "$set: delete" nb $n delete element inet t $set "{ $elem }"
	ok "$set: out again" passes $in
done <<'LIST'
exact 10.20.0.1 10.20.0.2 10.20.0.1
ivl 10.21.255.255 10.22.0.0 10.21.0.0/16
timed 10.23.0.1 10.23.0.2 10.23.0.1 timeout 1h
box 10.24.3.4 10.25.0.0 10.24.0.0/16 . 127.0.0.1
verdicts 10.26.0.1 10.26.0.2 10.26.0.1 : drop
LIST
two_seconds() {
	nb $n delete element inet t timed '{ 10.27.0.1 }' 2>/dev/null
	clock
	nb $n add element inet t timed '{ 10.27.0.1 timeout '$((2 * slow))'s }'
	added=$?
	began=$(elapsed)
	blocked 10.27.0.1
	is_in=$?
	by 1900
}
in_time two_seconds
is "timed: add for two seconds" "$added" 0
is "timed: in" "$is_in" 0
at $((began + 2001))
ok "timed: over" passes 10.27.0.1
ok "timed: once more" nb $n add element inet t timed '{ 10.27.0.1 timeout 1h }'
ok "timed: in again" blocked 10.27.0.1
is "all of it in one generation" "$(generation)" "$g"

ok "exact: add what is there" nb $n add element inet t exact '{ 10.0.0.1 }'
ok "ivl: add what is there" nb $n add element inet t ivl '{ 10.1.0.0/16 }'
ok "zero: add behind it" nb $n add element inet t zero '{ 10.41.0.0/24 }'
ok "zero: in" blocked 10.41.0.7
is "zero: as nft lists it" "$(in_ns $n nft list set inet t zero | grep elements)" \
	"		elements = { 0.0.0.0/8, 10.41.0.0/24 }"
is "all of this too" "$(generation)" "$g"
for e in 10.0.0.0/8 10.3.0.5-10.3.0.77 10.1.255.0-10.2.3.4 10.0.255.255-10.1.0.0 10.3.0.9-10.3.0.10 0.0.0.0/0; do
	out=$(nb $n add element inet t ivl "{ $e }" 2>&1)
	is "ivl: $e is refused as by nft" "$out" "$(in_ns $n nft add element inet t ivl "{ $e }" 2>&1)"
	like "ivl: $e is refused" "$out" Error
done
ok "merged: add beside" nb $n add element inet t merged '{ 10.40.1.0/24 }'
ok "merged: in" blocked 10.40.1.1
like "merged: one interval" "$(in_ns $n nft list set inet t merged)" '{ 10.40.0.0/23 }'
g=$(generation)

ok "a verdict that the programs do not know" nb $n add element inet t verdicts '{ 10.28.0.1 : goto c }'
ok "holds" blocked 10.28.0.1
is "in the next generation" "$(generation)" $((g + 1))

in_ns $n nft add element inet t exact '{ 10.29.0.1 }'
ok "plain nft's element is not known yet" passes 10.29.0.1
ok "sync" nb $n sync
ok "now it is" blocked 10.29.0.1
g=$(generation)
ok "sync with nothing to do" nb $n sync
is "keeps the generation" "$(generation)" "$g"

g=$(generation)
cat >"$tmp/elements.nft" <<'NFT'
# elements alone
add element inet t exact { 10.60.0.1,
	10.60.0.2 comment "a } b" }; delete element inet t exact { 10.0.0.2 }
delete element inet t ivl { 10.1.0.0/16 } # gone
NFT
ok "a file of elements" nb $n -f "$tmp/elements.nft"
ok "10.60.0.2 is in" blocked 10.60.0.2
ok "10.0.0.2 is out" passes 10.0.0.2
ok "10.1.0.1 is out" passes 10.1.0.1
is "without a new generation" "$(generation)" "$g"

# A file that begins by `flush ruleset` is loaded without reading what is in the sets; one that only
# looks like it is not harmed.
in_ns $n nft add element inet t exact '{ 10.50.0.1 }'
cat >"$tmp/looks.nft" <<'NFT'
# flush ruleset
  flush ruleset ip
add table ip other
NFT
ok "flush ruleset of another family" nb $n -f "$tmp/looks.nft"
ok "10.50.0.1 is in" blocked 10.50.0.1
ok "10.0.0.1 is in" blocked 10.0.0.1
ok "load over it" nb $n --require-bpf -f - <"$tmp/sets.nft"
ok "from words" nb $n flush ruleset
is "nothing is left" "$(nb $n list ruleset)" ""
ok "load again" nb $n --require-bpf -f "$tmp/sets.nft"
ok "and over itself" nb $n --require-bpf -f "$tmp/sets.nft"
ok "10.0.0.1 is in" blocked 10.0.0.1
ok "10.50.0.1 is out" passes 10.50.0.1
{ echo 'table ip other { chain c { type filter hook output priority 9; counter; }; }'; } >"$tmp/other.nft"
ok "another table beside it" nb $n --require-bpf -f "$tmp/other.nft"
ok "10.0.0.1 is in still" blocked 10.0.0.1

# One plain element is no matter of LLVM, libbpf or libnftables, nor of many system calls.
opened() { LD_DEBUG=files nb $n "$@" 2>&1 | sed -n 's|.*calling init: .*/||p' | grep -v '^ld-' | sort | xargs; }
small="libc.so.6 libjansson.so.4 libmnl.so.0"
is "nothing large is opened to add one" "$(opened add element inet t exact '{ 10.71.0.1 }')" "$small"
ok "10.71.0.1 is in" blocked 10.71.0.1
is "nor to delete it" "$(opened delete element inet t exact '{ 10.71.0.1 }')" "$small"
ok "10.71.0.1 is out" passes 10.71.0.1
like "libnftables is, where there is more to it" \
	"$(opened add element inet t exact '{ 10.71.0.1 comment "more" }')" libnftables
if command -v strace >/dev/null; then
	calls() { in_ns $n strace -f -o "$tmp/calls" "$@" >/dev/null 2>&1 && wc -l <"$tmp/calls"; }
	calls "$NFT_BPF" add element inet t exact '{ 10.71.0.2 }' >"$tmp/ours"
	calls nft add element inet t exact '{ 10.71.0.3 }' >"$tmp/nfts"
	ok "system calls of one element: nft's $(<"$tmp/nfts"), ours $(<"$tmp/ours")" \
		test "$(<"$tmp/ours")" -le $(($(<"$tmp/nfts") + 80))
	ok "sync with what nft added" nb $n sync
fi

# Somebody else's commits come in between: none of ours is lost, and none waits for ever.
many() { # NUMBER COMMAND…
	local i k=$1
	shift
	for i in {1..40}; do "$@" add element inet t ivl "{ 10.55.$k.$((2 * i)) }" || echo "refused: $k.$i"; done
}
said=$(
	many 1 nb $n &
	many 2 in_ns $n nft &
	many 3 nb $n &
	many 4 in_ns $n nft &
	wait
) 2>"$tmp/said"
is "many at once: all are done" "$said" ""
is "and nothing is said" "$(<"$tmp/said")" ""
is "and all are there" "$(in_ns $n nft list set inet t ivl | grep -o '10\.55\.' | wc -l)" 160
ok "sync" nb $n sync

out=$(nb $n delete element inet t exact '{ 10.30.0.1 }' 2>&1)
like "nft's own error for a missing element" "$out" "No such file or directory"
is "in nft's own words" "$out" "$(in_ns $n nft delete element inet t exact '{ 10.30.0.1 }' 2>&1)"
out=$(nb $n add element inet t ivl '{ 10.1.2.0/24 }' 2>&1)
like "and for a conflicting interval" "$out" "conflict|overlap|File exists"
cmd="create element inet t ivl { 10.1.0.9-10.1.0.11, 10.1.0.7-10.1.0.12 }"
is "and for such that conflict among each other as well" "$(nb $n "$cmd" 2>&1)" "$(in_ns $n nft "$cmd" 2>&1)"
out=$(nb $n add element inet t exact '{ 80 . 443 }' 2>&1)
like "and for the wrong type" "$out" "Error"
out=$(nb $n add element inet t verdicts '{ 10.8.0.9 : jump in }' 2>&1)
is "and for a jump to a base chain, nothing more" "$out" \
	"$(in_ns $n nft add element inet t verdicts '{ 10.8.0.9 : jump in }' 2>&1)"
like "comments are listed" "$(nb $n list set inet t exact)" 'comment "two"'

# nft tells the end of a point among ranges when it is deleted, and not when it was loaded.
in_ns $n nft -f - <<'NFT'
flush ruleset
table inet t {
	map m {
		type inet_service . inet_service : verdict
		flags interval
		elements = { 1 . 80 : drop, 2-6 . 35187 : accept }
	}
	chain input {
		type filter hook input priority 0; policy accept;
		udp sport . udp dport vmap @m
	}
}
NFT
ok "take" nb $n take
ok "a point is deleted, with more" nb $n 'delete element inet t m { 1 . 80 }; add rule inet t input counter'
is "it is gone" "$(nb $n list map inet t m | grep -c '1 [.] 80')" 0
ok "the same of ranges" nb $n 'delete element inet t m { 2-6 . 35187 }; add rule inet t input counter'
plan
