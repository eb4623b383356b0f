#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# One rule of a long list changed, added or deleted at a time: code that ran before runs on with new
# tables; packets right after decide and count as under the interpreter. TEST_EDIT_SEED, TEST_EDIT_ROUNDS.
. "$(dirname "$0")/lib.sh"

n=ed-n-$$ b=ed-b-$$ # under nft, under nft-bpf; each talks to itself
netns $n $b
for h in $n $b; do
	addr $h lo 10.8.0.1/16 10.9.0.1/16
done

seed=${TEST_EDIT_SEED:-1} rounds=${TEST_EDIT_ROUNDS:-10}
for shape in points pairs prefixes five; do
	ok "$shape: as the interpreter" python3 "$top_srcdir/tests/edits.py" \
		$shape "$seed" "$rounds" $n $b "$NFT_BPF"
	like "$shape: code is used again" "$(cat "$tmp/ok.out")" '^[1-9][0-9]* of'
done

# The same ruleset again; then one whose code is another one's.
like "the same file" "$(nb $b --verbose take 2>&1)" 'code used again'
like "status says since when" "$(nb $b status)" 'code compiled 20'
nb $b add rule ip t c tcp flags syn counter
is "other code" "$(nb $b status | grep -c 'code compiled')" 0
like "and that one again" "$(nb $b --verbose take 2>&1)" 'code used again'
dir=/sys/fs/bpf/nft-bpf/net-$(stat -Lc %i "/run/netns/$b")
ok "nobody can write to what is kept" not bpftool map update pinned "$(echo $dir/gen-*/object)" \
	key 0 0 0 0 value hex $(seq 8 | sed 's/.*/00/')
rm $dir/gen-*/object
like "without it LLVM is asked" "$(nb $b --verbose take 2>&1)" 'LLVM'
like "and it is kept once more" "$(nb $b --verbose take 2>&1)" 'code used again'
# A back end of another build makes other code, so its own.
cp "$NFT_BPF_BACKEND" "$tmp/other.so"
like "not over another build" "$(NFT_BPF_BACKEND=$tmp/other.so nb $b --verbose take 2>&1)" 'LLVM'
plan
