# SPDX-License-Identifier: GPL-2.0-or-later
"""
One workload's turn: load everything, compare decisions packet by packet, then time.

A sample is a short run of packets, taken between two samples of the namespace without rules; its
cost is the difference to their mean. The machine's fast and slow phases last longer than that.
"""
import random
import statistics
import sys

from lab import HOOKS, LAST, Contestant, LabError

DEV = "e0"
BATCH = 64


def say(text):
    print(text, file=sys.stderr, flush=True)


def quartiles(values):
    if len(values) < 2:
        return values[0], values[0]
    q = statistics.quantiles(values, n=4, method="inclusive")
    return q[0], q[2]


def ratio_interval(a, b, r=None):
    """95 % bootstrap interval of median(a) / median(b); the two were sampled in the same rounds."""
    r = r or random.Random(1)
    found = []
    for _ in range(300):
        rounds = r.choices(range(len(a)), k=len(a))
        d = statistics.median(b[i] for i in rounds)
        found.append(statistics.median(a[i] for i in rounds) / d if d > 0 else float("inf"))
    found.sort()
    return found[len(found) * 25 // 1000], found[len(found) * 975 // 1000]


class Turn:
    """All contestants with one workload loaded; each traffic is checked and timed in it."""

    def __init__(self, lab, workload, classes, options):
        self.lab, self.workload, self.options = lab, workload, options
        self.base = Contestant(lab, workload, "base")
        self.contestants = [
            c for c in (k(lab, workload, k.name) for k in classes) if c.takes_part()
        ]
        self.failed = {}

    def __enter__(self):
        try:
            self.base.enter()
            for c in self.contestants:
                self.prepare(c)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for c in [self.base, *self.contestants]:
            c.leave()

    def prepare(self, c):
        try:
            c.enter()
            c.load()
            if self.options.reload:
                c.reload()
                c.edit()
        except LabError as e:
            self.fail(c, str(e), "not loaded")
            return
        try:
            c.update()
        except LabError as e:
            c.update_failed = str(e)
            say(f"  {c.name}: one element: {e}")

    def fail(self, c, why, kind="wrong"):
        say(f"  {c.name}: {why}")
        self.failed[c.name] = {"failed": why, "kind": kind}
        c.leave()

    def running(self):
        return [c for c in self.contestants if c.name not in self.failed]

    # ---- decisions ----

    def decide(self, c, count):
        """A byte per packet: 1 if it got past. And the rules' counters before and after."""
        path = self.lab.path("verdicts")
        before = c.counters()
        self.lab.call("check", c.ns, DEV, count, path)
        after = c.counters()
        with open(path, "rb") as f:
            return f.read(), before and [
                (int(a[0]) - int(b[0]), int(a[1]) - int(b[1])) for a, b in zip(after, before)
            ]

    def wrong(self, verdicts, expected, what):
        bad = [i for i, (v, e) in enumerate(zip(verdicts, expected)) if e is not None and v != e]
        if not bad:
            return None
        return f"decides {len(bad)} of {len(verdicts)} packets unlike {what}, first packet {bad[0]}"

    def check(self, packets, expected):
        count = min(len(packets), self.workload.check_packets)
        if self.workload.flows:
            for c in [self.base, *self.running()]:
                self.lab.call("flows", c.ns)
        reference = None
        for c in self.running():
            self.attach(c, "check")
            verdicts, counted = self.decide(c, count)
            self.lab.call("detach", c.ns, "check")
            why = None
            if c.name != "floor":
                why = self.wrong(verdicts, expected, "expected")
                if not why and reference:
                    why = self.wrong(verdicts, reference[0], "nft")
                    if not why and counted is not None and counted != reference[1]:
                        why = f"counters differ from nft's: {counted[:5]}, not {reference[1][:5]}"
            elif not all(verdicts):
                why = f"{verdicts.count(0)} of {len(verdicts)} packets got lost without rules"
            if c.name == "nft":
                reference = verdicts, counted
            if why:
                self.fail(c, why)
        return count

    # ---- time ----

    def attach(self, c, program):
        self.lab.call("attach", c.ns, program, HOOKS[self.workload.hook], LAST)

    def sample(self, c, count):
        return self.lab.call("run", c.ns, DEV, count)

    def packets_for(self, c):
        """As many packets as fit into a sample's time."""
        ns = min(self.sample(c, BATCH)["ns"] for _ in range(2))
        count = int(self.options.sample_ms * 1e6 / max(ns, 1)) // BATCH * BATCH
        return max(BATCH, min(count, 1 << 20))

    def time(self):
        everyone = [self.base, *self.running()]
        for c in everyone:
            self.attach(c, "late")
        counts = {c.name: self.packets_for(c) for c in everyone}
        samples = {c.name: [] for c in everyone}
        passed = {c.name: 0 for c in everyone}
        for _ in range(self.options.rounds):
            before = self.sample(self.base, counts["base"])["ns"]
            for c in everyone[1:]:
                s = self.sample(c, counts[c.name])
                after = self.sample(self.base, counts["base"])["ns"]
                samples[c.name].append(s["ns"] - (before + after) / 2)
                samples["base"].append(after)
                passed[c.name] += s["passed"]
                before = after
        for c in everyone:
            self.lab.call("detach", c.ns, "late")
        sent = {name: n * self.options.rounds for name, n in counts.items()}
        return samples, {name: 1 - passed[name] / sent[name] for name in samples}

    def run(self, traffic):
        packets, expected = self.workload.mix(traffic)
        with open(self.lab.path("packets"), "wb") as f:
            f.writelines(p.record() for p in packets)
        self.lab.call("packets", self.lab.path("packets"))
        checked = self.check(packets, expected)
        samples, dropped = self.time() if self.options.rounds else ({}, {})
        return self.result(traffic, checked, samples, dropped)

    def result(self, traffic, checked, samples, dropped):
        # A packet that the rules drop spares itself the late program, whose cost is the floor's.
        floor = statistics.median(samples["floor"]) if samples.get("floor") else 0
        costs = {
            name: [v + dropped[name] * floor for v in values] for name, values in samples.items()
        }
        out = {
            "workload": self.workload.name,
            "traffic": traffic,
            "checked_packets": checked,
            "contestants": {},
        }
        if samples:
            out["base_ns"] = round(statistics.median(samples["base"]), 1)
        for c in self.contestants:
            entry = out["contestants"][c.name] = {}
            if c.name in self.failed:
                entry |= self.failed[c.name]
                continue
            for key in "load", "reload", "edit", "update":
                m = getattr(c, f"{key}_result")
                if m:
                    entry[key] = {"seconds": m["seconds"], "peak_kib": m["peak_kib"]}
            if c.update_failed:
                entry["update"] = {"failed": c.update_failed}
            if samples:
                entry |= self.timing(c.name, costs, dropped)
        return out

    @staticmethod
    def timing(name, costs, dropped):
        low, high = quartiles(costs[name])
        cost = statistics.median(costs[name])
        entry = {
            "cost_ns": round(cost, 1),
            "quartiles_ns": [round(low, 1), round(high, 1)],
            "dropped": round(dropped[name], 4),
            "samples": len(costs[name]),
        }
        if "nft" in costs and cost > 0:
            entry["times_faster"] = round(statistics.median(costs["nft"]) / cost, 3)
            entry["times_faster_95"] = [
                round(v, 3) for v in ratio_interval(costs["nft"], costs[name])
            ]
        return entry
