"""One finalizer, from creation to its end: what its methods, attributes and operators give."""

from __future__ import annotations

import gc
import sys
import weakref

from scenarios import Thing, attempt, kind_of_error, scenario

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from scenarios import Finalize


@scenario()
def runs_when_the_object_dies(finalize: Finalize) -> None:
    thing = Thing()
    f = finalize(thing, print, "cleaned", 1, sep="-")
    print("before", f.alive)
    del thing
    print("after", f.alive)


@scenario()
def lives_on_without_its_handle(finalize: Finalize) -> None:
    thing = Thing()
    finalize(thing, print, "cleaned")
    gc.collect()
    print("before")
    del thing


@scenario()
def of_a_temporary_object_runs_at_once(finalize: Finalize) -> None:
    f = finalize(Thing(), print, "cleaned")
    print(f.alive, f.peek(), f())


@scenario()
def does_not_keep_its_object_alive(finalize: Finalize) -> None:
    thing = Thing()
    before = sys.getrefcount(thing)
    f = finalize(thing, print)
    print(sys.getrefcount(thing) - before)
    f.peek()
    repr(f)
    print(sys.getrefcount(thing) - before)


@scenario()
def call_gives_the_result_once(finalize: Finalize) -> None:
    thing = Thing()
    f = finalize(thing, "{} {x}".format, 1, x=2)
    print(f.alive, f(), f.alive, f(), f())


@scenario()
def call_gives_the_very_object(finalize: Finalize) -> None:
    thing, result = Thing(), object()
    print(finalize(thing, lambda: result)() is result)


@scenario()
def call_ignores_one_argument(finalize: Finalize) -> None:
    thing = Thing()
    print(finalize(thing, lambda *args: args, 1)(2))
    print(finalize(thing, lambda *args: args, 1)(_=2))
    f = finalize(thing, lambda *args: args, 1)
    kind_of_error(f, 2, 3)
    kind_of_error(f, x=2)
    kind_of_error(f, 2, _=3)
    print(f.alive)


@scenario()
def detach_gives_everything_back(finalize: Finalize) -> None:
    thing = Thing()
    f = finalize(thing, print, 1, 2, sep="-")
    obj, func, args, kwargs = f.detach()
    print(obj is thing, func is print, args, kwargs, type(args), type(kwargs))
    print(f.alive, f.detach(), f.peek(), f())
    del obj, thing
    print("nothing ran")


@scenario()
def detached_and_made_again(finalize: Finalize) -> None:
    thing = Thing()
    obj, func, args, kwargs = finalize(thing, print, "cleaned", end="!\n").detach()
    finalize(obj, func, *args, **kwargs)
    del obj, thing


@scenario()
def detach_is_true_when_it_was_alive(finalize: Finalize) -> None:
    thing = Thing()
    f = finalize(thing, print)
    print("first" if f.detach() else "not first", "again" if f.detach() else "not again")


@scenario()
def peek_leaves_it_alive(finalize: Finalize) -> None:
    thing = Thing()
    f = finalize(thing, print, 1, 2, sep="-")
    obj, func, args, kwargs = f.peek()
    print(obj is thing, func is print, args, kwargs, type(f.peek()), f.alive)
    print(f.peek()[2] is args, f.peek()[3] is kwargs, f.peek() is f.peek())
    f()


@scenario()
def dead_is_dead(finalize: Finalize) -> None:
    def look(f: Any) -> None:
        print(f.alive, f.atexit, f.peek(), f.detach(), f(), f(None), "dead" in repr(f))

    thing = Thing()
    called, detached, died = (finalize(thing, print, "ran") for _ in range(3))
    called()
    detached.detach()
    look(called)
    look(detached)
    del thing
    look(died)


@scenario()
def dead_before_its_callback_runs(finalize: Finalize) -> None:
    def look() -> str:
        print(f.alive, f.atexit, f.peek(), f.detach(), f(), f)
        return "result"

    thing = Thing()
    f = finalize(thing, look)
    print(f())
    f = finalize(thing, look)
    del thing


@scenario()
def exit_flag_becomes_a_bool(finalize: Finalize) -> None:
    thing = Thing()
    f = finalize(thing, print)
    for value in (f.atexit, 0, 1, [], "x", None, 2.5, False, True):
        f.atexit = value
        print(repr(value), f.atexit)
    f.detach()


@scenario()
def exit_flag_of_the_dead_is_ignored(finalize: Finalize) -> None:
    class Awkward:
        def __bool__(self) -> bool:
            raise ValueError("asked")

    thing = Thing()
    f = finalize(thing, print)
    attempt(setattr, f, "atexit", Awkward())
    print(f.alive, f.atexit)
    f.detach()
    attempt(setattr, f, "atexit", Awkward())
    f.atexit = True
    print(f.alive, f.atexit)


@scenario()
def exit_flag_does_not_matter_before_exit(finalize: Finalize) -> None:
    thing = Thing()
    f = finalize(thing, print, "died")
    f.atexit = False
    print(f.alive)
    del thing


@scenario()
def repr_tells_the_object(finalize: Finalize) -> None:
    thing = Thing()
    f = finalize(thing, print)
    print(f)
    print(repr(f) == f"<finalize object at {id(f):#x}; for 'Thing' at {id(thing):#x}>")
    print(str(f) == repr(f) == format(f) == f"{f}" == ascii(f))
    f.detach()
    print(f)
    print(repr(f) == f"<finalize object at {id(f):#x}; dead>")


@scenario()
def repr_quotes_the_type(finalize: Finalize) -> None:
    for name in ("It's", "né", "a\nb", ""):
        thing = type(name, (), {})()
        print(ascii(finalize(thing, int)))


@scenario()
def repr_does_not_ask_the_object(finalize: Finalize) -> None:
    class Shy:
        def __repr__(self) -> str:
            raise ValueError("asked")

    thing = Shy()
    f = finalize(thing, print)
    print(f)
    f.detach()


@scenario()
def compares_by_identity(finalize: Finalize) -> None:
    thing = Thing()
    f, g = finalize(thing, print), finalize(thing, print)
    print(f == f, f == g, f != g, f != f, len({f, g, f}), {f: 1}[f])
    h = hash(f)
    f.detach(), g.detach()
    print(f == f, f == g, hash(f) == h, hash(f) == object.__hash__(f))
    attempt(lambda: f < g)


@scenario()
def is_always_true(finalize: Finalize) -> None:
    thing = Thing()
    f = finalize(thing, print)
    print(bool(f))
    f.detach()
    print(bool(f), callable(f))


@scenario()
def takes_no_attributes(finalize: Finalize) -> None:
    thing = Thing()
    f = finalize(thing, int)
    attempt(setattr, f, "x", 1)
    attempt(getattr, f, "x")
    attempt(vars, f)
    kind_of_error(setattr, f, "alive", False)
    kind_of_error(setattr, f, "peek", None)
    kind_of_error(delattr, f, "alive")
    kind_of_error(delattr, f, "atexit")
    print(f.alive, f.atexit)


@scenario()
def cannot_be_watched(finalize: Finalize) -> None:
    thing = Thing()
    f = finalize(thing, int)
    attempt(weakref.ref, f)
    attempt(finalize, f, print)


@scenario()
def is_an_instance_of_the_original(finalize: Finalize) -> None:
    thing = Thing()
    f = finalize(thing, int)
    print(isinstance(f, weakref.finalize), isinstance(f, finalize), type(f) is finalize)
    print(issubclass(finalize, weakref.finalize), type(finalize), f.__class__ is finalize)


@scenario()
def its_class_looks_alike(finalize: Finalize) -> None:
    import inspect

    print(finalize.__name__, finalize.__qualname__, finalize.__slots__)
    if sys.version_info >= (3, 10):  # before, no class that native code makes has one
        print(inspect.signature(finalize))
    for name in ("__doc__", "__call__", "detach", "peek", "alive", "atexit"):
        print(name, bool(getattr(finalize, name)), bool(getattr(finalize, name).__doc__))
    print(inspect.isclass(finalize), callable(finalize), inspect.isdatadescriptor(finalize.alive))
    names = "_registry _shutdown _index_iter _dirty _registered_with_atexit _Info _exitfunc"
    print([name for name in names.split() if not hasattr(finalize, name)])
    print([name for name in names.split() if name not in dir(finalize)])


@scenario()
def methods_can_be_called_through_the_class(finalize: Finalize) -> None:
    thing = Thing()
    f = finalize(thing, print, "ran")
    print(finalize.peek(f)[2], finalize.alive.__get__(f), finalize.atexit.__get__(f))
    finalize.atexit.__set__(f, False)
    print(f.atexit, finalize.__call__(f), finalize.detach(f), finalize.__repr__(f) == repr(f))


@scenario()
def a_bound_method_keeps_the_handle(finalize: Finalize) -> None:
    thing = Thing()
    detach = finalize(thing, print, "never").detach
    call = finalize(thing, print, "called").__call__
    print(detach.__self__.alive, detach()[2], detach())
    print(call(), call())


@scenario()
def serves_as_a_plain_function(finalize: Finalize) -> None:
    from contextlib import ExitStack
    from functools import partial

    thing = Thing()
    with ExitStack() as stack:
        stack.callback(finalize(thing, print, "left the block"))
    print(partial(finalize(thing, "{}".format, 1))(), list(map(finalize(thing, abs, -2), [0, 0])))


@scenario()
def several_of_one_object_are_independent(finalize: Finalize) -> None:
    thing = Thing()
    first, second, third, fourth = (finalize(thing, print, n) for n in range(4))
    second()
    third.detach()
    print(first.alive, second.alive, third.alive, fourth.alive)
    del thing


@scenario()
def a_function_can_be_an_object_and_a_callback(finalize: Finalize) -> None:
    def work() -> None:
        print("working")

    f = finalize(work, print, "the function is gone")
    g = finalize(print, work)
    g()
    print(f.alive)
    del work, g
    print(f.alive)
