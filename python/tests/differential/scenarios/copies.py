"""`copy`, `deepcopy` and `pickle`: they succeed, and give a dead finalizer."""

from __future__ import annotations

import copy
import pickle

from scenarios import Thing, attempt, keep, scenario

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable

    from scenarios import Finalize

PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)


def look(finalize: Finalize, make: Callable[[Any], Any]) -> None:
    """Says what a copy is, and that the finalizer is as it was."""
    thing = keep(Thing())
    f = finalize(thing, print, "ran", 1)
    try:
        other = make(f)
    except Exception as error:
        print(f"{type(error).__name__}: {error}")
    else:
        print(type(other) is finalize, other is f, other.alive, other.peek(), other(), other)
        print(other in finalize._registry)
    print(f.alive, f.peek()[2], len(finalize._registry))
    f.detach()


@scenario()
def copied(finalize: Finalize) -> None:
    look(finalize, copy.copy)


@scenario()
def copied_deeply(finalize: Finalize) -> None:
    look(finalize, copy.deepcopy)


@scenario()
def copied_when_dead(finalize: Finalize) -> None:
    f = finalize(keep(Thing()), print)
    f.detach()
    for make in (copy.copy, copy.deepcopy):
        print(make(f).alive, type(make(f)) is finalize)


@scenario()
def copied_within_a_list(finalize: Finalize) -> None:
    f = finalize(keep(Thing()), print, "ran")
    first, second = copy.deepcopy([f, f])
    print(first is second, first.alive, f.alive)


@scenario()
def a_copy_is_made_alive(finalize: Finalize) -> None:
    thing = Thing()
    f = finalize(thing, print, "original")
    other = copy.copy(f)
    other.__init__(thing, print, "copy")
    del thing
    print(f.alive, other.alive)


@scenario()
def copied_as_an_attribute(finalize: Finalize) -> None:
    """So do programs that copy an object which holds its own finalizer."""
    thing = Thing()
    thing.f = finalize(thing, print, "ran")
    other = copy.deepcopy(thing)
    print(other.f.alive, thing.f.alive, copy.copy(thing).f is thing.f)
    del other
    print("copy is gone")
    del thing


def pickled(finalize: Finalize, protocol: int) -> None:
    look(finalize, lambda f: pickle.loads(pickle.dumps(f, protocol)))


@scenario()
def pickled_by_the_oldest_protocol(finalize: Finalize) -> None:
    pickled(finalize, 0)


@scenario()
def pickled_by_all_protocols(finalize: Finalize) -> None:
    for protocol in PROTOCOLS:
        pickled(finalize, protocol)


@scenario()
def pickled_by_the_slow_implementation(finalize: Finalize) -> None:
    for protocol in PROTOCOLS:
        look(finalize, lambda f, protocol=protocol: pickle._loads(pickle._dumps(f, protocol)))


@scenario()
def pickled_class(finalize: Finalize) -> None:
    print([pickle.loads(pickle.dumps(finalize, p)) is finalize for p in PROTOCOLS])
    print(copy.copy(finalize) is finalize, copy.deepcopy(finalize) is finalize)


def subclass(finalize: Finalize) -> Any:
    class Special(finalize):
        pass

    Special.__qualname__ = "Special"
    globals()["Special"] = Special
    return Special


@scenario()
def subclass_copied(finalize: Finalize) -> None:
    f = subclass(finalize)(keep(Thing()), print, "ran")
    f.note = [1]
    for make in (copy.copy, copy.deepcopy):
        other = make(f)
        print(type(other).__name__, other.alive, vars(other), other.note is f.note)


@scenario()
def subclass_pickled(finalize: Finalize) -> None:
    f = subclass(finalize)(keep(Thing()), print, "ran")
    f.note = [1]
    for protocol in PROTOCOLS:
        attempt(lambda protocol=protocol: vars(pickle.loads(pickle.dumps(f, protocol))))


@scenario()
def subclass_with_slots(finalize: Finalize) -> None:
    class Slotted(finalize):
        __slots__ = ("note",)

    Slotted.__qualname__ = "Slotted"
    globals()["Slotted"] = Slotted
    f = Slotted(keep(Thing()), print, "ran")
    f.note = 1
    print(copy.copy(f).note, copy.deepcopy(f).note, copy.copy(f).alive)
    for protocol in PROTOCOLS[2:]:
        attempt(lambda protocol=protocol: pickle.loads(pickle.dumps(f, protocol)).note)


@scenario()
def subclass_with_a_reduction(finalize: Finalize) -> None:
    class Special(finalize):
        def __reduce__(self) -> Any:
            return str, ("reduced",)

    f = Special(keep(Thing()), print, "ran")
    print(copy.copy(f), pickle.loads(pickle.dumps(f)))


@scenario()
def subclass_with_a_state(finalize: Finalize) -> None:
    class Special(finalize):
        def __getstate__(self) -> Any:
            return {"state": self.alive}

        def __setstate__(self, state: Any) -> None:
            print(state, self.alive)

    f = Special(keep(Thing()), print, "ran")
    copy.copy(f)
