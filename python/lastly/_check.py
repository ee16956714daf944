"""`lastly.check()`: the finalizers whose object cannot die.

A finalizer lives as long as its object, and owns its callback; so one can see it as owned by its
object. An object that cannot die is then one on a cycle that leads through a callback, or owned by
such a cycle:

    object of f → callback of f → … → object of g → callback of g → … → object of f

The cycles are found in one walk that enters each object once, however many callbacks own it
(`_on_cycles`). A second walk, breadth first and from those on cycles only, meets what cannot die,
each on a short way.
"""

from __future__ import annotations

import sys
from typing import NamedTuple

from lastly import _native
from lastly._native import finalize
from lastly._owned import Callback, Owned, Walk
from lastly._path import Paths

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from lastly._owned import Ties

LIMIT = 5_000_000
"""How many references are followed by a check."""

MOST = 100
"""How many to find that an object is owned by its own callback, where another's was found to."""

DONE = sys.maxsize

LINKS = 3
"""How many finalizers are told of that keep one another's objects alive."""


class Capture(NamedTuple):
    """A finalizer whose object cannot die, before the finalizer is called or detached, or the
    program ends. `str()` gives it in words."""

    finalizer: finalize[..., Any, Any]
    path: str
    """What the object is, as its own callback reaches it: `args[0].pool._conns[3]`. Or as that of
    another finalizer does, whose object cannot die either, and why: `args[0] of <finalize …>, whose
    object is args[0].peer of this finalizer`."""
    object: str
    """The type of the object."""
    function: str
    created: str | None
    """Where the finalizer was created, if sites are recorded: "file:line in function"."""

    def __str__(self) -> str:
        created = "" if self.created is None else f" (created at {self.created})"
        return (
            f"cleanup of {self.object} by {self.function}{created}: "
            f"the object cannot die before exit, as it is {self.path}"
        )


class Captures(list[Capture]):
    """What `check` found."""

    complete: bool
    """Whether all was looked at: if not, there may be others."""


def check(limit: int = LIMIT) -> Captures:
    """Finds the finalizers whose object cannot die before the program ends, unless they are called
    or detached: those whose callback owns their object, those that so keep one another's objects
    alive, and those whose objects such ones own.

    It follows all that the callbacks of live finalizers own: containers, attributes and slots,
    closures and defaults, partials, methods, generators, whatever the collector knows; but not
    modules, classes and the global variables of functions. Each object is looked into once. After
    `limit` references, by default 5,000,000, which take some seconds and some hundred megabytes, it
    gives up: then `complete` is False of the list that it returns. What is on the list is true all
    the same.

        for capture in lastly.check():
            print(capture)
    """
    if limit < 1:
        raise ValueError(f"a check follows at least 1 reference, not {limit}")
    callbacks = _callbacks()
    ties: dict[int, list[Callback]] = {}
    for callback in callbacks:
        ties.setdefault(id(callback.object), []).append(callback)
    owned = Owned(limit, ties)
    walk = Walk(_on_cycles(callbacks, owned, ties), limit, ties=ties)
    reasons = _Reasons(walk)
    captures = Captures()
    captures.complete = not (owned.is_cut or walk.is_cut)
    for callback in callbacks:
        finalizer = callback.finalizer
        named = _native.names_of(finalizer) if walk.met(callback.object) else None
        if named is not None:
            captures.append(Capture(finalizer, reasons.of(callback), *named))
    return captures


def _callbacks() -> list[Callback]:
    """Those of all live finalizers. What they own lives at least as long as they are held."""
    found = []
    for finalizer in _native.alive():
        parts = _native.callback_of(finalizer)
        if parts is not None:
            found.append(Callback(finalizer, *parts))
    return found


def _on_cycles(callbacks: list[Callback], owned: Owned, ties: Ties) -> list[Callback]:
    """The callbacks that own their own object, be it by what another's owns.

    Gabow's algorithm for strongly connected components. An object is *open* until all that can be
    on a cycle with it has been met; `places` has its place among the open ones, or DONE. `bounds`
    are the places that part the open ones: what lies between two is on one cycle, or alone.
    """
    found: list[Callback] = []
    held: list[Any] = []
    places: dict[int, int] = {}
    open_ones: list[Any] = []
    bounds: list[int] = []
    todo: list[tuple[int, Iterator[Any]]] = [(-1, iter(callbacks))]
    while todo:
        place, rest = todo[-1]
        for value in rest:
            seen = places.get(id(value))
            if seen is None:
                held.append(value)
                owns = owned.by(value)
                owns += ties.get(id(value), ())
                if not owns:
                    places[id(value)] = DONE
                    continue
                place = places[id(value)] = len(open_ones)
                bounds.append(place)
                open_ones.append(value)
                todo.append((place, iter(owns)))
                break
            while bounds and bounds[-1] > seen:
                bounds.pop()
        else:
            todo.pop()
            if bounds and bounds[-1] == place:
                bounds.pop()
                done, open_ones[place:] = open_ones[place:], []
                places.update(dict.fromkeys(map(id, done), DONE))
                if len(done) > 1:
                    found += [each for each in done if type(each) is Callback]
    return found


class _Reasons:
    """Why objects cannot die, in words."""

    __slots__ = ("_paths", "_steps", "_walk")

    def __init__(self, walk: Walk) -> None:
        self._walk = walk
        self._paths = Paths()
        self._steps: dict[int, tuple[str, Callback | None]] = {}

    def of(self, callback: Callback) -> str:
        text, owner = self._step(callback)
        told = [callback]
        while owner is not callback:
            if owner is None:
                return f"{text} of what a callback owns"
            text += f" of {finalize.__repr__(owner.finalizer)}"
            if any(each is owner for each in told):
                return text
            if len(told) == LINKS:
                return f"{text}, whose object cannot die either"
            told.append(owner)
            path, before = self._step(owner)
            text += f", whose object is {path}"
            if before is owner:
                return f"{text} of itself"
            owner = before
        return text if told == [callback] else f"{text} of this finalizer"

    def _step(self, callback: Callback) -> tuple[str, Callback | None]:
        """The path to its object, and the callback where it begins, unless it is too long."""
        if id(callback) not in self._steps:
            self._steps[id(callback)] = self._find(callback)
        return self._steps[id(callback)]

    def _find(self, callback: Callback) -> tuple[str, Callback | None]:
        way = self._walk.way(callback.object)
        if way[0] is callback:
            return self._paths.path(way), callback
        # The walk came by another's callback. Perhaps its own meets that way, or the object.
        places = {id(each): place for place, each in enumerate(way) if type(each) is not Callback}
        own = Walk([callback], MOST, places)
        if own.found is not None:
            rest = way[places[id(own.found)] + 1 :]
            return self._paths.path(own.way(own.found) + rest), callback
        return self._paths.path(way), way[0] if type(way[0]) is Callback else None
