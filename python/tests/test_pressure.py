"""`Pressure`: how much waits for the collector is bounded."""

from __future__ import annotations

import gc
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lastly import Pressure, finalize, paused


class Thing:
    """An object that can be watched."""

    me: Thing


@pytest.fixture(autouse=True)
def collector_off() -> Iterator[None]:
    """Nothing but the pressure runs the collector."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def cycle() -> Thing:
    thing = Thing()
    thing.me = thing
    return thing


def nothing() -> None: ...


def test_files_of_segments_in_cycles_stay_bounded(tmp_path: Path) -> None:
    class Segment:
        def __init__(self, decoder: list[Any]) -> None:
            decoder.append(self)
            self.decoder = decoder
            with tempfile.NamedTemporaryFile(dir=tmp_path, delete=False) as file:
                self.path = Path(file.name)
            pressure.finalize(self, Path.unlink, self.path)

    def most(number: int) -> int:
        most = 0
        for _ in range(number):
            Segment([])
            most = max(most, len(list(tmp_path.iterdir())))
        return most

    pressure = Pressure(50)
    assert most(1_000) <= 50
    pressure = Pressure(10_000)
    assert most(1_000) > 1_000  # nothing else would have deleted them
    gc.collect()
    assert list(tmp_path.iterdir()) == []


def test_when_all_are_alive_the_collector_runs_ever_more_seldom() -> None:
    pressure = Pressure(100)
    kept = []
    for _ in range(100_000):
        kept.append(Thing())
        pressure.finalize(kept[-1], nothing)
    # 100, 200, 400, …
    assert pressure.collections <= 11 and pressure.bound <= 2 * 100_000 + 2
    assert pressure.held == 100_000
    # When they die, the bound comes back, at once.
    kept.clear()
    assert (pressure.held, pressure.bound) == (0, 100)
    for _ in range(1_000):
        pressure.finalize(cycle(), nothing)
        assert pressure.held <= 100


def test_what_waited_in_a_pause_leaves_no_great_bound() -> None:
    pressure = Pressure(100)
    with paused():
        for _ in range(1_000):
            pressure.finalize(cycle(), nothing)
    gc.collect()
    assert (pressure.held, pressure.bound) == (0, 100)


def test_the_sum_of_great_weights() -> None:
    pressure = Pressure(1)
    first, second, third = Thing(), Thing(), Thing()
    great = pressure.finalize_sized(2**64 - 10, first, nothing)
    rest = pressure.finalize_sized(20, second, nothing)
    assert pressure.held == 2**64 - 1
    great()
    assert pressure.held == 9
    pressure.finalize(third, nothing)
    rest()
    assert pressure.held == 1


def test_each_way_to_end_takes_the_weight_off_once() -> None:
    pressure = Pressure(100)
    thing = Thing()
    called, detached, died = (pressure.finalize(thing, nothing) for _ in range(3))
    assert pressure.held == 3
    called()
    called()
    assert pressure.held == 2
    assert detached.detach() is not None and detached.detach() is None
    assert pressure.held == 1
    # Whoever cleans up is not counted any more.
    seen = []
    pressure.finalize(thing, lambda: seen.append(pressure.held))
    del thing
    assert (pressure.held, seen, died.alive) == (0, [1], False)


def test_sizes() -> None:
    pressure = Pressure(1_000)
    first = cycle()
    pressure.finalize_sized(600, first, nothing)
    pressure.finalize_sized(0, first, nothing)
    assert (pressure.held, pressure.collections) == (600, 0)
    pressure.finalize_sized(600, cycle(), nothing)
    assert (pressure.held, pressure.collections, pressure.bound) == (1_200, 1, 2_400)
    del first
    # One that is larger than the bound is let in, after a collection.
    large = Thing()
    pressure.finalize_sized(10_000, large, nothing)
    assert (pressure.held, pressure.collections) == (10_000, 2)
    pressure.finalize_sized(2**63, large, nothing)
    pressure.finalize_sized(2**63, large, nothing)
    assert pressure.held > 2**63


def test_it_gives_ordinary_finalizers() -> None:
    pressure = Pressure(10)
    thing = Thing()
    finalizer = pressure.finalize(thing, print, 1, obj=2, func=3, size=4)
    assert isinstance(finalizer, finalize)
    assert finalizer.peek() == (thing, print, (1,), {"obj": 2, "func": 3, "size": 4})
    assert finalizer.alive and finalizer.atexit
    assert repr(finalizer).startswith("<finalize object at ")
    assert finalizer in finalize._registry
    finalizer.detach()


def test_what_cannot_be_watched_weighs_nothing() -> None:
    pressure = Pressure(10)
    with pytest.raises(TypeError, match="weak reference to 'int'"):
        pressure.finalize(5, print)
    with pytest.raises(TypeError):
        pressure.finalize(Thing())  # type: ignore[call-arg]
    with pytest.raises(OverflowError):
        pressure.finalize_sized(-1, Thing(), print)
    assert pressure.held == 0
    for limit in 0, -1:
        with pytest.raises((ValueError, OverflowError)):
            Pressure(limit)


def test_callbacks_may_register_with_it() -> None:
    # A collection inside a collection does nothing: then the bound moves, and comes back.
    pressure = Pressure(10)

    def again() -> None:
        pressure.finalize(cycle(), nothing)

    for _ in range(1_000):
        pressure.finalize(cycle(), again)
    assert pressure.held <= 60
    for _ in range(200):
        pressure.finalize(cycle(), nothing)
    assert (pressure.held <= 10, pressure.bound) == (True, 10)


def test_it_lives_as_long_as_its_finalizers() -> None:
    thing = Thing()
    finalizer = Pressure(1).finalize(thing, nothing)
    del thing
    gc.collect()
    assert not finalizer.alive
