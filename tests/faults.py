# SPDX-License-Identifier: GPL-2.0-or-later
"""What commands leave behind when one of their calls fails (tests/fault.c): TAP.

    faults.py [--all] [--only COMMANDS] [--kinds KIND,...] [--verbose]

In a network namespace of its own, with NFT_BPF, FAULT_SO and NFT_BPF_BPFFS in the environment. Each
command is run once without a fault, so that it is known what was before and what is behind it: the
listing, the packets that pass, the pins. Then once for some of its calls of a kind, or for each. Whatever
fails, all of that is as before or as behind it, nothing that was counted is lost without a word, and the
same command works the next time.
"""
import argparse
import difflib
import errno
import json
import os
import re
import select
import shutil
import socket
import subprocess
import sys
import tempfile

PROGRAM = os.environ["NFT_BPF"]
SHIM = os.environ["FAULT_SO"]
PINS = "%s/nft-bpf/net-%d" % (os.environ["NFT_BPF_BPFFS"], os.stat("/proc/self/ns/net").st_ino)
SENTINEL = 1000
PORTS = [SENTINEL, 1001, 1002, 1666, 2001, 2002, 2003, 2004, 2005, 2006]

TABLE = """
table inet t {
	counter hits { }
	set ports { type inet_service; elements = { %(ports)s } }
	set each { type inet_service; counter; elements = { 2003 } }
	map verdicts { type inet_service : verdict; elements = { %(verdicts)s } }
	set seen { type inet_service; flags dynamic; size 64; }
	chain in {
		type filter hook input priority filter; policy drop;
		udp dport 1000 counter accept
		udp dport @ports counter accept
		udp dport @each accept
		udp dport vmap @verdicts
		udp dport %(port)s counter name hits add @seen { udp dport } accept
	}
	chain out {
		type filter hook output priority filter; policy accept;
		udp dport %(out)s counter drop
	}
%(more)s}
"""
OLD = {"ports": "2001, 2002", "verdicts": "2004 : accept, 2005 : drop", "port": "1001", "out": "1666",
       "more": ""}
NEW = {"ports": "2002, 2006", "verdicts": "2004 : drop, 2005 : accept", "port": "1002", "out": "2003",
       "more": ""}
# With a nat chain compiled chains become regular ones; without it the table sleeps.
NAT = """	chain nat {
		type nat hook postrouting priority srcnat; policy accept;
		oifname "nowhere" masquerade
	}
"""
# What stays keeps what it counted.
EDIT = """
add element inet t ports { 2006 }
delete element inet t ports { 2001 }
add rule inet t in udp dport 1002 counter accept
flush chain inet t out
add rule inet t out udp dport 2003 counter drop
"""
# A chain that cannot be compiled comes back from us.
BACK = """
flush chain inet t in
add rule inet t in udp dport 1000 counter accept
add rule inet t in udp dport 1002 counter accept
add rule inet t in tcp dport 80 reject
"""


class Lab:
    def __init__(self, directory):
        self.dir = directory
        self.log = os.path.join(directory, "log")
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # packets arrive in their order
        self.sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sockets = {}
        for port in PORTS:
            s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            s.bind(("127.0.0.1", port))
            s.setblocking(False)
            self.sockets[port] = s

    def file(self, name, text):
        path = os.path.join(self.dir, name)
        with open(path, "w") as f:
            f.write(text)
        return path

    def passing(self):
        """Ports that a packet gets through to."""
        for port in PORTS[1:] + [SENTINEL]:
            try:
                self.sender.sendto(b"x", ("127.0.0.1", port))
            except PermissionError:
                pass
        select.select([self.sockets[SENTINEL]], [], [], 5)
        got = []
        for port, s in self.sockets.items():
            try:
                while s.recv(16):
                    got.append(port)
            except BlockingIOError:
                pass
        return tuple(got)

    def run(self, *words, fault=None):
        """Status, what it said, what was made fail."""
        env = dict(os.environ)
        if os.path.exists(self.log):
            os.unlink(self.log)
        if fault:
            env.update(LD_PRELOAD=SHIM, FAULT=fault, FAULT_LOG=self.log)
        try:
            p = subprocess.run([PROGRAM, *words], env=env, capture_output=True, timeout=60,
                               text=True, stdin=subprocess.DEVNULL)
        except subprocess.TimeoutExpired:
            return "hangs", "", "", "?"
        hit = open(self.log).read().strip() if os.path.exists(self.log) else ""
        said = "\n".join(l for l in p.stderr.strip().split("\n")
                         if "[chain-type-nat]" not in l and "[expr-reject]" not in l)
        return p.returncode, p.stdout, said, hit

    def must(self, *words):
        status, out, said, _ = self.run(*words)
        if status or said:
            raise RuntimeError("%s: %s: %s" % (" ".join(words), status, said))
        return out

    def nft(self, *words):
        subprocess.run(["nft", *words], check=True, stdin=subprocess.DEVNULL)

    def health(self):
        st = json.loads(self.must("status", "-j") or "{}")
        ill = [k for k in ("unfinished", "moved_on", "damaged", "lost", "foreign") if st.get(k)]
        chains = tuple(c["chain"] + ("" if c["compiled"] else " interpreted")
                       for c in st.get("chains", []))
        return ill, tuple(sorted(chains))

    def pins(self):
        paths = []
        for where, _, names in os.walk(PINS):
            paths += [os.path.join(where, n)[len(PINS):] for n in names]
        # Places depend on what was there; kept code is a matter of speed.
        paths = [re.sub("/gen-[0-9]+/", "/gen/", re.sub("--?[0-9]+/", "/", p)) for p in paths]
        return tuple(sorted({p for p in paths if not p.endswith("/object")}))

    @staticmethod
    def counts(text):
        """What is counted by a rule, by a named counter, and by an element, as listed."""
        what = [r"udp dport 1000 counter packets (\d+)", r"counter hits \{\s+packets (\d+)",
                r"2003 counter packets (\d+)"]
        return [int(m.group(1)) if m else None for m in (re.search(w, text) for w in what)]

    def state(self):
        """What is to be seen from outside."""
        ill, chains = self.health()
        listing = self.must("list", "ruleset")
        # What packets add to the set is not the point.
        rules = re.sub(r"(set seen \{[^}]*?)\s+elements = \{[^}]*\}", r"\1",
                       re.sub(r" packets \d+ bytes \d+|\s+packets \d+ bytes \d+(?=\n)", "", listing))
        # A chain that went off its hook and came back by itself is the last one of its table.
        head, _, rest = rules.partition("\n\n")
        rules = "\n\n".join([head] + sorted(b.rstrip("}\n\t ") for b in rest.split("\n\n")))
        return {"rules": rules, "passes": self.passing(), "chains": chains, "ill": ill,
                "pins": self.pins(), "counts": self.counts(listing)}


class Case:
    def __init__(self, name, prepare, *words, counts=True, few=0):
        self.name = name
        self.counts = counts  # stay
        self.few = few  # calls to try between two steps; 0: only with --all
        self.prepare = prepare
        self.words = words


def cases(lab):
    old = lab.file("old.nft", "flush ruleset" + TABLE % OLD)
    new = lab.file("new.nft", "flush ruleset" + TABLE % NEW)
    old_mixed = lab.file("old-mixed.nft", "flush ruleset" + TABLE % dict(OLD, more=NAT))
    new_mixed = lab.file("new-mixed.nft", "flush ruleset" + TABLE % dict(NEW, more=NAT))
    edit = lab.file("edit.nft", EDIT)
    back = lab.file("back.nft", BACK)

    def interpreted(path):
        lab.run("give")
        lab.nft("-f", path)

    def changed():
        lab.must("-f", old)
        lab.nft("-f", edit)

    return [
        Case("load", lambda: interpreted(old), "-f", new, counts=False, few=1),
        Case("reload", lambda: lab.must("-f", old), "-f", new, counts=False),
        Case("edit", lambda: lab.must("-f", old), "-f", edit, few=2),
        Case("mixed: load", lambda: interpreted(old_mixed), "-f", new_mixed, counts=False),
        Case("mixed: edit", lambda: lab.must("-f", old_mixed), "-f", edit, few=1),
        Case("give up a chain", lambda: lab.must("-f", old), "-f", back, counts=False, few=1),
        Case("mixed: give up a chain", lambda: lab.must("-f", old_mixed), "-f", back, counts=False),
        Case("take", lambda: interpreted(old), "take"),
        Case("take again", lambda: lab.must("-f", old), "take", few=2),
        Case("sync", changed, "sync", few=1),
        Case("give", lambda: lab.must("-f", old), "give", few=2),
        Case("mixed: give", lambda: lab.must("-f", old_mixed), "give"),
        Case("add element", lambda: lab.must("-f", old), "add element inet t ports { 2006 }", few=2),
        Case("add dynamic", lambda: lab.must("-f", old), "add element inet t seen { 2006 }"),
        Case("add each", lambda: lab.must("-f", old), "add element inet t each { 2006 }", few=2),
        Case("add verdict", lambda: lab.must("-f", old),
             "add element inet t verdicts { 2006 : accept }"),
        Case("delete element", lambda: lab.must("-f", old), "delete element inet t ports { 2001 }", few=1),
        Case("flush set", lambda: lab.must("-f", old), "flush set inet t ports"),
        Case("flush ruleset", lambda: lab.must("-f", old), "flush ruleset", counts=False),
        Case("reset", lambda: lab.must("-f", old), "reset", "counters", few=2),
        Case("list", lambda: lab.must("-f", old), "list", "ruleset"),
    ]


RULES = ("rules", "passes")
ALL = RULES + ("chains", "pins", "ill")
# Kinds whose calls are less of a danger: so many times fewer of them are tried.
FEWER = {"bpf": 1, "netlink": 2, "file": 2, "process": 2, "memory": 1}
ERRORS = {
    "bpf": [errno.ENOMEM, errno.EPERM, errno.E2BIG, errno.EBUSY, errno.EMFILE],
    "netlink": [errno.ENOBUFS, errno.EINTR, errno.ENOMEM, errno.EPERM],
    "file": [errno.ENOSPC, errno.EROFS, errno.EMFILE],
    "memory": [errno.ENOMEM],
    "process": [errno.EAGAIN],
}


def same(a, b, keys):
    return all(a[k] == b[k] for k in keys)


def difference(a, b):
    text = []
    for k in ALL:
        if a[k] == b[k]:
            continue
        if k == "rules":
            lines = difflib.unified_diff(b[k].split("\n"), a[k].split("\n"), "should be", "is", n=0)
            text.append("rules:\n" + "\n".join(lines))
        elif isinstance(a[k], tuple):
            text.append("%s: too many: %s, missing: %s" % (k, sorted(set(a[k]) - set(b[k])),
                                                         sorted(set(b[k]) - set(a[k]))))
        else:
            text.append("%s: %s instead of %s" % (k, a[k], b[k]))
    return "; ".join(text)


def judge(status, said, state, before, behind):
    """After one fault: as before, or all of it."""
    wrong = judge_end(status, said)
    if state["ill"] and (not status or state["ill"] != before["ill"]):
        wrong.append("is %s" % state["ill"])
    is_new = same(state, behind, RULES)
    is_old = same(state, before, RULES)
    if not is_new and not is_old:
        wrong.append("half: from before: %s\n from behind: %s" % (difference(state, before),
                                                              difference(state, behind)))
    elif status == 0 and not is_new:
        wrong.append("0, but it was not done: " + difference(state, behind))
    elif status and not is_old:
        wrong.append("error, but it was done")
    if is_new and status == 0 and not said and not same(state, behind, ("chains", "pins")):
        wrong.append("silently " + difference(state, behind))
    if is_old and status and state["pins"] != before["pins"]:
        wrong.append("pins: " + difference(state, before))
    return wrong


def judge_half(status, said, state, before, behind):
    """Nothing works any more: what passes is what one of them lets pass, or both do."""
    wrong = judge_end(status, said)
    both = tuple(p for p in before["passes"] if p in behind["passes"])
    if state["passes"] not in (before["passes"], behind["passes"], both):
        wrong.append("passes: %s" % (state["passes"],))
    if status == 0 and not same(state, behind, RULES):
        wrong.append("0, but it was not done: " + difference(state, behind))
    return wrong


def judge_end(status, said):
    wrong = []
    if status not in (0, 1, 3):  # nft's own, 3: no netlink socket
        wrong.append("ends with %s" % status)
    if status and not said:
        wrong.append("says nothing")
    return wrong


def again(lab, case, state, before, behind):
    """The same once more, or what is left of it; what is wrong then."""
    status, said = 0, ""
    done = state["rules"] == behind["rules"] if before["rules"] != behind["rules"] else (
        same(state, behind, RULES) and not same(state, before, RULES))
    if not done:
        status, _, said, _ = lab.run(*case.words)
    elif not same(state, behind, ALL):
        status, _, said, _ = lab.run("take")
    else:
        return []
    state = lab.state()
    wrong = ["the next time: %s: %s" % (status, said)] if status or said else []
    if not same(state, behind, ALL):
        wrong.append("the next time: " + difference(state, behind))
    return wrong


def one(lab, case, fault, before, behind):
    """What was made fail, what is wrong."""
    said = hit = ""
    try:
        case.prepare()
        lab.passing()
        counts = [lab.counts(lab.must("list", "ruleset"))]
        if case.words[0] == "reset":
            counts.append([counts[0][0], 0, counts[0][2]])
        status, _, said, hit = lab.run(*case.words, fault=fault)
        state = lab.state()
        counts_now = state["counts"]
        if "+" in fault:
            wrong = judge_half(status, said, state, before, behind)
        else:
            wrong = judge(status, said, state, before, behind)
        if case.counts and counts_now not in counts and "is lost" not in said:
            wrong.append("counts: %s instead of %s" % (counts_now, counts[0]))
        wrong += again(lab, case, state, before, behind)
    except RuntimeError as e:
        wrong = [str(e)]
    if wrong:
        wrong.append("said: %s" % said)
    return hit.replace("\n", "; "), wrong


def numbers(steps, few):
    """Of calls: all, or so many, evenly, of those between any two steps."""
    found = set()
    for begin, end in zip([0] + steps, steps):
        n = end - begin
        found.update(begin + 1 + i * n // min(few or n, n) + n // (2 * min(few or n, n))
                     for i in range(min(few or n, n)))
    return sorted(found)


def faults(steps, kind, few):
    for at in numbers(steps, few):
        yield "%s:%d:%d" % (kind, at, ERRORS[kind][at % len(ERRORS[kind])])
    # All calls from one on: what is there has to be closed at least.
    for at in numbers(steps if few != 1 else steps[-1:], few and 1) if kind in ("bpf", "netlink") else ():
        yield "%s:%d+:%d" % (kind, at, ERRORS[kind][0])


def try_kind(lab, case, kind, few, verbose):
    """How many calls there are, and how many were tried, with what went wrong."""
    case.prepare()
    before = lab.state()
    hit = lab.run(*case.words, fault="%s:0:0" % kind)[3]
    behind = lab.state()
    steps = [int(number) for number in re.findall(r"calls (\d+)", hit)]
    total = steps[-1]
    tried = bad = 0
    for fault in faults(steps, kind, few):
        hit, wrong = one(lab, case, fault, before, behind)
        tried += 1
        bad += bool(wrong)
        if wrong:
            print("# %s: %s (%s)" % (case.name, fault, hit[:60]))
            print("#   " + "\n".join(wrong).replace("\n", "\n#   "), flush=True)
        elif verbose:
            print("# %s: %s (%s)" % (case.name, fault, hit[:60]), flush=True)
    return total, tried, bad


def count_twice(lab):
    """What is given back is counted once, whatever step of it the process dies at; wrong ones."""
    wrong = []
    prepare = next(c.prepare for c in cases(lab) if c.name == "give")
    for step in "filled given woken flipped parked detached dropped".split():
        prepare()
        lab.passing()
        counts = lab.counts(lab.must("list", "ruleset"))
        os.environ["NFT_BPF_STOP_AT"] = step
        lab.run("give")
        del os.environ["NFT_BPF_STOP_AT"]
        between = lab.counts(lab.must("list", "ruleset"))
        lab.must("give")
        now = lab.counts(lab.must("list", "ruleset"))
        if between != counts or now != counts:
            wrong.append("%s: %s, then %s instead of %s" % (step, between, now, counts))
    return wrong


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--all", action="store_true", help="all calls, of all commands")
    p.add_argument("--only", default="", help="commands, a regular expression")
    p.add_argument("--kinds", default="bpf,netlink,file,process")
    p.add_argument("--verbose", action="store_true")
    opt = p.parse_args()
    directory = tempfile.mkdtemp()
    lab = Lab(directory)
    n = 0
    for case in cases(lab):
        if not re.fullmatch(opt.only, case.name) if opt.only else not (opt.all or case.few):
            continue
        for kind in opt.kinds.split(","):
            few = 0 if opt.all else case.few // FEWER[kind]
            if not few and not opt.all:
                continue
            total, tried, bad = try_kind(lab, case, kind, few, opt.verbose)
            n += 1
            print("%sok %d - %s: %s: %d of %d calls" % ("not " if bad else "", n, case.name, kind,
                                                       tried, total), flush=True)
    if not opt.only or opt.only == "killed":
        n += 1
        wrong = count_twice(lab)
        print("%sok %d - give, killed: counts once" % ("not " if wrong else "", n))
        print("".join("# %s\n" % w for w in wrong), end="")
    print("1..%d" % n)
    shutil.rmtree(directory)


main()
