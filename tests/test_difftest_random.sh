#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What difftest found is kept and found no more; a share of the random rulesets, with a limit of
# time; the planted errors of mutations.list still fit the code (to plant them takes too long here).
. "$(dirname "$0")/lib.sh"

difftest() { timeout 300 "$NFT_BPF" difftest "$@"; }
# number WORDS: the one in front of them in $tmp/out.
number() { sed -n "s/.*[^0-9]\([0-9][0-9]*\) $1.*/\1/p;s/.*$1: \([0-9][0-9]*\).*/\1/p" "$tmp/out" | head -n 1; }

ok "planted errors can still be planted" "$top_srcdir/tests/mutations.sh" -c
for f in "$top_srcdir"/testdata/difftest/*.nft; do
	replay=
	grep -q '^# packet ' "$f" && replay=--replay
	ok "${f##*/}" difftest -f "$f" $replay
done

difftest --random 400 --eval-only --seconds 40 --seed 1 >"$tmp/out" 2>"$tmp/err"
is "random rulesets, each pass of the optimiser: exit status" $? 0
is "none differs" "$(number 'rulesets that differ')" 0
ok "and there were some" test "$(number 'random rulesets')" -ge 20
difftest --random 30 --seconds 40 --seed 1 >"$tmp/out" 2>"$tmp/err"
is "random rulesets through kernel and BPF: exit status" $? 0
is "nor here" "$(number 'rulesets that differ')" 0
ok "and there were some of these" test "$(number 'random rulesets')" -ge 3
for seed in 1 2 3 4 5 6; do
	ok "edits.nft over one that differs by a rule, $seed" difftest --edit --seed $seed --packets 100 \
		-f "$top_srcdir/testdata/difftest/edits.nft"
done
difftest --random 30 --edit --seconds 40 --seed 3000001 >"$tmp/out" 2>"$tmp/err"
is "made of others by changing a rule: exit status" $? 0
is "nor of these" "$(number 'rulesets that differ')" 0
ok "there were some" test "$(number 'made of another by changing a rule')" -ge 3
ok "elements were changed between packets" \
	test "$(number 'elements changed between packets')" -ge 1
ok "some with the other's code" test "$(number 'with its code')" -ge 1
is "the same seed, the same rulesets and packets" \
	"$(difftest --random 5 --eval-only --seed 77)" "$(difftest --random 5 --eval-only --seed 77)"
plan
