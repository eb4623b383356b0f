#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Bad input and bad places: a message, exit status 1 or 2, and nothing changed.
. "$(dirname "$0")/lib.sh"

n=in-$$
netns $n
dir=/sys/fs/bpf/nft-bpf/net-$(stat -Lc %i /run/netns/$n)
cat >"$tmp/good.nft" <<'NFT'
table ip good {
	chain in {
		type filter hook input priority 0; policy accept;
		tcp dport 22 counter accept
	}
}
NFT
ok "a good ruleset loads" nb $n -f "$tmp/good.nft"
before=$(nb $n list ruleset; ls -R "$dir")

# refused WHAT STATUS REGEX ARGS…: fails like that, and changes nothing
refused() {
	local what=$1 status=$2 re=$3 out
	shift 3
	out=$(nb $n "$@" 2>&1 </dev/null)
	is "$what: exit status" "$?" "$status"
	like "$what: message" "$out" "$re"
	is "$what: nothing changed" "$(nb $n list ruleset; ls -R "$dir")" "$before"
}
echo 'table ip x { chain c { type filter hook input priority 0; bogus; } }' >"$tmp/syntax.nft"
refused "syntax error" 1 'syntax error' -f "$tmp/syntax.nft"
like "syntax error: nft's caret" "$(nb $n -f "$tmp/syntax.nft" 2>&1)" '^ *\^'
is "syntax error: nft's own words" "$(nb $n -f "$tmp/syntax.nft" 2>&1)" \
	"$(in_ns $n nft -f "$tmp/syntax.nft" 2>&1)"
refused "missing file" 1 'No such file' -f "$tmp/missing.nft"
refused "a directory" 1 '.' -f "$tmp"
python3 -c 'import random, sys; random.seed(1); sys.stdout.buffer.write(random.randbytes(4096))' >"$tmp/binary.nft"
refused "a binary file" 1 '.' -f "$tmp/binary.nft"
echo 'table ip x { chain c { type filter hook input priority 0; iif nosuchdev drop; }; }' >"$tmp/dev.nft"
refused "unknown interface" 1 'nosuchdev' -f "$tmp/dev.nft"
echo 'delete table ip nosuch' >"$tmp/kernel.nft"
refused "refused by the kernel" 1 'No such file or directory' -f "$tmp/kernel.nft"
is "refused by the kernel: nft's own words" "$(nb $n -f "$tmp/kernel.nft" 2>&1)" \
	"$(in_ns $n nft -f "$tmp/kernel.nft" 2>&1)"
echo 'table ip x { chain c { type filter hook input priority 0; jump nosuch; }; }' >"$tmp/jump.nft"
refused "unknown jump target" 1 'No such file' -f "$tmp/jump.nft"
{
	cat "$tmp/good.nft"
	echo 'add rule ip good nosuch accept'
} >"$tmp/half.nft"
refused "the last of many commands refused" 1 '.' -f "$tmp/half.nft"
is "the last of many: nft's own words" "$(nb $n -f "$tmp/half.nft" 2>&1)" \
	"$(in_ns $n nft -f "$tmp/half.nft" 2>&1)"
cat >"$tmp/full.nft" <<'NFT'
table ip y {
	set s { type ipv4_addr; size 2; elements = { 1.1.1.1, 1.1.1.2, 1.1.1.3 }; }
	set t { type ipv4_addr; }
	chain c { type filter hook input priority 5; ip saddr @s drop; }
}
create set ip y t { type ipv4_addr; }
NFT
refused "a set that is full, a set that is there" 1 'File exists' -f "$tmp/full.nft"
is "refused in two places: nft's own words" "$(nb $n -f "$tmp/full.nft" 2>&1)" \
	"$(in_ns $n nft -f "$tmp/full.nft" 2>&1)"
is "the same from a pipe" "$(nb $n -f - < <(cat "$tmp/full.nft") 2>&1)" \
	"$(in_ns $n nft -f - < <(cat "$tmp/full.nft") 2>&1)"
is "the same as words" "$(nb $n create table ip good 2>&1)" "$(in_ns $n nft create table ip good 2>&1)"
is "and with -c" "$(nb $n -c -f "$tmp/full.nft" 2>&1)" "$(in_ns $n nft -c -f "$tmp/full.nft" 2>&1)"
is "nothing of it changed anything" "$(nb $n list ruleset; ls -R "$dir")" "$before"
refused "unknown option" 2 'nft-bpf --help' --no-such-option
refused "no file" 2 'nft-bpf --help'
refused "-D without =" 2 'NAME=VALUE' -D foo -f "$tmp/good.nft"
refused "an unknown command" 1 '.' frobnicate
refused "an unknown namespace" 1 'nosuch' --netns nosuch status
refused "-c" 0 '^' -c -f "$tmp/good.nft"
echo 'table ip x { chain c { type filter hook input priority 0; ip saddr 1.2.3.4 reject; }; }' >"$tmp/reject.nft"
refused "--require-bpf" 1 'expr-reject' --require-bpf -f "$tmp/reject.nft"

: >"$tmp/empty.nft"
ok "an empty file changes nothing" nb $n -f "$tmp/empty.nft"
is "an empty file: nothing changed" "$(nb $n list ruleset; ls -R "$dir")" "$before"
ok "a pipe" bash -c "cat '$tmp/good.nft' | '$NFT_BPF' --netns $n -f -"
mkfifo "$tmp/fifo"
cat "$tmp/good.nft" >"$tmp/fifo" &
ok "a FIFO" nb $n -f "$tmp/fifo"
ok "standard input" bash -c "'$NFT_BPF' --netns $n -f - <'$tmp/good.nft'"

out=$(nsenter --net=/run/netns/$n setpriv --reuid 65534 --clear-groups "$NFT_BPF" -f "$tmp/good.nft" 2>&1)
is "not root: exit status" $? 1
like "not root: message" "$out" '[Pp]ermi|root|privilege|Operation not permitted'

# Names: odd, long, many.
long=$(printf 'a%.0s' $(seq 200))
{
	echo "flush ruleset"
	echo "table ip $long { chain $long { type filter hook input priority 0; counter accept; }; }"
	echo 'table inet a.b_c/d { chain x.y_z/w { type filter hook output priority 0; counter; }; }'
	for i in $(seq 100); do
		echo "table ip t$i { chain c { type filter hook forward priority $i; ip saddr 10.0.0.$i drop; }; }"
	done
} >"$tmp/names.nft"
ok "long, odd and many names" nb $n -f "$tmp/names.nft"
is "all of them are compiled" "$(nb $n status -j | python3 -c "
import json, sys
print(sum(c['compiled'] for c in json.load(sys.stdin)['chains']))")" 102
ok "list them" nb $n list ruleset
ok "give them back" nb $n give

is "explain -j of a pipe, which is read more than once" \
	"$(cat "$tmp/good.nft" | "$NFT_BPF" explain -j -f -)" "$("$NFT_BPF" explain -j -f "$tmp/good.nft")"

# --dump is a look at something: what does not print it does not go on to load.
in_ns $n nft flush ruleset
for words in "-f $tmp/good.nft" "add table ip dumped" take; do
	out=$(nb $n --dump=ir $words 2>&1)
	is "--dump with ${words%% *}: usage" $? 2
	like "--dump with ${words%% *}: says what to do" "$out" 'explain --dump=ir .*nothing was done'
done
is "nothing was loaded" "$(in_ns $n nft list tables)" ""
ok "--dump with explain" "$NFT_BPF" --dump=ir explain -f "$tmp/good.nft"

# Two at once: both work, one after the other.
ok "load for two" nb $n -f "$tmp/good.nft"
nb $n -f "$tmp/good.nft" & a=$!
nb $n -f "$tmp/good.nft" & b=$!
wait $a; sa=$?
wait $b; sb=$?
is "two at once: exit statuses" "$sa $sb" "0 0"

# No place for pins.
out=$(NFT_BPF_BPFFS=/dev/null nb $n -f "$tmp/good.nft" 2>&1)
like "no bpffs: said" "$out" "/dev/null"

# A namespace that goes away: its programs are seen, and gc removes them.
own_bpffs # no other gc may come before this one
m=in-gone-$$
netns $m
inode=$(stat -Lc %i /run/netns/$m)
ok "load in a namespace" nb $m -f "$tmp/good.nft"
ip netns del $m
like "status --all shows it" "$("$NFT_BPF" status --all)" "$inode"
if gc_is_allowed; then
	like "gc -c names it" "$("$NFT_BPF" gc -c)" "$inode.*would"
	like "gc removes it" "$("$NFT_BPF" gc)" "$inode.*removed"
	ok "nothing is left of it" test ! -e "$tmp/bpf/nft-bpf/net-$inode"
fi
plan
