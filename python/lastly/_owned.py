"""What callbacks own: every reference that they hold, followed.

What an object owns, the interpreter's collector tells: `gc.get_referents` misses nothing that it
knows, of types made in C neither. Not followed are modules, classes and code, and from a function
or frame its global variables: they are not the callback's own, and lead everywhere.

What must never happen:

- Code of the program's runs. So nothing is compared but by address, and types are asked of `type`,
  not of the object.
- An object lives on account of a walk that is over. During the walk each is held: as long as it is,
  nothing else has its address.
"""

from __future__ import annotations

import sys
from collections import deque
from gc import get_referents
from types import CodeType, FrameType, FunctionType, ModuleType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping
    from typing import Any, Union

    # How to look into the objects of a type, and how to ask before how much there is.
    Rule = Union["tuple[Callable[[Any], list[Any]], Callable[[Any], int] | None]", None]

    # From the address of an object to the callbacks of its finalizers.
    Ties = Mapping[int, "list[Callback]"]

LONGEST = 50
"""How many steps a way may have to be given as a whole."""

END = 8
"""How many are given at the end of one that is longer."""


class Callback:
    """A callback, where ways begin; with the object of its finalizer."""

    __slots__ = ("args", "finalizer", "function", "kwargs", "object")

    def __init__(
        self,
        finalizer: Any,
        object: object,
        function: object,
        args: tuple[object, ...],
        kwargs: dict[str, object],
    ) -> None:
        self.finalizer = finalizer
        self.object = object
        self.function = function
        self.args = args
        self.kwargs = kwargs

    def owned(self) -> list[object]:
        return [self.function, *self.args, *self.kwargs.values()]


class Owned:
    """Tells what an object owns; of so many references in all."""

    __slots__ = ("_kinds", "_left", "_rules", "_wanted", "is_cut")

    def __init__(self, most: int, wanted: Collection[int] = ()) -> None:
        self._left = most
        self._wanted = wanted
        self._rules = dict(RULES)
        self._kinds: list[type] = []  # to hold them
        self.is_cut = False

    def by(self, owner: object) -> list[Any]:
        """What this object owns, without what cannot be looked into, unless that is wanted."""
        rules, wanted = self._rules, self._wanted
        # By address: a metaclass may say how its classes compare.
        rule = rules.get(id(type(owner)), UNKNOWN)
        if rule is UNKNOWN:
            rule = self._learn(type(owner))
        if rule is None:
            return []
        look, count = rule
        if self._left <= 0 or (count is not None and count(owner) > self._left):
            self.is_cut = True
            return []
        values: list[Any] = look(owner)
        if not values:
            return values
        self._left -= len(values)
        return [
            value
            for value in values
            if rules.get(id(type(value)), UNKNOWN) is not None or id(value) in wanted
        ]

    def _learn(self, kind: type) -> Rule:
        rule: Rule = (get_referents, None)
        if issubclass(kind, (type, ModuleType)):
            rule = None
        for container in CONTAINERS:
            if issubclass(kind, container):
                rule = (get_referents, container.__len__)
        self._rules[id(kind)] = rule
        self._kinds.append(kind)
        return rule


class Walk:
    """All that these callbacks own, breadth first: so each object is met on a shortest way.

    It ends at the first object whose address is wanted. With ties, an object owns the callbacks of
    its finalizers: they live as long as it does.
    """

    __slots__ = ("_held", "_owned", "_owners", "found")

    def __init__(
        self,
        callbacks: Iterable[Callback],
        most: int,
        wanted: Collection[int] = (),
        ties: Ties | None = None,
    ) -> None:
        queue: list[Any] = [*callbacks]
        self._owned = Owned(most, wanted or ties or ())
        self._owners: dict[int, Any] = {id(callback): None for callback in queue}
        self._held: list[Any] = [queue]
        self.found = self._follow(queue, wanted, ties or {})

    def _follow(self, queue: list[Any], wanted: Collection[int], ties: Ties) -> Any:
        owned_by, owners = self._owned.by, self._owners
        near: deque[Any] = deque()
        for first in queue:
            owner = first
            while True:
                for value in owned_by(owner):
                    address = id(value)
                    if address in owners:
                        continue
                    owners[address] = owner
                    if address in wanted:
                        return value
                    # What is in a dictionary or a frame is as near as that is itself: whether an
                    # instance or a generator has one of its own differs from version to version.
                    kind = type(value)
                    (near if kind is dict or kind is FrameType else queue).append(value)
                if ties:
                    for callback in ties.get(id(owner), ()):
                        if id(callback) not in owners:
                            owners[id(callback)] = owner
                            queue.append(callback)
                if not near:
                    break
                owner = near.popleft()
                self._held.append(owner)
        return None

    @property
    def is_cut(self) -> bool:
        return self._owned.is_cut

    def met(self, value: object) -> bool:
        return id(value) in self._owners

    def way(self, value: object) -> list[Any]:
        """From the callback that owns this object; of a longer way the end."""
        way = [value]
        while type(way[-1]) is not Callback:
            if len(way) == LONGEST:
                # No dictionary at its beginning: it may be that of an instance.
                del way[END if type(way[END]) is dict else END + 1 :]
                break
            way.append(self._owners[id(way[-1])])
        return way[::-1]


def _owned_by_function(function: FunctionType) -> list[Any]:
    builtins = getattr(function, "__builtins__") if sys.version_info >= (3, 10) else None
    return _without(function, function.__globals__, builtins)


def _owned_by_frame(frame: FrameType) -> list[Any]:
    return _without(frame, frame.f_globals, frame.f_builtins)


def _without(owner: object, one: object, other: object) -> list[Any]:
    return [value for value in get_referents(owner) if value is not one and value is not other]


CONTAINERS = (list, tuple, dict, set, frozenset, deque)

UNKNOWN: Any = object()
RULES: dict[int, Rule] = {
    id(Callback): (Callback.owned, None),
    id(FunctionType): (_owned_by_function, None),
    id(FrameType): (_owned_by_frame, None),
    **{id(kind): (get_referents, kind.__len__) for kind in CONTAINERS},
    **dict.fromkeys(map(id, (str, int, float, bool, bytes, type(None))), None),
    **dict.fromkeys(map(id, (type, ModuleType, CodeType)), None),
}
"""By the address of the type; None where nothing is looked into."""
