# SPDX-License-Identifier: GPL-2.0-or-later
"""
Results as text: a line while running, a Markdown page at the end.
"""

ORDER = ("floor", "nft", "nft-bpf", "iptables", "iptables-nft", "ipset")


def number(v):
    return f"{v:,.0f}" if abs(v) >= 100 else f"{v:.1f}"


def line(result):
    cells = []
    for name, entry in result["contestants"].items():
        if "failed" in entry:
            cells.append(f"{name} failed")
        elif "cost_ns" in entry:
            low, high = entry["quartiles_ns"]
            cells.append(f"{name} {number(entry['cost_ns'])} ({number(low)}..{number(high)})")
        else:
            cells.append(f"{name} right")
    base = f" base {result['base_ns']:.0f} ns;" if "base_ns" in result else ""
    return f"{result['workload']}/{result['traffic']}:{base} {', '.join(cells)}"


def names_in(results):
    return [n for n in ORDER if any(n in r["contestants"] for r in results)]


def cell(entry):
    if entry is None:
        return ""
    if "failed" in entry:
        return "failed"
    if "cost_ns" not in entry:
        return "right"
    low, high = entry["quartiles_ns"]
    return f"{number(entry['cost_ns'])} <small>{number(low)}–{number(high)}</small>"


def times(entry):
    if not entry or "times_faster" not in entry:
        return ""
    low, high = entry["times_faster_95"]
    digits = 1 if entry["times_faster"] >= 10 else 2
    return (
        f"**{entry['times_faster']:.{digits}f}** <small>{low:.{digits}f}–{high:.{digits}f}</small>"
    )


def row(cells):
    return "| " + " | ".join(cells) + " |\n"


def costs(results):
    names = names_in(results)
    text = row(["workload", *names, "nft / nft-bpf"]) + row(["---"] + ["---:"] * (len(names) + 1))
    for r in results:
        text += row(
            [
                f"{r['workload']}/{r['traffic']}",
                *(cell(r["contestants"].get(n)) for n in names),
                times(r["contestants"].get("nft-bpf")),
            ]
        )
    return text


LOADS = (
    ("load s", "load", "seconds", 1, 3),
    ("reload s", "reload", "seconds", 1, 3),
    ("one rule s", "edit", "seconds", 1, 3),
    ("one element ms", "update", "seconds", 1e3, 1),
    ("peak MiB", "load", "peak_kib", 1 / 1024, 1),
)


def load_cells(entry):
    for _, key, field, factor, digits in LOADS:
        m = entry and entry.get(key)
        if m and "failed" in m:
            yield m["failed"]
        else:
            yield f"{m[field] * factor:.{digits}f}" if m else ""


def loads(results):
    seen = {}
    for r in results:
        seen.setdefault(r["workload"], r["contestants"])
    names = [n for n in names_in(results) if n != "floor"]
    text = row(["workload", "contestant"] + [what for what, *_ in LOADS])
    text += row(["---", "---"] + ["---:"] * len(LOADS))
    for workload, entries in seen.items():
        for n in names:
            if entries.get(n) and "load" in entries[n]:
                text += row([workload, n, *load_cells(entries[n])])
    return text


def failed(results, left_out):
    found = dict(left_out)
    for r in results:
        for name, e in r["contestants"].items():
            if "failed" in e:
                found.setdefault(f"{r['workload']}, {name}", e["failed"])
    if not found:
        return ""
    return "\n## Not measured\n\n" + "".join(f"- {what}: {why}\n" for what, why in found.items())


def markdown(data):
    m, results = data["machine"], data["results"]
    known = ", ".join(f"{k} {m[k]}" for k in ("kernel", "cpu") if m.get(k))
    tools = ", ".join(m[k] for k in ("nft", "nft-bpf", "iptables", "ipset") if m.get(k))
    return (
        f"# Benchmark of {m['date']}\n\n{known}; {tools}. "
        f"{m['rounds']} samples of {m['sample_ms']:g} ms each.\n\n"
        "## Cost per packet\n\nNanoseconds over no rules: median, and the quartiles of the samples. "
        "The last column: how many times faster than nft, with its 95 % interval.\n\n"
        + costs(results)
        + "\n## Loading\n\n"
        + loads(results)
        + failed(results, data.get("left_out", {}))
    )
