"""`Cleaner`: callbacks on a thread of their own when the object dies; else ordinary finalizers."""

from __future__ import annotations

import contextvars
import copy
import gc
import pickle
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any, Callable

import pytest

from lastly import Cleaner, finalize, paused


class Thing:
    """An object that can be watched."""


class Gate:
    """A callback that waits in the cleaner's thread until it is let go on."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self.go_on = threading.Event()

    def __call__(self) -> None:
        self.reached.set()
        assert self.go_on.wait(60)


@pytest.fixture
def cleaner() -> Iterator[Cleaner]:
    with Cleaner(limit=4, name="files") as cleaner:
        yield cleaner


@pytest.fixture
def ran() -> list[Any]:
    return []


def die(cleaner: Cleaner, function: Callable[..., Any], *arguments: Any) -> None:
    thing = Thing()
    cleaner.finalize(thing, function, *arguments)


def name_of_thread(ran: list[Any]) -> None:
    ran.append(threading.current_thread().name)


def busy(cleaner: Cleaner) -> Gate:
    """Has it run something that does not end before it is told to."""
    gate = Gate()
    die(cleaner, gate)
    assert gate.reached.wait(60)
    return gate


def test_callbacks_run_on_its_thread_in_order_of_death(cleaner: Cleaner, ran: list[Any]) -> None:
    gate = busy(cleaner)
    die(cleaner, name_of_thread, ran)
    for number in 1, 2, 3:
        die(cleaner, ran.append, number)
    assert (ran, cleaner.backlog) == ([], 4)
    gate.go_on.set()
    assert cleaner.drain()
    assert (ran, cleaner.backlog) == (["files", 1, 2, 3], 0)


def test_an_explicit_call_stays_with_the_caller(cleaner: Cleaner, ran: list[Any]) -> None:
    thing = Thing()
    finalizer = cleaner.finalize(thing, name_of_thread, ran)
    finalizer()
    assert ran == ["MainThread"] and not finalizer.alive
    # Also of one that waits.
    gate = busy(cleaner)
    waits = cleaner.finalize(thing, name_of_thread, ran)
    del thing
    assert waits.alive and cleaner.backlog == 1
    assert waits.peek() is None and waits.detach() is None  # its object is gone
    waits()
    assert ran == ["MainThread"] * 2 and not waits.alive
    gate.go_on.set()
    assert cleaner.drain()
    assert ran == ["MainThread"] * 2


def test_it_gives_ordinary_finalizers(cleaner: Cleaner) -> None:
    thing = Thing()
    finalizer = cleaner.finalize(thing, print, 1, obj=2, func=3, name=4)
    assert isinstance(finalizer, finalize) and finalizer in finalize._registry
    assert finalizer.peek() == (thing, print, (1,), {"obj": 2, "func": 3, "name": 4})
    assert finalizer.atexit
    finalizer.atexit = False
    assert not finalizer.atexit
    assert finalizer.detach() == (thing, print, (1,), {"obj": 2, "func": 3, "name": 4})
    assert not finalizer.alive and finalizer() is None
    with pytest.raises(TypeError, match="weak reference to 'int'"):
        cleaner.finalize(5, print)


def test_copies_are_dead_finalizers(cleaner: Cleaner) -> None:
    thing = Thing()
    finalizer = cleaner.finalize(thing, print)
    copies = [copy.copy(finalizer), *(pickle.loads(pickle.dumps(finalizer, n)) for n in range(6))]
    assert not any(it.alive for it in copies) and finalizer.alive
    assert all(type(it) is finalize for it in copies[1:])
    finalizer.detach()


def test_when_it_is_full_who_drops_the_object_helps(cleaner: Cleaner, ran: list[Any]) -> None:
    gate = busy(cleaner)
    for _ in range(cleaner.limit):
        die(cleaner, name_of_thread, ran)
    assert ran == []
    die(cleaner, name_of_thread, ran)
    assert (ran, cleaner.backlog) == (["MainThread"], cleaner.limit)
    gate.go_on.set()
    assert cleaner.drain()
    assert ran == ["MainThread"] + ["files"] * cleaner.limit


def test_or_blocks(ran: list[Any]) -> None:
    with Cleaner(limit=2, when_full="block", name="files") as cleaner:
        gate = busy(cleaner)
        threads = [
            threading.Thread(target=die, args=[cleaner, name_of_thread, ran]) for _ in range(10)
        ]
        for thread in threads:
            thread.start()
        while cleaner.backlog < 2:
            pass
        assert ran == []
        gate.go_on.set()
        for thread in threads:
            thread.join()
        assert cleaner.drain()
    assert ran == ["files"] * 10


def test_what_dies_in_a_callback_never_blocks(ran: list[Any]) -> None:
    with Cleaner(limit=1, when_full="block") as cleaner:

        def kills_others() -> None:
            for number in range(10):
                die(cleaner, ran.append, number)

        die(cleaner, kills_others)
        assert cleaner.drain()
    # One waited, the others were helped with.
    assert ran == [1, 2, 3, 4, 5, 6, 7, 8, 9, 0]


def test_failing_callbacks_are_shown_and_stop_nothing(
    cleaner: Cleaner, ran: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    complaints: list[Any] = []
    monkeypatch.setattr("sys.unraisablehook", lambda it: complaints.append(type(it.exc_value)))

    def fails(error: type[BaseException]) -> None:
        raise error

    for error in ValueError, SystemExit, KeyboardInterrupt:
        die(cleaner, fails, error)
    die(cleaner, ran.append, "after that")
    assert cleaner.drain()
    assert (complaints, ran) == ([ValueError, SystemExit, KeyboardInterrupt], ["after that"])


def test_the_barrier(cleaner: Cleaner, ran: list[Any]) -> None:
    assert cleaner.drain(0)  # there is nothing to wait for
    gate = busy(cleaner)
    die(cleaner, ran.append, 1)
    assert not cleaner.drain(0) and not cleaner.drain(0.01)
    gate.go_on.set()
    assert cleaner.drain(60)
    assert ran == [1]
    for timeout in -1.0, float("nan"):
        with pytest.raises(ValueError, match="a timeout is a number of seconds"):
            cleaner.drain(timeout)


def test_the_barrier_in_a_callback_runs_what_waits(cleaner: Cleaner, ran: list[Any]) -> None:
    gate = Gate()

    def drains() -> None:
        gate()
        ran.append(cleaner.drain())
        ran.append("drained")

    die(cleaner, drains)
    assert gate.reached.wait(60)
    for number in 1, 2:
        die(cleaner, ran.append, number)
    gate.go_on.set()
    assert cleaner.drain()
    assert ran == [1, 2, True, "drained"]


def test_a_closed_cleaner(ran: list[Any]) -> None:
    thing = Thing()
    with Cleaner(name="files") as cleaner:
        finalizer = cleaner.finalize(thing, name_of_thread, ran)
        die(cleaner, name_of_thread, ran)
    assert ran == ["files"] and cleaner.closed
    while "files" in [thread.name for thread in threading.enumerate()]:
        time.sleep(0)  # it ends by itself
    with pytest.raises(RuntimeError, match="this cleaner is closed: make another"):
        cleaner.finalize(thing, print)
    # What it had made is as any other now.
    assert finalizer.alive
    del thing
    assert ran == ["files", "MainThread"]
    assert cleaner.close() and cleaner.drain()


def test_closing_lets_those_go_who_wait_for_room(ran: list[Any]) -> None:
    cleaner = Cleaner(limit=1, when_full="block", name="files")
    gate = busy(cleaner)
    die(cleaner, name_of_thread, ran)
    there = threading.Event()

    def waits() -> None:
        thing = Thing()
        cleaner.finalize(thing, name_of_thread, ran)
        there.set()
        del thing

    blocked = threading.Thread(target=waits, name="blocked")
    blocked.start()
    there.wait()
    assert not cleaner.close(0)
    blocked.join()
    assert ran == ["blocked"]
    gate.go_on.set()
    assert cleaner.close()
    assert ran == ["blocked", "files"]


def test_what_waits_in_a_pause_is_handed_over_at_its_end(cleaner: Cleaner, ran: list[Any]) -> None:
    with paused():
        die(cleaner, name_of_thread, ran)
        assert cleaner.drain() and ran == []
    assert cleaner.drain()
    assert ran == ["files"]


def test_a_pause_of_its_thread_is_its_own(cleaner: Cleaner, ran: list[Any]) -> None:
    def pauses() -> None:
        with paused():
            thing = Thing()
            finalize(thing, ran.append, "waited")
            del thing
            ran.append("in the block")

    die(cleaner, pauses)
    assert cleaner.drain()
    assert ran == ["in the block", "waited"]


def test_it_runs_what_the_collector_finds(cleaner: Cleaner, ran: list[Any]) -> None:
    thing = Thing()
    thing.me = thing  # type: ignore[attr-defined]
    cleaner.finalize(thing, name_of_thread, ran)
    del thing
    gc.collect()
    assert cleaner.drain()
    assert ran == ["files"]


def test_it_lives_as_long_as_its_finalizers(ran: list[Any]) -> None:
    thing = Thing()
    Cleaner(name="unnamed").finalize(thing, name_of_thread, ran)
    gc.collect()
    gate = Gate()
    last = Cleaner(name="last")
    finalizer = last.finalize(thing, gate)
    del thing, last
    assert gate.reached.wait(60)
    gate.go_on.set()
    while finalizer.alive or not ran:
        pass
    assert ran == ["unnamed"]


def test_its_thread_is_one_to_threading_and_debuggers(cleaner: Cleaner, ran: list[Any]) -> None:
    def look() -> None:
        thread = threading.current_thread()
        ran.append((thread.name, thread.daemon, thread in threading.enumerate()))
        local.number = getattr(local, "number", 0) + 1
        ran.append(local.number)

    local = threading.local()
    die(cleaner, look)
    die(cleaner, look)
    assert cleaner.drain()
    assert ran == [("files", True, True), 1, ("files", True, True), 2]

    traced: list[str] = []
    threading.settrace(lambda frame, *_: traced.append(frame.f_code.co_name))
    try:
        with Cleaner() as other:
            die(other, look)
    finally:
        threading.settrace(None)  # type: ignore[arg-type]
    assert "look" in traced


def test_it_has_a_context_of_its_own(cleaner: Cleaner, ran: list[Any]) -> None:
    variable = contextvars.ContextVar("variable", default="none")
    variable.set("main's")
    die(cleaner, lambda: ran.append(variable.get()))
    assert cleaner.drain()
    assert ran == ["none"]


def test_bad_settings() -> None:
    for limit in 0, -1:
        with pytest.raises((ValueError, OverflowError)):
            Cleaner(limit)
    with pytest.raises(ValueError, match="when_full is 'help' or 'block', not \"spill\""):
        Cleaner(when_full="spill")  # type: ignore[arg-type]
    assert repr(Cleaner(7, name="a")) == '<lastly.Cleaner "a": 0 of 7>'


@pytest.mark.slow
@pytest.mark.parametrize("when_full", ["help", "block"])
def test_a_million_deaths_on_several_threads(when_full: Any) -> None:
    each, limit = 250_000, 100
    ran: dict[int, int] = {}
    most = 0

    def callback() -> None:
        nonlocal most
        thread = threading.get_ident()
        ran[thread] = ran.get(thread, 0) + 1
        most = max(most, cleaner.backlog)
        sum(range(20))  # slower than to drop an object

    def drops() -> None:
        for _ in range(each):
            die(cleaner, callback)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-4)
    blocks = 0
    try:
        with Cleaner(limit, when_full=when_full) as cleaner:
            threads = [threading.Thread(target=drops) for _ in range(4)]
            before = sys.getallocatedblocks()
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            blocks = sys.getallocatedblocks() - before
    finally:
        sys.setswitchinterval(interval)
    assert sum(ran.values()) == 4 * each
    assert 0 < most <= limit
    assert blocks < 20 * limit + 10_000
    # Only who helps runs it elsewhere.
    assert len(ran) == (1 if when_full == "block" else 5)
