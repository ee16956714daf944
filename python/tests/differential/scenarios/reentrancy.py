"""Callbacks that themselves make, call and detach finalizers, and let objects die."""

from __future__ import annotations

import contextvars
import copy
import gc
import sys

from scenarios import Loud, Thing, keep, report_unraisable, scenario

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from scenarios import Finalize


@scenario()
def makes_another(finalize: Finalize) -> None:
    thing, others = Thing(), [Thing()]
    finalize(thing, lambda: finalize(others[0], print, "made in the callback"))
    del thing
    print("dead")
    others.clear()


@scenario()
def makes_one_that_runs_within(finalize: Finalize) -> None:
    def work(left: int) -> None:
        print("begin", left)
        if left:
            finalize(Thing(), work, left - 1)
        print("end", left)

    thing = Thing()
    finalize(thing, work, 3)
    del thing


@scenario()
def lets_another_object_die(finalize: Finalize) -> None:
    things = [Thing()]
    finalize(things[0], print, "inner")
    thing = Thing()
    finalize(thing, print, "older")
    finalize(thing, lambda: (things.clear(), print("outer")))
    del thing


@scenario()
def calls_an_older_one_of_its_object(finalize: Finalize) -> None:
    thing = Thing()
    older = finalize(thing, print, "older")
    finalize(thing, lambda: (older(), print("newer", older.alive)))
    del thing


@scenario()
def calls_itself(finalize: Finalize) -> None:
    thing = Thing()
    f = finalize(thing, lambda: print(f(), f.alive))
    f()
    g = finalize(thing, lambda: print(g(), g.alive))
    del thing


@scenario()
def calls_another(finalize: Finalize) -> None:
    other_thing, thing = Thing(), Thing()
    other = finalize(other_thing, "result".upper)
    finalize(thing, lambda: print(other(), other()))
    del thing
    print(other.alive)


@scenario()
def call_each_other(finalize: Finalize) -> None:
    first_thing, second_thing = Thing(), Thing()
    first = finalize(first_thing, lambda: print("first", second(), second.alive))
    second = finalize(second_thing, lambda: print("second", first(), first.alive))
    first()
    first = finalize(first_thing, lambda: print("first", second(), second.alive))
    second = finalize(second_thing, lambda: print("second", first(), first.alive))
    del second_thing


@scenario()
def detaches_another(finalize: Finalize) -> None:
    other_thing, thing = Thing(), Thing()
    other = finalize(other_thing, print, "never")
    finalize(thing, lambda: print(other.detach()[2], other.alive))
    del thing
    del other_thing


@scenario()
def detaches_one_whose_object_dies_with_it(finalize: Finalize) -> None:
    things = [Thing()]
    other = finalize(things[0], print, "never")

    def work() -> None:
        given = other.detach()
        things.clear()
        print("detached", given[0] is not None)

    finalize(keep(Thing()), work)()


@scenario()
def looks_at_another(finalize: Finalize) -> None:
    thing, other_thing = Thing(), Thing()
    other = finalize(other_thing, print, 1, x=2)
    finalize(thing, lambda: print(other.peek()[2:], other.alive, other.atexit))
    del thing
    other.detach()


@scenario()
def a_look_runs_code_that_detaches(finalize: Finalize) -> None:
    class Name(str):
        def __hash__(self) -> int:
            while armed:
                print("detached", armed.pop().detach() is not None)
            return super().__hash__()

    armed: list[Any] = []
    thing = Thing()
    f = finalize(thing, print, "never", **{Name("end"): "!\n"})
    armed.append(f)
    f.peek()
    hash(Name("where the look did not ask for it"))
    print(f.alive, f.peek(), armed)


@scenario()
def a_look_keeps_the_object_alive(finalize: Finalize) -> None:
    thing = Thing()
    f = finalize(thing, print, "ran")
    look = f.peek()
    del thing
    print(f.alive)
    del look
    print(f.alive)


@scenario()
def turns_the_exit_flag_of_another(finalize: Finalize) -> None:
    other = finalize(keep(Thing()), print, "never")
    thing = Thing()
    finalize(thing, setattr, other, "atexit", False)
    del thing
    print(other.atexit)


@scenario()
def copies_another(finalize: Finalize) -> None:
    thing = Thing()
    other = finalize(keep(Thing()), print, "at exit")
    finalize(thing, lambda: print(copy.copy(other).alive))
    del thing


@scenario()
def imports_a_module(finalize: Finalize) -> None:
    def work() -> None:
        import colorsys

        print(colorsys.__name__)

    thing = Thing()
    finalize(thing, work)
    del thing


@scenario()
def searches_the_registry(finalize: Finalize) -> None:
    def work() -> None:
        print([info.args for info in finalize._registry.values()])

    thing = Thing()
    for number in range(3):
        finalize(keep(Thing()), print, number)
    finalize(thing, work)
    del thing


@scenario()
def detaches_all_others(finalize: Finalize) -> None:
    def work() -> None:
        for f in list(finalize._registry):
            f.detach()
        print(len(finalize._registry))

    for _ in range(3):
        finalize(keep(Thing()), print, "never")
    finalize(keep(Thing()), work)


@scenario()
def arguments_that_make_and_call(finalize: Finalize) -> None:
    class Busy:
        def __del__(self) -> None:
            print("argument goes", other())
            finalize(Thing(), print, "made by the argument")

    other = finalize(keep(Thing()), "result".upper)
    thing = Thing()
    finalize(thing, lambda _: print("running"), Busy())
    del thing


@scenario()
def arguments_of_the_detached_that_call(finalize: Finalize) -> None:
    class Busy:
        def __del__(self) -> None:
            print("argument goes", f.alive, f(), f.detach())

    f = finalize(keep(Thing()), print, Busy())
    f.detach()
    print("detached")


@scenario()
def deep_recursion_in_a_callback(finalize: Finalize) -> None:
    def recurse() -> None:
        recurse()

    report: list[str] = []
    sys.unraisablehook = lambda args: report.append(args.exc_type.__name__)
    thing = Thing()
    finalize(thing, print, "older")
    finalize(thing, recurse)
    del thing
    print(report)


@scenario()
def nested_deaths(finalize: Finalize) -> None:
    """An object's callback lets the next object die, and so on, a hundred deep."""
    things = [Thing() for _ in range(100)]
    depths = []

    def work() -> None:
        depths.append(len(things))
        if things:
            things.pop()

    for thing in things:
        finalize(thing, work)
    del thing
    things.pop()
    print(depths[0], depths[-1], len(depths))


@scenario()
def runs_in_the_context_of_the_death(finalize: Finalize) -> None:
    variable = contextvars.ContextVar("variable", default="default")

    def die() -> None:
        variable.set("inner")
        things.clear()

    things = [Thing()]
    finalize(things[0], lambda: print(variable.get()))
    finalize(keep(Thing()), lambda: print(variable.get()))
    contextvars.copy_context().run(die)
    variable.set("outer")


@scenario()
def in_a_generator_that_is_closed(finalize: Finalize) -> None:
    def generate() -> Any:
        thing = Thing()
        finalize(thing, print, "local of the generator")
        try:
            yield
        finally:
            print("closing")

    thing = Thing()
    running = generate()
    next(running)
    finalize(thing, running.close)
    del thing
    print("end")


@scenario()
def while_another_error_is_raised(finalize: Finalize) -> None:
    def fail() -> None:
        finalize(Thing(), print, "in the failing one")
        raise ValueError("outer")

    report_unraisable()
    thing = Thing()
    finalize(thing, fail)
    del thing
    print("end")


@scenario()
def while_a_list_is_sorted(finalize: Finalize) -> None:
    class Item(Thing):
        def __lt__(self, other: object) -> bool:
            finalize(Thing(), seen.append, 1)
            return False

    seen: list[int] = []
    items = [Item() for _ in range(5)]
    for item in items:
        finalize(item, seen.append, 2)
    sorted(items)
    del items, item
    print(seen.count(1) > 0, seen.count(2))


@scenario()
def while_a_dictionary_changes(finalize: Finalize) -> None:
    things = {number: Thing() for number in range(3)}
    for number, thing in things.items():
        finalize(thing, lambda number=number: print(number, sorted(things)))
    del thing
    del things[1]
    things[2] = None
    things.clear()
    gc.collect()


@scenario()
def while_it_is_made(finalize: Finalize) -> None:
    """An argument that dies with the call that makes the finalizer."""

    class Callback(Loud):
        def __call__(self) -> None:
            print("ran")

    finalize(Thing(), Callback("callback"))
    print("end")
