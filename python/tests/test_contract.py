"""What the documentation of `weakref.finalize` promises, sentence by sentence, kept by both.

What it does not say and programs rely on all the same is in `differential`.
"""

from __future__ import annotations

import array
import functools
import gc
import sys
import types
import weakref
from textwrap import dedent
from typing import Any, Callable

import pytest

from fresh import run


class Thing:
    """An object that can be watched."""


def of_a_cycle() -> Thing:
    thing = Thing()
    thing.itself = thing  # type: ignore[attr-defined]
    return thing


# finalize(obj, func, *args, **kwargs)


def test_is_called_when_its_object_is_collected(finalize: Any) -> None:
    seen: list[tuple[Any, ...]] = []
    thing = Thing()
    finalize(thing, lambda *args, **kwargs: seen.append((args, kwargs)), 1, 2, x=3)
    assert seen == []
    del thing
    assert seen == [((1, 2), {"x": 3})]


def test_is_called_when_its_object_is_collected_in_a_cycle(finalize: Any) -> None:
    seen: list[int] = []
    finalize(of_a_cycle(), seen.append, 1)
    gc.collect()
    assert seen == [1]


def test_survives_until_its_object_is_collected(finalize: Any) -> None:
    """Nobody holds it, unlike an ordinary weak reference."""
    seen: list[int] = []
    thing = Thing()
    finalize(thing, seen.append, 1)
    gc.collect()
    assert weakref.getweakrefcount(thing) == 1
    del thing
    assert seen == [1]


def test_does_not_keep_its_object_alive(finalize: Any) -> None:
    thing = Thing()
    reference = weakref.ref(thing)
    f = finalize(thing, int)
    del thing
    assert reference() is None
    assert not f.alive


@pytest.mark.parametrize("name", ["obj", "func", "self", "_", "args", "kwargs", "atexit"])
def test_takes_any_keyword(finalize: Any, name: str) -> None:
    assert finalize(Thing, dict, **{name: 1})() == {name: 1}


@pytest.mark.parametrize(
    "make",
    [
        Thing,
        lambda: type("Local", (), {}),
        lambda: lambda: None,
        lambda: types.ModuleType("module"),
        lambda: (number for number in ()),
        lambda: {1},
        lambda: array.array("b"),
        lambda: functools.partial(print),
        lambda: type("Text", (str,), {})(),
        lambda: type("Slotted", (), {"__slots__": ("__weakref__",)})(),
    ],
    ids="instance class function module generator set array partial subclass slots".split(),
)
def test_takes_any_object_that_weak_references_take(finalize: Any, make: Callable[[], Any]) -> None:
    seen: list[int] = []
    f = finalize(make(), seen.append, 1)
    gc.collect()
    assert seen == [1]
    assert not f.alive


@pytest.mark.parametrize(
    "thing",
    [1, "text", b"bytes", (), [], {}, None, object()],
    ids=lambda thing: type(thing).__name__,
)
def test_refuses_other_objects_as_python_words_it(finalize: Any, thing: object) -> None:
    words = f"cannot create weak reference to '{type(thing).__name__}' object"
    with pytest.raises(TypeError, match=words):
        finalize(thing, print)


def test_refuses_too_few_arguments(finalize: Any) -> None:
    with pytest.raises(TypeError, match="missing 2 required positional arguments"):
        finalize()
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'func'"):
        finalize(Thing)
    with pytest.raises(TypeError, match="missing 2 required positional arguments"):
        finalize(obj=Thing, func=print)


# "A finalizer is considered alive until it is called, and after that it is dead."


def test_a_live_one_returns_the_result_and_a_dead_one_none(finalize: Any) -> None:
    thing, result = Thing(), object()
    f = finalize(thing, lambda: result)
    assert f.alive
    assert f() is result
    assert not f.alive
    assert f() is None


def test_is_dead_after_its_object(finalize: Any) -> None:
    seen: list[int] = []
    thing = Thing()
    f = finalize(thing, seen.append, 1)
    del thing
    assert not f.alive
    assert f() is f.detach() is f.peek() is None
    assert seen == [1]


def test_is_dead_before_its_callback_runs(finalize: Any) -> None:
    seen: list[Any] = []
    thing = Thing()
    f = finalize(thing, lambda: seen.extend([f.alive, f(), f.detach(), f.peek()]))
    f()
    assert seen == [False, None, None, None]


def test_alive_is_read_only(finalize: Any) -> None:
    f = finalize(Thing, int)
    with pytest.raises(AttributeError):
        f.alive = False
    assert f.detach()


# detach() and peek()


def test_detach_gives_everything_back_once(finalize: Any) -> None:
    seen: list[int] = []
    thing = Thing()
    f = finalize(thing, seen.append, 1, x=2)
    assert f.detach() == (thing, seen.append, (1,), {"x": 2})
    assert not f.alive
    assert f.detach() is f() is f.peek() is None
    del thing
    assert seen == []


def test_peek_shows_everything_and_leaves_it_alive(finalize: Any) -> None:
    thing = Thing()
    f = finalize(thing, dict, [], x=2)
    assert f.peek() == f.peek() == (thing, dict, ([],), {"x": 2})
    assert f.alive
    assert f() == {"x": 2}


def test_without_arguments_there_are_none(finalize: Any) -> None:
    assert finalize(Thing, int).detach() == (Thing, int, (), {})


# atexit


def test_atexit_is_a_writable_bool_and_true_at_first(finalize: Any) -> None:
    f = finalize(Thing, int)
    assert f.atexit is True
    f.atexit = 0
    assert f.atexit is False
    f.atexit = "yes"
    assert f.atexit is True
    f.detach()
    assert f.atexit is False


# Errors


def test_an_error_of_a_call_reaches_the_caller(finalize: Any) -> None:
    f = finalize(Thing, int, "x")
    with pytest.raises(ValueError, match="invalid literal"):
        f()
    assert not f.alive


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_an_error_at_collection_does_not_propagate(
    finalize: Any, error: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It goes where those of `__del__` go."""

    def fail() -> None:
        raise error("failed")

    seen: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", seen.append)
    thing = Thing()
    f = finalize(thing, fail)
    del thing
    assert [(args.exc_type, args.object) for args in seen] == [(error, f)]
    assert str(seen[0].exc_value) == "failed"


# The end of the program


def ends(importing: str, program: str) -> tuple[list[str], int]:
    """What a program says, and its status, when it complains of nothing."""
    class_ = "class Thing: pass\nkept = [Thing() for _ in range(9)]\n"
    ended = run("-c", f"{importing}\n{class_}{dedent(program)}")
    assert ended.complaints == ""
    return ended.said, ended.status


def test_at_exit_the_rest_runs_newest_first(importing: str) -> None:
    program = """
        for number, thing in enumerate(kept):
            f = finalize(thing, print, number)
            f.atexit = number != 5
        del thing
        kept.pop(3)
        finalize(kept[0], print, "called")()
        finalize(kept[0], print, "never").detach()
        print("last line")
    """
    expected = ["3", "called", "last line", "8", "7", "6", "4", "2", "1", "0"]
    assert ends(importing, program) == (expected, 0)


def test_at_exit_what_is_made_runs_next(importing: str) -> None:
    program = """
        finalize(kept[0], print, "older")
        finalize(kept[0], lambda: finalize(kept[1], print, "made at exit"))
    """
    assert ends(importing, program) == (["made at exit", "older"], 0)


@pytest.mark.parametrize("ending, status", [("", 0), ("exit(3)", 3), ("exit(None)", 0)])
def test_at_every_orderly_end(importing: str, ending: str, status: int) -> None:
    program = f"""
        import sys
        finalize(kept[0], print, "ran")
        {ending.replace("exit", "sys.exit")}
    """
    assert ends(importing, program) == (["ran"], status)


def test_at_exit_an_error_goes_to_the_hook_and_the_rest_runs(importing: str) -> None:
    program = """
        import sys
        sys.excepthook = lambda kind, error, trace: print(kind.__name__, error, bool(trace))
        def fail():
            raise ValueError("failed")
        finalize(kept[0], print, "older")
        finalize(kept[0], fail)
        finalize(kept[0], print, "newer")
    """
    assert ends(importing, program) == (["newer", "ValueError failed True", "older"], 0)


def test_nothing_runs_later(importing: str) -> None:
    """ "The later part of the interpreter shutdown", when modules lose their globals."""
    program = """
        import atexit
        def late():
            f = finalize(kept[0], print, "never")
            print(f.alive, f())
            finalize(kept[1], print, "never")
        atexit.register(late)
        finalize(kept[0], print, "in time")
        finalize(kept[2], print, "never").atexit = False
    """
    assert ends(importing, program) == (["in time", "True None"], 0)


def test_without_an_orderly_end_nothing_runs(importing: str) -> None:
    program = """
        import os
        finalize(kept[0], os.write, 1, b"never")
        os._exit(3)
    """
    assert ends(importing, program) == ([], 3)
