"""Signals: Ctrl-C and its like, while callbacks run and finalizers are made."""

from __future__ import annotations

import os
import signal
import sys

from scenarios import Thing, keep, report_unraisable, say, scenario

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from scenarios import Finalize


def ctrl_c() -> None:
    signal.raise_signal(signal.SIGINT)
    print("never")


@scenario()
def in_a_call(finalize: Finalize) -> None:
    f = finalize(keep(Thing()), ctrl_c)
    try:
        f()
    except KeyboardInterrupt:
        print("caught", f.alive, f())


@scenario()
def at_death(finalize: Finalize) -> None:
    report_unraisable()
    thing = Thing()
    finalize(thing, print, "older")
    finalize(thing, ctrl_c)
    finalize(thing, print, "newer")
    del thing
    print("goes on")


@scenario(
    differs=2,
    original="newer\n",
    lastly="newer\nolder\n",
)
def at_exit(finalize: Finalize) -> None:
    finalize(keep(Thing()), print, "older")
    finalize(keep(Thing()), ctrl_c)
    finalize(keep(Thing()), print, "newer")


@scenario(status=-signal.SIGINT, complains=True)
def uncaught_it_runs_what_is_left(finalize: Finalize) -> None:
    finalize(keep(Thing()), say, "at exit")
    ctrl_c()


@scenario(status=-signal.SIGINT, complains=True)
def uncaught_in_a_call_it_runs_what_is_left(finalize: Finalize) -> None:
    finalize(keep(Thing()), say, "at exit")
    finalize(keep(Thing()), ctrl_c)()


@scenario(status=-signal.SIGTERM)
def an_unhandled_termination_runs_nothing(finalize: Finalize) -> None:
    finalize(keep(Thing()), say, "never")
    say("ending")
    os.kill(os.getpid(), signal.SIGTERM)
    signal.pause()


@scenario(status=4)
def a_handler_that_exits(finalize: Finalize) -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(4))
    finalize(keep(Thing()), print, "at exit")
    signal.raise_signal(signal.SIGTERM)


@scenario()
def a_handler_that_makes_and_ends_them(finalize: Finalize) -> None:
    def handler(*_: Any) -> None:
        finalize(Thing(), print, "made in the handler")
        print(older(), newer.detach()[2])

    signal.signal(signal.SIGUSR1, handler)
    older = finalize(keep(Thing()), "result".upper)
    newer = finalize(keep(Thing()), print, "never")
    thing = Thing()
    finalize(thing, signal.raise_signal, signal.SIGUSR1)
    del thing
    print("end")


@scenario()
def a_handler_while_they_are_made(finalize: Finalize) -> None:
    count = [0, 0]

    def handler(*_: Any) -> None:
        finalize(Thing(), work)
        count[1] += 1

    def work() -> None:
        count[0] += 1

    signal.signal(signal.SIGUSR1, handler)
    for number in range(1000):
        if number % 10 == 0:
            signal.raise_signal(signal.SIGUSR1)
        finalize(Thing(), work)
    print(count, len(finalize._registry))


@scenario()
def a_handler_at_exit(finalize: Finalize) -> None:
    signal.signal(signal.SIGUSR1, lambda *_: print("handled"))
    finalize(keep(Thing()), print, "older")
    finalize(keep(Thing()), signal.raise_signal, signal.SIGUSR1)


@scenario()
def a_handler_that_is_a_finalizer(finalize: Finalize) -> None:
    f = finalize(keep(Thing()), print, "ran")
    signal.signal(signal.SIGUSR1, lambda *_: f())
    signal.raise_signal(signal.SIGUSR1)
    signal.raise_signal(signal.SIGUSR1)
    print(f.alive)


@scenario()
def an_interrupt_that_waits_for_the_next_step(finalize: Finalize) -> None:
    """Ctrl-C has arrived when the call begins; it shows when Python looks."""
    import _thread

    thing = keep(Thing())
    made: list[Any] = []
    try:
        _thread.interrupt_main()
        made.append(finalize(thing, print, "at exit"))
        for _ in range(10):
            pass
    except KeyboardInterrupt:
        print("interrupted")
    print(all(f.alive for f in made), len(made) <= 1)
    finalize._registry.clear()
