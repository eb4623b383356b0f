#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# nft-bpf difftest as a user meets it: equal rulesets are found equal, altered ones are not.
. "$(dirname "$0")/lib.sh"

cat >"$tmp/a.nft" <<'END'
table inet t {
	chain web {
		tcp dport { 80, 443 } counter accept
		counter
	}
	chain input {
		type filter hook input priority 0; policy drop;
		iif lo accept
		ct state established,related counter accept
		ct state invalid counter drop
		ip saddr { 10.0.0.0/8, 192.168.1.1 } counter drop
		udp dport 1000-2000 counter accept
		meta l4proto tcp jump web
		icmp type echo-request counter accept
		meta mark & 0xff == 0x12 counter accept
	}
	chain forward {
		type filter hook forward priority 0; policy accept;
		iifname "eth*" oifname "wan0" ip daddr 192.0.2.4 counter drop
		tcp flags & (syn | ack) == syn counter
		ip ttl 5 counter drop
	}
	chain output {
		type filter hook output priority 0; policy accept;
		meta skuid 1000 counter drop
	}
}
END

difftest() { "$NFT_BPF" difftest "$@"; }
status() { "$@" >"$tmp/out" 2>"$tmp/err"; echo $?; }

is "compiled and interpreted: equal" "$(status difftest -f "$tmp/a.nft")" 0
like "every rule is hit" "$(cat "$tmp/out")" '^rules: 14 in compiled chains, 14 hit'
like "all chains are compiled" "$(cat "$tmp/out")" '^chains: 3, compiled: 3'
while IFS='|' read -r what from to; do
	sed "s#$from#$to#" "$tmp/a.nft" >"$tmp/b.nft"
	not cmp -s "$tmp/a.nft" "$tmp/b.nft" || { echo "Bail out! no such text: $from"; exit 1; }
	is "found: $what" "$(status difftest -f "$tmp/a.nft" --against "$tmp/b.nft")" 1
done <<'END'
a range that ends one later|1000-2000|1000-2001
a range that begins one later|1000-2000|1001-2000
an address off by one|192.0.2.4|192.0.2.5
another device|wan0|wan1
an element more|80, 443|80, 443, 444
an element less|80, 443|80
a set element off by one|192.168.1.1|192.168.1.0
a shorter prefix|10.0.0.0/8|10.0.0.0/7
another mark|0x12|0x13
a lost mask|mark \& 0xff ==|mark ==
another flag|syn . ack|syn \| rst
invalid let through|invalid counter drop|invalid counter accept
established cut off|established,related|related
another uid|skuid 1000|skuid 1001
a policy|policy drop|policy accept
another ttl|ttl 5|ttl 6
an icmp type|echo-request|echo-reply
END

# Elements that no packet comes to, as many on both sides.
cat >"$tmp/a.nft.elem" <<'END'
table ip t {
	set s { type inet_service; elements = { 7, 9 }; }
	map marks { type inet_service : mark; elements = { 7 : 1 }; }
	map verdicts { type inet_service : verdict; elements = { 7 : jump one, 9 : accept }; }
	chain one { }
	chain two { }
	chain output {
		type filter hook output priority 0; policy accept;
		udp dport @s drop
		udp dport vmap @verdicts
	}
}
END
while IFS='|' read -r what from to; do
	sed "s#$from#$to#" "$tmp/a.nft.elem" >"$tmp/b.nft.elem"
	not cmp -s "$tmp/a.nft.elem" "$tmp/b.nft.elem" || { echo "Bail out! no such text: $from"; exit 1; }
	is "found: $what" "$(status difftest --replay -f "$tmp/a.nft.elem" --against "$tmp/b.nft.elem")" 1
done <<'END'
another element|7, 9|7, 10
other data|7 : 1|7 : 2
another verdict|9 : accept|9 : drop
another chain|jump one|jump two
END
is "not: the same" "$(status difftest --replay -f "$tmp/a.nft.elem")" 0

# What drawn ids excuse ends where no look at one comes before: echo replies, of which one ruleset counts
# none in an element.
for _ in 1 2 3 4 5 6 7 8 9; do
	echo "# packet ip in esp out lo smac 02005e100001 data" \
		4500001c08cd40004001cb58c6336480cb007107080057a2998706d6
done >"$tmp/a.nft.id"
cat >>"$tmp/a.nft.id" <<'END'
table inet t {
	set s {
		typeof ip saddr
		counter
		elements = { 203.0.113.7 }
	}
	chain output {
		type filter hook output priority 0; policy accept;
		ip saddr @s
		ip id 1-32767 counter
	}
}
END
sed 's/ip saddr @s/ip ttl 0 ip saddr @s/' "$tmp/a.nft.id" >"$tmp/b.nft.id"
sed 's/ip saddr @s/ip id != 0 ip saddr @s/' "$tmp/a.nft.id" >"$tmp/c.nft.id"
sed 's/ip saddr @s/ip id 0 ip saddr @s/' "$tmp/a.nft.id" >"$tmp/d.nft.id"
against() { difftest --replay -f "$tmp/$1.nft.id" --against "$tmp/$2.nft.id"; }
is "found: an element in front of a look at ids" "$(status against a b)" 1
is "not: behind a look in both" "$(status against c d)" 0

# The probes of both namespaces count what arrived, not what was meant.
difftest -f "$tmp/a.nft" >"$tmp/out"
like "GSO packets are sent" "$(cat "$tmp/out")" 'of these packets: [1-9][0-9]* GSO'
like "TCP conversations are sent, and get answers" "$(cat "$tmp/out")" \
	' [1-9][0-9]* of TCP conversations \([1-9][0-9]* with both ends heard\)'

is "JSON" "$(status difftest -j -f "$tmp/a.nft" --packets 50)" 0
ok "JSON is JSON" python3 -m json.tool "$tmp/out"
like "JSON tells" "$(cat "$tmp/out")" '"equal": true'
is "standard input" "$(status difftest -f - --packets 50 <"$tmp/a.nft")" 0
is "the same seed, the same packets" \
	"$(difftest -f "$tmp/a.nft" --seed 7 | sed -n 's/^packets/&/p')" \
	"$(difftest -f "$tmp/a.nft" --seed 7 | sed -n 's/^packets/&/p')"

# A capture of one's own traffic.
if [ -x "$(command -v tcpdump)" ]; then
	a=difftest-a-$$ b=difftest-b-$$
	netns "$a" "$b"
	veth "$a" eth0 "$b" eth0
	addr "$a" eth0 198.51.100.1/24
	addr "$b" eth0 198.51.100.2/24
	serve "$b" 80 1500
	beside "$b" tcpdump -q -U --immediate-mode -i eth0 -w "$tmp/own.pcap" 2>"$tmp/tcpdump" &
	dump=$!
	wait_for grep -q listening "$tmp/tcpdump"
	ok "traffic" tcp "$a" 198.51.100.2 80
	ok "more of it" udp "$a" 198.51.100.2 1500
	last() { tcpdump -n -r "$tmp/own.pcap" udp src port 1500 2>/dev/null | grep -q .; }
	wait_for last
	kill $dump
	wait $dump 2>/dev/null
	is "one's own traffic: equal" "$(status difftest -f "$tmp/a.nft" --pcap "$tmp/own.pcap")" 0
	like "the capture's packets, each on three ways" "$(cat "$tmp/out")" '^packets: [0-9][0-9]+ '
fi

is "a ruleset that nft refuses" "$(status difftest -f <(echo 'table ip t { chain c { bogus } }'))" 2
like "in nft's words" "$(cat "$tmp/err")" 'Error: syntax error'
is "no such file" "$(status difftest -f "$tmp/none")" 2
is "no file named" "$(status difftest)" 2
is "an unknown option" "$(status difftest -f "$tmp/a.nft" --bogus)" 2
is "not a number" "$(status difftest -f "$tmp/a.nft" --packets many)" 2
is "not a capture" "$(status difftest -f "$tmp/a.nft" --pcap "$tmp/a.nft")" 2

# Of three packets the longest that there is and one that is longer than any; of frames without an
# Ethernet header.
python3 - "$tmp/long.pcap" <<'END'
import struct, sys
def packet(n):
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, min(n, 65535), 0, 0, 64, 17, 0,
                       bytes([198, 51, 100, 1]), bytes([198, 51, 100, 2]))
    return head + struct.pack("!HHHH", 1024, 1500, min(n - 20, 65515), 0) + bytes(n - 28)
with open(sys.argv[1], "wb") as f:
    f.write(struct.pack("<IHHIIII", 0xa1b2c3d4, 2, 4, 0, 0, 262144, 101))
    for n in 100, 65535, 200000:
        f.write(struct.pack("<IIII", 0, 0, n, n) + packet(n))
END
is "a capture with packets that are too long" \
	"$(status difftest -f "$tmp/a.nft" --packets 1 --pcap "$tmp/long.pcap")" 0
like "they are counted" "$(cat "$tmp/err")" ': 1 packets of more than 65535 bytes left out'
echo "# packet ip data 45$(printf '%0140000d' 0)" >>"$tmp/a.nft"
is "a replayed packet that is too long" "$(status difftest -f "$tmp/a.nft" --replay)" 2
like "it is named" "$(cat "$tmp/err")" 'packet 1 of the file is not understood'
is "two rulesets cannot be cut down together" \
	"$(status difftest -f "$tmp/a.nft" --against "$tmp/b.nft" --shrink)" 2
like "and it says so" "$(cat "$tmp/err")" 'not with --against'
is "nor one that is edited" "$(status difftest -f "$tmp/a.nft" --edit --shrink)" 2
is "help" "$(status difftest --help)" 0
plan
