# SPDX-License-Identifier: GPL-2.0-or-later
"""
Where contestants compete: a network namespace for each, all alike, and the driver that sends
packets into them. Everything made here is removed by Lab.close().
"""
import contextlib
import json
import os
import re
import shutil
import subprocess
import tempfile

HOOKS = {"prerouting": 0, "input": 1}
LAST = 2**31 - 2  # the late program's priority, right before conntrack confirms
SETTINGS = {
    "net/ipv6/conf/all/disable_ipv6": 1,
    "net/ipv6/conf/default/disable_ipv6": 1,
    "net/ipv4/conf/all/rp_filter": 0,
    "net/ipv4/conf/default/rp_filter": 0,
    "net/ipv4/ip_early_demux": 0,
    "net/netfilter/nf_conntrack_checksum": 0,
    "net/netfilter/nf_conntrack_udp_timeout": 36000,
    "net/netfilter/nf_conntrack_udp_timeout_stream": 36000,
}
# Conntrack runs where a rule asks for it, also one that no hook reaches.
ASK_CONNTRACK = "table inet bench_ct { chain c { ct state new accept; }; }"
UPDATES = 5
UPDATE_TIMEOUT = 20  # nft reads a set of intervals back before it adds one to it
COUNTER = re.compile(r"counter packets (\d+) bytes (\d+)")
ADDRESS = re.compile(r"(addr (?:!= )?)(\d+)(\.\d+\.\d+\.\d+)")


def edited(text):
    """The same but for an address, in the middle one of the rules that have some; None: no rule has."""
    lines = text.split("\n")
    rules = [i for i, line in enumerate(lines) if ADDRESS.search(line)]
    if not rules:
        return None
    i = rules[len(rules) // 2]
    lines[i] = ADDRESS.sub(lambda m: f"{m[1]}{int(m[2]) % 200 + 1}{m[3]}", lines[i], count=1)
    return "\n".join(lines)


class LabError(Exception):
    pass


class Lab:
    def __init__(self, build, nft_bpf, timeout):
        self.gen, self.nft_bpf, self.timeout = (
            os.path.join(build, "bench/bench-gen"),
            nft_bpf,
            timeout,
        )
        self.dir = tempfile.mkdtemp(prefix="bench-")
        self.bpffs = os.path.join(self.dir, "bpf")
        self.netns = []
        os.mkdir(self.bpffs)
        # Pins die with this mount, whatever becomes of their owners.
        subprocess.run(["mount", "-t", "bpf", "bench", self.bpffs], check=True)
        self.env = dict(os.environ, NFT_BPF_BPFFS=self.bpffs)
        # Programs in front of interpreted chains are measured also where they would not pay.
        self.env.setdefault("NFT_BPF_FRONTS", "all")
        backend = os.path.join(build, ".libs/nft-bpf-llvm.so")
        if os.path.exists(backend):
            self.env.setdefault("NFT_BPF_BACKEND", os.path.abspath(backend))
        self.driver = subprocess.Popen(
            [self.gen, os.path.join(build, "bench/gen.bpf.o")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=lambda: os.sched_setaffinity(0, {max(os.sched_getaffinity(0))}),
        )

    def close(self):
        for name in list(self.netns):
            self.remove(name)
        with contextlib.suppress(OSError):
            self.driver.stdin.close()
        self.driver.wait()
        subprocess.run(["umount", "-l", self.bpffs], check=False)
        shutil.rmtree(self.dir, ignore_errors=True)

    def path(self, name):
        return os.path.join(self.dir, name)

    def write(self, name, text):
        with open(self.path(name), "w", encoding="ascii") as f:
            f.write(text)
        return self.path(name)

    def call(self, *words):
        self.driver.stdin.write(" ".join(map(str, words)) + "\n")
        self.driver.stdin.flush()
        answer = self.driver.stdout.readline()
        if not answer:
            raise LabError("bench-gen died")
        answer = json.loads(answer)
        if "error" in answer:
            raise LabError(f"bench-gen: {' '.join(map(str, words))}: {answer['error']}")
        return answer

    def inside(self, name, *command, **more):
        """Without `ip netns exec`, which would hide bpffs."""
        return subprocess.run(
            ["nsenter", f"--net=/run/netns/{name}", *command],
            capture_output=True,
            text=True,
            env=self.env,
            check=False,
            **more,
        )

    def add(self, name):
        """A namespace with e0 (192.0.2.1, default route, no ARP) and its peer p0."""
        self.netns.append(name)
        script = (
            "\n".join(
                f"[ -e /proc/sys/{k} ] && echo {v} > /proc/sys/{k}" for k, v in SETTINGS.items()
            )
            + """
            set -e
            ip link set lo up
            ip link add e0 address 02:00:00:00:00:01 type veth peer name p0
            ip link set e0 arp off up
            ip link set p0 up
            ip addr add 192.0.2.1/32 dev e0
            ip route add default dev e0"""
        )
        subprocess.run(["ip", "netns", "add", name], check=True)
        done = self.inside(name, "sh", "-c", script)
        if done.returncode:
            raise LabError(f"{name}: {done.stderr}")

    def remove(self, name):
        with contextlib.suppress(LabError, OSError):  # a dead driver's links are gone
            self.call("detach", name)
        if self.nft_bpf:
            self.inside(name, self.nft_bpf, "give")
        subprocess.run(["ip", "netns", "del", name], check=False)
        self.netns.remove(name)

    def measure(self, name, timeout, *command):
        """Runs a loader in the namespace: status, seconds, peak_kib, message."""
        done = subprocess.run(
            [self.gen, "exec", name, str(timeout), *command],
            capture_output=True,
            text=True,
            env=self.env,
            check=False,
        )
        if done.returncode:
            raise LabError(done.stderr)
        answer = json.loads(done.stdout)
        answer["message"] = done.stderr.strip()
        return answer


class Contestant:
    """Base: no rules. Loaders of rulesets come below."""

    name = "base"

    def __init__(self, lab, workload, tag):
        self.lab, self.workload = lab, workload
        self.ns = f"bench-{os.getpid()}-{tag}"
        self.load_result = self.reload_result = self.edit_result = self.update_result = None
        self.update_failed = None

    def takes_part(self):
        return True

    def enter(self):
        self.lab.add(self.ns)
        if self.workload.conntrack:
            self.lab.inside(self.ns, "nft", ASK_CONNTRACK)

    def leave(self):
        if self.ns in self.lab.netns:
            self.lab.remove(self.ns)

    def load(self):
        pass

    def reload(self):
        pass

    def edit(self):
        """One rule becomes another one, and then what it was."""

    def update(self):
        """One element comes and goes."""

    def counters(self):
        return None

    def file(self, suffix, text):
        return self.lab.write(f"{self.workload.name}{suffix}", text)


class Floor(Contestant):
    """A BPF program that accepts at once: what a hook costs before it does anything."""

    name = "floor"

    def load(self):
        self.lab.call("attach", self.ns, "empty", HOOKS[self.workload.hook], self.workload.priority)


class Loader(Contestant):
    program = None

    def command(self):
        raise NotImplementedError

    def takes_part(self):
        return bool(shutil.which(self.program))

    def enter(self):
        self.lab.add(self.ns)

    def run(self, *command, timeout=None):
        timeout = timeout or self.lab.timeout
        result = self.lab.measure(self.ns, timeout, *command)
        if result["timeout"]:
            raise LabError(f"not done within {timeout} s")
        if result["status"]:
            raise LabError(f"not loaded: {result['message'][:400]}")
        return result

    def load(self):
        self.load_result = self.run(*self.command())

    def reload(self):
        self.reload_result = self.run(*self.command())


class Nft(Loader):
    name = program = "nft"

    def command(self):
        return "nft", "-f", self.file(".nft", self.workload.nft)

    def say(self, *words):
        return "nft", *words

    def edit(self):
        text = edited(self.workload.nft)
        if not text:
            return
        *command, file = self.command()
        self.edit_result = self.run(*command, self.file("-edited.nft", text))
        self.run(*command, file)

    def update(self):
        if self.workload.element is None:
            return
        element = f"bench s {{ {self.workload.element} }}"
        limit = min(self.lab.timeout, UPDATE_TIMEOUT)
        results = []
        while len(results) < UPDATES:
            results.append(self.run(*self.say("add", "element", "ip", element), timeout=limit))
            self.run(*self.say("delete", "element", "ip", element), timeout=limit)
            if results[-1]["seconds"] > 1:
                break
        self.update_result = sorted(results, key=lambda r: r["seconds"])[len(results) // 2]

    def counters(self):
        if "counter" not in self.workload.nft:
            return None
        return COUNTER.findall(self.lab.inside(self.ns, *self.say("-t", "list", "ruleset")).stdout)


class NftBpf(Nft):
    name = "nft-bpf"

    def takes_part(self):
        return bool(self.lab.nft_bpf)

    def command(self):
        require = () if self.workload.partial else ("--require-bpf",)
        return self.lab.nft_bpf, *require, "-f", self.file(".nft", self.workload.nft)

    def say(self, *words):
        return self.lab.nft_bpf, *words

    def run(self, *command, timeout=None):
        """Not only accepted: every chain has to run as BPF, or nft would be measured twice."""
        result = super().run(*command, timeout=timeout)
        status = self.lab.inside(self.ns, *self.say("status", "-j")).stdout
        chains = json.loads(status or "{}").get("chains", [])
        ours = ("compiled", "front") if self.workload.partial else ("compiled",)
        left = [c for c in chains if not any(c.get(word) for word in ours)]
        if left or not chains:
            why = "; ".join(r["text"] for c in left for r in c.get("reasons", []))
            raise LabError(f"not compiled: {why or 'no chain'}")
        return result


class Iptables(Loader):
    name, program = "iptables", "iptables-legacy-restore"

    def takes_part(self):
        return super().takes_part() and self.workload.iptables is not None

    def command(self):
        # The lock of legacy iptables is one for all namespaces.
        return self.program, "-w", "60", self.file(".iptables", self.workload.iptables)


class IptablesNft(Iptables):
    name, program = "iptables-nft", "iptables-nft-restore"


class Ipset(Loader):
    name, program = "ipset", "ipset"

    def takes_part(self):
        return super().takes_part() and self.workload.ipset is not None

    def command(self):
        return (
            "sh",
            "-c",
            'ipset restore -file "$1" && iptables-legacy-restore -w 60 "$2"',
            "sh",
            self.file(".ipset", self.workload.ipset),
            self.file(".ipset-rules", self.workload.ipset_rules),
        )

    def reload(self):
        pass  # ipset has no way to say "these elements instead"


CONTESTANTS = (Floor, Nft, NftBpf, Iptables, IptablesNft, Ipset)
