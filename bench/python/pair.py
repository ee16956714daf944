"""Two threads: under the GIL they take turns, and should lose nothing by it."""

from __future__ import annotations

import gc
import json
import sys
import threading
import time
from functools import partial

from contenders import FINALIZE, NAMES, Thing, nothing
from measure import Effort, Figures, Group, child, median, ratio, rounds, table


def pair(effort: Effort) -> list[Group]:
    # Long enough for the interpreter to switch between them many times.
    of: Figures = child(__file__, effort.rounds // 2, effort.operations * 5)
    rows = []
    for name in FINALIZE:
        one, two = of[f"1 {name}"], of[f"2 {name}"]
        rows.append([NAMES[name], f"{median(one):.0f}", f"{median(two):.0f}", ratio(two, one)])
    table(
        "Python: create, and the object dies, on two threads (ns, those of the object included)",
        ["", "one thread", "two at once", "×"],
        rows,
    )
    return []


def measure(count: int, operations: int) -> Figures:
    """In the child, so that no other table is measured where there have been threads."""
    gc.disable()
    return rounds(
        count,
        {
            f"{number} {name}": partial(on_threads, number, name, operations)
            for name in FINALIZE
            for number in (1, 2)
        },
    )


def on_threads(number: int, name: str, operations: int) -> float:
    """Nanoseconds for one, from the first thread's first to the last thread's last.

    By the clock: what threads lose by waiting for each other is no processor's time.
    """
    start = threading.Barrier(number)
    times: list[tuple[float, float]] = []

    def run() -> None:
        start.wait()
        times.append(work(name, operations))

    running = [threading.Thread(target=run) for _ in range(number)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    begins, ends = zip(*times)
    return float(max(ends) - min(begins)) / (number * operations) * 1e9


def work(name: str, operations: int) -> tuple[float, float]:
    finalize = FINALIZE[name]
    begin = time.perf_counter()
    for _ in range(operations):
        thing = Thing()
        finalize(thing, nothing)
        del thing
    return begin, time.perf_counter()


if __name__ == "__main__":
    print(json.dumps(measure(*map(int, sys.argv[1:]))))
