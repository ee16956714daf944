"""What each operation costs on the only thread of a program.

The loops are those of `timeit`: the names used in them are local, the collector is off, and each
contender has its own code, so that none profits from what the interpreter learnt of another.
"""

from __future__ import annotations

import timeit
from typing import Callable, NamedTuple

from contenders import LASTLY, NAMES, ORIGINAL, REF
from measure import Effort, Group, clock, median, over, ratio, rounds, table

PARTIAL, ALONE = "partial", "alone"


class Kind(NamedTuple):
    """Arguments, and the parameters of a callback that takes them."""

    arguments: str
    parameters: str
    #: A weak reference hands itself over, after the arguments that a partial holds.
    with_reference: str


KINDS = {
    "none": Kind("", "", "_"),
    "two": Kind(", 1, 2", "a, b", "a, b, _"),
    "two keywords": Kind(", a=1, b=2", "a, b", "_, a, b"),
}

#: Each on a finalizer, `one`, or on a new one of a thing that lives.
OPERATIONS = {
    "create, call": "finalize(thing, callback)()",
    "create, detach": "finalize(thing, callback).detach()",
    "`alive`": "one.alive",
    "`peek()`": "one.peek()",
    "`repr()`": "repr(one)",
}

IMPORTS = {
    LASTLY: "from lastly import finalize",
    ORIGINAL: "from weakref import finalize",
    REF: "from weakref import ref",
    PARTIAL: "from functools import partial; from weakref import ref",
    ALONE: "",
}


def deaths(effort: Effort) -> list[Group]:
    """Creates one and lets its object die; what the object alone takes is subtracted."""
    figures = {kind: rounds(effort.rounds, dying(kind, effort.operations)) for kind in KINDS}
    names = [LASTLY, ORIGINAL, REF, PARTIAL]
    rows = []
    for kind, of in figures.items():
        left = {name: over(of[name], of[ALONE]) for name in names}
        cells = [f"{median(of[ALONE]):.0f}", *(f"{median(left[name]):.0f}" for name in names)]
        cells += [ratio(left[LASTLY], left[name]) for name in names[1:]]
        rows.append([kind, *cells])
    table(
        "Python: create, and the object dies (ns, those of the object alone subtracted)",
        [
            "arguments",
            "the object alone",
            NAMES[LASTLY],
            NAMES[ORIGINAL],
            "`weakref.ref`, without arguments",
            "`weakref.ref` and `partial`",
            "lastly × `finalize`",
            "lastly × `ref`",
            "lastly × `ref` and `partial`",
        ],
        rows,
    )
    none = figures["none"]
    chart = {name: median(over(none[name], none[ALONE])) for name in names[:3]}
    return [Group("create, and the object dies", "ns", chart)]


def dying(kind: str, count: int) -> dict[str, Callable[[], float]]:
    """For each contender: makes a thing, ties a callback to it, and drops it."""
    arguments, parameters, with_reference = KINDS[kind]
    finalize = f"finalize(thing, callback{arguments})"
    ways = {
        LASTLY: (finalize, parameters),
        ORIGINAL: (finalize, parameters),
        REF: ("kept = ref(thing, callback)", "_"),
        PARTIAL: (f"kept = ref(thing, partial(callback{arguments}))", with_reference),
        ALONE: ("", ""),
    }
    return {
        name: timer(
            f"thing = Thing()\n{tie}\ndel thing",
            f"{IMPORTS[name]}\ndef callback({parameters}): pass",
            count,
        )
        for name, (tie, parameters) in ways.items()
    }


def operations(effort: Effort) -> list[Group]:
    """The methods, on a thing that lives; what the empty loop takes is subtracted."""
    rows, found = [], {}
    for title, statement in OPERATIONS.items():
        both = (LASTLY, ORIGINAL)
        timers = {name: operation(name, statement, effort.operations) for name in both}
        timers[ALONE] = timer("pass", "", effort.operations)
        of = rounds(effort.rounds, timers)
        lastly, original = (over(of[name], of[ALONE]) for name in both)
        cells = [median(of[ALONE]), median(lastly), median(original)]
        rows.append([title, *(f"{ns:.0f}" for ns in cells), ratio(lastly, original)])
        found[title] = {LASTLY: cells[1], ORIGINAL: cells[2]}
    table(
        "Python: on an object that lives (ns, those of the empty loop subtracted)",
        ["", "the empty loop", NAMES[LASTLY], NAMES[ORIGINAL], "×"],
        rows,
    )
    return [Group("create, call", "ns", found["create, call"])]


def operation(name: str, statement: str, count: int) -> Callable[[], float]:
    setup = f"{IMPORTS[name]}\ndef callback(): pass\nthing = Thing()"
    if "one" in statement:
        setup += "\none = finalize(thing, callback)"
    return timer(statement, setup, count)


def timer(statement: str, setup: str, count: int) -> Callable[[], float]:
    """Nanoseconds for one."""
    loop = timeit.Timer(statement, f"from contenders import Thing\n{setup}", clock)
    return lambda: loop.timeit(count) / count * 1e9
