"""The search, in development, for callbacks that own their own object.

Whenever a finalizer is created the native part looks at the callback itself. Where
`check_captures` is on, it then calls `search`, which follows all that the callback owns (`_owned`),
within a bound, and puts the way to the object in words (`_path`).
"""

from __future__ import annotations

from lastly import _native
from lastly._owned import Callback, Walk
from lastly._path import Paths

MOST = 5_000
"""How many references are followed when a finalizer is created."""


def check_captures(on: bool = True) -> None:
    """Has the callback of every new finalizer searched for its object, however long the way.

    The search follows all that the callback owns: containers, attributes and slots, closures and
    defaults, partials, methods, generators, whatever the collector knows; but not modules, classes
    and the global variables of functions. If it meets the object it draws a `SelfReferenceWarning`
    that tells the way: "the object cannot die as long as args[0].pool._conns[3] is that object".
    After 5,000 references, which take some milliseconds, it gives up in silence; `lastly.check()`
    goes on.

    `python -X dev` turns this on, and so does LASTLY_CHECK=1 in the environment. It is for
    development: where the callback owns anything but names and numbers, creating a finalizer takes
    ten microseconds and more then, not some hundred nanoseconds.
    """
    _native.set_capture_search(search if on else None)


def search(
    object: object, function: object, args: tuple[object, ...], kwargs: dict[str, object]
) -> str | None:
    """The way from a callback to this object, if it owns it."""
    walk = Walk([Callback(None, object, function, args, kwargs)], MOST, {id(object)})
    return None if walk.found is None else Paths().path(walk.way(walk.found))
