"""The weak reference of a finalizer: it is public, by way of its object."""

from __future__ import annotations

import weakref

from scenarios import Loud, Thing, keep, scenario

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scenarios import Finalize


@scenario()
def its_callback_is_the_finalizer(finalize: Finalize) -> None:
    thing = keep(Thing())
    f = finalize(thing, int)
    (reference,) = weakref.getweakrefs(thing)
    print(type(reference), reference() is thing, reference.__callback__ is f)


@scenario()
def one_for_each_newest_first(finalize: Finalize) -> None:
    thing = keep(Thing())
    all_made = [finalize(thing, int) for _ in range(4)]
    print([all_made.index(each.__callback__) for each in weakref.getweakrefs(thing)])


@scenario()
def counts(finalize: Finalize) -> None:
    thing = keep(Thing())
    print(weakref.getweakrefcount(thing))
    first, second, third = (finalize(thing, int) for _ in range(3))
    print(weakref.getweakrefcount(thing))
    first()
    print(weakref.getweakrefcount(thing))
    second.detach()
    print(weakref.getweakrefcount(thing))
    third.peek()
    print(weakref.getweakrefcount(thing))


@scenario()
def count_in_the_callback(finalize: Finalize) -> None:
    thing = keep(Thing())
    finalize(thing, lambda: print(weakref.getweakrefcount(thing)))()
    print(weakref.getweakrefcount(thing))


@scenario()
def count_at_exit(finalize: Finalize) -> None:
    thing = keep(Thing())
    for _ in range(3):
        finalize(thing, lambda: print(weakref.getweakrefcount(thing)))


@scenario()
def leaves_the_plain_reference_alone(finalize: Finalize) -> None:
    thing = keep(Thing())
    plain = weakref.ref(thing)
    f = finalize(thing, int)
    print(weakref.ref(thing) is plain, weakref.getweakrefcount(thing))
    f.detach()
    print(weakref.getweakrefs(thing) == [plain], plain() is thing)


@scenario()
def is_not_the_plain_reference(finalize: Finalize) -> None:
    thing = keep(Thing())
    finalize(thing, int)
    plain = weakref.ref(thing)
    print(plain.__callback__, plain in weakref.getweakrefs(thing), len(weakref.getweakrefs(thing)))


@scenario()
def finds_a_function(finalize: Finalize) -> None:
    """So does a test-suite that looks for the finalizers of a file system."""

    def close_session() -> None:
        print("closed")

    thing = Thing()
    finalize(thing, close_session)
    for reference in weakref.getweakrefs(thing):
        f = reference.__callback__
        if isinstance(f, weakref.finalize) and f.peek()[1].__name__ == "close_session":
            f.detach()
    del f, reference, thing
    print("nothing ran")


@scenario()
def kept_beyond_the_end(finalize: Finalize) -> None:
    thing = Thing()
    f = finalize(thing, print, "ran")
    (reference,) = weakref.getweakrefs(thing)
    f.detach()
    print(reference() is thing, reference.__callback__ is f, weakref.getweakrefcount(thing))
    del thing
    print(reference(), reference.__callback__)


@scenario()
def kept_beyond_the_object(finalize: Finalize) -> None:
    thing = Thing()
    finalize(thing, print, "ran")
    (reference,) = weakref.getweakrefs(thing)
    del thing
    print(reference(), reference.__callback__)


@scenario()
def called_back_by_hand(finalize: Finalize) -> None:
    thing = keep(Thing())
    f = finalize(thing, print, "ran")
    (reference,) = weakref.getweakrefs(thing)
    reference.__callback__(reference)
    print(f.alive, reference() is thing)
    reference.__callback__(reference)


@scenario()
def is_dead_when_the_callback_runs(finalize: Finalize) -> None:
    thing = Thing()
    plain = weakref.ref(thing)
    proxy = weakref.proxy(thing)

    def look() -> None:
        print(plain(), f.peek())
        try:
            print(proxy.name)
        except ReferenceError as error:
            print(error)

    f = finalize(thing, look)
    del thing


@scenario()
def several_are_dead_at_once(finalize: Finalize) -> None:
    thing = Thing()
    finalize(thing, lambda: print("older"))
    finalize(thing, lambda: print(older.alive, older.peek(), older(), "newest"))
    older = finalize(thing, print, "never by itself", end=" ")
    finalize(thing, lambda: print(older.alive, older.peek(), older.detach(), older.atexit, older))
    del thing
    print(older.alive)


@scenario()
def detached_by_a_newer_one(finalize: Finalize) -> None:
    """The object is gone, so there is nothing to detach any more, and the older one runs."""
    thing = Thing()
    older = finalize(thing, print, "older")
    finalize(thing, lambda: print(older.detach(), older.alive))
    del thing


@scenario()
def a_method_reference(finalize: Finalize) -> None:
    class Worker:
        def work(self) -> None:
            print("working")

    worker = Worker()
    method = weakref.WeakMethod(worker.work)
    finalize(worker, lambda: print("finalizer", method()))
    method()()
    del worker


@scenario()
def another_as_the_callback(finalize: Finalize) -> None:
    thing = Thing()
    plain = weakref.ref(thing, finalize(keep(Thing()), print, "called by another reference"))
    del thing
    print(plain())


@scenario()
def is_let_go_before_the_arguments(finalize: Finalize) -> None:
    class Counting(Loud):
        def __del__(self) -> None:
            print("argument goes", weakref.getweakrefcount(thing))

    thing = keep(Thing())
    finalize(thing, int, Counting("argument")).detach()
    print(weakref.getweakrefcount(thing))


@scenario()
def comparing_it(finalize: Finalize) -> None:
    thing = keep(Thing())
    finalize(thing, int)
    finalize(thing, int)
    first, second = weakref.getweakrefs(thing)
    print(first == second, hash(first) == hash(thing), first is second)
