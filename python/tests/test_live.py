"""What is alive: `lastly.live`."""

from __future__ import annotations

import functools
import gc
import sys
import threading
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import lastly
from endings import play
from lastly._native import details
from lastly.report import record_sites, reset_hook, set_hook


class Thing:
    """An object that can be watched."""


class Special(Thing):
    """One that is a Thing as well."""


def clean(*arguments: object, **keywords: object) -> None: ...


HERE = __name__


@pytest.fixture(autouse=True)
def alone() -> Iterator[None]:
    """What other tests left alive is not this one's."""
    gc.collect()
    before = {entry.finalizer for entry in lastly.live()}
    yield
    for entry in lastly.live():
        if entry.finalizer not in before:
            entry.finalizer.detach()


@pytest.fixture
def sites() -> Iterator[None]:
    record_sites()
    yield
    record_sites(False)


def mine(**asked: Any) -> list[Any]:
    """The finalizers of this file's objects that are found."""
    view = lastly.live(where=lambda it: it.object and it.object.startswith(HERE), **asked)
    return [entry.finalizer for entry in view]


# An entry


def test_what_it_tells(sites: None) -> None:
    thing = Thing()
    line = sys._getframe().f_lineno + 1
    f = lastly.finalize(thing, clean)
    (entry,) = lastly.live(object=Thing)
    assert entry.finalizer is f
    assert (entry.object, entry.function) == (f"{HERE}.Thing", f"{HERE}.clean")
    assert entry.created == f"{__file__}:{line} in test_what_it_tells"
    assert (entry.atexit, entry.waiting) == (True, False)
    assert entry.age is not None and entry.age >= 0
    f.atexit = False
    assert lastly.live(object=Thing)[0].atexit is False
    assert entry.atexit is True, "of that moment"


def test_what_is_not_recorded_is_none(tmp_path: Path) -> None:
    program = """
        finalize(say)
        (entry,) = lastly.live()
        say(entry.object, entry.function, entry.created, entry.age)
        lastly.report.record_sites()
        finalize(say)
        say([(entry.created is None, entry.age is None) for entry in lastly.live()])
        lastly.finalize._registry.clear()
    """
    assert play(tmp_path, program).said == [
        "__main__.Thing __main__.say None None",
        "[(True, True), (False, False)]",
    ]


def test_it_is_what_details_tell(sites: None) -> None:
    things = [Thing(), Special()]
    for thing in things:
        lastly.finalize(thing, functools.partial(clean, 1), 2, three=3)
    for entry in lastly.live(object=Thing):
        told = details(entry.finalizer)
        assert told is not None
        assert told[:3] + told[4:6] == entry[1:4] + entry[5:]
        assert told[3] is not None and entry.age is not None and told[3] >= entry.age
        entry.finalizer.detach()
        assert details(entry.finalizer) is None


def test_it_leaves_finalizers_as_they_are() -> None:
    # Looked at by a program, keyword names become a dictionary, for good.
    thing = Thing()
    f = lastly.finalize(thing, clean, 1, two=2)
    before = gc.get_referents(f), sys.getrefcount(f), sys.getrefcount(thing)
    view = lastly.live(object=Thing)
    del view
    assert (gc.get_referents(f), sys.getrefcount(f), sys.getrefcount(thing)) == before


# The view


def test_oldest_first_and_a_sequence() -> None:
    things = [Thing() for _ in range(5)]
    made = [lastly.finalize(thing, clean) for thing in things]
    view = lastly.live(object=Thing)
    assert [entry.finalizer for entry in view] == made
    assert (len(view), view[0].finalizer, view[-1].finalizer) == (5, made[0], made[-1])
    assert [entry.finalizer for entry in view[1:3]] == made[1:3]
    assert str(view[1:3]).startswith("2 finalizers\n") and view[1:3].totals is view.totals
    assert view[0] in view and view.index(view[2]) == 2
    assert list(reversed(view)) == list(view)[::-1]
    assert repr(view) == "<lastly.live(): 5 alive>"
    with pytest.raises(IndexError):
        view[5]


def test_it_does_not_change() -> None:
    thing = Thing()
    f = lastly.finalize(thing, clean)
    view = lastly.live(object=Thing)
    f.detach()
    assert len(view) == 1 and lastly.live(object=Thing).totals.detached > view.totals.detached
    for change in ("_entries", "totals", "more"):
        with pytest.raises(AttributeError):
            setattr(view, change, ())
    with pytest.raises(AttributeError):
        view[0].atexit = False  # type: ignore[misc]


def test_it_keeps_no_object_alive(sites: None) -> None:
    ran: list[int] = []
    thing = Thing()
    alive = weakref.ref(thing)
    lastly.finalize(thing, ran.append, 1)
    held = Thing()
    argument = weakref.ref(held)
    lastly.finalize(thing, clean, held)
    del held
    view = lastly.live(object=Thing)
    del thing
    assert (alive(), ran, argument()) == (None, [1], None)
    assert len(view) == 2 and not any(entry.finalizer.alive for entry in view)


def test_one_hundred_thousand(sites: None) -> None:
    things = [Thing() for _ in range(100_000)]
    for thing in things:
        lastly.finalize(thing, clean, key=1)
    view = lastly.live(object=Thing, older_than=0)
    assert len(view) == 100_000
    head, titles, row, *_ = str(view).splitlines()
    assert head == "100000 finalizers" and row.split()[0] == "100000", (head, titles, row)
    for entry in view:
        entry.finalizer.detach()


# What is asked for


def test_by_object_and_function() -> None:
    thing, special = Thing(), Special()
    first = lastly.finalize(thing, clean)
    second = lastly.finalize(special, clean)
    third = lastly.finalize(special, gc.collect)
    assert mine(object=Thing) == [first, second, third]
    assert mine(object=f"{HERE}.Thing") == [first]
    assert mine(object=Special) == mine(object=f"{HERE}.Special") == [second, third]
    assert mine(object="Thing") == mine(object=int) == []
    assert mine(function=clean) == mine(function=f"{HERE}.clean") == [first, second]
    assert mine(object=Special, function=clean) == [second]
    assert mine(function="gc.collect") == mine(function=gc.collect) == [third]
    assert set(mine(object=object)) == {first, second, third}


def test_by_flags_and_by_anything() -> None:
    thing = Thing()
    first = lastly.finalize(thing, clean)
    second = lastly.finalize(thing, clean)
    second.atexit = False
    assert (mine(atexit=True), mine(atexit=False)) == ([first], [second])
    assert (mine(waiting=False), mine(waiting=True)) == ([first, second], [])
    found = lastly.live(object=Thing, where=lambda it: it.finalizer is second)
    assert [entry.finalizer for entry in found] == [second]


def test_by_whether_it_waits(sites: None) -> None:
    thing, other = Thing(), Special()
    first = lastly.finalize(thing, clean)
    second = lastly.finalize(other, clean)
    with lastly.paused():
        del thing
        assert (mine(waiting=True), mine(waiting=False)) == ([first], [second])
        (entry,) = lastly.live(object=Thing, waiting=True)
        assert (entry.object, entry.waiting) == (f"{HERE}.Thing", True), "the object is dead"
    assert mine() == [second]


def test_by_age(tmp_path: Path) -> None:
    program = """
        finalize(print, "before")
        try:
            lastly.live(older_than=1)
        except ValueError as error:
            say(error)
        lastly.report.record_sites()
        finalize(repr, "after")
        finalize(repr, "later")
        def functions(age):
            return [entry.function for entry in lastly.live(older_than=age)]
        say(functions(0), functions(1e9))
        first, second = lastly.live(function="repr")
        say(first.age > second.age)
        lastly.finalize._registry.clear()
    """
    assert play(tmp_path, program).said == [
        "older_than: ages are not recorded; call lastly.report.record_sites() first",
        "['repr', 'repr'] []",
        "True",
    ]


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "object": ({"object": 3}, "object is a type or its name, not 3"),
    "function": ({"function": 3}, "function is a function or its name, not 3"),
    "older_than": ({"older_than": "1"}, "older_than is a number of seconds, not '1'"),
    "where": ({"where": 3}, "where is called with each entry; 3 cannot be called"),
}


@pytest.mark.parametrize("asked, error", WRONG.values(), ids=WRONG)
def test_what_cannot_be_asked(asked: dict[str, Any], error: str) -> None:
    with pytest.raises(TypeError) as raised:
        lastly.live(**asked)
    assert str(raised.value) == error


def test_a_test_that_fails() -> None:
    thing = Thing()
    lastly.finalize(thing, clean)
    with pytest.raises(ZeroDivisionError):
        lastly.live(where=lambda it: 1 / 0)


# At any moment


def test_in_a_callback_of_any_cause() -> None:
    seen: list[int] = []

    def look() -> None:
        seen.append(len(lastly.live(object=Thing)))

    thing = Thing()
    lastly.finalize(thing, look)()
    lastly.finalize(thing, look)
    lastly.finalize(thing, look)
    thing.itself = thing  # type: ignore[attr-defined]
    del thing
    gc.collect()
    assert seen == [0, 0, 0], "of those that wait for their turn, the object is dead"


def test_in_the_drain_and_after_it(tmp_path: Path) -> None:
    program = """
        import atexit
        atexit.register(lambda: say("after", [entry.function for entry in lastly.live()]))
        def look():
            say([entry.function for entry in lastly.live()])
        finalize(int).atexit = False
        finalize(look)
        finalize(str)
        finalize(look)
    """
    ended = play(tmp_path, program)
    assert ended.said == ["['int', '__main__.look', 'str']", "['int']", "after ['int']"]
    assert (ended.complaints, ended.status) == ("", 0)


@pytest.mark.skipif(sys.version_info >= (3, 13), reason="there, names are had without any code")
def test_what_ends_meanwhile_is_left_out() -> None:
    class Asked(type):
        def __getattribute__(cls, name: str) -> Any:
            later.detach()
            return super().__getattribute__(name)

    class Odd(metaclass=Asked):
        pass

    thing, odd = Thing(), object.__new__(Odd)
    first = lastly.finalize(odd, clean)
    later = lastly.finalize(thing, clean)
    found = [entry.finalizer for entry in lastly.live()]
    assert first in found and later not in found


def test_under_the_collector() -> None:
    sizes: list[int] = []

    def look(phase: str, _: object) -> None:
        sizes.append(len(lastly.live(object=Thing)))

    def garbage() -> None:
        thing = Thing()
        thing.itself = thing  # type: ignore[attr-defined]
        lastly.finalize(thing, clean)

    garbage()
    gc.callbacks.append(look)
    try:
        gc.collect()
    finally:
        gc.callbacks.remove(look)
    assert sizes == [1, 0]


def test_beside_other_threads() -> None:
    done = threading.Event()
    failed: list[BaseException] = []

    def come_and_go() -> None:
        try:
            while not done.is_set():
                thing = Special()
                made = [lastly.finalize(thing, clean, key=1) for _ in range(10)]
                made[0]()
                made[1].detach()
                del thing
                assert not any(f.alive for f in made)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=come_and_go) for _ in range(3)]
    thing = Thing()
    steady = [lastly.finalize(thing, clean) for _ in range(100)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(100):
            view = lastly.live(object=Thing)
            assert [it.finalizer for it in view if it.object == f"{HERE}.Thing"] == steady
            str(view)
    finally:
        done.set()
        for thread in threads:
            thread.join()
    assert failed == []


def test_in_a_report_hook() -> None:
    sizes: list[int] = []
    set_hook(lambda _: sizes.append(len(lastly.live(object=Thing))))
    try:
        thing = Thing()
        lastly.finalize(thing, clean)
        other = Thing()
        lastly.finalize(other, int, "x")
        del other
    finally:
        reset_hook()
    assert sizes == [1]


def test_it_is_imported_when_it_is_asked_for(tmp_path: Path) -> None:
    program = """
        say("lastly._live" in sys.modules, "typing" in sys.modules)
        say(lastly.live is lastly.live, lastly.live.__name__)
    """
    assert play(tmp_path, program).said[0].split()[0] == "False"
    assert play(tmp_path, program).said[1] == "True live"
