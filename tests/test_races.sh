#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Everybody at once: nft-bpf loading, taking and giving in several processes, some of them killed at any
# moment, and plain nft changing the same ruleset. Port 666 is refused in all rulesets there ever are:
# under traffic, no datagram to it may arrive. Afterwards all is repaired. RACES_SECONDS: how long.
. "$(dirname "$0")/lib.sh"

export NFT_BPF_FRONTS=all

r=rc-r-$$
seconds=${RACES_SECONDS:-12}
netns $r
cat >"$tmp/a.nft" <<'NFT'
flush ruleset
table inet t {
	set ports { type inet_service; elements = { 666, 665 }; }
	chain in {
		type filter hook input priority filter; policy accept;
		udp dport @ports counter drop
		udp dport 777 counter accept
	}
	chain out {
		type filter hook output priority filter; policy accept;
		udp dport 664 counter drop
	}
}
table inet u {
	chain other {
	}
}
NFT
sed 's/^}$/&/; 0,/^}$/s//\tchain nat {\n\t\ttype nat hook postrouting priority srcnat; policy accept;\n\t}\n}/' \
	"$tmp/a.nft" >"$tmp/b.nft"
sed 's/udp dport 777/udp dport 555 counter reject\n\t\t&/' "$tmp/b.nft" >"$tmp/c.nft"
for f in a b c; do
	ok "ruleset $f" in_ns $r nft -c -f "$tmp/$f.nft"
done
in_ns $r nft -f "$tmp/a.nft"

beside $r python3 - "$tmp" <<'PY' &
import select, socket, sys, time
def bound(port):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(("127.0.0.1", port))
    s.setblocking(False)
    return s
bad, good = bound(666), bound(777)
c = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
leak, alive, n = open(sys.argv[1] + "/leak", "a"), open(sys.argv[1] + "/alive", "w"), 0
while True:
    time.sleep(0.0002)
    for port in 666, 666, 777:
        try:
            c.sendto(b"x", ("127.0.0.1", port))
        except OSError:
            pass
    for s in select.select([bad, good], [], [], 0)[0]:
        s.recv(64)
        if s is bad:
            leak.write("x"); leak.flush()
        else:
            n += 1
            if n % 100 == 0:
                alive.write("x"); alive.flush()
PY
size() { stat -c %s "$1" 2>/dev/null || echo 0; }
more() { [ "$(size "$tmp/alive")" -gt "$1" ]; }
wait_for more 0
end=$(($(date +%s) + seconds))
going() { [ "$(date +%s)" -lt $end ]; }

loads() { while going; do nb $r -f "$tmp/$(shuf -en1 a b c).nft"; done; }
takes() { while going; do nb $r "$(shuf -en1 take take give sync)"; done; }
kills() {
	local pid
	while going; do
		"$NFT_BPF" --netns $r $(shuf -en1 take give "-f $tmp/a.nft" "-f $tmp/b.nft" "-f $tmp/c.nft") &
		pid=$!
		sleep 0.0$(shuf -i 10-99 -n1)
		sleep 0.$(shuf -i 0-2 -n1)
		kill -9 $pid
		wait $pid
	done
}
others() {
	while going; do
		in_ns $r nft add rule inet u other counter
		in_ns $r nft add element inet t ports '{ 668 }'
		in_ns $r nft flush chain inet u other
		in_ns $r nft delete element inet t ports '{ 668 }'
		in_ns $r nft -f "$tmp/$(shuf -en1 a b c).nft"
		sleep 0.2
	done
}
for job in loads takes kills others; do
	$job >/dev/null 2>>"$tmp/said" &
	jobs+=($!)
done
wait "${jobs[@]}"
ok "nothing refused has arrived" test ! -s "$tmp/leak"
[ ! -s "$tmp/leak" ] || echo "# $(size "$tmp/leak") datagrams"
is "nobody crashed" "$(grep -icE 'segmentation|assert|sanitizer|aborted' "$tmp/said")" 0
ok "take repairs" nb $r take
like "status: nothing is left over" "$(nb $r status -j)" '"moved_on":false,"unfinished":false'
ok "allowed traffic passes" wait_for more "$(size "$tmp/alive")"
ok "give" nb $r give
ok "nothing is pinned" test ! -e "/sys/fs/bpf/nft-bpf/net-$(stat -Lc %i /run/netns/$r)"
ok "chains are on their hooks" grep -q 'hook input' <(in_ns $r nft list chain inet t in)
ok "no table sleeps" not grep -q dormant <(in_ns $r nft list tables)
ok "nothing refused has arrived at the end" test ! -s "$tmp/leak"
plan
