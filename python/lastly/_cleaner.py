"""What the thread of a `Cleaner` is to the `threading` module, which has not started it."""

from __future__ import annotations

import sys


def prepare() -> None:
    """Called before such a thread begins: were `threading` imported there, it would take that
    thread for the main one."""
    import threading  # not above: many programs have no need of it

    assert threading


def thread_begins(name: str) -> None:
    """Called on that thread, before anything else."""
    import threading

    threading.current_thread().name = name
    # As `threading` does for its own: so that debuggers and coverage see what runs here.
    trace = getattr(threading, "_trace_hook", None)
    profile = getattr(threading, "_profile_hook", None)
    if trace is not None:
        sys.settrace(trace)
    if profile is not None:
        sys.setprofile(profile)


def thread_ends() -> None:
    """Called there last. Before 3.13 `threading` never forgets a thread that others started."""
    import threading

    active = getattr(threading, "_active", {})
    active.pop(threading.get_ident(), None)
