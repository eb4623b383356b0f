#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A set whose elements count, where no rule adds any: its counters are listed, stay when rules change
# and go back to the kernel. And what elements begin with that a rule adds: programs that are used again
# begin with what their own ruleset says.
. "$(dirname "$0")/lib.sh"

twins ea
# Two packets from each address.
hit() {
	local ns
	for ns in $k $b; do
		for a in "$@"; do
			answers $ns "$a" 127.0.0.1
		done
	done
}
both() { # WHAT FILE
	ok "$1" nb $b --require-bpf -f "$2"
	in_ns $k nft -f "$2"
}
elements() { sed -n 's/.*elements = { \(.*\) }.*/\1/p' | sed 's/, /\n/g' | sort; }
same() { # WHAT
	is "$1" "$(nb $b list set ip t s | elements)" "$(in_ns $k nft list set ip t s | elements)"
}

cat >"$tmp/counts.nft" <<'NFT'
flush ruleset
table ip t {
	set s {
		type ipv4_addr
		counter
		elements = { 127.0.0.1 counter packets 5 bytes 50, 127.0.0.2, 127.0.0.3 }
	}
	chain c {
		type filter hook input priority 0; policy accept;
		ip protocol icmp ip saddr @s accept
	}
}
NFT
both "a set that counts, alone" "$tmp/counts.nft"
hit 127.0.0.1 127.0.0.2 127.0.0.9
same "what it counted is listed"
is "and not nothing" "$(nb $b list set ip t s | grep -c 'packets 0')" "$(in_ns $k nft list set ip t s | grep -c 'packets 0')"
like "it is more than was in the file" "$(nb $b list set ip t s)" '127.0.0.1 counter packets [89] '
echo 'add rule ip t c udp dport 1 drop' >"$tmp/rule.nft"
both "a rule more" "$tmp/rule.nft"
same "counters stay"
hit 127.0.0.2
same "and count on"
ok "give" nb $b give
is "the kernel goes on with them" "$(in_ns $b nft list set ip t s | elements)" \
	"$(in_ns $k nft list set ip t s | elements)"

begins() { # EXPRESSION
	cat >"$tmp/begins.nft" <<-NFT
	flush ruleset
	table ip t {
		set s { type ipv4_addr; size 10; flags dynamic; }
		chain c {
			type filter hook input priority 0; policy accept;
			ip protocol icmp update @s { ip saddr $1 } accept
		}
	}
	NFT
	both "elements begin with $1" "$tmp/begins.nft"
	hit 127.0.0.2
	same "as the interpreter's with $1"
}
begins 'counter packets 5 bytes 50'
begins 'counter packets 7 bytes 70'
begins 'counter packets 7 bytes 71'
begins 'quota 10 mbytes used 3000 bytes'
begins 'quota 10 mbytes used 4000 bytes'

# Sets so large that only what was counted in is made anew.
{
	echo 'flush ruleset'
	echo 'table ip t {'
	echo 'set tree { type ipv4_addr; flags interval; counter; elements = { 127.0.0.1-127.0.0.2, 127.0.0.3,'
	seq -s ', ' -f '10.0.%.0f.0/25' 0 255
	for i in 1 2 3 4; do seq -s ', ' -f ", 10.$i.%.0f.0-10.$i.%.0f.9" 0 255; done | tr -d '\n'
	echo '} }'
	echo 'set boxes { type ipv4_addr . ipv4_addr; flags interval; counter; elements = { 127.0.0.0/31 . 127.0.0.1,'
	seq -s ', ' -f '10.0.%.0f.0/25 . 1.1.1.1' 0 255
	for i in 1 2 3 4; do seq -s ', ' -f ", 10.$i.%.0f.0/25 . 1.1.1.1-1.1.1.9" 0 255; done | tr -d '\n'
	echo '} }'
	echo 'set hash { type ipv4_addr; counter; elements = { 127.0.0.1,'
	seq -s ', ' -f '10.0.%.0f.1' 0 255
	for i in 1 2 3 4; do seq -s ', ' -f ", 10.$i.%.0f.1" 0 255; done | tr -d '\n'
	echo '} }'
	echo 'chain c { type filter hook input priority 0; policy accept;'
	echo 'ip protocol != icmp accept'
	echo 'ip daddr @tree'
	echo 'ip saddr . ip daddr @boxes'
	printf 'ip saddr @hash accept\n}\n}\n'
} | tr -s ',\n ' | sed 's/, *,/,/g' >"$tmp/large.nft"
sorted() { in_ns $1 nft list ruleset | tr ',' '\n' | sed 's/^[\t ]*//; s/ *}$//; s/elements = { //' | grep 'counter packets' | sort; }
both "large sets that count" "$tmp/large.nft"
hit 127.0.0.1 127.0.0.2
is "listed without their elements" "$(nb $b -t list ruleset)" "$(in_ns $k nft -t list ruleset)"
ok "give them" nb $b give
is "the kernel goes on with all of them" "$(sorted $b | md5sum)" "$(sorted $k | md5sum)"
is "three of them were counted in" "$(sorted $b | grep -vc 'packets 0')" 3
plan
