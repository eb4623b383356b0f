#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Sets of each shape, packets at the borders of their elements: the kernel's interpreter and programs
# agree on each verdict and counter. BORDERS_SIZES="10000 100000" for other sizes than those of
# ./check, BORDERS_PACKETS=2000 for more packets a set, BORDERS_SHAPES="v4 boxes", BORDERS_SEED.
. "$(dirname "$0")/lib.sh"

sizes=${BORDERS_SIZES:-0 1 2 10 1000}
packets=${BORDERS_PACKETS:-250}
per_file=$((50 / $(wc -w <<<"$sizes"))) # a program has 64 maps at most
[ $per_file -le 7 ] || per_file=7
borders() { python3 "$top_srcdir/tests/borders.py" "$@"; }
is_whole() { # all compiled, and a packet for each rule that can have one
	local never
	never=$(sed -n '1s/.*: //p' "$tmp/b.nft")
	cat "$tmp/out"
	grep -q '^chains: 1, compiled: 1$' "$tmp/out" &&
		[ "$(grep -c '^  no packet reached' "$tmp/out")" = "$never" ]
}

while read -r -a shapes; do
	start=$SECONDS
	# shellcheck disable=SC2086
	borders -s "${BORDERS_SEED:-1}" -p "$packets" -o "$(IFS=,; echo "${shapes[*]}")" $sizes >"$tmp/b.nft"
	ok "${shapes[*]}: as the interpreter" sh -c \
		'"$1" difftest -v --replay -f "$2/b.nft" >"$2/out" 2>&1; e=$?; cat "$2/out"; exit $e' - "$NFT_BPF" "$tmp"
	ok "${shapes[*]}: compiled, rules reached" is_whole
	echo "# $(sed -n 's/^packets: //p' "$tmp/out"), $((SECONDS - start)) s"
done < <(tr ' ' '\n' <<<"${BORDERS_SHAPES:-$(borders -l)}" | xargs -n $per_file)
plan
