"""Declared actions: what it costs to write them down and to strike them out.

Beside them the trackers of CPython and loky, which are told by a write to a pipe and answer
nothing, and finalizers with the same callback, which do not outlive the process. In a process of
its own: with its journal, and with trackers.
"""

from __future__ import annotations

import gc
import json
import math
import os
import shutil
import sys
import time
import weakref
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Callable

from contenders import Thing
from measure import Effort, Figures, Group, child, median, ratio, scratch, table

import lastly

#: What is declared is here, so that the disk's moods are not in the figures. The journals are on
#: the disk.
MEMORY = Path("/dev/shm")

FILE, TREE = "a file", "a tree"


class ByFinalizer:
    """Ties the callback of each kind of resource to an object."""

    def __init__(
        self, finalize: Callable[..., Any], callbacks: dict[str, Callable[..., Any]]
    ) -> None:
        self.finalize = finalize
        self.callbacks = callbacks
        self.thing = Thing()

    def register(self, kind: str, path: str) -> Any:
        return self.finalize(self.thing, self.callbacks[kind], path)

    def cancel(self, kind: str, path: str, finalizer: Any) -> None:
        finalizer.detach()

    def run(self, kind: str, path: str, finalizer: Any) -> None:
        finalizer()


class ByTracker:
    """Tells a tracker the kind and the path. The callback, then, is the program's own business."""

    def __init__(self, tracker: Any, kinds: dict[str, str], callbacks: dict[str, Any]) -> None:
        self.tracker = tracker
        self.kinds = kinds
        self.callbacks = callbacks

    def register(self, kind: str, path: str) -> None:
        self.tracker.register(path, self.kinds[kind])

    def cancel(self, kind: str, path: str, _: None) -> None:
        self.tracker.unregister(path, self.kinds[kind])

    def run(self, kind: str, path: str, _: None) -> None:
        self.callbacks[kind](path)
        self.tracker.unregister(path, self.kinds[kind])


PLAIN = {FILE: os.remove, TREE: shutil.rmtree}


def contenders() -> dict[str, Any]:
    from multiprocessing import resource_tracker

    from loky.backend import resource_tracker as of_loky

    declared = {FILE: lastly.remove_file, TREE: lastly.remove_tree}
    # What it could not find at exit, it would complain of; here it finds nothing.
    names = {FILE: "shared_memory", TREE: "shared_memory"}
    return {
        "**lastly**, declared": ByFinalizer(lastly.finalize, declared),
        "`lastly.finalize`, not declared": ByFinalizer(lastly.finalize, PLAIN),
        "`weakref.finalize`, not declared": ByFinalizer(weakref.finalize, PLAIN),
        "`multiprocessing.resource_tracker`": ByTracker(resource_tracker, names, PLAIN),
        "`loky.backend.resource_tracker`": ByTracker(
            of_loky, {FILE: "file", TREE: "folder"}, PLAIN
        ),
    }


TITLES = ("register", "cancel", "run")


def declared(effort: Effort) -> list[Group]:
    for kind in (FILE, TREE):
        with scratch() as folder, scratch(MEMORY) as files:
            of = child(__file__, folder, files, kind, effort.rounds // 2, effort.declared)
        base = of["`multiprocessing.resource_tracker`"]
        rows = []
        for name, times in of.items():
            cells = [
                f"{quantile(times[title], portion):.{digits}f}"
                for title in TITLES
                for portion, digits in ((0.5, 2), (0.99, 1))
            ]
            for other in ("cancel", "run"):
                cells.append(ratio([both(times, other)], [both(base, other)]))
            rows.append([name, *cells])
        head = [part for title in TITLES for part in (f"{title}, p50", "p99")]
        head += ["register and cancel ×", "register and run ×"]
        table(f"Python: {kind} that is there, declared (µs)", ["", *head], rows)
    return []


def both(times: Figures, other: str) -> float:
    return median(times["register"]) + median(times[other])


def quantile(figures: Iterable[float], portion: float) -> float:
    ordered = sorted(figures)
    return ordered[math.ceil(len(ordered) * portion) - 1]


def measure(folder: Path, kind: str, rounds: int, count: int) -> dict[str, Figures]:
    """Microseconds, of each single one."""
    gc.disable()
    found: dict[str, Figures] = {}
    # The first round does not count: it starts guards and trackers.
    for number in range(rounds + 1):
        for name, contender in contenders().items():
            times = found.setdefault(name, {title: [] for title in TITLES})
            take_turn(contender, folder, kind, count, times)
            if number == 0:
                found[name] = {title: [] for title in TITLES}
    return found


def take_turn(contender: Any, folder: Path, kind: str, count: int, times: Figures) -> None:
    stays = str(folder / "stays")
    make(kind, stays)
    for _ in range(count):
        begin = time.perf_counter()
        one = contender.register(kind, stays)
        registered = time.perf_counter()
        contender.cancel(kind, stays, one)
        cancelled = time.perf_counter()
        times["register"].append((registered - begin) * 1e6)
        times["cancel"].append((cancelled - registered) * 1e6)
    PLAIN[kind](stays)
    # Fewer: they have to be made first.
    paths = [str(folder / f"goes-{number}") for number in range(count // 10)]
    for path in paths:
        make(kind, path)
    for path in paths:
        one = contender.register(kind, path)
        begin = time.perf_counter()
        contender.run(kind, path, one)
        times["run"].append((time.perf_counter() - begin) * 1e6)
        assert not os.path.lexists(path)


def make(kind: str, path: str) -> None:
    if kind == TREE:
        os.mkdir(path)
        path = os.path.join(path, "file")
    Path(path).write_bytes(b"x")


if __name__ == "__main__":
    disk, memory, which, *numbers = sys.argv[1:]
    os.environ["LASTLY_JOURNALS"] = os.path.join(disk, "journals")
    print(json.dumps(measure(Path(memory), which, *map(int, numbers))))
