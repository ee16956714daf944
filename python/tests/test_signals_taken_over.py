"""Which signals `lastly.install_signals()` takes over, and which it leaves to whom they belong."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from endings import play, reports

SKIPPED = "was skipped: the end of the program was cut short"
UNFINISHED = "was not finished when the program ended"


# What the program has decided itself


def test_what_is_ignored_stays_ignored(tmp_path: Path) -> None:
    program = """
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        say(*(each.name for each in lastly.install_signals()))
        kill(signal.SIGHUP)
        finalize(say, "at exit")
        say("goes on")
    """
    ended = play(tmp_path, program)
    assert ended.said == ["SIGTERM", "goes on", "at exit"]
    assert (ended.complaints, ended.status) == ("", 0)


def test_a_handler_from_before_stays(tmp_path: Path) -> None:
    program = """
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(4))
        say(*(each.name for each in lastly.install_signals()))
        finalize(say, "at exit")
        kill()
    """
    ended = play(tmp_path, program)
    assert ended.said == ["SIGHUP", "at exit"]
    assert (ended.complaints, ended.status) == ("", 4)


def test_a_handler_of_c_code_stays(tmp_path: Path) -> None:
    program = """
        import faulthandler
        faulthandler.register(signal.SIGTERM, open("traces", "w"))
        say(signal.getsignal(signal.SIGTERM).name)
        say(*(each.name for each in lastly.install_signals()))
        kill()
        say("goes on")
        os.remove("traces")
    """
    ended = play(tmp_path, program)
    assert ended.said == ["SIG_DFL", "SIGHUP", "goes on"]
    assert ended.status == 0


def test_a_handler_from_later_wins(tmp_path: Path) -> None:
    program = """
        lastly.install_signals()
        signal.signal(signal.SIGTERM, lambda *_: say("handled"))
        kill()
        say("goes on")
        finalize(say, "at exit")
    """
    ended = play(tmp_path, program)
    assert ended.said == ["handled", "goes on", "at exit"]
    assert (ended.complaints, ended.status) == ("", 0)


def test_a_handler_that_is_put_back(tmp_path: Path) -> None:
    program = """
        lastly.install_signals()
        before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
        kill()
        signal.signal(signal.SIGTERM, before)
        finalize(say, "skipped")
        finalize(lambda: (say("hangs"), kill(signal.SIGHUP), hang()))
        kill()
    """
    ended = play(tmp_path, program)
    assert ended.said == ["hangs"]
    assert len(reports(ended)) == 2
    assert ended.status == -signal.SIGHUP


def test_a_second_install_has_nothing_left_to_do(tmp_path: Path) -> None:
    program = """
        lastly.install_signals()
        say(lastly.install_signals())
        finalize(say, "ran")
        kill()
    """
    ended = play(tmp_path, program)
    assert ended.said == ["()", "ran"]
    assert (ended.complaints, ended.status) == ("", -signal.SIGTERM)


@pytest.mark.parametrize("install", ["", "lastly.install_signals()"], ids=["without", "with"])
def test_asyncio_heeds_signals_as_ever(tmp_path: Path, install: str) -> None:
    program = f"""
        import asyncio
        {install}
        finalize(say, "at exit")

        async def main():
            stopped = asyncio.Event()
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
            kill()
            await stopped.wait()
            say("stopped")
            try:
                kill(signal.SIGINT)
                await asyncio.sleep(1000)
            except asyncio.CancelledError:
                say("cancelled")
                raise

        try:
            asyncio.run(main())
        except KeyboardInterrupt:
            say("interrupted")
    """
    ended = play(tmp_path, program)
    # Before Python 3.11, an interrupt is raised where it is, and not a cancellation first.
    assert [word for word in ended.said if word != "cancelled"] == [
        "stopped",
        "interrupted",
        "at exit",
    ]
    assert (ended.complaints, ended.status) == ("", 0)


def test_what_is_started_anew_has_the_default_actions(tmp_path: Path) -> None:
    program = """
        import subprocess
        lastly.install_signals()
        subprocess.run([sys.executable, "-c", "import signal; print(signal.getsignal(15).name)"])
    """
    assert play(tmp_path, program).said == ["SIG_DFL"]


# Ctrl-C


@pytest.mark.parametrize("install", ["", "lastly.install_signals()"], ids=["without", "with"])
def test_an_interrupt_is_an_exception_as_ever(tmp_path: Path, install: str) -> None:
    program = f"""
        {install}
        say(signal.getsignal(signal.SIGINT) is signal.default_int_handler)
        finalize(say, "at exit")
        try:
            kill(signal.SIGINT)
            hang()
        except KeyboardInterrupt:
            say("caught")
        try:
            kill(signal.SIGINT)
            hang()
        finally:
            say("finally")
    """
    ended = play(tmp_path, program)
    assert ended.said == ["True", "caught", "finally", "at exit"]
    assert ended.complaints.endswith("KeyboardInterrupt\n")
    assert ended.status == -signal.SIGINT


def test_after_an_uncaught_interrupt_the_next_ends_it_at_once(tmp_path: Path) -> None:
    program = """
        lastly.install_signals()
        def interrupted():
            kill(signal.SIGINT)
            hang()
        finalize(say, "never")
        finalize(interrupted)
        raise KeyboardInterrupt
    """
    ended = play(tmp_path, program)
    assert ended.said == []
    assert reports(ended) == [
        f"lastly: cleanup of __main__.Thing (signal): __main__.interrupted {UNFINISHED}",
        f"lastly: cleanup of __main__.Thing (signal): __main__.say {SKIPPED}",
    ]
    assert ended.status == -signal.SIGINT


def test_an_interrupt_in_an_end_lets_it_finish(tmp_path: Path) -> None:
    program = """
        lastly.install_signals()
        def interrupted():
            kill(signal.SIGINT)
            say("goes on", signal.getsignal(signal.SIGINT).__name__)
        finalize(say, "older")
        finalize(interrupted)
        sys.exit(3)
    """
    ended = play(tmp_path, program)
    assert ended.said == ["goes on end_by", "older"]
    assert (ended.complaints, ended.status) == ("", -signal.SIGINT)


def test_after_an_end_by_hand_interrupts_are_what_they_were(tmp_path: Path) -> None:
    program = """
        lastly.install_signals()
        finalize(say, "ran")
        lastly.finalize._exitfunc()
        try:
            kill(signal.SIGINT)
            hang()
        except KeyboardInterrupt:
            say("caught")
    """
    ended = play(tmp_path, program)
    assert ended.said == ["ran", "caught"]
    assert (ended.complaints, ended.status) == ("", 0)


def test_interrupts_that_were_not_asked_for(tmp_path: Path) -> None:
    program = """
        lastly.install_signals([signal.SIGTERM])
        finalize(say, "older")
        finalize(kill, signal.SIGINT)
    """
    ended = play(tmp_path, program)
    assert ended.said == ["older"]
    assert ended.complaints.endswith("KeyboardInterrupt: \n") or "Interrupt" in ended.complaints
    assert ended.status == 0


# What is refused


@pytest.mark.parametrize(
    "number, words",
    [
        (signal.SIGKILL, "no program can catch it"),
        (signal.SIGSEGV, "it tells of a fault"),
        (signal.SIGCHLD, "its default action does not end a program"),
        (0, "there is no such signal"),
        (1000, "there is no such signal"),
    ],
)
def test_what_cannot_lead_to_an_end_in_order_is_refused(
    tmp_path: Path, number: int, words: str
) -> None:
    program = """
        try:
            lastly.install_signals([signal.SIGTERM, int(sys.argv[1])])
        except ValueError as error:
            say(error)
        say(signal.getsignal(signal.SIGTERM).name, len(os.listdir("/proc/self/task")))
    """
    ended = play(tmp_path, program, str(int(number)))
    assert words in ended.said[0]
    assert ended.said[1:] == ["SIG_DFL 1"]
    assert (ended.complaints, ended.status) == ("", 0)


@pytest.mark.parametrize("signals", ["15", "['SIGTERM']", "[None]"])
def test_what_is_no_signal_is_refused(tmp_path: Path, signals: str) -> None:
    program = f"""
        try:
            lastly.install_signals({signals})
        except TypeError:
            say(signal.getsignal(signal.SIGTERM).name)
    """
    assert play(tmp_path, program).said == ["SIG_DFL"]


def test_another_thread_is_refused(tmp_path: Path) -> None:
    program = """
        def install():
            try:
                lastly.install_signals()
            except ValueError as error:
                say(error)
        thread = threading.Thread(target=install)
        thread.start()
        thread.join()
        say(signal.getsignal(signal.SIGTERM).name)
    """
    ended = play(tmp_path, program)
    words = "signals are for the main thread: call lastly.install_signals() there"
    assert ended.said == [words, "SIG_DFL"]


def test_importing_installs_nothing(tmp_path: Path) -> None:
    program = """
        say(signal.getsignal(signal.SIGTERM).name, len(os.listdir("/proc/self/task")))
        say("lastly._signals" in sys.modules)
    """
    assert play(tmp_path, program).said == ["SIG_DFL 1", "False"]
