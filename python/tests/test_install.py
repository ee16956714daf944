"""`install` and `uninstall`: which class stands where, and what becomes of what was there."""

from __future__ import annotations

import subprocess
import sys
from textwrap import dedent

import pytest

from fresh import WATCHDOG, run

BEFORE = """
import atexit, gc, sys, tempfile, weakref
from weakref import finalize as original
import lastly

class Thing:
    pass
"""


def says(program: str, **variables: str) -> list[str]:
    """What a program prints that ends well, complains of nothing and leaves nothing behind."""
    ended = run("-c", BEFORE + dedent(program), **variables)
    assert (ended.complaints, ended.status, ended.left) == ("", 0, []), ended
    return ended.said


def test_import_changes_nothing_and_loads_little() -> None:
    program = """
        import os, sys, weakref  # as at the start of nearly every program
        before = set(sys.modules)
        original = weakref.finalize
        import lastly
        print(weakref.finalize is original)
        loaded = set(sys.modules) - before
        print(*sorted(name for name in loaded if not name.startswith("encodings.")))
    """
    # Without -X dev, which loads more.
    ended = subprocess.run(
        [sys.executable, "-S", "-c", dedent(program)],
        env={"PYTHONPATH": site_packages()},
        capture_output=True,
        text=True,
        timeout=WATCHDOG,
    )
    assert ended.stdout.splitlines() == [
        "True",
        "__future__ _functools atexit gc"
        " lastly lastly._cleaner lastly._exit lastly._install lastly._native lastly._registry",
    ], ended


def site_packages() -> str:
    """Where lastly is installed, for a Python that does not look there."""
    return run("-c", "import lastly, os; print(os.path.dirname(lastly.__path__[0]))").said[0]


def test_it_takes_the_place_and_gives_it_back_any_number_of_times() -> None:
    program = """
        def show():
            print("lastly" if weakref.finalize is lastly.finalize else
                  "original" if weakref.finalize is original else "?")
        lastly.uninstall(); show()
        for _ in range(2):
            lastly.install(); show()
            lastly.install(); show()
            lastly.uninstall(); show()
            lastly.uninstall(); show()
    """
    assert says(program) == ["original"] + 2 * ["lastly", "lastly", "original", "original"]


@pytest.mark.parametrize("value, installed", [("0", False), ("1", True), ("", True)])
def test_the_environment_turns_it_off(value: str, installed: bool) -> None:
    program = "lastly.install(); print(weakref.finalize is lastly.finalize)"
    assert says(program, LASTLY_INSTALL=value) == [str(installed)]


def test_finalizers_of_both_classes_live_on_across_the_switch() -> None:
    program = """
        things = [Thing() for _ in range(6)]
        weakref.finalize(things[0], print, "original, from before")
        lastly.finalize(things[1], print, "lastly's, from before")
        lastly.install()
        weakref.finalize(things[2], print, "lastly's, installed")
        weakref.finalize(things[3], print, "lastly's, installed: dies")
        lastly.uninstall()
        weakref.finalize(things[4], print, "original, from after")
        dies = weakref.finalize(things[5], print, "original: dies")
        lastly.install()
        del things[3], things[4]
        print("at exit")
    """
    assert says(program) == [
        "lastly's, installed: dies",
        "original: dies",
        "at exit",
        "lastly's, installed",
        "lastly's, from before",
        "original, from after",
        "original, from before",
    ]


def test_isinstance_across_the_switch() -> None:
    program = """
        thing = Thing()
        theirs = weakref.finalize(thing, int)
        ours = lastly.finalize(thing, int)
        def show():
            print(isinstance(ours, weakref.finalize), isinstance(theirs, weakref.finalize))
        show()
        lastly.install(); show()
        lastly.uninstall(); show()
        print(isinstance(ours, original), isinstance(theirs, lastly.finalize))
    """
    assert says(program) == ["True True", "True False", "True True", "True False"]


def test_what_was_imported_by_name_before_stays_the_original() -> None:
    program = """
        lastly.install()
        from weakref import finalize as later
        print(original is lastly.finalize, later is lastly.finalize)
    """
    assert says(program) == ["False True"]


def test_temporary_directories_profit() -> None:
    program = """
        lastly.install()
        closed, dropped, kept = [tempfile.TemporaryDirectory() for _ in range(3)]
        print(type(kept._finalizer) is lastly.finalize)
        closed.cleanup()
        print(closed._finalizer.alive, kept._finalizer.alive)
    """
    ended = run("-W", "ignore::ResourceWarning", "-c", BEFORE + dedent(program))
    assert ended == (["True", "False True"], "", 0, []), ended


def test_the_original_is_registered_once_whatever_it_makes_afterwards() -> None:
    program = """
        lastly.install()
        before = atexit._ncallbacks()
        things = [Thing() for _ in range(10)]
        made = [original(thing, print, "ran") for thing in things]
        print(atexit._ncallbacks() - before)
    """
    assert says(program) == ["0"] + 10 * ["ran"]


def test_switching_again_and_again_leaves_nothing_behind_in_atexit() -> None:
    program = """
        counts = set()
        for _ in range(10):
            lastly.install()
            lastly.uninstall()
            counts.add(atexit._ncallbacks())
        print(len(counts))
    """
    assert says(program) == ["1"]


def test_what_the_original_makes_does_not_pass_for_a_registration_of_ours() -> None:
    program = """
        lastly.install()
        things = [Thing(), Thing()]
        original(things[0], print, "original")
        weakref.finalize(things[1], print, "lastly's")
    """
    assert says(program) == ["lastly's", "original"]


LATE = """
    import builtins
    lastly.install()
    builtins.things = [Thing(), Thing()]  # die when every module is gone
    for cls, thing in zip([original, weakref.finalize], things):
        cls(thing, print, "late", cls is original).atexit = False
    original(Thing, print, "at exit", True)
    weakref.finalize(Thing, print, "at exit", False)
"""


def test_neither_class_runs_anything_after_its_drain() -> None:
    assert says(LATE) == ["at exit False", "at exit True"]


def test_the_drain_of_the_original_does_not_stop_ours() -> None:
    # The original's drain comes first, and notes down that it is over.
    program = """
        lastly.finalize(Thing, print, "lastly's")
        weakref.finalize(Thing, print, "original")
        {put}
        weakref.finalize(Thing, print, "lastly's, newer")
    """
    for put in ("lastly.install()", "weakref.finalize = lastly.finalize"):
        said = says(program.format(put=put))
        assert said == ["original", "lastly's, newer", "lastly's"], put


def test_callbacks_at_exit_may_make_finalizers_by_either_name() -> None:
    program = """
        lastly.install()
        def more(text):
            print(text)
            weakref.finalize(Thing, print, text, "then")
            original(Thing, print, text, "then, of the original")
        original(Thing, more, "original")
        weakref.finalize(Thing, more, "lastly's")
    """
    assert says(program) == [
        "lastly's",
        "lastly's then",
        "lastly's then, of the original",
        "original",
        "original then, of the original",
        "original then",
    ]


def test_uninstall_leaves_alone_what_took_the_place_since() -> None:
    program = """
        class Other(weakref.finalize):
            pass
        lastly.install()
        weakref.finalize = Other
        lastly.uninstall()
        print(weakref.finalize is Other)
        lastly.install()
        print(weakref.finalize is lastly.finalize)
        lastly.uninstall()
        print(weakref.finalize is Other)
    """
    assert says(program) == ["True", "True", "True"]


# What programs look for on the class: `_registered_with_atexit`, `_registry`.


def test_a_program_that_has_atexit_forget_the_drain_can_ask_for_it_again() -> None:
    program = """
        lastly.install()
        weakref.finalize(Thing, print, "first")
        atexit.unregister(weakref.finalize._exitfunc)
        {ask}
        weakref.finalize(Thing, print, "second")
    """
    assert says(program.format(ask="")) == []
    ask = "weakref.finalize._registered_with_atexit = False"
    assert says(program.format(ask=ask)) == ["second", "first"]


def test_the_registry_counts_and_finds_what_is_alive() -> None:
    program = """
        lastly.install()
        registry = weakref.finalize._registry
        things = [Thing() for _ in range(3)]
        made = [weakref.finalize(thing, int, n) for n, thing in enumerate(things)]
        foreign = original(things[0], int)
        print(len(registry), bool(registry), list(registry) == made)
        print([finalizer in registry for finalizer in (made[0], foreign, "no finalizer")])
        made[1].detach()
        del things[0]
        print(len(registry), made[0] in registry, list(registry) == made[2:])
        made[2]()
        print(len(registry), bool(registry), registry == {})
        foreign.detach()
    """
    assert says(program) == [
        "3 True True",
        "[True, False, False]",
        "1 False True",
        "0 False True",
    ]


def test_the_registry_tells_what_a_finalizer_was_made_with() -> None:
    program = """
        registry = lastly.finalize._registry
        thing = Thing()
        plain = lastly.finalize(thing, int)
        full = lastly.finalize(thing, print, 1, 2, sep="-")
        info = registry[full]
        print(info.weakref in weakref.getweakrefs(thing), info.weakref() is thing)
        print(info.func is print, info.args, info.kwargs, registry[plain].kwargs)
        print(info.index > registry[plain].index, info == registry[full], info == registry[plain])
        info.atexit = False
        print(full.atexit, registry[full].atexit, plain.atexit)
        full.atexit = True
        print(info.atexit)
        full()
        print(info.args, info.atexit, registry.get(full))
        try:
            registry[full]
        except KeyError as error:
            print(error.args == (full,))
        plain.detach()
    """
    assert says(program) == [
        "True True",
        "True (1, 2) {'sep': '-'} None",
        "True True False",
        "False False True",
        "True",
        "1-2",
        "(1, 2) False None",
        "True",
    ]


def test_the_registry_may_change_while_it_is_iterated_over() -> None:
    program = """
        registry = lastly.finalize._registry
        def fill():
            return [Thing() for _ in range(10)]
        for look in (registry.keys, registry.values, registry.items):
            things = fill()
            for thing in things:
                lastly.finalize(thing, int)
            seen = 0
            del thing
            for _ in look():
                seen += 1
                lastly.finalize(things[0], int)
                del things[1:]
            print(seen, len(registry))
            del things
        print(len(registry))
    """
    # What died is still among the keys, but has no info any more.
    assert says(program) == ["10 11", "1 2", "1 2", "0"]


def test_clearing_the_registry_ends_finalizers_unrun() -> None:
    program = """
        registry = lastly.finalize._registry
        thing = Thing()
        made = [lastly.finalize(thing, print, "ran", n) for n in range(5)]
        print(registry.pop(made[0]).args, made[0].alive, registry.pop(made[0], "gone"))
        del registry[made[1]]
        finalizer, info = registry.popitem()
        print(finalizer is made[4], info.args)
        del info
        print(len(registry), weakref.getweakrefcount(thing))
        copied = registry.copy()
        print(type(copied), list(copied) == made[2:4])
        del copied
        registry.clear()
        print(len(registry), weakref.getweakrefcount(thing), [f.alive for f in made])
        for end in (registry.popitem, lambda: registry.pop(made[0])):
            try:
                end()
            except KeyError:
                print("KeyError")
    """
    assert says(program) == [
        "('ran', 0) False gone",
        "True ('ran', 4)",
        "2 2",
        "<class 'dict'> True",
        "0 0 [False, False, False, False, False]",
        "KeyError",
        "KeyError",
    ]


def test_setting_an_item_of_the_registry_is_refused_with_the_way_to_do_it() -> None:
    program = """
        thing = Thing()
        finalizer = lastly.finalize(thing, int)
        for change in (lambda: lastly.finalize._registry.update({finalizer: 1}),
                       lambda: setattr(lastly.finalize._registry[finalizer], "func", print)):
            try:
                change()
            except (TypeError, AttributeError) as error:
                print(type(error).__name__)
        try:
            lastly.finalize._registry[finalizer] = None
        except TypeError as error:
            print(error)
    """
    said = says(program)
    assert said[:2] == ["TypeError", "AttributeError"]
    assert "finalize(obj, func, *args, **kwargs)" in said[2]
