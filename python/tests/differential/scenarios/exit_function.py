"""`_exitfunc` and `_registered_with_atexit`: how the exit function gets to run, and who meddles."""

from __future__ import annotations

import atexit

from scenarios import Thing, attempt, keep, scenario

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scenarios import Finalize


def handlers() -> int:
    return atexit._ncallbacks()


@scenario()
def is_registered_with_the_first_one(finalize: Finalize) -> None:
    before = handlers()
    print(finalize._registered_with_atexit)
    for _ in range(3):
        finalize(keep(Thing()), print, "at exit")
        print(handlers() - before, finalize._registered_with_atexit)


@scenario()
def is_registered_with_one_that_is_refused(finalize: Finalize) -> None:
    before = handlers()
    attempt(finalize)
    print(handlers() - before, finalize._registered_with_atexit)
    attempt(finalize, 1, print)
    print(handlers() - before, finalize._registered_with_atexit)


@scenario()
def is_registered_with_the_first_of_a_subclass(finalize: Finalize) -> None:
    class Special(finalize):
        pass

    before = handlers()
    Special(keep(Thing()), print, "older")
    print(handlers() - before, finalize._registered_with_atexit, Special._registered_with_atexit)
    finalize(keep(Thing()), print, "newer")
    print(handlers() - before)


@scenario()
def is_not_registered_by_a_bare_one(finalize: Finalize) -> None:
    before = handlers()
    finalize.__new__(finalize)
    print(handlers() - before, finalize._registered_with_atexit)


@scenario()
def can_be_read_from_an_instance(finalize: Finalize) -> None:
    f = finalize(keep(Thing()), print, "at exit")
    print(f._registered_with_atexit, f._shutdown, len(f._registry))


@scenario()
def called_by_hand(finalize: Finalize) -> None:
    finalize(keep(Thing()), print, "older")
    finalize(keep(Thing()), print, "newer")
    print(finalize._exitfunc())
    print("end")


@scenario()
def called_through_an_instance(finalize: Finalize) -> None:
    f = finalize(keep(Thing()), print, "at exit")
    print(f._exitfunc())
    print("end")


@scenario()
def called_by_a_callback(finalize: Finalize) -> None:
    def work() -> None:
        print("working")
        finalize._exitfunc()
        print("worked")

    finalize(keep(Thing()), print, "newer")
    thing = Thing()
    finalize(thing, work)
    del thing
    print("end")


@scenario()
def registered_by_hand(finalize: Finalize) -> None:
    """So does a test runner, to fix the place among the handlers."""
    atexit.register(finalize._exitfunc)
    finalize._registered_with_atexit = True
    atexit.register(print, "handler")
    before = handlers()
    finalize(keep(Thing()), print, "finalizer")
    print(handlers() - before)


@scenario()
def registered_by_hand_only(finalize: Finalize) -> None:
    atexit.register(finalize._exitfunc)
    before = handlers()
    finalize(keep(Thing()), print, "finalizer")
    print(handlers() - before)


@scenario()
def said_to_be_registered(finalize: Finalize) -> None:
    finalize._registered_with_atexit = True
    before = handlers()
    finalize(keep(Thing()), print, "never")
    print(handlers() - before, finalize._registered_with_atexit)


@scenario()
def said_to_be_unregistered(finalize: Finalize) -> None:
    finalize(keep(Thing()), print, "older")
    before = handlers()
    finalize._registered_with_atexit = False
    finalize(keep(Thing()), print, "newer")
    print(handlers() - before, finalize._registered_with_atexit)
    finalize(keep(Thing()), print, "newest")
    print(handlers() - before)


@scenario()
def handlers_cleared(finalize: Finalize) -> None:
    finalize(keep(Thing()), print, "never")
    atexit._clear()
    finalize(keep(Thing()), print, "never")
    print(handlers(), finalize._registered_with_atexit)


@scenario()
def handlers_cleared_and_said_to_be_unregistered(finalize: Finalize) -> None:
    finalize(keep(Thing()), print, "older")
    atexit._clear()
    finalize._registered_with_atexit = False
    finalize(keep(Thing()), print, "newer")
    print(handlers())


@scenario()
def handlers_cleared_before_the_first(finalize: Finalize) -> None:
    atexit._clear()
    finalize(keep(Thing()), print, "at exit")
    print(handlers())


@scenario()
def taken_off_the_handlers(finalize: Finalize) -> None:
    finalize(keep(Thing()), print, "never")
    atexit.unregister(finalize._exitfunc)
    finalize(keep(Thing()), print, "never")
    print(finalize._exitfunc == finalize._exitfunc, finalize._registered_with_atexit)


@scenario()
def replaced_before_the_first(finalize: Finalize) -> None:
    finalize._exitfunc = staticmethod(lambda: print("replacement"))
    finalize(keep(Thing()), print, "never")
    finalize._exitfunc()


@scenario()
def replaced_by_a_class_method(finalize: Finalize) -> None:
    original = finalize._exitfunc

    def replacement(cls: type) -> None:
        print("replacement", cls is finalize)
        original()
        print("replaced")

    finalize._exitfunc = classmethod(replacement)
    finalize(keep(Thing()), print, "at exit")


@scenario()
def replaced_after_the_first(finalize: Finalize) -> None:
    finalize(keep(Thing()), print, "at exit")
    finalize._exitfunc = staticmethod(lambda: print("never"))


@scenario()
def replaced_by_a_subclass(finalize: Finalize) -> None:
    class Special(finalize):
        @classmethod
        def _exitfunc(cls) -> None:
            print("before", cls.__name__)
            super()._exitfunc()
            print("after")

    Special(keep(Thing()), print, "older")
    finalize(keep(Thing()), print, "newer")


@scenario()
def a_subclass_says_it_is_registered(finalize: Finalize) -> None:
    class Special(finalize):
        _registered_with_atexit = True

    before = handlers()
    Special(keep(Thing()), print, "older")
    print(handlers() - before)
    finalize(keep(Thing()), print, "newer")
    print(handlers() - before)


@scenario(
    differs=5,
    original="",
    lastly="newer\nolder\n",
)
def the_original_is_told_to_stop_before(finalize: Finalize) -> None:
    finalize(keep(Thing()), print, "older")
    finalize(keep(Thing()), print, "newer")
    finalize._shutdown = True


@scenario(
    differs=5,
    original="newer\nstopping\n",
    lastly="newer\nstopping\nolder\n",
)
def the_original_is_told_to_stop_meanwhile(finalize: Finalize) -> None:
    def stop() -> None:
        print("stopping")
        finalize._shutdown = True

    finalize(keep(Thing()), print, "older")
    finalize(keep(Thing()), stop)
    finalize(keep(Thing()), print, "newer")


@scenario(
    differs=5,
    original="None\nend\n",
    lastly="called\nNone\ndied\nend\n",
)
def the_original_is_told_to_stop_early(finalize: Finalize) -> None:
    thing = Thing()
    f = finalize(thing, print, "called")
    finalize(thing, print, "died")
    finalize._shutdown = True
    print(f())
    del thing
    print("end")


@scenario()
def told_that_nothing_is_dirty(finalize: Finalize) -> None:
    print(type(finalize._dirty))
    finalize(keep(Thing()), print, "at exit")
    finalize._dirty = False


@scenario(
    differs=5,
    original="working\nolder\nmade\n",
    lastly="working\nmade\nolder\n",
)
def told_that_nothing_is_dirty_meanwhile(finalize: Finalize) -> None:
    def work() -> None:
        print("working")
        finalize(keep(Thing()), print, "made")
        finalize._dirty = False

    def older() -> None:
        print("older")
        finalize._dirty = True

    finalize(keep(Thing()), older)
    finalize(keep(Thing()), work)


@scenario()
def the_original_leaves_the_others_alone(finalize: Finalize) -> None:
    """The exit function of the original, run first, writes to the class in its place."""
    original = finalize.__mro__[-2]
    original(keep(Thing()), int).detach()
    finalize(keep(Thing()), print, "at exit")
    atexit.register(original._exitfunc)


@scenario()
def selection_for_exit(finalize: Finalize) -> None:
    made = [finalize(keep(Thing()), print, number) for number in range(4)]
    made[1].atexit = False
    made[2].detach()
    selected = finalize._select_for_exit()
    print(type(selected), [made.index(f) for f in selected])
    print(made[0]._select_for_exit() == selected)
