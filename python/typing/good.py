"""What must be accepted, with the types that checkers must see. Never run."""

# pyright: strict

from __future__ import annotations

import logging
import shutil
import signal
import tempfile
import weakref
from functools import partial
from pathlib import Path
from typing import Any, Callable, Optional, TypeVar

from typing_extensions import assert_type

import lastly.exit
from lastly import (
    SelfReferenceWarning,
    actions,
    finalize,
    install,
    install_signals,
    report,
    uninstall,
)

T = TypeVar("T")


class Object:
    def method(self, number: int) -> str:
        return str(number)


class File:
    def close(self) -> None: ...


def add(a: int, b: int = 0, *, c: str = "") -> float:
    return a + b + len(c)


thing = Object()

# The callback's parameters and result, and the object, are known everywhere.
finalizer = finalize(thing, add, 1, c="x")
assert_type(finalizer(), Optional[float])
assert_type(finalizer.alive, bool)
assert_type(finalizer.atexit, bool)
finalizer.atexit = False

taken = finalizer.detach()
if taken is not None:
    thing_again, function, arguments, keywords = taken
    assert_type(thing_again, Object)
    assert_type(function(1, 2, c="x"), float)
    assert_type(arguments, tuple[Any, ...])
    assert_type(keywords, dict[str, Any])

seen = finalizer.peek()
if seen is not None:
    assert_type(seen[0], Object)
    assert_type(seen[1](1), float)

# Any kind of callback, and any object that can be weakly referenced.
assert_type(finalize(thing, Object().method, 1)(), Optional[str])
assert_type(finalize(thing, File().close)(), None)
assert_type(finalize(thing, lambda: 1)(), Optional[int])
assert_type(finalize(thing, partial(add, b=2), 1)(), Optional[float])
assert_type(finalize(thing, Path, "a", "b")(), Optional[Path])
assert_type(finalize(Object, add, 1).peek() is None, bool)
finalize(weakref, print, "unloaded", sep="", end="\n")
# Its own parameters' names are the callback's to use.
finalize(thing, dict, self=1, obj=2, func=3)


# It is a `weakref.finalize`: what takes one takes it, and the annotations written for that hold.
def takes_original(original: weakref.finalize[[int], Object]) -> bool:
    return original.alive


def passes_on(
    obj: T, function: Callable[[int], None]
) -> finalize[[int], T]:  # without the result, as with the original
    return finalize(obj, function, 1)


takes_original(passes_on(thing, print))


class TempDir:
    """The one of the Python documentation."""

    _finalizer: finalize[..., TempDir, None]

    def __init__(self) -> None:
        self.name = tempfile.mkdtemp()
        self._finalizer = finalize(self, shutil.rmtree, self.name, ignore_errors=True)

    def remove(self) -> None:
        self._finalizer()

    @property
    def removed(self) -> bool:
        return not self._finalizer.alive


class Bare:
    """The name alone is enough for an annotation."""

    def __init__(self) -> None:
        self.cleanup: finalize = finalize(self, print)


class Named(finalize[..., Any]):
    """A subclass with arguments of its own."""

    def __init__(self, obj: object, name: str) -> None:
        super().__init__(obj, print, name)
        self.name = name

    def __call__(self, _: Any = None) -> None:
        super().__call__(_)


assert_type(Named(thing, "a").name, str)
assert_type(install(), None)
assert_type(uninstall(), None)
warning: type[ResourceWarning] = SelfReferenceWarning

lastly.check_captures()
lastly.check_captures(False)
found = lastly.check()
assert_type(found.complete, bool)
for capture in lastly.check(limit=1_000):
    assert_type(capture.path, str)
    assert_type(capture.object, str)
    assert_type(capture.function, str)
    assert_type(capture.created, Optional[str])
    assert_type(capture.finalizer.alive, bool)
    assert_type(str(capture), str)

with lastly.Cleaner(100, when_full="block", name="files") as cleaner:
    assert_type(cleaner.finalize(thing, add, 1, c="x")(), Optional[float])
    assert_type(cleaner.drain(1), bool)
pressure = lastly.Pressure(limit=100)
assert_type(pressure.finalize(thing, add, 1)(), Optional[float])
assert_type(pressure.finalize_sized(4096, thing, add, 1)(), Optional[float])
with lastly.paused():
    pass


@lastly.paused()
def decorated(number: int) -> str:
    return str(number)


assert_type(decorated(1), str)

view = lastly.live(object="app.Workspace", older_than=60, atexit=True)
assert_type(view[0].finalizer.alive, bool)
assert_type(view[0].created, Optional[str])
assert_type(view.totals.created, int)
assert_type(str(view), str)

# What is declared, directly and by a finalizer.
assert_type(lastly.remove_tree("a", sync=True, ignore_errors=True), None)
lastly.remove_tree(b"a")
lastly.remove_file(Path("a"))
lastly.unlink_shared_memory("a")
lastly.kill_process(2)
declared = finalize(thing, lastly.remove_tree, Path("a"), sync=True)
assert_type(declared(), None)
assert_type(lastly.actions.confirm(declared), bool)
assert_type(actions.protection(), str)
actions.remove_tree("a")
with lastly.TemporaryDirectory("a", ignore_cleanup_errors=True, delete=False, sync=True) as name:
    assert_type(name, str)
assert_type(lastly.TemporaryDirectory(prefix=b"a").name, bytes)
original_directory: tempfile.TemporaryDirectory[str] = lastly.TemporaryDirectory(dir=Path("a"))
with lastly.NamedTemporaryFile("w", delete_on_close=False, sync=True) as file:
    assert_type(file.write("a"), int)
    assert_type(file.name, str)
assert_type(lastly.NamedTemporaryFile().read(), bytes)

assert_type(install_signals(), tuple[signal.Signals, ...])
assert_type(install_signals([signal.SIGTERM, 1]), tuple[signal.Signals, ...])

lastly.exit.set_budget(2.5)
lastly.exit.set_budget(10)
lastly.exit.set_budget(None)


def hook(told: report.Report) -> None:
    assert_type(told.object, Optional[str])
    assert_type(told.function, str)
    assert_type(told.created, Optional[str])
    assert_type(told.error, Optional[BaseException])
    assert_type(told.duration, Optional[float])
    if told.cause == "exit" and told.problem == "skipped":
        assert_type(str(told), str)


report.set_hook(hook)
report.set_hook(print)
report.reset_hook()
report.to_logging()
report.to_logging(logging.getLogger("app"))
report.record_sites()
report.record_sites(False)
lastly.report.record_sites(on=True)
