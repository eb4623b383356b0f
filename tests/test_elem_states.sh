#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What elements of sets keep that packets do not fill: intervals, concatenated ranges, verdict maps,
# maps, catch-all and anonymous ones. One namespace of the interpreter's, one of BPF programs; the same
# commands and packets; what they list is the same, all the way.
. "$(dirname "$0")/lib.sh"

twins es
# Some UDP packets for each element, and some for none, in both.
traffic() {
	local ns
	for ns in $k $b; do
		in_ns $ns python3 -c "
import socket
for n, src, port in ((3, '127.0.0.1', 1000), (2, '127.0.0.1', 1001), (4, '127.0.0.2', 1001),
                     (1, '127.0.0.3', 1002), (2, '127.0.0.4', 1003), (1, '127.0.0.9', 1004),
                     (2, '127.0.0.10', 1005), (2, '::1', 1000), (1, '::1', 1007)):
    six = ':' in src
    s = socket.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_DGRAM)
    s.bind((src, 0))
    for i in range(n):
        try:
            s.sendto(b'x' * (20 + i % 7), ('::1' if six else '127.0.0.1', port))
        except OSError:
            pass"
	done
	settled
}
timeless() { sed 's/ expires [0-9a-z]*//g; s/ used never/ /'; }
listed() { nb $b list ruleset | timeless; }
same() {
	listed | sort >"$tmp/b.txt" # chains may change places
	in_ns $k nft list ruleset | timeless | sort >"$tmp/k.txt"
	ok "$1: both list the same" diff "$tmp/b.txt" "$tmp/k.txt"
}
both() { # WHAT COMMAND: by nft in one, by nft-bpf in the other
	ok "$1" nb $b "$2"
	ok "$1, nft" in_ns $k nft "$2"
}
generation() { nb $b status | sed -n 's/.*: generation \([0-9]*\) .*/\1/p'; }

cat >"$tmp/a.nft" <<'NFT'
table inet t {
	set ivl {
		type ipv4_addr
		flags interval
		counter
		elements = { 10.0.0.0/8, 127.0.0.1 counter packets 5 bytes 500, 127.0.0.2-127.0.0.9 }
	}
	set boxes {
		type ipv4_addr . inet_service
		flags interval
		counter quota over 900 bytes
		elements = { 127.0.0.0/31 . 1000-1999, 127.0.0.2/31 . 1000-1999,
			     127.0.0.4-127.0.0.9 . 1000-1004 }
	}
	set boxes2 {
		type ipv4_addr . inet_service
		flags interval
		counter
		elements = { 127.0.0.0/31 . 1000-1999, 127.0.0.2/31 . 1000-1999 }
	}
	map verdicts {
		type inet_service : verdict
		counter
		elements = { 1000 : jump sub, 1001 counter packets 7 bytes 77 : continue, 1002 : return, 1003 : drop }
	}
	map iverdicts {
		type inet_service : verdict
		flags interval
		counter
		elements = { 1000-1001 : continue, 1004 : goto sub, * : continue }
	}
	map bverdicts {
		type ipv4_addr . inet_service : verdict
		flags interval
		counter
		elements = { 127.0.0.0/24 . 1001-1003 : jump sub, 127.0.0.1 . 1000 : continue }
	}
	map values {
		type inet_service : mark
		flags interval
		counter
		elements = { 1000-1001 : 0x5, 1002-1009 : 0x6, * : 0x7 }
	}
	set some {
		type ipv4_addr
		counter
		elements = { 127.0.0.1, 127.0.0.2, * }
	}
	set timed {
		type ipv4_addr
		flags interval,timeout
		counter
		elements = { 127.0.0.0/31 timeout 1h expires 30m, 127.0.0.2-127.0.0.3 counter packets 3 bytes 33 timeout 2h }
	}
	set slow {
		type ipv4_addr
		flags interval
		limit rate 2/day burst 2 packets
		elements = { 127.0.0.1, 127.0.0.2-127.0.0.3 limit rate 3/day burst 3 packets,
			     127.0.0.4 limit rate over 1/day burst 1 packets }
	}
	set quotas {
		type ipv4_addr
		flags interval
		quota 200 bytes
		elements = { 127.0.0.1, 127.0.0.2-127.0.0.4 }
	}
	chain sub {
		counter comment "sub"
	}
	chain input {
		type filter hook input priority 0; policy accept;
		meta l4proto != udp accept
		ip saddr @ivl counter
		ip saddr != @ivl counter comment "not"
		ip saddr . udp dport @boxes counter
		ip saddr . udp dport @boxes2 counter
		udp dport map @values 6 counter
		ip saddr @some counter
		ip saddr != @some counter
		ip saddr @timed counter
		ip saddr @slow counter
		ip saddr @quotas counter
		ip saddr { 127.0.0.1 counter packets 2 bytes 22, 127.0.0.2, 127.0.0.3 counter } counter
		ip saddr { 127.0.0.0/30 counter, 127.0.0.4 } counter
		udp dport vmap @iverdicts
		ip saddr . udp dport vmap @bverdicts
		udp dport vmap @verdicts
		counter comment "end"
	}
	chain later {
		type filter hook input priority 10; policy accept;
		ip saddr @ivl counter
	}
}
NFT
sed -i 's/udp dport map @values 6/udp dport @values/' "$tmp/a.nft" # their keys alone
ok "load" nb $b --require-bpf -f "$tmp/a.nft"
ok "load, nft" in_ns $k nft -f "$tmp/a.nft"
same "loaded"
traffic
same "after packets"
traffic
same "after more, limits and quotas have run out"
like "elements that count" "$(listed)" '127.0.0.2-127.0.0.9 counter packets [1-9]'

# ---- elements that come and go, in place
g=$(generation)
both "add to intervals" 'add element inet t ivl { 20.0.0.0/8 counter packets 7 bytes 70, 127.0.0.10 }'
both "add to boxes" 'add element inet t boxes2 { 127.0.0.4-127.0.0.10 . 1000-1999 }'
both "add to a verdict map" 'add element inet t verdicts { 1004 : drop, 1005 : continue }'
both "add to limits, as the set says" 'add element inet t slow { 127.0.0.9 }'
both "add a time" 'add element inet t timed { 127.0.0.10 timeout 5h }'
traffic
same "elements added in place"
both "delete an interval" 'delete element inet t ivl { 127.0.0.2-127.0.0.9 }'
both "delete a verdict" 'delete element inet t verdicts { 1001 }'
traffic
same "elements deleted in place"
both "add it again" 'add element inet t ivl { 127.0.0.2-127.0.0.9 }'
both "and the verdict" 'add element inet t verdicts { 1001 : continue }'
traffic
same "elements made anew in place begin with nothing"
is "nothing was compiled" "$(generation)" "$g"
both "another limit" 'add element inet t slow { 127.0.0.10 limit rate 1/day burst 1 packets }'
traffic
same "what the programs do not know is compiled"

# ---- reloads
both "a rule" 'add rule inet t input ip saddr @ivl counter'
traffic
same "reload, sets as they were"
both "a rule and elements" 'add rule inet t input ip saddr @ivl counter; add element inet t ivl { 30.0.0.0/8 }; delete element inet t boxes { 127.0.0.4-127.0.0.9 . 1000-1004 }; delete element inet t ivl { 127.0.0.1 }; add element inet t ivl { 127.0.0.1 }'
traffic
same "reload, elements changed: others go on"
both "again" 'add rule inet t sub ip saddr @ivl counter'
traffic
same "and once more"
ok "sync" nb $b sync
in_ns $b nft add element inet t ivl '{ 40.0.0.0/8 }'
in_ns $k nft add element inet t ivl '{ 40.0.0.0/8 }'
ok "sync after plain nft" nb $b sync
traffic
same "changed by plain nft, then synced"
while read -r set elem; do
	is "get element $set { $elem }" "$(nb $b get element inet t $set "{ $elem }" 2>&1 | timeless)" \
		"$(in_ns $k nft get element inet t $set "{ $elem }" 2>&1 | timeless)"
done <<-'ELEMS'
	ivl 127.0.0.1
	ivl 127.0.0.4
	ivl 127.0.0.3-127.0.0.5
	ivl 127.0.0.2-127.0.0.9
	ivl 126.255.255.255
	ivl 10.255.255.255
	ivl 11.0.0.0
	ivl 127.0.0.10-127.0.0.11
	ivl 127.0.0.1, 127.0.0.9
	boxes 127.0.0.1 . 1500
	boxes 127.0.0.0/31 . 1000-1999
	boxes 127.0.0.1 . 2000
	boxes 127.0.0.128 . 1000
	values 1005
	timed 127.0.0.3
	some *
	some 127.0.0.2
	some 127.0.0.3
	verdicts 1001
ELEMS
echo "list set inet t ivl; list map inet t verdicts" >"$tmp/list.nft"
for options in -s -t -sn; do
	is "list in quotes with $options" "$(nb $b $options 'list set inet t ivl')" \
		"$(in_ns $k nft $options 'list set inet t ivl')"
	is "in a file with $options" "$(nb $b $options -f - <"$tmp/list.nft")" \
		"$(in_ns $k nft $options -f - <"$tmp/list.nft")"
done
like "with -a" "$(nb $b -a 'list set inet t ivl')" 'set ivl \{ # handle [0-9]'

# ---- killed processes
for step in attached filled pinned committed woken flipped parked detached dropped; do
	NFT_BPF_STOP_AT=$step nb $b 'add rule inet t sub ip saddr 1.2.3.4 counter; add element inet t boxes2 { 50.0.0.'${#step}' . 1 }' >/dev/null 2>&1
	case $step in
	attached | filled | pinned) ;;
	*) in_ns $k nft 'add rule inet t sub ip saddr 1.2.3.4 counter; add element inet t boxes2 { 50.0.0.'${#step}' . 1 }' ;;
	esac
	ok "killed at $step: sync" nb $b sync
	same "killed at $step"
done
traffic
same "traffic after that"
for step in elements mapped; do
	NFT_BPF_STOP_AT=$step nb $b 'add element inet t ivl { 60.0.0.'${#step}' }' >/dev/null 2>&1
	in_ns $k nft 'add element inet t ivl { 60.0.0.'${#step}' }'
	traffic
	same "killed at $step"
	ok "killed at $step: sync" nb $b sync
	same "killed at $step, synced"
done

# ---- back to the interpreter. Buckets of limits are full then, in both.
unlimited() {
	for ns in $k $b; do
		in_ns $ns nft delete rule inet t input handle "$(in_ns $ns nft -a list chain inet t input | sed -n 's/.*@slow.*# handle //p')"
	done
}
unlimited
ok "sync without limits" nb $b sync
for step in woken given flipped parked detached; do
	NFT_BPF_STOP_AT=$step nb $b give >/dev/null 2>&1
	same "give, killed at $step"
	ok "give" nb $b give
	ok "given at $step: nft lists the same" diff <(in_ns $b nft list ruleset | timeless) \
		<(in_ns $k nft list ruleset | timeless)
	traffic
	same "the interpreter goes on from there"
	ok "take" nb $b --require-bpf take
	same "taken"
	traffic
	same "and on"
done

# ---- some of it goes back to the interpreter
both "a chain that stays with the interpreter" 'add chain inet t rej { type filter hook input priority 20; }; add rule inet t rej ip saddr 127.0.0.2 udp dport 1001 ip saddr @ivl counter reject'
like "the others do not" "$(nb $b status)" 'inet t later: .* BPF'
same "shared with the interpreter"
traffic
same "both count in one element"
both "and away" 'delete chain inet t rej'
traffic
same "alone again"
both "quotas of elements" 'add chain inet t rej { type filter hook input priority 20; }; add rule inet t rej ip saddr . udp dport @boxes ip saddr 127.0.0.99 reject'
like "are not for both" "$(nb $b status)" 'state-shared'
same "quotas went back"
traffic
same "and on in the interpreter"
both "and away" 'delete chain inet t rej'
same "quotas are taken again"
traffic
same "and on"
both "set flush" 'flush set inet t ivl'
same "flushed"
traffic
same "empty"
ok "load it anew" nb $b --require-bpf -f <(echo "flush ruleset"; cat "$tmp/a.nft")
in_ns $k nft -f <(echo "flush ruleset"; cat "$tmp/a.nft")
traffic
same "all made anew begin with what the file says"

# ---- one limit for both families cannot be two
cat >"$tmp/b.nft" <<'NFT'
flush ruleset
table inet t {
	map m {
		type inet_service : verdict
		limit rate 1/day burst 2 packets
		elements = { 1000 : drop, 1001 : drop }
	}
	chain input {
		type filter hook input priority 0; policy accept;
		udp dport vmap @m
		counter
	}
}
NFT
ok "limits of an inet verdict map" nb $b -f "$tmp/b.nft"
in_ns $k nft -f "$tmp/b.nft"
like "are left to the interpreter" "$(nb $b status)" 'set-elem-state'
traffic
same "which limits"
sed -i 's/table inet/table ip/' "$tmp/b.nft"
ok "of an ip one they are not" nb $b --require-bpf -f "$tmp/b.nft"
in_ns $k nft -f "$tmp/b.nft"
traffic
same "each its own"
plan
