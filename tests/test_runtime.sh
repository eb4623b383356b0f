#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The run time around loading: places, counters over reloads, the lock, namespaces, bpffs, what is
# refused and what is left behind.
. "$(dirname "$0")/lib.sh"

r=rt-r-$$
netns $r
dir() { echo "${NFT_BPF_BPFFS:-/sys/fs/bpf}/nft-bpf/net-$(stat -Lc %i "/run/netns/$1")"; }
json() { # json NS EXPRESSION over st
	nb "$1" status -j | python3 -c "
import json, sys
st = json.load(sys.stdin)
print($2)"
}
input() { # input PRIORITY POLICY RULE…: a table of one input chain
	printf 'table inet t {\n\tchain in {\n\t\ttype filter hook input priority %s; policy %s;\n' "$1" "$2"
	printf '\t\t%s\n' "${@:3}"
	printf '\t}\n}\n'
}
ping4() { answers $r 127.0.0.1 127.0.0.1; }
count() { # of the rule commented "n"; packets
	nb $r list ruleset | sed -n 's/.*counter packets \([0-9]*\) .*comment "n".*/\1/p'
}
kernel_count() { in_ns $r nft list ruleset | sed -n 's/.*counter packets \([0-9]*\) .*comment "n".*/\1/p'; }

# ---- places ----
input 0 accept 'counter comment "n"' >"$tmp/a.nft"
ok "load" nb $r -f "$tmp/a.nft"
is "the root hangs at the chain's priority" "$(json $r "[p['attached'] for p in st['chains'][0]['programs']]")" "[0, 0]"
ok "give" nb $r give
ok "nothing is left" test ! -e "$(dir $r)"
ok "take" nb $r take
is "taking over, the chain is still there: the next one" "$(json $r "[p['attached'] for p in st['chains'][0]['programs']]")" "[1, 1]"
ok "flush ruleset" nb $r flush ruleset
ok "nothing is left" test ! -e "$(dir $r)"
cat >"$tmp/order.nft" <<'NFT'
table ip a {
	chain late {
		type filter hook input priority 10; policy accept;
		counter
	}
}
table ip b {
	chain mid {
		type filter hook input priority 10; policy accept;
		ip daddr 9.9.9.9 reject
	}
}
table ip c {
	chain early {
		type filter hook input priority 10; policy accept;
		counter
	}
}
NFT
nb $r -f "$tmp/order.nft" >/dev/null 2>&1
is "before and behind an interpreted chain at once: the last to run stays with the interpreter" \
	"$(json $r "[(c['chain'], c['compiled'], [x['code'] for x in c['reasons']]) for c in st['chains'] if c['chain'] != 'mid']")" \
	"[('late', False, ['priority-taken']), ('early', True, [])]"
is "the other runs before it" "$(json $r "[p['attached'] for c in st['chains'] for p in c['programs']]")" "[9]"
nb $r flush ruleset

# ---- counters ----
nb $r -f "$tmp/a.nft"
for i in 1 2 3; do ping4; done
is "counted" "$(count)" 6
is "not by the interpreter" "$(kernel_count)" 0
ok "another rule on top" nb $r add rule inet t in tcp dport 1 counter accept
is "a reload keeps the count of rules that stay" "$(count)" 6
ping4
is "and goes on" "$(count)" 8
ok "give" nb $r give
is "give gives the count" "$(kernel_count)" 8
ok "take" nb $r take
ping4
is "take takes it" "$(count)" 10
(echo "flush ruleset"; input 0 accept 'counter packets 100 bytes 1 comment "n"') >"$tmp/init.nft"
ok "a file with a count" nb $r -f "$tmp/init.nft"
is "the file's count" "$(count)" 100
nb $r -f "$tmp/a.nft" >/dev/null
is "rules are appended" "$(count | tr '\n' ' ')" "100 0 "

# ---- on top of tables that sleep ----
printf 'table inet t {\n\tchain out {\n\t\ttype filter hook output priority 0;\n\t\tcounter\n\t}\n}\n' >"$tmp/out.nft"
ok "a new base chain in a table that sleeps" nb $r -f "$tmp/out.nft"
is "both are compiled" "$(json $r "[c['compiled'] for c in st['chains']]")" "[True, True]"
ok "it sleeps on" grep -q dormant <<<"$(in_ns $r nft list table inet t)"
ok "nft-bpf shows it awake" not grep -q dormant <<<"$(nb $r list ruleset)"
ok "delete and make the table, as files do" nb $r -f - <<<"table inet t
delete table inet t
$(cat "$tmp/a.nft")"
is "compiled again" "$(json $r "[c['compiled'] for c in st['chains']]")" "[True]"
ok "the user's own dormant" nb $r -f - <<<'add table inet t { flags dormant; }'
is "is not ours to run" "$(json $r "[c['reasons'][0]['code'] for c in st['chains']]")" "['table-dormant']"
ok "give leaves it" nb $r give
ok "dormant" grep -q dormant <<<"$(in_ns $r nft list ruleset)"
ok "take" nb $r take
ok "wake up" nb $r -f - <<<'add table inet t'
is "compiled" "$(json $r "[c['compiled'] for c in st['chains']]")" "[True]"

# ---- what goes wrong ----
before=$(nb $r list ruleset)
echo 'add rule inet t nochain accept' >"$tmp/bad.nft"
ok "a batch that the kernel refuses" not nb $r -f "$tmp/bad.nft"
is "changes nothing" "$(nb $r list ruleset)" "$before"
is "and leaves nothing half done" "$(json $r "st['unfinished']")" False
printf 'table ip z {\n\tchain n {\n\t\ttype nat hook postrouting priority 100;\n\t\tmasquerade\n\t}\n\tchain f {\n\t\ttype filter hook input priority 0;\n\t\treject\n\t}\n}\n' >"$tmp/rej.nft"
ok "--require-bpf refuses" not nb $r --require-bpf -f "$tmp/rej.nft"
is "and changes nothing" "$(nb $r list ruleset)" "$before"
ok "-c" nb $r -c -f "$tmp/rej.nft"
is "-c changes nothing" "$(nb $r list ruleset)" "$before"
in_ns $r nft add rule inet t in accept
is "nft alone: told" "$(json $r "st['moved_on']")" True
ok "take" nb $r take
is "taken over: settled" "$(json $r "st['moved_on']")" False

# A module that is not there: everything goes to the interpreter, with the reason.
ok "without LLVM" env NFT_BPF_BACKEND=/nonexistent "$NFT_BPF" --netns $r -f "$tmp/init.nft"
is "the interpreter runs it" "$(json $r "[(c['compiled'], c['reasons'][0]['code']) for c in st['chains']]")" "[(False, 'no-llvm')]"
ok "hooks are back" grep -q 'hook input' <<<"$(in_ns $r nft list chain inet t in)"
ok "awake" not grep -q dormant <<<"$(in_ns $r nft list ruleset)"
nb $r -f "$tmp/init.nft"
ok "give needs no LLVM" env NFT_BPF_BACKEND=/nonexistent "$NFT_BPF" --netns $r give

# ---- pins of another version ----
nb $r -f "$tmp/init.nft"
gen=$(ls "$(dir $r)" | sed -n 's/^gen-//p')
python3 - "$(dir $r)/gen-$gen/manifest" <<'PY'
import json, re, subprocess, sys
pin = sys.argv[1]
dump = json.loads(subprocess.check_output(["bpftool", "-j", "map", "dump", "pinned", pin]))
page = bytes(int(b, 16) for b in dump[0]["value"])
page = re.sub(rb'"format":\d+,', b'"format":9,', page)
hexs = [f"0x{b:02x}" for b in page]
subprocess.check_call(["bpftool", "map", "update", "pinned", pin, "key", "0", "0", "0", "0", "value"] + hexs)
PY
is "pins of another version are told" "$(json $r "st['foreign']")" True
ok "loading over them is refused" not nb $r -f "$tmp/a.nft"
like "and says what to do" "$(nb $r -f "$tmp/a.nft" 2>&1)" "nft-bpf give"
ok "give works on them" nb $r give
ok "nothing is left" test ! -e "$(dir $r)"
ok "awake" not grep -q dormant <<<"$(in_ns $r nft list ruleset)"

# ---- two at once ----
nb $r -f "$tmp/init.nft"
mkfifo "$tmp/hold"
exec 9<>"$tmp/hold"
flock -o "$(dir $r)" cat "$tmp/hold" 9<&- &
is_held() { ! flock -n "$(dir $r)" true; }
wait_for is_held
"$NFT_BPF" --netns $r take >/dev/null 2>&1 9<&- &
second=$!
waits() { grep -q -- "-> FLOCK .* $second " /proc/locks; }
ok "a second one waits for the lock" wait_for waits
exec 9>&-
ok "and goes on when it has it" wait $second

# ---- bpffs ----
ok "from ip netns exec, which hides bpffs" ip netns exec $r "$NFT_BPF" -f "$tmp/init.nft"
ok "the pins are where everybody sees them" test -e "$(dir $r)/generation"
mkdir "$tmp/ro"
mount -t bpf -o ro bpf "$tmp/ro"
text=$(NFT_BPF_BPFFS=$tmp/ro "$NFT_BPF" --netns $r -f "$tmp/a.nft" 2>&1)
is "a read-only bpffs is an error" "$?" 1
like "that is told" "$text" "Read-only"
umount "$tmp/ro"

# ---- namespaces ----
nb $r give # from here on no other gc may come before this one
own_bpffs
nb $r -f "$tmp/a.nft"
d=rt-d-$$
netns $d
nb $d -f "$tmp/a.nft"
dead=$(dir $d)
like "status --all tells names" "$("$NFT_BPF" --all status)" "$d"
ip netns del $d
ok "the links of a deleted namespace stay" test -e "$dead/generation"
like "status --all tells of it" "$("$NFT_BPF" --all status)" "without a name"
if gc_is_allowed; then
	like "gc removes it" "$("$NFT_BPF" gc)" "${dead##*-}"
	ok "its pins are gone" test ! -e "$dead"
else
	like "gc must see all processes" "$("$NFT_BPF" gc 2>&1)" "initial pid namespace"
fi
ok "the living one's are not" test -e "$(dir $r)/generation"
netns $d
beside $d sleep 600 &
sleeper=$!
inside() { [ "/proc/$sleeper/ns/net" -ef "/run/netns/$d" ]; }
wait_for inside
nb $d -f "$tmp/a.nft"
alive=$(dir $d)
umount "/run/netns/$d" # nameless, but a process is in it
"$NFT_BPF" gc >/dev/null 2>&1
ok "gc leaves a namespace with a process" test -e "$alive/generation"
kill $sleeper
wait $sleeper
rm -f "/run/netns/$d"
if gc_is_allowed; then
	"$NFT_BPF" gc >/dev/null
	ok "and removes it when that has ended" test ! -e "$alive"
fi
nb $r give
common_bpffs

# ---- sizes and names ----
long=$(printf 'x%.0s' $(seq 127))
for i in $(seq 30); do
	printf 'table inet %s%02d {\n\tchain %s {\n\t\ttype filter hook input priority %d;\n\t\tcounter\n\t}\n}\n' "$long" $i "$long$long" $((i % 3))
done >"$tmp/long.nft"
nb $r flush ruleset
ok "30 tables with names as long as can be" nb $r -f "$tmp/long.nft"
is "all compiled" "$(json $r "sum(c['compiled'] for c in st['chains'])")" 30
ok "and given back" nb $r give
in_ns $r nft flush ruleset

# ---- speed ----
nb $r -f "$tmp/init.nft"
is "status takes less than 10 ms" "$(python3 - "$NFT_BPF" $r <<'PY'
import subprocess, sys, time
best = 1.0
end = time.monotonic() + 60 # others may use the machine
for i in range(10000):
    t = time.monotonic()
    subprocess.check_call([sys.argv[1], "--netns", sys.argv[2], "status"], stdout=subprocess.DEVNULL)
    best = min(best, time.monotonic() - t)
    if i >= 20 and (best < 0.01 or time.monotonic() > end):
        break
print(best < 0.01 or best)
PY
)" True

# Hooks of others, of which nothing is known but that a priority is taken, are not crossed.
nb $r flush ruleset
gen=$(dirname "$NFT_BPF")/bench
mkfifo "$tmp/words"
"$gen/bench-gen" "$gen/gen.bpf.o" <"$tmp/words" >"$tmp/gen" &
others=$!
exec 8>"$tmp/words"
printf '%s\n' "attach $r empty 1 6" "attach $r empty 1 9" >&8
attached() { [ "$(wc -l <"$tmp/gen")" = 2 ]; }
wait_for attached
at() { nb $r status -j | python3 -c "
import json, sys
print([p['attached'] for c in json.load(sys.stdin)['chains'] for p in c['programs'] if p['pf'] == 2])"; }
chain_at() { printf 'flush ruleset\ntable ip t {\n\tchain c {\n\t\ttype filter hook input priority %s; udp dport 9 drop\n\t}\n}\n' "$1"; }
chain_at 5 >"$tmp/at5.nft"
in_ns $r nft -f "$tmp/at5.nft"
ok "take, where a program of others' is right above" nb $r take
is "… goes below" "$(at)" "[4]"
nb $r give
chain_at 8 >"$tmp/at8.nft"
in_ns $r nft -f "$tmp/at8.nft"
ok "take, where they are above and below" nb $r take
is "… goes between" "$(at)" "[7]"
nb $r give
chain_at 6 | in_ns $r nft -f -
ok "take, where one has the place of the chain" nb $r take
exec 8>&- # they end
wait $others

# ---- tables that plain nft makes anew, of the same names and handles ----
nb $r give
nat='table inet t {\n\tchain nat {\n\t\ttype nat hook postrouting priority srcnat; policy accept;\n\t}\n}'
{
	echo 'flush ruleset'
	input 0 accept 'counter comment "n"' 'meta mark 1 quota 100 bytes' \
		"udp dport "{1..60}" drop"
} >"$tmp/alone.nft"
{
	cat "$tmp/alone.nft"
	printf "$nat"
} >"$tmp/mixed.nft"
ok "load, with a look-up in a map" nb $r --require-bpf -f "$tmp/alone.nft"
for shape in alone mixed; do
	nb $r -f "$tmp/$shape.nft" 2>/dev/null
	ping4; ping4; ping4
	in_ns $r nft -f "$tmp/$shape.nft"
	ok "$shape: take after plain nft" nb $r take
	is "$shape: rules made anew count anew" "$(count)" 0
	ping4
	is "$shape: … from there" "$(count)" 2
	nb $r give
	is "$shape: … given back" "$(kernel_count)" 2
done
nb $r -f "$tmp/mixed.nft" 2>/dev/null
printf "flush ruleset\n$nat\ntable inet t {\n\tchain in {\n\t\tdrop\n\t}\n}\n" >"$tmp/regular.nft"
in_ns $r nft -f "$tmp/regular.nft"
ok "take, where a chain has become a regular one" nb $r take
ok "it is no base chain" not grep -q 'hook input' <(nb $r list ruleset)
ok "… and keeps nobody out" ping4
nb $r give
nb $r -f "$tmp/alone.nft"
{ echo 'flush ruleset'; input 0 drop | sed 's/^table.*/&\n\tflags dormant/'; } >"$tmp/dormant.nft"
in_ns $r nft -f "$tmp/dormant.nft"
ok "take, where a table has become dormant" nb $r take
like "it stays dormant" "$(nb $r list ruleset)" 'flags dormant'
ok "… and keeps nobody out" ping4
ok "give" nb $r give
like "it stays dormant" "$(in_ns $r nft list ruleset)" 'flags dormant'

# ---- legacy iptables ----
i=rt-i-$$
netns $i
for ipt in iptables ip6tables; do
	if ! in_ns $i $ipt-legacy -w -S >/dev/null 2>&1; then
		echo "# no $ipt-legacy here"
		continue
	fi
	{
		echo "flush ruleset"
		input 0 accept 'counter comment "n"' | sed "s/inet/${ipt/tables/}/"
	} >"$tmp/$ipt.nft"
	ok "$ipt without rules is not in the way" nb $i --require-bpf -f "$tmp/$ipt.nft"
	nb $i give
	in_ns $i $ipt-legacy -w -A INPUT -p udp --dport 9 -j DROP
	like "… with rules it is" "$(nb $i -f "$tmp/$ipt.nft" 2>&1)" \
		'legacy iptables has rules at its priority.*priority-taken'
	in_ns $i $ipt-legacy -w -F
	ok "… and without them not" nb $i --require-bpf -f "$tmp/$ipt.nft"
	nb $i give
done
plan
