"""What live finalizers cost while nothing happens: memory, and the collector's time."""

from __future__ import annotations

import gc
import json
import os
import sys
import tracemalloc
from functools import partial

from contenders import LASTLY, NAMES, ORIGINAL, Thing, attach
from measure import Effort, Group, child, clock, median, ratio, table, take_turns

#: Collections of one heap in one process; their median is the process's figure.
COLLECTIONS = 5


def memory(effort: Effort) -> list[Group]:
    """Bytes of one, in new processes, as the system counts them and as the interpreter does."""
    grown, traced = (
        take_turns(
            effort.processes // 2,
            {name: partial(child, __file__, way, name, count) for name in NAMES},
        )
        for way, count in (("grown", effort.alive), ("traced", effort.alive // 4))
    )
    rows = []
    for name, title in NAMES.items():
        cells = [f"{median(of[name]):.0f}" for of in (grown, traced)]
        rows.append([title, *cells, ratio(grown[name], grown[ORIGINAL])])
    table(
        "Python: memory of a live finalizer without arguments (bytes)",
        ["", "as the process grows", "by `tracemalloc`", "× `finalize`"],
        rows,
    )
    chart = {name: median(of) for name, of in grown.items()}
    return [Group("memory of a live finalizer", "bytes", chart)]


def pause(effort: Effort) -> list[Group]:
    """What they add to a full collection, over the same heap without them."""
    count = effort.collected
    alone = []

    def added(name: str) -> float:
        without, with_them = child(__file__, "collected", name, count)
        alone.append(without)
        return float(with_them - without)

    of = take_turns(effort.processes, {name: partial(added, name) for name in NAMES})
    rows = []
    for name, title in NAMES.items():
        added_by = f"{median(of[name]):.1f}"
        rows.append([title, f"{median(alone):.1f}", added_by, ratio(of[name], of[ORIGINAL])])
    head = ["", "the heap alone", "added", "× `finalize`"]
    table(f"Python: added to a full collection by {count:,} of them (ms)", head, rows)
    chart = {name: median(of[name]) for name in NAMES}
    return [Group(f"added to a collection by {count:,} alive", "ms", chart)]


def grown(name: str, count: int) -> float:
    """In the child, as are the next two: memory by the process."""
    things, kept = heap(count)
    before = resident()
    attach(name, things, kept)
    return (resident() - before) / count


def traced(name: str, count: int) -> float:
    """Memory by the interpreter's own allocators."""
    things, kept = heap(count)
    tracemalloc.start()
    attach(name, things, kept)
    return tracemalloc.get_traced_memory()[0] / count


def collected(name: str, count: int) -> tuple[float, float]:
    """A collection without them, and one with them."""
    things, kept = heap(count)
    without = collection()
    attach(name, things, kept)
    return without, collection()


def heap(count: int) -> tuple[list[Thing], list[object]]:
    """The things, and places to keep references at: both there before anything is measured."""
    gc.disable()
    for name in (LASTLY, ORIGINAL):  # what is set up by the first one
        attach(name, [Thing()], [])
    return [Thing() for _ in range(count)], [None] * count


def resident() -> int:
    """Bytes of this process that are in memory (Linux)."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def collection() -> float:
    """Milliseconds of a full collection, once everything is in the oldest generation."""
    gc.collect()
    times = []
    for _ in range(COLLECTIONS):
        begin = clock()
        gc.collect()
        times.append((clock() - begin) * 1e3)
    return median(times)


if __name__ == "__main__":
    way, which, number = sys.argv[1:]
    measured = {"grown": grown, "traced": traced, "collected": collected}[way]
    print(json.dumps(measured(which, int(number))), flush=True)
    os._exit(0)  # not to run them all
