"""What is told of cleanups that nobody was there to look after: `lastly.report`."""

from __future__ import annotations

import functools
import gc
import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any, Callable

import pytest

import lastly
from endings import play, reports
from lastly._native import listen
from lastly.report import Report, record_sites, reset_hook, set_hook, to_logging

UNFINISHED = "was not finished when the program ended"
SKIPPED = "was skipped: the end of the program was cut short"
TOO_LATE = "came too late to run"


class Thing:
    """An object that can be watched."""

    def method(self) -> None:
        raise ValueError("method")

    def __call__(self) -> None:
        raise ValueError("call")


def fail(*words: object) -> None:
    raise ValueError(*words)


def die(function: Callable[..., Any], *arguments: object) -> None:
    thing = Thing()
    lastly.finalize(thing, function, *arguments)
    del thing
    gc.collect()


@pytest.fixture
def seen() -> Iterator[list[Report]]:
    """What is reported in this test."""
    seen: list[Report] = []
    set_hook(seen.append)
    yield seen
    reset_hook()


@pytest.fixture
def unraisable(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    seen: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", seen.append)
    return seen


# A report


def test_what_it_says(seen: list[Report]) -> None:
    die(fail, "no luck")
    (report,) = seen
    assert (report.cause, report.problem) == ("object died", "raised")
    assert (report.object, report.function) == (None, f"{__name__}.fail")
    assert report.created is None
    assert isinstance(report.error, ValueError)
    assert report.error.args == ("no luck",)
    assert report.error.__traceback__ is not None
    assert report.duration is not None and report.duration >= 0
    assert report.index is not None
    words = f"cleanup of an object (object died): {__name__}.fail raised ValueError: no luck"
    assert str(report) == f"lastly: {words}"
    assert words in repr(report)


def test_it_stays_as_it_is(seen: list[Report]) -> None:
    die(fail)
    for name in ("cause", "error", "more"):
        with pytest.raises((AttributeError, TypeError)):
            setattr(seen[0], name, None)
    with pytest.raises(TypeError):
        type(seen[0])()  # type: ignore[call-arg, unused-ignore]


def local() -> Callable[[], None]:
    return lambda: fail()


NAMED: list[tuple[Any, str]] = [
    (fail, "HERE.fail"),
    (local(), "HERE.local.<locals>.<lambda>"),
    (Thing().method, "HERE.Thing.method"),
    (Thing(), "HERE.Thing"),
    (functools.partial(fail, 1), "functools.partial(HERE.fail)"),
    (functools.partial(functools.partial(Thing()), 1), "functools.partial(HERE.Thing)"),
    (functools.partial(int, "x"), "functools.partial(int)"),
    ([].pop, "list.pop"),
    ({}.__getitem__, "dict.__getitem__"),
    (open, f"{open.__module__}.open"),
    (type("Odd", (), {"__init__": fail}), "HERE.Odd"),
    (None, "NoneType"),
]


@pytest.mark.parametrize("function, name", NAMED, ids=[name for _, name in NAMED])
def test_the_names_of_functions(seen: list[Report], function: Any, name: str) -> None:
    die(function)
    assert [report.function for report in seen] == [name.replace("HERE", __name__)]


def test_names_that_lie(seen: list[Report]) -> None:
    def function() -> None:
        fail()

    class Lies:
        def __getattribute__(self, name: str) -> Any:
            raise AssertionError("asked")

        def __call__(self) -> None:
            fail()

    function.__module__ = None  # type: ignore[assignment]
    function.__qualname__ = "a\0b\ud800"
    die(function)
    die(Lies())
    assert seen[0].function.startswith("a\0b")
    assert seen[1].function.endswith(".Lies")
    assert [type(report.error) for report in seen] == [ValueError, ValueError]


def test_an_error_that_cannot_be_shown(seen: list[Report]) -> None:
    class Odd(Exception):
        def __str__(self) -> str:
            raise ValueError

    def raise_it() -> None:
        raise Odd

    die(raise_it)
    assert isinstance(seen[0].error, Odd)
    assert "Odd" in str(seen[0])


# What is reported


def test_what_a_caller_gets_is_not_reported(seen: list[Report]) -> None:
    thing = Thing()
    for arguments in [(), (None,), (thing,)]:
        with pytest.raises(ValueError):
            lastly.finalize(thing, fail)(*arguments)
    f = lastly.finalize(thing, fail)
    reference = f.__class__._registry[f].weakref
    # As the interpreter calls it, but that the object lives.
    with pytest.raises(ValueError):
        f(reference)
    assert seen == []


def test_at_death_everything_goes_to_the_hook(seen: list[Report], unraisable: list[Any]) -> None:
    class Special(lastly.finalize):
        pass

    for kind in (lastly.finalize, Special):
        thing: Any = Thing()
        thing.itself = thing
        for error in (ValueError, SystemExit, KeyboardInterrupt):

            def raise_it(error: type[BaseException] = error) -> None:
                raise error

            kind(thing, raise_it)
        del thing
        gc.collect()
    expected = [KeyboardInterrupt, SystemExit, ValueError] * 2
    assert [type(report.error) for report in seen] == expected
    assert unraisable == []


def test_a_subclass_with_a_call_of_its_own(seen: list[Report], unraisable: list[Any]) -> None:
    caught = []

    class Catches(lastly.finalize):
        def __call__(self, _: Any = None) -> Any:
            try:
                return super().__call__(_)
            except ValueError as error:
                caught.append(error)

    class Fails(lastly.finalize):
        def __call__(self, _: Any = None) -> Any:
            super().__call__(_)

    for kind in (Catches, Fails):
        thing = Thing()
        kind(thing, fail)
        del thing
    assert (len(caught), len(unraisable), seen) == (1, 1, [])


def test_without_a_hook_it_is_the_interpreters_to_show(unraisable: list[Any]) -> None:
    thing = Thing()
    f = lastly.finalize(thing, fail)
    del thing
    (shown,) = unraisable
    assert shown.object in (f, None)  # since Python 3.14 it is in the message
    assert shown.exc_type is ValueError


def test_at_exit(tmp_path: Path) -> None:
    program = """
        def fail():
            raise ValueError("no luck")
        class Odd(lastly.finalize):
            def __call__(self, _=None):
                raise KeyError("odd")
        lastly.report.set_hook(lambda it: say(it.cause, it.object, it.function, repr(it.error)))
        sys.excepthook = sys.unraisablehook = lambda *_: say("never")
        kept.append(Thing())
        Odd(kept[-1], say)
        finalize(fail)
        finalize(sys.exit, 4)
    """
    ended = play(tmp_path, program)
    assert ended.said == [
        "exit __main__.Thing sys.exit SystemExit(4)",
        "exit __main__.Thing __main__.fail ValueError('no luck')",
        "exit None __main__.Odd.__call__ KeyError('odd')",
    ]
    assert (ended.complaints, ended.status) == ("", 0)


DAEMON = """
    begun = threading.Event()
    def work():
        begun.set()
        hang()
    threading.Thread(target=die, args=[work], daemon=True).start()
    begun.wait()
    finalize(say, "at exit")
"""


def test_what_daemon_threads_are_running(tmp_path: Path) -> None:
    ended = play(tmp_path, DAEMON)
    assert ended.said == ["at exit"]
    words = f"lastly: cleanup of an object (exit): __main__.work {UNFINISHED}\n"
    assert (ended.complaints, ended.status) == (words, 0)


def test_what_daemon_threads_are_running_to_a_hook(tmp_path: Path) -> None:
    hook = """
    lastly.report.set_hook(lambda it: say(it.problem, it.error, it.duration >= 0))
    """
    ended = play(tmp_path, hook + DAEMON)
    assert ended.said == ["at exit", "unfinished None True"]
    assert (ended.complaints, ended.status) == ("", 0)


def test_in_a_forked_child_the_parents_threads_run_nothing(tmp_path: Path) -> None:
    program = """
        child = os.fork()
        if child == 0:
            finalize(say, "child's")
            sys.exit()
        wait_for(child)
        os._exit(0)
    """
    ended = play(tmp_path, dedent(DAEMON) + dedent(program))
    assert ended.said == ["child's", "status 0"]
    assert reports(ended) == []


def test_what_daemon_threads_register_too_late(tmp_path: Path) -> None:
    program = """
        lastly.report.set_hook(lambda it: say(it.problem, it.function))
        turn, done = threading.Semaphore(0), threading.Semaphore(0)

        def daemon():
            turn.acquire()
            finalize(let_it_make_one, "late, but in time")
            done.release()
            turn.acquire()
            finalize(print, "too late")
            done.release()

        def let_it_make_one(words):
            say(words)
            turn.release()
            done.acquire()

        threading.Thread(target=daemon, daemon=True).start()
        finalize(let_it_make_one, "in time")
    """
    ended = play(tmp_path, program)
    assert ended.said == ["in time", "late, but in time", "too late print"]
    assert (ended.complaints, ended.status) == ("", 0)


def test_what_is_skipped(tmp_path: Path) -> None:
    program = """
        lastly.report.set_hook(lambda it: say(it.problem, it.object, it.function, it.duration))
        lastly.exit.set_budget(0)
        finalize(int)
    """
    ended = play(tmp_path, program)
    assert ended.said == ["skipped __main__.Thing int None"]
    assert (ended.complaints, ended.status) == ("", 0)


# The hook


def test_a_hook_that_fails(unraisable: list[Any]) -> None:
    def hook(_: Report) -> None:
        raise KeyError("hook")

    set_hook(hook)
    try:
        die(fail)
    finally:
        reset_hook()
    assert [shown.exc_type for shown in unraisable] == [KeyError, ValueError]
    assert unraisable[0].object is hook


def test_a_hook_that_fails_at_exit(tmp_path: Path) -> None:
    program = """
        sys.excepthook = lambda kind, *_: say(kind.__name__)
        sys.unraisablehook = lambda args: say(args.exc_type.__name__, args.object.__name__)
        def hook(report):
            raise KeyError
        lastly.report.set_hook(hook)
        finalize(say, "older")
        finalize(int, "x")
    """
    ended = play(tmp_path, program)
    assert ended.said == ["KeyError hook", "ValueError", "older"]
    assert (ended.complaints, ended.status) == ("", 0)


def test_a_hook_may_use_finalizers_and_set_another(seen: list[Report]) -> None:
    def hook(report: Report) -> None:
        set_hook(seen.append)
        die(fail, "inner")
        seen.append(report)

    set_hook(hook)
    die(fail, "outer")
    assert [str(report.error) for report in seen] == ["inner", "outer"]


def test_a_hook_that_went_back(unraisable: list[Any], seen: list[Report]) -> None:
    reset_hook()
    die(fail)
    assert (len(unraisable), seen) == (1, [])


@pytest.mark.parametrize("hook", [None, 1, "print"])
def test_what_is_no_hook(hook: Any) -> None:
    with pytest.raises(TypeError, match="a hook is called with each report; .* cannot be called"):
        set_hook(hook)


def test_it_lets_go_of_the_hook_and_of_reports() -> None:
    class Hook:
        def __call__(self, _: Report) -> None: ...

    hook = Hook()
    count = sys.getrefcount(hook)
    set_hook(hook)
    die(fail)
    reset_hook()
    assert sys.getrefcount(hook) == count


def test_reports_in_a_cycle_are_collected() -> None:
    def alive() -> int:
        gc.collect()
        return sum(isinstance(it, Report) for it in gc.get_objects())

    def keep_in_a_frame() -> None:
        seen: list[Report] = []
        set_hook(seen.append)
        die(fail)
        assert len(seen) == 1

    before = alive()
    keep_in_a_frame()
    reset_hook()
    assert alive() == before


# A listener


def test_a_listener_is_told_besides(seen: list[Report], unraisable: list[Any]) -> None:
    heard: list[Report] = []
    assert listen(heard.append) is None
    die(fail, 1)
    reset_hook()
    die(fail, 2)
    assert listen(None) == heard.append
    die(fail, 3)
    assert [str(report.error) for report in heard] == ["1", "2"]
    assert [str(report.error) for report in seen] == ["1"]
    assert [str(shown.exc_value) for shown in unraisable] == ["2", "3"]


def test_a_listener_that_fails(seen: list[Report], unraisable: list[Any]) -> None:
    listen(fail)
    die(fail)
    listen(None)
    assert [(shown.exc_type, shown.object) for shown in unraisable] == [(ValueError, fail)]
    assert len(seen) == 1
    with pytest.raises(TypeError, match="is called with each report; int cannot be called"):
        listen(1)  # type: ignore[arg-type]


# Where they were created


@pytest.fixture
def sites() -> Iterator[None]:
    record_sites()
    yield
    record_sites(False)


def test_sites_are_recorded(seen: list[Report], sites: None) -> None:
    thing = Thing()
    line = sys._getframe().f_lineno + 1
    lastly.finalize(thing, fail)
    del thing
    (report,) = seen
    function = "test_sites_are_recorded"
    assert report.created == f"{__file__}:{line} in {function}"
    assert report.object == f"{__name__}.Thing"
    assert f"\n    created at {report.created}" in str(report)


def test_sites_go_with_their_finalizers(seen: list[Report], sites: None) -> None:
    for _ in range(100):
        lastly.finalize(Thing(), int)
    record_sites(False)
    for _ in range(100):
        die(fail)  # in the same memory
    assert {report.created for report in seen} == {None}
    assert {report.object for report in seen} == {None}


@pytest.mark.parametrize("value, created", [("1", True), ("0", False), ("", False)])
def test_the_environment_may_ask_for_sites(tmp_path: Path, value: str, created: bool) -> None:
    program = """
        lastly.report.set_hook(lambda it: say(it.created is not None))
        die(int, "x")
    """
    assert play(tmp_path, program, LASTLY_SITES=value).said == [str(created)]


# To logging


def test_each_report_is_a_record(caplog: pytest.LogCaptureFixture) -> None:
    to_logging()
    try:
        die(fail, "no luck")
    finally:
        reset_hook()
    (record,) = caplog.records
    assert (record.name, record.levelno) == ("lastly", logging.ERROR)
    report: Report = record.report  # type: ignore[attr-defined]
    assert record.getMessage() == str(report)
    assert record.exc_info is not None and record.exc_info[1] is report.error


def test_to_a_logger_of_the_programs_choice(tmp_path: Path) -> None:
    program = """
        import logging
        logging.basicConfig(format="%(name)s %(levelname)s %(message)s")
        lastly.report.to_logging(logging.getLogger("app"))
        lastly.exit.set_budget(0)
        finalize(say)
    """
    words = f"app ERROR lastly: cleanup of __main__.Thing (exit): __main__.say {SKIPPED}\n"
    assert play(tmp_path, program).complaints == words


def test_importing_it_does_not_import_logging(tmp_path: Path) -> None:
    program = """
        import lastly.report, lastly.exit
        say("logging" in sys.modules)
    """
    assert play(tmp_path, program).said == ["False"]
