"""What holds when the exit function has run, and in the last moments of the interpreter."""

from __future__ import annotations

import atexit
import gc
import os
import sys
import threading
import weakref

from scenarios import Loud, Thing, attempt, keep, say, scenario

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable

    from scenarios import Finalize

    Write = Callable[[int, bytes], int]


@scenario()
def run_by_hand_it_is_final(finalize: Finalize) -> None:
    f = finalize(keep(Thing()), print, "older")
    off = finalize(keep(Thing()), print, "never")
    off.atexit = False
    atexit._run_exitfuncs()
    print(f.alive, off.alive)
    late = finalize(keep(Thing()), print, "never")
    print(late.alive, late.atexit, late.peek()[2], late)
    print(late(), late.alive, off(), off.alive)


@scenario()
def objects_that_die_late(finalize: Finalize) -> None:
    before, thing = Thing(), Thing()
    finalize(before, print, "never").atexit = False
    finalize(keep(Thing()), print, "in time")
    finalize._exitfunc()
    f = finalize(thing, print, "never")
    del before, thing
    print(f.alive)


@scenario()
def what_dies_late_is_let_go(finalize: Finalize) -> None:
    finalize._exitfunc()
    thing = Thing()
    finalize(thing, print, Loud("argument"))
    print("before")
    del thing
    print("after")
    f = finalize(keep(Thing()), print, Loud("another"))
    f()
    print("called")


@scenario()
def late_ones_can_be_detached(finalize: Finalize) -> None:
    finalize._exitfunc()
    f = finalize(keep(Thing()), print, 1, sep="-")
    print(f.detach()[2:], f.alive, f())


@scenario()
def with_nothing_to_run_it_is_final_too(finalize: Finalize) -> None:
    finalize._exitfunc()
    f = finalize(keep(Thing()), print, "never")
    print(f.alive, f())


@scenario()
def detached_by_another_when_its_object_dies_late(finalize: Finalize) -> None:
    thing = Thing()
    f = finalize(thing, print, "never")
    f.atexit = False
    reference = weakref.ref(thing, lambda _: print(f.detach()))
    finalize._exitfunc()
    del thing
    print(f.alive, reference())


@scenario()
def twice_by_hand(finalize: Finalize) -> None:
    finalize(keep(Thing()), print, "once")
    print(finalize._exitfunc())
    finalize(keep(Thing()), print, "never")
    print(finalize._exitfunc())


@scenario()
def it_can_be_seen(finalize: Finalize) -> None:
    print(finalize._shutdown)
    finalize(keep(Thing()), lambda: print(finalize._shutdown))
    finalize._exitfunc()
    print(finalize._shutdown)


@scenario()
def made_in_an_exit_handler_before(finalize: Finalize) -> None:
    """The handler runs before the exit function: what it makes runs."""
    finalize(keep(Thing()), print, "older")
    atexit.register(finalize, keep(Thing()), print, "made in the handler")


@scenario()
def made_in_an_exit_handler_after(finalize: Finalize) -> None:
    def handler() -> None:
        f = finalize(keep(Thing()), print, "never")
        print(f.alive, f.atexit, f(), f.alive)

    atexit.register(handler)
    finalize(keep(Thing()), print, "in time")


@scenario()
def first_made_in_an_exit_handler(finalize: Finalize) -> None:
    def handler() -> None:
        f = finalize(keep(Thing()), print, "at exit")
        print(f.alive)

    atexit.register(handler)


@scenario()
def first_made_in_an_exit_handler_and_called(finalize: Finalize) -> None:
    def handler() -> None:
        print(finalize(keep(Thing()), "result".upper)())
        thing = Thing()
        finalize(thing, print, "died")
        del thing

    atexit.register(handler)


@scenario()
def the_collector_is_on_again(finalize: Finalize) -> None:
    finalize(keep(Thing()), lambda: print(gc.isenabled()))
    finalize._exitfunc()
    print(gc.isenabled())


@scenario()
def the_collector_stays_off(finalize: Finalize) -> None:
    gc.disable()
    finalize(keep(Thing()), lambda: print(gc.isenabled()))
    finalize._exitfunc()
    print(gc.isenabled())


@scenario()
def the_collector_turned_on_by_a_callback(finalize: Finalize) -> None:
    gc.disable()
    finalize(keep(Thing()), lambda: print(gc.isenabled()))
    finalize(keep(Thing()), gc.enable)
    finalize._exitfunc()
    print(gc.isenabled())


@scenario()
def the_collector_turned_off_by_a_callback(finalize: Finalize) -> None:
    finalize(keep(Thing()), gc.disable)
    finalize._exitfunc()
    print(gc.isenabled())


@scenario()
def the_collector_with_nothing_to_run(finalize: Finalize) -> None:
    finalize._exitfunc()
    print(gc.isenabled())


@scenario()
def the_collector_after_an_error(finalize: Finalize) -> None:
    sys.excepthook = lambda *_: print("error", gc.isenabled())
    finalize(keep(Thing()), int, "x")
    finalize._exitfunc()
    print(gc.isenabled())


@scenario()
def a_global_object_with_the_flag_off(finalize: Finalize) -> None:
    finalize(keep(Thing()), os.write, 1, b"never\n").atexit = False
    say("end")


@scenario()
def a_cycle_with_the_flag_off(finalize: Finalize) -> None:
    thing = Thing()
    thing.itself = thing
    finalize(thing, os.write, 1, b"never\n").atexit = False
    say("end")


@scenario()
def its_arguments_with_the_flag_off(finalize: Finalize) -> None:
    finalize(keep(Thing()), print, Loud("argument"), Loud("another")).atexit = False
    finalize(keep(Thing()), print, x=Loud("keyword")).atexit = False
    say("end")


@scenario()
def its_arguments_when_made_late(finalize: Finalize) -> None:
    def handler() -> None:
        finalize(keep(Thing()), print, Loud("argument"))
        say("handled")

    atexit.register(handler)
    finalize(keep(Thing()), say, "in time")


@scenario()
def its_immortal_object_with_the_flag_off(finalize: Finalize) -> None:
    finalize(int, print, Loud("argument")).atexit = False
    say("end")


@scenario()
def a_handle_used_in_teardown(finalize: Finalize) -> None:
    class Late:
        def __init__(self) -> None:
            self.off = finalize(int, print, "never")
            self.off.atexit = False
            self.ran = finalize(int, say, "in time")

        def __del__(self, write: Write = os.write) -> None:
            seen = (self.off.alive, self.off(), self.ran.alive, self.ran.peek(), self.off.detach())
            write(1, f"{seen} {'dead' in repr(self.off)}\n".encode())

    keep(Late())


@scenario()
def one_made_in_teardown(finalize: Finalize) -> None:
    class Late:
        def __del__(self, finalize: Finalize = finalize, write: Write = os.write) -> None:
            f = finalize(int, write, 1, b"never\n")
            write(1, f"{f.alive} {f()} {f.alive}\n".encode())

    keep(Late())
    finalize(int, say, "in time")


@scenario()
def a_thread_local_object(finalize: Finalize) -> None:
    local = threading.local()

    def work() -> None:
        local.thing = Thing()
        finalize(local.thing, say, "gone with its thread")
        say("thread ends")

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    local.thing = keep(Thing())
    finalize(local.thing, say, "gone at exit")


@scenario()
def errors_when_it_is_final(finalize: Finalize) -> None:
    finalize._exitfunc()
    attempt(finalize, 1, print)
    attempt(finalize)
    attempt(finalize(keep(Thing()), int, "x"))
