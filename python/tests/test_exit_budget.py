"""The time that the end of a program may take: what is done when it is spent."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest

from endings import play, reports
from lastly.exit import set_budget

#: They start many programs.
pytestmark = pytest.mark.slow

UNFINISHED = "was not finished when the program ended"
SKIPPED = "was skipped: the end of the program was cut short"

# Seconds: soon, as tests wait for it; but late enough for the callback to have begun that hangs.
SOON = "0.3"

HANGS = f"lastly: cleanup of __main__.Thing (exit): __main__.hangs {UNFINISHED}"
SKIPS = f"lastly: cleanup of __main__.Thing (exit): __main__.say {SKIPPED}"

HANGING = {
    "sleeps": "time.sleep(1000)",
    "computes": "while True: pass",
    "waits for a lock": "lock = threading.Lock(); lock.acquire(); lock.acquire()",
    "waits for an event": "threading.Event().wait()",
    "reads": "os.read(os.pipe()[0], 1)",
    "accepts": "import socket; socket.create_server(('127.0.0.1', 0)).accept()",
    "waits for a process": "import subprocess; subprocess.run(['sleep', '1000'])",
}


@pytest.mark.parametrize("hanging", HANGING.values(), ids=HANGING)
def test_what_hangs_is_interrupted_and_the_program_goes_on_to_end(
    tmp_path: Path, hanging: str
) -> None:
    program = f"""
        import atexit
        atexit.register(print, "an older handler")
        def hangs():
            {hanging}
        finalize(say, "skipped")
        finalize(hangs)
        finalize(print, "newer, in a buffer")
        sys.exit(3)
    """
    ended = play(tmp_path, program, LASTLY_EXIT_BUDGET=SOON)
    assert ended.said == ["newer, in a buffer", "an older handler"]
    assert reports(ended) == [HANGS, SKIPS]
    assert ended.complaints.count("\n    after ") == 1
    assert ended.status == 3


def test_the_program_sets_it_and_an_uncaught_exception_keeps_its_status(tmp_path: Path) -> None:
    program = """
        def hangs():
            hang()
        lastly.exit.set_budget(0.3)
        finalize(say, "skipped")
        finalize(hangs)
        raise ValueError("uncaught")
    """
    ended = play(tmp_path, program)
    assert reports(ended) == [HANGS, SKIPS]
    assert "ValueError: uncaught" in ended.complaints
    assert (ended.said, ended.status) == ([], 1)


def test_an_object_that_dies_in_a_callback(tmp_path: Path) -> None:
    program = """
        def hangs():
            die(hang)
            say("never")
        finalize(hangs)
    """
    ended = play(tmp_path, program, LASTLY_EXIT_BUDGET=SOON)
    inner = f"lastly: cleanup of an object (object died): __main__.hang {UNFINISHED}"
    assert reports(ended) == [inner, HANGS]
    assert (ended.said, ended.status) == ([], 0)


# What does not heed it

STUBBORN = {
    "catches it": """
        def hangs():
            while True:
                try:
                    hang()
                except BaseException:
                    pass
    """,
    "is in C code": """
        def hangs():
            hang_in_c()
    """,
}


@pytest.mark.parametrize("stubborn", STUBBORN.values(), ids=STUBBORN)
@pytest.mark.parametrize(
    "end, status",
    [("", 0), ("1 / 0", 1), ("raise KeyboardInterrupt", -signal.SIGINT)],
    ids=["by itself", "uncaught", "interrupted"],
)
def test_the_process_ends_there_and_then(
    tmp_path: Path, stubborn: str, end: str, status: int
) -> None:
    program = f"""
        import atexit
        atexit.register(say, "never")
        {stubborn}
        finalize(say, "skipped")
        finalize(hangs)
        finalize(print, "newer, in a buffer")
        {end}
    """
    ended = play(tmp_path, program, LASTLY_EXIT_BUDGET=SOON)
    assert ended.said == ["newer, in a buffer"]
    assert reports(ended) == [HANGS, SKIPS]
    assert ended.status == status


# What is in time, and what never is


def test_an_end_that_is_in_time_is_as_ever(tmp_path: Path) -> None:
    program = """
        import atexit
        atexit.register(lambda: say(signal.getsignal(signal.SIGRTMAX).name))
        lastly.exit.set_budget(1000)
        finalize(say, "older")
        finalize(sys.exit, 4)
        finalize(say, "newer")
        sys.exit(3)
    """
    ended = play(tmp_path, program)
    assert ended.said == ["newer", "older", "SIG_DFL"]
    assert reports(ended) == []
    assert ended.status == 3


def test_with_no_time_at_all_nothing_runs(tmp_path: Path) -> None:
    program = """
        finalize(say, "older")
        finalize(say, "newer")
        sys.exit(3)
    """
    ended = play(tmp_path, program, LASTLY_EXIT_BUDGET="0")
    assert (ended.said, ended.status) == ([], 3)
    assert reports(ended) == [SKIPS, SKIPS]


def test_the_environment_has_the_last_word(tmp_path: Path) -> None:
    program = """
        lastly.exit.set_budget(1000)
        finalize(say, "skipped")
    """
    assert play(tmp_path, program, LASTLY_EXIT_BUDGET="0").said == []


def test_a_budget_can_be_taken_back(tmp_path: Path) -> None:
    program = """
        lastly.exit.set_budget(0)
        lastly.exit.set_budget(None)
        finalize(say, "ran")
    """
    assert play(tmp_path, program).said == ["ran"]


@pytest.mark.parametrize("text", ["soon", "-1", "nan"])
def test_what_is_no_number_in_the_environment(tmp_path: Path, text: str) -> None:
    ended = play(tmp_path, "finalize(say, 'ran')", LASTLY_EXIT_BUDGET=text)
    assert ended.said == ["ran"]
    assert f"lastly: LASTLY_EXIT_BUDGET={text} is no number of seconds" in ended.complaints
    assert ended.status == 0


@pytest.mark.parametrize("seconds", [-1, -0.001, float("nan"), float("inf"), 1e30])
def test_what_is_no_budget(seconds: float) -> None:
    with pytest.raises(ValueError, match=r"a budget is a number of seconds, or None; not "):
        set_budget(seconds)


@pytest.mark.parametrize("seconds", ["1", [], object()])
def test_what_is_no_number(seconds: Any) -> None:
    with pytest.raises(TypeError):
        set_budget(seconds)


# The signal that interrupts


def test_signals_in_use_are_left_alone(tmp_path: Path) -> None:
    program = """
        signal.signal(signal.SIGRTMAX, lambda *_: say("the program's own"))
        signal.signal(signal.SIGRTMAX - 1, signal.SIG_IGN)
        def hangs():
            for number in signal.SIGRTMAX, signal.SIGRTMAX - 1:
                kill(number)
            say(signal.getsignal(signal.SIGRTMAX - 2).__name__)
            hang()
        finalize(hangs)
    """
    ended = play(tmp_path, program, LASTLY_EXIT_BUDGET=SOON)
    assert ended.said == ["the program's own", "time_is_spent"]
    assert reports(ended) == [HANGS]
    assert ended.status == 0


def test_sent_by_somebody_else_it_means_nothing(tmp_path: Path) -> None:
    program = """
        lastly.exit.set_budget(1000)
        finalize(lambda: (kill(signal.SIGRTMAX), say("goes on")))
    """
    ended = play(tmp_path, program)
    assert ended.said == ["goes on"]
    assert (ended.complaints, ended.status) == ("", 0)


def test_by_hand_on_another_thread_there_is_none(tmp_path: Path) -> None:
    program = """
        lastly.exit.set_budget(0.3)
        finalize(say, "skipped")
        finalize(hang)
        thread = threading.Thread(target=lastly.finalize._exitfunc)
        thread.start()
        thread.join()
        say("never")
    """
    ended = play(tmp_path, program)
    assert ended.said == []
    assert reports(ended) == [HANGS.replace("hangs", "hang"), SKIPS]
    assert ended.status == 0
