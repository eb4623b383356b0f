# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# What the shell tests share: TAP, scratch namespaces, traffic. Sourced by bash scripts, which end
# with `plan`. Environment: NFT_BPF, top_srcdir (set by make check).

set -u
: "${top_srcdir:=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)}"
: "${NFT_BPF:=$top_srcdir/build/nft-bpf}"
export PYTHONPATH=$top_srcdir/tests PYTHONDONTWRITEBYTECODE=1
export NFT_BPF_BACKEND=${NFT_BPF_BACKEND:-$(dirname "$NFT_BPF")/.libs/nft-bpf-llvm.so}

tap_n=0
tmp=$(mktemp -d)
tap_namespaces=()
tap_bpffs=${NFT_BPF_BPFFS:-}

tap_finish() {
	local n pids
	pids=$(jobs -p)
	[ -n "$pids" ] && kill $pids 2>/dev/null
	mountpoint -q "$tmp/bpf" && umount -l "$tmp/bpf"
	common_bpffs
	for n in "${tap_namespaces[@]}"; do
		"$NFT_BPF" --netns "$n" give >/dev/null 2>&1
		ip netns del "$n" 2>/dev/null
	done
	rm -rf "$tmp"
}
trap tap_finish EXIT
trap 'exit 1' INT TERM

# ok WHAT COMMAND…: the command must succeed; its output is shown when it does not.
ok() {
	local what=$1
	shift
	tap_n=$((tap_n + 1))
	if "$@" >"$tmp/ok.out" 2>&1; then
		echo "ok $tap_n - $what"
	else
		echo "not ok $tap_n - $what"
		echo "# $*"
		sed 's/^/#   /' "$tmp/ok.out" | head -n 40
	fi
}
not() {
	local patience=1
	! "$@"
}
# is WHAT GOT EXPECTED
is() {
	tap_n=$((tap_n + 1))
	if [ "$2" = "$3" ]; then
		echo "ok $tap_n - $1"
	else
		echo "not ok $tap_n - $1"
		printf 'got: %s\nexpected: %s\n' "$2" "$3" | sed 's/^/#   /'
	fi
}
# like WHAT TEXT EXTENDED-REGEX
like() {
	tap_n=$((tap_n + 1))
	if grep -qE -- "$3" <<<"$2"; then
		echo "ok $tap_n - $1"
	else
		echo "not ok $tap_n - $1"
		printf 'text: %s\nis not like: %s\n' "$2" "$3" | sed 's/^/#   /'
	fi
}
plan() { echo "1..$tap_n"; }
skip_all() {
	echo "1..0 # SKIP $1"
	exit 0
}
[ "$(id -u)" = 0 ] || skip_all "needs root"

# netns NAME…: scratch namespaces with lo up, removed at the end. Quiet ones: no router is asked for, no
# group reported; and without duplicate address detection: for up to two seconds after a link came up a
# router's link-local address is tentative, and one that forwards asks for no neighbour meanwhile
# (ndisc_send_ns()). One of that name is what a killed run has left.
netns() {
	local n
	for n; do
		[ ! -e "/run/netns/$n" ] || ip netns del "$n"
		ip netns add "$n"
		tap_namespaces+=("$n")
		in_ns "$n" sysctl -qw net.ipv6.conf.default.accept_dad=0 \
			net.ipv6.conf.default.router_solicitations=0 \
			net.ipv6.conf.default.mldv2_unsolicited_report_interval=2000000000
		ip -n "$n" link set lo up
	done
}
# twins NAME: $k for the kernel's interpreter and $b for BPF programs, to be given the same.
twins() {
	k=$1-k-$$ b=$1-b-$$
	netns $k $b
}
# gc_is_allowed: only where all processes are seen (PROC_PID_INIT_INO), not in a container.
gc_is_allowed() { [ "$(stat -Lc %i /proc/self/ns/pid)" = $((0xEFFFFFFC)) ]; }
# own_bpffs: from here on pins are on a bpffs of the test's own, where no other nft-bpf's gc sees them;
# common_bpffs: not any more.
own_bpffs() {
	mkdir "$tmp/bpf" && mount -t bpf bpf "$tmp/bpf" && export NFT_BPF_BPFFS=$tmp/bpf
}
common_bpffs() { [ -n "$tap_bpffs" ] && export NFT_BPF_BPFFS=$tap_bpffs || unset NFT_BPF_BPFFS; }

# A machine that stalls fails no test. What comes about by itself is waited for; what has to be seen in
# time is tried again when it was not.

# wait_for COMMAND…: until it succeeds; false after 30 s.
wait_for() {
	local end=$((SECONDS + 30))
	until "$@" >/dev/null 2>&1; do
		[ "$SECONDS" -lt "$end" ] || return 1
		sleep 0.05
	done
}
# settled: the packets that were sent have arrived, those too that ksoftirqd is late with.
settled() { wait_for backlog_is_empty; }
backlog_is_empty() {
	local words
	while read -ra words; do # softnet_seq_show()
		[ $((16#${words[11]})) = 0 ] || return 1
	done </proc/net/softnet_stat
}
# clock: starts it. by MS: is it no later than that? at MS: goes on at that time. It goes $slow times as slow.
slow=1
clock() { clock_start=${EPOCHREALTIME/[.,]/}; }
elapsed() { echo $(((${EPOCHREALTIME/[.,]/} - clock_start) / 1000 / slow)); } # ms
by() { [ "$(elapsed)" -le "$1" ]; }
at() {
	local ms=$((($1 - $(elapsed)) * slow))
	[ $ms -le 0 ] || sleep "$((ms / 1000)).$(printf %03d $((ms % 1000)))"
}
# in_time COMMAND…: again until it says, by `by`, that the machine was quick enough for what it has seen;
# ever slower, so it has to make times $slow times as long.
in_time() {
	for slow in 1 1 2 2 4 8 16; do
		"$@" && return
		echo "# not in time: $*"
	done
	return 1
}

# in_ns NAME COMMAND…: without ip's remount of /sys.
in_ns() {
	local n=$1
	shift
	nsenter --net="/run/netns/$n" "$@"
}
# beside NS COMMAND… &: the same in the background, which ends with the test, when that is killed too.
beside() { exec setpriv --pdeathsig KILL nsenter --net="/run/netns/$1" "${@:2}"; }
# veth NS DEV NS DEV
veth() {
	ip -n "$1" link add "$2" type veth peer name "$4" netns "$3"
	ip -n "$1" link set "$2" up
	ip -n "$3" link set "$4" up
}
# addr NS DEV ADDRESS…
addr() {
	local n=$1 d=$2 a
	shift 2
	for a; do
		case $a in
		*:*) ip -n "$n" addr add "$a" dev "$d" nodad ;;
		*) ip -n "$n" addr add "$a" dev "$d" ;;
		esac
	done
}
nb() { # nb NS ARGS…
	local n=$1
	shift
	"$NFT_BPF" --netns "$n" "$@"
}
# serve NS PORT…: TCP servers that say "ok", and UDP ones that echo, on v4 and v6.
serve() {
	local n=$1
	shift
	rm -f "$tmp/serving"
	beside "$n" python3 - "$tmp/serving" "$@" <<'PY' &
import selectors, socket, sys
sel = selectors.DefaultSelector()
for port in map(int, sys.argv[2:]):
    for kind in socket.SOCK_STREAM, socket.SOCK_DGRAM:
        s = socket.socket(socket.AF_INET6, kind)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind(("::", port))
        if kind == socket.SOCK_STREAM:
            s.listen(16)
        sel.register(s, selectors.EVENT_READ, kind)
open(sys.argv[1], "w").close()
while True:
    for key, _ in sel.select():
        s = key.fileobj
        if key.data == socket.SOCK_STREAM:
            c, _ = s.accept()
            c.sendall(b"ok")
            c.close()
        else:
            data, peer = s.recvfrom(2048)
            try:
                s.sendto(data, peer)
            except OSError:
                pass
PY
	wait_for test -e "$tmp/serving"
}
# tcp NS ADDRESS PORT: connects and reads to the end, so that nothing of the connection comes later; udp:
# sends and hears the echo. Patience for a busy machine, 1 s under `not`.
tcp() {
	in_ns "$1" python3 -c "
import socket
s = socket.create_connection(('$2', $3), ${patience:-20}); s.settimeout(${patience:-20})
assert s.recv(2) == b'ok' and s.recv(1) == b''"
}
udp() {
	in_ns "$1" python3 -c "
import socket
f = socket.AF_INET6 if ':' in '$2' else socket.AF_INET
s = socket.socket(f, socket.SOCK_DGRAM); s.settimeout(${patience:-20})
s.sendto(b'hi', ('$2', $3)); assert s.recv(8) == b'hi'"
}
png() { in_ns "$1" ping -c1 -W"${patience:-20}" "$2"; }
# answers NS SOURCE DESTINATION: a ping is answered; silent: it is not, and was sent.
answers() { in_ns "$1" ping -c1 -W"${patience:-20}" -q -I "$2" "$3" >/dev/null; }
silent() {
	local patience=0.2
	answers "$@"
	[ $? = 1 ]
}
# counter NS TABLE CHAIN COMMENT [nft]: packets of the commented rule, ours or (nft) the kernel's.
counter() {
	if [ "${5:-}" = nft ]; then
		in_ns "$1" nft list chain inet "$2" "$3"
	else
		nb "$1" list chain inet "$2" "$3"
	fi | sed -n "s/.*counter packets \([0-9]*\) .*comment \"$4\".*/\1/p"
}
