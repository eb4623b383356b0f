# SPDX-License-Identifier: GPL-2.0-or-later
"""
kube-N: N services the way kube-proxy's nftables mode writes them: a verdict map over address,
protocol and port, a chain per service; every tenth takes only certain sources. New connections.
"""
import re

from .traffic import PACKETS, SYN, TCP, UDP, Packet, Workload, address, random_address, rng, table

PATTERN = re.compile(r"kube-(?P<n>\d+)")
ALL = FULL = ["kube-1000/new", "kube-1000/hit", "kube-5000/new", "kube-5000/hit"]
QUICK = ["kube-1000/new"]
CLUSTER = 0x0A600000  # 10.96.0.0/12
PODS = "10.244.0.0/16"
NAMES = {TCP: "tcp", UDP: "udp"}
RANGES = ((0x0AF40000, 16), (0x0A000000, 12), (0xCB007100, 24))


def draw_services(r, n):
    """address, protocol, port, restricted"""
    hosts = r.sample(range(1, 1 << 20), n)
    return [
        (
            CLUSTER + h,
            r.choice((TCP, TCP, TCP, UDP)),
            r.choice((80, 443, 53, 8080, 9090, r.randrange(1, 65536))),
            r.random() < 0.1,
        )
        for h in hosts
    ]


def allowed(source):
    return any(source >> (32 - length) == first >> (32 - length) for first, length in RANGES)


def ranges():
    return [f"{address(first)}/{length}" for first, length in RANGES]


def nft_text(services):
    elements = ",\n\t\t\t".join(
        f"{address(a)} . {NAMES[p]} . {port} : goto svc-{i}"
        for i, (a, p, port, _) in enumerate(services)
    )
    chains = "".join(
        f"\tchain svc-{i} {{\n"
        + (f"\t\tip saddr != {{ {', '.join(ranges())} }} counter drop\n" if restricted else "")
        + f"\t\tip saddr != {PODS} jump external\n\t\tcounter accept\n\t}}\n"
        for i, (_, _, _, restricted) in enumerate(services)
    )
    return table(
        "ip",
        "\tchain external {\n\t\tcounter\n\t}\n"
        + chains
        + "\tmap services {\n\t\ttype ipv4_addr . inet_proto . inet_service : verdict\n"
        f"\t\telements = {{\n\t\t\t{elements} }}\n\t}}\n"
        "\tchain services {\n\t\tip daddr . meta l4proto . th dport vmap @services\n"
        "\t\tip daddr 10.96.0.0/12 counter drop\n\t}\n"
        "\tchain prerouting {\n\t\ttype filter hook prerouting priority mangle; policy accept;\n"
        "\t\tct state new jump services\n\t}\n",
    )


def iptables_text(services):
    lines = [
        "*mangle",
        ":PREROUTING ACCEPT [0:0]",
        ":KUBE-SERVICES - [0:0]",
        ":KUBE-EXTERNAL - [0:0]",
    ]
    lines += [f":KUBE-SVC-{i} - [0:0]" for i in range(len(services))]
    lines += ["-A PREROUTING -m conntrack --ctstate NEW -j KUBE-SERVICES", "-A KUBE-EXTERNAL"]
    for i, (a, p, port, restricted) in enumerate(services):
        lines.append(
            f"-A KUBE-SERVICES -d {address(a)}/32 -p {NAMES[p]} --dport {port} -g KUBE-SVC-{i}"
        )
        if restricted:
            lines += [f"-A KUBE-SVC-{i} -s {net} -j ACCEPT" for net in ranges()] + [
                f"-A KUBE-SVC-{i} -j DROP"
            ]
        else:
            lines += [f"-A KUBE-SVC-{i} ! -s {PODS} -j KUBE-EXTERNAL", f"-A KUBE-SVC-{i} -j ACCEPT"]
    return "\n".join(lines + ["-A KUBE-SERVICES -d 10.96.0.0/12 -j DROP", "COMMIT", ""])


def build(name, match):
    services = draw_services(rng(name), int(match["n"]))
    table_of = {(a, p, port): restricted for a, p, port, restricted in services}

    def source(r):
        return 0x0AF40000 + r.randrange(1 << 16) if r.random() < 0.5 else random_address(r)

    def hit(r):
        a, p, port, _ = r.choice(services)
        return Packet(source(r), a, r.randrange(1024, 65536), port, p, SYN)

    def new(r):
        kind = r.random()
        if kind < 0.7:
            return hit(r)
        target = CLUSTER + r.randrange(1 << 20) if kind < 0.8 else random_address(r)
        return Packet(
            source(r), target, r.randrange(1024, 65536), r.choice((80, 443, 53)), TCP, SYN
        )

    def passes(p):
        restricted = table_of.get((p.daddr, p.proto, p.dport))
        if restricted is None:
            return p.daddr >> 20 != CLUSTER >> 20
        return not restricted or allowed(p.saddr)

    def mix(traffic):
        r = rng(name, traffic)
        packets = [{"hit": hit, "new": new}[traffic](r) for _ in range(PACKETS)]
        return packets, [passes(p) for p in packets]

    return Workload(
        name,
        nft_text(services),
        mix,
        iptables=iptables_text(services),
        priority=-150,
        conntrack=True,
    )
