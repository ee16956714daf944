"""Cost as the number of live finalizers grows: flat, or it is a bug."""

from __future__ import annotations

import gc
import json
import os
import sys
from functools import partial
from itertools import zip_longest
from typing import Any

from contenders import FINALIZE, LASTLY, NAMES, ORIGINAL, Thing, nothing
from measure import Effort, Figures, Group, child, clock, median, ratio, rounds, table

#: How many are created in one round.
SAMPLE = 1_000
ROUNDS = 101
#: More of the original would take too much memory and time.
MOST_OF_ORIGINAL = 1_000_000


def growth(effort: Effort) -> list[Group]:
    """Each in processes of its own: the other's memory would be in the way."""
    most = {LASTLY: effort.most_alive, ORIGINAL: min(effort.most_alive, MOST_OF_ORIGINAL)}
    runs = [
        {name: child(__file__, name, most[name]) for name in most}
        for _ in range(effort.processes // 2)
    ]
    head, columns = ["live"], [[f"{count:,}" for count in counts(effort.most_alive)]]
    for name in most:
        for kind in WORK:
            head += [f"{NAMES[name]}: {kind}", "× at 10"]
            levels = zip(*([median(level[kind]) for level in run[name]] for run in runs))
            of = [list(level) for level in levels]
            columns += [[f"{median(it):.0f}" for it in of], [ratio(it, of[0]) for it in of]]
    rows = zip_longest(*columns, fillvalue="–")
    table("Python: cost as live finalizers grow (ns; replaced at random places)", head, rows)
    return []


def counts(most: int) -> list[int]:
    return [10**power for power in range(1, len(str(most)))]


def grow(name: str, most: int) -> list[Figures]:
    """In the child: what it costs with ever more of them alive."""
    gc.disable()
    finalize = FINALIZE[name]
    thing = Thing()
    alive: list[Any] = []
    found = []
    for count in counts(most):
        alive.extend(finalize(thing, nothing) for _ in range(count - len(alive)))
        work = {kind: partial(work, finalize, thing, alive) for kind, work in WORK.items()}
        found.append(rounds(ROUNDS, work))
    return found


def create(finalize: Any, thing: Thing, alive: list[Any]) -> float:
    """Nanoseconds to create one more."""
    begin = clock()
    new = [finalize(thing, nothing) for _ in range(SAMPLE)]
    taken = clock() - begin
    assert all(one.detach() for one in new)
    return taken / SAMPLE * 1e9


def replace(finalize: Any, thing: Thing, alive: list[Any]) -> float:
    """Nanoseconds to end one at a random place and to create another in its stead.

    They are looked at before, so that the way to cold memory is not measured. What grows all the
    same is the way to the interpreter's pools, over which they are spread.
    """
    places = [n * 2_654_435_761 % len(alive) for n in range(SAMPLE)]
    assert all(alive[place].peek() for place in places)
    begin = clock()
    for place in places:
        alive[place].detach()
        alive[place] = finalize(thing, nothing)
    return (clock() - begin) / SAMPLE * 1e9


#: What is measured; the names are those of the columns.
WORK = {"create": create, "replace": replace}


if __name__ == "__main__":
    print(json.dumps(grow(sys.argv[1], int(sys.argv[2]))), flush=True)
    os._exit(0)  # not to run them all
