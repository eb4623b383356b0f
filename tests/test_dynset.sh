#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Sets that packets change, beside the interpreter that is fed the same packets: who is blocked, when
# released, a full set, updates, deletions, what elements keep.
. "$(dirname "$0")/lib.sh"

s=dy-s-$$
netns $s
twins dy
text() { "$@" 2>&1; }
for n in $k $b; do
	veth $s "to-$n" $n e0
	addr $n e0 10.1.0.1/24
	in_ns $n sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.e0.rp_filter=0
done
mac() { ip -n "$1" -j link show e0 | sed 's/.*"address":"\([^"]*\)".*/\1/'; }
to_k=to-$k=$(mac $k)
to_b=to-$b=$(mac $b)
send() {
	in_ns $s python3 "$top_srcdir/tests/dynset_send.py" "$@" "$to_k" "$to_b"
	settled
}
load() {
	{ echo flush ruleset; sed "s/timeout SECONDS/timeout $((seconds * slow))s/" "$tmp/rules.nft"; } >"$tmp/bpf.nft"
	in_ns $k nft -f "$tmp/bpf.nft"
	nb $b --require-bpf -f "$tmp/bpf.nft"
}
# What both list: elements sorted, without times.
listing() {
	sed -e 's/ expires [0-9a-z]*//g' -e 's/, *$/,/' | tr -d '\n\t' | sed 's/[{},]/&\n/g' |
		sed 's/^ *//' | sort
}
note() { # NAME LIST-COMMAND…: both listings of now
	local name=$1
	shift
	in_ns $k nft list "$@" | listing >"$tmp/$name.k"
	nb $b list "$@" | listing >"$tmp/$name.b"
}
same() { # WHAT NAME: of that time
	is "$1" "$(md5sum <"$tmp/$2.b")" "$(md5sum <"$tmp/$2.k")"
	diff "$tmp/$2.b" "$tmp/$2.k" | head -n 10 | sed 's/^/# /'
}
elements() { "$@" | tr ',' '\n' | grep -cE '11\.[0-9]+\.[0-9]+\.[0-9]+'; }

# ---- a blocklist: ten new connections a minute ----
cat >"$tmp/rules.nft" <<'NFT'
table ip t {
	set blocklist {
		type ipv4_addr
		size 20000
		flags dynamic,timeout
		timeout 1m
	}
	chain input {
		type filter hook input priority 0; policy accept;
		ip saddr @blocklist counter drop comment "blocked"
		tcp dport 22 ct state new meter rate { ip saddr limit rate over 10/minute burst 10 packets } add @blocklist { ip saddr timeout SECONDS } counter drop comment "caught"
		tcp dport 22 counter comment "passed"
	}
}
NFT
seconds=25
blocked() { # all of it before the first one is released
	load || return 0
	clock
	send 22 0 10000 0
	count=$(elements nb $b list set ip t blocklist)
	note blocked ruleset
	send 22 0 300 2
	note stays chain ip t input
	by 24500
}
ok "a blocklist and a meter are compiled" load
in_time blocked
is "those of more than ten are on the list" "$count" 2664
same "the same sources are blocked" blocked
same "what is blocked stays so" stays
clock
at 25200
is "all are released" "$(elements nb $b list set ip t blocklist)" 0
send 22 0 300 1
note again ruleset
same "who comes again, too early for his rate" again

# ---- a full set ----
cat >"$tmp/rules.nft" <<'NFT'
table ip t {
	set few {
		type ipv4_addr
		size 100
		flags dynamic,timeout
		timeout SECONDS
	}
	set every {
		type ipv4_addr . inet_proto
		size 500
		flags dynamic
		counter
	}
	chain input {
		type filter hook input priority 0; policy accept;
		tcp dport 23 add @few { ip saddr } counter comment "room"
		tcp dport 23 counter comment "behind"
		tcp dport 24 update @every { ip saddr . ip protocol } counter comment "kept"
		tcp dport 25 delete @every { ip saddr . ip protocol } counter comment "gone"
		ip saddr . ip protocol @every counter comment "known"
	}
}
NFT
# room SET N REST: the kernel counts elements until it has collected them. Has the set room for N?
room() {
	local i some=
	for ((i = 1; i <= $2; i++)); do
		some+="10.0.$((i >> 8)).$((i & 255))$3,"
	done
	in_ns $k nft "add element ip t $1 { $some }" && in_ns $k nft "delete element ip t $1 { $some }"
}
seconds=3
full() {
	load || return 0
	clock
	send 23 0 300 1
	note full ruleset
	by 2900 || return
	at 3200
	wait_for room few 100 ""
	clock
	send 23 200 150 1
	note room ruleset
	by 2900
}
ok "sets that get full" load
in_time full
same "the first ones are in it, for others the rule ends" full
same "when they have expired there is room" room
at 6000 # the last that were sent have expired, too
send 24 0 600 3
note count ruleset
same "elements count, up to the set's size" count
send 25 0 200 1
note gone ruleset
same "deleted ones are gone" gone
wait_for room every 200 " . tcp"
send 24 590 100 1
note left chain ip t input
same "and leave room" left

# ---- times ----
cat >"$tmp/rules.nft" <<'NFT'
table ip t {
	set seen {
		type ipv4_addr
		flags dynamic,timeout
		timeout SECONDS
	}
	set once {
		type ipv4_addr
		flags dynamic,timeout
		timeout SECONDS
	}
	set loud {
		type ipv4_addr
		flags dynamic
	}
	map ports {
		type ipv4_addr : inet_service
		flags dynamic,timeout
		timeout 1h
	}
	set fresh {
		type ipv4_addr
		flags dynamic,timeout
		timeout SECONDS
	}
	set bare {
		type ipv4_addr
		flags dynamic
		elements = { 11.0.0.0, 11.0.0.1 }
	}
	chain input {
		type filter hook input priority 0; policy accept;
		tcp dport 31 add @bare { ip saddr limit rate over 1/day burst 1 packets } counter comment "bare"
		tcp dport 30 add @fresh { ip saddr limit rate over 1/day burst 2 packets counter } counter comment "fresh"
		tcp dport 26 update @seen { ip saddr } add @once { ip saddr }
		tcp dport 27 ip saddr @seen counter comment "seen"
		tcp dport 27 ip saddr @once counter comment "once"
		tcp dport 27 ip saddr != @once counter comment "not"
		tcp dport 28 add @loud { ip saddr quota over 100 bytes counter } counter comment "loud"
		tcp dport 29 update @ports { ip saddr : tcp sport }
	}
}
NFT
seconds=8
times() { # each of the listings while none of the elements in it ends
	load || return 0
	clock
	send 30 0 10 5
	send 26 0 50 1
	at 4800
	send 26 0 25 1
	send 27 0 60 1
	note there ruleset
	by 7900 || return
	at 10000
	send 30 0 5 4
	note fresh set ip t fresh
	send 27 0 60 1
	note longer ruleset
	by 12700 || return
	at 16000
	send 27 0 60 1
}
ok "updates, additions, quotas, maps" load
in_time times
same "all are there" there
same "an element that begins anew forgets what it kept" fresh
same "an update prolongs, an addition does not" longer
note none chain ip t input
same "none is left" none
send 31 0 4 3
note bare chain ip t input
same "elements without a limit are let pass, others have one" bare
send 28 0 20 1
send 28 0 10 3
note loud set ip t loud
same "quotas and counters of elements" loud
note caught chain ip t input
same "who is over it" caught
send 29 0 10 2
note ports map ip t ports
same "data of a map: the first one stays" ports

# ---- two at once ----
ok "again" load
for _ in 1 2; do
	in_ns $s python3 "$top_srcdir/tests/dynset_send.py" 28 0 2000 10 "$to_b" &
	pids="${pids:-} $!"
done
wait $pids
settled
is "each source once" "$(elements nb $b list set ip t loud)" 2000
is "each packet counted once" \
	"$(nb $b list set ip t loud | grep -o 'counter packets [0-9]*' | awk '{ n += $3 } END { print n }')" \
	"$((2000 * (20 - 2)))"
is "each quota used once" \
	"$(nb $b list chain ip t input | sed -n 's/.*counter packets \([0-9]*\) .*"loud"/\1/p')" \
	"$((2000 * (20 - 2)))"
plan
