#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Every conntrack key on real connections: the same packets, made by hand, go through two routers,
# one with the interpreter, one with nft-bpf's programs; every rule counts the same. Handshakes, both
# ways, errors that are related, invalid packets, untracked ones, templates, zones, an expectation.
# And conntrack is on exactly where the interpreter would have it.
. "$(dirname "$0")/lib.sh"

a=ctk-a-$$ b=ctk-b-$$ s=ctk-s-$$
netns $a $b $s
in_ns $s sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1
for n in $a $b; do
	side=${n:4:1}
	in_ns $n sysctl -qw net.ipv6.conf.default.accept_ra=0 net.ipv6.conf.default.autoconf=0 \
		net.ipv6.conf.default.addr_gen_mode=1
	for net in 1 2; do
		veth $s $side$net $n eth$net
		ip -n $n link set eth$net address 02:00:00:00:0$net:fe
		addr $n eth$net 10.0.$net.254/24 fd0$net::fe/64
		ip -n $n neigh add 10.0.$net.1 lladdr 02:00:00:00:0$net:01 dev eth$net
		ip -n $n -6 neigh add fd0$net::1 lladdr 02:00:00:00:0$net:01 dev eth$net
	done
	in_ns $n sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 \
		net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.eth1.rp_filter=0 \
		net.ipv4.conf.eth2.rp_filter=0 net.ipv4.icmp_ratelimit=0 \
		net.netfilter.nf_conntrack_acct=1 net.netfilter.nf_conntrack_checksum=1
done

# Rules with every key; the counters differ where a key is read wrongly.
keys() {
	local x dir
	for x in new established related invalid untracked new,related established,untracked; do
		echo "ct state $x counter"
	done
	echo "ct state != established counter"
	for x in expected seen-reply assured confirmed snat dnat dying; do
		echo "ct status $x counter"
		echo "ct status != $x counter"
	done
	echo "ct status seen-reply,expected counter"
	echo "ct direction original counter"
	echo "ct direction reply counter"
	for x in 0 1 7; do
		echo "ct mark $x counter"
		echo "ct mark != $x counter"
	done
	echo "ct mark and 0x3 == 0x3 counter"
	for x in 20 25 50 110 170 1000 400000; do
		echo "ct expiration > ${x}s counter"
	done
	echo "ct expiration 20s-50s counter"
	echo 'ct helper "ftp" counter'
	echo 'ct helper != "ftp" counter'
	echo 'ct helper "irc" counter'
	for x in ipv4 ipv6; do
		echo "ct l3proto $x counter"
		echo "ct l3proto != $x counter"
	done
	for x in tcp udp icmp ipv6-icmp; do
		echo "ct protocol $x counter"
	done
	for dir in original reply; do
		for x in saddr daddr; do
			echo "ct $dir ip $x 10.0.1.1 counter"
			echo "ct $dir ip $x { 10.0.2.0/24, 10.0.1.254 } counter"
			echo "ct $dir ip $x != 10.0.2.1 counter"
			echo "ct $dir ip6 $x fd01::1 counter"
			echo "ct $dir ip6 $x { fd02::/64, fd01::fe } counter"
			echo "ct $dir ip6 $x != fd02::1 counter"
		done
		for x in proto-src proto-dst; do
			echo "meta l4proto { tcp, udp } ct $dir $x 80 counter"
			echo "meta l4proto { tcp, udp } ct $dir $x 1000-41000 counter"
			echo "meta l4proto { icmp, ipv6-icmp } ct $dir $x 0-256 counter"
		done
		for x in 0 9; do
			echo "ct $dir zone $x counter"
		done
		for x in 1 2 5; do
			echo "ct $dir packets > $x counter"
		done
		for x in 60 100 200; do
			echo "ct $dir bytes > $x counter"
			echo "ct $dir avgpkt > $x counter"
		done
	done
	for x in 0 8 9; do
		echo "ct zone $x counter"
	done
	echo "ct packets 2-4 counter"
	echo "ct bytes > 150 counter"
	echo "ct avgpkt > 45 counter"
	for x in 0 3 64 127; do
		echo "ct label $x counter"
	done
	echo "ct state . ct direction { new . original, established . reply } counter"
	echo "ct mark vmap { 1 : continue, 7 : continue } counter"
}

# What writes stays with the interpreter, on both sides.
cat >"$tmp/writes.nft" <<'NFT'
table inet writes {
	ct helper ftp-std {
		type "ftp" protocol tcp;
	}
	chain early {
		type filter hook prerouting priority raw;
		udp dport 9999 notrack
		udp dport 5555 ct zone set 9
		udp sport 5555 ct zone set 9
		udp dport 5556 ct original zone set 8
	}
	chain marks {
		type filter hook prerouting priority -150;
		tcp dport 21 ct helper set "ftp-std"
		tcp dport 80 ct mark set 7 ct label set 3
		udp dport 53 ct mark set 1 ct label set 127
	}
}
NFT
{
	echo "table inet keys {"
	# The one before conntrack sees nothing yet, or a template.
	for hook in "prerouting -250" "prerouting 0" "forward 0" "input 0" "output 0" "postrouting 0"; do
		set -- $hook
		echo "chain k_$1_${2#-} {"
		keys
		echo "}"
		echo "chain b_$1_${2#-} {"
		echo "type filter hook $1 priority $2; policy accept;"
		case $1 in
		input) echo "icmp type echo-request jump k_$1_$2"
			echo "icmpv6 type echo-request jump k_$1_$2" ;;
		output) echo "icmp type echo-reply jump k_$1_$2"
			echo "icmpv6 type echo-reply jump k_$1_$2" ;;
		*) echo "ip saddr 10.0.0.0/16 ip daddr 10.0.0.0/16 jump k_$1_${2#-}"
			echo "ip6 saddr fd00::/12 ip6 daddr fd00::/12 jump k_$1_${2#-}" ;;
		esac
		echo "}"
	done
	echo "}"
} >"$tmp/keys.nft"

cat >"$tmp/packets.py" <<'PY'
import socket, struct, sys, time
from checksum import checksum
class Net:
    """One family: addresses, packets, the two sides."""
    def __init__(self, v6):
        self.v6 = v6
        self.client, self.server, self.router = \
            ("fd01::1", "fd02::1", "fd01::fe") if v6 else ("10.0.1.1", "10.0.2.1", "10.0.1.254")
        self.icmp = 58 if v6 else 1
    def addr(self, x):
        return socket.inet_pton(socket.AF_INET6 if self.v6 else socket.AF_INET, x)
    def ip(self, proto, data, src, dst, ttl=64):
        if self.v6:
            return struct.pack("!IHBB", 6 << 28, len(data), proto, ttl) + self.addr(src) + self.addr(dst) + data
        h = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(data), 1, 0, ttl, proto, 0) + self.addr(src) + self.addr(dst)
        return h[:10] + struct.pack("!H", checksum(h)) + h[12:] + data
    def l4(self, proto, data, at, src, dst, bad=0):
        n = len(data)
        pseudo = self.addr(src) + self.addr(dst) + (struct.pack("!II", n, proto) if self.v6 else struct.pack("!BBH", 0, proto, n))
        if proto == 1:
            pseudo = b""
        data = data[:at] + struct.pack("!H", (checksum(pseudo + data) + bad) & 0xffff) + data[at + 2:]
        return self.ip(proto, data, src, dst)
    def ends(self, back):
        return (self.server, self.client) if back else (self.client, self.server)
    def tcp(self, back, sp, dp, flags, seq, ack, payload=b"", bad=0):
        src, dst = self.ends(back)
        d = struct.pack("!HHIIBBHHH", *((dp, sp) if back else (sp, dp)), seq & 0xffffffff, ack & 0xffffffff, 5 << 4, flags, 8000, 0, 0)
        send(self, back, self.l4(6, d + payload, 16, src, dst, bad))
    def udp(self, back, sp, dp, payload=b"data", bad=0):
        src, dst = self.ends(back)
        d = struct.pack("!HHHH", *((dp, sp) if back else (sp, dp)), 8 + len(payload), 0) + payload
        p = self.l4(17, d, 6, src, dst, bad)
        send(self, back, p)
        return p
    def echo(self, back, ident, dst=None, reply=None):
        src, to = self.ends(back)
        kind = (129 if self.v6 else 0) if (back if reply is None else reply) else (128 if self.v6 else 8)
        send(self, back, self.l4(self.icmp, struct.pack("!BBHHH", kind, 0, 0, ident, 1) + b"x" * 40, 2, src, dst or to))
    def unreachable(self, back, inner):
        src, dst = self.ends(back)
        kind, code = (1, 4) if self.v6 else (3, 3)
        send(self, back, self.l4(self.icmp, struct.pack("!BBHI", kind, code, 0, 0) + inner[:128], 2, src, dst))
    def connect(self, sp, dp):
        self.tcp(0, sp, dp, SYN, 1000, 0)
        self.tcp(1, sp, dp, SYN | ACK, 5000, 1001)
        self.tcp(0, sp, dp, ACK, 1001, 5001)
FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
socks = {}
for dev in "a1", "a2", "b1", "b2":
    socks[dev] = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    socks[dev].bind((dev, 0))
count = 0
def send(net, back, packet):
    global count
    n = 2 if back else 1
    mac = bytes((2, 0, 0, 0, n, 0xfe, 2, 0, 0, 0, n, 1))
    for router in "a", "b":
        socks["%s%d" % (router, n)].send(mac + (b"\x86\xdd" if net.v6 else b"\x08\x00") + packet)
    count += 1
    time.sleep(0.0005)
def traffic(t):
    t.connect(40000, 80)                                         # handshake, data, close
    t.tcp(0, 40000, 80, PSH | ACK, 1001, 5001, b"G" * 100)
    t.tcp(1, 40000, 80, ACK, 5001, 1101)
    t.tcp(1, 40000, 80, PSH | ACK, 5001, 1101, b"R" * 400)
    t.tcp(0, 40000, 80, ACK, 1101, 5401)
    t.tcp(1, 40000, 80, FIN | ACK, 5401, 1101)
    t.tcp(0, 40000, 80, FIN | ACK, 1101, 5402)
    t.tcp(1, 40000, 80, ACK, 5402, 1102)
    t.connect(40001, 443)                                        # stays
    t.tcp(0, 40001, 443, PSH | ACK, 1001, 5001, b"G")
    t.tcp(1, 40001, 443, ACK, 5001, 1002)
    t.tcp(0, 40001, 443, ACK, 900000000, 5001)                   # out of the window
    t.tcp(0, 40002, 443, SYN, 1, 0)                              # refused
    t.tcp(1, 40002, 443, RST | ACK, 0, 2)
    t.tcp(1, 40003, 443, SYN | ACK, 1, 1)                        # out of the blue
    t.tcp(0, 40004, 443, 0, 1, 1)
    t.tcp(0, 40005, 443, SYN | FIN, 1, 1)
    t.tcp(0, 40006, 443, RST, 1, 1)
    t.tcp(0, 40007, 443, SYN, 1, 0, bad=1)
    t.tcp(0, 40008, 443, ACK, 7, 7)                              # picked up
    u = t.udp(0, 41000, 53)
    t.unreachable(1, u)                                          # related
    t.udp(0, 41000, 53)
    t.udp(1, 41000, 53, b"answer" * 20)
    for i in range(4):
        t.udp(i & 1, 41000, 53)                                  # a stream
    t.udp(0, 41001, 53, bad=1)
    v = t.ip(17, struct.pack("!HHHH", 41555, 53, 12, 0) + b"data", t.client, t.server)
    t.unreachable(1, v)                                          # of no connection
    t.unreachable(0, u)
    t.unreachable(1, u[:24])
    t.udp(0, 41002, 9999)                                        # untracked
    t.udp(1, 41002, 9999)
    for port in 5555, 5556:                                      # zones
        t.udp(0, 41003, port)
        t.udp(1, 41003, port)
        t.udp(0, 41003, port)
    t.echo(0, 1)
    t.echo(1, 1)
    t.echo(0, 1)
    t.echo(1, 2)                                                 # a reply to nothing
    t.echo(0, 3, dst=t.router)                                   # input, output
    t.echo(0, 3, dst=t.router)
    t.connect(40021, 21)                                         # ftp
    t.tcp(1, 40021, 21, PSH | ACK, 5001, 1001, b"220 hello\r\n")
    t.tcp(0, 40021, 21, ACK, 1001, 5012)
    ask = b"EPSV\r\n" if t.v6 else b"PASV\r\n"
    t.tcp(0, 40021, 21, PSH | ACK, 1001, 5012, ask)
    t.tcp(1, 40021, 21, ACK, 5012, 1007)
    told = b"229 Entering Extended Passive Mode (|||51210|)\r\n" if t.v6 else \
        b"227 Entering Passive Mode (10,0,2,1,200,10)\r\n"
    t.tcp(1, 40021, 21, PSH | ACK, 5012, 1007, told)
    t.tcp(0, 40021, 21, ACK, 1007, 5012 + len(told))
    t.connect(40022, 51210)                                      # expected
    t.tcp(1, 40022, 51210, PSH | ACK, 5001, 1001, b"d" * 300)
    t.connect(40023, 51210)                                      # not again
    send(t, 0, t.ip(6, b"\x00\x50", t.client, t.server))         # cut short
    send(t, 0, t.ip(132, b"\0" * 4, t.client, t.server))
    send(t, 0, t.ip(253, b"\0" * 40, t.client, t.server))        # a protocol of its own
    send(t, 1, t.ip(253, b"\0" * 40, t.server, t.client))
def fragments(t):                                                # a datagram in two
    d = t.l4(17, struct.pack("!HHHH", 42000, 53, 8 + 24, 0) + b"f" * 24, 6, t.client, t.server)
    if t.v6:
        for off, more, part in (0, 1, d[40:56]), (16, 0, d[56:]):
            send(t, 0, t.ip(44, struct.pack("!BBHI", 17, 0, off | more, 77) + part, t.client, t.server))
        return
    for off, more, part in (0, 1, d[20:36]), (16, 0, d[36:]):
        h = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(part), 99, more << 13 | off // 8, 64, 17, 0) + d[12:20]
        send(t, 0, h[:10] + struct.pack("!H", checksum(h)) + h[12:] + part)
for v6 in False, True:
    if sys.argv[1] == "all":
        traffic(Net(v6))
    elif sys.argv[1] == "probe":
        Net(v6).udp(0, int(sys.argv[2]), 53)
    else:
        fragments(Net(v6))
print(count)
PY

send() {
	in_ns $s python3 "$tmp/packets.py" "$@" >/dev/null
	settled
}
seen() { sed 's/ *# handle.*//'; }
in_ns $a nft -f "$tmp/writes.nft"
ok "the interpreter's rules" in_ns $a nft -f "$tmp/keys.nft"
ok "nft-bpf -f" nb $b -f <(cat "$tmp/writes.nft" "$tmp/keys.nft")
is "every chain that only reads is compiled" \
	"$(nb $b status | grep -c 'inet keys .*: BPF')" 6
ok "packets are sent" send all
in_ns $a nft list table inet keys | seen >"$tmp/interpreted"
nb $b list table inet keys | seen >"$tmp/compiled"
is "all rules count the same" "$(diff "$tmp/interpreted" "$tmp/compiled")" ""
zero() { # CHAIN PATTERN: rules of it that count nothing
	sed -n "/chain $1 {/,/}\$/p" "$tmp/compiled" | grep -E -- "$2" >"$tmp/met" || echo none
	grep -c 'packets 0 ' "$tmp/met"
}
for key in 'ct state (new|established|related|invalid|untracked) ' 'ct status (expected|seen-reply|assured) ' \
	'ct helper "ftp"' 'ct direction' 'ct mark 0x0000000[17] ' 'ct label (3|127) ' 'ct (l3proto|protocol)' \
	'zone 9 ' 'ct (original|reply) ip6? [sd]addr' 'ct expiration > (25|50|400000)?s' 'ct packets'; do
	is "forwarded packets meet: $key" "$(zero k_forward_0 "$key")" 0
done
like "a template has a state" "$(sed -n '/k_prerouting_250 {/,/}$/p' "$tmp/compiled")" 'ct state new counter packets [1-9]'
is "and nothing else" "$(sed -n '/k_prerouting_250 {/,/}$/p' "$tmp/compiled" | grep -E 'ct (status|zone|mark)' |
	grep -c 'packets [1-9]')" 0

# ---- where conntrack is on ----

tracked() { # NS PORT: which families have a connection from that port
	in_ns $1 cat /proc/net/nf_conntrack | awk "/sport=$2 /{print \$1}" | sort -u | paste -sd ' '
}
port=43000
same() { # WHAT: what is tracked, how many fragments are seen
	local v
	port=$((port + 1))
	send probe $port
	is "$1: conntrack is on where the interpreter has it" "$(tracked $b $port)" "$(tracked $a $port)"
	is "$1: namely" "$(tracked $b $port)" "$2"
	send fragments
	for v in $a $b; do
		in_ns $v nft list table inet watch | grep -o 'packets [0-9]*' | paste -sd ' ' >"$tmp/frags.$v"
	done
	is "$1: so is defragmentation" "$(cat "$tmp/frags.$b")" "$(cat "$tmp/frags.$a")"
}
cat >"$tmp/watch.nft" <<'NFT'
table inet watch {
	chain pre {
		type filter hook prerouting priority 10;
		meta mark set 1
		ip frag-off & 0x3fff != 0 counter
		exthdr frag exists counter
	}
}
NFT
load() {
	in_ns $a nft flush ruleset
	nb $b flush ruleset
	in_ns $a nft -f "$tmp/watch.nft"
	in_ns $b nft -f "$tmp/watch.nft"
	in_ns $a nft -f "$1"
	nb $b -f "$1" 2>/dev/null
}
for family in ip ip6 inet; do
	cat >"$tmp/$family.nft" <<NFT
table $family t {
	chain forward {
		type filter hook forward priority 0; policy accept;
		ct state established accept
	}
}
NFT
done
load "$tmp/ip.nft"
same "ct in a table ip" ipv4
load "$tmp/ip6.nft"
same "ct in a table ip6" ipv6
load "$tmp/inet.nft"
same "ct in a table inet" "ipv4 ipv6"
is "the chain is compiled" "$(nb $b status | grep -c 'inet t forward.*: BPF')" 1
in_ns $a nft delete table inet t
ok "the table goes" nb $b delete table inet t
same "without it" ""

# Established flows in front: up to the first verdict no helper is called, no register saved over a
# call, and neither length nor data of the packet are looked at.
cat >"$tmp/hot.nft" <<'NFT'
table ip t {
	chain c {
		type filter hook input priority 0; policy drop;
		ct state established,related accept
		iifname "lo" accept
		ip saddr 10.0.0.0/8 meta length > 100 counter drop
		tcp dport 22 counter accept
		tcp dport { 80, 443 } counter accept
	}
}
NFT
hot=$("$NFT_BPF" compile -f "$tmp/hot.nft" -o "$tmp/hot.o" --dump asm |
	awk '/^v4_/ { on = 1 } on && /^\t[^.#]/ { print } on && /be32|<<= 24/ { exit }')
is "an established flow: loads" "$(grep -c ' = \*(' <<<"$hot")" 2
is "an established flow: calls" "$(grep -c call <<<"$hot")" 0
is "an established flow: short" "$(($(wc -l <<<"$hot") <= 16))" 1
plan
