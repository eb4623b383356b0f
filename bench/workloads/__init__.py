# SPDX-License-Identifier: GPL-2.0-or-later
"""
Workloads by name. A module here builds one family: rulesets for the contestants and packets with
the verdict each must get. Names are FAMILY-…-SIZE/TRAFFIC, e.g. lin-1000/random.
"""
from . import five, kube, lin, server, sets, vmap

FAMILIES = (lin, five, sets, vmap, server, kube)


def build(name):
    """The workload NAME (without /TRAFFIC), or ValueError."""
    for family in FAMILIES:
        m = family.PATTERN.fullmatch(name)
        if m:
            return family.build(name, m)
    raise ValueError(f"{name}: no such workload")


def full():
    """What doc/performance.md shows: about half an hour."""
    return [w for family in FAMILIES for w in family.FULL]


def everything():
    """Each size and traffic: hours."""
    return [w for family in FAMILIES for w in family.ALL]


def every_set():
    """Sets and verdict maps of each size, small ones first; not each kind at a million."""

    def size(w):
        return int(w.partition("/")[0].rpartition("-")[2])

    def wanted(w):
        kind = w.partition("/")[0].rpartition("-")[0]
        return kind != "set-net" and (size(w) < 1000000 or kind in ("set-ip", "vmap"))

    return sorted(filter(wanted, sets.ALL + vmap.ALL), key=size)


def quick():
    """A few minutes: each family, small."""
    return [w for family in FAMILIES for w in family.QUICK]
