# SPDX-License-Identifier: GPL-2.0-or-later
"""
Packets, and what a workload is. Everything random is seeded by the workload's name, so a name is
always the same rules and packets.
"""
import dataclasses
import random
import socket
import struct

PACKETS = 65536
PACKETS_MAX = 1 << 20
TCP, UDP, ICMP = 6, 17, 1
SYN = 2
LOCAL = 0xC0000201  # 192.0.2.1, the address of e0
RECORD = struct.Struct("!IIHHBB6sHH")  # struct bench_packet
MAC = bytes.fromhex("020000000002")


@dataclasses.dataclass(frozen=True, slots=True)
class Packet:
    saddr: int
    daddr: int = LOCAL
    sport: int = 40000
    dport: int = 9
    proto: int = UDP
    flags: int = 0
    mac: bytes = MAC

    def record(self):
        return RECORD.pack(
            self.saddr, self.daddr, self.sport, self.dport, self.proto, self.flags, self.mac, 0, 0
        )


@dataclasses.dataclass
class Workload:
    """
    nft is the ruleset; iptables (iptables-restore) and ipset (ipset restore, before the rules of
    ipset_rules) say the same, where they can. mix(traffic) gives a list of packets and one of
    verdicts: True passes, False is dropped, None: only compared with nft's.
    """

    name: str
    nft: str
    mix: object
    iptables: str | None = None
    ipset: str | None = None
    ipset_rules: str | None = None
    hook: str = "prerouting"
    priority: int = -300
    conntrack: bool = False
    element: str | None = None  # one that is not in the set s, to be added and deleted
    flows: bool = False  # packets answer flows that local sockets open
    check_packets: int = PACKETS
    partial: bool = False  # the chain stays with the interpreter, BPF runs in front of it


def rng(name, *more):
    return random.Random("/".join((name, *map(str, more))))


def address(n):
    return socket.inet_ntoa(struct.pack("!I", n))


def random_address(r):
    """Unicast, neither private nor loopback."""
    while True:
        a = r.randrange(1 << 24, 224 << 24)
        if a >> 24 not in (10, 127) and a >> 16 not in (0xA9FE, 0xC0A8) and a >> 20 != 0xAC1:
            return a


def distinct(r, n, draw):
    """N different values of draw(r), in the order drawn."""
    found = {}
    while len(found) < n:
        found[draw(r)] = None
    return list(found)


def table(family, text):
    """A ruleset file that can be loaded again and again."""
    name = f"table {family} bench"
    return f"{name} {{\n}}\ndelete {name}\n{name} {{\n{text}}}\n"


def base_chain(rules, hook="prerouting", priority="raw", policy="accept", name=None):
    body = "".join(f"\t\t{rule}\n" for rule in rules)
    return (
        f"\tchain {name or hook} {{\n\t\ttype filter hook {hook} priority {priority}; "
        f"policy {policy};\n{body}\t}}\n"
    )


def raw_rules(lines):
    return (
        "*raw\n:PREROUTING ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n"
        + "".join(f"-A PREROUTING {line}\n" for line in lines)
        + "COMMIT\n"
    )


def one_or_many(traffic, draw, n=PACKETS):
    """Traffic that begins with "fixed" is one packet."""
    return [draw() for _ in range(1 if traffic.startswith("fixed") else n)]
