"""The ends of a program: which of them run what is left, and what holds meanwhile."""

from __future__ import annotations

import atexit
import gc
import os
import sys
import threading
import weakref

from scenarios import Loud, Thing, keep, say, scenario

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scenarios import Finalize


@scenario()
def by_its_last_line(finalize: Finalize) -> None:
    finalize(keep(Thing()), print, "cleaned")
    print("last line")


@scenario(status=3)
def by_a_status(finalize: Finalize) -> None:
    finalize(keep(Thing()), print, "cleaned")
    sys.exit(3)


@scenario(status=1, complains=True)
def by_a_message(finalize: Finalize) -> None:
    finalize(keep(Thing()), print, "cleaned")
    sys.exit("the reason")


@scenario(status=1, complains=True)
def by_an_error(finalize: Finalize) -> None:
    finalize(keep(Thing()), print, "cleaned")
    raise ValueError("uncaught")


@scenario(status=1, complains=True)
def by_an_error_that_holds_the_object(finalize: Finalize) -> None:
    thing = Thing()
    finalize(thing, print, "cleaned")
    raise ValueError("uncaught")


@scenario(status=7)
def without_warning(finalize: Finalize) -> None:
    finalize(keep(Thing()), say, "never")
    say("ending")
    os._exit(7)


@scenario()
def by_another_program(finalize: Finalize) -> None:
    finalize(keep(Thing()), say, "never")
    say("going over")
    os.execv(sys.executable, [sys.executable, "-c", "print('the other program')"])


@scenario()
def while_another_thread_works(finalize: Finalize) -> None:
    go_on = threading.Event()

    def work() -> None:
        go_on.wait()
        print("thread ends")

    finalize(keep(Thing()), print, "cleaned")
    threading.Thread(target=work).start()
    print("main ends")
    go_on.set()


@scenario()
def while_a_daemon_waits(finalize: Finalize) -> None:
    def work() -> None:
        finalize(keep(Thing()), print, "of the daemon")
        made.set()
        threading.Event().wait()

    made = threading.Event()
    threading.Thread(target=work, daemon=True).start()
    made.wait()
    finalize(keep(Thing()), print, "of the main thread")


@scenario()
def everything_is_there_still(finalize: Finalize) -> None:
    thing = keep(Thing())

    def look() -> None:
        print(f.alive, f.atexit, f.peek(), f.detach(), f(), "dead" in repr(f))
        print(type(weakref.ref(thing)()).__name__, threading.current_thread().name)

    f = finalize(thing, look)


@scenario()
def others_are_alive_still(finalize: Finalize) -> None:
    older = finalize(keep(Thing()), print, "older")
    off = finalize(keep(Thing()), print, "off")
    off.atexit = False

    def look() -> None:
        for f in (older, off, newer):
            print(f.alive, f.atexit, f.peek() and f.peek()[2])

    finalize(keep(Thing()), look)
    newer = finalize(keep(Thing()), print, "newer")


@scenario()
def others_may_be_called(finalize: Finalize) -> None:
    older = finalize(keep(Thing()), "result of the {}".format, "older")
    off = finalize(keep(Thing()), "result of the {}".format, "off")
    off.atexit = False
    finalize(keep(Thing()), lambda: print(older(), off(), newer()))
    newer = finalize(keep(Thing()), print, "newer")


@scenario()
def others_may_be_detached(finalize: Finalize) -> None:
    older = finalize(keep(Thing()), print, "never")
    finalize(keep(Thing()), lambda: print(older.detach()[2], older.alive))


@scenario()
def objects_may_die_meanwhile(finalize: Finalize) -> None:
    things = [Thing(), Thing()]
    finalize(keep(Thing()), print, "oldest")
    finalize(things[0], print, "died")
    finalize(things[1], print, "died, flag is off").atexit = False
    finalize(keep(Thing()), lambda: (things.clear(), print("cleared")))


@scenario()
def objects_may_be_made_and_die_meanwhile(finalize: Finalize) -> None:
    def work() -> None:
        thing = Thing()
        finalize(thing, print, "died")
        del thing
        print("worked")

    finalize(keep(Thing()), print, "oldest")
    finalize(keep(Thing()), work)


@scenario()
def cycles_are_not_collected_meanwhile(finalize: Finalize) -> None:
    def make_garbage() -> None:
        print(gc.isenabled())
        for _ in range(10_000):
            garbage = []
            garbage.append(garbage)
        print("made")

    thing = Thing()
    thing.itself = thing
    finalize(keep(Thing()), make_garbage)
    finalize(thing, print, "of the cycle").atexit = False
    del thing


@scenario()
def cycles_may_be_collected_by_hand(finalize: Finalize) -> None:
    thing = Thing()
    thing.itself = thing
    finalize(keep(Thing()), print, "oldest")
    finalize(thing, print, "of the cycle").atexit = False
    finalize(keep(Thing()), lambda: (gc.collect(), print("collected")))
    del thing


@scenario()
def arguments_go_one_by_one(finalize: Finalize) -> None:
    def work(loud: Loud) -> None:
        say("using the", loud.name)

    finalize(keep(Thing()), work, Loud("first"))
    finalize(keep(Thing()), work, Loud("second"))


@scenario()
def standard_streams_can_be_used(finalize: Finalize) -> None:
    finalize(keep(Thing()), sys.stdout.flush)
    finalize(keep(Thing()), sys.stdout.write, "written\n")


@scenario()
def modules_can_be_imported(finalize: Finalize) -> None:
    def work() -> None:
        import colorsys

        print(colorsys.__name__, __name__)

    finalize(keep(Thing()), work)


@scenario()
def a_file_can_be_closed(finalize: Finalize) -> None:
    file = open(os.devnull)
    finalize(keep(Thing()), lambda: print(file.closed))
    finalize(file, file.close)


@scenario()
def exiting_in_a_call_meanwhile(finalize: Finalize) -> None:
    def work() -> None:
        try:
            sys.exit(9)
        except SystemExit as error:
            print("caught", error.code)

    finalize(keep(Thing()), print, "older")
    finalize(keep(Thing()), work)


@scenario()
def threads_can_be_started_where_python_allows_it(finalize: Finalize) -> None:
    def work() -> None:
        thread = threading.Thread(target=print, args=("on a thread",))
        try:
            thread.start()
            thread.join()
        except RuntimeError as error:
            print(error)

    finalize(keep(Thing()), print, "older")
    finalize(keep(Thing()), work)


@scenario()
def one_made_by_another_thread_meanwhile(finalize: Finalize) -> None:
    """A daemon thread makes one while a callback waits for it. Which place it gets is not told."""
    turn, done = threading.Event(), threading.Event()
    ran: list[str] = []

    def daemon() -> None:
        turn.wait()
        finalize(keep(Thing()), ran.append, "made by the daemon")
        done.set()
        threading.Event().wait()

    atexit.register(lambda: print(sorted(ran)))
    threading.Thread(target=daemon, daemon=True).start()
    finalize(keep(Thing()), ran.append, "older")
    finalize(keep(Thing()), lambda: (turn.set(), done.wait()))


@scenario()
def one_called_by_another_thread_meanwhile(finalize: Finalize) -> None:
    turn, done = threading.Event(), threading.Event()

    def daemon() -> None:
        turn.wait()
        older()
        done.set()
        threading.Event().wait()

    older = finalize(keep(Thing()), lambda: print(threading.current_thread().name))
    threading.Thread(target=daemon, daemon=True, name="the daemon").start()
    finalize(keep(Thing()), lambda: (turn.set(), done.wait(), print("waited", older.alive)))
