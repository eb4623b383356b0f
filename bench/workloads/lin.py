# SPDX-License-Identifier: GPL-2.0-or-later
"""
lin-N: N rules `ip saddr X drop`; lin-counter-N: each with a counter; lin-inet-N: in an inet table;
lin-front-N: before a rule that only the interpreter can run.
"""
import re

from .traffic import (
    Packet,
    PACKETS,
    Workload,
    address,
    base_chain,
    distinct,
    one_or_many,
    random_address,
    raw_rules,
    rng,
    table,
)

PATTERN = re.compile(r"lin(?P<counter>-counter)?(?P<inet>-inet)?(?P<front>-front)?-(?P<n>\d+)")
ALL = [
    f"lin-{n}/{t}" for n in (1, 10, 100, 1000, 10000, 100000) for t in ("fixed", "random", "hit")
] + [
    "lin-counter-1/fixed",
    "lin-counter-1/random",
    "lin-counter-1/hit",
    "lin-counter-1000/random",
    "lin-counter-1000/hit",
    "lin-inet-1/fixed",
    "lin-inet-1000/fixed",
    "lin-inet-1000/random",
    "lin-front-1000/hit",
    "lin-front-1000/random",
]
FULL = [f"lin-{n}/random" for n in (1, 10, 100, 1000, 10000, 100000)] + [
    "lin-1/fixed",
    "lin-10/hit",
    "lin-1000/hit",
    "lin-10000/hit",
    "lin-100000/hit",
    "lin-counter-1/random",
    "lin-counter-1000/random",
    "lin-inet-1/fixed",
    "lin-inet-1000/random",
    "lin-front-1000/random",
    "lin-front-1000/hit",
]
QUICK = [
    "lin-1/fixed",
    "lin-counter-1/random",
    "lin-10/random",
    "lin-100/random",
    "lin-1000/random",
    "lin-10000/random",
    "lin-inet-1000/random",
]


def build(name, match):
    n = int(match["n"])
    statement = "counter drop" if match["counter"] else "drop"
    banned = distinct(rng(name), n, random_address)
    members = set(banned)
    rules = [f"ip saddr {address(a)} {statement}" for a in banned]
    if match["front"]:
        rules.append("udp dport 113 meta mark set 1")

    def mix(traffic):
        r = rng(name, traffic)

        def miss():
            while (a := random_address(r)) in members:
                pass
            return a

        draw = {
            "fixed": miss,
            "miss": miss,
            "random": lambda: random_address(r),
            "fixed-hit": lambda: r.choice(banned),
            "hit": lambda: r.choice(banned),
        }[traffic]
        sources = one_or_many(traffic, draw)
        return [Packet(a) for a in sources], [a not in members for a in sources]

    return Workload(
        name,
        table(
            "inet" if match["inet"] else "ip",
            base_chain(rules),
        ),
        mix,
        iptables=None if match["front"] else raw_rules(f"-s {address(a)} -j DROP" for a in banned),
        check_packets=min(PACKETS, max(2048, 200_000_000 // n)),
        partial=bool(match["front"]),
    )
