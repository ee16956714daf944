"""Nothing is leaked by a million operations of each kind, and nothing crashes.

Memory is counted, not guessed: in references to the objects that take part, in blocks of Python's
allocator, and in resident pages for what the native part allocates by itself. What could crash runs
as a program of its own, with the debug hooks of the allocator and the checks of `-X dev`.
"""

from __future__ import annotations

import copy
import gc
import sys
from pathlib import Path
from typing import Any, Callable

import pytest
from crashes import BEFORE, PROGRAMS

from fresh import run
from lastly import finalize

pytestmark = pytest.mark.slow

MILLION = 1_000_000


class Thing:
    """An object that can be watched."""


class Special(finalize):
    """A subclass: it is made the ordinary way, and known to the collector."""


def work(*args: object, **kwargs: object) -> None:
    """A callback that does nothing."""


def fail(*args: object, **kwargs: object) -> None:
    raise ValueError


# What takes part in the operations below, over and over again.
THING, ARGUMENT, VALUE = Thing(), object(), object()
SHARED = (THING, ARGUMENT, VALUE, work, fail, finalize, Special, Thing, finalize._registry)
LIVING = finalize(THING, work, ARGUMENT)
WITH_KEYWORDS = finalize(THING, work, ARGUMENT, value=VALUE)
DEAD = finalize.__new__(finalize)


def dies() -> None:
    finalize(Thing(), work)


def dies_with_arguments() -> None:
    finalize(Thing(), work, ARGUMENT, value=VALUE)


def is_called() -> None:
    finalize(THING, work, ARGUMENT, value=VALUE)()


def is_detached() -> None:
    finalize(THING, work, ARGUMENT, value=VALUE).detach()


def is_detached_after_a_look() -> None:
    f = finalize(THING, work, ARGUMENT, value=VALUE)
    f.peek()[3]["another"] = VALUE
    f.detach()


def fails_when_called() -> None:
    try:
        finalize(THING, fail, ARGUMENT)()
    except ValueError:
        pass


def is_refused() -> None:
    try:
        finalize(1, work, ARGUMENT, value=VALUE)
    except TypeError:
        pass


def lacks_arguments() -> None:
    try:
        finalize(THING)
    except TypeError:
        pass


def is_looked_at() -> None:
    LIVING.peek()


def is_looked_at_with_keywords() -> None:
    WITH_KEYWORDS.peek()


def is_shown() -> None:
    repr(LIVING)


def is_asked() -> None:
    LIVING.alive, LIVING.atexit, DEAD.alive, DEAD.atexit, DEAD(), DEAD.peek(), DEAD.detach()


def is_set() -> None:
    LIVING.atexit = True
    DEAD.atexit = True


def is_made_twice() -> None:
    f = finalize(THING, work, ARGUMENT)
    f.__init__(THING, work, ARGUMENT, value=VALUE)  # type: ignore[misc]
    f.detach()


def is_of_a_subclass() -> None:
    f = Special(Thing(), work, ARGUMENT, value=VALUE)
    f.attribute = ARGUMENT  # type: ignore[attr-defined]


def is_bare() -> None:
    finalize.__new__(finalize)


def is_copied() -> None:
    copy.copy(LIVING)


def is_looked_up() -> None:
    registry = finalize._registry  # type: ignore[attr-defined]
    registry[WITH_KEYWORDS].args, LIVING in registry, DEAD in registry, len(registry)


def is_listed() -> None:
    for _, info in finalize._registry.items():  # type: ignore[attr-defined]
        info.weakref()


OPERATIONS = [
    dies,
    dies_with_arguments,
    is_called,
    is_detached,
    is_detached_after_a_look,
    fails_when_called,
    is_refused,
    lacks_arguments,
    is_looked_at,
    is_looked_at_with_keywords,
    is_shown,
    is_asked,
    is_set,
    is_made_twice,
    is_of_a_subclass,
    is_bare,
    is_copied,
    is_looked_up,
    is_listed,
]


def blocks() -> int:
    gc.collect()
    return sys.getallocatedblocks()


def pages() -> int:
    """Resident memory in pages; none where the system does not tell."""
    path = Path("/proc/self/statm")
    return int(path.read_text().split()[1]) if path.exists() else 0


def references() -> list[int]:
    return [sys.getrefcount(shared) for shared in SHARED]


def repeat(operation: Callable[[], None], count: int) -> None:
    for _ in range(count):
        operation()


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.__name__)
def test_nothing_is_leaked(operation: Callable[[], None]) -> None:
    # What is slow is done less often.
    count = MILLION // 3 if operation in (is_copied, is_listed, is_looked_up) else MILLION
    repeat(operation, 10_000)  # so that all that is made once is there
    before = references(), blocks(), pages()
    repeat(operation, count)
    after = references(), blocks(), pages()
    assert after[0] == before[0]
    # A leak in one of fifty would be seen.
    assert after[1] - before[1] < count // 50
    # A leak of the smallest block, 16 bytes each time, would take `count // 256` pages.
    assert after[2] - before[2] < count // 500


@pytest.mark.parametrize("kind", [finalize, Special])
def test_nothing_is_leaked_by_many_at_once(kind: Any) -> None:
    """Alive together, ended in an order that is not theirs."""

    def fill_and_empty() -> None:
        things = [Thing() for _ in range(30_000)]
        made = [kind(thing, work, ARGUMENT, value=VALUE) for thing in things]
        for f in made[::3]:
            f()
        for f in made[1::3]:
            f.detach()
        things.reverse()
        del things[:10_000]

    fill_and_empty()
    before = references(), blocks(), pages()
    for _ in range(10):
        fill_and_empty()
    after = references(), blocks(), pages()
    assert after[0] == before[0]
    assert after[1] - before[1] < 1000
    assert after[2] - before[2] < 2000
    assert len(finalize._registry) == 2


# Crashes


@pytest.mark.parametrize("name", PROGRAMS)
def test_nothing_crashes(name: str) -> None:
    program, said = PROGRAMS[name]
    quiet = {"PYTHONMALLOC": "debug", "PYTHONFAULTHANDLER": "1", "LASTLY_SITES": "0"}
    ended = run("-c", BEFORE + program, **quiet)
    # Of daemon threads: what they were running, or registered, when the program had all but ended.
    told = ("was not finished when the program ended", "came too late to run")
    others = [line for line in ended.complaints.splitlines() if not line.endswith(told)]
    assert (others, ended.status) == ([], 0)
    assert sorted(ended.said) == sorted(said)


def test_a_subinterpreter_gets_a_clear_answer() -> None:
    """Where the class cannot be used, importing it says so; nothing crashes."""
    program = """
try:
    import _interpreters as interpreters  # 3.13
except ImportError:
    import _xxsubinterpreters as interpreters
inner = '''
try:
    import lastly
except ImportError as error:
    print("subinterpreters" in str(error), flush=True)
'''
first = interpreters.create()
interpreters.run_string(first, inner)
interpreters.destroy(first)
import lastly
second = interpreters.create()
interpreters.run_string(second, inner)
interpreters.destroy(second)
lastly.finalize(lastly, print, "in the main interpreter")
"""
    ended = run("-W", "ignore", "-c", program)
    assert ended.said == ["True", "True", "in the main interpreter"]
    assert (ended.complaints, ended.status) == ("", 0)
