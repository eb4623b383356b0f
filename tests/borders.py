#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""tests/borders.py [-s SEED] [-p PACKETS] [-o SHAPE,…] SIZE …: a ruleset and packets for difftest --replay.

A set of each shape and size, each in a chain of its own that the packet's mark leads to; packets at
the borders of its elements: first and last value, the ones before and behind, the middle, and some
outside. Of large sets the elements at both ends, and of the others every n-th with the two beside it.
"""
import argparse
import ipaddress
import random
import struct

from checksum import checksum

DEVICES = ["bo", "bo1", "bo10", "bo11", "bo2", "bp", "bn", "c", "bo1234567890123"]
# A range that begins and ends anywhere is up to twice as many rules of pipapo's as the field has
# bits, and adding to a table takes as long as it is large: of many ranges most are prefixes.
ODD_BITS = 40000
PROBES_INSIDE = 6  # about as many probes an element of one field gets


class Field:
    """A part of a key: how nft calls and writes it, how many bits it has."""

    def __init__(self, name, expr, typ, bits, text=str):
        self.name, self.expr, self.typ, self.bits, self.text = name, expr, typ, bits, text
        self.top = (1 << bits) - 1

    def range_text(self, lo, hi):
        return self.text(lo) if lo == hi else f"{self.text(lo)}-{self.text(hi)}"


def mac_text(v):
    return ":".join(f"{b:02x}" for b in v.to_bytes(6, "big"))


def v4_text(v):
    return str(ipaddress.IPv4Address(v))


def v6_text(v):
    return str(ipaddress.IPv6Address(v))


SADDR = Field("saddr", "ip saddr", "ipv4_addr", 32, v4_text)
DADDR = Field("daddr", "ip daddr", "ipv4_addr", 32, v4_text)
SADDR6 = Field("saddr", "ip6 saddr", "ipv6_addr", 128, v6_text)
DADDR6 = Field("daddr", "ip6 daddr", "ipv6_addr", 128, v6_text)
SPORT = Field("sport", "udp sport", "inet_service", 16)
DPORT = Field("dport", "udp dport", "inet_service", 16)
TPORT = Field("dport", "th dport", "inet_service", 16) # of any protocol
SMAC = Field("smac", "ether saddr", "ether_addr", 48, mac_text)
PROTO = Field("proto", "meta l4proto", "inet_proto", 8)


def packet(mark, values, is_v6, device="bo"):
    """A line of difftest: UDP, or of another protocol, with the fields that @values names."""
    ports = struct.pack(">HHHH", values.get("sport", 1025), values.get("dport", 1026), 12, 0)
    proto = values.get("proto", 17)
    body = ports + b"abcd"
    if is_v6:
        head = struct.pack(">IHBB", 6 << 28, len(body), proto, 64)
        head += values.get("saddr", 0x20010db8 << 96 | 1).to_bytes(16, "big")
        head += values.get("daddr", 0x20010db8 << 96 | 2).to_bytes(16, "big")
    else:
        head = struct.pack(">BBHHHBBHII", 0x45, 0, 20 + len(body), 0, 0, 64, proto, 0,
                           values.get("saddr", 0x0a000001), values.get("daddr", 0x0a000002))
        head = head[:10] + struct.pack(">H", checksum(head)) + head[12:]
    line = f"# packet {'ip6' if is_v6 else 'ip'} in {device} mark {mark}"
    if "smac" in values:
        line += f" smac {values['smac']:012x}"
    return f"{line} data {(head + body).hex()}"


class Shape:
    """Fields, and whether elements are intervals; @rule: what follows the match; @keeps: elements."""

    def __init__(self, name, fields, ranged=(), rule="drop", inverted=False, catch_all=False,
                 whole=False, limit=None, keeps=None):
        self.name, self.fields, self.rule = name, fields, rule
        self.ranged = [f in ranged for f in fields]
        self.inverted, self.catch_all, self.whole, self.limit = inverted, catch_all, whole, limit
        self.keeps = keeps
        self.is_v6 = any("6" in f.expr for f in fields)

    def size(self, n):
        """Not more elements than the space has room for."""
        return min(n, self.limit) if self.limit else n

    def elements(self, n, rng):
        """Tuples of (lo, hi) a field: disjoint, sorted; both ends of the space are taken."""
        n = self.size(n)
        if self.whole and n:
            return [tuple((0, f.top) for f in self.fields)]
        first, rest = self.fields[0], self.fields[1:]
        if not rest:
            return [(r,) for r in spread(first, n, self.ranged[0], rng)]
        # A few elements share each value of the first field and are disjoint in the second.
        per = 1 if n < 10 else min(3, rest[0].top + 1)
        n_heads = min(-(-n // per), first.top + 1 if first.bits < 16 else n)
        arbitrary = max(n_heads * first.bits // ODD_BITS, 1)
        heads = spread(first, n_heads, self.ranged[0], rng, arbitrary)
        out = []
        for head in heads:
            odd = rng.randrange(arbitrary) == 0
            for second in spread(rest[0], min(per, n - len(out)), self.ranged[1], rng, odd):
                more = [spread(f, 1, r, rng, odd)[0] for f, r in zip(rest[1:], self.ranged[2:])]
                out.append((head, second, *more))
        return out


def as_prefix(lo, hi):
    """A prefix in the interval, a quarter as long or more."""
    size = 1 << max((hi - lo + 1).bit_length() - 2, 0)
    lo = -(-lo // size) * size
    return lo, lo + size - 1


def spread(field, n, ranged, rng, arbitrary=1):
    """
    n disjoint values or intervals of a field, among them its first and last value from two on; of
    @arbitrary intervals one begins and ends anywhere, the others are prefixes; 0: all are.
    """
    if not ranged:
        got = {0, field.top} if n > 1 else set()
        while len(got) < n:
            v = rng.getrandbits(field.bits)
            got.add(v)
            if len(got) < n and v < field.top and rng.random() < 0.2:
                got.add(v + 1)
        return [(v, v) for v in sorted(got)]
    points = {0, field.top} if n > 1 and arbitrary else set()
    while len(points) < 2 * n:
        points.add(rng.getrandbits(field.bits))
    points = sorted(points)
    out = list(zip(points[::2], points[1::2]))
    if not arbitrary:
        return [as_prefix(*r) for r in out]
    for i in range(1, len(out)): # some touch the one before, some are one value
        if i % arbitrary and i + 1 < len(out):
            out[i] = as_prefix(*out[i])
        if n > 2 and rng.random() < 0.2: # two would be all there is
            lo, size = out[i - 1][1] + 1, out[i - 1][1] - out[i - 1][0] + 1
            fits = i % arbitrary and lo + size - 1 <= out[i][1] and i + 1 < len(out)
            out[i] = (lo, lo + size - 1 if fits else out[i][1])
        elif rng.random() < 0.2 and i + 1 < len(out):
            out[i] = (out[i][0], out[i][0])
    return out


SHAPES = [
    Shape("v4", [SADDR]),
    Shape("v4inv", [SADDR], inverted=True),
    Shape("v6", [SADDR6]),
    Shape("port", [DPORT], limit=20000),
    Shape("mac", [SMAC]),
    Shape("v4ivl", [SADDR], [SADDR]),
    Shape("v4ivlinv", [DADDR], [DADDR], inverted=True),
    Shape("v4whole", [SADDR], [SADDR], whole=True),
    Shape("v6ivl", [SADDR6], [SADDR6]),
    Shape("portivl", [DPORT], [DPORT], limit=8000),
    Shape("macivl", [SMAC], [SMAC]),
    Shape("v4port", [SADDR, DPORT]),
    Shape("v6port", [DADDR6, SPORT]),
    Shape("macv4", [SMAC, SADDR]),
    Shape("v4v4proto", [SADDR, DADDR, PROTO]),
    Shape("v4portivl", [SADDR, DPORT], [DPORT]),
    Shape("boxes", [SADDR, DADDR], [SADDR, DADDR]),
    Shape("boxesinv", [SADDR, DPORT], [SADDR, DPORT], inverted=True),
    Shape("boxes6", [SADDR6, DPORT], [SADDR6, DPORT]),
    Shape("boxes3", [SADDR, DADDR, DPORT], [SADDR, DADDR, DPORT]),
    Shape("v4vmap", [SADDR], rule="vmap"),
    Shape("v6ivlvmap", [SADDR6], [SADDR6], rule="vmap"),
    Shape("svcvmap", [DADDR, PROTO, TPORT], rule="vmap"),
    Shape("boxvmap", [SADDR, DPORT], [SADDR, DPORT], rule="vmap"),
    Shape("v4all", [SADDR], rule="vmap", catch_all=True),
    Shape("ivlall", [SADDR], [SADDR], rule="vmap", catch_all=True),
    Shape("setall", [SADDR], catch_all=True),
    Shape("v4obj", [SADDR], rule="object"),
    Shape("v4quota", [SADDR], catch_all=True, keeps="quota 80 bytes"),
    Shape("ivlquota", [SADDR], [SADDR], keeps="counter quota over 80 bytes"),
    Shape("boxquota", [SADDR, DPORT], [SADDR, DPORT], keeps="quota 80 bytes"),
    Shape("vmapquota", [DADDR], rule="vmap", catch_all=True, keeps="quota 80 bytes"),
    Shape("boxvmapquota", [SADDR, DADDR], [SADDR, DADDR], rule="vmap", keeps="quota 80 bytes"),
    Shape("ivlobj", [DADDR], [DADDR], rule="object", catch_all=True),
]
VERDICTS = ["drop", "accept", "jump sub", "goto sub", "continue", "return", "jump sub2"]


def declare(shape, name, elements, out):
    kind = "set" if shape.rule == "drop" else "map"
    value = {"drop": "", "vmap": " : verdict", "object": " : counter"}[shape.rule]
    out.append(f"\t{kind} {name} {{\n\t\ttype {' . '.join(f.typ for f in shape.fields)}{value}")
    if any(shape.ranged):
        out.append("\t\tflags interval")
    if shape.keeps:
        out.append(f"\t\t{shape.keeps}")
    words = []
    for i, e in enumerate(elements):
        word = " . ".join(f.range_text(*r) for f, r in zip(shape.fields, e))
        data = {"drop": "", "vmap": f" : {VERDICTS[i % len(VERDICTS)]}", "object": f' : "c{i % 4}"'}
        words.append(word + data[shape.rule])
    if shape.catch_all:
        words.append({"drop": "*", "vmap": "* : drop", "object": '* : "c4"'}[shape.rule])
    if words:
        out.append(f"\t\telements = {{ {', '.join(words)} }}")
    out.append("\t}")


def rule(shape, name):
    expr = " . ".join(f.expr for f in shape.fields)
    if shape.rule == "vmap":
        return f"{expr} vmap @{name}"
    if shape.rule == "object":
        return f"counter name {expr} map @{name} counter"
    return f"{expr} {'!= ' if shape.inverted else ''}@{name} counter drop"


def inside(lo, hi):
    return {lo, min(lo + 1, hi), (lo + hi) // 2, max(hi - 1, lo), hi}


def probes(shape, element, rng):
    """Keys at the borders of one element: one field at its border, the others inside, and corners."""
    base = [rng.choice(sorted(inside(lo, hi))) for lo, hi in element]
    for i, (lo, hi) in enumerate(element):
        for v in sorted(inside(lo, hi) | {lo - 1, hi + 1}):
            if 0 <= v <= shape.fields[i].top:
                yield base[:i] + [v] + base[i + 1:]
    if len(element) > 1:
        yield [lo for lo, hi in element]
        yield [hi for lo, hi in element]


def looked_at(shape, elements, most):
    """Those at the ends, and of the others every n-th, with its neighbours."""
    per = PROBES_INSIDE * len(shape.fields) + 2
    n = max(most // per, 6)
    if len(elements) <= n:
        return elements
    step = max(len(elements) // (n // 3), 3)
    near = {0, 1, len(elements) - 2, len(elements) - 1}
    for i in range(step // 2, len(elements), step):
        near |= {i - 1, i, min(i + 1, len(elements) - 1)}
    return [elements[i] for i in sorted(near)]


def keys(shape, elements, rng):
    for e in elements:
        yield from probes(shape, e, rng)
    for _ in range(6):
        yield [rng.getrandbits(f.bits) for f in shape.fields]
    yield [0 for f in shape.fields]
    yield [f.top for f in shape.fields]


def ifname_shape(mark, n, out, packets, wild):
    """Names and, with wild, beginnings of names; packets come in by devices that nearly fit."""
    name = f"ifname{'wild' if wild else ''}{n}"
    words = ["bo1" + ("*" if wild else ""), "bo1234567890123"[:15 - wild] + ("*" if wild else ""), "c"]
    words = words[:n] + [f"x{i:x}" + ("y*" if wild else "") for i in range(n - 3)]
    out.append(f"\tset {name} {{\n\t\ttype ifname" + ("\n\t\tflags interval" if wild else ""))
    if wild and n > 1: # bo1* holds it already
        words[1] = "bp*"
    if words:
        out.append(f"\t\telements = {{ {', '.join(words)} }}")
    out.append(f"\t}}\n\tchain m{mark} {{\n\t\tiifname @{name} counter drop\n\t\tcounter\n\t}}")
    for device in DEVICES:
        packets.append(packet(mark, {}, False, device))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("-s", "--seed", type=int, default=1)
    parser.add_argument("-p", "--packets", type=int, default=250, help="about as many a set")
    parser.add_argument("-o", "--only", help="these shapes, with commas between")
    parser.add_argument("-l", "--list", action="store_true", help="the shapes")
    parser.add_argument("size", type=int, nargs="*")
    args = parser.parse_args()
    if args.list:
        print(*(s.name for s in SHAPES), "ifname", "ifnamewild")
        return
    only = args.only.split(",") if args.only else None
    rng = random.Random(args.seed)
    out, packets, mark, unreached, looked, total = [], [], 0, 0, 0, 0
    for shape in SHAPES:
        for n in args.size if not only or shape.name in only else []:
            mark += 1
            unreached += n == 0 and not shape.inverted and not shape.catch_all
            name = f"{shape.name}{n}"
            elements = shape.elements(n, rng)
            declare(shape, name, elements, out)
            out.append(f"\tchain m{mark} {{\n\t\t{rule(shape, name)}\n\t\tcounter\n\t}}")
            some = looked_at(shape, elements, args.packets)
            looked, total = looked + len(some), total + len(elements)
            for key in keys(shape, some, rng):
                values = {f.name: v for f, v in zip(shape.fields, key)}
                packets.append(packet(mark, values, shape.is_v6))
            packets.append(packet(mark, {}, not shape.is_v6))
    for wild in False, True:
        for n in args.size if not only or "ifname" + "wild" * wild in only else []:
            mark += 1
            unreached += n == 0
            ifname_shape(mark, n, out, packets, wild)
    print(f"# rules without packets: {unreached}\n# elements: {looked} of {total}\ntable inet t {{")
    for i in range(5):
        print(f"\tcounter c{i} {{ }}")
    print("\tchain sub {\n\t\tcounter\n\t}\n\tchain sub2 {\n\t\tcounter drop\n\t}")
    print("\n".join(out))
    print("\tchain pre {\n\t\ttype filter hook prerouting priority -400; policy accept;")
    marks = ", ".join(f"{m} : goto m{m}" for m in range(1, mark + 1))
    print(f"\t\tmeta mark vmap {{ {marks} }}\n\t}}\n}}")
    print("\n".join(packets))


if __name__ == "__main__":
    main()
