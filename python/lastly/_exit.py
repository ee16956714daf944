"""Where the exit drain hangs in each kind of process.

The native type calls `register` at the first finalizer that a process makes: not at import, because
programs make one early just to give the drain its place among the `atexit` handlers. It calls it
again when a program asks for that, by `finalize._registered_with_atexit = False`.

A process forked with `os.fork` inherits its parent's handlers, and the drain stays where it stood
among them. A child that `multiprocessing` forks (start methods `fork` and `forkserver`) does not
run them: since Python 3.13 it drops them and runs only what is registered after that, and before
3.13 it ends by `os._exit` after running `multiprocessing`'s own finalizers, so the drain is made
the last of those. A `spawn` child is an interpreter of its own and ends as any other.
"""

from __future__ import annotations

import atexit
import os
import sys

from lastly._native import finalize

TYPE_CHECKING = False
if TYPE_CHECKING:  # importing these costs more than all the rest
    from collections.abc import Callable
    from types import ModuleType
    from typing import Any

# Handlers run where `multiprocessing` forks; they are the child's own.
RUNS_HANDLERS = sys.version_info >= (3, 13)

# `multiprocessing` runs the lowest priority last.
LAST = -sys.maxsize

_registered: Callable[[], Any] | None = None
"""What this process, or the one that it was forked from, registered last."""

_is_asked = False
"""Whether `multiprocessing` is to call this module, here and in forked children."""


def register(exitfunc: Callable[[], Any]) -> None:
    """Has `exitfunc` run when this process ends."""
    global _registered
    util = _multiprocessing_util()
    forked = util is not None and _forked_by_multiprocessing()
    # Where it is still said to be registered, it was before this process was forked.
    inherited: bool = finalize._registered_with_atexit  # type: ignore[attr-defined]
    if not inherited or (forked and RUNS_HANDLERS):
        atexit.register(exitfunc)
    if _registered is None:
        os.register_at_fork(after_in_child=_ask_multiprocessing)
    _registered = exitfunc
    if util is None:
        return
    if forked and not RUNS_HANDLERS:
        util.Finalize(None, _drain, (exitfunc,), exitpriority=LAST)
    elif not forked:
        # This may be such a child all the same, on the way: a hook of `os.register_at_fork` comes
        # before `multiprocessing` drops what is registered.
        _ask_multiprocessing()


def _ask_multiprocessing() -> None:
    """Has `multiprocessing`, where the program uses it, call this module in a child that it forks,
    when it has dropped what was registered there."""
    global _is_asked
    util = _multiprocessing_util()
    if util is not None and not _is_asked:
        util.register_after_fork(_register_again, _register_again)
        _is_asked = True


def _register_again(_: object) -> None:
    """In a child of `multiprocessing`, before its work begins. Also where it has made no finalizer
    yet: it may be its parent's heir."""
    if _registered is not None:
        register(_registered)


def _drain(exitfunc: Callable[[], Any]) -> None:
    """Runs `exitfunc` where it would run in any other process: when no thread is left that may
    still make finalizers and expect them to run. Those would find the door shut."""
    import threading

    try:
        threading._shutdown()  # type: ignore[attr-defined]  # the next that the child would call
    finally:
        exitfunc()


def _multiprocessing_util() -> ModuleType | None:
    """`multiprocessing.util` where the program has imported it, to the end."""
    util = sys.modules.get("multiprocessing.util")
    return util if hasattr(util, "Finalize") else None


def _forked_by_multiprocessing() -> bool:
    """Whether this is a child that `multiprocessing` made by forking."""
    import multiprocessing.process

    if multiprocessing.process.parent_process() is None:
        return False
    process = multiprocessing.process.current_process()
    method = getattr(process, "_start_method", None) or multiprocessing.get_start_method()
    return method in ("fork", "forkserver")
