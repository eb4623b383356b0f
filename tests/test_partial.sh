#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A chain that stays with the interpreter, with a program in front that drops what it would drop: the
# same packets to two hosts, one under nft, one under nft-bpf; what arrives and what counters say must
# be the same, whatever is done to the ruleset in between.
. "$(dirname "$0")/lib.sh"

export NFT_BPF_FRONTS=all # also where it would not pay; what does is below

n=pf-n-$$ b=pf-b-$$ # under nft, under nft-bpf; each talks to itself
netns $n $b
for h in $n $b; do
	ip -n $h addr add 10.9.0.100/32 dev lo
	for i in $(seq 9); do
		ip -n $h addr add 10.9.0.$i/32 dev lo
	done
done

# One datagram from each address to each port; which ones arrived, and which the sender could not send.
cat >"$tmp/traffic.py" <<'PY'
import select, socket
ports = 22, 23, 53, 77, 78, 79, 80, 98, 99
def bound(a, p):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind((a, p))
    return s
servers = [bound("10.9.0.100", p) for p in ports]
seen = []
for i in range(1, 10):
    c = bound("10.9.0.%d" % i, 4000)
    for p in ports:
        try:
            c.sendto(b"x" * (i + p), ("10.9.0.100", p))
        except OSError as e:
            if e.errno != 111: # of the packet before, refused
                seen.append("%d:%d %s" % (i, p, e.errno))
            else:
                c.sendto(b"x" * (i + p), ("10.9.0.100", p))
    c.close()
def late():  # what ksoftirqd still has to do, as in lib.sh
    with open("/proc/net/softnet_stat") as f:
        return any(int(line.split()[11], 16) for line in f)
while True:
    waits = late()
    ready = select.select(servers, [], [], 0.05)[0]
    if not ready and not waits:
        break
    for s in ready:
        _, (a, _) = s.recvfrom(999)
        seen.append("%s:%d" % (a.split(".")[3], s.getsockname()[1]))
print(*sorted(seen))
PY
counts() { sed -e 's/ # handle.*//' -e '/^$/d'; }
# Chains of mixed tables change their place in listings.
sorted=
# Both get the same, and say the same.
same() {
	local what=$1 h
	for h in $n $b; do
		in_ns $h python3 "$tmp/traffic.py" >"$tmp/$h.arrived"
	done
	is "$what: the same packets arrive" "$(cat "$tmp/$b.arrived")" "$(cat "$tmp/$n.arrived")"
	is "$what: counters add up" "$(nb $b list ruleset | counts | ${sorted:-cat})" \
		"$(in_ns $n nft list ruleset | counts | ${sorted:-cat})"
}
# front CHAIN: "first-last/drops", or nothing
front() {
	nb $b status -j | python3 -c "
import json, sys
for c in json.load(sys.stdin)['chains']:
    if c['chain'] == '$1' and 'front' in c and not c['compiled']:
        f = c['front']
        print('%d-%d/%d' % (f['first'], f['last'], f['drops']))"
}
both() { # an nft command, on each side
	in_ns $n nft "$@" && nb $b "$@"
}
load() { both -f "$1"; }

cat >"$tmp/one.nft" <<'NFT'
flush ruleset
table ip f {
	set bl { type ipv4_addr; elements = { 10.9.0.7, 10.9.0.8 }; }
	counter named { }
	chain input {
		type filter hook input priority filter; policy accept;
		ip saddr 10.9.0.1 counter accept
		ip saddr 10.9.0.2 counter drop
		ip saddr @bl counter name named drop
		udp dport 23 counter drop
		udp dport 22 counter reject
		udp dport 99 counter drop
		udp dport 98 counter
	}
}
NFT
# Counters on the way to a drop, chains, goto, return, a chain that ends in an unknown.
cat >"$tmp/two.nft" <<'NFT'
flush ruleset
table inet f {
	counter every { }
	chain input {
		type filter hook input priority filter; policy drop;
		counter name every
		iif lo meta l4proto icmp accept
		counter ip saddr 10.9.0.1 counter udp dport { 22, 23 } counter accept
		udp dport 53 counter jump sub
		ip saddr 10.9.0.2 counter drop
		ip saddr 10.9.0.4 meta mark set 7 udp dport 77 drop
		meta mark 7 counter accept
		udp dport 80 counter
		udp dport vmap { 77 : goto other, 78 : jump sub }
		udp dport 98-99 counter goto other
		counter comment "behind"
	}
	chain sub {
		counter
		ip saddr 10.9.0.3 return
		ip saddr 10.9.0.5 counter drop
		ip saddr 10.9.0.6 counter jump other
		ip saddr 10.9.0.9 counter reject
		counter
	}
	chain other {
		ip saddr 10.9.0.6-10.9.0.7 counter drop
		limit rate 1000/second burst 10000 packets counter
		ip saddr 10.9.0.8 counter accept
	}
}
NFT

# Elements that count, or stand for something that does.
cat >"$tmp/three.nft" <<'NFT'
flush ruleset
table ip f {
	counter web { }
	counter ssh { }
	chain input {
		type filter hook input priority filter; policy accept;
		udp dport 98 counter drop
		counter name udp dport map { 22 : "ssh", 80 : "web" }
		ip saddr 10.9.0.2 counter drop
		udp dport 99 counter reject
	}
}
NFT

for f in one two three; do
	ok "$f: load" load "$tmp/$f.nft"
	same "$f"
	ok "$f: take again" nb $b take
	same "$f: again"
	ok "$f: give" nb $b give
	is "$f: given back" "$(in_ns $b nft list ruleset | counts)" "$(in_ns $n nft list ruleset | counts)"
	same "$f: given back"
	ok "$f: taken" nb $b take
	same "$f: taken"
done
is "three: what runs in front" "$(front input)" 1-3/2
load "$tmp/two.nft"
is "two: what runs in front" "$(front input)" 4-10/3

load "$tmp/one.nft"
is "one: what runs in front" "$(front input)" 2-6/4
like "status says it" "$(nb $b status)" 'rules 2-6 run in front as BPF for packets to drop \(4 rules\)'
like "explain says it" "$(nb $b explain)" 'interpreter; rules 2-6 run in front .*f4_input_0'
is "explain -j says it" "$(nb $b explain -j | python3 -c "
import json, sys
print(json.load(sys.stdin)['chains'][0]['front'])")" "{'first': 2, 'last': 6, 'drops': 4}"
same "before"
is "the interpreter has not seen what was dropped" \
	"$(in_ns $b nft list chain ip f input | grep -c 'counter packets 0 .*drop')" 3
ok "the interpreter has counted the rest" \
	test "$(in_ns $b nft list chain ip f input | grep -c 'counter packets [1-9]')" = 3

# Sets, counters, rules while it runs.
ok "add element" both add element ip f bl '{ 10.9.0.3 }'
same "an element more"
ok "delete element" both delete element ip f bl '{ 10.9.0.7 }'
same "an element less"
in_ns $n nft delete element ip f bl '{ 10.9.0.8 }'
in_ns $b nft delete element ip f bl '{ 10.9.0.8 }'
ok "sync" nb $b sync
same "an element less behind our back"
is "reset counters" "$(nb $b "reset counters" | counts)" "$(in_ns $n nft reset counters | counts)"
same "reset"
ok "insert rule" both insert rule ip f input udp dport 78 counter drop
same "a rule more"
is "a rule more runs in front" "$(front input)" 1-7/5
for h in $n $b; do # handles differ
	in_ns $h nft -a list chain ip f input | sed -n 's/.*udp dport 23 .*# handle //p' >"$tmp/$h.handle"
done
in_ns $n nft delete rule ip f input handle "$(cat "$tmp/$n.handle")"
ok "delete rule" nb $b delete rule ip f input handle "$(cat "$tmp/$b.handle")"
same "a rule less"

# To a chain that is compiled as a whole, and back: asleep, and as a regular chain.
reject() { in_ns "$1" nft -a list chain ip f input | sed -n 's/.*reject.*# handle //p'; }
for nat in "" yes; do
	load "$tmp/one.nft"
	sorted=${nat:+sort}
	[ -z "$nat" ] || both 'add chain ip f nat { type nat hook postrouting priority srcnat; }'
	same "${nat:+mixed: }with a front"
	in_ns $n nft delete rule ip f input handle "$(reject $n)"
	ok "delete the blocker" nb $b delete rule ip f input handle "$(reject $b)"
	is "${nat:+mixed: }nothing in front" "$(front input)" ""
	same "${nat:+mixed: }compiled"
	ok "add a blocker" both add rule ip f input udp dport 80 counter reject
	is "${nat:+mixed: }in front again" "$(front input)" 2-5/4
	same "${nat:+mixed: }with a front again"
	ok "give" nb $b give
	same "${nat:+mixed: }given back"
done
sorted=

# Killed at each step; nothing moves meanwhile, so no count may be lost.
for step in attached filled pinned committed woken flipped parked detached dropped; do
	nb $b give
	load "$tmp/one.nft"
	same "before $step"
	in_ns $n nft insert rule ip f input udp dport 78 counter drop
	NFT_BPF_STOP_AT=$step nb $b insert rule ip f input udp dport 78 counter drop 2>/dev/null
	is "reload killed at $step" $? 137
	in_ns $b nft list chain ip f input | grep -q 'dport 78' ||
		in_ns $b nft insert rule ip f input udp dport 78 counter drop
	ok "take repairs" nb $b take
	same "reload killed at $step"
	[ $step = attached ] && continue # give attaches nothing
	NFT_BPF_STOP_AT=$step nb $b give 2>/dev/null
	is "give killed at $step" $? 137
	ok "give repairs" nb $b give
	same "give killed at $step"
done

# Where there is no place for it, and where it would not be sound.
chain() { # chain TYPE HOOK PRIORITY RULES: a ruleset of one chain
	printf 'flush ruleset\ntable ip f {\n\tchain input {\n\t\ttype %s hook %s priority %s; policy accept;\n%s\n\t}\n}\n' "$@"
}
other() { # a chain of the interpreter's, one that counts, at this priority
	printf 'table ip g {\n\tchain other {\n\t\ttype filter hook input priority %s; policy accept;\n\t\tcounter\n\t\tudp dport 80 counter reject\n\t}\n}\n' "$1"
}
rules='udp dport 99 counter drop
	udp dport 22 counter reject'
{ chain filter input 0 "$rules"; other -1; } >"$tmp/taken.nft"
ok "a hook right before it" load "$tmp/taken.nft"
is "… leaves no place" "$(front input)" ""
same "no place"
in_ns $b nft flush ruleset # the chain at -1 would still be there when the place is chosen
{ chain filter input 0 "$rules"; other -2; } >"$tmp/free.nft"
ok "a hook further before it" load "$tmp/free.nft"
is "… leaves one" "$(front input)" 1-1/1
same "one place"
{ chain filter input 0 "$rules"; other 0; } >"$tmp/equal.nft"
ok "a chain of its priority that runs first" load "$tmp/equal.nft"
is "… has to see the packet first" "$(front input)" ""
same "a chain of its priority that runs first"
{ other 0 | sed '1iflush ruleset'; chain filter input 0 "$rules" | sed 1d; } >"$tmp/equal2.nft"
ok "a chain of its priority that runs later" load "$tmp/equal2.nft"
is "… does not" "$(front input)" 1-1/1
same "a chain of its priority that runs later"
for prio in -400 -225 -200 -100 100 300; do
	chain filter input $prio "$rules" >"$tmp/kernel.nft"
	nb $b -f "$tmp/kernel.nft" 2>/dev/null
	is "at $prio the order among the kernel's hooks is not known" "$(front input)" ""
done
chain filter input 0 $'udp dport 53 numgen random mod 2 0 counter drop\nudp dport 54 jhash ip saddr mod 2 0 drop
udp dport 99 limit rate over 1/hour drop\nudp dport 22 reject' >"$tmp/unsure.nft"
ok "what would not be decided the same twice" load "$tmp/unsure.nft"
is "… is not decided in front" "$(front input)" ""
chain nat prerouting -100 $'udp dport 99 counter drop\nudp dport 53 counter redirect to :80' >"$tmp/nat.nft"
ok "a nat chain" load "$tmp/nat.nft"
is "… sees first packets only" "$(front input)" ""
chain route output -150 $'udp dport 99 counter drop\nudp dport 53 counter meta mark set 1' >"$tmp/route.nft"
ok "a route chain" load "$tmp/route.nft"
is "… can have one" "$(front input)" 1-1/1
same "a route chain"
like "the sender is told" "$(cat "$tmp/$b.arrived")" '1:99 1( |$)'
chain filter input 0 $'ct state vmap { invalid : drop, established : accept }\nct state invalid counter drop
udp dport 22 reject' >"$tmp/invalid.nft"
nb $b -f "$tmp/invalid.nft" 2>/dev/null
is "invalid packets alone are not worth a program" "$(front input)" ""
nb $b insert rule ip f input udp dport 99 drop 2>/dev/null
is "with another rule they are" "$(front input)" 1-3/3
chain filter input 0 'udp dport 22 reject' | sed 's/policy accept/policy drop/' >"$tmp/policy.nft"
nb $b -f "$tmp/policy.nft" 2>/dev/null
is "the policy decides nothing in front" "$(front input)" ""

# Where it pays: many rules before the one that stays, or a set that costs the interpreter much.
drops() { # drops N: of them, then one that is the interpreter's
	local i
	for ((i = 1; i <= $1; i++)); do
		printf 'ip saddr 10.9.%d.%d counter drop\n' $((i == 1 ? 0 : i / 250 + 1)) $((i % 250 + 1))
	done
	echo "udp dport 22 counter reject"
}
blocklist() { # blocklist N FLAGS: a set of N networks, or addresses, in a rule
	local i suffix=
	[ -n "$2" ] && suffix=/31
	printf 'flush ruleset\ntable ip f {\nset bl { type ipv4_addr; %s\nelements = { 10.9.0.2%s' "$2" $suffix
	for ((i = 1; i < $1; i++)); do
		printf ', 10.%d.%d.0%s' $((i / 250 + 10)) $((i % 250)) $suffix
	done
	printf ' }\n}\n'
	chain filter input 0 $'ip saddr @bl counter drop\nudp dport 22 counter reject' | sed 1,2d
}
price() { nb $b explain | sed -n 's/.*interpreter; //p'; }
unset NFT_BPF_FRONTS
chain filter input 0 "$(drops 3)" >"$tmp/few.nft"
ok "three rules" load "$tmp/few.nft"
is "… are not worth a program" "$(front input)" ""
like "explain says why" "$(price)" '^a program in front would not pay; a packet to drop would cost about [0-9]+ ns, with the interpreter [0-9]+, others [0-9]+ more'
like "explain -j, too" "$(nb $b explain -j)" '"front_ns": ?\{"pays": ?false, ?"drop": ?[0-9]+, ?"interpreter": ?[0-9]+, ?"pass": ?[0-9]+\}'
same "three rules"
chain filter input 0 "$(drops 1000)" >"$tmp/thousand.nft"
ok "a thousand rules" load "$tmp/thousand.nft"
is "… are" "$(front input)" 1-1000/1000
like "explain says what it costs" "$(price)" '^rules 1-1000 run .*; a packet to drop costs about [0-9]+ ns, with the interpreter [0-9]{4}, others [0-9]+ more \(pays from [0-9] % dropped on\)$'
same "a thousand rules"
ok "from many rules to few" load "$tmp/few.nft"
is "… it goes" "$(front input)" ""
same "few again"
blocklist 1000 "flags interval;" >"$tmp/networks.nft"
ok "a set of networks" load "$tmp/networks.nft"
is "… is worth one" "$(front input)" 1-1/1
same "a set of networks"
ok "an element more" both add element ip f bl '{ 10.9.0.4/31 }'
same "an element more in front"
blocklist 20 "" >"$tmp/addresses.nft"
ok "some addresses" load "$tmp/addresses.nft"
is "… are not" "$(front input)" ""
is "nothing is left of what would not pay" "$(nb $b explain -j | python3 -c "
import json, sys
print(json.load(sys.stdin)['sets'])")" "[]"
same "some addresses"
ok "an element more of these" both add element ip f bl '{ 10.9.0.5 }'
same "an element more of these"
export NFT_BPF_FRONTS=none
load "$tmp/thousand.nft"
is "none at all" "$(front input)" ""

# What was counted when a load leaves all to the interpreter, where a program in front pays or does not, beside
# another program or alone.
left() { # OTHER-CHAIN DROPS
	cat <<-NFT
		flush ruleset
		table ip t {
			counter hits {
			}
			quota much {
				over 100 mbytes
			}
			set hosts {
				type ipv4_addr
				flags interval
				counter
				elements = { 127.0.0.0/8 }
			}
			chain sub {
				udp dport 77 counter
				udp dport 77 counter name hits
				udp dport 77 quota name much
				udp dport 77 ip daddr @hosts
			}
			$1
			chain in {
				type filter hook input priority 0; policy accept;
				jump sub
				$2
			}
		}
	NFT
}
counts() { grep -oE "packets [0-9]+|used [0-9]+" | sort | tr '\n' ' '; }
for NFT_BPF_FRONTS in "" all none; do
	for other in "" "chain out { type filter hook output priority 0; policy accept; }"; do
		for drops in "" "udp dport 78 drop"; do
			what="fronts '$NFT_BPF_FRONTS', ${other:-no} other chain, ${drops:-no} drops"
			left "$other" "$drops" >"$tmp/left.nft"
			ok "$what" nb $b -f "$tmp/left.nft"
			in_ns $b python3 -c 'import socket
for i in range(3):
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", 77))'
			had=$(nb $b list ruleset | counts)
			like "$what: counts" "$had" "^(packets 3 ){3}used 87 $"
			nb $b insert rule ip t sub udp dport 4 reject 2>/dev/null
			is "$what: left to the interpreter" "$(nb $b list ruleset | counts)" "$had"
			nb $b give
			is "$what: given" "$(in_ns $b nft list ruleset | counts)" "$had"
		done
	done
done
plan
