#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Limits and quotas under load: two senders on two CPUs, at 1, 2 and 8 times the rate, through the
# interpreter and through BPF beside it, for SECONDS_EACH seconds (10): what passes differs by
# 1 % of what is sent at most, and what a quota passes by no byte.
. "$(dirname "$0")/lib.sh"

each=${SECONDS_EACH:-10}
a=ra-a-$$ b=ra-b-$$
netns $a $b
cat >"$tmp/a.nft" <<'NFT'
table ip t {
	chain input {
		type filter hook input priority 0; policy accept;
		udp dport 7000 counter comment "sent"
		udp dport 7000 limit rate 1000/second burst 50 packets counter comment "packets"
		udp dport 7000 limit rate over 1000/second burst 50 packets counter comment "over"
		udp dport 7000 limit rate 100 kbytes/second burst 5000 bytes counter comment "bytes"
		udp dport 7000 quota 100 kbytes counter comment "quota"
		udp dport 7000 quota over 100 kbytes counter comment "quota over"
	}
}
NFT
cat >"$tmp/send.py" <<'PY'
# RATE CPU SECONDS NAMESPACE…: each packet into each of them, so that a pause of this process is one of both.
import ctypes, os, socket, sys, time
cpus = sorted(os.sched_getaffinity(0))
os.sched_setaffinity(0, {cpus[int(sys.argv[2]) % len(cpus)]})
rate, seconds = float(sys.argv[1]), float(sys.argv[3])
socks = []
for name in sys.argv[4:]:
    with open("/run/netns/" + name) as f:
        if ctypes.CDLL(None).setns(f.fileno(), 0):
            sys.exit("setns: " + name)
    socks.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
start = time.monotonic()
for i in range(int(rate * seconds)):
    while time.monotonic() < start + i / rate:
        time.sleep(min(0.001, 1 / rate))
    for s in socks:
        s.sendto(bytes(72), ("127.0.0.1", 7000))  # 100 bytes in all
PY
count() { # WHAT COMMAND…
	local what=$1
	shift
	"$@" list chain ip t input | sed -n "s/.*counter packets \([0-9]*\) .*comment \"$what\".*/\1/p"
}
close() { # A B SENT
	python3 -c "import sys; sys.exit(abs($1 - $2) > $3 / 100)"
}

for times in 1 2 8; do
	in_ns $a nft flush ruleset
	nb $b flush ruleset
	in_ns $a nft -f "$tmp/a.nft"
	ok "nft-bpf -f" nb $b --require-bpf -f "$tmp/a.nft"
	pids=()
	for cpu in 0 1; do
		python3 "$tmp/send.py" $((times * 500)) $cpu "$each" $a $b &
		pids+=($!)
	done
	wait "${pids[@]}"
	settled
	is "$times times the rate: as much is sent" "$(count sent nb $b)" "$(count sent in_ns $a nft)"
	for what in packets over bytes; do
		n1=$(count $what in_ns $a nft) n2=$(count $what nb $b)
		ok "$times times the rate: limit, $what: nft $n1, nft-bpf $n2" close "$n1" "$n2" $((times * 1000 * each))
	done
	for what in quota "quota over"; do
		is "$times times the rate: $what" "$(count "$what" nb $b)" "$(count "$what" in_ns $a nft)"
	done
done
plan
