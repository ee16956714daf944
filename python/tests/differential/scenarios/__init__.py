"""What a user can observe of a finalizer, one small program per observation.

A scenario gets a finalizer class and prints what there is to see. It is run in a fresh interpreter
for each implementation, and the outputs are compared; `run.py` runs one by hand.
"""

from __future__ import annotations

import importlib
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:  # importing these takes longer than most scenarios
    from typing import Any, Callable, TypeVar

    # The class under observation: `Any`, as scenarios also look at what no stub declares.
    Finalize = Any
    Program = TypeVar("Program", bound=Callable[[Finalize], object])
    Kept = TypeVar("Kept")

IMPLEMENTATIONS = ("original", "lastly", "installed")

# Tells child processes of a scenario which implementation is theirs.
VARIABLE = "LASTLY_TEST_IMPLEMENTATION"


class Scenario:
    """A program and what is known of it beforehand."""

    # The number of the deliberate difference it shows, as the README counts them, and what is
    # printed to stdout then.
    differs: int | None = None
    original: str = ""
    lastly: str = ""
    # The exit status, and whether stderr is written to. Demanded, so that a scenario that fails by
    # mistake is not taken for one that behaves alike everywhere.
    status: int = 0
    complains: bool = False

    def __init__(self, run: Callable[[Finalize], object], **known: Any) -> None:
        self.run = run
        for name, value in known.items():
            assert hasattr(Scenario, name), name
            setattr(self, name, value)


# By name, those of the subject file that was imported.
_found: dict[str, Scenario] = {}


def scenario(**known: Any) -> Callable[[Program], Program]:
    """Makes a function a scenario, named after its file and itself."""

    def add(program: Program) -> Program:
        name = f"{program.__module__.rpartition('.')[2]}.{program.__name__}"
        assert name not in _found, name
        _found[name] = Scenario(program, **known)
        return program

    return add


def find(name: str) -> Scenario:
    """The scenario of this name; imports its subject file and no other."""
    importlib.import_module(f"{__name__}.{name.partition('.')[0]}")
    return _found[name]


def find_all() -> dict[str, Scenario]:
    """All scenarios of all subject files."""
    for file in sorted(os.listdir(os.path.dirname(__file__))):
        if file.endswith(".py") and file != "__init__.py":
            importlib.import_module(f"{__name__}.{file[:-3]}")
    return dict(_found)


def load(implementation: str) -> Finalize:
    """The class to observe."""
    import weakref

    if implementation == "original":
        return weakref.finalize
    import lastly

    if implementation == "lastly":
        return lastly.finalize
    assert implementation == "installed"
    lastly.install()
    return weakref.finalize


def load_in_child() -> Finalize:
    """The class to observe, in a process that a scenario started."""
    return load(os.environ[VARIABLE])


class Thing:
    """An object that can be watched."""


class Loud:
    """Says when it goes; also in the last moments of an interpreter, when `print` is gone."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __del__(self, write: Callable[[int, bytes], object] = os.write) -> None:
        write(1, f"{self.name} goes\n".encode())


_kept: list[object] = []


def keep(thing: Kept) -> Kept:
    """Keeps it alive until the program has ended."""
    _kept.append(thing)
    return thing


def say(*words: object, **options: Any) -> None:
    """Prints at once: in its place among what other processes write."""
    print(*words, flush=True, **options)


def attempt(function: Callable[..., object], *args: Any, **kwargs: Any) -> None:
    """Prints what comes of a call."""
    try:
        print("gave", function(*args, **kwargs))
    except Exception as error:
        print(f"{type(error).__name__}: {error}")


def kind_of_error(function: Callable[..., object], *args: Any, **kwargs: Any) -> None:
    """Prints what comes of a call, without the words: Python words it by how a class is built."""
    try:
        print("gave", function(*args, **kwargs))
    except Exception as error:
        print(type(error).__name__)


def report_unraisable() -> None:
    """Makes `sys.unraisablehook` print what it gets, to stdout."""

    def hook(args: Any) -> None:
        print("unraisable:", args.exc_type.__name__, args.exc_value, args.err_msg, args.object)

    sys.unraisablehook = hook


def report_uncaught() -> None:
    """Makes `sys.excepthook` print what it gets, to stdout."""

    def hook(kind: type[BaseException], error: BaseException, trace: Any) -> None:
        print("uncaught:", kind.__name__, error, kind is type(error), trace is error.__traceback__)

    sys.excepthook = hook
