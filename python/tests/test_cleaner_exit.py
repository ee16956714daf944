"""Programs with a `Cleaner`, to their end: by exit, signals, forks, in event loops and pools."""

from __future__ import annotations

import sys
from pathlib import Path
from textwrap import dedent

import pytest

from endings import play, reports
from fresh import Ended

COMMON = """
    cleaner = lastly.Cleaner(limit=100, name="files")
    reached = threading.Event()
    go_on = threading.Event()

    def hand_over(function, *arguments):
        # To run on the cleaner's thread.
        thing = Thing()
        return cleaner.finalize(thing, function, *arguments)

    def gate():
        reached.set()
        go_on.wait()

    def keep_busy():
        hand_over(gate)
        reached.wait()

    def tell(words):
        say(words, "on", on_which_thread())

    def on_which_thread():
        return "main" if threading.current_thread() is threading.main_thread() else "another"
"""


def run(directory: Path, program: str, **variables: str) -> Ended:
    return play(directory, dedent(COMMON) + dedent(program), **variables)


def test_the_drain_runs_what_waits_in_its_own_order(tmp_path: Path) -> None:
    program = """
    finalize(tell, "oldest")
    keep_busy()
    hand_over(tell, "second")
    hand_over(tell, "third").atexit = False
    finalize(tell, "newest")
    finalize(go_on.set)
    """
    ended = run(tmp_path, program)
    # What was to be left out at exit has lost its object before that.
    assert (ended.said, ended.complaints) == (
        ["newest on main", "third on main", "second on main", "oldest on main"],
        "",
    )


def test_the_end_waits_for_what_its_thread_is_in(tmp_path: Path) -> None:
    program = """
    def slow():
        gate()
        say("slow ends")

    hand_over(slow)
    reached.wait()
    finalize(say, "older")
    finalize(go_on.set)
    """
    ended = run(tmp_path, program)
    assert sorted(ended.said) == ["older", "slow ends"]
    assert (ended.complaints, ended.status) == ("", 0)


def test_but_not_longer_than_its_budget(tmp_path: Path) -> None:
    program = """
    def hangs():
        reached.set()
        hang()

    hand_over(hangs)
    reached.wait()
    finalize(say, "at exit")
    """
    ended = run(tmp_path, program, LASTLY_EXIT_BUDGET="0.2")
    assert (ended.said, ended.status) == (["at exit"], 0)
    (report,) = reports(ended)
    assert report.endswith("__main__.hangs was not finished when the program ended")


def test_what_other_threads_make_while_the_program_ends(tmp_path: Path) -> None:
    # A thread that does not stop must not make more than it cleans up: neither the memory nor the
    # drain would have an end.
    program = """
    ended = threading.Event()

    def go_on_for_ever():
        for _ in range(3):
            hand_over(tell, "made late")
        ended.set()

    go = beside(go_on_for_ever)

    def at_exit():
        go()
        ended.wait()
        say("the drain goes on")

    finalize(at_exit)
    """
    ended = run(tmp_path, program)
    assert ended.said == ["made late on another"] * 3 + ["the drain goes on"]
    assert (ended.complaints, ended.status) == ("", 0)


def test_an_object_that_dies_while_the_program_ends(tmp_path: Path) -> None:
    # The drain runs it, in its order; so what a thread drops with a lock held cannot hang it.
    program = """
    lock = threading.Lock()
    done = threading.Event()
    thing = Thing()
    cleaner.finalize(thing, tell, "thing")

    def locked():
        with lock:
            say("got the lock")

    other = Thing()
    cleaner.finalize(other, locked)

    def kills():
        global thing, other
        thing = None
        with lock:
            other = None
        say("killed")

    finalize(kills)
    """
    ended = run(tmp_path, program)
    assert (ended.said, ended.complaints) == (["killed", "got the lock", "thing on main"], "")


@pytest.mark.parametrize("how", ["sys.exit(3)", "raise SystemExit(3)", "raise KeyboardInterrupt"])
def test_a_callback_on_its_thread_cannot_end_the_program(tmp_path: Path, how: str) -> None:
    # As with any thread: an exception ends nothing but the callback.
    program = f"""
    def ends():
        {how}

    hand_over(ends)
    cleaner.drain()
    finalize(say, "at exit")
    """
    ended = run(tmp_path, program)
    assert (ended.said, ended.status) == (["at exit"], 0)
    assert "Exception ignored in" in ended.complaints


def test_it_can_end_it_at_once(tmp_path: Path) -> None:
    ended = run(tmp_path, "hand_over(os._exit, 4)\ncleaner.drain()\nhang()")
    assert ended.status == 4


def test_a_signal_with_a_backlog(tmp_path: Path) -> None:
    program = """
    lastly.install_signals()
    finalize(tell, "oldest")
    keep_busy()
    hand_over(tell, "waits")
    finalize(go_on.set)
    when_main_waits(kill)
    hang()
    """
    ended = run(tmp_path, program)
    assert (ended.said, ended.status) == (["waits on main", "oldest on main"], -15)


def test_a_signal_while_main_waits_for_the_cleaner(tmp_path: Path) -> None:
    program = """
    lastly.install_signals()
    keep_busy()
    finalize(go_on.set)
    when_main_waits(kill)
    cleaner.drain()
    """
    assert run(tmp_path, program).status == -15
    program = """
    keep_busy()
    try:
        when_main_waits(kill, signal.SIGINT)
        cleaner.drain()
    except KeyboardInterrupt:
        say("interrupted")
    go_on.set()
    say(cleaner.drain())
    """
    ended = run(tmp_path, program)
    assert (ended.said, ended.complaints) == (["interrupted", "True"], "")


def test_a_forked_child_has_a_thread_of_its_own_and_no_backlog(tmp_path: Path) -> None:
    program = """
    keep_busy()
    hand_over(say, "the parent's")
    thing = Thing()
    cleaner.finalize(thing, lambda: say("thing of", who))
    who = "parent"
    child = os.fork()
    if child == 0:
        who = "child"
        say("backlog of the child", cleaner.backlog)
        hand_over(tell, "the child's")
        thing = None
        say(cleaner.drain())
        sys.exit()
    wait_for(child)
    go_on.set()
    cleaner.drain()
    thing = None
    """
    ended = run(tmp_path, program)
    assert "Traceback" not in ended.complaints
    assert ended.said == [
        "backlog of the child 0",
        "the child's on another",
        "thing of child",
        "True",
        "status 0",
        "the parent's",
        "thing of parent",
    ]


def test_a_fork_on_its_thread(tmp_path: Path) -> None:
    program = """
    def forks():
        child = os.fork()
        if child == 0:
            hand_over(say, "in the child")
            say(cleaner.drain())
            os._exit(0)
        wait_for(child)

    hand_over(forks)
    say(cleaner.drain())
    hand_over(say, "in the parent")
    """
    ended = run(tmp_path, program)
    assert ended.said == ["in the child", "True", "status 0", "True", "in the parent"]


def test_a_fork_beside_the_first_cleaner(tmp_path: Path) -> None:
    """What another thread is importing at the fork, nobody in the child ever has imported."""
    program = """
    class Slow:
        '''Where the import of a module stops that was not imported before.'''

        def find_spec(name, path, target=None):
            if name.startswith("lastly"):
                reached.set()
                threading.Event().wait()

    reached = threading.Event()
    sys.meta_path.insert(0, Slow)

    def another():
        lastly.Cleaner()
        reached.set()

    threading.Thread(target=another, daemon=True).start()
    reached.wait()
    child = os.fork()
    if child == 0:
        signal.alarm(10)
        with lastly.Cleaner() as cleaner:
            cleaner.finalize(Thing(), say, "in the child")
        os._exit(0)
    wait_for(child)
    """
    ended = play(tmp_path, dedent(program))
    assert ended.said == ["in the child", "status 0"]


def test_the_end_of_the_program_imports_nothing(tmp_path: Path) -> None:
    """It would wait for ever for what a thread was importing that this forked child has not."""
    program = """
    class Told:
        def find_spec(name, path, target=None):
            say("imports", name)

    cleaner = lastly.Cleaner()
    things = [Thing(), Thing()]
    lastly.finalize(things[0], say, "at exit")
    cleaner.finalize(things[1], say, "at exit, too")
    sys.meta_path.insert(0, Told)
    """
    ended = play(tmp_path, dedent(program))
    assert ended.said == ["at exit, too", "at exit"]


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_children_of_multiprocessing(tmp_path: Path, method: str) -> None:
    program = f"""
    import multiprocessing

    def child():
        hand_over(tell, "handed over")
        say(cleaner.drain())
        keep_busy()
        finalize(say, "the child's last")
        finalize(go_on.set)
        hand_over(tell, "waits")

    if __name__ == "__main__":
        process = multiprocessing.get_context("{method}").Process(target=child)
        process.start()
        process.join()
        say(process.exitcode)
    """
    ended = run(tmp_path, program)
    assert ended.said == [
        "handed over on another",
        "True",
        "waits on main",
        "the child's last",
        "0",
    ]


def test_a_daemon_runs_what_its_starter_left_waiting(tmp_path: Path) -> None:
    program = """
    def program():
        keep_busy()
        hand_over(say, "waited")
        finalize(say, "at exit")
        parent = os.getpid()
        if os.fork():
            os._exit(0)
        while os.getppid() == parent:
            os.sched_yield()

    begin, end = os.pipe()
    if os.fork() == 0:
        os.close(begin)
        program()
        sys.exit()
    os.close(end)
    os.read(begin, 1)  # until all who have it open are gone
    os._exit(0)
    """
    assert run(tmp_path, program).said == ["at exit", "waited"]


def test_what_dies_as_its_thread_begins(tmp_path: Path) -> None:
    # The collector may come there, and find what is to be handed over: to this very thread.
    program = """
    class Names(dict):
        # What `threading` looks the new thread up in.
        def __missing__(self, number):
            if number not in seen:
                seen.add(number)
                for _ in range(10):
                    hand_over(int)
                say(cleaner.drain())
                over.set()
            raise KeyError(number)

    seen, over = set(), threading.Event()
    cleaner = lastly.Cleaner(limit=1, when_full="block")
    threading._active = Names(threading._active)
    hand_over(say, "handed over")
    say(cleaner.drain())
    # The end of the program waits for callbacks, not for what a thread does as it begins.
    over.wait()
    """
    ended = run(tmp_path, program)
    assert (ended.said, ended.status) == (["handed over", "True", "True"], 0), ended


def test_late_shutdown(tmp_path: Path) -> None:
    # Objects that the interpreter lets go of at its very end: nothing runs any more, nothing hangs.
    program = """
    hand_over(say, "runs")
    cleaner.drain()
    lastly.finalize._exitfunc()
    thing = Thing()
    cleaner.finalize(thing, say, "too late")
    thing.me = thing
    sys.modules["kept"] = thing
    """
    ended = run(tmp_path, program)
    assert (ended.said, ended.status) == (["runs"], 0)


def test_a_callback_that_goes_on_when_the_interpreter_is_taken_down(tmp_path: Path) -> None:
    # Its thread is ended there by the interpreter, as any daemon thread is: not the program.
    program = """
    begin, end = os.pipe()

    def late():
        reached.set()
        os.read(begin, 1)
        say("never said")

    hand_over(late)
    reached.wait()

    class Last:
        def __del__(self, write=os.write, sleep=time.sleep, end=end):
            write(end, b"go on")
            sleep(0.2)  # lets others have the interpreter, which they do not get any more

    sys.modules["last"] = Last()
    """
    ended = run(tmp_path, program, LASTLY_EXIT_BUDGET="0.2")
    assert (ended.said, ended.status) == ([], 0)
    assert reports(ended)[-1].endswith("__main__.late was not finished when the program ended")


ASYNCIO = """
    import asyncio

    class Connection:
        def __init__(self):
            self.me = self
            cleaner.finalize(self, close)

    def close():
        # What would hang the loop, or meet a loop that is gone.
        with lock:
            say("closed beside the loop" if on_which_thread() == "another" else "closed by main")

    lock = threading.Lock()

    async def use():
        import gc
        Connection()
        with lock:
            gc.collect()
            await asyncio.sleep(0)
"""


@pytest.mark.parametrize(
    ("end", "status"),
    [
        ("asyncio.run(use())", 0),
        ("asyncio.run(use()); sys.exit(3)", 3),
        ("asyncio.run(ends(lambda: sys.exit(3)))", 3),
        ("asyncio.run(ends(lambda: 1 / 0))", 1),
        ("loop = asyncio.new_event_loop(); loop.run_until_complete(use()); loop.stop()", 0),
        ("lastly.install_signals(); asyncio.run(ends(kill))", -15),
    ],
)
def test_asyncio_programs(tmp_path: Path, end: str, status: int) -> None:
    program = (
        ASYNCIO
        + """
    async def ends(how):
        await use()
        cleaner.drain()
        how()
        await asyncio.sleep(1000)

    """
        + end
    )
    ended = run(tmp_path, program)
    # Once, in any case: by the cleaner, or if the end of the program was quicker, by main.
    assert len([line for line in ended.said if line.startswith("closed")]) == 1
    assert ended.status == status


@pytest.mark.parametrize(
    ("end", "status"),
    [
        ("pool.shutdown()", 0),
        ("pool.shutdown(wait=False)", 0),
        ("pass", 0),
        ("sys.exit(3)", 3),
        ("1 / 0", 1),
        ("pool.submit(sys.exit, 3).exception()", 0),
    ],
)
def test_programs_with_a_pool_of_threads(tmp_path: Path, end: str, status: int) -> None:
    program = """
    from concurrent.futures import ThreadPoolExecutor

    # A list: two threads that add to a number at once may lose what the other has added.
    all_closed = []

    def closed():
        all_closed.append(None)

    # The oldest of all: it runs when all the others have.
    finalize(lambda: say(len(all_closed)))
    pool = ThreadPoolExecutor(4)
    for number in range(1000):
        pool.submit(hand_over, closed)
    """
    ended = run(tmp_path, program + end)
    assert (ended.said, ended.status) == (["1000"], status), ended


def test_a_daemon_thread_that_never_stops_dropping(tmp_path: Path) -> None:
    program = """
    def drops():
        while True:
            hand_over(len, "")

    for _ in range(3):
        threading.Thread(target=drops, daemon=True).start()
    while not cleaner.backlog:
        pass
    finalize(say, "at exit")
    """
    ended = run(tmp_path, program)
    assert (ended.said, ended.status) == (["at exit"], 0)


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="no threads may start then")
def test_a_first_death_at_exit(tmp_path: Path) -> None:
    # The cleaner has no thread yet: the drain does it.
    program = """
    thing = Thing()
    cleaner.finalize(thing, tell, "thing")
    finalize(globals().pop, "thing")
    """
    assert run(tmp_path, program).said == ["thing on main"]
