#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# tests/mutations.sh [-c | -m] [FILTER]: plants the errors of mutations.list, one after the other, in
# a copy of the tree, and sees whether difftest finds each within 60 s (LIMIT): first with testdata/difftest,
# then with random rulesets. Prints TAP; with -m a table for doc/difftest.md. FILTER is a regular
# expression. Not part of `make check`: each one is a build. What is: -c, whether each still changes one
# place, and only that.
set -u

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
limit=${LIMIT:-60}

# entries COMMAND: runs it for each entry of the list that the filter lets through.
entries() {
	while IFS='|' read -r name file edit; do
		case $name in '' | '#'*) continue ;; esac
		[[ $name =~ $filter ]] && "$@"
	done <"$top/tests/mutations.list"
}
n=0
file= # of the error that is planted; none yet
failed=0
result() {
	echo "$1 $n - $2"
	[ "$1" = ok ] || failed=1
}

check_entry() {
	local hunks

	n=$((n + 1))
	hunks=$(sed "$edit" "$top/$file" | diff "$top/$file" - | grep -c '^[0-9]')
	if [ "$hunks" = 1 ]; then result ok "$name"; else result "not ok" "$name: $hunks places"; fi
}

mode=
case ${1:-} in -c | -m) mode=$1 && shift ;; esac
filter=${1:-}
if [ "$mode" = -c ]; then
	entries check_entry
	echo "1..$n"
	exit $failed
fi
[ "$(id -u)" = 0 ] || { echo "1..0 # SKIP needs root"; exit 0; }

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
mkdir "$tmp/src" "$tmp/build"
(cd "$top" && git ls-files -z | tar --null --ignore-failed-read -T - -cf - 2>/dev/null) |
	tar xf - -C "$tmp/src"
(cd "$tmp/src" && autoreconf -fi) >"$tmp/log" 2>&1 &&
	(cd "$tmp/build" && ../src/configure && make -j2 nft-bpf nft-bpf-llvm.la) >>"$tmp/log" 2>&1 ||
	{ tail -n 20 "$tmp/log"; echo "Bail out! it does not build"; exit 1; }
{
	printf 'table ip large {\n set s {\n type ipv4_addr\n elements = {\n'
	for i in {0..99}; do printf "10.$i.%d.1,\n" {0..249}; done
	printf '}\n }\n chain c {\n type filter hook input priority 0\n'
	printf 'ip saddr @s counter drop\n ip saddr != @s counter\n }\n}\n'
} >"$tmp/large.nft"
export NFT_BPF_BACKEND=$tmp/build/.libs/nft-bpf-llvm.so

# Does a run of difftest show a difference, or fall over?
shows() {
	local left=$((limit - SECONDS + started)) status

	[ "$left" -gt 0 ] || return 1
	timeout -k 5 "$left" "$tmp/build/nft-bpf" difftest "$@" >"$tmp/out" 2>&1
	status=$?
	[ "$status" = 1 ] || { [ "$status" -ge 128 ] && [ "$status" != 137 ]; }
}
found() {
	local f

	started=$SECONDS
	# The rulesets of tests are too small to be split by themselves.
	if [[ $file == compiler/emit/split* ]]; then
		for f in 400 1000; do
			how="parts.nft in parts of $f"
			NFT_BPF_SPLIT=$f shows -f "$tmp/src/testdata/difftest/parts.nft" && return
		done
		return 1
	fi
	# What only large look-ups have.
	if [[ $file == compiler/classify/* ]]; then
		how="a set of 25,000 elements"
		shows --packets 300 -f "$tmp/large.nft" && return
	fi
	# What code depends on matters where code is used again.
	if [[ $file == compiler/emit/key* ]]; then
		for f in {1..60}; do
			how="edits.nft changed, seed $f"
			shows --edit --packets 100 --seed "$f" -f "$tmp/src/testdata/difftest/edits.nft" &&
				return
		done
		return 1
	fi
	for f in "$tmp"/src/testdata/difftest/*.nft; do
		if grep -q '^# packet ' "$f"; then
			shows --replay -f "$f" && how=${f##*/} && return
		else
			shows -f "$f" && how=${f##*/} && return
		fi
	done
	how="random rulesets from seed $n on"
	shows --random 1000000 --first --seed "$n" --seconds $((limit - SECONDS + started - 10))
}

# The list is standard input of what runs here.
try_entry() {
	local what

	n=$((n + 1))
	cp "$tmp/src/$file" "$tmp/saved"
	sed -i "$edit" "$tmp/src/$file"
	if ! make -C "$tmp/build" nft-bpf nft-bpf-llvm.la >"$tmp/log" 2>&1 </dev/null; then
		what="does not build"
		grep -m3 -E 'error' "$tmp/log" | sed 's/^/# /'
	elif found </dev/null; then
		what=
	else
		what="not found in $limit s"
	fi
	if [ "$mode" = -m ]; then
		echo "| $name | \`$file\` | ${what:-$((SECONDS - started)) s, $how} |"
	else
		result "${what:+not }ok" "$name: ${what:-found in $((SECONDS - started)) s by $how}"
	fi
	[ -z "$what" ] || failed=1
	cp "$tmp/saved" "$tmp/src/$file"
}
started=$SECONDS
found && { cat "$tmp/out"; echo "Bail out! there is a difference without any error planted"; exit 1; }
[ "$mode" != -m ] || printf '| planted error | file | found |\n| --- | --- | --- |\n'
entries try_entry
[ "$mode" = -m ] || echo "1..$n"
exit $failed
