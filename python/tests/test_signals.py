"""Signals that end a program in order, after `lastly.install_signals()`."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from endings import play, reports

SKIPPED = "was skipped: the end of the program was cut short"
UNFINISHED = "was not finished when the program ended"

# What is taken over by default, in a program that was started in the ordinary way.
USUAL = [signal.SIGTERM, signal.SIGHUP]


def names(signals: list[signal.Signals]) -> str:
    return " ".join(each.name for each in signals)


# The end


@pytest.mark.parametrize("number", USUAL)
def test_the_drain_then_the_death_that_the_signal_would_cause(
    tmp_path: Path, number: signal.Signals
) -> None:
    program = """
        say(*(each.name for each in lastly.install_signals()))
        finalize(say, "older")
        finalize(lambda: say("newer", on_which_thread()))
        kill(int(sys.argv[1]))
        say("never")
    """
    ended = play(tmp_path, program, str(int(number)))
    assert ended.said == [names(USUAL), "newer main", "older"]
    assert (ended.complaints, ended.status) == ("", -number)


def test_others_than_the_usual_and_none_but_those(tmp_path: Path) -> None:
    program = """
        say(*(each.name for each in lastly.install_signals([signal.SIGUSR1])))
        say(signal.getsignal(signal.SIGTERM).name)
        finalize(say, "ran")
        kill(signal.SIGUSR1)
    """
    ended = play(tmp_path, program)
    assert ended.said == ["SIGUSR1", "SIG_DFL", "ran"]
    assert (ended.complaints, ended.status) == ("", -signal.SIGUSR1)


def test_interrupts_where_python_does_not_have_them(tmp_path: Path) -> None:
    program = """
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        say(*(each.name for each in lastly.install_signals()))
        finalize(say, "ran")
        kill(signal.SIGINT)
    """
    ended = play(tmp_path, program)
    assert ended.said == ["SIGTERM SIGINT SIGHUP", "ran"]
    assert (ended.complaints, ended.status) == ("", -signal.SIGINT)


def test_what_is_in_buffers_is_written_and_nothing_else_runs(tmp_path: Path) -> None:
    program = """
        import atexit
        atexit.register(say, "never: a handler")
        lastly.install_signals()
        finalize(print, "ran")
        print("before")
        try:
            kill()
        finally:
            say("never: finally")
    """
    ended = play(tmp_path, program)
    assert ended.said == ["before", "ran"]
    assert (ended.complaints, ended.status) == ("", -signal.SIGTERM)


def test_objects_that_are_bound_to_the_main_thread(tmp_path: Path) -> None:
    program = """
        import sqlite3
        class Connection(sqlite3.Connection):
            pass
        lastly.install_signals()
        database = sqlite3.connect(":memory:", factory=Connection)
        holder = Thing()
        lastly.finalize(holder, database.close)
        lastly.finalize(holder, lambda: say(database.execute("select 1").fetchone()))
        when_main_waits(kill)
        hang()
    """
    ended = play(tmp_path, program)
    assert ended.said == ["(1,)"]
    assert (ended.complaints, ended.status) == ("", -signal.SIGTERM)


# What the main thread is at

WAITING = {
    "sleep": "hang()",
    "lock": "lock = threading.Lock(); lock.acquire(); lock.acquire()",
    "join": "threading.Thread(target=hang, daemon=True).start(); threading.enumerate()[-1].join()",
    "read": "os.read(os.pipe()[0], 1)",
    "accept": "import socket; socket.create_server(('127.0.0.1', 0)).accept()",
}


@pytest.mark.parametrize("waiting", WAITING.values(), ids=WAITING)
def test_the_main_thread_waits(tmp_path: Path, waiting: str) -> None:
    program = f"""
        lastly.install_signals()
        finalize(lambda: say("ran", on_which_thread()))
        when_main_waits(kill)
        {waiting}
    """
    ended = play(tmp_path, program)
    assert ended.said == ["ran main"]
    assert (ended.complaints, ended.status) == ("", -signal.SIGTERM)


def test_the_main_thread_computes(tmp_path: Path) -> None:
    program = """
        lastly.install_signals()
        finalize(lambda: say("ran", on_which_thread()))
        threading.Timer(0, kill).start()
        while True:
            pass
    """
    ended = play(tmp_path, program)
    assert ended.said == ["ran main"]
    assert (ended.complaints, ended.status) == ("", -signal.SIGTERM)


def test_the_main_thread_is_in_c_code_that_no_signal_interrupts(tmp_path: Path) -> None:
    program = """
        lastly.install_signals()
        finalize(print, "older")
        finalize(lambda: print("newer", on_which_thread()))
        when_main_waits(kill)
        hang_in_c()
    """
    ended = play(tmp_path, program)
    assert ended.said == ["newer lastly-exit", "older"]
    assert (ended.complaints, ended.status) == ("", -signal.SIGTERM)


def test_the_main_thread_comes_back_from_c_code_meanwhile(tmp_path: Path) -> None:
    """It must not go on; nor end the process before the other thread has."""
    program = """
        import ctypes
        lastly.install_signals()
        library, mutex = ctypes.CDLL(None), ctypes.create_string_buffer(64)

        def release():
            say("runs on", on_which_thread())
            library.pthread_mutex_unlock(mutex)
            # Until the main thread is back, and waits again.
            while not main_waits():
                time.sleep(0)

        finalize(say, "older")
        finalize(release)
        library.pthread_mutex_lock(mutex)
        when_main_waits(kill)
        library.pthread_mutex_lock(mutex)
        say("never")
    """
    ended = play(tmp_path, program)
    assert ended.said == ["runs on lastly-exit", "older"]
    assert (ended.complaints, ended.status) == ("", -signal.SIGTERM)


@pytest.mark.parametrize("begun", ["die", "lambda f: finalize(f)()"], ids=["dies", "called"])
def test_a_callback_of_the_main_thread_ends_first(tmp_path: Path, begun: str) -> None:
    program = f"""
        lastly.install_signals()
        finalize(say, "at exit")
        def inner():
            kill()
            say("inner goes on")
        def outer():
            die(inner)
            say("outer goes on")
        ({begun})(outer)
        say("never")
    """
    ended = play(tmp_path, program)
    assert ended.said == ["inner goes on", "outer goes on", "at exit"]
    assert (ended.complaints, ended.status) == ("", -signal.SIGTERM)


def test_a_callback_of_the_main_thread_that_does_not_end(tmp_path: Path) -> None:
    program = """
        lastly.install_signals()
        finalize(lambda: say("at exit", on_which_thread()))
        when_main_waits(kill)
        die(hang)
    """
    ended = play(tmp_path, program)
    assert ended.said == ["at exit lastly-exit"]
    assert reports(ended) == [f"lastly: cleanup of an object (signal): __main__.hang {UNFINISHED}"]
    assert ended.status == -signal.SIGTERM


def test_callbacks_of_other_threads_are_named_and_not_waited_for(tmp_path: Path) -> None:
    program = """
        lastly.install_signals()
        begun = threading.Event()
        def work():
            begun.set()
            hang()
        finalize(say, "at exit")
        threading.Thread(target=die, args=[work]).start()
        begun.wait()
        kill()
    """
    ended = play(tmp_path, program)
    assert ended.said == ["at exit"]
    assert reports(ended) == [f"lastly: cleanup of an object (signal): __main__.work {UNFINISHED}"]
    assert ended.status == -signal.SIGTERM


# While the program ends


def test_a_signal_in_an_end_lets_it_finish(tmp_path: Path) -> None:
    program = """
        import atexit
        atexit.register(say, "never: an older handler")
        lastly.install_signals()
        finalize(print, "older")
        finalize(lambda: (kill(), print("goes on")))
        sys.exit(3)
    """
    ended = play(tmp_path, program)
    assert ended.said == ["goes on", "older"]
    assert (ended.complaints, ended.status) == ("", -signal.SIGTERM)


def test_a_signal_after_the_end(tmp_path: Path) -> None:
    program = """
        import atexit
        atexit.register(lambda: (print("an older handler"), kill(), say("never")))
        lastly.install_signals()
        finalize(say, "ran")
    """
    ended = play(tmp_path, program)
    assert ended.said == ["ran", "an older handler"]
    assert (ended.complaints, ended.status) == ("", -signal.SIGTERM)


HANGING = {"sleeps": "hang", "is in C code": "hang_in_c"}


@pytest.mark.parametrize("hang", HANGING.values(), ids=HANGING)
@pytest.mark.parametrize("end", ["kill()", "sys.exit(3)"], ids=["signal", "exit"])
def test_the_next_signal_ends_it_at_once(tmp_path: Path, hang: str, end: str) -> None:
    # Its first is the one that ends the program, or one that comes while it ends by itself.
    first = "kill()" if end != "kill()" else "pass"
    program = f"""
        lastly.install_signals()
        again = beside(kill_again, signal.SIGHUP)
        def hangs():
            {first}
            again()
            {hang}()
        finalize(say, "never")
        finalize(hangs)
        finalize(say, "newer")
        {end}
    """
    ended = play(tmp_path, program)
    assert ended.said == ["newer"]
    assert reports(ended) == [
        f"lastly: cleanup of __main__.Thing (signal): __main__.hangs {UNFINISHED}",
        f"lastly: cleanup of __main__.Thing (signal): __main__.say {SKIPPED}",
    ]
    assert ended.status == -signal.SIGHUP


def test_the_next_signal_while_the_end_runs_beside_the_main_thread(tmp_path: Path) -> None:
    program = """
        lastly.install_signals()
        finalize(say, "never")
        again = beside(kill_again, signal.SIGHUP)
        finalize(lambda: (say("runs on", on_which_thread()), again(), hang()))
        when_main_waits(kill)
        hang_in_c()
    """
    ended = play(tmp_path, program)
    assert ended.said == ["runs on lastly-exit"]
    assert [line.split(": ")[-1] for line in reports(ended)][1:] == [SKIPPED.split(": ")[1]]
    assert ended.status == -signal.SIGHUP


def test_the_next_signal_where_the_interpreters_lock_is_never_free(tmp_path: Path) -> None:
    program = """
        import ctypes
        lastly.install_signals()
        def hangs():
            library, mutex = ctypes.PyDLL(None), ctypes.create_string_buffer(64)
            library.pthread_mutex_lock(mutex)
            if os.fork() == 0:
                os.closerange(0, 3)
                while not sleeps(os.getppid()):
                    os.sched_yield()
                os.kill(os.getppid(), signal.SIGHUP)
                os._exit(0)
            library.pthread_mutex_lock(mutex)
        finalize(say, "never")
        finalize(hangs)
        kill()
    """
    ended = play(tmp_path, program)
    assert ended.said == []
    assert "cannot all be told" in ended.complaints
    assert ended.status == -signal.SIGHUP


def test_a_failure_is_shown_and_the_others_run(tmp_path: Path) -> None:
    program = """
        lastly.install_signals()
        finalize(say, "older")
        finalize(sys.exit, 3)
        finalize(int, "x")
        kill()
    """
    ended = play(tmp_path, program)
    assert ended.said == ["older"]
    assert [name in ended.complaints for name in ("ValueError", "SystemExit")] == [True, True]
    assert ended.status == -signal.SIGTERM


def test_the_budget_holds(tmp_path: Path) -> None:
    program = """
        lastly.install_signals()
        finalize(say, "never")
        finalize(hang)
        kill()
    """
    ended = play(tmp_path, program, LASTLY_EXIT_BUDGET="0.1")
    assert reports(ended) == [
        f"lastly: cleanup of __main__.Thing (signal): __main__.hang {UNFINISHED}",
        f"lastly: cleanup of __main__.Thing (signal): __main__.say {SKIPPED}",
    ]
    assert (ended.said, ended.status) == ([], -signal.SIGTERM)


# Forks


def test_a_forked_child_drains_what_is_its_own(tmp_path: Path) -> None:
    program = """
        lastly.install_signals()
        finalize(say, "parent's")
        child = os.fork()
        if child == 0:
            finalize(say, "child's")
            grandchild = os.fork()
            if grandchild == 0:
                finalize(say, "grandchild's")
                kill()
            wait_for(grandchild)
            kill()
        wait_for(child)
        kill()
    """
    ended = play(tmp_path, program)
    assert ended.said == [
        "grandchild's",
        "status -15",
        "child's",
        "status -15",
        "parent's",
    ]
    assert (ended.complaints, ended.status) == ("", -signal.SIGTERM)


def test_a_forked_child_in_c_code(tmp_path: Path) -> None:
    program = """
        lastly.install_signals()
        child = os.fork()
        if child == 0:
            finalize(lambda: say("ran", on_which_thread()))
            when_main_waits(kill)
            hang_in_c()
        wait_for(child)
    """
    ended = play(tmp_path, program)
    assert ended.said == ["ran lastly-exit", "status -15"]
    assert (ended.complaints, ended.status) == ("", 0)


@pytest.mark.parametrize("hang", HANGING.values(), ids=HANGING)
def test_a_second_signal_to_a_forked_child(tmp_path: Path, hang: str) -> None:
    program = f"""
        lastly.install_signals()
        child = os.fork()
        if child == 0:
            finalize(say, "never")
            again = beside(kill_again, signal.SIGHUP)
            def hangs():
                again()
                {hang}()
            finalize(hangs)
            kill()
        wait_for(child)
    """
    ended = play(tmp_path, program)
    assert ended.said == ["status -1"]
    assert len(reports(ended)) == 2
    assert ended.status == 0


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_a_child_of_multiprocessing(tmp_path: Path, method: str) -> None:
    program = """
        import multiprocessing

        def work(pipe):
            finalize(say, "child's")
            pipe.send("ready")
            hang()

        if __name__ == "__main__":
            lastly.install_signals()
            context = multiprocessing.get_context(sys.argv[1])
            here, there = context.Pipe()
            child = context.Process(target=work, args=[there])
            child.start()
            here.recv()
            child.terminate()
            child.join()
            say(child.exitcode)
    """
    ended = play(tmp_path, program, method)
    # Only a forked one has it from its parent.
    assert ended.said == (["child's", "-15"] if method == "fork" else ["-15"])
    assert (ended.complaints, ended.status) == ("", 0)


def test_a_child_made_past_python(tmp_path: Path) -> None:
    program = """
        import ctypes
        lastly.install_signals()
        child = ctypes.PyDLL(None).fork()
        if child == 0:
            finalize(say, "child's")
            kill()
            hang()
        wait_for(child)
    """
    ended = play(tmp_path, program)
    assert ended.said == ["child's", "status -15"]
    assert (ended.complaints, ended.status) == ("", 0)


def test_a_fork_draws_no_warning_and_the_watcher_comes_back(tmp_path: Path) -> None:
    """Python warns of a fork beside other threads, since 3.12."""
    program = """
        import logging  # which has Python code run after a fork
        lastly.install_signals()
        finalize(lambda: say("ran", on_which_thread()))
        for _ in range(20):
            child = os.fork()
            if child == 0:
                os._exit(0)
            os.waitpid(child, 0)
        when_main_waits(kill)
        hang_in_c()
    """
    ended = play(tmp_path, program)
    assert ended.said == ["ran lastly-exit"]
    assert (ended.complaints, ended.status) == ("", -signal.SIGTERM)


def test_a_fork_while_signals_come(tmp_path: Path) -> None:
    program = """
        lastly.install_signals([signal.SIGUSR1])
        finalize(say, "ran")
        if os.fork() == 0:
            parent = os.getppid()
            os.closerange(0, 3)
            while True:
                time.sleep(0.0001)  # so that the other comes to do anything else
                try:
                    os.kill(parent, signal.SIGUSR1)
                except ProcessLookupError:
                    os._exit(0)
        while True:
            child = os.fork()
            if child == 0:
                os._exit(0)
            os.waitpid(child, 0)
    """
    ended = play(tmp_path, program)
    assert ended.status == -signal.SIGUSR1
