"""Subclasses: their constructors, attributes and slots, and what they inherit."""

from __future__ import annotations

import abc
import gc
import weakref

from scenarios import Loud, Thing, attempt, keep, scenario

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from scenarios import Finalize


@scenario()
def with_nothing_of_its_own(finalize: Finalize) -> None:
    class Special(finalize):
        pass

    thing = Thing()
    f = Special(thing, print, 1, 2, sep="-")
    print(f.alive, f, isinstance(f, finalize), f.peek()[2:], f.atexit)
    del thing
    print(f.alive, f)


@scenario()
def runs_at_exit_in_order(finalize: Finalize) -> None:
    class Special(finalize):
        pass

    for number, kind in enumerate((finalize, Special, finalize, Special)):
        kind(keep(Thing()), print, kind.__name__, number)


@scenario()
def with_a_constructor_of_its_own(finalize: Finalize) -> None:
    class Closing(finalize):
        def __init__(self, file: Any, *, name: str) -> None:
            super().__init__(file, print, "closing", name)
            self.name = name

    thing = Thing()
    f = Closing(thing, name="the file")
    print(f.name, f.peek()[2])
    attempt(Closing, thing)
    del thing
    print(f.name, f.alive)


@scenario()
def with_a_constructor_that_forgets(finalize: Finalize) -> None:
    class Forgetful(finalize):
        def __init__(self, *args: object) -> None:
            pass

    f = Forgetful(1, 2, 3)
    print(f.alive, f.peek(), f.detach(), f(), f.atexit, f, len(finalize._registry))


@scenario()
def with_new_of_its_own(finalize: Finalize) -> None:
    class Special(finalize):
        def __new__(cls, obj: object, func: object, *args: object) -> Any:
            self = super().__new__(cls)
            self.note = len(args)
            return self

    thing = Thing()
    f = Special(thing, print, 1, 2)
    print(f.note, f.alive)
    f()


@scenario()
def with_new_that_gives_another(finalize: Finalize) -> None:
    class Single(finalize):
        known: Any = None

        def __new__(cls, *args: object) -> Any:
            cls.known = cls.known or super().__new__(cls)
            return cls.known

    thing = Thing()
    f = Single(thing, print, "replaced")
    print(Single(thing, print, "replacement") is f, len(finalize._registry))
    del thing


@scenario()
def attributes(finalize: Finalize) -> None:
    class Special(finalize):
        pass

    thing = Thing()
    f = Special(thing, print)
    f.x = 1
    print(f.x, vars(f), f.__dict__ is vars(f))
    del f.x
    print(hasattr(f, "x"))
    attempt(setattr, f, "atexit", False)
    print(f.atexit, vars(f))
    f.detach()


@scenario()
def slots(finalize: Finalize) -> None:
    class Slotted(finalize):
        __slots__ = ("x",)

    thing = Thing()
    f = Slotted(thing, print, "ran")
    f.x = 1
    print(f.x, hasattr(f, "__dict__"))
    attempt(setattr, f, "y", 1)
    attempt(weakref.ref, f)
    del thing
    print(f.x)


@scenario()
def no_slots_at_all(finalize: Finalize) -> None:
    class Bare(finalize):
        __slots__ = ()

    thing = Thing()
    f = Bare(thing, print, "ran")
    attempt(setattr, f, "y", 1)
    del thing
    print(f)


@scenario()
def slots_with_a_weak_reference(finalize: Finalize) -> None:
    class Slotted(finalize):
        __slots__ = ("__weakref__",)

    thing = Thing()
    f = Slotted(thing, print, "ran")
    reference = weakref.ref(f, lambda _: print("finalizer is gone"))
    print(reference() is f)
    del f
    print(reference() is not None)
    del thing


@scenario()
def can_be_watched(finalize: Finalize) -> None:
    class Special(finalize):
        pass

    thing = Thing()
    f = Special(thing, print, "thing is gone")
    g = finalize(f, print, "finalizer is gone")
    del f
    print(g.alive)
    del thing
    print(g.alive)


@scenario()
def can_be_watched_by_its_own_kind(finalize: Finalize) -> None:
    class Special(finalize):
        pass

    thing = Thing()
    last: Any = thing
    for number in range(5):
        last = Special(last, print, number)
    del last
    print("made")
    del thing


@scenario()
def lives_on_without_its_handle(finalize: Finalize) -> None:
    class Special(finalize):
        def __del__(self) -> None:
            print("finalizer goes", self.alive)

    thing = Thing()
    Special(thing, print, "ran")
    gc.collect()
    print("before")
    del thing
    print("after")


@scenario()
def goes_when_it_is_detached(finalize: Finalize) -> None:
    class Special(finalize):
        def __del__(self) -> None:
            print("finalizer goes")

    thing = Thing()
    f = Special(thing, print, Loud("argument"))
    f.detach()
    print("detached")
    del f
    print("end")


@scenario()
def a_cycle_through_its_attributes(finalize: Finalize) -> None:
    class Special(finalize):
        pass

    thing = Thing()
    f = Special(thing, print, "ran")
    f.itself = f
    f.loud = Loud("attribute")
    del f
    gc.collect()
    print("collected")
    del thing
    print("dead")
    gc.collect()
    print("collected")


@scenario()
def a_cycle_of_the_dead(finalize: Finalize) -> None:
    class Special(finalize):
        pass

    f = Special.__new__(Special)
    f.itself = f
    f.loud = Loud("attribute")
    del f
    print("before")
    gc.collect()
    print("after")


@scenario()
def an_attribute_that_holds_the_object(finalize: Finalize) -> None:
    class Special(finalize):
        pass

    thing = Thing()
    f = Special(thing, print, "at exit")
    f.thing = thing
    del f, thing
    print(gc.collect() >= 0, len(finalize._registry))


@scenario()
def an_argument_that_holds_the_finalizer(finalize: Finalize) -> None:
    class Special(finalize):
        pass

    thing, box = Thing(), [Loud("argument")]
    f = Special(thing, lambda box: print("ran"), box)
    box.append(f)
    del f, box
    gc.collect()
    print("collected")
    del thing
    gc.collect()
    print("end")


@scenario()
def representation(finalize: Finalize) -> None:
    class Special(finalize):
        pass

    class Named(finalize):
        def __repr__(self) -> str:
            return f"<named {super().__repr__()}>"

    thing = Thing()
    print(Special(thing, int), Named(thing, int), Named.__new__(Named))
    Special(thing, int, "x")
    finalize._registry.clear()


@scenario()
def abstract_base_class(finalize: Finalize) -> None:
    class Base(finalize, abc.ABC):
        @abc.abstractmethod
        def name(self) -> str: ...

    class Real(Base):
        def name(self) -> str:
            return "real"

    thing = Thing()
    try:
        Base(thing, print)
    except TypeError:
        print("abstract", len(finalize._registry))
    f = Real(thing, print, "ran")
    print(f.name(), f.alive, isinstance(f, Base))
    f()


@scenario()
def abstract_base_class_registration(finalize: Finalize) -> None:
    class Closable(abc.ABC):
        @abc.abstractmethod
        def close(self) -> None: ...

    Closable.register(finalize)
    thing = Thing()
    f = finalize(thing, print, "ran")
    print(isinstance(f, Closable), issubclass(finalize, Closable))
    f()


@scenario()
def generic(finalize: Finalize) -> None:
    from typing import Generic, TypeVar

    kind = TypeVar("kind")

    class Typed(finalize, Generic[kind]):
        pass

    thing = Thing()
    f = Typed[int](thing, print, "ran")
    print(f.alive, type(f).__name__)
    f()


@scenario()
def with_a_metaclass(finalize: Finalize) -> None:
    class Meta(type):
        def __call__(cls, *args: object) -> Any:
            print("making a", cls.__name__)
            return super().__call__(*args)

    class Special(finalize, metaclass=Meta):
        pass

    thing = Thing()
    f = Special(thing, print, "ran")
    del thing
    print(f.alive)


@scenario()
def with_other_bases(finalize: Finalize) -> None:
    class Mixin:
        def describe(self) -> str:
            return f"alive: {self.alive}"

    class Mixed(Mixin, finalize):
        pass

    thing = Thing()
    f = Mixed(thing, print, "ran")
    print(f.describe(), [kind.__name__ for kind in Mixed.__mro__[:2]])
    f()


@scenario()
def of_a_subclass(finalize: Finalize) -> None:
    class Parent(finalize):
        def __init__(self, obj: object, name: str) -> None:
            super().__init__(obj, print, "ran", name)

    class Child(Parent):
        __slots__ = ("extra",)

        def __init__(self, obj: object) -> None:
            super().__init__(obj, "child")
            self.extra = [1]

    thing = Thing()
    f = Child(thing)
    print(f.extra, f.peek()[2])
    del thing


@scenario()
def subclass_hooks(finalize: Finalize) -> None:
    class Base(finalize):
        def __init_subclass__(cls, *, label: str) -> None:
            print("subclass", cls.__name__, label)

    class Child(Base, label="x"):
        pass

    print(Child in Base.__subclasses__(), Base in finalize.__subclasses__())


@scenario()
def own_methods_are_not_asked(finalize: Finalize) -> None:
    class Odd(finalize):
        alive = False
        atexit = False

        def peek(self) -> Any:
            raise ValueError

        detach = peek

    f = Odd(keep(Thing()), print, "at exit")
    print(f.alive, f.atexit, "dead" in repr(f), finalize.alive.__get__(f))


@scenario()
def class_of_an_instance_changes(finalize: Finalize) -> None:
    class Before(finalize):
        pass

    class After(finalize):
        def note(self) -> str:
            return "after"

    thing = Thing()
    f = Before(thing, print, "ran")
    f.__class__ = After
    print(f.note(), f.alive, f)
    del thing


@scenario()
def class_attributes_can_be_set(finalize: Finalize) -> None:
    thing = Thing()
    f = finalize(thing, print, "ran")
    finalize.extra = 1
    finalize.describe = lambda self: f"alive: {self.alive}"
    print(f.extra, f.describe())
    del finalize.extra
    print(hasattr(f, "extra"))
    f()


@scenario()
def a_method_of_the_class_is_replaced(finalize: Finalize) -> None:
    detach, peek = finalize.detach, finalize.peek

    def noisy(self: Any) -> Any:
        print("detaching")
        return detach(self)

    thing = Thing()
    f = finalize(thing, print, "ran")
    finalize.detach = noisy
    finalize.peek = lambda self: (peek(self), "replaced")
    print(f.peek()[1], f.detach()[2])


@scenario()
def the_allocation_is_replaced(finalize: Finalize) -> None:
    finalize.__new__ = staticmethod(lambda kind, *_, **__: object.__new__(kind))
    thing = Thing()
    f = finalize(thing, print, "ran", end="!\n")
    bare = object.__new__(finalize)
    print(f.alive, bare.alive, bare(), bare.peek())
    del thing


@scenario()
def the_constructor_is_replaced(finalize: Finalize) -> None:
    """So do tools that want to know where a finalizer was made."""
    init = finalize.__init__

    def noisy(self: Any, *args: Any, **kwargs: Any) -> None:
        print("making", args[2:], kwargs)
        init(self, *args, **kwargs)

    finalize.__init__ = noisy
    thing = Thing()
    finalize(thing, print, "ran", end="!\n")
    del thing


@scenario()
def the_representation_is_replaced(finalize: Finalize) -> None:
    finalize.__repr__ = lambda self: "replaced"
    print(finalize(keep(Thing()), print, "ran"))
