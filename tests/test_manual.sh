#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The manual page, --help and the program are in step; each reason code is documented.
. "$(dirname "$0")/lib.sh"
man=$top_srcdir/doc/nft-bpf.8
text=$(mandoc -Tutf8 "$man" 2>/dev/null | col -b)
help=$("$NFT_BPF" --help)

ok "the manual page is well-formed" mandoc -Tlint -Wwarning "$man"
for o in $(grep -oE -- '--[a-z][a-z-]+' <<<"$help" | sort -u); do
	like "manual page has $o" "$text" "(^|[^a-z-])$o([^a-z-]|$)"
done
for o in $(sed -n 's/^\t{"\([a-z-]*\)", .*_argument.*/--\1/p' "$top_srcdir/cli/options.c"); do
	like "help has $o" "$help" "(^|[^a-z-])$o([^a-z-]|$)"
done
of_difftest=$("$NFT_BPF" difftest --help)
for o in $(sed -n 's/^\t{"\([a-z-]*\)", .*_argument.*/--\1/p' "$top_srcdir/difftest/options.c"); do
	like "difftest's help has $o" "$of_difftest" "(^|[^a-z-])$o([^a-z-]|$)"
done
for c in $(sed -n 's/^\t{"\([a-z]*\)", ".*/\1/p' "$top_srcdir/cli/commands.c"); do
	like "help has command $c" "$help" "^  $c "
	like "manual page has command $c" "$text" "(^|[[:space:]])$c([[:space:]]|$)"
done
for code in $("$top_srcdir/scripts/reason-codes"); do
	like "manual page explains reason $code" "$text" "(^|[[:space:]])$code([[:space:]]|$)"
done
ok "--version" "$NFT_BPF" --version
plan
