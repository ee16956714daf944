"""Callbacks that fail: who learns of it, and what goes on."""

from __future__ import annotations

import gc
import sys
import traceback

from scenarios import (
    Thing,
    attempt,
    keep,
    report_uncaught,
    report_unraisable,
    scenario,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scenarios import Finalize


class Special(Exception):
    pass


def fail(*args: object, **kwargs: object) -> None:
    raise Special("failed", *args)


def interrupt() -> None:
    raise KeyboardInterrupt


def leave() -> None:
    raise SystemExit(5)


@scenario()
def called_it_reaches_the_caller(finalize: Finalize) -> None:
    thing, error = Thing(), Special("this one")

    def raise_it() -> None:
        raise error

    f = finalize(thing, raise_it)
    try:
        f()
    except Special as caught:
        print(caught is error, caught.__context__, f.alive, f())


@scenario()
def called_it_is_dead_afterwards(finalize: Finalize) -> None:
    thing = Thing()
    f = finalize(thing, fail, 1, x=2)
    attempt(f)
    attempt(f)
    print(f.alive, f.detach())


@scenario()
def called_it_shows_the_callers_frames(finalize: Finalize) -> None:
    thing = Thing()
    f = finalize(thing, fail)
    try:
        f()
    except Special as error:
        names = [frame.name for frame in traceback.extract_tb(error.__traceback__)]
        print([name for name in names if name != "__call__"])


@scenario(status=5)
def called_system_exit_ends_the_program(finalize: Finalize) -> None:
    finalize(keep(Thing()), print, "older")
    finalize(keep(Thing()), leave)()
    print("never")


@scenario(status=1, complains=True)
def called_uncaught_it_ends_the_program(finalize: Finalize) -> None:
    finalize(keep(Thing()), print, "older")
    finalize(keep(Thing()), fail)()


@scenario(complains=True)
def at_death_it_is_printed(finalize: Finalize) -> None:
    thing = Thing()
    finalize(thing, fail, 1)
    del thing
    print("goes on")


@scenario()
def at_death_the_hook_learns_of_it(finalize: Finalize) -> None:
    report_unraisable()
    thing = Thing()
    finalize(thing, fail, 1)
    del thing
    print("goes on")


@scenario()
def at_death_the_hook_gets_the_finalizer(finalize: Finalize) -> None:
    seen = []
    sys.unraisablehook = seen.append
    thing = Thing()
    f = finalize(thing, fail)
    del thing
    (args,) = seen
    print(args.object is f, args.err_msg, args.exc_type, args.exc_value, f.alive)
    print(args.exc_traceback is args.exc_value.__traceback__)
    print(traceback.extract_tb(args.exc_traceback)[-1].name)


@scenario()
def at_death_nothing_propagates(finalize: Finalize) -> None:
    report_unraisable()
    for function in (fail, interrupt, leave):
        thing = Thing()
        finalize(thing, print, "older")
        finalize(thing, function)
        finalize(thing, print, "newer")
        del thing
    print("goes on")


@scenario(complains=True)
def at_death_interrupts_are_printed(finalize: Finalize) -> None:
    for function in (interrupt, leave):
        thing = Thing()
        finalize(thing, function)
        del thing
    print("goes on")


@scenario()
def in_a_cycle_nothing_propagates(finalize: Finalize) -> None:
    report_unraisable()
    thing = Thing()
    thing.itself = thing
    for function in (fail, interrupt, leave):
        finalize(thing, function)
    del thing
    gc.collect()
    print("goes on")


@scenario(complains=True)
def at_death_the_hook_fails_too(finalize: Finalize) -> None:
    def hook(args: object) -> None:
        raise ValueError("hook")

    sys.unraisablehook = hook
    thing = Thing()
    finalize(thing, print, "older")
    finalize(thing, fail)
    del thing
    print("goes on")


@scenario()
def one_in_flight_survives(finalize: Finalize) -> None:
    report_unraisable()

    def work() -> None:
        thing = Thing()
        finalize(thing, fail)
        finalize(thing, print, "cleaned")
        raise ValueError("in flight")

    try:
        work()
    except ValueError as error:
        error.__traceback__ = None
        print("caught", error, error.__context__)


@scenario()
def one_in_flight_survives_a_local_one(finalize: Finalize) -> None:
    def recover() -> None:
        try:
            fail()
        except Special:
            print("recovered")

    def work() -> None:
        thing = Thing()
        finalize(thing, recover)
        try:
            raise ValueError("in flight")
        finally:
            del thing

    attempt(work)


@scenario()
def one_being_handled_is_visible(finalize: Finalize) -> None:
    def look() -> None:
        print(sys.exc_info()[:2])

    thing = Thing()
    finalize(thing, look)
    try:
        raise ValueError("handled")
    except ValueError:
        del thing
        print(sys.exc_info()[:2])
    print(sys.exc_info())


@scenario()
def one_being_handled_is_the_context(finalize: Finalize) -> None:
    seen = []
    sys.unraisablehook = seen.append
    thing = Thing()
    f = finalize(Thing, fail)
    finalize(thing, fail)
    try:
        raise ValueError("handled")
    except ValueError:
        del thing
        print(repr(seen[0].exc_value.__context__))
        try:
            f()
        except Special as error:
            print(repr(error.__context__))


@scenario()
def an_error_may_hold_the_object(finalize: Finalize) -> None:
    def work() -> None:
        thing = Thing()
        finalize(thing, print, "cleaned")
        raise ValueError

    try:
        work()
    except ValueError:
        print("handling")
    print("handled")


@scenario()
def at_exit_the_hook_learns_of_it(finalize: Finalize) -> None:
    report_uncaught()
    report_unraisable()
    finalize(keep(Thing()), print, "older")
    finalize(keep(Thing()), fail, 1)
    finalize(keep(Thing()), fail, 2)
    finalize(keep(Thing()), print, "newer")


@scenario(complains=True)
def at_exit_it_is_printed(finalize: Finalize) -> None:
    finalize(keep(Thing()), print, "older")
    finalize(keep(Thing()), fail, 1)
    finalize(keep(Thing()), None)


@scenario(complains=True, status=3)
def at_exit_it_leaves_the_status(finalize: Finalize) -> None:
    finalize(keep(Thing()), print, "older")
    finalize(keep(Thing()), fail)
    sys.exit(3)


@scenario(complains=True, status=1)
def at_exit_after_an_uncaught_one(finalize: Finalize) -> None:
    finalize(keep(Thing()), print, "older")
    finalize(keep(Thing()), fail)
    raise ValueError("uncaught")


@scenario()
def at_exit_no_error_is_being_handled(finalize: Finalize) -> None:
    def look() -> None:
        print(sys.exc_info())

    report_uncaught()
    finalize(keep(Thing()), look)
    finalize(keep(Thing()), fail)
    finalize(keep(Thing()), look)


@scenario()
def at_exit_contexts_do_not_pile_up(finalize: Finalize) -> None:
    def hook(kind: type, error: BaseException, trace: object) -> None:
        print(repr(error), repr(error.__context__))

    sys.excepthook = hook
    for number in range(3):
        finalize(keep(Thing()), fail, number)


@scenario()
def at_exit_an_object_dies_with_an_error(finalize: Finalize) -> None:
    report_uncaught()
    report_unraisable()
    things = [Thing()]
    finalize(keep(Thing()), print, "older")
    finalize(keep(Thing()), things.clear)
    finalize(things[0], print, "flag is off").atexit = False
    finalize(things[0], fail).atexit = False


@scenario(
    differs=2,
    original="newer\n",
    lastly="newer\nolder\n",
)
def at_exit_interrupted(finalize: Finalize) -> None:
    finalize(keep(Thing()), print, "older")
    finalize(keep(Thing()), interrupt)
    finalize(keep(Thing()), print, "newer")


@scenario(
    differs=2,
    original="newer\n",
    lastly="newer\nbetween\nolder\n",
)
def at_exit_left(finalize: Finalize) -> None:
    finalize(keep(Thing()), print, "older")
    finalize(keep(Thing()), leave)
    finalize(keep(Thing()), print, "between")
    finalize(keep(Thing()), leave)
    finalize(keep(Thing()), print, "newer")


@scenario(
    differs=2,
    original="newer\n",
    lastly="newer\nolder\n",
    status=3,
)
def at_exit_left_with_a_status(finalize: Finalize) -> None:
    finalize(keep(Thing()), print, "older")
    finalize(keep(Thing()), leave)
    finalize(keep(Thing()), print, "newer")
    sys.exit(3)


@scenario(
    differs=2,
    original="",
    lastly="older\n",
)
def at_exit_an_error_that_is_no_exception(finalize: Finalize) -> None:
    class Odd(BaseException):
        pass

    def raise_it() -> None:
        raise Odd

    finalize(keep(Thing()), print, "older")
    finalize(keep(Thing()), raise_it)


@scenario(
    differs=2,
    original="newer\nhook\n",
    lastly="newer\nhook\nolder\n",
)
def at_exit_the_hook_fails_too(finalize: Finalize) -> None:
    def hook(*_: object) -> None:
        print("hook")
        raise ValueError("of the hook")

    sys.excepthook = hook
    finalize(keep(Thing()), print, "older")
    finalize(keep(Thing()), fail)
    finalize(keep(Thing()), print, "newer")
