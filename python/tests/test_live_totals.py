"""`lastly.live` in words, and its totals."""

from __future__ import annotations

import threading
from pathlib import Path

import lastly
from endings import play


class Thing:
    """An object that can be watched."""


def clean() -> None: ...


# In words


def test_the_table(tmp_path: Path) -> None:
    program = """
        finalize(print, "x")
        for _ in range(3):
            finalize(say)
        text = str(lastly.live())
        import re
        for line in re.sub(r"[0-9.]+(m|n|µ)?s ", "* ", text).splitlines():
            say(" ".join(line.split()))
        lastly.finalize._registry.clear()
    """
    said = play(tmp_path, program, LASTLY_SITES="1").said
    assert said[:2] == ["4 finalizers", "count oldest object function created at"]
    assert [line.partition(" /")[0] for line in said[2:4]] == [
        "3 * __main__.Thing __main__.say",
        "1 * __main__.Thing print",
    ]
    assert said[3].endswith(" in finalize")
    assert said[4:] == [
        "created 4; called 0, object died 0, exit 0, signal 0, detached 0; failed 0, lost 0"
    ]


def test_a_long_table_is_cut() -> None:
    class Many:
        pass

    kept = []
    for number in range(25):
        kind = type(f"Kind{number:02}", (Many,), {})
        kept.append(kind())
        lastly.finalize(kept[-1], clean)
    kept.append(kind())
    lastly.finalize(kept[-1], clean)
    head, _, *rows = str(lastly.live(object=Many)).splitlines()
    assert head == "26 finalizers"
    assert rows[0].split()[0] == "2" and "Kind24" in rows[0], "largest first"
    assert rows[20] == "… and 5 more, with 5"


def test_of_nothing() -> None:
    view = lastly.live(object=int)
    assert (len(view), list(view)) == (0, [])
    assert str(view).startswith("0 finalizers\ncreated ")


# Totals


def test_totals(tmp_path: Path) -> None:
    program = """
        lastly.report.set_hook(lambda report: None)
        def totals():
            return lastly.live().totals[:8]
        say(totals())
        thing = Thing()
        for end in ("__call__", "detach", "peek"):
            getattr(lastly.finalize(thing, int), end)()
        lastly.finalize(thing, int, "x")
        del thing
        say(totals())
        def at_exit():
            say(lastly.live().totals)
        finalize(at_exit)
        lastly.finalize(kept[0], int, "x")
    """
    assert play(tmp_path, program).said == [
        "(0, 0, 0, 0, 0, 0, 0, 0)",
        "(4, 1, 2, 0, 0, 1, 1, 0)",
        "Totals(created=6, called=1, object_died=2, exit=2, signal=0, detached=1, failed=2, "
        "lost=0, slowest=(), cleaners=())",
    ]


def test_a_forked_child_begins_at_zero(tmp_path: Path) -> None:
    program = """
        finalize(int)
        finalize(int)()
        child = os.fork()
        if child == 0:
            finalize(int)
            say(lastly.live().totals[:4], len(lastly.live()))
            os._exit(0)
        wait_for(child)
        say(lastly.live().totals[:4], len(lastly.live()))
    """
    assert play(tmp_path, program).said == ["(1, 0, 0, 0) 2", "status 0", "(2, 1, 0, 0) 1"]


def test_the_slowest(tmp_path: Path) -> None:
    program = """
        lastly.report.reset_hook()
        def slow(seconds):
            time.sleep(seconds)
        class Odd(lastly.finalize):
            def __call__(self, _=None):
                return super().__call__(_)
        def fail():
            time.sleep(0.05)
            raise ValueError
        sys.unraisablehook = lambda _: None

        thing = Thing()
        lastly.finalize(thing, slow, 0.15)()
        lastly.finalize(thing, slow, 0)()
        Odd(thing, slow, 0.1)
        lastly.finalize(thing, fail)
        del thing
        def show():
            for slow in lastly.live().totals.slowest:
                long_enough = slow.seconds > {"exit": 0.2, "called": 0.1}.get(slow.cause, 0.03)
                say(slow.object, slow.function, slow.cause, slow.created is not None, long_enough)
        finalize(show)
        finalize(slow, 0.3)
    """
    assert play(tmp_path, program, LASTLY_SITES="1").said == [
        "__main__.Thing __main__.slow exit True True",
        "__main__.Thing __main__.slow called True True",
        "__main__.Thing __main__.slow called True True",  # by that method
        "__main__.Thing __main__.fail object died True True",
    ]


def test_nothing_is_measured_unless_recorded(tmp_path: Path) -> None:
    program = """
        finalize(time.sleep, 0.05)()
        lastly.report.set_hook(print)
        finalize(time.sleep, 0.05)()
        say(lastly.live().totals.slowest)
        lastly.report.record_sites()
        lastly.report.reset_hook()
        finalize(time.sleep, 0.05)()
        say(len(lastly.live().totals.slowest))
    """
    assert play(tmp_path, program).said == ["()", "1"]


def test_cleaners() -> None:
    reached, go_on = threading.Event(), threading.Event()

    def block() -> None:
        reached.set()
        assert go_on.wait(60)

    with lastly.Cleaner(limit=7, name="of files") as cleaner:
        for function in (block, clean, clean):
            thing = Thing()
            cleaner.finalize(thing, function)
            del thing
        assert reached.wait(60)
        view = lastly.live(waiting=True)
        (state,) = [it for it in view.totals.cleaners if it.name == "of files"]
        assert state == ("of files", 2, 7, True, 3)
        assert state.waiting == len(view) == 2
        assert "\ncleaner of files: 2 of 7 wait, one is running; handed over 3" in str(view)
        go_on.set()
        assert cleaner.drain()
        (state,) = [it for it in lastly.live().totals.cleaners if it.name == "of files"]
        assert state == ("of files", 0, 7, False, 3)
