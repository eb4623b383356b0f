#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Sets of each shape, all in one hook, packets at the borders of their elements: the kernel's
# interpreter and programs agree on each verdict and counter. scripts/set-borders does it for sets of
# up to 100,000 elements. BORDERS_SEED: other elements.
. "$(dirname "$0")/lib.sh"

is_whole() { # all compiled, and a packet for each rule that can have one
	local never
	never=$(sed -n '1s/.*: //p' "$tmp/b.nft")
	cat "$tmp/out"
	grep -q '^chains: 1, compiled: 1$' "$tmp/out" &&
		[ "$(grep -c '^  no packet reached' "$tmp/out")" = "$never" ]
}
agrees() {
	"$NFT_BPF" difftest -v --replay -f "$tmp/b.nft" >"$tmp/out" 2>&1
	local e=$?
	cat "$tmp/out"
	return $e
}

for sizes in "0 1 2 10" "100 1000"; do
	# shellcheck disable=SC2086
	python3 "$top_srcdir/tests/borders.py" -s "${BORDERS_SEED:-1}" -p 250 $sizes >"$tmp/b.nft"
	ok "$sizes: as the interpreter" agrees
	ok "$sizes: compiled, rules reached" is_whole
	echo "# $(sed -n 's/^packets: //p' "$tmp/out")"
done
plan
