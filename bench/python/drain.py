"""The drain of many at exit: each time in a new process, as it happens once."""

from __future__ import annotations

import gc
import json
import os
import sys
from collections.abc import Iterable
from functools import partial

from contenders import FINALIZE, LASTLY, NAMES, ORIGINAL, Thing, attach, nothing
from measure import Effort, Figures, Group, child, clock, median, ratio, table, take_turns

#: Few, as the time of the original grows with their square.
AGAIN = (1_000, 2_000, 4_000)


def plain(effort: Effort) -> list[Group]:
    """Callbacks that do nothing."""
    few, many = (drains(effort, "plain", count) for count in (effort.alive // 10, effort.alive))
    rows = []
    for name in FINALIZE:
        cells = [f"{median(of[name]):.0f}" for of in (few, many)]
        cells += [ratio(many[name], few[name]), ratio(many[name], many[ORIGINAL])]
        rows.append([NAMES[name], *cells])
    table(
        "Python: drain at exit (ns per callback)",
        ["", f"{effort.alive // 10:,}", f"{effort.alive:,}", "growth", "× `finalize`"],
        rows,
    )
    chart = {name: median(of) for name, of in many.items()}
    return [Group(f"a callback at exit, {effort.alive:,} alive", "ns", chart)]


def again(effort: Effort) -> list[Group]:
    """Callbacks that each register another; of the original, many would take hours."""
    counts = list(dict.fromkeys([*AGAIN, effort.alive // 5, effort.alive]))
    of = {n: drains(effort, "again", n, FINALIZE if n in AGAIN else [LASTLY]) for n in counts}
    rows = []
    for name in FINALIZE:
        cells = [f"{median(of[n][name]):.0f}" if name in of[n] else "–" for n in counts]
        rows.append([NAMES[name], *cells, ratio(of[AGAIN[-1]][name], of[AGAIN[0]][name])])
    growth = f"growth from {AGAIN[0]:,} to {AGAIN[-1]:,}"
    table(
        "Python: drain at exit, each callback registering another (ns per callback)",
        ["", *(f"{n:,}" for n in counts), growth],
        rows,
    )
    return []


def drains(effort: Effort, scene: str, count: int, names: Iterable[str] = FINALIZE) -> Figures:
    children = {name: partial(child, __file__, scene, name, count) for name in names}
    return take_turns(effort.processes, children)


def drain(scene: str, name: str, count: int) -> float:
    """In the child: nanoseconds per callback."""
    finalize = FINALIZE[name]
    gc.disable()
    things = [Thing() for _ in range(count)]
    keeper = Thing()

    def register_another() -> None:
        finalize(keeper, nothing)

    attach(name, things, [], nothing if scene == "plain" else register_another)
    begin = clock()
    finalize._exitfunc()
    taken = clock() - begin
    return taken / (count if scene == "plain" else 2 * count) * 1e9


if __name__ == "__main__":
    what, which, number = sys.argv[1:]
    print(json.dumps(drain(what, which, int(number))), flush=True)
    os._exit(0)  # not to give their memory back one by one
