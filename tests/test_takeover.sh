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

beside $r python3 - "$tmp/leak" "$tmp/alive" <<'PY' &
import os, select, signal, socket, sys
signal.signal(signal.SIGHUP, lambda *_: os.truncate(sys.argv[1], 0)) # one failure is told once
def bound(port):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(("0.0.0.0", port))
    s.setblocking(False)
    return s
bad, good = bound(666), bound(777)
leak, alive, n = open(sys.argv[1], "a"), open(sys.argv[2], "w"), 0
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
receiver=$!
in_ns $r nft -f "$tmp/plain.nft"
beside $p python3 - <<'PY' &
import socket, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
while True: # some 20,000 a second, and room for the rest
    time.sleep(0.0002)
    for port in 666, 666, 666, 777:
        try:
            s.sendto(b"x", ("10.9.0.1", port))
        except OSError:
            pass
PY
size() { stat -c %s "$1" 2>/dev/null || echo 0; }
more() { [ "$(size "$tmp/alive")" -gt "$1" ]; }
wait_for more 0 # until both are up

closed() { [ ! -s "$tmp/leak" ]; }
passes() { wait_for more "$(size "$tmp/alive")"; } # something allowed arrives
killed() { # killed STEP COMMAND…: the command must die by SIGKILL
	NFT_BPF_STOP_AT=$1 "${@:2}" >/dev/null 2>&1
	[ $? = 137 ]
}
all_bpf() {
	nb $r status -j | python3 -c "
import json, sys
st = json.load(sys.stdin)
sys.exit(not all(c['compiled'] for c in st['chains'] if c['type'] == 'filter') or st['unfinished'])"
}
no_pins() { [ ! -e "/sys/fs/bpf/nft-bpf/net-$(stat -Lc %i /run/netns/$r)" ]; }
awake() { ! in_ns $r nft list ruleset | grep -q dormant && in_ns $r nft list chain inet t in | grep -q hook; }

ok "before: refused traffic does not pass" closed
ok "before: allowed traffic passes" passes

interpreted() { nb $r give && in_ns $r nft -f "$tmp/$shape.nft"; }
compiled() { nb $r -f "$tmp/$shape.nft"; }
load() { nb $r -f "$tmp/$shape.nft" && all_bpf; }
again() { nb $r -f "$tmp/$shape-again.nft" && all_bpf; }
take() { nb $r take && all_bpf; }
give() { nb $r give && no_pins && awake; }

# each WHAT PREPARE STEPS REPAIRS COMMAND…: killed at each step; one of the ways to repair in turn, or
# with TAKEOVER_ALL=1 each of them. TAKEOVER_ONLY=TEXT: only where the name has that in it.
each() {
	local what=$1 prepare=$2 steps=$3 repairs=($4) step repair turn=0 at
	shift 4
	[[ "$shape: $what" == *"${TAKEOVER_ONLY:-}"* ]] || return 0
	for step in $steps; do
		turn=$((turn + 1))
		for repair in "${repairs[@]}"; do
			[ -n "${TAKEOVER_ALL:-}" ] ||
				[ "$repair" = "${repairs[turn % ${#repairs[@]}]}" ] || continue
			at="$shape: $what, killed at $step"
			$prepare >/dev/null 2>&1
			ok "$at" killed "$step" "$@"
			ok "$at: not stuck" passes
			ok "$at: closed" closed
			ok "$at: list and status work" listed
			ok "$at: $repair repairs" "$repair"
			ok "$at: $repair: not stuck" passes
			ok "$at: $repair: closed" closed
			[ ! -s "$tmp/leak" ] || kill -HUP $receiver
		done
	done
}
listed() { nb $r status && nb $r list ruleset | grep -q 'hook input'; }

give_steps=${steps#* } # no roots are attached
for shape in plain mixed; do
	each "load over nft" interpreted "$steps" "load give" nb $r -f "$tmp/$shape.nft"
	each "take" interpreted "$steps" "take load give" nb $r take
	each "reload" compiled "$steps" "load give take" nb $r -f "$tmp/$shape.nft"
	each "add on top" compiled "$steps" "again give" nb $r -f "$tmp/$shape-again.nft"
	each "give" compiled "$give_steps" "load give" nb $r give
	# The chain that refuses comes before its old place: there is a moment when both places have it.
	{
		echo "flush chain inet t in; delete chain inet t in; table inet t {"
		sed -n '/chain in {/,/^\t}/{s/priority filter/priority filter - 10/;p}' "$tmp/$shape.nft"
		echo "}"
	} >"$tmp/forward.nft"
	each "come forward" compiled "committed forward flipped parked" "load give take" nb $r -f "$tmp/forward.nft"
done

# The refusal moves from a rule to the policy, where chains are regular ones: whoever repairs must know
# the new policy, which only the manifest of the killed load has.
shape=mixed
sed -e 's/^flush ruleset$/flush chain inet t common; flush chain inet t in; flush chain inet t nat; flush chain inet t pre/' \
	-e '/udp dport 666/d' "$tmp/mixed.nft" >"$tmp/by-policy.nft"
by_rule() {
	nb $r give
	in_ns $r nft -f "$tmp/mixed.nft"
	in_ns $r nft 'add chain inet t in { policy accept; }'
	nb $r take
}
each "refusal becomes the policy" by_rule "$give_steps" "give take" nb $r -f "$tmp/by-policy.nft"

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
