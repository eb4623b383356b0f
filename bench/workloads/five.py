# SPDX-License-Identifier: GPL-2.0-or-later
"""
five-N: N rules over source, destination, both ports and the protocol, accept and drop overlapping.

The shape is that of real filter lists (as ClassBench describes them; its seeds are not used): most
rules name nets out of a few families that nest in each other, destinations are more specific than
sources, a port is any, one, a range or "high"; wide rules stand behind narrow ones.
"""
import re

from .traffic import (
    ICMP,
    PACKETS,
    TCP,
    UDP,
    Packet,
    Workload,
    address,
    base_chain,
    one_or_many,
    random_address,
    raw_rules,
    rng,
    table,
)

PATTERN = re.compile(r"five-(?P<n>\d+)")
ALL = [f"five-{n}/{t}" for n in (10, 100, 1000, 10000, 100000) for t in ("random", "hit")]
FULL = [f"five-{n}/hit" for n in (10, 100, 1000, 10000, 100000)] + [
    f"five-{n}/random" for n in (1000, 10000)
]
QUICK = ["five-100/hit", "five-1000/hit", "five-10000/hit"]

COMMON_PORTS = (
    20,
    21,
    22,
    23,
    25,
    53,
    80,
    110,
    123,
    143,
    161,
    443,
    445,
    514,
    587,
    993,
    1433,
    1521,
    3128,
    3306,
    3389,
    5060,
    5432,
    6379,
    8080,
    8443,
)
ANY_PORT = (0, 65535)
NAMES = {TCP: "tcp", UDP: "udp", ICMP: "icmp"}
SOURCE_LENGTHS = ((0, 15), (8, 3), (12, 4), (16, 18), (20, 8), (24, 27), (28, 7), (32, 18))
TARGET_LENGTHS = ((0, 8), (8, 2), (16, 10), (20, 8), (24, 25), (27, 7), (30, 5), (32, 35))
CHECKED = 1000  # packets whose verdict is worked out here, rule by rule


def pick(r, weighted):
    return r.choices([v for v, _ in weighted], [w for _, w in weighted])[0]


def mask(length):
    return (0xFFFFFFFF << (32 - length)) & 0xFFFFFFFF


def draw_net(r, sites, lengths):
    """A net below one of the sites, cut at a random length."""
    length = pick(r, lengths)
    site = r.choice(sites)
    spread = r.randrange(1 << 12)  # hosts of a site are near each other, so that nets nest
    return (site | spread) & mask(length), length


def draw_port(r):
    kind = pick(r, (("any", 35), ("one", 45), ("range", 13), ("high", 7)))
    if kind == "any":
        return ANY_PORT
    if kind == "high":
        return 1024, 65535
    if kind == "one":
        port = r.choice(COMMON_PORTS) if r.random() < 0.7 else r.randrange(1024, 65536)
        return port, port
    first = r.randrange(1, 60000)
    return first, first + r.choice((1, 7, 15, 99, 255, 1000, 5000))


def draw_rule(r, sources, targets):
    proto = pick(r, ((TCP, 62), (UDP, 24), (0, 9), (ICMP, 5)))
    ports = proto in (TCP, UDP)
    sport = draw_port(r) if ports and r.random() < 0.12 else ANY_PORT
    dport = draw_port(r) if ports else ANY_PORT
    return (
        *draw_net(r, sources, SOURCE_LENGTHS),
        *draw_net(r, targets, TARGET_LENGTHS),
        sport,
        dport,
        proto,
    )


def width(rule):
    return (
        64
        - rule[1]
        - rule[3]
        + (rule[4][1] - rule[4][0]).bit_length()
        + (rule[5][1] - rule[5][0]).bit_length()
        + (0 if rule[6] else 8)
    )


def draw_rules(r, n):
    """(source, length, target, length, sports, dports, protocol, accept)"""
    sources = [random_address(r) & mask(20) for _ in range(8 + n // 40)]
    targets = [random_address(r) & mask(20) for _ in range(4 + n // 80)]
    found = {}
    while len(found) < n:
        rule = draw_rule(r, sources, targets)
        if width(rule) < 80:  # one that takes nearly everything would hide all behind it
            found[rule] = r.random() < 0.5
    # Mostly narrow before wide, as administrators order them, but not strictly.
    order = sorted(found, key=lambda rule: width(rule) + r.gauss(0, 6))
    return [(*rule, found[rule]) for rule in order]


def ports_nft(ports):
    return str(ports[0]) if ports[0] == ports[1] else f"{ports[0]}-{ports[1]}"


def nft_rule(rule):
    saddr, slen, daddr, dlen, sport, dport, proto, accept = rule
    words = []
    if slen:
        words.append(f"ip saddr {address(saddr)}/{slen}")
    if dlen:
        words.append(f"ip daddr {address(daddr)}/{dlen}")
    if proto and sport == dport == ANY_PORT:
        words.append(f"ip protocol {NAMES[proto]}")
    for name, ports in ("sport", sport), ("dport", dport):
        if ports != ANY_PORT:
            words.append(f"{NAMES[proto]} {name} {ports_nft(ports)}")
    return " ".join(words + ["accept" if accept else "drop"])


def iptables_rule(rule):
    saddr, slen, daddr, dlen, sport, dport, proto, accept = rule
    words = []
    if slen:
        words.append(f"-s {address(saddr)}/{slen}")
    if dlen:
        words.append(f"-d {address(daddr)}/{dlen}")
    if proto:
        words.append(f"-p {NAMES[proto]}")
    for name, ports in ("--sport", sport), ("--dport", dport):
        if ports != ANY_PORT:
            words.append(f"{name} {ports[0]}:{ports[1]}")
    return " ".join(words + ["-j", "ACCEPT" if accept else "DROP"])


def matches(rule, p):
    saddr, slen, daddr, dlen, sport, dport, proto, _ = rule
    if (p.saddr & mask(slen)) != saddr or (p.daddr & mask(dlen)) != daddr:
        return False
    if proto and p.proto != proto:
        return False
    if p.proto not in (TCP, UDP):
        return sport == dport == ANY_PORT
    return sport[0] <= p.sport <= sport[1] and dport[0] <= p.dport <= dport[1]


def verdict(rules, p):
    for rule in rules:
        if matches(rule, p):
            return rule[7]
    return True


def inside(r, rule):
    """A packet that the rule matches."""
    saddr, slen, daddr, dlen, sport, dport, proto, _ = rule
    return Packet(
        saddr | (r.getrandbits(32) & ~mask(slen) & 0xFFFFFFFF),
        daddr | (r.getrandbits(32) & ~mask(dlen) & 0xFFFFFFFF),
        r.randint(*sport),
        r.randint(*dport),
        proto or r.choice((TCP, UDP, 47)),
        0x10,
    )


def anything(r):
    return Packet(
        random_address(r),
        random_address(r),
        r.randrange(1024, 65536),
        r.choice(COMMON_PORTS),
        r.choice((TCP, UDP)),
        0x10,
    )


def build(name, match):
    rules = draw_rules(rng(name), int(match["n"]))

    def mix(traffic):
        r = rng(name, traffic)

        def miss():
            while any(matches(rule, p := anything(r)) for rule in rules):
                pass
            return p

        draw = {
            "hit": lambda: inside(r, r.choice(rules)),
            "random": lambda: anything(r),
            "fixed": miss,
        }[traffic]
        packets = one_or_many(traffic, draw)
        known = [verdict(rules, p) for p in packets[: min(CHECKED, 10_000_000 // len(rules))]]
        return packets, known + [None] * (len(packets) - len(known))

    return Workload(
        name,
        table("ip", base_chain(map(nft_rule, rules))),
        mix,
        iptables=raw_rules(map(iptables_rule, rules)),
        check_packets=min(PACKETS, max(2048, 200_000_000 // len(rules))),
    )
