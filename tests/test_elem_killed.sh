#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Counters and quotas of elements, in sets of every kind, killed at every step of reload, give and take:
# no packet is under way meanwhile, so after any repair and back with the interpreter each of them says
# what it counted, no more and no less.
. "$(dirname "$0")/lib.sh"

r=ek-r-$$
netns $r
cat >"$tmp/a.nft" <<'NFT'
table inet t {
	set hash { type ipv4_addr; counter; elements = { 127.0.0.1, 127.0.0.2 }; }
	set ivl { type inet_service; flags interval; counter; elements = { 1000-1001, 2000-3000 }; }
	set boxes { type ipv4_addr . inet_service; flags interval; counter
		elements = { 127.0.0.0/30 . 1000-1001, 10.0.0.0/8 . 1-9 }; }
	set some { type inet_service; quota 1 mbytes; elements = { 1000, 1001 }; }
	set dyn { type ipv4_addr; flags dynamic; counter; }
	map v { type inet_service : verdict; flags interval; counter; elements = { 1000 : continue, 1002-1009 : continue }; }
	chain in {
		type filter hook input priority filter; policy accept;
		meta l4proto != udp accept
		ip daddr @hash
		udp dport @ivl
		ip daddr . udp dport @boxes
		udp dport @some
		udp dport vmap @v
		ip daddr . udp dport { 127.0.0.1 . 1000 counter, 127.0.0.2 . 1000-1001 counter }
		add @dyn { ip daddr }
	}
}
NFT
{ echo "flush ruleset"; cat "$tmp/a.nft"; } >"$tmp/whole.nft"
echo 'add rule inet t in udp dport 4 counter' >"$tmp/more.nft"
echo 'insert rule inet t in udp dport 4 reject' >"$tmp/left.nft"

sends() { # 3 to one, 5 to the other
	in_ns $r python3 -c "
import socket
for host, port, n in ('127.0.0.1', 1000, 3), ('127.0.0.2', 1001, 5):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    for i in range(n):
        s.sendto(b'x' * 10, (host, port))
        try: # the error that the one before met
            s.setblocking(False); s.recv(1)
        except OSError:
            pass" 2>/dev/null
}
# What counted how much; packets of counters, bytes of quotas.
said() {
	sed -n 's/^[\t ]*elements = { //p; s/.*vmap.*//; s/^.*dport { \(.*\) }/\1/p; s/^\t\t\t     \(.*\)/\1/p' | tr ',' '\n' |
		sed -n 's/^ *\(.*[^ ]\) counter packets \([0-9]*\) .*/\1: \2/p; s/^ *\([0-9]*\) quota 1 mbytes used \([0-9]*\) bytes.*/\1 used \2/p' | sort
}
ours() { nb $r list ruleset | said; }
kernels() { in_ns $r nft list ruleset | said; }
times() { # N: what all say when it was sent N times
	cat <<-EOF | sort
		127.0.0.1: $((3 * $1))
		127.0.0.2: $((5 * $1))
		127.0.0.1: $((3 * $1))
		127.0.0.2: $((5 * $1))
		1000-1001: $((8 * $1))
		2000-3000: 0
		127.0.0.0/30 . 1000-1001: $((8 * $1))
		10.0.0.0/8 . 1-9: 0
		1000 used $((3 * 38 * $1))
		1001 used $((5 * 38 * $1))
		1000: $((3 * $1))
		1002-1009: 0
		127.0.0.1 . 1000: $((3 * $1))
		127.0.0.2 . 1000-1001: $((5 * $1))
	EOF
}
killed() { # STEP COMMAND…
	NFT_BPF_STOP_AT=$1 "${@:2}" >/dev/null 2>&1
	[ $? = 137 ]
}
begin() {
	nb $r give
	in_ns $r nft flush ruleset
	nb $r -f "$tmp/whole.nft"
} >/dev/null 2>&1

begin
sends
is "counted" "$(ours)" "$(times 1)"
nb $r give
is "given back" "$(kernels)" "$(times 1)"
sends
nb $r take
sends
is "taken" "$(ours)" "$(times 3)"

each() { # WHAT STEPS COMMAND…
	local what=$1 step turn=0 steps=$2 repair repairs=(take give)
	shift 2
	for step in $steps; do
		repair=${repairs[turn++ % 2]}
		begin
		[ "$what" != take ] || nb $r give
		sends
		ok "$what, killed at $step" killed $step "$@"
		nb $r $repair >/dev/null 2>&1
		is "$what, killed at $step, $repair" "$(ours)" "$(times 1)"
		nb $r take >/dev/null 2>&1
		sends
		is "$what, killed at $step, $repair, and on" "$(ours)" "$(times 2)"
		nb $r give
		is "$what, killed at $step, $repair, given back" "$(kernels)" "$(times 2)"
	done
}
each "reload" "pinned committed flipped parked dropped" nb $r -f "$tmp/more.nft"
each "left" "pinned committed given woken flipped parked dropped" nb $r -f "$tmp/left.nft"
each "give" "committed given woken flipped parked detached" nb $r give
each "take" "pinned committed flipped parked" nb $r take

# Not killed, but somebody else's commit comes behind each of its own (tests/fault.c).
shim=$(dirname "$NFT_BPF")/tests/fault.so
followed() { # WHAT COMMITS COMMAND…
	local n what=$1 commits=$2
	shift 2
	for n in $commits; do
		begin
		sends
		LD_PRELOAD=$shim FAULT_BEHIND="$n:nft add table ip other" nb $r "$@" >/dev/null 2>&1
		ok "$what, followed at commit $n" in_ns $r nft list table ip other
		is "$what, followed at commit $n: counted" "$(ours)" "$(times 1)"
		nb $r give
		is "$what, followed at commit $n: given back" "$(kernels)" "$(times 1)"
	done
}
if LD_PRELOAD=$shim "$NFT_BPF" --version >/dev/null 2>&1; then
	followed "reload" 1 -f "$tmp/more.nft"
	followed "left" "1 2 3" -f "$tmp/left.nft"
	followed "give" "1 2" give
fi
plan
