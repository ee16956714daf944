"""`paused`: in its block no callback runs on this thread; what is due runs at its end."""

from __future__ import annotations

import asyncio
import gc
import threading
from pathlib import Path
from typing import Any, Callable

import pytest

import lastly
from endings import play
from lastly import finalize, paused


class Thing:
    """An object that can be watched."""


@pytest.fixture
def ran() -> list[Any]:
    return []


def die(function: Callable[..., Any], *arguments: Any) -> None:
    thing = Thing()
    finalize(thing, function, *arguments)


def test_what_is_due_runs_at_the_end_in_order_of_death(ran: list[Any]) -> None:
    with paused():
        thing = Thing()
        finalize(thing, ran.append, "older")
        finalize(thing, ran.append, "newer")
        del thing
        die(ran.append, "second object")
        assert ran == []
    assert ran == ["newer", "older", "second object"]


def test_blocks_nest(ran: list[Any]) -> None:
    pause = paused()
    with pause, pause:
        with paused():
            die(ran.append, 1)
        assert ran == []
    assert ran == [1]
    die(ran.append, 2)
    assert ran == [1, 2]


def test_a_decorated_function_is_such_a_block(ran: list[Any]) -> None:
    @paused()
    def function(number: int, *, again: int) -> list[Any]:
        """Documented."""
        die(ran.append, number)
        die(ran.append, again)
        return list(ran)

    assert function(1, again=2) == []
    assert ran == [1, 2]
    assert (function.__name__, function.__doc__) == ("function", "Documented.")


def test_it_waits_alive_and_an_explicit_call_wins(ran: list[Any]) -> None:
    thing = Thing()
    finalizer = finalize(thing, ran.append, 1)
    with paused():
        del thing
        # As of any whose object is gone.
        assert finalizer.alive and finalizer.peek() is None and finalizer.detach() is None
        finalizer()
        assert ran == [1] and not finalizer.alive
    assert ran == [1]


def test_explicit_calls_and_other_threads_are_not_concerned(ran: list[Any]) -> None:
    with paused():
        finalizer = finalize(ran.__class__, ran.append, "called")
        finalizer()
        other = threading.Thread(target=die, args=(ran.append, "another thread"))
        other.start()
        other.join()
        assert ran == ["called", "another thread"]


def test_cycles_wait_as_well(ran: list[Any]) -> None:
    with paused():
        thing = Thing()
        thing.me = thing  # type: ignore[attr-defined]
        finalize(thing, ran.append, 1)
        del thing
        gc.collect()
        assert ran == []
    assert ran == [1]


def test_callbacks_at_the_end_may_pause_die_and_fail(
    ran: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    complaints: list[Any] = []
    monkeypatch.setattr("sys.unraisablehook", lambda it: complaints.append(it.exc_value))

    def fails() -> None:
        raise ValueError("no luck")

    def pauses() -> None:
        with paused():
            die(ran.append, "inner")
            ran.append("in inner block")
        die(ran.append, "at once")

    with paused():
        die(fails)
        die(pauses)
        die(ran.append, "last")
    assert ran == ["in inner block", "inner", "at once", "last"]
    assert [str(it) for it in complaints] == ["no luck"]


def test_the_end_comes_with_an_exception_too(ran: list[Any]) -> None:
    with pytest.raises(ValueError, match="no luck"), paused():
        die(ran.append, 1)
        raise ValueError("no luck")
    assert ran == [1]


def test_it_begins_and_ends_on_one_thread(ran: list[Any]) -> None:
    pause = paused()
    with pytest.raises(RuntimeError, match="on the thread on which it has begun"):
        pause.__exit__(None, None, None)
    with pause:
        errors: list[RuntimeError] = []

        def elsewhere() -> None:
            for method in (pause.__enter__, pause.__exit__):
                try:
                    method()
                except RuntimeError as error:
                    errors.append(error)

        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
        assert len(errors) == 2
        die(ran.append, 1)
        assert ran == []
    assert ran == [1]


def test_the_objects_of_tasks_on_a_paused_thread_wait(ran: list[Any]) -> None:
    async def task() -> None:
        die(ran.append, "in a task")

    async def main() -> None:
        with paused():
            await task()
            assert ran == []

    asyncio.run(main())
    assert ran == ["in a task"]


# The callback wants the lock that its thread holds.
DEADLOCK = """
    lock = threading.Lock()
    there = threading.Event()

    def unregister():
        with lock:
            say("unregistered")

    def work(paused):
        with paused, lock:
            there.set()
            die(unregister)
        say("worked")
"""


def test_the_deadlock(tmp_path: Path) -> None:
    # Without it the thread waits for itself, for ever.
    ended = play(
        tmp_path,
        DEADLOCK
        + """
    import contextlib
    thread = threading.Thread(target=work, args=[contextlib.nullcontext()], daemon=True)
    thread.start()
    there.wait()
    say("hangs" if not lock.acquire(timeout=1) else "does not")
    """,
    )
    assert ended.said == ["hangs"]
    # What hangs when the program ends is told.
    assert "__main__.unregister was not finished" in ended.complaints
    ended = play(tmp_path, DEADLOCK + "    work(lastly.paused())")
    assert (ended.said, ended.complaints) == (["unregistered", "worked"], "")


def test_the_end_of_the_program_inside_a_block(tmp_path: Path) -> None:
    # The block ends first, as any does.
    program = """
    finalize(say, "at exit")
    with lastly.paused():
        die(say, "waited")
        sys.exit(3)
    """
    ended = play(tmp_path, program)
    assert (ended.said, ended.status) == (["waited", "at exit"], 3)


def test_a_block_that_never_ends(tmp_path: Path) -> None:
    # What waits runs at exit, in its place, also what is not to run at exit: its object has died.
    program = """
    finalize(say, "oldest")
    lastly.paused().__enter__()
    die(say, "waited")
    thing = Thing()
    lastly.finalize(thing, say, "waited, too").atexit = False
    del thing
    finalize(say, "newest")
    """
    ended = play(tmp_path, program)
    assert (ended.said, ended.complaints) == (["newest", "waited, too", "waited", "oldest"], "")


def test_a_signal_waits_for_the_end_of_the_block(tmp_path: Path) -> None:
    program = """
    lastly.install_signals()
    finalize(say, "at the end")
    with lastly.paused():
        die(say, "waited")
        kill()
        say("in the block")
    say("never said")
    """
    ended = play(tmp_path, program)
    assert (ended.said, ended.status) == (["in the block", "waited", "at the end"], -15)


def test_a_forked_child_has_nothing_that_waited_before(tmp_path: Path) -> None:
    # What waited is the parent's; what dies in the child is the child's.
    program = """
    who = "parent"

    def tell(words):
        say(who, "runs", words)

    with lastly.paused():
        die(tell, "the parent's")
        child = os.fork()
        if child == 0:
            who = "child"
            die(tell, "the child's")
        else:
            os.waitpid(child, 0)
    """
    ended = play(tmp_path, program)
    assert ended.said == ["child runs the child's", "parent runs the parent's"]


def test_what_dies_in_a_child_though_its_parent_made_it(tmp_path: Path) -> None:
    program = """
    thing = Thing()
    lastly.finalize(thing, lambda: say("child" if os.getpid() != parent else "parent"))
    parent = os.getpid()
    child = os.fork()
    if child == 0:
        lastly.paused().__enter__()  # for ever: at its exit the child runs what waits
        del thing
        sys.exit()
    wait_for(child)
    """
    ended = play(tmp_path, program)
    assert ended.said == ["child", "status 0", "parent"]


def test_it_is_in_the_package() -> None:
    assert lastly.paused is paused and "no callback runs on this thread" in (paused.__doc__ or "")
