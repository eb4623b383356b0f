#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Programs in parts, and such in front of interpreted chains: killed at every step of load, reload and
# give, parts taken away by hand, the namespace gone. What is refused never arrives, what is allowed
# does, whatever repairs; afterwards nothing else is pinned, and of what was given back nothing is left in
# the kernel. Port 666 is refused, 777 is allowed.
. "$(dirname "$0")/lib.sh"

r=pt-r-$$
netns $r
dir=/sys/fs/bpf/nft-bpf/net-$(stat -Lc %i /run/netns/$r)
export NFT_BPF_SPLIT=10 # each rule that leads somewhere is a part
export NFT_BPF_FRONTS=all
cat >"$tmp/plain.nft" <<'NFT'
flush ruleset
table inet t {
	counter every { }
	chain common {
		udp dport 666 counter drop
	}
	chain in {
		type filter hook input priority filter; policy drop;
		counter name every
		jump common
		udp dport 777 counter accept comment "allowed"
	}
}
NFT
sed 's/\tudp dport 777/\tudp dport 555 reject\n&/; s/policy drop/policy accept/' "$tmp/plain.nft" >"$tmp/front.nft"
sed 's/jump common/udp dport 600-700 jump common/; s/ accept comment/ comment/; s/policy drop/policy accept/' \
	"$tmp/plain.nft" >"$tmp/other.nft"

arrive() { # PORT…: of datagrams to these, which arrive? On lo they have when sending returns.
	in_ns $r python3 -c "
import socket, sys
for port in map(int, sys.argv[1:]):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(('127.0.0.1', port)); s.settimeout(0.02)
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', port))
    try:
        s.recv(9)
        print(port)
    except OSError:
        pass" "$@"
}
closed() { [ "$(arrive 666 777)" = 777 ]; }
killed() { # STEP COMMAND…
	NFT_BPF_STOP_AT=$1 "${@:2}" >/dev/null 2>&1
	[ $? = 137 ]
}
ids() { bpftool prog show pinned "$1" 2>/dev/null | sed -n 's/^\([0-9]*\):.*/\1/p'; }
programs() { # ids of all that are pinned
	local pin
	for pin in "$dir"/gen-*/prog-*; do ids "$pin"; done
}
gone() { # those of before
	local id
	for id in $before; do ! bpftool prog show id "$id" || return 1; done
}
one_generation() { # with all its parts, and no more
	[ "$(ls -d "$dir"/gen-* | wc -l)" = 1 ] && [ "$(find "$dir" -name nb_parts | wc -l)" = 1 ] &&
		nb $r status -j | python3 -c "
import json, os, sys
st = json.load(sys.stdin)
progs = [p for c in st['chains'] for p in c['programs']]
pins = [p for p in os.listdir('$dir/gen-%u' % st['generation']) if p.startswith('prog-')]
sys.exit(st['unfinished'] or st['damaged'] or max(p['parts'] for p in progs) < 2 or
         len(pins) != sum(p['parts'] for p in progs))"
}
nothing() { [ ! -e "$dir" ]; }
hooked() { in_ns $r nft list chain inet t in | grep -q 'hook input' && ! in_ns $r nft list tables | grep -q dormant; }
parts_slot() { # of the running generation: its path
	echo "$dir/gen-$(nb $r status -j | python3 -c "import json, sys; print(json.load(sys.stdin)['generation'])")/nb_parts"
}

interpreted() { nb $r give; in_ns $r nft -f "$tmp/$shape.nft"; }
compiled() { nb $r -f "$tmp/$shape.nft"; }
load() { nb $r -f "$tmp/$shape.nft" && one_generation; }
sync() { nb $r sync && one_generation; }
give() { nb $r give && nothing && hooked; }

# each WHAT PREPARE "STEPS" COMMAND…
each() {
	local what=$1 prepare=$2 steps=$3 step repair before turn=0
	shift 3
	for step in $steps; do
		repairs=(load give sync)
		repair=${repairs[turn++ % 3]}
		at="$shape: $what, killed at $step"
		$prepare >/dev/null 2>&1
		ok "$at" killed "$step" "$@"
		ok "$at: closed" closed
		# What never decided goes by itself; so does a give that was done.
		[ -e "$dir/generation" ] && [ "$repair" = sync ] && ! nb $r status | grep -q interrupted && repair=load
		[ -e "$dir/generation" ] || repair=load
		before=$(programs)
		ok "$at: $repair" $repair
		ok "$at: $repair: closed" closed
		ok "$at: $repair: nothing of before is left" wait_for gone # the kernel takes its time
	done
}
shape=plain
each "load" interpreted "filled committed flipped parked" nb $r -f "$tmp/plain.nft"
each "reload" compiled "pinned committed flipped detached dropped" nb $r -f "$tmp/other.nft"
each "give" compiled "filled committed woken flipped parked detached" nb $r give
shape=front
each "load" interpreted "pinned flipped dropped" nb $r -f "$tmp/front.nft"
each "reload" compiled "committed flipped detached" nb $r -f "$tmp/other.nft"
each "give" compiled "woken flipped detached" nb $r give

# Parts and slots that others empty: told, and repaired by a sync too.
for shape in plain front; do
	compiled
	compiled
	ok "$shape: nothing is damaged" one_generation
	slot=$(parts_slot)
	ok "$shape: a part is taken away" bpftool map delete pinned "$slot" key 0 0 0 0
	[ $shape = front ] || ok "$shape: its packets are dropped" test -z "$(arrive 777)"
	like "$shape: status" "$(nb $r status)" 'brings it back'
	like "$shape: status: which" "$(nb $r status)" '4_input_0: .*EMPTIED'
	ok "$shape: sync" sync
	ok "$shape: sync: closed" closed
	slot=$(parts_slot)
	rm "$slot"
	sleep 0.3
	like "$shape: their map's pin is removed: status" "$(nb $r status)" 'brings it back'
	ok "$shape: their map's pin is removed: sync" sync
	ok "$shape: their map's pin is removed: closed" closed
	g=$(basename "$(dirname "$(parts_slot)")")
	root=$(ls -d "$dir"/roots/v4-input-*)
	ok "$shape: the root's slot is emptied" bpftool map delete pinned "$root/slots" key $((${g#gen-} & 1)) 0 0 0
	like "$shape: the root's slot is emptied: status" "$(nb $r status)" 'EMPTIED'
	ok "$shape: the root's slot is emptied: sync" sync
	ok "$shape: the root's slot is emptied: closed" closed
	rm "$root/link"
	like "$shape: the root's link is removed: status" "$(nb $r status)" 'GONE'
	ok "$shape: the root's link is removed: sync" sync
	ok "$shape: the root's link is removed: closed" closed
done
g=$(nb $r status | sed -n "s/.*generation \([0-9]*\) .*/\1/p")
ok "sync has nothing to do" nb $r sync
like "and does nothing" "$(nb $r status)" "generation $g since"

# The namespace ends.
before=$(programs)
ip netns del $r
ok "gc" "$NFT_BPF" gc
ok "gc: nothing is pinned" nothing
ok "gc: nothing is left" wait_for gone
plan
