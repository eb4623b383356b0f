#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Every ruleset of the corpus through nft-bpf -f: none crashes, none is refused that nft accepts, and
# no fewer chains are compiled than doc/coverage.md says. No rule of rule-cases.tsv stays with the
# interpreter because of its set.
. "$(dirname "$0")/lib.sh"
[ -d "$top_srcdir/../shared/corpus" ] || skip_all "../shared/corpus is not here"

compiled() { sed -n 's/^- \*\*\([0-9]*\) of these.*/\1/p' "$1"; }
ok "no crash, no refusal" "$top_srcdir/scripts/coverage" -o "$tmp/coverage.md"
ok "the report counts chains" test -n "$(compiled "$tmp/coverage.md")"
ok "no fewer chains compiled ($(compiled "$tmp/coverage.md")) than doc/coverage.md says" \
	test "$(compiled "$tmp/coverage.md")" -ge "$(compiled "$top_srcdir/doc/coverage.md")"
of_sets() { sed -n 's/.*rules: \*\*\([0-9]*\) compiled.*/\1/p' "$1"; }
ok "no rule with a set is left for the set's sake" "$top_srcdir/scripts/set-shapes"
ok "no fewer of them compiled ($(of_sets "$tmp/coverage.md")) than doc/coverage.md says" \
	test "$(of_sets "$tmp/coverage.md")" -ge "$(of_sets "$top_srcdir/doc/coverage.md")"
plan
