"""What the constructor takes, what becomes of it, and when it is let go."""

from __future__ import annotations

import gc
import sys
from functools import partial

from scenarios import Loud, Thing, attempt, report_unraisable, scenario

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from scenarios import Finalize


@scenario()
def missing_ones(finalize: Finalize) -> None:
    thing = Thing()
    attempt(finalize)
    attempt(finalize, thing)
    attempt(finalize, thing, func=print)
    attempt(finalize, obj=thing, func=print)
    attempt(finalize, func=print)
    attempt(finalize, thing, x=1)


@scenario()
def missing_ones_of_a_subclass(finalize: Finalize) -> None:
    class Special(finalize):
        pass

    thing = Thing()
    attempt(Special)
    attempt(Special, thing)
    attempt(Special, thing, func=print)


@scenario()
def names_do_not_clash(finalize: Finalize) -> None:
    def show(**kwargs: Any) -> None:
        print(kwargs)

    thing = Thing()
    names = ("obj", "func", "self", "_", "cls", "args", "kwargs", "atexit", "type", "callback")
    for name in names:
        finalize(thing, show, **{name: 1})()
    f = finalize(thing, show, **dict.fromkeys(names, 2))
    print(f.peek()[3])
    del thing


@scenario()
def names_must_be_strings(finalize: Finalize) -> None:
    thing = Thing()
    attempt(lambda: finalize(thing, print, **{1: 2}))
    print(len(finalize._registry))


@scenario()
def names_keep_their_order(finalize: Finalize) -> None:
    thing = Thing()
    names = ["z", "a", "m", "b", "sep"]
    f = finalize(thing, lambda **kwargs: list(kwargs), **dict.fromkeys(names))
    print(list(f.peek()[3]), f())


@scenario()
def keywords_are_live(finalize: Finalize) -> None:
    thing = Thing()
    f = finalize(thing, print, "a", "b", sep="-")
    print(f.peek()[3] is f.peek()[3])
    f.peek()[3]["sep"] = "+"
    f.peek()[3]["end"] = "!\n"
    print(f.peek()[3])
    del thing


@scenario()
def keywords_are_live_until_detached(finalize: Finalize) -> None:
    thing = Thing()
    f = finalize(thing, print, sep="-")
    live = f.peek()[3]
    live["end"] = ""
    given = f.detach()[3]
    print(given is live, given)


@scenario()
def no_keywords_are_fresh_each_time(finalize: Finalize) -> None:
    thing = Thing()
    f = finalize(thing, print, "plain")
    empty = f.peek()[3]
    empty["sep"] = object()
    print(f.peek()[3], f.peek()[3] is f.peek()[3])
    f()


@scenario()
def keywords_taken_away_are_fresh_each_time(finalize: Finalize) -> None:
    thing = Thing()
    f = finalize(thing, lambda **kwargs: kwargs, a=1)
    f.peek()[3].clear()
    f.peek()[3]["b"] = 2
    print(f.peek()[3], f())


@scenario()
def keywords_made_unusable(finalize: Finalize) -> None:
    thing = Thing()
    f = finalize(thing, print, end="\n")
    f.peek()[3][1] = 2
    attempt(f)
    print(f.alive)


@scenario()
def keywords_unknown_to_the_function(finalize: Finalize) -> None:
    thing = Thing()
    f = finalize(thing, lambda a: a, 1, unknown=2)
    try:
        f()
    except TypeError as error:
        print(str(error).endswith("got an unexpected keyword argument 'unknown'"), f.alive)


@scenario()
def are_those_of_the_moment(finalize: Finalize) -> None:
    thing = Thing()
    args, kwargs = ["a", "b"], {"sep": "-"}
    f = finalize(thing, print, *args, **kwargs)
    args.append("c")
    kwargs["sep"] = "+"
    print(f.peek()[2:])
    f()
    finalize(thing, print, args)
    args.append("d")
    del thing


@scenario()
def positional_ones_are_one_tuple(finalize: Finalize) -> None:
    thing = Thing()
    f = finalize(thing, print, 1, [])
    args = f.peek()[2]
    print(args is f.peek()[2], args[1] is f.peek()[2][1], f.detach()[2] is args)


@scenario()
def many_of_them(finalize: Finalize) -> None:
    def count(*args: int, **kwargs: int) -> tuple[int, int]:
        return sum(args), sum(kwargs.values())

    thing = Thing()
    f = finalize(thing, count, *range(1000), **{f"name{n}": n for n in range(1000)})
    print(len(f.peek()[2]), len(f.peek()[3]), f())


@scenario()
def function_is_not_checked(finalize: Finalize) -> None:
    report_unraisable()
    for function in (None, 5, "text"):
        thing = Thing()
        f = finalize(thing, function)
        print(f.peek()[1], f.alive)
        attempt(f)
        print(f.alive)
        finalize(thing, function, 1, x=2)
        del thing


@scenario()
def functions_of_many_kinds(finalize: Finalize) -> None:
    class Worker:
        def __call__(self, x: int) -> str:
            return f"called {x}"

        def method(self, x: int) -> str:
            return f"method {x}"

        @classmethod
        def of_the_class(cls, x: int) -> str:
            return f"{cls.__name__} {x}"

        @staticmethod
        def static(x: int) -> str:
            return f"static {x}"

    thing, worker = Thing(), Worker()
    kinds = (worker, worker.method, Worker.of_the_class, worker.static, partial(max, 0))
    for function in (*kinds, str, lambda x: -x, (3).__add__, [7, 8].__getitem__, type):
        print(finalize(thing, function, 1)())


@scenario()
def reference_counts(finalize: Finalize) -> None:
    thing, function, first, second = Thing(), lambda *_, **__: None, object(), object()

    def count() -> None:
        gc.collect()
        print([sys.getrefcount(each) - 1 for each in (thing, function, first, second)])

    count()
    f = finalize(thing, function, first, second=second)
    count()
    for _ in range(5):
        f.peek()
    count()
    f()
    count()
    f = finalize(thing, function, first, second=second)
    f.detach()
    count()
    f = finalize(thing, function, first, second=second)
    del thing
    thing = Thing()
    count()


@scenario()
def are_let_go_after_the_call(finalize: Finalize) -> None:
    thing = Thing()
    f = finalize(thing, lambda *_, **__: print("running"), Loud("argument"))
    print("made")
    f()
    print("called")
    finalize(thing, lambda *_, **__: print("running"), x=Loud("keyword"))
    del thing
    print("dead")


@scenario()
def are_let_go_with_what_detach_gave(finalize: Finalize) -> None:
    thing = Thing()
    f = finalize(thing, print, Loud("argument"))
    given = f.detach()
    print("detached")
    del given
    print("forgotten")
    finalize(thing, print, Loud("another")).detach()
    print("end")


@scenario()
def are_let_go_after_an_error(finalize: Finalize) -> None:
    def fail(*_: object) -> None:
        raise ValueError

    report_unraisable()
    thing = Thing()
    finalize(thing, fail, Loud("argument"))
    del thing
    print("end")


@scenario()
def go_in_order(finalize: Finalize) -> None:
    class Function(Loud):
        def __call__(self, *_: object, **__: object) -> None:
            print("running")

    thing = Thing()
    finalize(thing, Function("function"), Loud("argument"), Loud("another"))()
    print("called")
    finalize(thing, Function("function"), Loud("argument"), Loud("another"))
    del thing
    print("dead")


@scenario()
def may_use_the_finalizer_when_they_go(finalize: Finalize) -> None:
    class Curious:
        def __del__(self) -> None:
            print(f.alive, f.peek(), f())

    thing = Thing()
    f = finalize(thing, lambda _: print("running"), Curious())
    f()
    print("called")
    f = finalize(thing, lambda _: print("running"), Curious())
    del thing
    f = None
    print("dead")


@scenario()
def may_hold_the_finalizer(finalize: Finalize) -> None:
    thing, box = Thing(), []
    f = finalize(thing, lambda box: print(box[0].alive, box[0].peek()), box)
    box.append(f)
    print(f.peek()[2][0][0] is f)
    del f, box, thing


@scenario()
def object_itself_among_them(finalize: Finalize) -> None:
    thing = Thing()
    f = finalize(thing, lambda obj: print("at exit", type(obj).__name__), thing)
    del thing
    gc.collect()
    print("still there", f.alive)


@scenario()
def a_result_is_dropped(finalize: Finalize) -> None:
    thing = Thing()
    finalize(thing, Loud, "result")
    del thing
    print("end")
