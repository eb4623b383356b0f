#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Elements of sets that packets change, or count in, over everything but packets: taking over,
# commands, reloads, handing back, killed processes; and where the interpreter uses the same set.
. "$(dirname "$0")/lib.sh"

n=dr-n-$$
netns $n
text() { "$@" 2>&1; }
hit() { # PORT…: a UDP packet to each
	in_ns $n python3 -c "
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s6 = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
for p in sys.argv[1:]:
    s.sendto(b'x', ('127.0.0.1', int(p)))
    s6.sendto(b'x', ('::1', int(p)))" "$@"
	settled
}
cat >"$tmp/a.nft" <<'NFT'
table inet t {
	set seen {
		type ipv4_addr
		flags dynamic,timeout
		timeout 1h
		elements = { 1.1.1.1 timeout 2h expires 90m comment "first", 2.2.2.2 }
	}
	set seen6 {
		type ipv6_addr . inet_service
		flags dynamic
		counter
	}
	set kept {
		type inet_service
		counter
		elements = { 7 counter packets 5 bytes 500, 8 }
	}
	map marks {
		type inet_service : mark
		quota over 100 bytes
		elements = { 9 : 3 }
	}
	chain input {
		type filter hook input priority 0; policy accept;
		udp dport 5 update @seen { ip saddr timeout 30m }
		update @seen6 { ip6 saddr . udp dport }
		udp dport @kept counter comment "kept"
		udp dport 4 meter m { ip saddr timeout 1h counter }
		ip saddr @seen udp dport 6 counter comment "seen"
	}
}
NFT
sed -i '/map marks/,/^	}/d' "$tmp/a.nft"

in_ns $n nft -f "$tmp/a.nft"
ok "nft-bpf take" nb $n --require-bpf take
all=$(nb $n list ruleset)
like "the kernel's elements" "$all" '1.1.1.1 timeout 2h expires 1h(29m|30m)'
like "with their comments" "$all" 'comment "first"'
like "what they have counted" "$all" '7 counter packets 5 bytes 500'
hit 4 5 6 7 7
all=$(nb $n list ruleset)
like "an added one" "$all" '127.0.0.1 timeout 30m expires 29m'
like "with an address of IPv6" "$all" '::1 . 7 counter packets 2 bytes'
like "a set's element counts" "$all" '7 counter packets 9 bytes'
like "an added one is found" "$all" 'counter packets 1 bytes 29 comment "seen"'
like "a meter" "$(nb $n list meter inet t m)" '127.0.0.1 counter packets 1 bytes 29 timeout 1h expires 59m'
like "in JSON" "$(nb $n -j list set inet t kept)" '"val": 7, "counter": \{"packets": 9'
like "the interpreter's own is behind" "$(in_ns $n nft list set inet t kept)" '7 counter packets 5'

# commands
ok "nft-bpf add element" nb $n add element inet t seen '{ 3.3.3.3 timeout 2m comment "mine" }'
like "is there" "$(nb $n list set inet t seen)" '3.3.3.3 timeout 2m expires 1m[0-9a-z]* comment "mine"'
ok "nft-bpf get element" nb $n get element inet t seen '{ 127.0.0.1 }'
ok "of one that is not there" not nb $n get element inet t seen '{ 9.9.9.9 }'
ok "nft-bpf delete element, one that a packet added" nb $n delete element inet t seen '{ 127.0.0.1 }'
ok "is gone" not grep -q 127.0.0.1 <(nb $n list set inet t seen)
ok "nft-bpf delete element, one that is not there" not nb $n delete element inet t seen '{ 9.9.9.9 }'
ok "nft-bpf create element, one that is there" not nb $n create element inet t seen '{ 1.1.1.1 }'
ok "nft-bpf add element to a set that counts" nb $n add element inet t kept '{ 6 }'
hit 6 5
like "counts" "$(nb $n list set inet t kept)" '6 counter packets 2 bytes'
ok "nft-bpf flush set" nb $n flush set inet t seen6
ok "is empty" not grep -q elements <(nb $n list set inet t seen6)
ok "nft-bpf add rule" nb $n add rule inet t input udp dport 1 drop
all=$(nb $n list ruleset)
like "elements stay" "$all" '127.0.0.1 timeout 30m expires 29m'
like "and their counters" "$all" '7 counter packets 9 bytes'
like "and a meter's" "$(nb $n list meter inet t m)" '127.0.0.1 counter packets 1'

# in place: nothing is compiled for them
cat >"$tmp/i.nft" <<'NFT'
table ip i {
	set few {
		type inet_service
		flags dynamic
		size 3
		elements = { 21, 22 }
	}
	set counts {
		type inet_service
		flags dynamic,timeout
		timeout 1h
		counter
		elements = { 21 counter packets 3 bytes 30 }
	}
	set short {
		type inet_service
		flags dynamic,timeout
		size 2
	}
	map marks {
		type inet_service : mark
		flags dynamic
		elements = { 21 : 0x1 }
	}
	set limits {
		type inet_service
		flags dynamic
		limit rate over 1/day burst 1 packets
		elements = { 21 }
	}
	chain out {
		type filter hook output priority 0; policy accept;
		udp dport 23-25 add @few { udp dport }
		udp dport 21-29 update @counts { udp dport }
		udp dport 26-27 update @short { udp dport timeout 10s }
		udp dport 28-29 update @marks { udp dport : 0x9 }
		udp dport @few counter comment "few"
		udp dport @marks counter comment "marks"
		udp dport @limits counter comment "limits"
	}
}
NFT
generation() { nb $n status | sed -n 's/.*: generation \([0-9]*\) .*/\1/p'; }
elements() { nb $n list set ip i "$1" | tr -d '\n\t' | sed -n 's/.*elements = { \(.*\) }.*/\1/p' | sed 's/ expires [0-9a-z]*//g'; }
ok "a table more" nb $n --require-bpf -f "$tmp/i.nft"
g=$(generation)
ok "add in place" nb $n add element ip i counts '{ 22 counter packets 5 bytes 50 timeout 10m, 30 }'
hit 21 22
is "new elements count on from what they are given" "$(elements counts)" \
	"21 counter packets 4 bytes 59, 22 counter packets 6 bytes 79 timeout 10m, 30 counter packets 0 bytes 0"
ok "add one that is there" nb $n add element ip i counts '{ 21 }'
like "it stays as it is" "$(elements counts)" '21 counter packets 4 bytes 59'
ok "delete in place" nb $n delete element ip i counts '{ 21, 30 }'
is "others stay" "$(elements counts)" "22 counter packets 6 bytes 79 timeout 10m"
ok "add it again" nb $n add element ip i counts '{ 21 }'
hit 21
like "from nothing" "$(elements counts)" '21 counter packets 1 bytes 29'
ok "add to a map" nb $n 'add element ip i marks { 22 : 0x2, 23 : 0x3 }; add element ip i few { 29 }'
ok "and delete" nb $n 'delete element ip i marks { 21, 22 }; delete element ip i few { 22 }'
hit 23 29 22
is "as the set says" "$(elements few)" "21, 23, 29"
like "packets find them" "$(nb $n list chain ip i out)" 'counter packets 5 bytes 145 comment "few"'
like "in maps, too" "$(nb $n list chain ip i out)" 'counter packets 4 bytes 116 comment "marks"'
ok "a set that is full" not nb $n add element ip i few '{ 28 }'
ok "a set that is full, with a rule beside it" \
	not nb $n 'add element ip i few { 28 }; add rule ip i out counter'
is "is as it was" "$(elements few)" "21, 23, 29"
ok "in the kernel, too" not grep -q 28 <(in_ns $n nft list set ip i few)
ok "make room" nb $n delete element ip i few '{ 23 }'
ok "which there is" nb $n add element ip i few '{ 28 }'
is_full() {
	clock
	hit 26 27
	nb $n add element ip i short '{ 30 }' 2>/dev/null
	added=$?
	by $((9900 / slow))
}
in_time is_full
is "full of elements with short times" "$added" 1
ok "their time is up" wait_for nb $n add element ip i short '{ 30 }'
is "what is left" "$(elements short)" 30
ok "limits" nb $n add element ip i limits '{ 22 }'
hit 21 22 22 21
like "of elements each" "$(nb $n list chain ip i out)" 'counter packets 4 bytes 116 comment "limits"'
is "nothing was compiled" "$(generation)" "$g"
for step in elements mapped; do
	NFT_BPF_STOP_AT=$step nb $n add element ip i counts '{ 24 }' >/dev/null 2>&1
	like "killed at $step: others stay" "$(elements counts)" '22 counter packets [0-9]* bytes [0-9]* timeout 10m'
	ok "killed at $step: take" nb $n --require-bpf take
	like "killed at $step: after it" "$(elements counts)" '22 counter packets [0-9]* bytes [0-9]* timeout 10m'
	ok "killed at $step: again" nb $n add element ip i counts '{ 24 }'
	like "killed at $step: it is in" "$(elements counts)" '24 counter packets 0'
	ok "killed at $step: away" nb $n delete element ip i counts '{ 24 }'
	NFT_BPF_STOP_AT=$step nb $n delete element ip i counts '{ 22 }' >/dev/null 2>&1
	ok "killed at $step: take" nb $n --require-bpf take
	nb $n delete element ip i counts '{ 22 }' >/dev/null 2>&1
	ok "killed at $step: deleted" not grep -q 22 <(elements counts)
	ok "killed at $step: and back" nb $n add element ip i counts '{ 22 timeout 10m }'
done
ok "nft-bpf delete table" nb $n delete table ip i

# elements that only one side has: packets have deleted what the kernel's set has, and the reverse
cat >"$tmp/e.nft" <<'NFT'
table ip e {
	set gone {
		type inet_service
		flags dynamic
		elements = { 11, 12 }
	}
	map m {
		type inet_service : mark
		flags dynamic
	}
	chain out {
		type filter hook output priority 0; policy accept;
		udp dport 11-12 delete @gone { udp dport }
		udp dport 13 update @m { udp dport : 0x5 }
	}
}
NFT
ok "a table more" nb $n --require-bpf -f "$tmp/e.nft"
hit 11 13
ok "create element, one that a packet deleted" nb $n create element ip e gone '{ 11 }'
ok "is there" nb $n get element ip e gone '{ 11 }'
ok "create element, one that was not deleted" not nb $n create element ip e gone '{ 12 }'
hit 11
like "deleted again" "$(nb $n list set ip e gone)" 'elements = \{ 12 \}'
ok "add element with the data that a packet gave it" nb $n add element ip e m '{ 13 : 0x5 }'
ok "with other data" not nb $n add element ip e m '{ 13 : 0x6 }'
like "as it was" "$(nb $n list map ip e m)" '13 : 0x00000005'
# What plain nft does to the kernel's own set
count7() { nb $n list set inet t kept | sed -n 's/.*[ {]7 counter packets \([0-9]*\) .*/\1/p'; }
had=$(count7)
in_ns $n nft 'add element inet t kept { 1007, 1009 }; delete element inet t kept { 8 }
	add element inet t seen { 7.7.7.7 timeout 3h comment "theirs" }; add element ip e gone { 77 }'
ok "sync" nb $n sync
hit 1007 8
all=$(nb $n list ruleset)
like "an element that plain nft added counts" "$all" '1007 counter packets 1 '
like "also a second one" "$all" '1009 counter packets 0 '
ok "one that it deleted does not" not grep -q '[ {]8 counter' <(nb $n list set inet t kept)
is "others go on" "$(count7)" "$had"
like "rules add elements: one that plain nft added" "$all" '7.7.7.7 timeout 3h expires 2h59m[0-9a-z]* comment "theirs"'
like "those that packets added stay" "$all" '127.0.0.1 timeout 30m'
ok "rules delete elements: it is not taken over" not grep -q 'elements = .*77[ ,]' <(nb $n list set ip e gone)
in_ns $n nft 'delete element inet t kept { 1009 }; add element inet t kept { 8 }'
ok "any load does" nb $n add rule inet t input udp dport 3 counter
all=$(nb $n list set inet t kept)
like "deleted" "$all" '[ {]8 counter packets 0 '
ok "added" not grep -q 1009 <<<"$all"
in_ns $n nft 'delete element inet t kept { 1007 }'
NFT_BPF_STOP_AT=elements nb $n add element inet t kept '{ 1010 }' >/dev/null 2>&1
ok "sync after a killed one" nb $n sync
like "its element" "$(nb $n list set inet t kept)" '1010 counter packets 0 '
nb $n delete element inet t seen '{ 7.7.7.7 }'

# What is wrong is told in nft's words, though its own set knows better, or worse.
k=dr-k-$$
netns $k
in_ns $k nft 'table ip e { set gone { type inet_service; flags dynamic; elements = { 12 }; }
	set full { type inet_service; flags dynamic; size 3; elements = { 1, 12, 13 }; }
	set plain { type inet_service; }; }'
nb $n 'add set ip e plain { type inet_service; }'
nb $n 'add set ip e full { type inet_service; flags dynamic; size 3; elements = { 1, 12 }; }
	add rule ip e out udp dport 13 update @full { udp dport }'
hit 13
while read -r cmd; do
	is "$cmd" "$(nb $n "$cmd" 2>&1)" "$(in_ns $k nft "$cmd" 2>&1)"
done <<-'CMDS'
	delete element ip e gone { 11 }
	delete element ip e gone { 12, 11 }
	create element ip e gone { 12 }
	delete element ip e gone { 11 }; delete element ip e gone { 10 }
	delete element ip e plain { 11 }; delete element ip e gone { 10 }; delete element ip e plain { 12 }
	create element ip e gone { 12 }; add rule ip e none counter
	add element ip e full { 10 }
	add element ip e full { 12, 10 }
CMDS
# The kernel's error has all of the message in it.
cmd="create element ip e gone { 12 }; delete element ip e plain { $(seq -s, 20000 24000) }; create element ip e gone { 12 }"
is "beside a large message" "$(nb $n "$cmd" 2>&1)" "$(in_ns $k nft "$cmd" 2>&1)"
like "nothing was changed" "$(nb $n list set ip e gone)" 'elements = \{ 12 \}'

# Somebody else's commit comes right behind: what the batch did to a set that rules add to is done.
shim=$(dirname "$NFT_BPF")/tests/fault.so
if LD_PRELOAD=$shim "$NFT_BPF" --version >/dev/null 2>&1; then
	nb $n delete element ip e full '{ 13 }'
	cmd='add rule ip e out udp dport 9 accept; delete element ip e full { 12 }; add element ip e full { 8 }'
	is "a load" "$(LD_PRELOAD=$shim FAULT_BEHIND="1:nft add table ip other" nb $n "$cmd" 2>&1)" ""
	like "others came behind it" "$(in_ns $n nft list tables)" "table ip other"
	like "it was done" "$(nb $n list set ip e full)" 'elements = \{ 1, 8 \}'
	nb $n sync
	# What packets added while the chain was on its way back, though others change something then.
	in_ns $n nft delete table ip other
	nb $n sync
	cat >"$tmp/send" <<-'PY'
		import socket
		socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", 13))
	PY
	is "the rest of it goes" "$(LD_PRELOAD=$shim \
		FAULT_AT="committed:python3 $tmp/send;;flipped:nft add table ip other" nb $n \
		'add rule ip e out reject' 2>&1 | grep -v 'stays with the interpreter')" ""
	ok "others came in between" in_ns $n nft delete table ip other
	like "what packets added is there" "$(in_ns $n nft list set ip e full)" 'elements = \{ 1, 8, 13 \}'
	nb $n sync
fi
ok "nft-bpf delete table" nb $n delete table ip e

# killed processes
for step in attached filled pinned committed woken flipped parked detached dropped; do
	hit 5
	NFT_BPF_STOP_AT=$step nb $n add rule inet t input udp dport 2 counter >/dev/null 2>&1
	like "killed at $step: elements are there" "$(nb $n list ruleset)" '127.0.0.1 timeout 30m'
	like "killed at $step: their counters too" "$(nb $n list ruleset)" '7 counter packets 9 '
	ok "killed at $step: take" nb $n --require-bpf take
	like "killed at $step: after it" "$(nb $n list ruleset)" '127.0.0.1 timeout 30m'
	like "killed at $step: a meter" "$(nb $n list meter inet t m)" '127.0.0.1 counter packets 1'
done
for step in filled woken flipped detached; do
	NFT_BPF_STOP_AT=$step nb $n give >/dev/null 2>&1
	like "give killed at $step" "$(nb $n list ruleset)" '127.0.0.1 timeout 30m'
	ok "taken again" nb $n --require-bpf take
	like "and there" "$(nb $n list ruleset)" '127.0.0.1 timeout 30m'
	like "with its counters" "$(nb $n list ruleset)" '7 counter packets 9 '
done
ok "nft-bpf give" nb $n give
all=$(in_ns $n nft list ruleset)
like "the kernel has the elements" "$all" '127.0.0.1 timeout 30m expires 2[0-9]m'
like "and comments" "$all" '1.1.1.1 timeout 2h expires 1h[12][0-9]m[0-9a-z]* comment "first"'
like "and counters" "$all" '7 counter packets 9 '
like "and the meter's" "$(in_ns $n nft list meter inet t m)" '127.0.0.1 counter packets 1 bytes 29'

# a set that the interpreter uses as well
cat >"$tmp/b.nft" <<'NFT'
flush ruleset
table ip t {
	set s {
		type ipv4_addr
		flags dynamic
	}
	set alone {
		type ipv4_addr
		flags dynamic
	}
	chain input {
		type filter hook input priority 0; policy accept;
		udp dport 5 add @s { ip saddr }
	}
	chain forward {
		type filter hook forward priority 0; policy accept;
		add @alone { ip saddr }
	}
	chain other {
		type filter hook output priority 0; policy accept;
		ip saddr @s meta mark set 1
	}
}
NFT
ok "a set in an interpreted chain" nb $n -f "$tmp/b.nft"
status=$(nb $n status)
like "is left to it" "$status" 'chains of the interpreter use set s, which packets change \[set-shared\]'
like "others are not" "$status" 'forward: .*: BPF'
hit 5
like "the interpreter adds" "$(nb $n list set ip t s)" '127.0.0.1'
ok "the reason goes" nb $n flush chain ip t other
ok "and it is compiled" nb $n --require-bpf take
like "with its elements" "$(nb $n list set ip t s)" '127.0.0.1'
nb $n delete element ip t s '{ 127.0.0.1 }'
hit 5
ok "and back" nb $n add rule ip t other ip saddr @s meta mark set 1
like "with what packets added" "$(in_ns $n nft list set ip t s)" '127.0.0.1'
cat >"$tmp/c.nft" <<'NFT'
flush ruleset
table ip t {
	set s {
		type ipv4_addr
		flags dynamic
	}
	chain input {
		type filter hook input priority 0; policy accept;
		udp dport 5 add @s { ip saddr limit rate 1/second } counter
		udp dport 6 add @s { ip saddr limit rate 2/second } counter
	}
}
NFT
ok "limits that differ" nb $n -f "$tmp/c.nft"
like "are left to the interpreter" "$(nb $n status)" 'elements differ \[set-elem-state\]'

# an update that gives more time than the element's own is
cat >"$tmp/d.nft" <<'NFT'
flush ruleset
table ip t {
	set s {
		type inet_service
		flags dynamic,timeout
		timeout 10m
		elements = { 5 timeout 1m comment "five", 6, 7 timeout 1h }
	}
	set other {
		type inet_service
		counter
		elements = { 5 }
	}
	chain output {
		type filter hook output priority 0; policy accept;
		udp dport @other
		udp dport 5 update @s { udp dport }
		udp dport 6-7 update @s { udp dport timeout 2h }
	}
}
NFT
ok "elements with less time than updates give" nb $n --require-bpf -f "$tmp/d.nft"
hit 5 6 7
is "give" "$(nb $n give 2>&1)" ""
all=$(in_ns $n nft list table ip t)
like "the kernel has what is left of the set's time" "$all" '[^0-9]5 expires 9m[0-9a-z]* comment "five"'
like "and of the rule's" "$all" '[^0-9]6 timeout (2h|1h59m)[0-9a-z]* expires 1h59m'
like "also of an element with a time of its own" "$all" '[^0-9]7 timeout (2h|1h59m)[0-9a-z]* expires 1h59m'
like "other sets have their counters" "$all" '5 counter packets 1 bytes'

# What plain nft does to sets that packets do not fill, although they count in them.
cat >"$tmp/e.nft" <<'NFT'
flush ruleset
table ip t {
	set kept {
		type inet_service
		counter
		elements = { 5 counter packets 3 bytes 90, 6, 10 }
	}
	set timed {
		type inet_service
		flags timeout
		counter
		elements = { 5 timeout 1h, 6 timeout 1h }
	}
	map marks {
		type inet_service : mark
		counter
		elements = { 5 : 1, 6 : 2 }
	}
	set filled {
		type inet_service
		flags dynamic
		counter
		elements = { 1 }
	}
	chain output {
		type filter hook output priority 0; policy accept;
		udp dport @kept counter comment "kept"
		udp dport @timed counter comment "timed"
		udp dport @marks counter comment "marks"
		udp dport @filled counter
		udp dport 9 update @filled { udp dport }
	}
}
NFT
ok "sets in which packets count" nb $n --require-bpf -f "$tmp/e.nft"
hit 5 6 9
for s in kept timed; do
	ok "plain nft deletes of $s" in_ns $n nft delete element ip t $s '{ 6 }'
	ok "and adds" in_ns $n nft add element ip t $s '{ 7 }'
done
ok "another value" in_ns $n nft 'delete element ip t marks { 6 }; add element ip t marks { 6 : 8 }'
ok "another time" in_ns $n nft 'delete element ip t timed { 5 }; add element ip t timed { 5 timeout 5h }'
ok "sync" nb $n sync
hit 5 6 7
all=$(nb $n list table ip t)
like "what was there counts on" "$all" '[^0-9]5 counter packets 5 bytes'
like "what was added counts" "$all" '[^0-9]7 counter packets 1 bytes'
like "what was deleted does not match" "$all" '@kept counter packets 4 bytes [0-9]* comment "kept"'
ok "nor is it there" not nb $n get element ip t kept '{ 6 }'
like "of a set with times" "$all" '@timed counter packets 4 bytes [0-9]* comment "timed"'
like "one made anew has its new time, and counts from nothing" "$all" \
	'[^0-9]5 counter packets 1 bytes [0-9]* timeout 5h expires (4h59m|5h)'
like "the other value" "$all" '[^0-9]6 counter packets [0-9]* bytes [0-9]* : 0x00000008'
ok "what packets filled is there" nb $n get element ip t filled '{ 9 }'
handle=$(nb $n -a list chain ip t output | sed -n 's/.*update @filled.* handle \([0-9]*\)$/\1/p')
ok "the rule that fills goes" nb $n delete rule ip t output handle "$handle"
ok "plain nft does something" in_ns $n nft add element ip t kept '{ 12 }'
ok "sync" nb $n sync
ok "what it filled is there" nb $n get element ip t filled '{ 9 }'
is "give" "$(nb $n give 2>&1)" ""
all=$(in_ns $n nft list table ip t)
like "in the kernel, too" "$all" '[^0-9]9 counter packets'
like "others as they were" "$all" '[^0-9]5 counter packets 5 bytes'
plan
