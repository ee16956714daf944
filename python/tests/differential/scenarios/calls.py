"""`__call__` of a subclass, and calls of `__init__` and `__new__` by hand."""

from __future__ import annotations

import weakref

from scenarios import (
    Loud,
    Thing,
    attempt,
    keep,
    kind_of_error,
    report_uncaught,
    report_unraisable,
    scenario,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from scenarios import Finalize


def noisy_subclass(finalize: Finalize) -> Any:
    """Says with what it is called."""

    class Noisy(finalize):
        def __call__(self, *args: Any) -> Any:
            shown = [
                "dead reference" if isinstance(arg, weakref.ref) and arg() is None else arg
                for arg in args
            ]
            print("called with", shown, "alive:", self.alive)
            return super().__call__(*args)

    return Noisy


@scenario()
def at_death_it_gets_the_dead_reference(finalize: Finalize) -> None:
    thing = Thing()
    noisy_subclass(finalize)(thing, print, "ran")
    del thing


@scenario()
def at_exit_it_gets_nothing(finalize: Finalize) -> None:
    noisy_subclass(finalize)(keep(Thing()), print, "ran")


@scenario()
def by_hand_it_gets_what_is_given(finalize: Finalize) -> None:
    f = noisy_subclass(finalize)(keep(Thing()), "result".upper)
    print(f())
    print(f(1))
    kind_of_error(f, 1, 2)


@scenario()
def it_may_do_nothing(finalize: Finalize) -> None:
    class Silent(finalize):
        def __call__(self, *args: object) -> None:
            print("not now")

    thing = Thing()
    f = Silent(thing, print, "never")
    f()
    del thing
    print(f.alive, f.peek(), f.detach(), f.atexit, "dead" in repr(f), len(finalize._registry))
    finalize.__call__(f)


@scenario()
def it_may_run_later(finalize: Finalize) -> None:
    """So do programs that put off cleanups to a thread or an event loop."""

    class Later(finalize):
        def __call__(self, *args: object) -> None:
            waiting.append(self)

    waiting: list[Any] = []
    thing = Thing()
    Later(thing, print, "ran")
    del thing
    print("dead", len(waiting), waiting[0].alive, waiting[0].peek())
    finalize.__call__(waiting[0])
    print(waiting[0].alive)


@scenario()
def it_may_fail(finalize: Finalize) -> None:
    class Failing(finalize):
        def __call__(self, *args: object) -> None:
            super().__call__(*args)
            raise ValueError("of the subclass")

    report_unraisable()
    report_uncaught()
    thing = Thing()
    Failing(thing, print, "at death")
    del thing
    finalize(keep(Thing()), print, "older")
    Failing(keep(Thing()), print, "at exit")


@scenario()
def it_may_wrap_the_result(finalize: Finalize) -> None:
    class Wrapping(finalize):
        def __call__(self, *args: object) -> Any:
            return [super().__call__(*args), self.note]

    f = Wrapping(keep(Thing()), lambda: "result")
    f.note = "note"
    print(f(), f())


@scenario()
def it_may_detach(finalize: Finalize) -> None:
    class Detaching(finalize):
        def __call__(self, *args: object) -> None:
            print("detached", self.detach())
            print(super().__call__(*args))

    thing = Thing()
    Detaching(thing, lambda: "result")()
    Detaching(thing, print, "ran")
    del thing


@scenario()
def it_is_looked_up_on_the_class(finalize: Finalize) -> None:
    class Special(finalize):
        pass

    thing = Thing()
    f = Special(thing, print, "ran")
    f.__call__ = lambda *_: print("never")
    del thing
    g = Special(keep(Thing()), print, "ran")
    Special.__call__ = lambda self, *args: print("replaced", len(args))
    g()
    finalize._registry.clear()


@scenario()
def it_is_replaced_on_the_class_itself(finalize: Finalize) -> None:
    call = finalize.__call__

    def noisy(self: Any, *args: Any) -> Any:
        print("called with", len(args))
        return call(self, *args)

    thing = Thing()
    f = finalize(thing, print, "by hand")
    finalize(thing, print, "at death")
    finalize(keep(Thing()), print, "at exit")
    finalize.__call__ = noisy
    f()
    del thing


@scenario()
def bare(finalize: Finalize) -> None:
    f = finalize.__new__(finalize)
    print(f.alive, f.atexit, f.peek(), f.detach(), f(), f, bool(f), f == f, hash(f) == hash(f))
    f.atexit = True
    print(f.atexit, f in finalize._registry, len(finalize._registry))


@scenario()
def bare_and_then_made(finalize: Finalize) -> None:
    f = finalize.__new__(finalize)
    thing = Thing()
    print(f.__init__(thing, print, "ran"), f.alive)
    del thing
    print(f)


@scenario()
def bare_with_arguments(finalize: Finalize) -> None:
    f = finalize.__new__(finalize, keep(Thing()), print, "never", sep="-")
    print(f.alive, f())


@scenario()
def made_twice(finalize: Finalize) -> None:
    first, second = Thing(), Thing()
    f = finalize(first, print, "first", Loud("argument"))
    f.atexit = False
    f.__init__(second, print, "second", end="!\n")
    print(f.peek()[0] is second, f.atexit, len(finalize._registry), f.peek()[3])
    print(weakref.getweakrefcount(first), weakref.getweakrefcount(second))
    del first
    print(f.alive)
    del second
    print(f.alive)


@scenario()
def made_twice_it_is_the_newest(finalize: Finalize) -> None:
    f = finalize(keep(Thing()), print, "never")
    finalize(keep(Thing()), print, "older")
    f.__init__(keep(Thing()), print, "made again")
    finalize(keep(Thing()), print, "newest")


@scenario()
def made_twice_for_one_object(finalize: Finalize) -> None:
    thing = Thing()
    f = finalize(thing, print, "never")
    finalize(thing, print, "between")
    f.__init__(thing, print, "made again")
    del thing


@scenario()
def made_again_when_dead(finalize: Finalize) -> None:
    thing = Thing()
    f = finalize(thing, print, "first")
    f()
    f.__init__(thing, print, "second")
    print(f.alive, f.atexit, f.peek()[2])
    f.detach()
    f.__init__(thing, print, "third")
    del thing
    print(f.alive)


@scenario()
def made_again_in_its_own_callback(finalize: Finalize) -> None:
    def again(left: int) -> None:
        print("left", left)
        if left:
            f.__init__(keep(Thing()), again, left - 1)

    thing = Thing()
    f = finalize(thing, again, 2)
    del thing
    print(f.alive, f.peek()[2])
    f()
    print(f.alive)
    f()
    print(f.alive)


@scenario()
def made_again_by_what_it_lets_go(finalize: Finalize) -> None:
    class Again:
        def __del__(self) -> None:
            print("making again", f.alive)
            f.__init__(keep(Thing()), print, "made by the argument")

    f = finalize(keep(Thing()), print, "never", Again())
    f.__init__(keep(Thing()), print, "made by hand")
    print(f.alive, len(finalize._registry))


@scenario()
def made_again_in_vain(finalize: Finalize) -> None:
    thing = Thing()
    f = finalize(thing, print, "first")
    attempt(f.__init__, 1, print)
    attempt(f.__init__)
    print(f.alive, f.peek()[2])
    del thing


@scenario()
def made_in_vain(finalize: Finalize) -> None:
    class Special(finalize):
        def __init__(self, obj: object) -> None:
            try:
                super().__init__(obj, print)
            except TypeError as error:
                print(error, self.alive, self)

    print(Special(1).alive)


@scenario(
    differs=2,
    original="made again\n",
    lastly="made again\nruns next\nolder\n",
)
def made_again_in_its_own_callback_at_exit(finalize: Finalize) -> None:
    """The original takes it for one that has not run, and gives up."""

    def again() -> None:
        print("made again")
        f.__init__(keep(Thing()), print, "runs next")

    finalize(keep(Thing()), print, "older")
    f = finalize(keep(Thing()), again)


@scenario(
    differs=2,
    original="not now\n",
    lastly="not now\nolder\n",
)
def it_may_do_nothing_at_exit(finalize: Finalize) -> None:
    """The original takes it for one that has not run, and gives up."""

    class Silent(finalize):
        def __call__(self, *args: object) -> None:
            print("not now")

    finalize(keep(Thing()), print, "older")
    Silent(keep(Thing()), print, "never")
