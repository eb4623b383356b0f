#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The benchmark's harness: every workload loads, and every contestant decides as the workload's own
# arithmetic says. Nothing is timed.
. "$(dirname "$0")/lib.sh"

smoke() {
	"$top_srcdir/bench/run" --build "$top_builddir" --smoke "$@"
}
ok "all contestants decide rightly" smoke
"$top_srcdir/bench/run" --build "$top_builddir" --smoke lin-inet-10 2>/dev/null &
pid=$!
has_begun() { [ -e "/run/netns/bench-$pid-base" ]; }
ok "namespaces of its own" wait_for has_begun
wait $pid
is "none of them is left" "$(ip netns | grep "bench-$pid-")" ""
ok "a cost is measured" smoke --rounds 2 --sample-ms 1 --only floor,nft -o "$tmp/out" lin-inet-10
like "results as Markdown" "$(cat "$tmp/out/results.md")" '^\| lin-inet-10/random \| .*[0-9]'
ok "results as JSON" python3 -c '
import json, sys
r = json.load(open(sys.argv[1]))["results"][0]
assert r["base_ns"] > 0 and r["contestants"]["nft"]["samples"] == 2, r
' "$tmp/out/results.json"
ok "an unknown workload is refused" not smoke nonsense-3
plan
