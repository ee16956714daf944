"""Which one runs first."""

from __future__ import annotations

import atexit
import gc
import weakref

from scenarios import Loud, Thing, keep, scenario

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scenarios import Finalize


@scenario()
def of_one_object_the_newest_first(finalize: Finalize) -> None:
    thing = Thing()
    for number in range(5):
        finalize(thing, print, number)
    del thing


@scenario()
def among_other_weak_references(finalize: Finalize) -> None:
    thing = Thing()
    kept = []
    for number in range(3):
        finalize(thing, print, "finalizer", number)
        kept.append(weakref.ref(thing, lambda _, number=number: print("reference", number)))
    finalize(thing, print, "newest")
    del thing


@scenario()
def among_weak_containers(finalize: Finalize) -> None:
    class Key(Thing):
        pass

    def sizes(which: str) -> None:
        print(which, len(values), len(keys), len(members))

    values: weakref.WeakValueDictionary[int, Key] = weakref.WeakValueDictionary()
    keys: weakref.WeakKeyDictionary[Key, int] = weakref.WeakKeyDictionary()
    members: weakref.WeakSet[Key] = weakref.WeakSet()
    key = Key()
    finalize(key, sizes, "oldest")
    values[1] = key
    finalize(key, sizes, "older")
    keys[key] = 1
    finalize(key, sizes, "newer")
    members.add(key)
    finalize(key, sizes, "newest")
    del key


@scenario()
def among_del_and_the_attributes(finalize: Finalize) -> None:
    class Owner(Loud):
        pass

    owner = Owner("owner")
    owner.part = Loud("part")
    finalize(owner, lambda: print("finalizer"))
    del owner


@scenario()
def of_a_cycle(finalize: Finalize) -> None:
    things = [Thing() for _ in range(3)]
    for thing, other in zip(things, things[1:] + things[:1]):
        thing.other = other
    for number, thing in enumerate(things):
        finalize(thing, print, number, "older")
        keep(weakref.ref(thing, lambda _, number=number: print(number, "reference")))
        finalize(thing, print, number, "newer")
    del things, thing, other
    gc.collect()


@scenario()
def of_a_cycle_with_del(finalize: Finalize) -> None:
    loud = Loud("object")
    loud.itself = loud
    finalize(loud, print, "finalizer", flush=True)
    del loud
    gc.collect()


@scenario()
def after_one_was_called(finalize: Finalize) -> None:
    thing = Thing()
    made = [finalize(thing, print, number) for number in range(5)]
    made[2]()
    made[4].detach()
    finalize(thing, print, 5)
    del thing


@scenario()
def at_exit_the_newest_first(finalize: Finalize) -> None:
    first, second = keep(Thing()), keep(Thing())
    for number in range(6):
        finalize((first, second)[number % 2], print, number)


@scenario()
def at_exit_objects_live_still(finalize: Finalize) -> None:
    loud = keep(Loud("object"))
    reference = weakref.ref(loud)
    finalize(loud, lambda: print("older", reference() is loud))
    finalize(loud, lambda: print("newer", reference().name))


@scenario()
def at_exit_the_flag_is_respected(finalize: Finalize) -> None:
    for number in range(4):
        finalize(keep(Thing()), print, number).atexit = number % 2


@scenario()
def at_exit_the_flag_may_change_back(finalize: Finalize) -> None:
    f = finalize(keep(Thing()), print, "older")
    f.atexit = False
    finalize(keep(Thing()), print, "newer")
    f.atexit = True


@scenario()
def at_exit_what_is_made_runs_next(finalize: Finalize) -> None:
    def work() -> None:
        print("making")
        finalize(keep(Thing()), print, "made first")
        finalize(keep(Thing()), print, "made second")

    finalize(keep(Thing()), print, "older")
    finalize(keep(Thing()), work)
    finalize(keep(Thing()), print, "newer")


@scenario()
def at_exit_generations(finalize: Finalize) -> None:
    def work(left: int) -> None:
        print(left)
        if left:
            finalize(keep(Thing()), work, left - 1)

    finalize(keep(Thing()), print, "older")
    finalize(keep(Thing()), work, 5)


@scenario()
def at_exit_one_made_with_the_flag_off(finalize: Finalize) -> None:
    def work() -> None:
        finalize(keep(Thing()), print, "never").atexit = False

    finalize(keep(Thing()), print, "older")
    finalize(keep(Thing()), work)


@scenario()
def at_exit_for_the_same_object(finalize: Finalize) -> None:
    thing = keep(Thing())
    finalize(thing, print, "older")
    finalize(thing, lambda: finalize(thing, print, "made meanwhile"))


@scenario()
def at_exit_among_other_handlers(finalize: Finalize) -> None:
    atexit.register(print, "handler before the first")
    finalize(keep(Thing()), print, "older")
    atexit.register(print, "handler between")
    finalize(keep(Thing()), print, "newer")
    atexit.register(print, "handler after")


@scenario()
def at_exit_the_first_one_fixes_the_place(finalize: Finalize) -> None:
    finalize(lambda: None, lambda: None)
    atexit.register(print, "handler")
    finalize(keep(Thing()), print, "finalizer")


@scenario()
def at_exit_one_of_the_original_before(finalize: Finalize) -> None:
    original = finalize.__mro__[-2]
    original(keep(Thing()), print, "older, of the original")
    finalize(keep(Thing()), print, "newer")


@scenario(
    differs=3,
    original="newest\nturning off\nmiddle\noldest\n",
    lastly="newest\nturning off\noldest\n",
)
def at_exit_the_flag_is_turned_off(finalize: Finalize) -> None:
    def work() -> None:
        print("turning off")
        middle.atexit = False

    finalize(keep(Thing()), print, "oldest")
    middle = finalize(keep(Thing()), print, "middle")
    finalize(keep(Thing()), work)
    finalize(keep(Thing()), print, "newest")


@scenario(
    differs=3,
    original="turning on\noldest\n",
    lastly="turning on\nmiddle\noldest\n",
)
def at_exit_the_flag_is_turned_on(finalize: Finalize) -> None:
    def work() -> None:
        print("turning on")
        middle.atexit = True

    finalize(keep(Thing()), print, "oldest")
    middle = finalize(keep(Thing()), print, "middle")
    middle.atexit = False
    finalize(keep(Thing()), work)


@scenario()
def at_exit_the_flag_is_turned_off_and_one_made(finalize: Finalize) -> None:
    def work() -> None:
        middle.atexit = False
        other.atexit = True
        finalize(keep(Thing()), print, "made")

    finalize(keep(Thing()), print, "oldest")
    middle = finalize(keep(Thing()), print, "middle")
    other = finalize(keep(Thing()), print, "turned on")
    other.atexit = False
    finalize(keep(Thing()), work)
