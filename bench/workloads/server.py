# SPDX-License-Identifier: GPL-2.0-or-later
"""
server: what a small server's input looks like: 37 rules, conntrack's state first, then a chain per
interface, in it one per kind of port. Traffic: new connections, and answers of established flows.
"""
import ipaddress
import re

from .traffic import (
    ICMP,
    PACKETS,
    SYN,
    TCP,
    UDP,
    Packet,
    Workload,
    base_chain,
    random_address,
    rng,
    table,
)

PATTERN = re.compile(r"server")
ALL = FULL = QUICK = ["server/new", "server/established"]
FLOWS = 1024

# A rule: what it asks (source, protocol, ports, ICMP type, plain text), and what it does.
# (nft, iptables, test, verdict); "jump X" goes on to a chain, "" only counts.


def net(text):
    return ipaddress.ip_network(text)


def saddr(text):
    n = net(text)
    first, last = int(n[0]), int(n[-1])
    return f"ip saddr {text}", f"-s {text}", lambda p: first <= p.saddr <= last


def port(proto, text):
    first, _, last = text.partition("-")
    first, last = int(first), int(last or first)
    number = TCP if proto == "tcp" else UDP
    return (
        f"{proto} dport {text}",
        f"-p {proto} --dport {first}:{last}",
        lambda p: p.proto == number and first <= p.dport <= last,
    )


def iface(name):
    return f'iifname "{name}"', f"-i {name}", lambda p: name == "e0"


def icmp(name, number):
    return (
        f"icmp type {name}",
        f"-p icmp --icmp-type {name}",
        lambda p: p.proto == ICMP and p.sport >> 8 == number,
    )


def always(nft="", iptables=""):
    return nft, iptables, lambda p: True


ESTABLISHED = (
    "ct state established,related",
    "-m conntrack --ctstate ESTABLISHED,RELATED",
    lambda p: p.flags == 0 and p.proto == UDP and p.dport == 4500,
)
INVALID = ("ct state invalid", "-m conntrack --ctstate INVALID", lambda p: False)
NOT_SYN = (
    "tcp flags & (fin|syn|rst|ack) != syn",
    "-p tcp ! --tcp-flags FIN,SYN,RST,ACK SYN",
    lambda p: p.proto == TCP and p.flags & 0x17 != SYN,
)
IS_ICMP = ("ip protocol icmp", "-p icmp", lambda p: p.proto == ICMP)

CHAINS = {
    "input": [
        (ESTABLISHED, "accept"),
        (INVALID, "drop"),
        (iface("lo"), "accept"),
        (IS_ICMP, "jump icmp_in"),
        (iface("e0"), "jump wan"),
        (iface("lan0"), "jump lan"),
        (iface("wg0"), "jump vpn"),
        (always(), "counter"),
    ],
    "icmp_in": [
        (icmp("echo-request", 8), "accept"),
        (icmp("destination-unreachable", 3), "accept"),
        (icmp("time-exceeded", 11), "accept"),
        (icmp("parameter-problem", 12), "accept"),
        (always(), "drop"),
    ],
    "wan": [
        (saddr("10.0.0.0/8"), "drop"),
        (saddr("172.16.0.0/12"), "drop"),
        (saddr("192.168.0.0/16"), "drop"),
        (saddr("127.0.0.0/8"), "drop"),
        (NOT_SYN, "drop"),
        (port("tcp", "22"), "jump ssh"),
        (port("tcp", "80"), "jump web"),
        (port("tcp", "443"), "jump web"),
        (port("udp", "443"), "jump web"),
        (port("udp", "53"), "accept"),
        (port("tcp", "53"), "accept"),
        (port("tcp", "25"), "accept"),
        (port("tcp", "587"), "accept"),
        (port("udp", "51820"), "accept"),
        (port("udp", "33434-33523"), "drop"),
    ],
    "ssh": [
        (saddr("203.0.113.0/24"), "accept"),
        (saddr("198.51.100.16/28"), "accept"),
        (always(), "drop"),
    ],
    "web": [
        (saddr("185.220.100.0/22"), "drop"),
        (saddr("45.155.204.0/23"), "drop"),
        (always(), "accept"),
    ],
    "lan": [(port("tcp", "22"), "accept"), (port("udp", "67"), "accept")],
    "vpn": [(always(), "accept")],
}
COUNTED = ("accept", "drop")


def decide(p, chain="input"):
    """True, False, or None where the chain ends; the policy drops."""
    for (_, _, test), what in CHAINS[chain]:
        if not test(p):
            continue
        if what == "accept" or what == "drop":
            return what == "accept"
        if what.startswith("jump"):
            result = decide(p, what[5:])
            if result is not None:
                return result
    return False if chain == "input" else None


def nft_rules(chain):
    for (text, _, _), what in CHAINS[chain]:
        counter = "counter " if what in COUNTED and chain in ("wan", "ssh", "web") else ""
        yield f"{text} {counter}{what}".strip()


def nft_text():
    chains = "".join(
        f"\tchain {name} {{\n" + "".join(f"\t\t{r}\n" for r in nft_rules(name)) + "\t}\n"
        for name in reversed(CHAINS)
        if name != "input"
    )
    return table(
        "inet",
        chains
        + base_chain(nft_rules("input"), "input", "filter", "drop")
        + base_chain(["ct state established,related accept"], "forward", "filter", "drop")
        + base_chain([], "output", "filter"),
    )


def iptables_text():
    lines = ["*filter", ":INPUT DROP [0:0]", ":FORWARD DROP [0:0]", ":OUTPUT ACCEPT [0:0]"]
    lines += [f":{name} - [0:0]" for name in CHAINS if name != "input"]
    for name, rules in CHAINS.items():
        for (_, text, _), what in rules:
            target = {"accept": "-j ACCEPT", "drop": "-j DROP", "counter": ""}.get(
                what
            ) or what.replace("jump", "-j")
            if what == "counter":
                target = ""
            lines.append(
                " ".join(f"-A {'INPUT' if name == 'input' else name} {text} {target}".split())
            )
    return "\n".join(
        lines + ["-A FORWARD -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT", "COMMIT", ""]
    )


def new_packet(r):
    kind = r.random()
    source = random_address(r)
    if kind < 0.10:
        source = int(
            r.choice(
                (
                    net("203.0.113.0/24"),
                    net("198.51.100.16/28"),
                    net("185.220.100.0/22"),
                    net("45.155.204.0/23"),
                    net("10.0.0.0/8"),
                )
            )[r.randrange(16)]
        )
    sport = r.randrange(1024, 65536)
    if kind < 0.70:
        return Packet(
            source,
            sport=sport,
            dport=r.choice((443, 443, 443, 80, 22, 25, 53)),
            proto=TCP,
            flags=SYN,
        )
    if kind < 0.80:
        return Packet(source, sport=sport, dport=r.choice((53, 443, 51820, 33440)))
    if kind < 0.85:
        return Packet(source, sport=8 << 8, dport=r.randrange(65536), proto=ICMP)
    return Packet(source, sport=sport, dport=r.randrange(1, 4000), proto=TCP, flags=SYN)


def flow_packet(r):
    return Packet(random_address(r), sport=r.randrange(1024, 65536), dport=4500)


def build(name, match):
    w = Workload(
        name, nft_text(), None, iptables=iptables_text(), hook="input", priority=0, conntrack=True
    )

    def mix(traffic):
        r = rng(name, traffic)
        w.flows = traffic == "established"
        if w.flows:
            packets = [flow_packet(r) for _ in range(FLOWS)]
        else:
            packets = [new_packet(r) for _ in range(PACKETS)]
        return packets, [decide(p) for p in packets]

    w.mix = mix
    return w
