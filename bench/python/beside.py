"""Callbacks on another thread: a `Cleaner`, beside what people write by hand.

That is a thread that takes callables from a `queue.SimpleQueue`, and finalizers that fill it.
"""

from __future__ import annotations

import gc
import json
import sys
import threading
import time
from functools import partial
from queue import SimpleQueue
from typing import Any, Callable
from weakref import finalize

from contenders import Thing, nothing
from measure import Effort, Figures, Group, child, median, ratio, rounds, table

import lastly

NAMES = {
    "cleaner": "**lastly** `Cleaner`",
    "original": "`SimpleQueue` and `weakref.finalize`",
    "queue": "`SimpleQueue` and `lastly.finalize`",
}


def beside(effort: Effort) -> list[Group]:
    of: Figures = child(__file__, effort.rounds // 2, effort.operations)
    rows = []
    for name, title in NAMES.items():
        deaths, latency = of[f"deaths {name}"], of[f"latency {name}"]
        rows.append(
            [
                title,
                f"{median(deaths):.0f}",
                ratio(deaths, of["deaths original"]),
                f"{median(latency):.1f}",
                ratio(latency, of["latency original"]),
            ]
        )
    table(
        "Python: callbacks on another thread",
        ["", "one of many deaths, until all have run (ns)", "×", "one death (µs)", "×"],
        rows,
    )
    return []


class ByCleaner:
    """What is compared: ties a callback to an object, and waits until all have run."""

    def __init__(self) -> None:
        self.cleaner = lastly.Cleaner(limit=10_000_000)
        self.finalize = self.cleaner.finalize

    def drain(self) -> None:
        self.cleaner.drain()


class ByQueue:
    def __init__(self, finalize: Callable[..., Any]) -> None:
        self.queue: SimpleQueue[Callable[[], object]] = SimpleQueue()
        self.finalize = lambda thing, function: finalize(thing, self.queue.put, function)
        threading.Thread(target=self.work, daemon=True).start()

    def work(self) -> None:
        while True:
            self.queue.get()()

    def drain(self) -> None:
        done = threading.Event()
        self.queue.put(done.set)
        done.wait()


def measure(count: int, operations: int) -> Figures:
    gc.disable()
    contenders = {
        "cleaner": ByCleaner(),
        "original": ByQueue(finalize),
        "queue": ByQueue(lastly.finalize),
    }
    work = {"deaths": deaths, "latency": latency}
    return rounds(
        count,
        {
            f"{what} {name}": partial(run, contender, operations)
            for what, run in work.items()
            for name, contender in contenders.items()
        },
    )


def deaths(by: Any, operations: int) -> float:
    """Nanoseconds for one, by the clock: from the first creation to the last callback."""
    begin = time.perf_counter()
    for _ in range(operations):
        thing = Thing()
        by.finalize(thing, nothing)
        del thing
    by.drain()
    return (time.perf_counter() - begin) / operations * 1e9


def latency(by: Any, operations: int) -> float:
    """Microseconds from a death to its callback, while this thread waits for it."""
    times = []
    for _ in range(operations // 20):
        ran: list[float] = []
        done = threading.Lock()
        done.acquire()

        def callback(ran: list[float] = ran, done: Any = done) -> None:
            ran.append(time.perf_counter())
            done.release()

        thing = Thing()
        by.finalize(thing, callback)
        begin = time.perf_counter()
        del thing
        done.acquire()
        times.append(ran[0] - begin)
    return median(times) * 1e6


if __name__ == "__main__":
    print(json.dumps(measure(*map(int, sys.argv[1:]))))
