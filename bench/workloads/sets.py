# SPDX-License-Identifier: GPL-2.0-or-later
"""
set-KIND-N: one rule that drops what a set of N elements holds.

KIND: ip (exact), net (prefixes), interval (ranges), ip-port, ip-portrange, net-net-proto, mac,
ifname. A kind says its type, its rule, how an element is written and which packets it matches and
misses.
"""
import re

from .traffic import (
    PACKETS,
    TCP,
    UDP,
    Packet,
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

SIZES = (1, 10, 100, 1000, 10000, 100000, 1000000)
SLOT_BITS = 11  # disjoint elements: each lies in a slot of its own, of which there are 2^20
FIRST = 1 << 24


def slots(r, n):
    return [FIRST + (i << SLOT_BITS) for i in r.sample(range(1 << 20), n)]


def slot_of(a):
    return (a - FIRST) >> SLOT_BITS


class Ip:
    """Addresses."""

    spare = "240.0.0.1"
    type, flags, rule = "ipv4_addr", "", "ip saddr @s"
    ipset, ipset_match = "hash:ip", "src"

    def __init__(self, r, n):
        self.elements = distinct(r, n, random_address)
        self.members = set(self.elements)

    write = staticmethod(address)
    write_ipset = write

    def holds(self, p):
        return p.saddr in self.members

    def inside(self, r, e):
        return Packet(e)

    def near(self, r, e):
        return Packet(random_address(r))


class Interval(Ip):
    """Ranges of addresses, each in a slot of its own."""

    flags, ipset = "flags interval;", None

    def __init__(self, r, n):
        self.elements = [self.draw(r, s) for s in slots(r, n)]
        self.by_slot = {slot_of(e[0]): e for e in self.elements}

    def draw(self, r, slot):
        first = slot + r.randrange(1, 900)
        return first, first + r.choice((0, 1, 3, 15, r.randrange(1000)))

    def write(self, e):
        return address(e[0]) if e[0] == e[1] else f"{address(e[0])}-{address(e[1])}"

    def holds(self, p):
        e = self.by_slot.get(slot_of(p.saddr))
        return bool(e) and e[0] <= p.saddr <= e[1]

    def inside(self, r, e):
        return Packet(r.randint(*e))

    def near(self, r, e):
        """Beside an element or anywhere."""
        return Packet(r.choice((e[0] - 1, e[1] + 1, r.randrange(FIRST, FIRST + (1 << 31)))))


class Net(Interval):
    """Prefixes of 22 to 32 bits."""

    ipset = "hash:net"

    def draw(self, r, slot):
        length = r.choice((22, 23, 24, 24, 24, 26, 28, 29, 32, 32))
        size = 1 << (32 - length)
        first = slot + r.randrange((1 << SLOT_BITS) // size) * size
        return first, first + size - 1

    def write(self, e):
        return f"{address(e[0])}/{32 - (e[1] - e[0]).bit_length()}"

    write_ipset = write


class IpPort(Ip):
    spare = "240.0.0.1 . 9"
    type, rule = "ipv4_addr . inet_service", "ip saddr . udp dport @s"
    ipset, ipset_match = "hash:ip,port", "src,dst"

    def __init__(self, r, n):
        self.elements = distinct(r, n, lambda r: (random_address(r), r.randrange(1, 65536)))
        self.members = set(self.elements)

    def write(self, e):
        return f"{address(e[0])} . {e[1]}"

    def write_ipset(self, e):
        return f"{address(e[0])},udp:{e[1]}"

    def holds(self, p):
        return (p.saddr, p.dport) in self.members

    def inside(self, r, e):
        return Packet(e[0], dport=e[1])

    def near(self, r, e):
        return Packet(r.choice((e[0], random_address(r))), dport=r.randrange(1, 65536))


class IpPortRange(IpPort):
    """An address with a range of ports."""

    spare = "240.0.0.1 . 9-10"
    flags, ipset = "flags interval;", None

    def __init__(self, r, n):
        self.elements = []
        for a in distinct(r, n, random_address):
            first = r.randrange(1, 60000)
            self.elements.append((a, first, first + r.choice((0, 1, 9, 100, 1000, 5000))))
        self.by_address = {e[0]: e for e in self.elements}

    def write(self, e):
        return f"{address(e[0])} . {e[1]}" + (f"-{e[2]}" if e[2] != e[1] else "")

    def holds(self, p):
        e = self.by_address.get(p.saddr)
        return bool(e) and e[1] <= p.dport <= e[2]

    def inside(self, r, e):
        return Packet(e[0], dport=r.randint(e[1], e[2]))

    def near(self, r, e):
        return r.choice(
            (
                Packet(e[0], dport=e[1] - 1),
                Packet(e[0], dport=e[2] + 1),
                Packet(random_address(r), dport=e[1]),
            )
        )


class NetNetProto:
    """Pairs of nets and a protocol; nets come from two pools: fields repeat as they do in use."""

    spare = "240.0.0.0/24 . 240.0.1.0/24 . tcp"
    type, flags = "ipv4_addr . ipv4_addr . inet_proto", "flags interval;"
    rule, ipset = "ip saddr . ip daddr . ip protocol @s", None

    def __init__(self, r, n):
        pool = int((2 * n) ** 0.5) + 2
        net = Net.draw
        self.sources = [net(self, r, s) for s in slots(r, pool)]
        self.targets = [net(self, r, s) for s in slots(r, pool)]
        self.source_slot = {slot_of(e[0]): e for e in self.sources}
        self.target_slot = {slot_of(e[0]): e for e in self.targets}
        self.elements = distinct(
            r, n, lambda r: (r.choice(self.sources), r.choice(self.targets), r.choice((TCP, UDP)))
        )
        self.members = set(self.elements)

    def write(self, e):
        saddr, daddr = Net.write(self, e[0]), Net.write(self, e[1])
        return f"{saddr} . {daddr} . {'tcp' if e[2] == TCP else 'udp'}"

    def holds(self, p):
        s, d = self.source_slot.get(slot_of(p.saddr)), self.target_slot.get(slot_of(p.daddr))
        return bool(
            s
            and d
            and s[0] <= p.saddr <= s[1]
            and d[0] <= p.daddr <= d[1]
            and (s, d, p.proto) in self.members
        )

    def inside(self, r, e):
        return Packet(r.randint(*e[0]), r.randint(*e[1]), proto=e[2])

    def near(self, r, e):
        other = r.choice(self.targets)
        return r.choice(
            (
                Packet(r.randint(*e[0]), r.randint(*other), proto=e[2]),
                Packet(r.randint(*e[0]), random_address(r), proto=e[2]),
                Packet(random_address(r), r.randint(*e[1]), proto=e[2]),
            )
        )


class Mac:
    spare = "06:00:00:00:00:01"
    type, flags, rule, ipset = "ether_addr", "", "ether saddr @s", None

    def __init__(self, r, n):
        self.elements = distinct(r, n, self.draw)
        self.members = set(self.elements)

    @staticmethod
    def draw(r):
        return b"\x02" + r.randbytes(5)

    def write(self, e):
        return e.hex(":")

    def holds(self, p):
        return p.mac in self.members

    def inside(self, r, e):
        return Packet(random_address(r), mac=e)

    def near(self, r, e):
        return Packet(random_address(r), mac=self.draw(r))


class Ifname:
    """Hit: the packets' device e0 is among the names. Miss: set-ifnameno, it is not."""

    spare = '"spare0"'
    type, flags, rule, ipset = "ifname", "", "iifname @s", None
    present = True

    def __init__(self, r, n):
        self.elements = [f"veth{i:x}" for i in r.sample(range(1 << 24), n)]
        if self.present:
            self.elements[r.randrange(n)] = "e0"

    def write(self, e):
        return f'"{e}"'

    def holds(self, p):
        return self.present

    def inside(self, r, e):
        return Packet(random_address(r))

    near = inside


class IfnameNo(Ifname):
    present = False


KINDS = {
    "ip": Ip,
    "net": Net,
    "interval": Interval,
    "ip-port": IpPort,
    "ip-portrange": IpPortRange,
    "net-net-proto": NetNetProto,
    "mac": Mac,
    "ifname": Ifname,
    "ifnameno": IfnameNo,
}
PATTERN = re.compile(rf"set-(?P<kind>{'|'.join(KINDS)})-(?P<n>\d+)")
RANGES = ("ip-portrange", "net-net-proto")
# The kernel takes minutes to insert them, for nft as for nft-bpf.
SLOW = tuple(f"set-{kind}-1000000" for kind in RANGES)
ALL = [
    f"set-{kind}-{n}/{t}"
    for kind in ("ip", "net", "interval", "ip-port", *RANGES, "mac")
    for n in SIZES
    for t in ("fixed-hit", "fixed", "hit", "miss")
] + [f"set-{kind}-{n}/fixed" for kind in ("ifname", "ifnameno") for n in SIZES]
FULL = [
    f"set-{kind}-{n}/{t}"
    for kind in ("ip", "net", "interval", "ip-port", *RANGES, "mac")
    for n in (10, 1000, 100000, 1000000)
    if n < 1000000 or kind in ("ip", "net")
    for t in ("hit", "miss")
] + ["set-ifname-1000/fixed", "set-ifnameno-1000/fixed"]
QUICK = [
    f"set-{kind}-10000/{t}"
    for kind in ("ip", "interval", "ip-port", "ip-portrange", "net-net-proto")
    for t in ("hit", "miss")
]


def traffic_of(kind, name):
    def mix(traffic):
        r = rng(name, traffic)
        fixed = traffic.startswith("fixed")

        def hit():
            return kind.inside(r, r.choice(kind.elements))

        def miss():
            for _ in range(1000):
                p = kind.near(r, r.choice(kind.elements))
                if fixed and kind.holds(p):
                    continue
                if not kind.holds(p) or isinstance(kind, Ifname):
                    return p
            raise ValueError(f"{name}: no packet misses")

        draw = {
            "hit": hit,
            "fixed-hit": hit,
            "miss": miss,
            "fixed": miss,
            "random": lambda: r.choice((hit, miss))(),
        }[traffic]
        if isinstance(kind, Ifname):
            draw = hit
        packets = one_or_many(
            traffic, draw, PACKETS if len(kind.elements) < 100000 else 4 * PACKETS
        )
        return packets, [not kind.holds(p) for p in packets]

    return mix


def elements(kind):
    return ",\n\t\t\t".join(map(kind.write, kind.elements))


def build(name, match):
    n = int(match["n"])
    kind = KINDS[match["kind"]](rng(name), n)
    w = Workload(
        name,
        table(
            "ip",
            f"\tset s {{\n\t\ttype {kind.type}; {kind.flags}\n\t\telements = {{\n\t\t\t"
            f"{elements(kind)} }}\n\t}}\n" + base_chain([f"{kind.rule} drop"]),
        ),
        traffic_of(kind, name),
    )
    w.element = kind.spare
    if kind.ipset:
        w.ipset = (
            f"create s {kind.ipset} maxelem {max(n, 65536)} hashsize {max(1024, n)}\n"
            + "".join(f"add s {kind.write_ipset(e)}\n" for e in kind.elements)
        )
        w.ipset_rules = raw_rules(
            [
                f"{'-p udp ' if ',' in kind.ipset_match else ''}-m set --match-set s "
                f"{kind.ipset_match} -j DROP"
            ]
        )
    return w
