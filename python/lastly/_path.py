"""The way from a callback to an object, as the program would write it: `args[0].pool._conns[3]`.

A step for which a program has no expression is said in words: `a member of the set args[1]`.

All of it is read off the objects past what their classes say of attributes, equality, iteration and
text: no code of the program's runs (see `_owned`). And nothing is read that would leave a trace:
`f_locals` of a frame would hold what it shows.
"""

from __future__ import annotations

from collections import deque
from types import (
    AsyncGeneratorType,
    BuiltinFunctionType,
    CellType,
    CoroutineType,
    FrameType,
    FunctionType,
    GeneratorType,
    GetSetDescriptorType,
    MappingProxyType,
    MemberDescriptorType,
)

from lastly._owned import Callback

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any

LONGEST_KEY = 60

FEW = 50
"""So many items of a container are searched each time, more are remembered."""

NOWHERE = object()

# Past what a metaclass says.
_qualname = type.__dict__["__qualname__"].__get__
_classes = type.__dict__["__mro__"].__get__
_definitions = type.__dict__["__dict__"].__get__

# By the address of the type, as a metaclass may say how its classes compare.
_COMPUTED = {
    id(FunctionType): ("__defaults__", "__kwdefaults__"),
    id(BuiltinFunctionType): ("__self__",),
    id(CellType): ("cell_contents",),
    id(BaseException): ("args", "__traceback__", "__cause__", "__context__"),
}
"""Attributes that are computed, though by nobody's code."""

_WITH_FRAME = frozenset(map(id, (GeneratorType, CoroutineType, AsyncGeneratorType)))


class Path:
    """A path while it is being written."""

    __slots__ = ("_is_phrase", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self._is_phrase = False

    def go(self, step: str) -> None:
        """Takes a step that is written after the path so far."""
        self.text = self._closed() + step
        self._is_phrase = False

    def enclose(self, before: str, after: str) -> None:
        self.text = before + self.text + after
        self._is_phrase = False

    def say(self, step: str) -> None:
        """Takes a step that is said in words, before it."""
        self.text = f"{step} {self._closed()}"
        self._is_phrase = True

    def say_inside(self, owner: object, value: object) -> None:
        """Takes a step of which nothing is known but that it is one."""
        self.say(f"the {_name(type(value))} inside the {_name(type(owner))}")

    def _closed(self) -> str:
        return f"({self.text})" if self._is_phrase else self.text


class Paths:
    """Writes paths."""

    __slots__ = ("_places",)

    def __init__(self) -> None:
        # With the container, to hold it.
        self._places: dict[int, tuple[object, dict[int, Any]]] = {}

    def path(self, way: list[Any]) -> str:
        """The way in words."""
        path = Path("" if type(way[0]) is Callback else "…")
        at = 0
        while at < len(way) - 1:
            at += self._step(path, *way[at : at + 4])
        return path.text

    def _step(self, path: Path, owner: Any, value: Any, *beyond: Any) -> int:
        """Takes the next step, and says how far along the way that is."""
        kind = type(owner)
        if len(beyond) > 1 and kind is FunctionType and value is owner.__closure__:
            variable = owner.__code__.co_freevars[self._place(value, beyond[0])]
            if path.text == "func":
                path.text = f"closure variable '{variable}'"
            else:
                path.say(f"closure variable '{variable}' of")
            return 3
        if beyond and issubclass(type(value), dict) and value is _namespace(owner):
            path.go(self._attribute_in(value, beyond[0]) or ".__dict__[…]")
            return 2
        if beyond and type(value) is FrameType and id(kind) in _WITH_FRAME:
            path.say_inside(owner, beyond[0])
            return 2
        if kind is Callback:
            path.go(self._part(owner, value))
        else:
            self._take(path, owner, value)
        return 1

    def _part(self, callback: Callback, value: object) -> str:
        if value is callback.function:
            return "func"
        return (
            _bracketed("args", self._place(callback.args, value))
            or _bracketed("kwargs", self._place(callback.kwargs, value))
            or "…"
        )

    def _take(self, path: Path, owner: object, value: object) -> None:
        """A step to an item, an attribute or anything else."""
        kind = type(owner)
        step = _bracketed("", self._place(owner, value)) or self._attribute(owner, value)
        if step is not None:
            path.go(step)
        elif value is kind:
            path.enclose("type(", ")")
        elif issubclass(kind, (set, frozenset)):
            path.say(f"a member of the {_name(kind)}")
        elif issubclass(kind, dict) and any(key is value for key, _ in _items(owner)):
            path.say(f"a key of the {_name(kind)}")
        else:
            path.say_inside(owner, value)

    def _attribute(self, owner: object, value: object) -> str | None:
        """`.name`"""
        for kind in _classes(type(owner)):
            for name, each in _slots(kind, owner):
                if each is value:
                    return f".{name}"
        return self._attribute_in(_namespace(owner), value)

    def _attribute_in(self, namespace: dict[Any, Any] | None, value: object) -> str | None:
        key = self._place(namespace, value)
        if not issubclass(type(key), str):
            return None
        name = str.__str__(key)
        return f".{name}" if name.isidentifier() else f".__dict__[{_text(name)}]"

    def _place(self, container: Any, value: object) -> Any:
        """The index of an item, or its key; or NOWHERE."""
        _, places = self._places.get(id(container), (None, None))
        if places is None:
            places = {id(each): place for place, each in _contents(container)}
            if len(places) > FEW:
                self._places[id(container)] = container, places
        return places.get(id(value), NOWHERE)


def _contents(container: Any) -> Iterable[tuple[Any, object]]:
    """The items of a container with their index or key, the first last."""
    kind = type(container)
    if issubclass(kind, dict):
        return _items(container)[::-1]
    for base in (list, tuple, deque):
        if issubclass(kind, base):
            return [*enumerate(_listed(base.__iter__, container))][::-1]
    return ()


def _items(mapping: Any) -> list[tuple[Any, Any]]:
    return _listed(dict.items, mapping)


def _listed(iterate: Callable[[Any], Iterable[Any]], container: object) -> list[Any]:
    """What is in a container. Making a list may have the collector run, and that any code."""
    for _ in range(3):
        try:
            return list(iterate(container))
        except RuntimeError:
            pass  # it has changed meanwhile
    return []


def _bracketed(before: str, place: Any) -> str | None:
    text = None if place is NOWHERE else _text(place)
    return None if text is None else f"{before}[{text}]"


def _slots(kind: type, owner: object) -> Iterator[tuple[str, object]]:
    """The slots that a class has, and what is like them in types made in C."""
    computed = _COMPUTED.get(id(kind), ())
    for name, definition in _definitions_of(kind):
        if type(definition) is MemberDescriptorType or name in computed:
            try:
                yield name, definition.__get__(owner)
            except (AttributeError, ValueError):
                pass  # an empty slot, or cell


def _namespace(owner: object) -> dict[Any, Any] | None:
    """The dictionary of an instance, though a class may define another `__dict__`."""
    for kind in _classes(type(owner)):
        for name, definition in _definitions_of(kind):
            is_read = type(definition) is GetSetDescriptorType
            if name == "__dict__" and (is_read or type(definition) is MemberDescriptorType):
                found = definition.__get__(owner)
                return found if issubclass(type(found), dict) else None
    return None


def _definitions_of(kind: type) -> list[tuple[str, Any]]:
    definitions = _listed(MappingProxyType.items, _definitions(kind))
    return [(name, each) for name, each in definitions if type(name) is str]


def _text(key: Any, depth: int = 2) -> str | None:
    """A key as a program would write it, where that takes no code of its class."""
    kind = type(key)
    if key is None or key is True or key is False or kind is float:
        return repr(key)
    if issubclass(kind, int):
        return int.__repr__(key) if int.bit_length(key) < 100 else None
    if issubclass(kind, str):
        return _shortened(str.__str__(key))
    if kind is bytes:
        return _shortened(key)
    if kind is tuple and len(key) <= 4 and depth:
        texts = [_text(each, depth - 1) for each in key]
        end = ",)" if len(texts) == 1 else ")"
        return None if None in texts else f"({', '.join(map(str, texts))}{end}"
    return None


def _shortened(key: str | bytes) -> str:
    text = repr(key[:LONGEST_KEY])
    return text if len(key) <= LONGEST_KEY else f"{text[:-1]}…{text[-1]}"


def _name(kind: type) -> str:
    return str.__str__(_qualname(kind))
