#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Killed at every step of load, reload, take and give, under traffic: a datagram that the rules refuse
# never arrives, one that they allow does afterwards, and the next load or give repairs.
. "$(dirname "$0")/lib.sh"

r=to-r-$$ p=to-p-$$
netns $r $p
veth $r eth0 $p eth0
addr $r eth0 10.9.0.1/24
addr $p eth0 10.9.0.2/24
steps="attached filled pinned committed woken flipped parked detached dropped"

# Port 666 is refused, 777 is allowed. All base chains compiled: the table sleeps.
cat >"$tmp/plain.nft" <<'NFT'
flush ruleset
table inet t {
	chain common {
		udp dport 666 counter drop comment "refused"
	}
	chain in {
		type filter hook input priority filter; policy drop;
		jump common
		udp dport 777 counter accept comment "allowed"
		meta l4proto { icmp, ipv6-icmp } accept
	}
	chain pre {
		type filter hook prerouting priority raw; policy accept;
		udp dport 665 drop
	}
}
NFT
# A table with a nat chain: the compiled ones become regular chains.
sed 's/^}$/\tchain nat {\n\t\ttype nat hook postrouting priority srcnat; policy accept;\n\t\toifname "nowhere" masquerade\n\t}\n}/' \
	"$tmp/plain.nft" >"$tmp/mixed.nft"
# Not flushed: declares its chains again on top of what is there, parked or not.
for f in plain mixed; do
	sed -e 's/^flush ruleset$//' -e 's/jump common/udp dport 666 drop/' "$tmp/$f.nft" >"$tmp/$f-again.nft"
done

in_ns $r python3 - "$tmp/leak" "$tmp/alive" <<'PY' &
import select, socket, sys
def bound(port):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(("0.0.0.0", port))
    s.setblocking(False)
    return s
bad, good = bound(666), bound(777)
leak, alive, n = open(sys.argv[1], "w"), open(sys.argv[2], "w"), 0
while True:
    for s in select.select([bad, good], [], [])[0]:
        try:
            while True:
                s.recv(64)
                if s is bad:
                    leak.write("x"); leak.flush()
                else:
                    n += 1
                    if n % 50 == 0:
                        alive.write("x"); alive.flush()
        except BlockingIOError:
            pass
PY
flood() {
	in_ns $p python3 - <<'PY'
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
while True:
    for port in 666, 666, 666, 777:
        try:
            s.sendto(b"x", ("10.9.0.1", port))
        except OSError:
            pass
PY
}
in_ns $r nft -f "$tmp/plain.nft"
flood &
sleep 1

size() { stat -c %s "$1"; }
closed() { [ ! -s "$tmp/leak" ]; }
passes() { # something allowed arrives within a second
	local before i
	before=$(size "$tmp/alive")
	for i in $(seq 20); do
		sleep 0.05
		[ "$(size "$tmp/alive")" -gt "$before" ] && return 0
	done
	return 1
}
killed() { # killed STEP COMMAND…: the command must die by SIGKILL
	NFT_BPF_STOP_AT=$1 "${@:2}" >/dev/null 2>&1
	[ $? = 137 ]
}
status_is() { # status_is KEY VALUE, of nft-bpf status -j
	[ "$(nb $r status -j | python3 -c "
import json, sys
print(json.load(sys.stdin).get('$1'))")" = "$2" ]
}
all_bpf() {
	nb $r status -j | python3 -c "
import json, sys
st = json.load(sys.stdin)
sys.exit(not all(c['compiled'] for c in st['chains'] if c['type'] == 'filter') or st['unfinished'])"
}
no_pins() { [ ! -e "/sys/fs/bpf/nft-bpf/net-$(stat -Lc %i /run/netns/$r)" ]; }
no_links() { [ -z "$(ls "/sys/fs/bpf/nft-bpf/net-$(stat -Lc %i /run/netns/$r)/roots" 2>/dev/null)" ]; }
awake() { ! in_ns $r nft list ruleset | grep -q dormant && in_ns $r nft list chain inet t in | grep -q hook; }

ok "before: refused traffic does not pass" closed
ok "before: allowed traffic passes" passes

# each WHAT PREPARE COMMAND REPAIR…
each() {
	local what=$1 prepare=$2 command=$3 step
	for step in $steps; do
		$prepare >/dev/null 2>&1
		killed "$step" $command
		case $? in
		0) ;;
		*) ok "$what, killed at $step: reached" false ;;
		esac
		ok "$what, killed at $step: closed" closed
		ok "$what, killed at $step: not stuck" passes
		ok "$what, killed at $step: status works" nb $r status
		ok "$what, killed at $step: list works" nb $r list ruleset
		ok "$what, killed at $step: $4 repairs" $4
		ok "$what, killed at $step: $5 afterwards" $5
		ok "$what, killed at $step: closed afterwards" closed
		ok "$what, killed at $step: passes afterwards" passes
		: >"$tmp/leak"
	done
}
interpreted() { nb $r give; in_ns $r nft -f "$tmp/$shape.nft"; }
compiled() { nb $r -f "$tmp/$shape.nft"; }
load() { nb $r -f "$tmp/$shape.nft"; }
again() { nb $r -f "$tmp/$shape-again.nft"; }
take() { nb $r take; }
give() { nb $r give; }
given() { no_pins && awake; }

for shape in plain mixed; do
	each "$shape: load over nft" interpreted "nb $r -f $tmp/$shape.nft" load all_bpf
	each "$shape: load over nft" interpreted "nb $r -f $tmp/$shape.nft" give given
	each "$shape: take" interpreted "nb $r take" take all_bpf
	each "$shape: reload" compiled "nb $r -f $tmp/$shape.nft" load all_bpf
	each "$shape: reload" compiled "nb $r -f $tmp/$shape.nft" give given
	each "$shape: add on top" compiled "nb $r -f $tmp/$shape-again.nft" again all_bpf
	each "$shape: add on top" compiled "nb $r -f $tmp/$shape-again.nft" give given
	each "$shape: give" compiled "nb $r give" load all_bpf
	each "$shape: give" compiled "nb $r give" give given
done

# From one shape to the other: chains change their way of being off their hooks.
for i in 1 2 3; do
	ok "mixed" nb $r -f "$tmp/mixed.nft"
	ok "mixed: all filter chains are BPF" all_bpf
	ok "plain" nb $r -f "$tmp/plain.nft"
	ok "plain: all filter chains are BPF" all_bpf
done
ok "closed through all changes of shape" closed
ok "passes after all changes of shape" passes
plan
