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
    """
    Sets and verdict maps of each size. The largest do not come last: where time runs out it is the
    smallest ones, of which there are many alike, that are left. Only those that take minutes to load
    come after all others.
    """
    order = (10000, 100000, 1000000, 1000, 100, 10, 1)

    def rank(w):
        name = w.partition("/")[0]
        return name in sets.SLOW, order.index(int(name.rpartition("-")[2]))

    def wanted(w):
        return w.partition("/")[0].rpartition("-")[0] != "set-net"

    return sorted(filter(wanted, sets.ALL + vmap.ALL), key=rank)


def quick():
    """A few minutes: each family, small."""
    return [w for family in FAMILIES for w in family.QUICK]
