"""What is alive: `lastly.live`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, overload

from lastly import _native

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lastly._native import finalize


class Entry(NamedTuple):
    """A finalizer that was alive."""

    finalizer: finalize[..., Any, Any]
    """Itself. It does not keep its object alive."""
    object: str | None
    """The type of its object. None: that has died and waits, and no sites were recorded."""
    function: str
    """What it is to run."""
    created: str | None
    """Where it was created, if sites were recorded then: "file:line in function"."""
    age: float | None
    """How many seconds before, if that was recorded."""
    atexit: bool
    """Whether the end of the program will run it."""
    waiting: bool
    """Whether its object has died and it waits, for the end of a pause or a cleaner's thread."""


class Slow(NamedTuple):
    """A callback that took long."""

    object: str | None
    function: str
    created: str | None
    cause: str
    """What made it run: "called", "object died", "exit" or "signal"."""
    seconds: float
    """How long it took, to a few milliseconds."""


class CleanerState(NamedTuple):
    """How a cleaner was doing."""

    name: str
    waiting: int
    """How many callbacks waited for it."""
    limit: int
    """How many may."""
    running: bool
    """Whether it was running one."""
    handed: int
    """How many were handed over to it so far."""


class Totals(NamedTuple):
    """How many finalizers this process had created, and what had become of them. A forked child
    begins at zero."""

    created: int
    called: int
    object_died: int
    exit: int
    signal: int
    detached: int
    failed: int
    """Of those that ran, with nobody there to take what they raised: reported as failed."""
    lost: int
    """Reported as skipped, too late or unfinished."""
    slowest: tuple[Slow, ...]
    """The ten callbacks that took longest, the longest first; of those that ran while sites were
    recorded, and took 20 milliseconds or more."""
    cleaners: tuple[CleanerState, ...]


class Live(Sequence[Entry]):
    """A picture of one moment: entries, oldest first. `str()` makes it a table."""

    __slots__ = ("_entries", "_totals", "_words")

    _entries: tuple[Entry, ...]
    _totals: Totals
    _words: str

    def __init__(self, entries: tuple[Entry, ...], totals: Totals, words: str) -> None:
        for name, value in zip(self.__slots__, (entries, totals, words)):
            super().__setattr__(name, value)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("a picture of one moment does not change: call lastly.live() again")

    @property
    def totals(self) -> Totals:
        """Of the whole process, whatever the picture shows."""
        return self._totals

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries)

    @overload
    def __getitem__(self, index: int) -> Entry: ...

    @overload
    def __getitem__(self, index: slice) -> Live: ...

    def __getitem__(self, index: int | slice) -> Entry | Live:
        if isinstance(index, slice):
            return Live(self._entries[index], self._totals, self._words)
        return self._entries[index]

    def __repr__(self) -> str:
        return f"<lastly.live(): {len(self)} alive>"

    def __str__(self) -> str:
        rows = [(each.object, each.function, each.created, each.age) for each in self._entries]
        return _native.table(rows) + self._words


def live(
    *,
    object: str | type | None = None,
    function: str | Callable[..., Any] | None = None,
    older_than: float | None = None,
    atexit: bool | None = None,
    waiting: bool | None = None,
    where: Callable[[Entry], Any] | None = None,
) -> Live:
    """What is alive now: a sequence of entries, oldest first, each with `finalizer`, `object`,
    `function`, `created`, `age`, `atexit` and `waiting`.

    `print(lastly.live())` shows a table of what says the same of itself, largest group first and at
    most 20 of them, and then the `totals` of the process: how many finalizers were created and what
    became of them, the slowest callbacks, and how each cleaner is doing.

    Where a finalizer was created, how long ago, and which callbacks were slow is known if that is
    recorded: `lastly.report.record_sites()`, `LASTLY_SITES=1`, `-X dev`.

    Of what is asked for, all must hold:

    - `object`: the name of its type, as the entries show it ("app.Workspace"), or the type itself.
      Then instances of subclasses count, too; types are told apart by name.
    - `function`: its name ("shutil.rmtree"), or the function itself.
    - `older_than`: created more than so many seconds ago. Those of which that is not known are left
      out; if nothing is recorded, it is an error to ask.
    - `atexit`, `waiting`: whether the end of the program will run it; whether its object has died
      and it waits for its turn.
    - `where`: called with each entry that is left, to say whether it counts.

    It is a picture of one moment, and does not change. It keeps no object alive. It may be taken at
    any moment, on any thread: in a callback, too, and while the program ends. A program prints one
    at its end with `LASTLY_REPORT=1` in the environment, or `python -m lastly report`.
    """
    tests = list(_tests(object, function, older_than))
    if atexit is not None:
        tests.append(lambda entry: entry.atexit is bool(atexit))
    if waiting is not None:
        tests.append(lambda entry: entry.waiting is bool(waiting))
    if where is not None:
        if not callable(where):
            raise TypeError(f"where is called with each entry; {where!r} cannot be called")
        tests.append(where)
    entries: Iterator[Entry] = map(Entry._make, _native.look())
    if tests:
        entries = (entry for entry in entries if all(test(entry) for test in tests))
    found = tuple(entries)
    counts, slowest, cleaners, words = _native.totals()
    totals = Totals(
        *counts,
        slowest=tuple(map(Slow._make, slowest)),
        cleaners=tuple(map(CleanerState._make, cleaners)),
    )
    return Live(found, totals, words)


def _tests(
    kind: str | type | None, function: str | Callable[..., Any] | None, older_than: float | None
) -> Iterator[Callable[[Entry], Any]]:
    if kind is not None:
        kinds = _names(kind)
        yield lambda entry: entry.object in kinds
    if function is not None:
        if not isinstance(function, str):
            if not callable(function):
                raise TypeError(f"function is a function or its name, not {function!r}")
            function = _native.name(function)
        yield lambda entry: entry.function == function
    if older_than is not None:
        if not isinstance(older_than, (int, float)):
            raise TypeError(f"older_than is a number of seconds, not {older_than!r}")
        if not _native.is_recording():
            raise ValueError(
                "older_than: ages are not recorded; call lastly.report.record_sites() first"
            )
        yield lambda entry: entry.age is not None and entry.age > older_than


def _names(kind: str | type) -> set[str]:
    """Of a type and all its subclasses; a name stands for itself."""
    if isinstance(kind, str):
        return {kind}
    if not isinstance(kind, type):
        raise TypeError(f"object is a type or its name, not {kind!r}")
    # Not by the objects: that would keep them alive meanwhile, and those that wait are dead.
    kinds: set[type] = set()
    left: list[type] = [kind]
    while left:
        kinds.add(left[-1])
        left.extend(set(type.__subclasses__(left.pop())) - kinds)
    return set(map(_native.name, kinds))
