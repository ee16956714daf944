"""Processes that are forked and spawned: who runs what."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

from scenarios import Thing, keep, load_in_child, say, scenario

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable

    from scenarios import Finalize


def in_a_child(work: Callable[[], object]) -> None:
    """Forks; the child does it and ends at once, the parent waits and says how."""
    pid = os.fork()
    if pid == 0:
        work()
        os._exit(0)
    say("child ended with", os.waitpid(pid, 0)[1])


@scenario()
def the_object_dies_in_the_child(finalize: Finalize) -> None:
    things = [Thing()]
    f = finalize(things[0], say, "dead")
    in_a_child(lambda: (things.clear(), say("alive in the child:", f.alive)))
    say("alive in the parent:", f.alive)


@scenario()
def called_in_the_child(finalize: Finalize) -> None:
    f = finalize(keep(Thing()), say, "called")
    in_a_child(lambda: (f(), f(), say("alive in the child:", f.alive)))
    say("alive in the parent:", f.alive)


@scenario()
def detached_in_the_child(finalize: Finalize) -> None:
    f = finalize(keep(Thing()), say, "at exit")
    in_a_child(lambda: say(f.detach()[2], f.alive))


@scenario()
def looked_at_in_the_child(finalize: Finalize) -> None:
    f = finalize(keep(Thing()), say, "at exit")
    in_a_child(lambda: say(f.alive, f.atexit, f.peek()[2], len(finalize._registry)))


@scenario()
def made_in_the_child(finalize: Finalize) -> None:
    def work() -> None:
        thing = Thing()
        finalize(thing, say, "of the child")
        del thing
        say("end of the child")

    finalize(keep(Thing()), say, "of the parent")
    in_a_child(work)


@scenario()
def the_child_ends_at_once(finalize: Finalize) -> None:
    finalize(keep(Thing()), say, "of the parent")
    in_a_child(lambda: finalize(keep(Thing()), say, "never"))


@scenario(
    differs=1,
    original="of the child\nof the parent\nparent goes on\nof the parent\n",
    lastly="of the child\nparent goes on\nof the parent\n",
)
def the_child_ends_as_programs_end(finalize: Finalize) -> None:
    finalize(keep(Thing()), say, "of the parent")
    if os.fork() == 0:
        finalize(keep(Thing()), say, "of the child")
        return
    os.wait()
    say("parent goes on")


@scenario(
    differs=1,
    original="of the parent\nstatus 3\nof the parent\n",
    lastly="status 3\nof the parent\n",
)
def the_child_ends_with_a_status(finalize: Finalize) -> None:
    finalize(keep(Thing()), say, "of the parent")
    if os.fork() == 0:
        sys.exit(3)
    say("status", os.wait()[1] >> 8)


@scenario(
    differs=1,
    original="grandchild\nchild\nparent\nchild\nparent\nparent\n",
    lastly="grandchild\nchild\nparent\n",
)
def a_child_of_a_child(finalize: Finalize) -> None:
    finalize(keep(Thing()), say, "parent")
    if os.fork() == 0:
        finalize(keep(Thing()), say, "child")
        if os.fork() == 0:
            finalize(keep(Thing()), say, "grandchild")
            return
        os.wait()
        return
    os.wait()


@scenario()
def only_the_child_makes_one(finalize: Finalize) -> None:
    if os.fork() == 0:
        finalize(keep(Thing()), say, "of the child")
        return
    os.wait()
    say("parent ends")


@scenario()
def a_daemon(finalize: Finalize) -> None:
    """Its parent ends at once, and ran nothing: the child is its heir."""
    finalize(keep(Thing()), say, "of the parent")
    parent = os.getpid()
    if os.fork() == 0:
        while os.getppid() == parent:
            os.sched_yield()
        say("the parent is gone")
        return
    say("the parent ends")
    os._exit(0)


@scenario()
def forked_in_a_callback(finalize: Finalize) -> None:
    def work() -> None:
        in_a_child(lambda: say("in the child", f.alive))

    thing = Thing()
    f = finalize(thing, work)
    del thing
    say("end", f.alive)


@scenario()
def forked_while_threads_make_them(finalize: Finalize) -> None:
    """No lock is left held in the child by a thread that is not there."""
    stop = threading.Event()

    def make() -> None:
        while not stop.is_set():
            finalize(Thing(), int)
            finalize(Thing, int).detach()

    threads = [threading.Thread(target=make) for _ in range(2)]
    for thread in threads:
        thread.start()
    for _ in range(20):
        pid = os.fork()
        if pid == 0:
            finalize(Thing(), int)
            finalize(Thing, int)()
            os._exit(7)
        assert os.waitpid(pid, 0)[1] >> 8 == 7
    stop.set()
    for thread in threads:
        thread.join()
    say("all ended")


def in_a_process(method: str, work: Callable[..., object], *args: object) -> None:
    """Lets `multiprocessing` do it, and says how that ended."""
    import multiprocessing

    process = multiprocessing.get_context(method).Process(target=work, args=args)
    process.start()
    process.join()
    say("joined", process.exitcode)


def own_cleanup() -> None:
    """The work of a process of `multiprocessing`."""
    load_in_child()(keep(Thing()), say, "of the process")
    say("working")


def own_cleanup_early(_: int) -> int:
    finalize = load_in_child()
    finalize(Thing(), say, "died in the process")
    return finalize(keep(Thing()), lambda: 7)()


@scenario()
def a_spawned_process(finalize: Finalize) -> None:
    finalize(keep(Thing()), say, "of the parent")
    in_a_process("spawn", own_cleanup)


@scenario(
    differs=1,
    original="working\njoined 0\nof the parent\n",
    lastly="working\nof the process\njoined 0\nof the parent\n",
)
def a_forked_process(finalize: Finalize) -> None:
    finalize(keep(Thing()), say, "of the parent")
    in_a_process("fork", own_cleanup)


@scenario()
def a_forked_process_with_nothing_of_its_own(finalize: Finalize) -> None:
    finalize(keep(Thing()), say, "of the parent")
    in_a_process("fork", say, "working")


@scenario()
def a_pool_of_processes(finalize: Finalize) -> None:
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor

    with ProcessPoolExecutor(1, multiprocessing.get_context("fork")) as pool:
        say(list(pool.map(own_cleanup_early, [1])))


@scenario()
def another_program(finalize: Finalize) -> None:
    finalize(keep(Thing()), say, "of the parent")
    program = "import weakref; weakref.finalize(weakref, print, 'of the program')"
    say(subprocess.run([sys.executable, "-c", program], capture_output=True).stdout)
