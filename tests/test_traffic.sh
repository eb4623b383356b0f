#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Real traffic through a router that runs its ruleset as BPF: allowed and refused in all five hooks,
# v4 and v6, after nft-bpf has exited; the interpreter's counters stand still from then on.
. "$(dirname "$0")/lib.sh"

r=tr-r-$$ c=tr-c-$$ s=tr-s-$$
netns $r $c $s
veth $r cli $c eth0
veth $r srv $s eth0
addr $r cli 10.1.0.1/24 fd01::1/64
addr $c eth0 10.1.0.2/24 fd01::2/64
addr $r srv 10.2.0.1/24 fd02::1/64
addr $s eth0 10.2.0.2/24 fd02::2/64
for n in $c:1 $s:2; do
	ip -n "${n%:*}" route add default via "10.${n#*:}.0.1"
	ip -n "${n%:*}" -6 route add default via "fd0${n#*:}::1"
done
in_ns $r sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
serve $s 80 81 82 83
serve $r 80 81 82 84

cat >"$tmp/router.nft" <<'NFT'
table inet fw {
	chain pre {
		type filter hook prerouting priority raw; policy accept;
		tcp dport 83 counter drop comment "pre-drop"
	}
	chain in {
		type filter hook input priority filter; policy drop;
		counter comment "in-all"
		iif lo accept
		meta l4proto icmp counter accept comment "in-icmp"
		meta l4proto ipv6-icmp accept
		tcp dport 80 counter accept comment "in-80"
		udp dport 80 counter accept
		meta l4proto tcp tcp sport 80 accept
		udp sport 80 accept
	}
	chain forw {
		type filter hook forward priority filter; policy drop;
		iifname "cli" oifname "srv" jump out_to_server
		iifname "srv" counter accept comment "fwd-back"
	}
	chain out_to_server {
		ip saddr 10.1.0.0/24 tcp dport 80 counter accept comment "fwd-80"
		ip6 saddr fd01::/64 tcp dport 80 accept
		udp dport 80-81 accept
		meta l4proto { icmp, ipv6-icmp } accept
		tcp dport 82 accept
	}
	chain out {
		type filter hook output priority filter; policy accept;
		tcp dport 81 counter drop comment "out-drop"
	}
	chain post {
		type filter hook postrouting priority srcnat - 10; policy accept;
		tcp dport 82 counter drop comment "post-drop"
	}
}
NFT

counted="pre:pre-drop in:in-all in:in-icmp in:in-80 forw:fwd-back out_to_server:fwd-80 out:out-drop
	post:post-drop"
# interpreted RULE: packets that the kernel's own counter of CHAIN:COMMENT has.
interpreted() { counter $r fw "${1%:*}" "${1#*:}" nft; }

ok "nft-bpf -f" nb $r -f "$tmp/router.nft"
# While it took over both counted.
declare -A at_first
for rule in $counted; do
	at_first[$rule]=$(interpreted "$rule")
done
nb $r status -j >"$tmp/status"
is "all five base chains are compiled" "$(python3 -c "
import json
print(*sorted((c['chain'], c['compiled']) for c in json.load(open('$tmp/status'))['chains']))")" \
	"('forw', True) ('in', True) ('out', True) ('post', True) ('pre', True)"
is "programs are attached by links that outlived the process" \
	"$(bpftool link show -f 2>/dev/null | grep -c "nft-bpf/net-$(stat -Lc %i /run/netns/$r)/.*link")" 10

ok "forward: TCP 80 passes" tcp $c 10.2.0.2 80
ok "forward: TCP 80 passes, IPv6" tcp $c fd02::2 80
ok "forward: TCP 81 is refused by the policy" not tcp $c 10.2.0.2 81
ok "forward: TCP 81 is refused, IPv6" not tcp $c fd02::2 81
ok "forward: UDP 81 passes" udp $c 10.2.0.2 81
ok "forward: UDP 81 passes, IPv6" udp $c fd02::2 81
ok "forward: UDP 82 is refused" not udp $c 10.2.0.2 82
ok "forward: ping passes" png $c 10.2.0.2
ok "forward: ping passes, IPv6" png $c fd02::2
ok "prerouting: TCP 83 is refused" not tcp $c 10.2.0.2 83
ok "postrouting: TCP 82 is refused" not tcp $c 10.2.0.2 82
ok "postrouting: TCP 82 is refused, IPv6" not tcp $c fd02::2 82
ok "input: TCP 80 passes" tcp $c 10.1.0.1 80
ok "input: TCP 80 passes, IPv6" tcp $c fd01::1 80
ok "input: TCP 84 is refused" not tcp $c 10.1.0.1 84
ok "input: TCP 84 is refused, IPv6" not tcp $c fd01::1 84
ok "input: UDP 80 passes" udp $c 10.1.0.1 80
ok "input: UDP 81 is refused" not udp $c 10.1.0.1 81
ok "input: ping passes" png $c 10.1.0.1
ok "output: TCP 80 passes" tcp $r 10.2.0.2 80
ok "output: TCP 81 is refused" not tcp $r 10.2.0.2 81
ok "output: TCP 81 is refused, IPv6" not tcp $r fd02::2 81

for rule in $counted; do
	ok "counter ${rule#*:} moved" test "$(counter $r fw "${rule%:*}" "${rule#*:}")" -gt 0
	is "the interpreter's counter ${rule#*:} stands still" "$(interpreted "$rule")" \
		"${at_first[$rule]}"
done

before=$(counter $r fw in in-80)
ok "give" nb $r give
is "give keeps counters" "$(counter $r fw in in-80 nft)" "$before"
ok "after give: TCP 80 passes" tcp $c 10.1.0.1 80
ok "after give: TCP 84 is refused" not tcp $c 10.1.0.1 84
ok "after give the interpreter counts" test "$(counter $r fw in in-80 nft)" -gt "$before"
ok "after give nothing is pinned" test ! -e "/sys/fs/bpf/nft-bpf/net-$(stat -Lc %i /run/netns/$r)"

ok "take" nb $r take
ok "after take: TCP 80 passes" tcp $c 10.1.0.1 80
ok "after take: TCP 84 is refused" not tcp $c 10.1.0.1 84
ok "take keeps counters" test "$(counter $r fw in in-80)" -gt "$before"
kernel=$(counter $r fw in in-80 nft)
ok "after take: TCP 80 passes again" tcp $c 10.1.0.1 80
is "after take the interpreter stands still" "$(counter $r fw in in-80 nft)" "$kernel"

ok "add rule" nb $r add rule inet fw in tcp dport 84 counter accept comment '"in-84"'
ok "a rule added by nft-bpf works" tcp $c 10.1.0.1 84
ok "flush ruleset" nb $r flush ruleset
ok "after flush: everything passes" tcp $c 10.1.0.1 81
ok "after flush nothing is pinned" test ! -e "/sys/fs/bpf/nft-bpf/net-$(stat -Lc %i /run/netns/$r)"
plan
