"""Objects for the tests of callbacks that own their object."""

from __future__ import annotations

from typing import Any

import lastly
from lastly import finalize


class Thing:
    """An object that can be watched, and own others."""

    def __init__(self, **attributes: object) -> None:
        self.__dict__.update(attributes)

    def method(self) -> None:
        """A method of it."""


class Slotted:
    __slots__ = ("EMPTY", "__private", "empty")

    def __init__(self, value: object) -> None:
        self.__private = value


GLOBAL: list[object] = []


def work(*args: object, **kwargs: object) -> None:
    """A callback that owns nothing but global variables."""
    GLOBAL.clear()


def nested(value: object, depth: int) -> object:
    for _ in range(depth):
        value = [value]
    return value


def captures_of(*finalizers: finalize) -> list[Any]:
    """What is found of these."""
    return [each for each in lastly.check() if any(each.finalizer is f for f in finalizers)]


ASKED: list[str] = []
"""What those below were asked."""


def refusing(what: str) -> Any:
    def refuse(*_: object, **__: object) -> Any:
        ASKED.append(what)
        raise RuntimeError(what)

    return refuse


METHODS = "getattribute getattr eq hash repr str len iter getitem contains bool call format".split()


class Hostile(type):
    """A class that refuses to tell anything, of itself and of its instances."""

    def __new__(cls, base: type) -> Hostile:
        body = {f"__{each}__": refusing(each) for each in METHODS}
        for each in ("__dict__", "__class__", "__mro__"):
            body[each] = property(refusing(each))
        return super().__new__(cls, "Object", (base,), body)

    def __init__(cls, base: type) -> None:
        pass

    __eq__ = refusing("eq of the class")
    __hash__ = refusing("hash of the class")

    def __getattribute__(cls, name: str) -> Any:
        if name == "__name__":  # which pytest needs to show a failure
            return type.__getattribute__(cls, name)
        return refusing("attribute of the class")()

    __instancecheck__ = refusing("isinstance")
    __subclasscheck__ = refusing("issubclass")
