"""`_registry`: private, and yet read, searched and cleared by programs and their tests."""

from __future__ import annotations

import collections.abc
import weakref

from scenarios import Loud, Thing, keep, kind_of_error, scenario

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from scenarios import Finalize


def work(*args: object, **kwargs: object) -> None:
    """A callback that does nothing."""


def made(finalize: Finalize, count: int) -> tuple[Thing, list[Any]]:
    """An object and its finalizers."""
    thing = keep(Thing())
    return thing, [finalize(thing, work, number, name="x") for number in range(count)]


@scenario()
def length_and_membership(finalize: Finalize) -> None:
    registry = finalize._registry
    print(len(registry), bool(registry))
    _, (first, second) = made(finalize, 2)
    print(len(registry), bool(registry), first in registry, second in registry)
    first.detach()
    second.detach()
    print(len(registry), bool(registry), first in registry, second in registry)


@scenario()
def is_one_and_the_same(finalize: Finalize) -> None:
    class Special(finalize):
        pass

    _, (f,) = made(finalize, 1)
    print(finalize._registry is finalize._registry, f._registry is finalize._registry)
    print(Special._registry is finalize._registry, len(finalize._registry))
    print(isinstance(finalize._registry, collections.abc.Mapping))


@scenario()
def empties_with_each_end(finalize: Finalize) -> None:
    thing = Thing()
    called, detached, _ = (finalize(thing, len, "") for _ in range(3))
    print(len(finalize._registry))
    called()
    print(len(finalize._registry))
    detached.detach()
    print(len(finalize._registry))
    del thing
    print(len(finalize._registry))


@scenario()
def is_empty_again_before_the_callback(finalize: Finalize) -> None:
    thing = Thing()
    f = finalize(thing, lambda: print(len(finalize._registry), f in finalize._registry))
    f()


@scenario()
def iteration_is_in_order_of_creation(finalize: Finalize) -> None:
    _, all_made = made(finalize, 5)
    all_made.pop(2).detach()
    print([all_made.index(f) for f in finalize._registry])
    print([all_made.index(f) for f in finalize._registry.keys()])
    print([info.args for info in finalize._registry.values()])
    print([(all_made.index(f), info.args) for f, info in finalize._registry.items()])
    print(list(finalize._registry) == all_made, set(finalize._registry) == set(all_made))


@scenario()
def sizes_of_its_parts(finalize: Finalize) -> None:
    made(finalize, 3)
    registry = finalize._registry
    print(len(registry.keys()), len(registry.values()), len(registry.items()))
    print(len(list(registry)), len(dict(registry)), len(sorted(registry, key=id)))


@scenario()
def parts_know_their_members(finalize: Finalize) -> None:
    _, (first, second) = made(finalize, 2)
    registry = finalize._registry
    second.detach()
    print(first in registry.keys(), second in registry.keys())
    print((first, 1) in registry.items(), 1 in registry.values())


@scenario()
def its_items_tell_everything(finalize: Finalize) -> None:
    thing, (f,) = made(finalize, 1)
    info = finalize._registry[f]
    print(info.weakref() is thing, info.func is work, info.args, info.kwargs, info.atexit)
    print(type(info.index), type(info.weakref), info.weakref.__callback__ is f)
    print(info.weakref is weakref.getweakrefs(thing)[0])


@scenario()
def no_keywords_are_none(finalize: Finalize) -> None:
    thing = keep(Thing())
    f = finalize(thing, int)
    print(finalize._registry[f].args, finalize._registry[f].kwargs)


@scenario()
def arguments_are_the_very_ones(finalize: Finalize) -> None:
    thing = keep(Thing())
    f = finalize(thing, work, 1, name="x")
    info = finalize._registry[f]
    print(info.args is f.peek()[2], info.kwargs is f.peek()[3])


@scenario()
def the_exit_flag_is_live(finalize: Finalize) -> None:
    f = finalize(keep(Thing()), print, "never")
    info = finalize._registry[f]
    f.atexit = False
    print(info.atexit)
    info.atexit = True
    print(f.atexit)
    finalize._registry[f].atexit = False
    print(f.atexit, finalize._registry[f].atexit)


@scenario()
def indices_grow(finalize: Finalize) -> None:
    made(finalize, 5)[1][2].detach()
    indices = [info.index for info in finalize._registry.values()]
    print(len(set(indices)), indices == sorted(indices))
    made(finalize, 1)
    print(max(indices) < [info.index for info in finalize._registry.values()][-1])


@scenario()
def can_be_sorted_by_index(finalize: Finalize) -> None:
    made(finalize, 5)
    items = sorted(finalize._registry.items(), key=lambda item: -item[1].index)
    print([info.args for _, info in items])


@scenario()
def its_items_have_a_type(finalize: Finalize) -> None:
    _, (f,) = made(finalize, 1)
    print(isinstance(finalize._registry[f], finalize._Info), isinstance(finalize._Info, type))
    print(sorted(name for name in dir(finalize._registry[f]) if not name.startswith("_")))


@scenario()
def search_for_an_object(finalize: Finalize) -> None:
    """So do tests that look for the finalizer of something."""
    thing, (first, second) = made(finalize, 2)
    made(finalize, 2)
    found = [f for f, info in finalize._registry.items() if info.weakref() is thing]
    print(found == [first, second])
    print([f for f in list(finalize._registry) if f.peek()[0] is thing] == [first, second])
    print(any(info.func is work for info in finalize._registry.values()))


@scenario()
def difference_of_two_looks(finalize: Finalize) -> None:
    """So do tests that look for finalizers left behind."""
    made(finalize, 3)
    before = set(finalize._registry)
    _, (new,) = made(finalize, 1)
    print([f is new for f in set(finalize._registry) - before])
    print(finalize._registry.keys() - before == {new})


@scenario()
def looking_up_the_dead(finalize: Finalize) -> None:
    _, (f,) = made(finalize, 1)
    f.detach()
    registry = finalize._registry
    kind_of_error(lambda: registry[f])
    print(registry.get(f), registry.get(f, "default"), registry.pop(f, "default"))
    kind_of_error(registry.pop, f)
    kind_of_error(registry.__delitem__, f)


@scenario()
def looking_up_what_is_no_finalizer(finalize: Finalize) -> None:
    registry = finalize._registry
    for key in (1, "text", None, object(), finalize):
        print(key in registry, registry.get(key))
        kind_of_error(lambda key=key: registry[key])


@scenario()
def getting_the_living(finalize: Finalize) -> None:
    _, (f,) = made(finalize, 1)
    print(finalize._registry.get(f).args, finalize._registry.get(f, 1).func is work)


@scenario()
def what_is_cleared_is_dead(finalize: Finalize) -> None:
    thing = Thing()
    f = finalize(thing, print, Loud("argument"))
    finalize(keep(Thing()), print, "never")
    finalize._registry.clear()
    print(f.alive, f(), f.peek(), f.detach(), f.atexit, "dead" in repr(f))
    print(weakref.getweakrefcount(thing), len(finalize._registry))
    del thing
    finalize(keep(Thing()), print, "made afterwards")


@scenario()
def cleared_in_a_callback(finalize: Finalize) -> None:
    finalize(keep(Thing()), print, "never")
    finalize(keep(Thing()), finalize._registry.clear)
    finalize(keep(Thing()), print, "newest")


@scenario()
def cleared_by_what_it_lets_go(finalize: Finalize) -> None:
    class Clearing:
        def __del__(self) -> None:
            print("going")
            finalize._registry.clear()

    finalize(keep(Thing()), print, "never")
    finalize(keep(Thing()), print, Clearing())
    finalize(keep(Thing()), print, "never")
    finalize._registry.clear()
    print(len(finalize._registry))


@scenario()
def taken_out_while_its_object_dies(finalize: Finalize) -> None:
    thing = Thing()
    f = finalize(thing, print, "never")
    reference = weakref.ref(thing, lambda _: print(finalize._registry.pop(f, None) is not None))
    del thing
    print(f.alive, reference())


@scenario()
def what_is_taken_out_is_dead(finalize: Finalize) -> None:
    thing = Thing()
    f = finalize(thing, print, 1, sep="-")
    info = finalize._registry.pop(f)
    print(f.alive, f(), f.peek(), len(finalize._registry))
    print(info.weakref() is thing, info.func is print, info.args, info.kwargs)
    del thing
    print(info.weakref())


@scenario()
def what_is_deleted_is_dead(finalize: Finalize) -> None:
    thing = Thing()
    f = finalize(thing, print, "never")
    del finalize._registry[f]
    print(f.alive, f(), len(finalize._registry))
    del thing


@scenario()
def the_newest_is_taken_out_first(finalize: Finalize) -> None:
    _, all_made = made(finalize, 3)
    f, info = finalize._registry.popitem()
    print(all_made.index(f), info.args, f.alive, len(finalize._registry))
    all_made[0].detach()
    finalize._registry.popitem()
    kind_of_error(finalize._registry.popitem)


@scenario()
def an_item_outlives_its_finalizer(finalize: Finalize) -> None:
    thing, (f,) = made(finalize, 1)
    info = finalize._registry[f]
    f()
    print(info.weakref() is thing, info.func is work, info.args, info.kwargs)
    print(weakref.getweakrefcount(thing))
    del info
    print(weakref.getweakrefcount(thing))


@scenario()
def compares_as_a_dictionary(finalize: Finalize) -> None:
    print(finalize._registry == {}, finalize._registry != {})
    _, (f,) = made(finalize, 1)
    print(finalize._registry == {}, {} == finalize._registry)
    f.detach()
    print(finalize._registry == {})


@scenario()
def a_copy_is_of_the_moment(finalize: Finalize) -> None:
    _, (f,) = made(finalize, 1)
    copies = [dict(finalize._registry), finalize._registry.copy(), list(finalize._registry)]
    f.detach()
    made(finalize, 2)
    print([(len(copy), f in copy) for copy in copies], type(copies[1]))


@scenario()
def a_look_while_others_end(finalize: Finalize) -> None:
    _, all_made = made(finalize, 3)
    for f in list(finalize._registry):
        f.detach()
    print(len(finalize._registry))


@scenario(
    differs=5,
    original="True\n",
    lastly="False\n",
)
def is_a_dictionary(finalize: Finalize) -> None:
    print(type(finalize._registry) is dict)
