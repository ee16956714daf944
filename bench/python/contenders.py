"""Those measured, and what they have in common: an object, and a callback that does nothing."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import Any, Callable

import lastly

LASTLY, ORIGINAL, REF = "lastly", "original", "ref"

NAMES = {
    LASTLY: "**lastly**",
    ORIGINAL: "`weakref.finalize`",
    REF: "`weakref.ref` with a callback (no exit)",
}

#: The two that do the same.
FINALIZE: dict[str, Any] = {LASTLY: lastly.finalize, ORIGINAL: weakref.finalize}


class Thing:
    """What dies: it has a place for weak references, and nothing else."""

    __slots__ = ("__weakref__",)


def nothing() -> None:
    """A finalizer's callback."""


def nothing_of(_: object) -> None:
    """A weak reference's callback, which is given the reference."""


def attach(
    name: str,
    things: Sequence[Thing],
    kept: list[object],
    callback: Callable[[], None] = nothing,
) -> None:
    """Ties the callback to each thing. Only bare references need to be kept, and only they are."""
    if name == REF:
        for index, thing in enumerate(things):
            kept[index] = weakref.ref(thing, nothing_of)
    else:
        finalize = FINALIZE[name]
        for thing in things:
            finalize(thing, callback)
