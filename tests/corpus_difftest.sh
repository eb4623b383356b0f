#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# tests/corpus_difftest.sh [-m] [FILTER] [-- DIFFTEST-OPTION …]: every ruleset of ../shared/corpus
# through nft-bpf difftest. Prints a table (-m: as Markdown, for doc/difftest.md) and a sum; exit
# status 1 if a difference is not explained, or a file that nft loads could not be tested. Explained:
# by later fragments, time or chance, ids that the kernel draws; environment: packets for which NAT
# drew another port or address in each namespace before the compared rules saw them.
# Not part of `make check`: it takes minutes.
set -u

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
corpus=${CORPUS:-$top/../shared/corpus}/rulesets
: "${NFT_BPF:=$top/build/nft-bpf}"
export NFT_BPF_BACKEND=${NFT_BPF_BACKEND:-$(dirname "$NFT_BPF")/.libs/nft-bpf-llvm.so}
markdown=
[ "${1:-}" = -m ] && { markdown=1; shift; }
filter=
[ $# -gt 0 ] && [ "$1" != -- ] && { filter=$1; shift; }
[ "${1:-}" = -- ] && shift
[ -d "$corpus" ] || { echo "no corpus at $corpus: skipped"; exit 0; }
[ "$(id -u)" = 0 ] || { echo "needs root: skipped"; exit 0; }

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

# number KEY: of the report in $tmp/json, top level or in "counts".
number() { awk -F'[:,]' -v k="\"$1\"" '$1 ~ k"$" { print $2 + 0; exit }' "$tmp/json"; }

row() {
	if [ -n "$markdown" ]; then
		printf '| %s | %s | %s | %s | %s | %s | %s | %s | %s |\n' "$@"
	else
		printf '%-62s %7s %7s %8s %9s %9s %9s %11s %9s\n' "$@"
	fi
}

total() { echo "$@" >>"$tmp/totals"; }

row file chains compiled packets verdicts different explained environment rules
[ -n "$markdown" ] && echo '| --- | --- | --- | --- | --- | --- | --- | --- | --- |'
failed=0
refused=0
for f in "$corpus"/*/*.nft; do
	name=${f#"$corpus"/}
	[ -n "$filter" ] && [[ $name != *$filter* ]] && continue
	(cd "$(dirname "$f")" && timeout "${TIMEOUT:-120}" "$NFT_BPF" difftest -j -f "$f" "$@" \
		>"$tmp/json" 2>"$tmp/err")
	status=$?
	case $status in
	0 | 1)
		different=$(($(number different) + $(number evaluator-differs) + $(number packets-differ)))
		counters=$(grep -c '"explained": false' "$tmp/json")
		explained=$(($(number later-fragment) + $(number time-or-chance) + $(number drawn-id)))
		environment=$(number drawn-nat)
		row "$name" "$(number chains)" "$(number compiled)" "$(number packets)" \
			"$(number verdicts)" "$((different + counters))" "$explained" "$environment" \
			"$(number rules_hit)/$(number rules)"
		total "$(number chains)" "$(number compiled)" "$(number packets)" \
			"$(number verdicts)" "$((different + counters))" "$explained" \
			"$(number rules_hit)" "$(number rules)" "$(number rules_never)" "$environment" \
			"$(number edited)" "$(number reused)"
		;;
	2)
		refused=$((refused + 1))
		grep -q 'Error:' "$tmp/err" || failed=1
		row "$name" - - - - "nft: $(grep -m1 -o 'Error: .*' "$tmp/err" || tail -n1 "$tmp/err")" - - -
		;;
	134)
		refused=$((refused + 1))
		row "$name" - - - - "nft aborts: $(grep -m1 -o 'Assertion.*' "$tmp/err")" - - -
		grep -q 'Assertion' "$tmp/err" || failed=1
		;;
	*)
		failed=1
		row "$name" - - - - "exit status $status: $(tail -n1 "$tmp/err")" - - -
		;;
	esac
	[ "$status" = 1 ] && failed=1
done
touch "$tmp/totals"
awk -v refused="$refused" '{ for (i = 1; i <= 12; i++) s[i] += $i; n++ }
	END {
		printf "\n%d files, %d more that nft does not load. Base chains: %d, compiled %d. Packets: %d; " \
			"verdicts compared: %d, unexplained differences %d, explained %d, of the environment %d.\n" \
			"Rules in compiled chains: %d, of them %d cannot match; hit: %d (%.1f %%).\n",
			n, refused, s[1], s[2], s[3], s[4], s[5], s[6], s[10], s[8], s[9], s[7],
			(s[8] > s[9] ? 100 * s[7] / (s[8] - s[9]) : 100)
		if (s[11])
			printf "Made of another by changing a rule: %d, with its code: %d.\n", s[11], s[12]
	}' "$tmp/totals"
exit $failed
