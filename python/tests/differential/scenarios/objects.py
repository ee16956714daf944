"""What can be watched: objects of every kind, and how the others are refused."""

from __future__ import annotations

import array
import collections
import enum
import functools
import gc
import io
import re
import sys
import threading
import types
import weakref

from scenarios import Loud, Thing, attempt, keep, scenario

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable

    from scenarios import Finalize


def watch(finalize: Finalize, name: str, make: Callable[[], Any]) -> None:
    """Says what becomes of an object of this kind."""
    try:
        finalize(make(), print, f"{name}: gone")
        gc.collect()
    except TypeError as error:
        print(f"{name}: {error}")


@scenario()
def of_the_language(finalize: Finalize) -> None:
    def generator() -> Any:
        yield

    async def asynchronous() -> Any:
        yield

    kinds: dict[str, Callable[[], Any]] = {
        "instance": Thing,
        "function": lambda: lambda: None,
        "class": lambda: type("New", (), {}),
        "method": lambda: Thing().__init__,
        "bound method": lambda: io.StringIO().write,
        "module": lambda: types.ModuleType("new"),
        "generator": generator,
        "asynchronous generator": asynchronous,
        "code": lambda: compile("1", "text", "eval"),
        "frame": lambda: sys._getframe(),
        "cell": lambda: types.CellType(1),
        "slice": lambda: slice(1),
        "range": lambda: range(5),
        "memoryview": lambda: memoryview(b"12"),
        "property": lambda: property(),
        "staticmethod": lambda: staticmethod(print),
        "mapping proxy": lambda: types.MappingProxyType({}),
        "namespace": lambda: types.SimpleNamespace(),
        "iterator": lambda: iter([1]),
    }
    for name, make in kinds.items():
        watch(finalize, name, make)


@scenario()
def of_the_library(finalize: Finalize) -> None:
    kinds: dict[str, Callable[[], Any]] = {
        "set": lambda: {1},
        "frozenset": lambda: frozenset([1]),
        "array": lambda: array.array("b"),
        "deque": collections.deque,
        "ordered dictionary": collections.OrderedDict,
        "counter": collections.Counter,
        "partial": lambda: functools.partial(print),
        "lock": threading.Lock,
        "recursive lock": threading.RLock,
        "bytes file": io.BytesIO,
        "text file": io.StringIO,
        "match": lambda: re.match("a", "a"),
        "weak set": weakref.WeakSet,
        "weak dictionary": weakref.WeakValueDictionary,
        "weak reference": lambda: weakref.ref(Thing),
        "proxy": lambda: weakref.proxy(Thing),
        "exception": ValueError,
        "named tuple": lambda: collections.namedtuple("Pair", "a b")(1, 2),
        "enum member": lambda: enum.Enum("Color", "RED"),
    }
    for name, make in kinds.items():
        watch(finalize, name, make)


@scenario()
def refused_ones(finalize: Finalize) -> None:
    for thing in (1, 1.5, 1j, True, None, "text", b"bytes", (), [], {}, ..., NotImplemented):
        attempt(finalize, thing, print)
    attempt(finalize, object(), print)
    attempt(finalize, bytearray(), print)


@scenario()
def refused_with_any_arguments(finalize: Finalize) -> None:
    attempt(finalize, 1, print, 2, x=3)
    attempt(finalize, 1, None)
    finalize(Thing(), print, 1, sep="")
    print("end")


@scenario()
def refusing_leaves_nothing_behind(finalize: Finalize) -> None:
    before = len(finalize._registry)
    try:
        finalize(1, print, Loud("argument"))
    except TypeError:
        pass  # which may hold on to them
    print("refused")
    print(len(finalize._registry) - before)


@scenario()
def subclasses_of_builtin_types(finalize: Finalize) -> None:
    for base in (
        int,
        float,
        str,
        bytes,
        tuple,
        list,
        dict,
        set,
        bytearray,
        array.array,
        ValueError,
    ):
        arguments = ("b",) if base is array.array else ()
        watch(finalize, base.__name__, functools.partial(type("Sub", (base,), {}), *arguments))


@scenario()
def slots(finalize: Finalize) -> None:
    class Closed:
        __slots__ = ("x",)

    class Open:
        __slots__ = ("x", "__weakref__")

    class Heir(Closed):
        pass

    for kind in (Closed, Open, Heir):
        watch(finalize, kind.__name__, kind)


@scenario()
def odd_operators(finalize: Finalize) -> None:
    class Odd:
        __hash__ = None

        def __eq__(self, other: object) -> bool:
            raise ValueError("compared")

        def __bool__(self) -> bool:
            raise ValueError("asked for truth")

        def __len__(self) -> int:
            raise ValueError("asked for length")

        def __getattribute__(self, name: str) -> Any:
            raise ValueError(f"asked for {name}")

    thing = Odd()
    f = finalize(thing, print, "gone")
    print(f.alive, f.peek()[1:], f, len(finalize._registry))
    f.detach()
    finalize(thing, print, "gone")
    del thing


@scenario()
def false_ones(finalize: Finalize) -> None:
    class Empty:
        def __len__(self) -> int:
            return 0

    thing = Empty()
    f = finalize(thing, print, "gone")
    print(f.peek()[0] is thing, "dead" in repr(f), f.detach()[0] is thing)
    attempt(finalize(thing, print, "called"))


@scenario()
def one_that_lies_about_its_class(finalize: Finalize) -> None:
    class Liar:
        @property
        def __class__(self) -> Any:
            return int

    thing = Liar()
    print(finalize(thing, print, "gone"), isinstance(thing, int))


@scenario()
def with_a_metaclass(finalize: Finalize) -> None:
    class Meta(type):
        def __call__(cls, *args: Any) -> Any:
            made = super().__call__(*args)
            finalize(made, print, "made by", cls.__name__)
            return made

    class Watched(metaclass=Meta):
        pass

    Watched()
    kept = Watched()
    print(len(finalize._registry), type(kept).__name__)


@scenario()
def a_class_goes_with_its_module(finalize: Finalize) -> None:
    module = types.ModuleType("unloaded")
    sys.modules["unloaded"] = module
    exec("class Inner: pass\ndef function(): return Inner", module.__dict__)
    finalize(module, print, "module")
    finalize(module.Inner, print, "class")
    finalize(module.function, print, "function")
    inner = module.Inner()
    del sys.modules["unloaded"], module
    print("unloaded")
    gc.collect()
    del inner
    gc.collect()


@scenario()
def immortal_ones_wait_for_the_exit(finalize: Finalize) -> None:
    for name, thing in (("int", int), ("print", print), ("main", sys.modules["__main__"])):
        print(finalize(thing, print, name).peek()[0] is thing)


@scenario()
def a_method_is_gone_at_once(finalize: Finalize) -> None:
    class Worker:
        def work(self) -> None:
            pass

    worker = Worker()
    print(finalize(worker.work, print, "gone").alive)


@scenario()
def one_held_by_a_frame(finalize: Finalize) -> None:
    def hold() -> None:
        thing = Thing()
        finalize(thing, print, "gone with the frame")
        print("in the frame")

    hold()
    print("left")


@scenario()
def one_held_by_a_generator(finalize: Finalize) -> None:
    def hold() -> Any:
        thing = Thing()
        finalize(thing, print, "gone")
        try:
            yield thing
        finally:
            print("closed")

    holder = hold()
    next(holder)
    print("running")
    del holder
    print("left")


@scenario()
def one_held_by_an_error(finalize: Finalize) -> None:
    def fail() -> None:
        thing = Thing()
        finalize(thing, print, "gone")
        raise ValueError

    try:
        fail()
    except ValueError as error:
        print("caught", error.__traceback__ is not None)
    print("left")


@scenario()
def one_held_by_a_list(finalize: Finalize) -> None:
    things = [Thing() for _ in range(3)]
    for number, thing in enumerate(things):
        finalize(thing, print, number)
    del thing
    things[1] = None
    print("one")
    things.clear()
    print("all")


@scenario()
def kept_ones_wait_for_the_exit(finalize: Finalize) -> None:
    finalize(keep(Thing()), print, "instance")
    finalize(keep({1}), print, "set")
    finalize(keep(lambda: None), print, "function")
    print("end")
