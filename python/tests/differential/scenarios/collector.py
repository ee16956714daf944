"""Reference cycles, resurrection, long chains, and the collector's own switches."""

from __future__ import annotations

import gc
import sys
import weakref
from functools import partial

from scenarios import Loud, Thing, keep, report_unraisable, scenario

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from scenarios import Finalize


def cycle(thing: Any) -> Any:
    """Makes it garbage that only the collector can find."""
    thing.itself = thing
    return thing


@scenario()
def a_cycle_is_collected(finalize: Finalize) -> None:
    gc.disable()
    f = finalize(cycle(Thing()), print, "ran")
    print(f.alive, f.peek() is not None)
    gc.collect()
    print(f.alive)


@scenario()
def a_cycle_is_collected_by_itself(finalize: Finalize) -> None:
    alive = True

    def stop() -> None:
        nonlocal alive
        alive = False

    finalize(cycle(Thing()), stop)
    things = []
    while alive:
        things.append(Thing())
    print("ran")


@scenario()
def callbacks_come_before_del(finalize: Finalize) -> None:
    gc.disable()
    first, second = Loud("first"), Loud("second")
    first.other, second.other = second, first
    finalize(first, lambda: print("of the first"))
    finalize(second, lambda: print("of the second"))
    del first, second
    gc.collect()


@scenario()
def a_cycle_holds_a_plain_object(finalize: Finalize) -> None:
    gc.disable()
    thing = cycle(Thing())
    thing.part = Thing()
    finalize(thing.part, print, "of the part")
    finalize(thing, print, "of the whole")
    del thing
    gc.collect()


@scenario()
def a_cycle_holds_its_finalizer(finalize: Finalize) -> None:
    gc.disable()
    thing = cycle(Thing())
    thing.f = finalize(thing, print, "ran")
    del thing
    gc.collect()
    print("collected")


@scenario()
def a_cycle_of_a_class(finalize: Finalize) -> None:
    gc.disable()
    local = type("Local", (), {"method": lambda self: None})
    finalize(local, print, "class is gone")
    finalize(local.method, print, "method is gone")
    del local
    print("before")
    gc.collect()


@scenario()
def arguments_in_a_cycle(finalize: Finalize) -> None:
    gc.disable()
    thing, argument = Thing(), cycle(Loud("argument"))
    finalize(thing, print, "ran:", argument.name)
    finalize(thing, lambda argument: print("using the", argument.name), argument)
    del argument
    gc.collect()
    print("collected")
    del thing
    print("dead")
    gc.collect()


@scenario()
def an_argument_that_leads_to_the_object(finalize: Finalize) -> None:
    thing, box = Thing(), []
    box.append(thing)
    f = finalize(thing, lambda box: print("at exit", len(box)), box)
    del thing, box
    gc.collect()
    print(f.alive)


@scenario()
def a_bound_method_of_the_object(finalize: Finalize) -> None:
    class Worker:
        def work(self) -> None:
            print("at exit")

    worker = Worker()
    f = finalize(worker, worker.work)
    del worker
    gc.collect()
    print(f.alive)


@scenario(
    differs=4,
    original="[]\n",
    lastly="['SelfReferenceWarning']\n",
)
def a_bound_method_of_the_object_with_warnings(finalize: Finalize) -> None:
    import warnings

    thing = keep(Thing())
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        finalize(thing, thing.__init__)
    print([warning.category.__name__ for warning in caught])


@scenario(
    differs=4,
    original="True True\n",
    lastly="ResourceWarning\nTrue True\n",
)
def the_object_among_its_arguments_is_an_error(finalize: Finalize) -> None:
    """Made an error, the warning prevents nothing but the finalizer itself."""
    import warnings

    warnings.simplefilter("error")
    thing = Thing()
    try:
        finalize(thing, print, thing).detach()
    except ResourceWarning:
        print("ResourceWarning")
    print(len(finalize._registry) == 0, weakref.getweakrefcount(thing) == 0)


@scenario()
def no_warning_for_parts_of_the_object(finalize: Finalize) -> None:
    import warnings

    warnings.simplefilter("error")
    thing = Thing()
    thing.values = [1]
    finalize(thing, thing.values.clear)
    finalize(thing, print, thing.values)
    del thing


@scenario()
def resurrected_by_del(finalize: Finalize) -> None:
    class Phoenix:
        def __del__(self) -> None:
            print("rises", f.alive)
            things.append(self)

    things: list[Any] = []
    thing = Phoenix()
    f = finalize(thing, print, "ran")
    del thing
    print("still there", f.alive, f.peek()[0] is things[0])
    things.clear()
    print(f.alive)


@scenario()
def resurrected_in_a_cycle(finalize: Finalize) -> None:
    class Phoenix:
        def __del__(self) -> None:
            print("rises", f.alive)
            things.append(self)

    gc.disable()
    things: list[Any] = []
    f = finalize(cycle(Phoenix()), print, "ran")
    gc.collect()
    print("still there", f.alive, len(things))
    g = finalize(things[0], print, "made for the risen")
    things.clear()
    gc.collect()
    print(g.alive)


@scenario()
def detached_by_del(finalize: Finalize) -> None:
    class Closing:
        def __del__(self) -> None:
            print("detaching", f.detach()[1] is print)

    thing = Closing()
    f = finalize(thing, print, "never")
    del thing
    print(f.alive)


@scenario()
def called_by_del(finalize: Finalize) -> None:
    class Closing:
        def __del__(self) -> None:
            print(self.f(), self.f())

    thing = Closing()
    thing.f = finalize(thing, "result".upper)
    del thing


@scenario()
def made_by_del(finalize: Finalize) -> None:
    class Late:
        def __del__(self) -> None:
            f = finalize(self, print, "ran")
            print("made", f.alive)

    Late()
    print("end")


@scenario()
def made_by_del_in_a_cycle(finalize: Finalize) -> None:
    class Late:
        def __del__(self) -> None:
            f = finalize(self, print, "ran")
            print("made", f.alive)

    gc.disable()
    cycle(Late())
    gc.collect()
    print("end")


@scenario()
def a_chain_of_arguments(finalize: Finalize) -> None:
    """Each object is kept alive by the arguments of the one before."""
    count = [0]

    def work(count: list[int], thing: Thing) -> None:
        count[0] += 1

    first = last = Thing()
    for _ in range(100_000):
        following = Thing()
        finalize(last, work, count, following)
        last = following
    del last, following
    print(count)
    del first
    print(count, len(finalize._registry))


@scenario()
def a_chain_of_keywords_and_functions(finalize: Finalize) -> None:
    count = [0]

    def work(thing: Any) -> None:
        count[0] += 1

    first = last = Thing()
    for number in range(50_000):
        following = Thing()
        if number % 2:
            finalize(last, work, thing=following)
        else:
            finalize(last, partial(work, following))
        last = following
    del last, following, first
    print(count, len(finalize._registry))


@scenario()
def a_chain_of_the_detached(finalize: Finalize) -> None:
    """Nothing runs; letting go of the first must not exhaust the stack either."""
    first = last = Thing()
    finalizers = []
    for _ in range(100_000):
        following = Thing()
        last.f = finalize(last, print, following)
        finalizers.append(last.f)
        last = following
    del last, following
    for f in finalizers:
        f.atexit = False
    del f, finalizers
    finalize._registry.clear()
    del first
    print(len(finalize._registry))


@scenario()
def a_chain_of_subclasses(finalize: Finalize) -> None:
    class Special(finalize):
        pass

    count = [0]

    def work(thing: Thing) -> None:
        count[0] += 1

    first = last = Thing()
    for _ in range(20_000):
        following = Thing()
        Special(last, work, following)
        last = following
    del last, following, first
    print(count)


@scenario()
def a_chain_of_objects(finalize: Finalize) -> None:
    count = [0]

    def work() -> None:
        count[0] += 1

    first = last = Thing()
    for _ in range(100_000):
        last.following = Thing()
        last = last.following
        finalize(last, work)
    del last, first
    print(count)


@scenario()
def a_chain_of_errors(finalize: Finalize) -> None:
    """Each error holds the next object, by its frame."""
    report_unraisable()

    def work(left: int, thing: Any) -> None:
        following = Thing()
        if left:
            finalize(following, work, left - 1, thing)
        raise ValueError(left)

    thing = Thing()
    finalize(thing, work, 5, Loud("argument"))
    del thing
    print("end")


@scenario()
def frozen(finalize: Finalize) -> None:
    things = [cycle(Thing()), Thing()]
    finalize(things[0], print, "of the cycle")
    finalize(things[1], print, "of the other")
    gc.freeze()
    things.clear()
    gc.collect()
    print("collected")
    gc.unfreeze()
    gc.collect()
    print("thawed")


@scenario()
def frozen_until_the_end(finalize: Finalize) -> None:
    finalize(cycle(Thing()), print, "of the cycle")
    finalize(keep(Thing()), print, "of the other")
    gc.freeze()


@scenario()
def collected_at_every_allocation(finalize: Finalize) -> None:
    count = [0]

    def work(*_: object, **__: object) -> None:
        count[0] += 1

    gc.set_threshold(1)
    for number in range(500):
        thing = cycle(Thing())
        finalize(thing, work)
        finalize(thing, work, [number], number=[number])
        finalize(thing, work).detach()
        finalize(Thing(), work, number)
    del thing
    gc.set_threshold(700)
    gc.collect()
    print(count, len(finalize._registry))


@scenario()
def disabled(finalize: Finalize) -> None:
    gc.disable()
    finalize(cycle(Thing()), print, "of the cycle, at exit")
    finalize(Thing(), print, "of the other")
    print(gc.isenabled())


@scenario()
def in_a_hook_of_the_collector(finalize: Finalize) -> None:
    def hook(phase: str, info: Any) -> None:
        thing = Thing()
        finalize(thing, seen.append, phase)

    seen: list[str] = []
    gc.disable()
    finalize(cycle(Thing()), seen.append, "ran")
    gc.callbacks.append(hook)
    gc.collect()
    gc.callbacks.clear()
    print(seen)


@scenario()
def collected_in_a_callback(finalize: Finalize) -> None:
    gc.disable()
    finalize(cycle(Thing()), print, "of the cycle")
    thing = Thing()
    finalize(thing, lambda: (gc.collect(), print("collected")))
    finalize(thing, print, "newer")
    del thing


@scenario()
def collected_in_a_callback_of_the_collector(finalize: Finalize) -> None:
    gc.disable()
    finalize(cycle(Thing()), lambda: print("nested", gc.collect()))
    finalize(cycle(Thing()), print, "another")
    gc.collect()
    gc.collect()
    print("end")


@scenario()
def the_object_is_the_last_referrer_of_all(finalize: Finalize) -> None:
    class Owner:
        def __init__(self) -> None:
            self.f = finalize(self, print, "ran", Loud("argument"))

    owner = Owner()
    print(sys.getrefcount(owner) - 1)
    del owner
    print("end")
