#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# One ruleset that reads and keeps all that can be: it loads compiled, explain says so, and behind
# packets all that it keeps is what the interpreter keeps.
. "$(dirname "$0")/lib.sh"

a=ev-a-$$ b=ev-b-$$ s=ev-s-$$
file=$top_srcdir/testdata/everything.nft
netns $a $b $s
for n in $a $b $s; do # they say nothing of their own
	in_ns $n sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1
done
for n in $a $b; do
	veth $s to${n:3:1} $n eth0
	ip -n $n link set eth0 address 02:00:00:00:00:02
	addr $n eth0 192.0.2.1/24
	ip -n $n neigh add 192.0.2.2 lladdr 02:00:00:00:00:01 dev eth0
	ip netns exec $n sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.eth0.rp_filter=0 \
		net.netfilter.nf_conntrack_acct=1
done

explained=$(nb $b explain -f "$file")
is "explain: every chain is compiled" "$(grep -c '^	chain .*: compiled' <<<"$explained")" 7
is "explain: no rule is to blame for anything" "$(grep -c '\^' <<<"$explained")" 0
like "explain: where chains run" "$explained" \
	'chain input \(filter, input, priority 0\): compiled into v4_input_0, v6_input_0'
like "explain: an anonymous set is known by its rule" "$explained" \
	'set of early rule 3: search tree in code, 2 elements'
like "explain: a map to objects" "$explained" 'set rates: interval tree, 2 elements'
is "explain: each set once" "$(grep -o '^	set [^:]*' <<<"$explained" | sort | uniq -d)" ""
ok "the interpreter's" in_ns $a nft -f "$file"
ok "nft-bpf -f, all of it compiled" nb $b --require-bpf -f "$file"
is "explain of what runs says the same" "$(nb $b explain | grep -c '^	chain .*: compiled')" 7

cat >"$tmp/packets.py" <<'PY'
import random, socket, struct
from checksum import checksum
random.seed(11)
def packet(src, proto, data, at, tos=0):
    ends = socket.inet_aton(src) + socket.inet_aton("192.0.2.1")
    pseudo = b"" if proto == 1 else ends + struct.pack("!BBH", 0, proto, len(data))
    data = data[:at] + struct.pack("!H", checksum(pseudo + data)) + data[at + 2:]
    h = struct.pack("!BBHHHBBH", 0x45, tos, 20 + len(data), 1, 0, 64, proto, 0) + ends
    return bytes.fromhex("0200000000020200000000010800") + h[:10] + struct.pack("!H", checksum(h)) + \
        h[12:] + data
def tcp(sp, dp, flags, opt):
    return struct.pack("!HHIIBBHHH", sp, dp, 1, 0, (5 + len(opt) // 4) << 4, flags, 1000, 0, 0) + opt
def udp(sp, dp):
    return struct.pack("!HHHH", sp, dp, 12, 0) + b"data"
packets = []
sources = ["192.0.2.2", "192.0.2.3", "192.0.2.40", "198.51.100.7", "198.51.100.9", "203.0.113.5",
           "10.1.2.3"]
for i in range(600):
    src, sp = random.choice(sources), random.randrange(1024, 65536)
    kind = random.randrange(4)
    if kind < 2:
        mss = random.choice((b"", b"\2\4\1\0", b"\2\4\5\xb4"))
        port = random.choice((22, 53, 80, 443, 8000, 8100, 8101, 9000))
        packets.append(packet(src, 6, tcp(sp, port, random.choice((2, 16, 18, 4, 0)), mss), 16,
                              random.choice((0, 0x20, 0x48))))
    elif kind == 2:
        packets.append(packet(src, 17, udp(sp, random.choice((53, 60000, 60500, 61000, 7))), 6))
    else:
        packets.append(packet(src, 1, struct.pack("!BBHI", random.choice((8, 3, 11, 0)), 0, 0, i), 2))
outs = []
for dev in "toa", "tob":
    outs.append(socket.socket(socket.AF_PACKET, socket.SOCK_RAW))
    outs[-1].bind((dev, 0))
for p in packets:
    for s in outs:
        s.send(p)
PY
ok "packets are sent" in_ns $s python3 "$tmp/packets.py"
settled
# An element's time to live is another a moment later.
state() { sed -E 's/ expires [0-9hms]+//'; }
in_ns $a nft list ruleset | state >"$tmp/interpreted"
nb $b list ruleset | state >"$tmp/compiled"
is "all that is kept is the same" "$(diff "$tmp/interpreted" "$tmp/compiled")" ""
is "rules that met a packet" "$(grep -c "packets [1-9]" "$tmp/compiled")" 9
ok "nft-bpf give" nb $b give
rules() { in_ns $1 nft list table inet everything | state | sed -E 's/packets [0-9]+ bytes [0-9]+//; s/ used .*//'; }
is "the ruleset is the user's again" "$(diff <(rules $b | sort) <(rules $a | sort))" ""
plan
