#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What others do to our state: pins removed by hand, the ruleset flushed or replaced by plain nft,
# no descriptors left. Port 666 is refused: at no time may a datagram to it arrive, but where the
# admin took the rules away. Port 777 is allowed.
. "$(dirname "$0")/lib.sh"

export NFT_BPF_FRONTS=all
r=dm-r-$$
netns $r
dir=/sys/fs/bpf/nft-bpf/net-$(stat -Lc %i /run/netns/$r)
cat >"$tmp/plain.nft" <<'NFT'
flush ruleset
table inet t {
	chain in {
		type filter hook input priority filter; policy drop;
		udp dport 666 counter drop
		udp dport 777 counter accept
	}
}
NFT
sed 's/^}$/\tchain nat {\n\t\ttype nat hook postrouting priority srcnat; policy accept;\n\t}\n}/' \
	"$tmp/plain.nft" >"$tmp/mixed.nft"
sed 's/\tudp dport 777/\tudp dport 555 reject\n&/; s/policy drop/policy accept/' "$tmp/plain.nft" >"$tmp/front.nft"

# arrives PORT: does a datagram from the host to itself? 0.2 s of patience where none is expected.
arrives() {
	in_ns $r python3 -c "
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(('127.0.0.1', $1)); s.settimeout(${patience:-20})
c = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
c.sendto(b'x', ('127.0.0.1', $1))
try:
    s.recv(9)
except OSError:
    sys.exit(1)"
}
refuses() {
	local patience=0.2
	! arrives "$1"
}
closed() { refuses 666 && arrives 777; }
fresh() { # SHAPE: loaded twice, so that nothing is at its first generation
	nb $r give && nb $r -f "$tmp/$1.nft" && nb $r take
} >/dev/null 2>&1
hooked() { in_ns $r nft list chain inet t in | grep -q 'hook input' && ! in_ns $r nft list tables | grep -q dormant; }

for shape in plain mixed front; do
	for pin in generation roots/v4-input-0/slots roots/v4-input-0/verdicts roots/v4-input-0/link \
		gen-2/counters gen-2/rules gen-2/seeds gen-2/prog-v4_input_0 gen-2/state; do
		for repair in take give "-f $tmp/$shape.nft"; do
			fresh $shape
			[ $shape = front ] && pin=${pin/input-0/input--1} pin=${pin/v4_in/f4_in}
			[ -e "$dir/$pin" ] || continue
			what="$shape: ${pin#gen-2/} gone"
			rm "$dir/$pin"
			ok "$what: status" nb $r status
			ok "$what: ${repair%% *}" nb $r $repair
			ok "$what: ${repair%% *}: closed" closed
			[ "$repair" != give ] || ok "$what: given back" hooked
		done
	done
done
# Without its manifest nobody knows what was off its hooks: nothing may be removed.
for shape in plain mixed; do
	for repair in take give "-f $tmp/$shape.nft"; do
		fresh $shape
		rm $dir/gen-2/manifest
		like "$shape: manifest gone: status" "$(nb $r status)" 'their manifest is gone'
		like "$shape: manifest gone: ${repair%% *} is refused" "$(nb $r $repair 2>&1)" 'manifest is gone: .* then remove'
		ok "$shape: manifest gone: ${repair%% *}: closed" closed
		in_ns $r nft -f "$tmp/$shape.nft"
		rm -r "$dir"
		ok "$shape: manifest gone: as told: closed" closed
		ok "$shape: manifest gone: as told: hooked" hooked
	done
done

# What another build made: words that no root of ours can read (they were an array once), or of a later
# layout. Nothing is loaded over it, and give hands all back.
other_words() { # array | later
	python3 - $1 $dir/generation <<'PY'
import json, os, subprocess, sys
how, pin = sys.argv[1:]
def tool(*words):
    return subprocess.check_output(["bpftool", "-j", "map", *map(str, words)])
value = [int(b, 16) for b in json.loads(tool("dump", "pinned", pin))[0]["value"]]
os.remove(pin)
n, size = (4, 4) if how == "array" else (1, 40)
tool("create", pin, "type", "array", "key", 4, "value", size, "entries", n, "name", "nb_generation",
     "flags", 0x400)
value[32:40] = 99, 0, 0, 0, 0, 0, 0, 0
for i in range(n):
    tool("update", "pinned", pin, "key", i, 0, 0, 0, "value", *value[8 * i:8 * i + size])
PY
}
for how in array later; do
	for repair in "-f $tmp/plain.nft" take; do
		fresh plain
		ok "words of another build ($how)" other_words $how
		like "words of another build ($how): status" "$(nb $r status)" 'pins of another version'
		like "words of another build ($how): ${repair%% *} is refused" "$(nb $r $repair 2>&1)" \
			'nft-bpf give removes them'
		ok "words of another build ($how): closed" closed
		ok "words of another build ($how): give" nb $r give
		ok "words of another build ($how): given back" hooked
		ok "words of another build ($how): closed after give" closed
		ok "words of another build ($how): and loaded again" nb $r --require-bpf -f "$tmp/plain.nft"
	done
done

# Plain nft takes rules away, or brings others.
for shape in plain mixed front; do
	for how in "flush ruleset" "delete table inet t"; do
		fresh $shape
		ok "$shape: $how by nft" in_ns $r nft $how
		ok "$shape: $how: the programs still decide" refuses 666
		like "$shape: $how: status says that it moved on" "$(nb $r status)" 'changed since without nft-bpf'
		ok "$shape: $how: sync" nb $r sync
		ok "$shape: $how: open now" arrives 666
		fresh $shape
		in_ns $r nft $how
		ok "$shape: $how: nft -f" in_ns $r nft -f "$tmp/$shape.nft"
		ok "$shape: $how: nft -f: closed" closed
		ok "$shape: $how: take" nb $r take
		ok "$shape: $how: take: closed" closed
		ok "$shape: $how: give" nb $r give
		ok "$shape: $how: give: closed" closed
		ok "$shape: $how: given back" hooked
	done
done

# Not enough descriptors: falls back or fails, and leaves nothing half done.
for n in 4 10 16 24; do
	nb $r give
	in_ns $r nft -f "$tmp/mixed.nft"
	(ulimit -n $n; nb $r take) >/dev/null 2>&1
	ok "$n descriptors: take: closed" closed
	(ulimit -n $n; nb $r -f "$tmp/mixed.nft") >/dev/null 2>&1
	ok "$n descriptors: load: closed" closed
	(ulimit -n $n; nb $r give) >/dev/null 2>&1
	ok "$n descriptors: give: closed" closed
	ok "$n descriptors: give again" nb $r give
	ok "$n descriptors: give again: closed" closed
	ok "$n descriptors: given back" hooked
	ok "$n descriptors: nothing left" test ! -e $dir
done
nb $r -f "$tmp/mixed.nft" >/dev/null 2>&1
for n in 8 10 11 12 13 14 15 16 17 18 19 20 21 22; do
	(ulimit -n $n; nb $r add table ip more$n) >/dev/null 2>&1
	is "$n descriptors: an error has changed nothing" $? \
		"$(nb $r list table ip more$n >/dev/null 2>&1; echo $?)"
done
# No right to make maps, or load programs: nothing is done by halves.
for shape in plain mixed; do
	fresh $shape
	for what in take give "-f $tmp/$shape.nft"; do
		ok "$shape: no right to BPF: ${what%% *} is refused" \
			not in_ns $r setpriv --bounding-set=-sys_admin,-bpf "$NFT_BPF" $what
		ok "$shape: no right to BPF: ${what%% *}: closed" closed
		like "$shape: no right to BPF: ${what%% *}: nothing was begun" "$(nb $r status -j)" \
			'"generation":2,.*"moved_on":false,"unfinished":false'
	done
done
nb $r give
# A namespace whose state cannot be read does not hide the others, and is told.
own_bpffs
other=$tmp/bpf/nft-bpf/${dir##*/}
in_ns $r nft flush ruleset # or the place is taken
nb $r -f "$tmp/plain.nft"
mkdir "$tmp/bpf/nft-bpf/net-1" && ln "$other/roots/v4-input-0/slots" "$tmp/bpf/nft-bpf/net-1/generation"
out=$("$NFT_BPF" status --all 2>"$tmp/err")
is "status --all: exit status" $? 1
like "status --all: what can be read" "$out" "namespace ${dir##*-}.*generation"
like "status --all: what cannot" "$(<"$tmp/err")" 'net-1/generation: not a generation of ours'
rm -r "$tmp/bpf/nft-bpf/net-1"
ok "status --all: none is in the way" "$NFT_BPF" status --all
ok "give" nb $r give
common_bpffs
plan
