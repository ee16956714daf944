"""Processes that come from other processes: each runs its own finalizers, and nobody else's.

With the original, a forked process runs its parent's finalizers at its end, and a child that
`multiprocessing` forked does not run its own, on most Pythons never.
"""

from __future__ import annotations

import sys
from pathlib import Path
from textwrap import dedent

import pytest

from fresh import run

# The main module of every program here: `multiprocessing` imports it in some of its children.
# What is said goes straight to the descriptor: a buffer would be copied by a fork.
BEFORE = """
import atexit, multiprocessing, os, sys, threading, weakref
from concurrent.futures import ProcessPoolExecutor
import lastly

class Thing:
    pass

kept = []

def say(*words):
    os.write(1, (" ".join(map(str, words)) + "\\n").encode())

def finalize(*words):
    # With the process that made it: is it the one that runs it?
    kept.append(Thing())
    return lastly.finalize(kept[-1], end, os.getpid(), *words)

def end(process, *words):
    say(*words, *([] if os.getpid() == process else ["in another process"]))

def wait_for(child):
    say("status", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))

def run_child(method, work, *arguments):
    child = multiprocessing.get_context(method).Process(target=work, args=arguments)
    child.start()
    child.join()
    say("exit code", child.exitcode)
"""

# Since Python 3.13, a child that `multiprocessing` forks runs its own `atexit` handlers.
RUNS_HANDLERS = sys.version_info >= (3, 13)

METHODS = pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])


def says(directory: Path, program: str, *arguments: str) -> list[str]:
    """What a program and its children say, when all end well."""
    ended = run(write(directory, program), *arguments)
    assert (ended.complaints, ended.status, ended.left) == ("", 0, []), ended
    return ended.said


def write(directory: Path, program: str) -> str:
    script = directory / "script.py"
    script.write_text(BEFORE + dedent(program))
    return str(script)


# Children of `multiprocessing`

WORK = """
    def work():
        finalize("child's first")
        finalize("child's second")
        sys.exit(int(sys.argv[2]))

    if __name__ == "__main__":
        finalize("parent's")
        run_child(sys.argv[1], work)
"""


@METHODS
@pytest.mark.parametrize("status", ["0", "3"])
def test_a_child_runs_its_own_newest_first(tmp_path: Path, method: str, status: str) -> None:
    assert says(tmp_path, WORK, method, status) == [
        "child's second",
        "child's first",
        f"exit code {status}",
        "parent's",
    ]


@METHODS
def test_a_child_that_makes_none_runs_none(tmp_path: Path, method: str) -> None:
    program = """
        def work():
            say("work")

        if __name__ == "__main__":
            finalize("parent's")
            run_child(sys.argv[1], work)
    """
    assert says(tmp_path, program, method) == ["work", "exit code 0", "parent's"]


@METHODS
def test_a_child_whose_parent_made_none_runs_its_own(tmp_path: Path, method: str) -> None:
    program = """
        def work():
            finalize("child's")

        if __name__ == "__main__":
            run_child(sys.argv[1], work)
    """
    assert says(tmp_path, program, method) == ["child's", "exit code 0"]


@METHODS
def test_a_child_that_fails_runs_its_own(tmp_path: Path, method: str) -> None:
    program = """
        def work():
            finalize("child's")
            raise ValueError("bad")

        if __name__ == "__main__":
            run_child(sys.argv[1], work)
    """
    ended = run(write(tmp_path, program), method)
    assert ended.said == ["child's", "exit code 1"]
    assert ended.complaints.count("ValueError: bad") == 1


@METHODS
def test_a_child_of_a_child_runs_its_own(tmp_path: Path, method: str) -> None:
    program = """
        def work(method, depth):
            finalize("of depth", depth)
            if depth < 3:
                run_child(method, work, method, depth + 1)

        if __name__ == "__main__":
            work(sys.argv[1], 1)
    """
    assert says(tmp_path, program, method) == [
        "of depth 3",
        "exit code 0",
        "of depth 2",
        "exit code 0",
        "of depth 1",
    ]


POOLS = {
    "executor": """
            with ProcessPoolExecutor(1, context) as pool:
                say(*pool.map(work, [1, 2]))
    """,
    "pool": """
            pool = context.Pool(1)
            say(*pool.map(work, [1, 2]))
            pool.close()
            pool.join()
    """,
}


@METHODS
@pytest.mark.parametrize("pool", POOLS.values(), ids=POOLS)
def test_workers_of_a_pool_run_their_own(tmp_path: Path, method: str, pool: str) -> None:
    program = """
        def work(number):
            finalize("worker's", number)
            return number

        if __name__ == "__main__":
            finalize("parent's")
            context = multiprocessing.get_context(sys.argv[1])
    """
    assert says(tmp_path, program + pool, method) == [
        "1 2",
        "worker's 2",
        "worker's 1",
        "parent's",
    ]


@METHODS
def test_threads_of_a_child_still_see_theirs_run(tmp_path: Path, method: str) -> None:
    # The thread makes its finalizers when the child's work is over, as a worker of a thread pool
    # does that has tasks left. The drain must not have shut the door before.
    program = """
        def late():
            threading.main_thread().join()
            thing = Thing()
            lastly.finalize(thing, say, "the thread's, dies")
            del thing
            finalize("the thread's, at exit")

        def work():
            finalize("child's")
            threading.Thread(target=late).start()

        if __name__ == "__main__":
            run_child(sys.argv[1], work)
    """
    assert says(tmp_path, program, method) == [
        "the thread's, dies",
        "the thread's, at exit",
        "child's",
        "exit code 0",
    ]


@METHODS
def test_the_drain_and_what_is_left_to_multiprocessing(tmp_path: Path, method: str) -> None:
    # Since Python 3.13 both are handlers of `atexit`, which runs the newest first. Before, what is
    # left to `multiprocessing` is done when the work is over, and the drain comes at the very end.
    program = """
        from multiprocessing.util import Finalize

        def work():
            finalize("finalizer")
            Finalize(None, say, ["multiprocessing's"], exitpriority=-1000)

        if __name__ == "__main__":
            run_child(sys.argv[1], work)
    """
    said = says(tmp_path, program, method)
    order = said[:2] if RUNS_HANDLERS else said[1::-1]
    assert [*order, *said[2:]] == ["finalizer", "multiprocessing's", "exit code 0"]


@pytest.mark.skipif(not RUNS_HANDLERS, reason="this Python runs no handlers in such a child")
@pytest.mark.parametrize("method", ["fork", "forkserver"])
def test_the_drain_takes_its_place_with_the_childs_first(tmp_path: Path, method: str) -> None:
    program = """
        def work():
            atexit.register(say, "handler from before")
            finalize("finalizer")
            atexit.register(say, "handler from after")

        if __name__ == "__main__":
            finalize("parent's")
            run_child(sys.argv[1], work)
    """
    assert says(tmp_path, program, method) == [
        "handler from after",
        "finalizer",
        "handler from before",
        "exit code 0",
        "parent's",
    ]


@pytest.mark.parametrize("parent", ["", "finalize('parent')"], ids=["first", "inherited"])
def test_one_made_before_multiprocessing_has_set_up_its_child(tmp_path: Path, parent: str) -> None:
    program = f"""
        def in_child():
            finalize("hook's")

        os.register_at_fork(after_in_child=in_child)

        def work():
            finalize("work's")

        {parent}
        run_child("fork", work)
    """
    said = says(tmp_path, program)
    assert said[:3] == ["work's", "hook's", "exit code 0"], said


@pytest.mark.parametrize("method", ["fork", "forkserver"])
def test_a_child_may_choose_how_its_own_children_start(tmp_path: Path, method: str) -> None:
    program = """
        def work():
            multiprocessing.set_start_method("spawn", force=True)
            finalize("child's")

        if __name__ == "__main__":
            run_child(sys.argv[1], work)
    """
    assert says(tmp_path, program, method) == ["child's", "exit code 0"]


def test_a_spawned_child_keeps_the_order_of_atexit(tmp_path: Path) -> None:
    program = """
        def work():
            atexit.register(say, "handler from before")
            finalize("finalizer")
            atexit.register(say, "handler from after")

        if __name__ == "__main__":
            run_child("spawn", work)
    """
    assert says(tmp_path, program) == [
        "handler from after",
        "finalizer",
        "handler from before",
        "exit code 0",
    ]


# Children of `os.fork`


def test_a_forked_process_runs_its_own_only(tmp_path: Path) -> None:
    program = """
        finalize("parent's")
        child = os.fork()
        if child == 0:
            finalize("child's first")
            finalize("child's second")
            sys.exit(3)
        wait_for(child)
        finalize("parent's second")
    """
    assert says(tmp_path, program) == [
        "child's second",
        "child's first",
        "status 3",
        "parent's second",
        "parent's",
    ]


def test_a_forked_process_of_a_forked_process(tmp_path: Path) -> None:
    program = """
        for depth in range(1, 4):
            finalize("of depth", depth)
            child = os.fork()
            if child != 0:
                wait_for(child)
                break  # the child goes on, and the last makes none
    """
    assert says(tmp_path, program) == [
        "status 0",
        "of depth 3",
        "status 0",
        "of depth 2",
        "status 0",
        "of depth 1",
    ]


def test_a_forked_process_that_ends_at_once_runs_none(tmp_path: Path) -> None:
    program = """
        finalize("parent's")
        child = os.fork()
        if child == 0:
            finalize("child's")
            os._exit(0)
        wait_for(child)
    """
    assert says(tmp_path, program) == ["status 0", "parent's"]


def test_the_drain_keeps_its_place_among_inherited_handlers(tmp_path: Path) -> None:
    # As with the original: a program may have made a finalizer early to fix that place.
    program = """
        atexit.register(say, "handler from before")
        finalize("parent's")
        atexit.register(say, "handler from after")
        child = os.fork()
        if child == 0:
            finalize("child's")
            sys.exit(0)
        wait_for(child)
    """
    assert says(tmp_path, program) == [
        "handler from after",
        "child's",
        "handler from before",
        "status 0",
        "handler from after",
        "parent's",
        "handler from before",
    ]


def test_a_forked_process_may_drop_its_handlers_and_ask_for_the_drain_again(
    tmp_path: Path,
) -> None:
    program = """
        finalize("parent's")
        child = os.fork()
        if child == 0:
            atexit._clear()
            lastly.finalize._registered_with_atexit = False
            finalize("child's")
            sys.exit(0)
        wait_for(child)
    """
    assert says(tmp_path, program) == ["child's", "status 0", "parent's"]


def test_what_was_inherited_still_runs_when_its_object_dies_or_when_called(tmp_path: Path) -> None:
    program = """
        def own():
            return "in the child" if os.getpid() != parent else "in the parent"

        parent = os.getpid()
        thing = Thing()
        lastly.finalize(thing, lambda: say("object died", own()))
        called = lastly.finalize(Thing, lambda: say("called", own()))
        child = os.fork()
        if child == 0:
            del thing
            called()
            say(called.alive)
            sys.exit(0)
        wait_for(child)
        del thing
    """
    assert says(tmp_path, program) == [
        "object died in the child",
        "called in the child",
        "False",
        "status 0",
        "object died in the parent",
        "called in the parent",
    ]


def test_a_process_that_multiprocessing_did_not_make_inside_one_that_it_made(
    tmp_path: Path,
) -> None:
    program = """
        def work():
            finalize("child's")
            grandchild = os.fork()
            if grandchild == 0:
                finalize("grandchild's")
                return
            wait_for(grandchild)

        if __name__ == "__main__":
            finalize("parent's")
            run_child("fork", work)
    """
    assert says(tmp_path, program) == [
        "grandchild's",
        "status 0",
        "child's",
        "exit code 0",
        "parent's",
    ]
