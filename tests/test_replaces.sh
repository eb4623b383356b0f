#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Files that delete something first, which is not read back then (netlink/replaces.c), and need it, or
# its counters and elements, all the same: what is there afterwards, and what nft says, is as with nft.
. "$(dirname "$0")/lib.sh"

n=rp-n-$$ b=rp-b-$$
netns $n $b

# Handles differ where rules are made anew to hand counters over, times pass.
same() { # WHAT nft|nb: the other namespace's ruleset, by plain nft or by us, is the first's
	in_ns $n nft -j list ruleset >"$tmp/plain"
	if [ "$2" = nft ]; then in_ns $b nft -j list ruleset; else nb $b -j list ruleset; fi >"$tmp/ours"
	ok "$1" python3 -c "
import json, sys
def strip(x):
    if isinstance(x, dict):
        return {k: strip(v) for k, v in x.items() if k not in ('handle', 'expires', 'metainfo')}
    return [strip(v) for v in x] if isinstance(x, list) else x
def listing(file):
    objects = strip(json.load(open(file))['nftables'])
    for o in objects: # libnftables 1.0.6 takes a table's flags from freed memory (table_flags_json())
        o.get('table', {}).pop('flags', None)
    return [json.dumps(o, sort_keys=True) for o in objects]
a, b = map(listing, sys.argv[1:])
for one, other, what in (a, b, 'nft:'), (b, a, 'nft-bpf:'):
    print(*(f'{what} {o}' for o in one if o not in other), sep='\\n')
sys.exit(a != b)" "$tmp/plain" "$tmp/ours"
}
traffic() { # in both alike
	local ns
	for ns in $n $b; do
		in_ns $ns python3 -c "
import socket
for host, port, count in ('127.0.0.1', 1111, 3), ('127.0.0.2', 1112, 5), ('127.0.0.3', 1113, 7):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    for i in range(count):
        try:
            s.sendto(b'x', (host, port))
        except OSError:
            pass"
	done
}
said() { sed 's/ expires [0-9a-z]*//; /^nft-bpf: /d; /^$/d'; }
# step WHAT TEXT: in a file, with nft and with us
step() {
	local plain ours status
	printf '%s\n' "$2" >"$tmp/file.nft"
	plain=$(in_ns $n nft -I "$tmp" -f "$tmp/file.nft" 2>&1)
	status=$?
	ours=$(nb $b -I "$tmp" -f "$tmp/file.nft" 2>&1)
	is "$1: exit status" $? $status
	is "$1: what it says" "$(said <<<"$ours")" "$(said <<<"$plain")"
	traffic
	same "$1: both list the same" nb
}
done_with() { # WHAT
	nb $b give
	same "$1: given back" nft
	in_ns $n nft flush ruleset
	in_ns $b nft flush ruleset
}

one='table ip a {
	counter named { packets 4 bytes 5; }
	quota some { 1 mbytes; }
	set s { type ipv4_addr; counter; elements = { 127.0.0.1, 127.0.0.2 counter packets 9 bytes 90 }; }
	set i { type inet_service; flags interval; elements = { 1000-1112, 2000-3000 }; }
	map v { type inet_service : verdict; elements = { 1113 : jump deep }; }
	chain deep { counter comment "deep"; counter name named; }
	chain in {
		type filter hook input priority filter; policy accept;
		ip saddr @s counter comment "s"
		udp dport @i counter comment "i"
		udp dport vmap @v
		udp dport 1111 quota name some counter
	}
}'
two='table inet b {
	set s { type ipv4_addr; flags timeout; elements = { 127.0.0.3 timeout 1h }; }
	chain in {
		type filter hook input priority 10; policy accept;
		counter comment "all"
		ip saddr @s counter comment "s"
	}
}'
twin=${two//table inet b/table inet a}

what="two tables, one goes"
step "$what: before" "$one"$'\n'"$two"
step "$what" "delete table inet b"$'\n'"$two"
step "$what: the other" "table ip a; delete table ip a"$'\n'"$one"
step "$what: both" "delete table ip a; delete table inet b"$'\n'"$two"
done_with "$what"

what="one name, two families"
step "$what: before" "$one"$'\n'"$twin"
step "$what" "delete table inet a"$'\n'"$twin"
step "$what: the other" "delete table ip a"$'\n'"$one"
step "$what: both, the wrong family first" "delete table ip6 a; delete table ip a; delete table inet a"
step "$what: both" "table ip6 a; delete table ip6 a; delete table ip a; delete table inet a; $twin"
done_with "$what"

what="deleted and listed in one file"
step "$what: before" "$one"$'\n'"$two"
step "$what" "delete table ip a"$'\n'"list chain inet b in"
step "$what: what is about to go" "list chain inet b in; list set inet b s; delete table inet b; $one"
step "$what: all goes" "delete table ip a; list ruleset; $one"
step "$what: listed, then it goes" "list ruleset; flush ruleset; $one; $two"
done_with "$what"

what="rules by index and handle beside a table that goes"
step "$what: before" "$one"$'\n'"$two"
step "$what: index" 'delete table ip a; add rule inet b in index 0 udp dport 1112 counter comment "new"'
step "$what: insert" 'insert rule inet b in index 1 udp dport 1111 counter comment "newer"; # delete table ip a'
step "$what: no such index" 'add rule inet b in index 9 counter; # delete table ip a'
h=$(in_ns $n nft -a list chain inet b in | sed -n 's/.*comment "s" # handle //p')
is "$what: the same handle" "$(nb $b -a list chain inet b in | sed -n 's/.*comment "s" # handle //p')" "$h"
step "$what: replace" "table ip x; delete table ip x; replace rule inet b in handle $h counter comment \"replaced\""
step "$what: delete" "table ip x; delete table ip x; delete rule inet b in handle $h"
step "$what: no such handle" "table ip x; delete table ip x; delete rule inet b in handle 999"
done_with "$what"

what="elements beside a table that goes"
step "$what: before" "$one"$'\n'"$two"
step "$what: add" "delete table inet b; add element ip a s { 127.0.0.3 }; add element ip a i { 1113 }"
step "$what: overlap" "table ip x; delete table ip x; add element ip a i { 1050-1120 }"
step "$what: delete" "table ip x; delete table ip x; delete element ip a s { 127.0.0.2 }"
step "$what: delete what is not there" "table ip x; delete table ip x; delete element ip a i { 77 }"
step "$what: flush" "table ip x; delete table ip x; flush set ip a s; add element ip a s { 127.0.0.2 }"
step "$what: part of an interval" "table ip x; delete table ip x; delete element ip a i { 2000-2500 }"
step "$what: get" "table ip x; delete table ip x; get element ip a i { 1001 }"
done_with "$what"

what="flushed and filled again"
step "$what: before" "$one"
step "$what: table" "flush table ip a; $one # delete table"
step "$what: chain" 'flush chain ip a in; add rule ip a in udp dport 1111 counter comment "new" # delete table'
step "$what: set in use" 'delete set ip a s # delete table'
step "$what: set and its rules" 'flush chain ip a in; delete set ip a s; add set ip a s { type ipv4_addr; }; add rule ip a in ip saddr @s counter # delete table'
step "$what: chain in use" 'delete chain ip a deep # delete table'
step "$what: destroyed" 'table ip a; delete table ip a; table ip a { chain x { counter; }; }; delete table ip a;'
done_with "$what"

what="includes and variables"
printf '%s\n' 'define gone = a' "$one" >"$tmp/included.nft"
step "$what: before" "$two"
step "$what" 'table ip a; delete table ip a; include "included.nft"; define port = 1112
add rule ip a in udp dport $port counter comment "port"'
step "$what: once more" 'table ip a; delete table ip a
include "included.nft"'
step "$what: all by include" 'flush ruleset; include "included.nft"; include "included.nft"'
done_with "$what"

what="made and deleted in one file"
step "$what: before" "$one"
step "$what: other way round" "$two; delete table inet b; delete table ip a; $two"
step "$what: twice" "delete table inet b; $two; delete table inet b; $one"
step "$what: fails at the end" "delete table inet b; $one; add rule ip a nowhere counter"
step "$what: fails in the kernel" "table ip a; delete table ip a; $one; delete chain ip a deep"
step "$what: flush ruleset of a family" "flush ruleset ip; $one"
step "$what: flush later" "$two; flush ruleset; $one"
step "$what: dormant" "table ip a; delete table ip a; $one; add table ip a { flags dormant; }"
step "$what: awake" "add table ip a { flags dormant; }; delete table ip a; $one"
done_with "$what"
plan
