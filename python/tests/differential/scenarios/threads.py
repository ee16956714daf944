"""Finalizers shared by threads: where callbacks run, and that each runs once."""

from __future__ import annotations

import gc
import queue
import sys
import threading

from scenarios import Loud, Thing, keep, scenario

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable

    from scenarios import Finalize


def on_threads(count: int, work: Callable[[int], object]) -> None:
    """Runs it on so many threads that begin together, and waits for them."""
    barrier = threading.Barrier(count)

    def begin(number: int) -> None:
        barrier.wait()
        work(number)

    threads = [threading.Thread(target=begin, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@scenario()
def runs_where_the_object_dies(finalize: Finalize) -> None:
    things = [Thing()]
    finalize(things[0], lambda: print(threading.current_thread().name))
    thread = threading.Thread(target=things.clear, name="another")
    thread.start()
    thread.join()
    print("joined")


@scenario()
def runs_where_it_is_called(finalize: Finalize) -> None:
    f = finalize(keep(Thing()), lambda: print(threading.current_thread().name))
    thread = threading.Thread(target=f, name="another")
    thread.start()
    thread.join()
    print(f.alive)


@scenario()
def runs_in_the_main_thread_at_exit(finalize: Finalize) -> None:
    def work() -> None:
        finalize(keep(Thing()), lambda: print(threading.current_thread().name))

    on_threads(1, lambda _: work())


@scenario()
def order_over_threads(finalize: Finalize) -> None:
    turns: queue.Queue[Any] = queue.Queue()
    done: queue.Queue[Any] = queue.Queue()

    def work() -> None:
        for words in iter(turns.get, None):
            finalize(keep(Thing()), print, words)
            done.put(None)

    thread = threading.Thread(target=work)
    thread.start()
    for number in range(4):
        finalize(keep(Thing()), print, number, "main")
        turns.put(f"{number} thread")
        done.get()
    turns.put(None)
    thread.join()


@scenario()
def is_called_by_many_and_runs_once(finalize: Finalize) -> None:
    ran: list[int] = []
    finalizers = [finalize(keep(Thing()), ran.append, number) for number in range(500)]

    def call(_: int) -> None:
        for f in finalizers:
            f()

    on_threads(8, call)
    print(len(ran), len(set(ran)), any(f.alive for f in finalizers))


@scenario()
def is_called_or_detached(finalize: Finalize) -> None:
    ran: list[int] = []
    detached: list[int] = []
    finalizers = [finalize(keep(Thing()), ran.append, number) for number in range(500)]

    def work(number: int) -> None:
        for f in finalizers:
            if number % 2:
                f()
            elif given := f.detach():
                detached.extend(given[2])

    on_threads(8, work)
    print(len(ran) + len(detached), len({*ran, *detached}))


@scenario()
def is_called_or_dies(finalize: Finalize) -> None:
    ran: list[int] = []
    things = [Thing() for _ in range(500)]
    finalizers = [finalize(thing, ran.append, number) for number, thing in enumerate(things)]

    def work(number: int) -> None:
        for index in range(len(things)):
            if number % 2:
                things[index] = None
            else:
                finalizers[index]()

    on_threads(4, work)
    print(len(ran), len(set(ran)))


@scenario()
def is_looked_at_while_it_dies(finalize: Finalize) -> None:
    ran: list[int] = []
    things = [Thing() for _ in range(500)]
    finalizers = [finalize(thing, ran.append, number) for number, thing in enumerate(things)]
    looks: set[bool] = set()

    def work(number: int) -> None:
        for index, f in enumerate(finalizers):
            if number % 2:
                things[index] = None
            else:
                look = f.peek()
                looks.add(look is None or look[2] == (index,))
                repr(f)

    on_threads(4, work)
    print(len(ran), len(set(ran)), looks)


@scenario()
def all_made_by_threads_run(finalize: Finalize) -> None:
    ran: list[int] = []

    def work(number: int) -> None:
        for index in range(500):
            finalize(Thing(), ran.append, index)
            finalize(keep(Thing()), ran.append, index)

    on_threads(4, work)
    print(len(ran), len(finalize._registry))
    finalize._exitfunc()
    print(len(ran), len(finalize._registry))


@scenario()
def the_registry_is_read_meanwhile(finalize: Finalize) -> None:
    """Only its length and membership: a dictionary that changes cannot be iterated."""

    def work(number: int) -> None:
        for _ in range(500):
            f = finalize(keep(Thing()), int)
            assert f in finalize._registry
            assert len(finalize._registry) > 0
            f.detach()
            assert f not in finalize._registry

    on_threads(4, work)
    print(len(finalize._registry))


@scenario()
def the_main_thread_waits_in_a_callback(finalize: Finalize) -> None:
    """Another thread makes and ends finalizers meanwhile: nothing is locked."""

    def on_another_thread() -> None:
        finalize(Thing(), print, "made and died")
        finalize(keep(Thing()), print, "made and called")()
        print(finalize(keep(Thing()), print, "made and detached").detach()[2])
        print(len(finalize._registry))

    def work() -> None:
        on_threads(1, lambda _: on_another_thread())
        print("joined")

    thing = Thing()
    finalize(thing, work)
    del thing


@scenario()
def a_callback_ends_while_another_runs(finalize: Finalize) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def slow() -> None:
        begun.set()
        go_on.wait()
        print("slow one ends")

    f = finalize(keep(Thing()), slow)
    thread = threading.Thread(target=f)
    thread.start()
    begun.wait()
    print(f.alive, f())
    finalize(Thing(), print, "another one runs")
    go_on.set()
    thread.join()


@scenario()
def a_lock_that_the_dropping_thread_holds(finalize: Finalize) -> None:
    lock = threading.RLock()

    def work() -> None:
        with lock:
            print("locked again")

    thing = Thing()
    finalize(thing, work)
    with lock:
        del thing
    print("end")


@scenario()
def what_a_thread_held_goes_with_it(finalize: Finalize) -> None:
    local = threading.local()

    def work(_: int) -> None:
        local.thing = Thing()
        finalize(local.thing, print, "gone")

    on_threads(1, work)
    gc.collect()
    print("joined")


@scenario()
def a_pool_of_threads(finalize: Finalize) -> None:
    ran: list[int] = []

    def work(number: int) -> int:
        finalize(Thing(), ran.append, number)
        return number

    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(4) as pool:
        print(sum(pool.map(work, range(200))))
    print(sorted(ran) == list(range(200)))


@scenario()
def errors_are_reported_where_they_happen(finalize: Finalize) -> None:
    def hook(args: Any) -> None:
        print(threading.current_thread().name, args.exc_type.__name__)

    sys.unraisablehook = hook
    things = [Thing()]
    finalize(things[0], int, "x")
    thread = threading.Thread(target=things.clear, name="another")
    thread.start()
    thread.join()


@scenario()
def a_timer(finalize: Finalize) -> None:
    f = finalize(keep(Thing()), print, "on the timer", Loud("argument").name)
    timer = threading.Timer(0, f)
    timer.start()
    timer.join()
    print(f.alive)
