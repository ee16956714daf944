"""Daemons, and who runs what a process leaves that ended without running it.

It is the child that was forked last.

The parents here end by `os._exit`, as those of daemons do. Their children go on when they are gone.
"""

from __future__ import annotations

import sys
from pathlib import Path
from textwrap import dedent

import pytest

from endings import play

COMMON = """
    # Beside the program that is looked at, to see it to its end, and all that it forks.
    def follow(program):
        begin, end = os.pipe()
        if os.fork() == 0:
            os.close(begin)
            program()
            sys.exit()
        os.close(end)
        os.read(begin, 1)  # until all who have it open are gone
        os._exit(0)

    def until_orphaned(parent):
        while os.getppid() == parent:
            os.sched_yield()

    def own(words):
        def end(process):
            say(words, "of its own" if os.getpid() == process else "of another")
        finalize(end, os.getpid())
"""


def said(directory: Path, program: str, *arguments: str) -> list[str]:
    ended = play(directory, dedent(COMMON) + dedent(program), *arguments)
    assert (ended.complaints, ended.status, ended.left) == ("", 0, []), ended
    return ended.said


# As daemons are made.
DAEMON = """
    import shutil, tempfile

    def program():
        path = tempfile.mkdtemp()
        finalize(shutil.rmtree, path)
        finalize(lambda: say("cleans up", os.path.exists(path)))
        parent = os.getpid()
        if os.fork():
            os._exit(0)
        os.setsid()
        parent = os.getpid()
        if os.fork():
            os._exit(0)
        until_orphaned(parent)
        say("works", os.path.exists(path))
        END
"""


@pytest.mark.parametrize(
    "end",
    ["sys.exit()", "lastly.install_signals(); kill()"],
    ids=["by itself", "by a signal"],
)
def test_a_daemon_cleans_up_once_at_its_end(tmp_path: Path, end: str) -> None:
    program = DAEMON.replace("END", end) + "\n    follow(program)\n"
    assert said(tmp_path, program) == ["works True", "cleans up True"]


def test_signals_that_were_installed_before_it_became_one(tmp_path: Path) -> None:
    program = DAEMON.replace("END", "kill()")
    program += "\n    lastly.install_signals()\n    follow(program)\n"
    assert said(tmp_path, program) == ["works True", "cleans up True"]


def test_it_is_the_last_child(tmp_path: Path) -> None:
    # Each waits for the one before to be gone: all of them have that one's pipe.
    program = """
        def program():
            own("the parent's")
            parent = os.getpid()
            before = None
            for number in range(3):
                begin, end = os.pipe()
                if os.fork() == 0:
                    os.close(begin)
                    until_orphaned(parent)
                    if before is not None:
                        os.read(before, 1)
                    own(f"child {number}'s")
                    sys.exit()
                os.close(end)
                before = begin
            os._exit(0)
        follow(program)
    """
    assert said(tmp_path, program) == [
        "child 0's of its own",
        "child 1's of its own",
        "child 2's of its own",
        "the parent's of another",
    ]


NOBODY = {
    "drains": "sys.exit()",
    "has run one that is older": "first(); os._exit(0)",
    "has given one back that is older": "first.detach(); os._exit(0)",
    "is alive": "os.read(begin, 1); os._exit(0)",
}


@pytest.mark.parametrize("end", NOBODY.values(), ids=NOBODY)
def test_nobody_inherits_where_the_parent(tmp_path: Path, end: str) -> None:
    program = f"""
        def program():
            first = finalize(int)
            own("the parent's")
            parent = os.getpid()
            begin, over = os.pipe()
            if os.fork() == 0:
                os.close(begin)
                if "read" not in {end!r}:
                    until_orphaned(parent)
                own("the child's")
                sys.exit()
            os.close(over)
            {end}
        follow(program)
    """
    expected = ["the child's of its own"]
    if "sys.exit" in end:
        expected.insert(0, "the parent's of its own")
    assert said(tmp_path, program) == expected


def test_a_pre_forking_server_that_is_killed(tmp_path: Path) -> None:
    """Its workers end one after the other; the one that was forked last cleans up for it."""
    program = """
        import signal
        def program():
            own("the server's")
            parent, before = os.getpid(), None
            ready = os.pipe()
            for number in range(3):
                begin, end = os.pipe()
                if os.fork() == 0:
                    os.close(begin)
                    own(f"worker {number}'s")
                    os.write(ready[1], b"x")
                    until_orphaned(parent)
                    if before is not None:
                        os.read(before, 1)
                    sys.exit()
                os.close(end)
                before = begin
            for _ in range(3):
                os.read(ready[0], 1)
            os.kill(os.getpid(), signal.SIGKILL)
        follow(program)
    """
    assert said(tmp_path, program) == [
        "worker 0's of its own",
        "worker 1's of its own",
        "worker 2's of its own",
        "the server's of another",
    ]


def test_a_worker_that_ends_before_its_server(tmp_path: Path) -> None:
    program = """
        own("the server's")
        for number in range(2):
            child = os.fork()
            if child == 0:
                own(f"worker {number}'s")
                sys.exit()
            wait_for(child)
    """
    assert said(tmp_path, program) == [
        "worker 0's of its own",
        "status 0",
        "worker 1's of its own",
        "status 0",
        "the server's of its own",
    ]


@pytest.mark.parametrize("makes", ["", 'own("the child\'s")'], ids=["none", "its own"])
def test_a_child_of_multiprocessing(tmp_path: Path, makes: str) -> None:
    program = f"""
        import multiprocessing

        def work(parent):
            until_orphaned(parent)
            {makes or "pass"}

        def program():
            own("the parent's")
            multiprocessing.get_context("fork").Process(target=work, args=[os.getpid()]).start()
            os._exit(0)

        follow(program)
    """
    child = ["the child's of its own"] if makes else []
    assert said(tmp_path, program) == [*child, "the parent's of another"]


def test_forked_in_a_callback(tmp_path: Path) -> None:
    """What is older than the fork, the parent has begun to run: nobody inherits."""
    program = """
        def forks():
            parent = os.getpid()
            if os.fork():
                say("forked")
                os._exit(0)
            until_orphaned(parent)
            own("the child's")
            sys.exit()
        def program():
            own("the parent's")
            try:
                finalize(forks)()
            finally:
                say("goes on")
        follow(program)
    """
    assert said(tmp_path, program) == [
        "forked",
        "goes on",
        "the child's of its own",
        "the parent's of another",
    ]


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="no forks while the interpreter ends")
def test_forked_in_the_drain(tmp_path: Path) -> None:
    program = """
        def forks():
            child = os.fork()
            if child == 0:
                own("the child's")
                return
            wait_for(child)
        own("older")
        finalize(forks)
    """
    assert said(tmp_path, program) == ["the child's of its own", "status 0", "older of its own"]


def test_an_object_that_dies_in_the_heir_is_cleaned_up_there_once(tmp_path: Path) -> None:
    program = """
        def program():
            thing = Thing()
            lastly.finalize(thing, say, "died")
            own("the parent's")
            parent = os.getpid()
            if os.fork():
                os._exit(0)
            until_orphaned(parent)
            del thing
            say("goes on")
        follow(program)
    """
    assert said(tmp_path, program) == ["died", "goes on", "the parent's of another"]
