"""What only the native class has to get right: it knows its own by their memory."""

from __future__ import annotations

import re
import weakref
from textwrap import dedent

import pytest

from fresh import run
from lastly import SelfReferenceWarning, finalize


class Thing:
    """An object that can be watched."""

    def method(self) -> None:
        """A method of it."""


class Special(finalize):
    """One that weak references take."""


class Pretender:
    """Says that it is one."""

    __class__ = finalize  # type: ignore[assignment]


def test_what_only_says_that_it_is_one_is_none() -> None:
    thing = Thing()
    f = Special(thing, print)
    for other in (weakref.proxy(f), Pretender()):
        assert isinstance(other, finalize)
        assert finalize._registry.get(other) is None
        with pytest.raises(KeyError):
            del finalize._registry[other]
    f.detach()


def test_the_first_one_imports_nothing() -> None:
    program = """
        import sys, lastly
        class Thing: pass
        thing, before = Thing(), set(sys.modules)
        lastly.finalize(thing, print, "ran")
        print(set(sys.modules) - before)
    """
    assert run("-S", "-c", dedent(program), PYTHONPATH=_site()).said == ["set()", "ran"]


def _site() -> str:
    return run("-c", "import lastly, os; print(os.path.dirname(lastly.__path__[0]))").said[0]


def test_methods_of_every_kind_carry_their_object() -> None:
    pattern, thing = re.compile("x"), Thing()
    for watched, method in (
        (pattern, pattern.match),
        (thing, thing.method),
        (thing, thing.__str__),
    ):
        with pytest.warns(SelfReferenceWarning, match="func.__self__ is that object"):
            finalize(watched, method).detach()


def test_a_replaced_exit_function_does_not_silence_the_warning() -> None:
    program = """
        import weakref
        weakref.finalize._exitfunc = lambda: None
        import lastly
        class Thing:
            def method(self): pass
        thing = Thing()
        lastly.finalize(thing, thing.method)
    """
    assert "SelfReferenceWarning" in run("-c", dedent(program)).complaints
