#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""tests/edits.py SHAPE SEED ROUNDS NS-OF-NFT NS-OF-NFT-BPF NFT-BPF: one rule changed at a time.

A long list of rules goes into both namespaces; then each round changes, adds or deletes one rule of
it, as a command or by loading the whole file, sends packets in both, and compares the listings with
their counters. Prints how many loads used the code that ran before. Addresses 10.8.0.0/16 and
10.9.0.0/16 must be local in both.
"""
import ipaddress
import random
import subprocess
import sys

PORTS = range(1000, 1016)
SEND = """
import socket, sys, time
servers = []
for port in range(1000, 1016):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    s.bind(("0.0.0.0", port))
    servers.append(s)
for line in sys.stdin:
    saddr, daddr, port, size = line.split()
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind((saddr, 4000))
    try:
        s.sendto(b"x" * int(size), (daddr, int(port)))
    except PermissionError:
        pass
    s.close()
# What ksoftirqd still has to do, as in lib.sh.
while any(int(line.split()[11], 16) for line in open("/proc/net/softnet_stat")):
    time.sleep(0.01)
"""


class List:
    """Rules as text, each with a packet that it matches."""

    def __init__(self, shape, rng):
        self.shape, self.rng = shape, rng
        self.hook = rng.choice(["input", "output", "prerouting"])
        self.counts = rng.random() < 0.7
        self.rules = [self.rule() for _ in range(rng.choice([80, 300, 1000]))]

    def address(self, net):
        return f"10.{net}.{self.rng.randrange(256)}.{self.rng.randrange(1, 255)}"

    def prefix(self, net):
        length = self.rng.choice([20, 24, 26, 28, 30])
        return str(ipaddress.ip_network((self.address(net), length), strict=False))

    def rule(self):
        r = self.rng
        saddr, daddr, port = self.address(8), self.address(9), r.choice(PORTS)
        match = f"ip daddr {daddr}"
        if self.shape == "pairs":
            match += f" udp dport {port}"
        elif self.shape == "prefixes":
            match = f"ip daddr {self.prefix(9)}"
        elif self.shape == "five":
            match = f"ip saddr {self.prefix(8)} ip daddr {self.prefix(9)} udp dport "
            match += f"{port}-{min(port + r.randrange(4), 1015)}"
        text = match + (" counter" if self.counts else "")
        verdict = r.choice(["accept", "drop", "drop", "continue", "jump sub"])
        text += "" if verdict == "continue" and self.counts else f" {verdict}"
        net = match.split("ip daddr ")[1].split()[0]
        inside = ipaddress.ip_network(net)
        src = saddr
        if "saddr" in match:
            source = ipaddress.ip_network(match.split("ip saddr ")[1].split()[0])
            src = str(source[r.randrange(source.num_addresses)])
        return text, (src, str(inside[r.randrange(inside.num_addresses)]), port)

    def file(self):
        out = ["flush ruleset", "table ip t {", "chain sub {", "counter", "}", "chain c {"]
        out += [f"type filter hook {self.hook} priority 0; policy accept;"]
        out += ["udp dport 1 counter drop"] + [text for text, _ in self.rules]
        out += ["udp dport 1000-1015 counter", "}", "}", ""]
        return "\n".join(out)

    def edit(self):
        """Changes one rule; as a command, (its words), or None where the file has to be loaded."""
        r, k = self.rng, self.rng.randrange(len(self.rules))
        what = r.choice(["constant", "verdict", "insert", "delete"])
        text, packet = self.rules[k]
        if what == "delete":
            del self.rules[k]
            return None
        if what == "insert":
            self.rules.insert(k, self.rule())
            # nft counts from 0, and the first rule is not of the list.
            return ["insert", "rule", "ip", "t", "c", "index", str(k + 1), self.rules[k][0]]
        if what == "verdict":
            verdict = r.choice(["accept", "drop", "jump sub"])
            for old in ("accept", "drop", "jump sub", "continue"):
                text = text.removesuffix(" " + old)
            self.rules[k] = (f"{text} {verdict}", packet)
            return None
        self.rules[k] = self.rule()
        return None

    def packets(self, n):
        r, lines = self.rng, []
        for _ in range(n):
            saddr, daddr, port = r.choice(self.rules)[1] if r.random() < 0.7 else (
                self.address(8), self.address(9), r.choice(PORTS))
            lines.append(f"{saddr} {daddr} {port} {r.randrange(200)}")
        return "\n".join(lines) + "\n"


def run(ns, *command, stdin=""):
    done = subprocess.run(["nsenter", f"--net=/run/netns/{ns}", *command], input=stdin, text=True,
                          capture_output=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)}: {done.stderr}")
    return done


def main():
    shape, seed, rounds, plain, ours, nft_bpf = sys.argv[1:]
    rng = random.Random(f"{shape} {seed}")
    rules = List(shape, rng)
    reused = edits = 0
    for i in range(int(rounds)):
        command = rules.edit() if i else None
        words = command if command and rng.random() < 0.5 else ["-f", "-"]
        file = rules.file()
        run(plain, "nft", *words, stdin=file)
        said = run(ours, nft_bpf, "--require-bpf", "--verbose", *words, stdin=file).stderr
        edits += i > 0
        reused += i > 0 and "code used again" in said
        packets = rules.packets(60)
        for ns in plain, ours:
            run(ns, "python3", "-c", SEND, stdin=packets)
        want, got = (run(ns, program, "list", "ruleset").stdout.splitlines()
                     for ns, program in ((plain, "nft"), (ours, nft_bpf)))
        if want != got:
            differ = [f"nft: {a}\nnft-bpf: {b}" for a, b in zip(want, got) if a != b]
            sys.exit(f"round {i} (seed {seed}) {' '.join(words)}: {said}\n" + "\n".join(differ[:5]))
    print(f"{reused} of {edits} used the code again")


main()
