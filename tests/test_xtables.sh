#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Rulesets of iptables-nft: the same packets, whole, short and in fragments, through the interpreter
# and through nft-bpf's programs; every rule counts the same.
. "$(dirname "$0")/lib.sh"

command -v iptables-nft-restore >/dev/null || skip_all "needs iptables-nft"

a=xt-a-$$ b=xt-b-$$ s=xt-s-$$
netns $a $b $s
veth $s toa $a eth0
veth $s tob $b eth0
in_ns $s sysctl -qw net.ipv6.conf.all.disable_ipv6=1 # says nothing of its own
for n in $a $b; do
	ip -n $n link set eth0 address 02:00:00:00:00:02
	addr $n eth0 10.0.0.2/24 fd00::2/64
	ip -n $n neigh add 10.0.0.1 lladdr 02:00:00:00:00:01 dev eth0
	ip -n $n -6 neigh add fd00::1 lladdr 02:00:00:00:00:01 dev eth0
	ip -n $n link set eth0 group 21
	ip netns exec $n sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.eth0.rp_filter=0 \
		net.ipv4.icmp_ratelimit=0 net.netfilter.nf_conntrack_acct=1
done

cat >"$tmp/v4" <<'XT'
*raw
:PREROUTING ACCEPT [0:0]
-A PREROUTING -p tcp -m tcp
-A PREROUTING -p udp -m udp
-A PREROUTING -p tcp -m multiport --dports 80,443,8000:8010
-A PREROUTING -p udp -m multiport ! --sports 53,1000:1500,1400:1600
-A PREROUTING -p icmp -m icmp --icmp-type 8/0
-A PREROUTING -p icmp -m icmp ! --icmp-type 3
-A PREROUTING -m ttl --ttl-lt 3
-A PREROUTING -m ttl --ttl-gt 63
-A PREROUTING -m ttl ! --ttl-eq 64
-A PREROUTING -m dscp --dscp 10
-A PREROUTING -m tos --tos 0x28/0x3c
-A PREROUTING -m iprange --src-range 10.0.0.1-10.0.0.9 ! --dst-range 10.0.0.3-10.0.0.9
-A PREROUTING -m mac --mac-source 02:00:00:00:00:01
-A PREROUTING -m mac ! --mac-source 02:00:00:00:00:03
-A PREROUTING -m pkttype --pkt-type unicast
-A PREROUTING -m mark --mark 0/0xf
-A PREROUTING -m comment --comment "before conntrack"
-A PREROUTING -p tcp -m multiport --ports 53,80,1000:1500
-A PREROUTING -p udp -m multiport ! --ports 53,1600
-A PREROUTING -m length --length 0:40
-A PREROUTING -m length ! --length 41:100
-A PREROUTING -m ecn --ecn-ip-ect 1
-A PREROUTING -m ecn ! --ecn-ip-ect 0
-A PREROUTING -p esp -m esp --espspi 256:1000
-A PREROUTING -p ah -m ah ! --ahspi 500
-A PREROUTING -m devgroup --src-group 0x5/0xf
-A PREROUTING -m cpu --cpu 4095
-A PREROUTING -m statistic --mode nth --every 3 --packet 1
-A PREROUTING -m statistic --mode nth ! --every 4 --packet 0
-A PREROUTING -m time --timestart 00:00 --timestop 23:59:59
-A PREROUTING -m time --datestart 2020-01-01 --datestop 2035-01-01 --weekdays Mon,Tue,Wed,Thu,Fri,Sat,Sun
-A PREROUTING -m time --weekdays Mon,Wed,Fri,Sun
-A PREROUTING -m time ! --weekdays Mon,Wed,Fri,Sun
-A PREROUTING -m time --datestop 2021-01-01
COMMIT
*filter
:INPUT ACCEPT [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
:extra - [0:0]
-A INPUT -m conntrack --ctstate NEW
-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED
-A INPUT -m conntrack ! --ctstate INVALID
-A INPUT -m conntrack --ctstate INVALID,UNTRACKED
-A INPUT -m conntrack --ctstatus ASSURED
-A INPUT -m conntrack --ctstatus SEEN_REPLY
-A INPUT -m conntrack --ctproto 17
-A INPUT -m conntrack ! --ctproto 17
-A INPUT -m conntrack --ctorigsrc 10.0.0.0/29
-A INPUT -m conntrack ! --ctorigdst 10.0.0.2
-A INPUT -m conntrack --ctorigdstport 80:443
-A INPUT -m conntrack --ctstate NEW --ctorigdst 10.0.0.2 --ctrepldstport 40000
-A INPUT -m state --state NEW,RELATED -j extra
-A INPUT -m connmark --mark 0/0xff
-A INPUT -m connmark ! --mark 0
-A INPUT -m conntrack --ctdir ORIGINAL
-A INPUT -m conntrack --ctdir REPLY
-A INPUT -m conntrack --ctexpire 25:35
-A INPUT -m conntrack ! --ctexpire 0:28
-A INPUT -m conntrack --ctstate DNAT
-A INPUT -m conntrack --ctstate ESTABLISHED,DNAT
-A INPUT -m conntrack --ctstate SNAT
-A INPUT -m connbytes --connbytes 2:3 --connbytes-dir both --connbytes-mode packets
-A INPUT -m connbytes --connbytes 60 --connbytes-dir original --connbytes-mode bytes
-A INPUT -m connbytes --connbytes 1:40 --connbytes-dir both --connbytes-mode avgpkt
-A INPUT -m realm --realm 0
-A INPUT -m realm ! --realm 0x10/0xf0
-A OUTPUT -p icmp -m owner --uid-owner 0
-A OUTPUT -p udp -m owner --uid-owner 0
-A OUTPUT -p udp -m owner --uid-owner 12 --gid-owner 12
-A OUTPUT -p udp -m owner --gid-owner 0
-A OUTPUT -p udp -m conntrack --ctdir ORIGINAL
-A extra -p tcp -m tcp --syn --dport 80 -j ACCEPT
-A extra -p udp -m udp --dport 53 -j RETURN
-A extra -p tcp -j DROP
COMMIT
*nat
:PREROUTING ACCEPT [0:0]
-A PREROUTING -p udp -m udp --dport 7777 -j REDIRECT --to-ports 53
COMMIT
XT
cat >"$tmp/v6" <<'XT'
*raw
:PREROUTING ACCEPT [0:0]
-A PREROUTING -p tcp -m tcp
-A PREROUTING -p udp -m udp
-A PREROUTING -p tcp -m multiport --dports 80,443,8000:8010
-A PREROUTING -p icmpv6 -m icmp6 --icmpv6-type 128/0
-A PREROUTING -p icmpv6 -m icmp6 ! --icmpv6-type 1
-A PREROUTING -m hl --hl-lt 3
-A PREROUTING -m hl ! --hl-eq 64
-A PREROUTING -m dscp --dscp 10
-A PREROUTING -m iprange --src-range fd00::1-fd00::9
-A PREROUTING -p udp -m multiport --ports 53,1600
-A PREROUTING -m length --length 0:60
-A PREROUTING -m ecn --ecn-ip-ect 1
-A PREROUTING -p esp -m esp --espspi 256:1000
-A PREROUTING -m devgroup ! --src-group 0x5
-A PREROUTING -m statistic --mode nth --every 5 --packet 4
COMMIT
*filter
:INPUT ACCEPT [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
-A INPUT -m conntrack --ctstate NEW
-A INPUT -m conntrack --ctstate ESTABLISHED
-A INPUT -m conntrack --ctorigsrc fd00::/125
-A INPUT -m conntrack --ctstate INVALID -j DROP
COMMIT
XT

cat >"$tmp/packets.py" <<'PY'
import random, socket, struct, sys
from checksum import checksum
random.seed(7)
eth = bytes.fromhex("020000000002 020000000001".replace(" ", ""))
def ip4(proto, data, ttl=64, tos=0, frag=0, src="10.0.0.1", dst="10.0.0.2"):
    h = struct.pack("!BBHHHBBH4s4s", 0x45, tos, 20 + len(data), random.getrandbits(16), frag, ttl,
                    proto, 0, socket.inet_aton(src), socket.inet_aton(dst))
    return eth + b"\x08\x00" + h[:10] + struct.pack("!H", checksum(h)) + h[12:] + data
def ip6(proto, data, hl=64, tc=0, src="fd00::1", dst="fd00::2"):
    return eth + b"\x86\xdd" + struct.pack("!IHBB", 6 << 28 | tc << 20, len(data), proto, hl) + \
        socket.inet_pton(socket.AF_INET6, src) + socket.inet_pton(socket.AF_INET6, dst) + data
def summed(pseudo, data, at):
    return data[:at] + struct.pack("!H", checksum(pseudo + data)) + data[at + 2:]
def pseudo4(proto, n, src="10.0.0.1", dst="10.0.0.2"):
    return socket.inet_aton(src) + socket.inet_aton(dst) + struct.pack("!BBH", 0, proto, n)
def pseudo6(proto, n):
    return socket.inet_pton(socket.AF_INET6, "fd00::1") + socket.inet_pton(socket.AF_INET6, "fd00::2") + \
        struct.pack("!II", n, proto)
def tcp(sp, dp, flags=2, opt=b""):
    return struct.pack("!HHIIBBHHH", sp, dp, 1, 0, (5 + len(opt) // 4) << 4, flags, 1000, 0, 0) + opt
def udp(sp, dp):
    return struct.pack("!HHHH", sp, dp, 12, 0) + b"data"
packets = []
for sp in 40000, 53, 1200, 1600, 1601:
    for dp in 80, 81, 443, 8000, 8010, 8011, 53:
        t, u = tcp(sp, dp, random.choice((2, 16, 18, 4))), udp(sp, dp)
        packets += [ip4(6, summed(pseudo4(6, 20), t, 16)), ip4(17, summed(pseudo4(17, 12), u, 6)),
                    ip6(6, summed(pseudo6(6, 20), t, 16)), ip6(17, summed(pseudo6(17, 12), u, 6))]
for kind in 8, 3, 0, 11, 255:
    for code in 0, 1:
        d = struct.pack("!BBHI", kind, code, 0, 0)
        packets.append(ip4(1, summed(b"", d, 2)))
for kind in 128, 1, 129, 3:
    d = struct.pack("!BBHI", kind, 0, 0, 0)
    packets.append(ip6(58, summed(pseudo6(58, 8), d, 2)))
for n in range(0, 24):                                          # cut short
    packets += [ip4(6, tcp(40000, 80)[:n]), ip4(17, udp(40000, 53)[:n]), ip4(1, b"\x08" + bytes(n)),
                ip6(6, tcp(40000, 80)[:n]), ip6(17, udp(40000, 53)[:n]), ip6(58, b"\x80" + bytes(n))]
for ttl in 1, 2, 3, 63, 64, 65, 255:
    packets += [ip4(17, udp(1, 2), ttl=ttl), ip6(17, udp(1, 2), hl=ttl)]
for tos in 0, 0x28, 0x29, 0x2c, 0x3c, 0xb8:
    packets += [ip4(17, udp(1, 2), tos=tos), ip6(17, udp(1, 2), tc=tos)]
for host in range(1, 12):
    packets += [ip4(17, udp(3, 4), src="10.0.0.%d" % host), ip6(17, udp(3, 4), src="fd00::%x" % host)]
for spi in 0, 255, 256, 500, 1000, 1001:
    head, auth = struct.pack("!II", spi, 1), struct.pack("!BBHII", 17, 1, 0, spi, 1)
    packets += [ip4(50, head), ip6(50, head), ip4(51, auth)]
packets += [ip4(50, bytes(5)), ip6(50, bytes(5)), ip4(51, bytes(9))]
packets += [ip4(17, udp(sp, 7777)) for sp in (5000, 5001)]
packets += [ip4(17, udp(1, 2), dst="10.0.0.255"), ip4(17, udp(1, 2), dst="224.0.0.1")]
packets = [p for p in packets for _ in range(2)]
# Fragments are for where nothing puts them together: without conntrack.
frags = [ip4(6, tcp(40000, 80), frag=f) for f in (1, 2, 3, 100, 0x2001)] + \
    [ip4(17, udp(40000, 53), frag=f) for f in (1, 2, 0x2002)] + \
    [ip6(44, struct.pack("!BBHI", 6, 0, f << 3, 9) + tcp(40000, 80)) for f in (1, 2, 100)]
outs = []
for dev in "toa", "tob":
    outs.append(socket.socket(socket.AF_PACKET, socket.SOCK_RAW))
    outs[-1].bind((dev, 0))
for p in frags if sys.argv[1] == "frag" else packets:
    for s in outs:
        s.send(p)
print(len(packets))
PY

load() { # NS FILE4 FILE6
	ip netns exec "$1" iptables-nft-restore <"$2" && ip netns exec "$1" ip6tables-nft-restore <"$3"
}
seen() { grep -vE '^#|^Warning|^XT ' | sed 's/ *# handle.*//'; }
send() {
	in_ns $s python3 "$tmp/packets.py" "$1" >/dev/null
	settled
}
compare() { # WHAT
	in_ns $a nft list ruleset 2>/dev/null | seen >"$tmp/interpreted"
	nb $b list ruleset 2>/dev/null | seen >"$tmp/compiled"
	is "$1: all rules count the same" "$(diff "$tmp/interpreted" "$tmp/compiled")" ""
	like "$1: the comparison is not of nothing" "$(cat "$tmp/compiled")" 'counter packets [1-9]'
}

for f in v4 v6; do
	sed '/^COMMIT/q' "$tmp/$f" >"$tmp/$f.raw"
done
ok "without conntrack, interpreted" load $a "$tmp/v4.raw" "$tmp/v6.raw"
ok "without conntrack, to be taken over" load $b "$tmp/v4.raw" "$tmp/v6.raw"
ok "nft-bpf take, every chain" nb $b --require-bpf take
ok "packets are sent" send all
ok "fragments are sent" send frag
compare "raw table"
ok "nft-bpf give" nb $b give

ok "with conntrack, interpreted" load $a "$tmp/v4" "$tmp/v6"
ok "with conntrack, to be taken over" load $b "$tmp/v4" "$tmp/v6"
ok "nft-bpf take, every chain" nb $b --require-bpf take
ok "packets are sent" send all
for n in $a $b; do # and some out
	in_ns $n python3 -c '
import os, socket
for uid, gid in (0, 0), (12, 0), (12, 12):
    if not os.fork():
        os.setgid(gid)
        os.setuid(uid)
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.sendto(b"x", ("10.0.0.1", 9))
        os._exit(0)
    os.wait()'
done
compare "both tables"
is "rules that no packet met" "$(grep -c "counter packets 0" "$tmp/interpreted")" 8
ok "nft-bpf give" nb $b give
is "iptables-nft shows the same rules again" \
	"$(ip netns exec $b iptables-nft-save | grep -v '^#' | sed 's/\[.*//')" \
	"$(ip netns exec $a iptables-nft-save | grep -v '^#' | sed 's/\[.*//')"
plan
