"""Known weaknesses of `weakref.finalize`: each program loses cleanups there, and none here.

Every program is run with the original too, which must fail: otherwise the test would show nothing.
None depends on chance or on time. Where the original fails by the hand of another thread, a trace
function lets that thread go on in the very moment that harms; native code has no such moment.
"""

from __future__ import annotations

import sys
from pathlib import Path
from textwrap import dedent

import pytest

from fresh import Ended, run

BEFORE = """
import atexit, os, sys, threading

class Thing:
    pass

kept = []
here = __file__  # which is gone when the program ends

def keep():
    kept.append(Thing())
    return kept[-1]

def say(*words):
    print(*words, flush=True)
"""


def play(importing: str, program: str, tmp_path: Path, *arguments: str) -> Ended:
    """Runs a program with this implementation, as a script: `multiprocessing` imports it."""
    script = tmp_path / "script.py"
    script.write_text(f"{importing}\n{BEFORE}{dedent(program)}")
    return run(str(script), *arguments)


def is_original(importing: str) -> bool:
    return "weakref" in importing


# Threads that make finalizers while the program ends

MADE_MEANWHILE = """
ran = []
turn, made = threading.Semaphore(0), threading.Semaphore(0)

def daemon():
    while True:
        turn.acquire()
        finalize(keep(), int)
        made.release()

def let_it_make_one():
    turn.release()
    made.acquire()

def trace(frame, event, argument):
    # Between any two steps of the drain, if it has any.
    if frame.f_code.co_filename == here:
        return None
    sys.settrace(None)
    let_it_make_one()
    sys.settrace(trace)
    return trace

def callback(number):
    sys.settrace(None)
    let_it_make_one()
    ran.append(number)
    sys.settrace(trace)

atexit.register(lambda: (sys.settrace(None), say(len(ran), len(set(ran)))))
for number in range(100):
    finalize(keep(), callback, number)
threading.Thread(target=daemon, daemon=True).start()
atexit.register(lambda: sys.settrace(trace))
"""


def test_none_is_lost_while_a_daemon_thread_makes_others(importing: str, tmp_path: Path) -> None:
    ended = play(importing, MADE_MEANWHILE, tmp_path)
    assert ended.status == 0
    if is_original(importing):
        assert "dictionary changed size during iteration" in ended.complaints
        assert ended.said == ["0 0"]
    else:
        assert ended.said == ["100 100"]
        assert ended.complaints == ""


def test_none_is_lost_while_threads_make_others_unhindered(tmp_path: Path) -> None:
    """The same without a plan: as fast as the threads can. (The original loses some or all.)"""
    program = """
        sys.setswitchinterval(1e-6)
        ran = []
        begun = threading.Barrier(3)

        def daemon():
            begun.wait()
            for _ in range(20_000):
                finalize(keep(), int)

        atexit.register(lambda: say(len(ran), len(set(ran))))
        for number in range(20_000):
            finalize(keep(), ran.append, number)
        for _ in range(2):
            threading.Thread(target=daemon, daemon=True).start()
        begun.wait()
    """
    ended = play("from lastly import finalize", program, tmp_path)
    assert ended.said == ["20000 20000"]
    assert ended.status == 0


# Callbacks that make finalizers while the program ends

CALLS_OF_THE_DRAIN = """
calls = 0

def count(frame, event, argument):
    global calls
    calls += event in ("call", "c_call")

def work():
    finalize(thing, int)

thing = keep()
atexit.register(lambda: (sys.setprofile(None), say(calls)))
for _ in range(int(sys.argv[1])):
    finalize(thing, work)
atexit.register(lambda: sys.setprofile(count))
"""


def calls_of_the_drain(importing: str, tmp_path: Path, count: int) -> int:
    """How many calls the interpreter sees when so many callbacks make one finalizer each."""
    ended = play(importing, CALLS_OF_THE_DRAIN, tmp_path, str(count))
    assert (ended.complaints, ended.status) == ("", 0)
    return int(ended.said[0])


def test_work_grows_as_the_number_of_callbacks(importing: str, tmp_path: Path) -> None:
    """The original sorts all that is left anew, whenever a callback has made one."""
    few, many = (calls_of_the_drain(importing, tmp_path, count) for count in (100, 400))
    if is_original(importing):
        assert many > 10 * few
    else:
        assert many < 4.1 * few


def test_the_native_part_of_the_work_does_too(tmp_path: Path) -> None:
    """No profiler counts it. Were it quadratic, this would take the better part of an hour."""
    program = """
        count = 0

        def work(left):
            global count
            count += 1
            if left:
                finalize(thing, work, left - 1)

        thing = keep()
        atexit.register(lambda: say(count))
        for _ in range(200_000):
            finalize(thing, work, 1)
        finalize(thing, work, 200_000)
    """
    ended = play("from lastly import finalize", program, tmp_path)
    assert (ended.said, ended.complaints, ended.status) == (["600001"], "", 0)


# Exits and interrupts in callbacks, while the program ends


@pytest.mark.parametrize(
    "raising, name",
    [
        ("sys.exit(3)", "SystemExit"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
        ("signal.raise_signal(signal.SIGINT)", "KeyboardInterrupt"),
        ("raise GeneratorExit", "GeneratorExit"),
    ],
)
def test_older_ones_run_after_an_exit_in_one(
    importing: str, raising: str, name: str, tmp_path: Path
) -> None:
    program = f"""
        import signal

        def callback():
            say("raising")
            {raising}

        for number in range(3):
            finalize(keep(), say, number)
            finalize(keep(), callback)
    """
    ended = play(importing, program, tmp_path)
    assert ended.status == 0
    if is_original(importing):
        assert ended.said == ["raising"]
    else:
        assert ended.said == ["raising", "2", "raising", "1", "raising", "0"]
        # Each is told, not just survived.
        assert [line[: len(name)] for line in ended.complaints.splitlines()].count(name) == 3


def test_an_exit_in_a_callback_leaves_the_status(importing: str, tmp_path: Path) -> None:
    program = """
        finalize(keep(), say, "older")
        finalize(keep(), sys.exit, 3)
        sys.exit(4)
    """
    ended = play(importing, program, tmp_path)
    assert ended.status == 4
    assert ended.said == ([] if is_original(importing) else ["older"])


# Children of multiprocessing

OF_A_CHILD = """
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor

    # Because of this one, the original takes its exit function for registered in a forked child.
    finalize(keep(), int)

    def work():
        finalize(keep(), say, "of the child")
        say("working")

    def work_early():
        thing = Thing()
        finalize(thing, say, "died in the child")
        del thing
        work()
"""


def runs_its_own(importing: str, method: str) -> bool:
    # Since Python 3.13, a child runs its exit handlers; a server that forks has registered none.
    return not is_original(importing) or (method == "forkserver" and sys.version_info >= (3, 13))


@pytest.mark.parametrize("method", ["fork", "forkserver"])
def test_a_child_runs_its_own(importing: str, method: str, tmp_path: Path) -> None:
    program = f"""{OF_A_CHILD}
    if __name__ == "__main__":
        child = multiprocessing.get_context("{method}").Process(target=work_early)
        child.start()
        child.join()
        say(child.exitcode)
    """
    ended = play(importing, program, tmp_path)
    of_the_child = ["of the child"] if runs_its_own(importing, method) else []
    assert ended.said == ["died in the child", "working", *of_the_child, "0"]
    assert (ended.complaints, ended.status) == ("", 0)


@pytest.mark.parametrize("method", ["fork", "forkserver"])
def test_a_worker_of_a_pool_runs_its_own(importing: str, method: str, tmp_path: Path) -> None:
    program = f"""{OF_A_CHILD}
    if __name__ == "__main__":
        with ProcessPoolExecutor(1, multiprocessing.get_context("{method}")) as pool:
            pool.submit(work).result()
        say("pool is shut")
    """
    ended = play(importing, program, tmp_path)
    of_the_child = ["of the child"] if runs_its_own(importing, method) else []
    assert ended.said == ["working", *of_the_child, "pool is shut"]
    assert (ended.complaints, ended.status) == ("", 0)


def test_a_forked_child_leaves_its_parents_alone(importing: str, tmp_path: Path) -> None:
    program = """
        finalize(keep(), say, "of the parent")
        if os.fork() == 0:
            finalize(keep(), say, "of the child")
            sys.exit(3)
        say("status", os.wait()[1] >> 8)
    """
    ended = play(importing, program, tmp_path)
    twice = ["of the parent"] if is_original(importing) else []
    assert ended.said == ["of the child", *twice, "status 3", "of the parent"]
    assert (ended.complaints, ended.status) == ("", 0)
