"""Signals that end the program in order."""

from __future__ import annotations

import os
import signal
import threading
from signal import SIGHUP, SIGINT, SIGTERM, Signals

from lastly import _native

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

_hooks_forks = False


def install_signals(signals: Iterable[int] = (SIGTERM, SIGINT, SIGHUP)) -> tuple[Signals, ...]:
    """Has these signals end the program in order, and says which of them were taken over.

    The first that comes begins the exit drain, in the main thread; when that is over, the signal
    ends the process, so that a parent sees what it would have seen. Another one during the drain
    ends it at once; what is running and what is skipped is reported. Call it early, in the main
    thread.

    Only what would have ended the program there and then is taken over: a signal that is ignored
    (by `nohup`, say) stays ignored, one that has a handler keeps it, and one that gets a handler
    later belongs to that. So does SIGINT, which is a KeyboardInterrupt in Python: nothing changes
    for `except KeyboardInterrupt`, or `asyncio.run`. If nobody catches it the program ends, and
    drains, as ever; but while the program drains, SIGINT does as the others.

    - In a callback of the main thread, the signal waits until that ends; while the program ends
      anyway, until the drain is over.
    - Where the main thread does not come within a second, as it is still in a callback, or in C
      code that returns for no signal, the drain runs on a thread of its own.
    - The drain is run where the signal meets the main thread: nothing is unwound, no `finally`
      runs, nor do other handlers of `atexit`. For a lock that the main thread holds there, a
      callback waits in vain: set a budget (`lastly.exit`).
    - Forked children heed signals as well, and drain what is theirs. Interpreters that are started
      anew (spawn, forkserver, subprocess) do if they call this themselves.

    It raises ValueError for a signal that cannot lead to an end in order, and outside of the main
    thread.
    """
    wanted = [_checked(number) for number in dict.fromkeys(signals)]
    if threading.get_ident() != threading.main_thread().ident:
        raise ValueError("signals are for the main thread: call lastly.install_signals() there")
    taken = tuple(each for each in wanted if _native.is_default(each))
    if taken or SIGINT in wanted:
        _native.begin_to_watch(SIGINT in wanted)
        _hook_forks()
    done = []
    try:
        for each in taken:
            signal.signal(each, _native.end_by)
            done.append(each)
            _native.take_over(each)
    except BaseException:
        for each in done:
            signal.signal(each, signal.SIG_DFL)
        raise
    return taken


def _checked(number: int) -> Signals:
    _native.check_signal(number)
    return Signals(number)


def _hook_forks() -> None:
    global _hooks_forks
    if not _hooks_forks:
        os.register_at_fork(
            before=_native.before_fork,
            after_in_parent=_native.after_fork_in_parent,
            after_in_child=_native.after_fork_in_child,
        )
        _hooks_forks = True
