#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What rules keep between packets: limits, quotas and last go on over a reload as in the kernel, are
# listed, go back with `give`; limits and quotas pass what the interpreter passes beside them.
. "$(dirname "$0")/lib.sh"

n=st-n-$$
netns $n
cat >"$tmp/a.nft" <<'NFT'
table ip t {
	quota named {
		over 1 mbytes
	}
	chain input {
		type filter hook input priority 0; policy accept;
		icmp type echo-request quota over 1000 bytes counter comment "over"
		icmp type echo-request quota name "named" comment "named"
		icmp type echo-request limit rate 1/hour burst 5 packets counter comment "limit"
		icmp type echo-request quota 200 bytes counter comment "within"
	}
}
NFT
pings() { in_ns $n ping -q -c "$1" -i 0.01 -s 72 127.0.0.1 >/dev/null; } # 100 bytes each
text() { "$@" 2>&1; }
number() { # WHAT COMMAND…: the number in front of "packets" of the rule with that comment
	local what=$1
	shift
	"$@" list chain ip t input | sed -n "s/.*counter packets \([0-9]*\) .*comment \"$what\".*/\1/p"
}

ok "nft-bpf -f" nb $n --require-bpf -f "$tmp/a.nft"
pings 4
like "a quota is listed" "$(text nb $n list ruleset)" 'quota over 1000 bytes used 400 bytes'
like "a named quota is listed" "$(text nb $n list ruleset)" 'over 1 mbytes used 400 bytes'
is "the limit's bucket" "$(number limit nb $n)" 4
ok "nft-bpf add rule" nb $n add rule ip t input udp dport 9 drop
like "a quota goes on" "$(text nb $n list ruleset)" 'quota over 1000 bytes used 400 bytes'
pings 10
like "a quota goes on over a reload" "$(text nb $n list ruleset)" 'quota over 1000 bytes used 1000 bytes'
like "a named one too" "$(text nb $n list ruleset)" 'over 1 mbytes used 1400 bytes'
is "packets over the quota" "$(number over nb $n)" 4
is "packets within the quota" "$(number within nb $n)" 2
is "the limit's bucket is not filled by a reload" "$(number limit nb $n)" 5
ok "nft-bpf give" nb $n give
like "the kernel has the quota" "$(text in_ns $n nft list ruleset)" 'quota over 1000 bytes used 1000 bytes'
like "the kernel has the named one" "$(text in_ns $n nft list ruleset)" 'over 1 mbytes used 1400 bytes'
pings 1
is "the interpreter goes on with it" "$(number over in_ns $n nft)" 5
in_ns $n nft add quota ip t named2 '{ 50 bytes used 50 bytes; }'
in_ns $n nft add rule ip t input quota name named2 udp dport 1 drop
ok "nft-bpf take, of a quota that is used up" nb $n --require-bpf take
pings 1
is "and on" "$(number over nb $n)" 6
ok "nft-bpf give" nb $n give
is "and back" "$(number over in_ns $n nft)" 6

# reset: what programs counted is shown and gone.
in_ns $n nft flush ruleset
cat >"$tmp/c.nft" <<'NFT'
table ip t {
	counter c1 { }
	counter c2 { }
	quota q1 {
		over 1 mbytes
	}
	chain input {
		type filter hook input priority 0; policy accept;
		icmp type echo-request counter name "c1" quota name "q1" drop
		icmp type echo-request counter name "c2"
	}
}
NFT
ok "nft-bpf -f" nb $n --require-bpf -f "$tmp/c.nft"
pings 3
like "reset counter shows it" "$(text nb $n reset counter ip t c1)" 'packets 3 bytes 300'
like "that one begins anew" "$(text nb $n list counter ip t c1)" 'packets 0 bytes 0'
like "the others stay" "$(text nb $n list counter ip t c2)" 'packets 3 bytes 300'
like "reset quotas shows them" "$(text nb $n reset quotas)" 'used 300 bytes'
pings 1
like "they begin anew" "$(text nb $n list ruleset)" 'over 1 mbytes used 100 bytes'
like "reset counters shows all" "$(text nb $n reset counters)" 'packets 4 bytes 400'
is "all begin anew" "$(text nb $n list counters | grep -c 'packets 0 bytes 0')" 2
is "one that is not there: nft's own words" "$(nb $n reset counter ip t none 2>&1)" \
	"$(in_ns $n nft reset counter ip t none 2>&1)"
is "wrong words are usage" "$(nb $n reset counters nonsense 2>/dev/null; echo $?)" 2
nb $n flush ruleset

# Maps to objects: a hit evaluates the object, whatever its rate; a miss ends the rule.
nb $n flush ruleset
m=st-m-$$
netns $m
cat >"$tmp/e.nft" <<'NFT'
table inet t {
	counter c1 { }
	counter c2 { }
	limit slow {
		rate 1/hour burst 3 packets
	}
	limit fast {
		rate 1/hour burst 7 packets
	}
	quota q1 {
		over 300 bytes
	}
	map counters {
		type ipv4_addr : counter
		flags interval
		elements = { 127.0.0.1 : "c1", 127.0.0.2-127.0.0.9 : "c2" }
	}
	map limits {
		type ipv4_addr : limit
		elements = { 127.0.0.1 : "slow", 127.0.0.2 : "fast", 127.0.0.3 : "slow" }
	}
	chain input {
		type filter hook input priority 0; policy accept;
		icmp type != echo-request accept
		counter name ip daddr map @counters counter comment "hit"
		counter name ip daddr map { 127.0.0.1 : "c1", 127.0.0.5 : "c2" }
		quota name ip daddr map { 127.0.0.1 : "q1" } counter comment "over"
		limit name ip daddr map @limits counter comment "limited"
		counter comment "end"
	}
}
NFT
ok "the interpreter's maps to objects" in_ns $m nft -f "$tmp/e.nft"
ok "nft-bpf's" nb $n --require-bpf -f "$tmp/e.nft"
for v in $m $n; do
	for host in 1 2 3 1 2 5 1 1 1 2 2 2 2 2 2 2 2 10; do
		in_ns $v ping -q -c 2 -i 0.01 -s 72 127.0.0.$host >/dev/null
	done
done
is "count the same" "$(diff <(in_ns $m nft list ruleset) <(nb $n list ruleset))" ""
is "both limits have taken what they take" "$(counter $n t input limited)" 10
for v in "in_ns $m nft" "nb $n"; do
	$v add element inet t counters '{ 127.0.0.10 : "c2" }'
done
in_ns $m ping -q -c 2 -i 0.01 127.0.0.10 >/dev/null
in_ns $n ping -q -c 2 -i 0.01 127.0.0.10 >/dev/null
is "a new element counts too" "$(nb $n list counter inet t c2)" "$(in_ns $m nft list counter inet t c2)"
is "nft-bpf give" "$(nb $n give 2>&1)" ""
is "the kernel has what objects in maps counted" "$(in_ns $n nft list ruleset | sort)" \
	"$(in_ns $m nft list ruleset | sort)"
is "what rules counted is given back, behind a map to objects too" \
	"$(in_ns $n nft list chain inet t input)" "$(in_ns $m nft list chain inet t input)"

# numgen inc: one counter for all CPUs, kept by rules that stay, begun anew by rules that are new.
in_ns $n nft flush ruleset
cat >"$tmp/d.nft" <<'NFT'
table inet t {
	chain input {
		type filter hook input priority 0; policy accept;
		meta l4proto icmp icmp type echo-request jump count
		meta l4proto ipv6-icmp icmpv6 type echo-request jump count
	}
	chain count {
		numgen inc mod 5 offset 10 vmap { 10 : goto n0, 11 : goto n1, 12-13 : goto n2 }
		counter comment "else"
	}
	chain n0 {
		counter comment "n0"
	}
	chain n1 {
		counter comment "n1"
	}
	chain n2 {
		counter comment "n2"
	}
}
NFT
in_ns $n nft flush ruleset
ok "nft-bpf -f" nb $n --require-bpf -f "$tmp/d.nft"
numbers() {
	local c
	for c in n0 n1 n2; do
		counter $n t $c $c
	done | paste -sd ' '
}
pings 7
is "the numbers of 7 packets" "$(numbers)" "2 2 2"
ok "nft-bpf add rule" nb $n add rule inet t input udp dport 9 drop
pings 1
is "the eighth follows, over a reload" "$(numbers)" "2 2 3"
for flood in 127.0.0.1 ::1 127.0.0.1 ::1; do
	in_ns $n ping -q -f -c 5000 "$flood" >/dev/null &
done
wait
is "20,000 packets of four senders at once, each with a number of its own" "$(numbers)" "4002 4002 8003"
ok "nft-bpf replaces the ruleset" nb $n -f <(echo "flush ruleset"; cat "$tmp/d.nft")
pings 1
is "a new rule begins anew" "$(numbers)" "1 0 0"
nb $n flush ruleset

# A limit that the interpreter uses too, from a chain that cannot be compiled, must stay one.
in_ns $n nft flush ruleset
cat >"$tmp/b.nft" <<'NFT'
table ip t {
	limit l {
		rate 1/hour burst 5 packets
	}
	chain both {
		limit name "l" counter comment "limit"
	}
	chain input {
		type filter hook input priority 0; policy accept;
		jump both
	}
	chain other {
		type filter hook prerouting priority 0; policy accept;
		jump both
		meta mark set 1
	}
	chain own {
		type filter hook output priority 0; policy accept;
		limit rate 10/second counter
	}
}
NFT
explained=$(text nb $n explain -f "$tmp/b.nft")
like "a limit shared with the interpreter is left to it" "$explained" 'state-shared'
like "in each chain that shares it" "$explained" 'chain input .*stays'
like "others are compiled" "$explained" 'chain own .*compiled'
plan
