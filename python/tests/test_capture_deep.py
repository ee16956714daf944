"""Callbacks that own their object, searched for when a finalizer is created: `check_captures`."""

from __future__ import annotations

import functools
import gc
import subprocess
import sys
import types
import warnings
import weakref
from abc import ABCMeta
from collections import OrderedDict, defaultdict, deque
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any, Callable

import pytest
from captures import ASKED, GLOBAL, Hostile, Slotted, Thing, captures_of, nested, work

import lastly
from fresh import WATCHDOG, run
from lastly import SelfReferenceWarning, _native, finalize
from lastly._capture import MOST


class Listed(list):  # type: ignore[type-arg]
    """A container with attributes."""


@pytest.fixture(autouse=True)
def searching() -> Iterator[None]:
    lastly.check_captures(True)
    yield
    lastly.check_captures(sys.flags.dev_mode)


def warned(
    thing: object, func: Callable[..., object], *args: object, **kwargs: object
) -> list[str]:
    """What is said of a finalizer when it is created."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        finalize(thing, func, *args, **kwargs).detach()
    assert all(each.category is SelfReferenceWarning for each in caught)
    assert all(each.filename == __file__ for each in caught)
    return [str(each.message) for each in caught]


def ways(thing: object, func: Callable[..., object], *args: object, **kwargs: object) -> list[str]:
    texts = warned(thing, func, *args, **kwargs)
    begin, end = "the object cannot die as long as ", " is that object. "
    return [text.partition(begin)[2].partition(end)[0] for text in texts]


def closure(value: object) -> Callable[[], object]:
    return lambda: value


def generator(value: object) -> Iterator[object]:
    yield value


async def coroutine(value: object) -> object:
    return value


async def async_generator(value: object) -> Any:
    yield value


def with_default(value: object) -> Callable[..., None]:
    def function(first: object = value, *, second: object = None) -> None: ...

    return function


def with_keyword_default(value: object) -> Callable[..., None]:
    def function(*, first: object = value) -> None: ...

    return function


def with_attribute(value: object) -> Callable[..., None]:
    def function() -> None: ...

    function.owner = value  # type: ignore[attr-defined]
    return function


def failed(value: object) -> Exception:
    try:
        raise LookupError
    except LookupError as error:
        return error


def begun(steps: Iterator[object]) -> Iterator[object]:
    next(steps)
    return steps


# By what is in args[0], given the object.
IN_ARGUMENT: dict[str, Callable[[Thing], object]] = {
    "args[0][1]": lambda thing: [0, thing],
    "args[0][1][0]": lambda thing: (0, (thing,)),
    "args[0]['key']": lambda thing: {"key": thing},
    "args[0][1]['a'][None]": lambda thing: {1: {"a": {None: thing}}},
    "args[0][(1, True)][(b'x',)]": lambda thing: {(1, True): {(b"x",): thing}},
    f"args[0]['{60 * 'k'}…']": lambda thing: {70 * "k": thing},
    "the Thing inside the dict args[0]": lambda thing: {object(): thing},
    "a key of the dict args[0]": lambda thing: {thing: 0},
    "a key of the OrderedDict args[0].x": lambda thing: Thing(x=OrderedDict({thing: 0})),
    "a member of the set args[0]": lambda thing: {thing},
    "(a member of the set args[0])[0].x": lambda thing: {(Thing(x=thing),)},
    "a member of the frozenset (a member of the set args[0])": lambda thing: {frozenset({thing})},
    "args[0][2]": lambda thing: deque([0, 1, thing]),
    "args[0]['a'][0]": lambda thing: defaultdict(list, a=[thing]),
    "args[0].default_factory.__self__": lambda thing: defaultdict(thing.method),
    "args[0]['b']": lambda thing: OrderedDict(b=thing),
    "args[0][0].items[0]": lambda thing: Listed([Thing(items=[thing])]),
    "(the list inside the list_iterator args[0])[0]": lambda thing: iter([thing]),
    "(the dict inside the dict_values args[0])['a']": lambda thing: {"a": thing}.values(),
    "args[0].pool._conns[3]": lambda thing: Thing(pool=Thing(_conns=[0, 1, 2, thing])),
    "args[0].__dict__['a b']": lambda thing: Thing(**{"a b": thing}),
    "args[0]._Slotted__private": Slotted,
    "args[0]._Slotted__private.x": lambda thing: Slotted(Thing(x=thing)),
    "args[0].x": lambda thing: types.SimpleNamespace(x=thing),
    "(closure variable 'value' of args[0])[0]": lambda thing: closure([thing]),
    "closure variable 'value' of (closure variable 'value' of args[0].x)": lambda thing: Thing(
        x=closure(closure(thing))
    ),
    "args[0].__defaults__[0][0]": lambda thing: with_default([thing]),
    "args[0].__kwdefaults__['first'][0]": lambda thing: with_keyword_default([thing]),
    "args[0].owner": with_attribute,
    "args[0].args[0][0]": lambda thing: functools.partial(work, [thing]),
    "args[0].keywords['a'][0]": lambda thing: functools.partial(work, a=[thing]),
    "args[0].func.__self__.x": lambda thing: functools.partial(Thing(x=thing).method),
    "args[0].__self__.x": lambda thing: Thing(x=thing).method,
    "args[0].__self__[0]": lambda thing: [thing].append,
    "args[0].fget.owner": lambda thing: property(with_attribute(thing)),
    "args[0].__callback__.__self__": lambda thing: weakref.ref(GENERAL, thing.method),
    "args[0].args[1]": lambda thing: ValueError(0, thing),
    "args[0].__cause__.args[0]": lambda thing: caused(ValueError(thing)),
    "the Thing inside the frame args[0].__traceback__.tb_frame": failed,
    "the Thing inside the generator args[0]": generator,
    "(the Thing inside the generator args[0]).x": lambda thing: begun(generator(Thing(x=thing))),
    "the Thing inside the async_generator args[0]": async_generator,
}


def caused(cause: Exception) -> Exception:
    error = KeyError()
    error.__cause__ = cause
    return error


GENERAL = Thing()


@pytest.mark.parametrize("way", IN_ARGUMENT)
def test_the_way_is_named_as_one_would_write_it(way: str) -> None:
    thing = Thing()
    assert ways(thing, work, IN_ARGUMENT[way](thing)) == [way]


def test_ways_from_the_function_and_from_keyword_arguments() -> None:
    thing = Thing()
    owner = Thing(owner=thing)
    assert ways(thing, owner.method) == ["func.__self__.owner"]
    assert ways(thing, closure(owner)) == ["closure variable 'value'.owner"]
    assert ways(thing, functools.partial(work, a=owner)) == ["func.keywords['a'].owner"]
    assert ways(thing, work, 0, on_close=[thing]) == ["kwargs['on_close'][0]"]


class Name(str):
    """A name with attributes."""


def test_what_owns_a_little_is_searched() -> None:
    """Most callbacks are passed over, as they own nothing."""
    thing = Thing()

    def function() -> None: ...

    assert warned(thing, function, 1, "a", None, a=2.5) == []
    name = Name("name")
    name.owner = thing  # type: ignore[attr-defined]
    assert ways(thing, function, 1, name) == ["args[1].owner"]
    assert ways(thing, function, a=name) == ["kwargs['a'].owner"]
    assert ways(thing, print, *name, name) == ["args[4].owner"]
    assert ways(thing, str, name) == ["args[0].owner"]
    assert ways(thing, name.join) == ["func.__self__.owner"]
    for attribute in ("__doc__", "__module__", "owner"):
        before = getattr(function, attribute, None)
        setattr(function, attribute, [thing])
        assert len(warned(thing, function)) == 1
        setattr(function, attribute, before)
    function.__annotations__["return"] = thing
    assert len(warned(thing, function)) == 1


def test_a_coroutine_is_looked_into() -> None:
    thing = Thing()
    waiting = coroutine(thing)
    assert ways(thing, work, waiting) == ["the Thing inside the coroutine args[0]"]
    waiting.close()


def test_of_several_ways_the_shortest_is_named() -> None:
    thing = Thing()
    far, near = Thing(a=Thing(b=Thing(c=thing))), [Thing(x=thing)]
    assert ways(thing, work, far, near) == ["args[1][0].x"]
    assert ways(thing, work, near, far) == ["args[0][0].x"]
    assert ways(thing, work, {"a": {"b": {"c": {"d": thing}}}}, [[[thing]]]) == [
        "args[0]['a']['b']['c']['d']"
    ]


def test_a_class_that_is_watched_is_owned_by_its_instances() -> None:
    class Watched:
        pass

    assert ways(Watched, work, [Watched()]) == ["type(args[0][0])"]


def test_what_is_said() -> None:
    thing = Thing()
    assert warned(thing, work, [thing]) == [
        "this finalizer of captures.Thing keeps its object alive by its callback captures.work: "
        "the object cannot die as long as args[0][0] is that object. Give it as arguments what "
        "it needs of the object, and nothing that leads to the object"
    ]
    # What the callback itself shows is found as ever.
    lastly.check_captures(False)
    shallow = warned(thing, work, thing)
    lastly.check_captures(True)
    assert warned(thing, work, thing) == shallow != []


def registry_of(thing: Thing) -> type:
    class Registered:
        instances = [thing]

    return Registered


def abstract_registry_of(thing: Thing) -> type:
    return ABCMeta("Registered", (), {"instances": [thing]})


class Module(types.ModuleType):
    """A module of a class of its own."""


def module_with(thing: Thing, kind: type[types.ModuleType] = types.ModuleType) -> object:
    module = kind("module")
    module.__dict__["thing"] = thing
    return module


def with_empty_cell() -> Callable[[], object]:
    def function() -> object:
        return later

    if not function:
        later = 0
    return function


def ring() -> list[object]:
    one: list[object] = []
    other = {"one": one}
    one += [one, other, Thing(itself=one), iter(one), one.append]
    return one


def own_handle(thing: Thing) -> finalize:
    f = finalize(thing, work)
    f.detach()
    return f


SILENT: dict[str, Callable[[Thing], object]] = {
    "its weak reference": weakref.ref,
    "a weak method": lambda thing: weakref.WeakMethod(thing.method),
    "a weak set": lambda thing: weakref.WeakSet([thing]),
    "a weak dictionary": lambda thing: weakref.WeakValueDictionary(a=thing),
    "a weak proxy": weakref.proxy,
    "a class with a registry": registry_of,
    "an instance of such a class": lambda thing: registry_of(thing)(),
    "a class with a metaclass and a registry": abstract_registry_of,
    "a module": module_with,
    "a module of a class of its own": lambda thing: module_with(thing, Module),
    "a function that knows it as a global variable": lambda thing: GLOBAL.append(thing) or work,
    "containers in a ring": lambda thing: ring(),
    "a cell that is empty": lambda thing: with_empty_cell(),
    "slots that are empty": lambda thing: Slotted.__new__(Slotted),
    "another finalizer of it": own_handle,
    "what knows nothing of it": lambda thing: Thing(a=[Thing()]),
}


@pytest.mark.parametrize("case", SILENT)
def test_silent_where_it_is_not_owned(case: str) -> None:
    thing = Thing()
    assert warned(thing, work, SILENT[case](thing), SILENT[case](thing)) == []
    GLOBAL.clear()


# The way on from an instance, and how an instance comes to have it.
HOSTILE: dict[type, tuple[str, Callable[[Any, Thing], object]]] = {
    Thing: (".inner", lambda it, thing: object.__setattr__(it, "inner", thing)),
    Slotted: ("._Slotted__private", Slotted.__init__),
    list: ("[0]", list.append),
    deque: ("[0]", deque.append),
    dict: ("['a']", lambda it, thing: dict.__setitem__(it, "a", thing)),
    OrderedDict: ("['a']", lambda it, thing: OrderedDict.__setitem__(it, "a", thing)),
}


@pytest.mark.parametrize("base", HOSTILE)
def test_no_code_of_the_objects_runs(base: type) -> None:
    way, put = HOSTILE[base]
    thing, hostile = Thing(), base.__new__(Hostile(base))
    put(hostile, thing)
    ASKED.clear()
    assert ways(thing, work, [hostile]) == [f"args[0][0]{way}"]
    assert warned(Thing(), work, [hostile], {0: hostile}) == []
    f = finalize(thing, work, [hostile])
    assert [each.path for each in captures_of(f)] == [f"args[0][0]{way}"]
    assert ASKED == []
    f.detach()


def test_of_what_hides_its_attributes_the_type_is_named() -> None:
    thing, hostile = Thing(), object.__new__(Hostile(object))
    object.__setattr__(hostile, "inner", thing)
    (way,) = ways(thing, work, hostile)
    assert "inside the Object args[0]" in way
    members: Any = set.__new__(Hostile(set))
    set.add(members, thing)
    assert ways(thing, work, members) == ["a member of the Object args[0]"]


# How far.


def test_the_search_gives_up_in_silence() -> None:
    thing = Thing()
    assert ways(thing, work, nested(thing, 100)) == [f"…{'[0]' * 8}"]
    assert warned(thing, work, nested(thing, MOST)) == []
    assert warned(thing, work, [[0, 1, [thing]] for _ in range(MOST)]) == []
    huge: list[object] = [0] * MOST
    assert warned(thing, work, [*huge, thing]) == []
    assert ways(thing, work, huge, dict.fromkeys(huge), [thing]) == ["args[2][0]"]


# What it leaves behind.


def test_nothing_lives_on_account_of_a_search() -> None:
    thing, callback = Thing(), with_attribute(Thing(a=[Thing()]))
    references = [sys.getrefcount(each) for each in (thing, callback, callback.__dict__["owner"])]
    gc.disable()
    try:
        finalize(thing, callback, inner := Thing()).detach()
        f = finalize(thing, callback, [inner])
        found = captures_of(f)
        assert found == []
        owner = Thing(thing=thing)
        g = finalize(thing, work, owner)
        found = captures_of(f, g)
        assert len(found) == 2
        f.detach()
        g.detach()
        del owner
        now = [sys.getrefcount(each) for each in (thing, callback, callback.__dict__["owner"])]
        assert now == references
        dead = weakref.ref(thing)
        del thing
        assert dead() is None  # the results are still there
    finally:
        gc.enable()


def test_what_a_generator_has_let_go_of_is_gone() -> None:
    def steps(value: object) -> Iterator[None]:
        yield
        del value
        yield

    watched = Thing()
    thing = Thing(x=watched)
    paused = begun(steps(thing))
    assert ways(watched, work, paused) == ["(the Thing inside the generator args[0]).x"]
    gone = weakref.ref(thing)
    del thing
    next(paused)
    assert gone() is None


# When it goes wrong.


def test_where_warnings_are_errors_nothing_is_registered() -> None:
    thing, before = Thing(), len(finalize._registry)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(SelfReferenceWarning, match=r"args\[0\]\[0\] is that object"):
            finalize(thing, work, [thing])
    assert len(finalize._registry) == before
    assert weakref.getweakrefcount(thing) == 0


def test_a_search_that_fails_is_reported_and_the_finalizer_is_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda args: told.append(args.exc_type))
    _native.set_capture_search(lambda *_: 1 / 0)  # type: ignore[arg-type]
    ran: list[int] = []
    finalize(Thing(), ran.append, 1)
    assert (told, ran) == ([ZeroDivisionError], [1])


def test_an_interruption_of_the_search_goes_on() -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    thing, before = Thing(), len(finalize._registry)
    _native.set_capture_search(interrupt)
    with pytest.raises(KeyboardInterrupt):
        finalize(thing, work)
    assert len(finalize._registry) == before


def test_nothing_is_searched_while_the_interpreter_is_taken_down() -> None:
    program = """
        import os, lastly
        class Thing: pass
        lastly.finalize(Thing(), list)  # the first imports something
        class Late:
            finalize, thing, Thing, write = lastly.finalize, Thing(), Thing, os.write
            def __del__(self):
                self.finalize(self.thing, self.write, [self.thing])
                self.write(1, b"late")
        late = Late()
    """
    ended = run("-c", dedent(program))
    assert (ended.said, ended.complaints) == (["late"], ""), ended


# The switch.

PROGRAM = """
    import lastly, sys
    class Thing: pass
    thing = Thing()
    print("lastly._capture" in sys.modules)
    lastly.finalize(thing, print, [thing]).detach()
"""


@pytest.mark.parametrize("options, value", [([], ""), ([], "1"), (["-X", "dev"], "")])
def test_who_turns_it_on(options: list[str], value: str, tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-W", "always", *options, "-c", dedent(PROGRAM)],
        env={"LASTLY_CHECK": value},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=WATCHDOG,
        check=True,
    )
    on = bool(options or value)
    assert ended.stdout.split() == [str(on)]
    assert ("args[0][0] is that object" in ended.stderr) == on


def test_it_is_turned_on_and_off_at_any_time() -> None:
    thing = Thing()
    lastly.check_captures(False)
    assert warned(thing, work, [thing]) == []
    lastly.check_captures()
    assert len(warned(thing, work, [thing])) == 1
