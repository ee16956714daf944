"""What a `Pressure` costs for each object: in cycles that only its collections find, and alive.

Beside it, a plain finalizer, and the collector as it comes by itself.
"""

from __future__ import annotations

import gc
import json
import sys
import time
from functools import partial
from typing import Any, Callable

from contenders import nothing
from measure import Effort, Figures, Group, child, median, ratio, rounds, table

import lastly

LIMITS = (100, 1_000)


class Thing:
    """An object that may be part of a cycle."""

    me: Thing


def pressure(effort: Effort) -> list[Group]:
    of: Figures = child(__file__, effort.rounds // 2, effort.operations * 5)
    rows = []
    for name in ["plain", *map(str, LIMITS)]:
        title = "`lastly.finalize`" if name == "plain" else f"**lastly** `Pressure({name})`"
        garbage, alive = of[f"garbage {name}"], of[f"alive {name}"]
        rows.append(
            [
                title,
                f"{median(garbage):.0f}",
                ratio(garbage, of["garbage plain"]),
                f"{median(alive):.0f}",
                ratio(alive, of["alive plain"]),
            ]
        )
    table(
        "Python: an object with a finalizer, under pressure (ns)",
        ["", "in a cycle, made and let go of", "×", "made and kept", "×"],
        rows,
    )
    return []


def measure(count: int, operations: int) -> Figures:
    contenders: dict[str, Callable[[], float]] = {}
    for what, run in (("garbage", garbage), ("alive", alive)):
        contenders[f"{what} plain"] = partial(run, lambda: lastly.finalize, operations)
        for limit in LIMITS:
            make = partial(of_pressure, limit)
            contenders[f"{what} {limit}"] = partial(run, make, operations)
    return rounds(count, contenders)


def of_pressure(limit: int) -> Any:
    """With the collector off: nothing but the pressure has it come."""
    gc.disable()
    return lastly.Pressure(limit).finalize


def garbage(make: Callable[[], Any], operations: int) -> float:
    finalize = begin_with(make)
    begin = time.process_time()
    for _ in range(operations):
        thing = Thing()
        thing.me = thing
        finalize(thing, nothing)
        del thing
    gc.collect()
    return (time.process_time() - begin) / operations * 1e9


def alive(make: Callable[[], Any], operations: int) -> float:
    finalize = begin_with(make)
    kept = [Thing() for _ in range(operations)]
    begin = time.process_time()
    for thing in kept:
        finalize(thing, nothing)
    return (time.process_time() - begin) / operations * 1e9


def begin_with(make: Callable[[], Any]) -> Any:
    gc.collect()
    gc.enable()
    return make()


if __name__ == "__main__":
    print(json.dumps(measure(*map(int, sys.argv[1:]))))
