#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Layering: the compiler knows no netlink and no libbpf, LLVM stays below compiler/emit, netlink knows
# no run time; every header compiles alone. And every test is run.
. "$(dirname "$0")/lib.sh"
cd "$top_srcdir" || exit 1

# includes DIR…: what their C files include, as FILE:LINE
includes() { grep -nE '^#[[:space:]]*include' -r "$@" --include='*.c' --include='*.h'; }
none() { # none WHAT LINES
	is "$1" "$2" ""
}
none "compiler/ includes no netlink, libbpf, libmnl, libnftnl, libnftables" \
	"$(includes compiler | grep -v '^compiler/bpf/' |
		grep -E '<bpf/|libmnl|libnftnl|nftables/|"\.\./(\.\./)?(netlink|runtime|cli)/' |
		grep -v '<linux/')"
none "LLVM only below compiler/emit" \
	"$(includes compiler netlink runtime cli difftest | grep -v '^compiler/emit/' | grep 'llvm-c')"
none "netlink/ includes neither runtime/ nor cli/ nor libbpf" \
	"$(includes netlink | grep -E '"\.\./(runtime|cli|difftest)/|<bpf/')"
none "runtime/ includes neither cli/ nor difftest/" \
	"$(includes runtime | grep -E '"\.\./(cli|difftest)/')"
# automake's log of tests/NAME.sh is that of tests/NAME too, and one of them would not be run
none "every test has a name of its own" \
	"$(ls tests/test_*.c tests/test_*.sh | sed 's/\.[a-z]*$//' | sort | uniq -d)"
llvm=$(for c in "${LLVM_CONFIG:-}" llvm-config-{21..16} llvm-config; do
	command -v "${c:-/none}" >/dev/null && echo "-isystem $("$c" --includedir)" && break
done)
for h in $(git ls-files '*.h' 2>/dev/null || find . -name '*.h'); do
	case $h in
	build*) continue ;;
	# Read by BPF code too, which has no C library: behind the kernel's types.
	compiler/bpf/* | compiler/classify/layout.h | compiler/classify/walk.h) continue ;;
	esac
	ok "$h compiles alone" gcc -std=gnu11 -D_GNU_SOURCE -I. $llvm -fsyntax-only -x c "$h"
done
plan
