#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# tests/mutations.sh [-n N] [FILTER]: plants the errors of mutations.list, one after the other, in a
# copy of the tree, and sees whether difftest finds each within 60 s: first with testdata/difftest,
# then with random rulesets. Prints TAP. Not part of `make check`: each one is a build.
set -u

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
limit=60
filter=${1:-}
[ "$(id -u)" = 0 ] || { echo "1..0 # SKIP needs root"; exit 0; }

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
mkdir "$tmp/src" "$tmp/build"
(cd "$top" && git ls-files -z | tar --null --ignore-failed-read -T - -cf - 2>/dev/null) |
	tar xf - -C "$tmp/src"
(cd "$tmp/src" && autoreconf -fi) >"$tmp/log" 2>&1 &&
	(cd "$tmp/build" && ../src/configure && make -j2 nft-bpf nft-bpf-llvm.la) >>"$tmp/log" 2>&1 ||
	{ tail -n 20 "$tmp/log"; echo "Bail out! it does not build"; exit 1; }
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
	for f in "$tmp"/src/testdata/difftest/*.nft; do
		if grep -q '^# packet ' "$f"; then
			shows --replay -f "$f" && how=${f##*/} && return
		else
			shows -f "$f" && how=${f##*/} && return
		fi
	done
	how="random rulesets"
	shows --random 1000000 --first --seed "$RANDOM" --seconds $((limit - SECONDS + started - 10))
}

n=0
failed=0
result() {
	n=$((n + 1))
	echo "$1 $n - $2"
	[ "$1" = ok ] || failed=1
}
started=$SECONDS
found && { cat "$tmp/out"; echo "Bail out! there is a difference without any error planted"; exit 1; }
while IFS='|' read -r name file edit; do
	case $name in '' | '#'*) continue ;; esac
	[[ $name == *"$filter"* ]] || continue
	cp "$tmp/src/$file" "$tmp/saved"
	# An edit may hold |, and is the rest of the line.
	sed -i "$edit" "$tmp/src/$file"
	if cmp -s "$tmp/saved" "$tmp/src/$file"; then
		result "not ok" "$name: nothing was changed"
	elif ! make -C "$tmp/build" nft-bpf nft-bpf-llvm.la >"$tmp/log" 2>&1; then
		result "not ok" "$name: it does not build"
		grep -m3 -E 'error' "$tmp/log" | sed 's/^/# /'
	elif found; then
		result ok "$name: found in $((SECONDS - started)) s by $how"
	else
		result "not ok" "$name: not found in $limit s"
	fi
	cp "$tmp/saved" "$tmp/src/$file"
done <"$top/tests/mutations.list"
echo "1..$n"
exit $failed
