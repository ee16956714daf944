"""Declared actions at the first two deaths, and called; what cannot be declared; what protects."""

from __future__ import annotations

import errno
import gc
import inspect
import os
import pickle
import shutil
import subprocess
import sys
import threading
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import lastly
from declared import play
from fresh import run
from lastly import actions, finalize, kill_process, remove_file, remove_tree, unlink_shared_memory


class Thing:
    pass


def tree(path: Path) -> Path:
    (path / "inner").mkdir(parents=True)
    (path / "inner" / "file").write_text("x")
    return path


def file(path: Path) -> Path:
    path.write_text("x")
    return path


def shared_memory() -> tuple[str, Path]:
    name = f"lastly-{os.urandom(8).hex()}"
    return name, file(Path("/dev/shm", name))


def sleeper() -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"])


# The first two deaths, and calls


def test_the_object_dies(tmp_path: Path) -> None:
    thing, path = Thing(), tree(tmp_path / "a")
    finalizer = finalize(thing, remove_tree, path)
    assert finalizer.alive and path.exists()
    del thing
    assert not finalizer.alive and not path.exists()


def test_it_is_called(tmp_path: Path) -> None:
    thing, path = Thing(), file(tmp_path / "a")
    finalizer = finalize(thing, remove_file, os.fsencode(path), sync=True)
    assert finalizer() is None
    assert not finalizer.alive and not path.exists()
    file(path)
    assert finalizer() is None and path.exists()


def test_shared_memory_and_processes(tmp_path: Path) -> None:
    thing, process, (name, path) = Thing(), sleeper(), shared_memory()
    finalize(thing, kill_process, process.pid)
    finalize(thing, unlink_shared_memory, f"/{name}")
    del thing
    assert process.wait() == -9 and not path.exists()


def test_cleaners_and_pressures(tmp_path: Path) -> None:
    cleaner, pressure = lastly.Cleaner(), lastly.Pressure(10)
    thing, paths = Thing(), [tree(tmp_path / name) for name in "ab"]
    cleaner.finalize(thing, remove_tree, paths[0])
    pressure.finalize(thing, remove_tree, paths[1])
    del thing
    cleaner.close()
    assert not list(tmp_path.iterdir()) and pressure.held == 0


def test_detach_and_peek_give_what_was_given(tmp_path: Path) -> None:
    thing, path = Thing(), tree(tmp_path / "a")
    finalizer = finalize(thing, remove_tree, path=path, ignore_errors=True)
    expected = (thing, remove_tree, (), {"path": path, "ignore_errors": True})
    assert finalizer.peek() == expected
    assert finalizer.detach() == expected
    del thing, expected
    assert path.exists()


def test_after_a_peek_it_does_the_same(tmp_path: Path) -> None:
    thing, path, other = Thing(), tree(tmp_path / "a"), tree(tmp_path / "b")
    finalizer = finalize(thing, remove_tree, path=path)
    peeked = finalizer.peek()
    assert peeked is not None
    # What was declared is what is done.
    peeked[3]["path"] = other
    finalizer()
    assert not path.exists() and other.exists()


def test_what_has_taken_the_place_stays(tmp_path: Path) -> None:
    thing, path = Thing(), tree(tmp_path / "a")
    finalizer = finalize(thing, remove_tree, path)
    path.rename(tmp_path / "b")
    tree(path)
    finalizer()
    assert path.exists() and (tmp_path / "b").exists()


def test_the_end_of_the_program(tmp_path: Path) -> None:
    program = """
        finalize(remove_tree, tree("a"))
        finalize(lambda: say(there()))
        finalize(remove_file, file("b"))
        import atexit
        # Runs after the drain.
        atexit._clear()
        atexit.register(lambda: say(there()))
        atexit.register(lastly.finalize._exitfunc)
    """
    ended, left = play(tmp_path, program)
    assert (ended.said, ended.complaints, left) == (["['a']", "[]"], "", [])


# Direct calls


def test_called_directly_they_act_at_once(tmp_path: Path) -> None:
    for path in (tree(tmp_path / "a"), str(tree(tmp_path / "b")), bytes(tree(tmp_path / "c"))):
        remove_tree(path)
        remove_tree(path)
    remove_file(file(tmp_path / "a"))
    remove_file(tmp_path / "none" / "either")
    (name, path), process = shared_memory(), sleeper()
    unlink_shared_memory(name)
    unlink_shared_memory(name)
    kill_process(process.pid)
    assert process.wait() == -9
    assert not path.exists() and not list(tmp_path.iterdir())


def test_what_fails_is_told(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="it is a directory"):
        remove_file(tmp_path)
    with pytest.raises(ValueError, match="not a directory"):
        remove_tree(file(tmp_path / "a"))
    with pytest.raises(ValueError, match="cannot be removed"):
        remove_tree(Path.home())
    with pytest.raises(ValueError, match="a slash at its beginning only"):
        unlink_shared_memory("../etc/passwd")
    with pytest.raises(OSError, match="cannot be looked at") as raised:
        remove_tree(tmp_path / ("x" * 300))
    assert raised.value.errno == errno.ENAMETOOLONG
    with pytest.raises(ValueError, match="null byte"):
        remove_tree("a\0b", ignore_errors=True)
    with pytest.raises(ValueError, match="above 1"):
        kill_process(-1)
    with pytest.raises(NotADirectoryError):
        remove_tree(tmp_path / "a" / "b")
    remove_tree(tmp_path / "a" / "b", ignore_errors=True)


def test_what_goes_elsewhere_while_it_is_removed_is_told(tmp_path: Path) -> None:
    """Not to be found in the middle of a removal is not the same as not to be there."""
    done = threading.Event()

    def move_away() -> None:
        while not done.is_set():
            for name in os.listdir(tmp_path):
                # As it is called while it is removed.
                if name.startswith(".lastly-"):
                    os.rename(tmp_path / name, tmp_path / "elsewhere")
                    return

    for number in range(50):
        path = tmp_path / str(number)
        path.mkdir()
        for file in range(300):
            (path / str(file)).touch()
        mover = threading.Thread(target=move_away)
        mover.start()
        try:
            remove_tree(path)
        except FileNotFoundError as error:
            assert str(path) in str(error)
            break
        finally:
            done.set()
            mover.join()
            done.clear()
            shutil.rmtree(tmp_path / "elsewhere", ignore_errors=True)
    else:
        pytest.fail("it was never told")


# What cannot be declared

WRONG: list[tuple[Any, tuple[Any, ...], dict[str, Any], str]] = [
    (remove_tree, (), {}, "remove_tree() missing 1 required positional argument: 'path'"),
    (
        remove_tree,
        (),
        {"sync": True},
        "remove_tree() missing 1 required positional argument: 'path'",
    ),
    (remove_tree, ("a", "b"), {}, "remove_tree() takes 1 positional argument but 2 were given"),
    (remove_file, ("a",), {"path": "b"}, "remove_file() got multiple values for argument 'path'"),
    (remove_file, ("a",), {"x": 1}, "remove_file() got an unexpected keyword argument 'x'"),
    (remove_tree, ("a",), {"sync": "x"}, "remove_tree() argument 'sync': 'str' object"),
    (
        remove_tree,
        ("a",),
        {"ignore_errors": 1},
        "remove_tree() argument 'ignore_errors': 'int' object",
    ),
    (
        remove_tree,
        (1,),
        {},
        "remove_tree() argument 'path': expected str, bytes or os.PathLike object",
    ),
    (kill_process, ("x",), {}, "kill_process() argument 'pid': 'str' object"),
    (
        unlink_shared_memory,
        (),
        {"name": b"x"},
        "unlink_shared_memory() argument 'name': 'bytes' object",
    ),
]


@pytest.mark.parametrize(("function", "arguments", "keywords", "message"), WRONG)
def test_wrong_arguments_are_told_as_a_function_of_pythons_does(
    function: Any, arguments: Any, keywords: Any, message: str
) -> None:
    """Understood from a call, or from what a finalizer is given: names or a dict."""
    thing, cleaner = Thing(), lastly.Cleaner()
    before = list(finalize._registry)
    for tried in (
        lambda: function(*arguments, **keywords),
        lambda: finalize(thing, function, *arguments, **keywords),
        lambda: cleaner.finalize(thing, function, *arguments, **keywords),
    ):
        with pytest.raises(TypeError) as raised:
            tried()
        assert str(raised.value).startswith(message)
    assert list(finalize._registry) == before


def test_what_a_programs_own_code_raises_stays_as_it_is() -> None:
    class Named:
        def __fspath__(self) -> str:
            raise TypeError("mine")

    for tried in (remove_tree, partial(finalize, Thing(), remove_tree)):
        with pytest.raises(TypeError, match="^mine$"):
            tried(Named())


@pytest.mark.parametrize(
    ("function", "arguments", "keywords", "error"),
    [
        (remove_tree, (), {}, TypeError),
        (remove_tree, (1,), {}, TypeError),
        (remove_tree, ("a", "b"), {}, TypeError),
        (remove_tree, ("a",), {"recursive": True}, TypeError),
        (remove_tree, ("a",), {"sync": "yes"}, TypeError),
        (remove_tree, ("/",), {"ignore_errors": True}, ValueError),
        (remove_tree, ("/nowhere/at/all",), {"ignore_errors": True}, FileNotFoundError),
        (remove_file, ("/etc",), {}, ValueError),
        (kill_process, (os.getpid(),), {}, ValueError),
        (kill_process, (2**40,), {}, OverflowError),
        (kill_process, (2**22 + 1,), {}, ProcessLookupError),
        (unlink_shared_memory, (b"name",), {}, TypeError),
    ],
)
def test_what_cannot_be_declared_is_not_registered(
    function: Any, arguments: Any, keywords: Any, error: type[Exception], tmp_path: Path
) -> None:
    thing, before = Thing(), list(finalize._registry)
    with pytest.raises(error):
        finalize(thing, function, *arguments, **keywords)
    assert list(finalize._registry) == before
    # Nor is the next that is called taken for a declaration.
    remove_file(file(tmp_path / "a"))
    assert not list(tmp_path.iterdir())


def test_if_it_cannot_be_declared_what_was_before_stays(tmp_path: Path) -> None:
    thing, path = Thing(), tree(tmp_path / "a")
    finalizer = finalize(thing, remove_tree, path)
    with pytest.raises(ValueError):
        finalizer.__init__(thing, remove_tree, "/")  # type: ignore[misc]
    assert finalizer.alive
    finalizer()
    assert not path.exists()


def test_a_path_that_runs_code_is_asked_once(tmp_path: Path) -> None:
    """What that code removes is another matter."""
    other, path = tree(tmp_path / "b"), tree(tmp_path / "a")
    asked = []

    class Named:
        def __fspath__(self) -> str:
            asked.append(self)
            remove_tree(other)
            return str(path)

    thing = Thing()
    finalizer = finalize(thing, remove_tree, Named())
    assert not other.exists() and path.exists()
    tree(other)
    finalizer()
    assert other.exists() and not path.exists() and len(asked) == 1


def test_what_the_collector_runs_meanwhile_is_not_taken_for_it(tmp_path: Path) -> None:
    """Up to CPython 3.11 it runs in the middle of a call, where names become a tuple."""
    # No tuple is made of one that has died before.
    held, other = [(object(),) for _ in range(2500)], str(tmp_path / "other")
    cleaner, things = lastly.Cleaner(), [Thing() for _ in range(20)]

    def collecting(_phase: str, _info: Any) -> None:
        remove_file(other)

    def collect_soon(after: int) -> list[Any]:
        gc.collect()
        # Zero is for never.
        new: list[Any] = [[] for _ in range(10)]
        gc.set_threshold(gc.get_count()[0] + after, 10, 10)
        return new

    threshold = gc.get_threshold()
    gc.callbacks.append(collecting)
    try:
        for after, thing in enumerate(things):
            path = tree(tmp_path / str(after))
            new = collect_soon(after)
            finalizer = cleaner.finalize(thing, remove_tree, path, sync=False)
            gc.set_threshold(*threshold)
            assert finalizer.alive and path.exists()
            # Nor is what takes its place removed because of it, when its turn comes.
            assert finalizer.peek()
            path.rename(tmp_path / f"{after} moved")
            tree(path)
            new = collect_soon(after)
            finalizer()
            gc.set_threshold(*threshold)
            assert path.exists()
    finally:
        gc.set_threshold(*threshold)
        gc.callbacks.remove(collecting)
    assert held and new


def test_wrapped_it_is_an_ordinary_callback(tmp_path: Path) -> None:
    thing = Thing()
    # Nothing is looked at before it runs.
    finalizer = finalize(thing, partial(remove_tree, "/"))
    assert not actions.confirm(finalizer)
    with pytest.raises(ValueError):
        finalizer()


# What is about to be made


def test_what_is_made_later_can_be_confirmed(tmp_path: Path) -> None:
    thing, path = Thing(), tmp_path / "a"
    finalizer = finalize(thing, remove_tree, path)
    assert not actions.confirm(finalizer)
    tree(path)
    assert actions.confirm(finalizer) and actions.confirm(finalizer)
    finalizer()
    assert not path.exists() and not actions.confirm(finalizer)


def test_only_finalizers_can_be_confirmed() -> None:
    with pytest.raises(TypeError, match="a finalizer is needed, not Thing"):
        actions.confirm(Thing())


# What protects


def test_without_a_guard_it_is_told_once(tmp_path: Path) -> None:
    program = """
        finalize(remove_tree, tree("a"))
        finalize(remove_tree, tree("b"))
        say(actions.protection())
    """
    ended, left = play(tmp_path, program, LASTLY_GUARD="0")
    assert ended.said == ["sweep: LASTLY_GUARD says that there is to be none"]
    assert ended.complaints.count("RuntimeWarning") == 1
    assert "declared actions of this process wait for the next sweep" in ended.complaints
    assert left == []


def test_without_a_journal_it_is_told_and_runs_all_the_same(tmp_path: Path) -> None:
    program = """
        finalize(remove_tree, tree("a"))
        say(actions.protection())
    """
    ended, left = play(tmp_path, program, LASTLY_JOURNALS="/proc/none")
    assert ended.said[0].startswith("nothing: ") and ended.complaints.count("RuntimeWarning") == 1
    assert left == []


@pytest.mark.parametrize("warnings", ["default", "error"])
def test_what_is_given_up_and_cannot_be_struck_out_is_told(tmp_path: Path, warnings: str) -> None:
    file(tmp_path / "probe")
    for how in ["+i", "-i"]:
        if subprocess.run(["chattr", how, tmp_path / "probe"], check=False).returncode != 0:
            pytest.skip("no file can be made immutable by this user here")
    program = f"""
        import subprocess, warnings
        warnings.simplefilter("{warnings}")
        finalizer = finalize(remove_tree, tree("a"))
        (journal,) = Path(os.environ["LASTLY_JOURNALS"]).glob("*.journal")
        subprocess.run(["chattr", "+i", journal], check=True)
        say(finalizer.detach() is not None)
        subprocess.run(["chattr", "-i", journal], check=True)
        journal.unlink()  # by hand, as it is told
    """
    ended, left = play(tmp_path, program)
    assert (ended.said, left) == (["True"], ["a"])
    assert ended.complaints.count("RuntimeWarning") == 1, ended.complaints
    assert "given up may be done all the same" in ended.complaints
    assert ".journal: Operation not permitted" in ended.complaints


def test_where_warnings_are_errors_it_is_raised(tmp_path: Path) -> None:
    program = """
        import warnings
        warnings.simplefilter("error")
        try:
            finalize(remove_tree, tree("a"))
        except RuntimeWarning as warning:
            say("there is no guard" in str(warning), len(lastly.finalize._registry))
    """
    ended, left = play(tmp_path, program, LASTLY_GUARD="0")
    assert (ended.said, ended.complaints, left) == (["True 0"], "", ["a"])


def test_a_program_that_declares_nothing_has_neither_guard_nor_journal(tmp_path: Path) -> None:
    program = """
        import sys, lastly
        print(sorted(set(sys.modules) & {"lastly.actions", "lastly._temporary", "tempfile"}))
        print(lastly.finalize(lastly, print, "over").atexit)
    """
    script = tmp_path / "script.py"
    script.write_text("\n".join(line.strip() for line in program.splitlines()))
    journals = tmp_path / "journals"
    ended = run(str(script), LASTLY_JOURNALS=str(journals))
    assert ended == (["[]", "True", "over"], "", 0, [])
    assert not journals.exists()


@pytest.mark.parametrize("name", ["remove_tree", "remove_file", "kill_process"])
def test_they_are_called_what_programs_call_them(name: str) -> None:
    function = getattr(lastly, name)
    assert f"{function.__module__}.{function.__qualname__}" == f"lastly.{name}"
    assert pickle.loads(pickle.dumps(function)) is function is getattr(actions, name)
    last = {"remove_tree": "ignore_errors"}.get(name, "sync")
    first, *others = inspect.signature(function).parameters.values()
    assert first.default is first.empty and first.kind is first.POSITIONAL_OR_KEYWORD
    assert others[-1].name == last
    assert all((it.kind, it.default) == (it.KEYWORD_ONLY, False) for it in others)
