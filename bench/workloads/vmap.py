# SPDX-License-Identifier: GPL-2.0-or-later
"""
vmap-N: a verdict map of N addresses: drop, accept, or on to one of 16 chains that count and decide.
"""
import re

from .sets import SIZES
from .traffic import (
    PACKETS,
    Packet,
    Workload,
    address,
    base_chain,
    distinct,
    one_or_many,
    random_address,
    rng,
    table,
)

PATTERN = re.compile(r"vmap-(?P<n>\d+)")
ALL = [f"vmap-{n}/{t}" for n in SIZES for t in ("fixed-hit", "fixed", "hit", "miss")]
FULL = [f"vmap-{n}/{t}" for n in (10, 1000, 100000) for t in ("hit", "miss")]
QUICK = ["vmap-1000/hit"]
CHAINS = 16
PASSES = {"accept": True, "drop": False} | {f"goto c{i}": i % 2 == 0 for i in range(CHAINS)}


def build(name, match):
    r = rng(name)
    verdicts = ["drop", "accept"] + [f"goto c{i}" for i in range(CHAINS)]
    members = {a: r.choice(verdicts) for a in distinct(r, int(match["n"]), random_address)}
    order = list(members)
    chains = "".join(
        f"\tchain c{i} {{\n\t\tcounter {'accept' if i % 2 == 0 else 'drop'}\n\t}}\n"
        for i in range(CHAINS)
    )
    elements = ",\n\t\t\t".join(f"{address(a)} : {v}" for a, v in members.items())

    def mix(traffic):
        r = rng(name, traffic)

        def miss():
            while (a := random_address(r)) in members:
                pass
            return Packet(a)

        draw = (lambda: Packet(r.choice(order))) if "hit" in traffic else miss
        packets = one_or_many(traffic, draw, PACKETS if len(order) < 100000 else 4 * PACKETS)
        return packets, [PASSES[members.get(p.saddr, "accept")] for p in packets]

    return Workload(
        name,
        table(
            "ip",
            chains + "\tmap m {\n\t\ttype ipv4_addr : verdict\n\t\telements = {\n\t\t\t"
            f"{elements} }}\n\t}}\n" + base_chain(["ip saddr vmap @m"]),
        ),
        mix,
    )
