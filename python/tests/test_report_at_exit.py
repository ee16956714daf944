"""What a process tells of its finalizers at its end, where asked for: `LASTLY_REPORT=1`."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

from endings import BEFORE, play, reports
from fresh import WATCHDOG, Ended, run

LINE = re.compile(r"lastly\[(\d+)\]: ?(.*)")


def told(ended: Ended) -> list[list[str]]:
    """What each process told, in order of their first lines; times and places left out, and which
    callbacks were slow, as any may be."""
    by_process: dict[str, list[str]] = {}
    for line in ended.complaints.splitlines():
        found = LINE.fullmatch(line)
        if found and not found[2].startswith("slow: "):
            by_process.setdefault(found[1], []).append(found[2])
    return [[shortened(line) for line in lines] for lines in by_process.values()]


def shortened(line: str) -> str:
    line = re.sub(r"\b[0-9.]+(m|µ|n)?s ", "", re.sub(r"(, created at)? /.*", "", line))
    return " ".join(line.split())


def tell(directory: Path, program: str) -> Ended:
    return play(directory, program, LASTLY_REPORT="1")


HEADER = "count oldest object function what became of it created at"


def totals(**counts: int) -> str:
    names = ("created", "called", "object_died", "exit", "signal", "detached", "failed", "lost")
    created, called, died, at_exit, signal, detached, failed, lost = (
        counts.pop(name, 0) for name in names
    )
    assert not counts
    return (
        f"created {created}; called {called}, object died {died}, exit {at_exit}, "
        f"signal {signal}, detached {detached}; failed {failed}, lost {lost}"
    )


# What it says


def test_what_became_of_each(tmp_path: Path) -> None:
    program = """
        lastly.report.set_hook(lambda report: None)
        die(int)
        finalize(int)()
        finalize(int).detach()
        left_out = finalize(print, "never said")
        left_out.atexit = False
        object_dies = Thing()
        lastly.finalize(object_dies, int)
        is_called = finalize(str)
        is_detached = finalize(dir)
        def first():
            global object_dies
            del object_dies
            is_called()
            is_detached.detach()
            finalize(say, "made in the drain")
        finalize(time.sleep, 0.1)
        finalize(lambda: 1 / 0)
        finalize(first)
        finalize(say, "of three")
        finalize(say, "of three").atexit = False
        finalize(say, "of three")
    """
    ended = tell(tmp_path, program)
    assert ended.said == ["of three", "of three", "made in the drain"]
    (lines,) = told(ended)
    assert lines == [
        "the end of the program (exit)",
        "alive when it began: 10 finalizers",
        HEADER,
        "3 __main__.Thing __main__.say 1 left out, 2 run",
        "1 __main__.Thing print left out",
        "1 __main__.Thing int object died",
        "1 __main__.Thing str called",
        "1 __main__.Thing dir detached",
        "1 __main__.Thing time.sleep run",
        "1 __main__.Thing __main__.<lambda> run",
        "1 __main__.Thing __main__.first run",
        totals(created=14, called=2, object_died=2, exit=6, detached=2, failed=1),
    ]
    slow = r": slow: [0-9.]+ms __main__\.Thing \(exit\): time\.sleep, created at /.* in finalize\n"
    assert re.search(slow, ended.complaints)
    assert ended.status == 0


def test_what_says_the_same_is_one_row(tmp_path: Path) -> None:
    program = """
        for number in range(5):
            lastly.finalize(kept.append(Thing()) or kept[-1], int).atexit = number != 3
        finalize(dict)
    """
    ended = tell(tmp_path, program)
    assert told(ended)[0][1:5] == [
        "alive when it began: 6 finalizers",
        HEADER,
        "5 __main__.Thing int 1 left out, 4 run",
        "1 __main__.Thing dict run",
    ]
    assert re.search(
        rf"    5 +[0-9.]+\w+  .*  {re.escape(str(tmp_path))}.*:\d+ in <module>\n", ended.complaints
    )


def test_it_comes_last_and_in_whole_lines(tmp_path: Path) -> None:
    program = """
        finalize(int, "x")
        finalize(lambda: sys.stderr.write("not yet\\n"))
    """
    ended = tell(tmp_path, program)
    before, _, report = ended.complaints.partition("lastly[")
    assert "not yet" in before and "ValueError" in before
    assert all(line.startswith("lastly[") for line in ("lastly[" + report).splitlines())
    assert ended.complaints.endswith("\n")


def test_many(tmp_path: Path) -> None:
    program = """
        for number in range(30):
            kept.append(Thing())
            exec(compile("lastly.finalize(kept[-1], int)", f"/file{number:02}", "exec"))
        for _ in range(100_000):
            kept.append(Thing())
            lastly.finalize(kept[-1], dict, key=1).atexit = False
    """
    (lines,) = told(tell(tmp_path, program))
    assert lines[1] == "alive when it began: 100030 finalizers"
    assert lines[3] == "100000 __main__.Thing dict left out"
    assert lines[4:23] == ["1 __main__.Thing int run"] * 19
    assert lines[23:] == ["… and 11 more, with 11", totals(created=100030, exit=30)]


# Who says nothing


QUIET = {
    "no finalizer": "",
    "only looks": "lastly.live()",
    "os._exit": "finalize(int); os._exit(0)",
}


@pytest.mark.parametrize("program", QUIET.values(), ids=QUIET)
def test_who_says_nothing(tmp_path: Path, program: str) -> None:
    ended = tell(tmp_path, program)
    assert (ended.complaints, ended.status) == ("", 0)


@pytest.mark.parametrize("value", ["", "0"])
def test_unless_asked_for(tmp_path: Path, value: str) -> None:
    assert play(tmp_path, "finalize(int)", LASTLY_REPORT=value).complaints == ""


def test_a_value_that_means_nothing(tmp_path: Path) -> None:
    ended = play(tmp_path, "finalize(say, 'ran')", LASTLY_REPORT="yes")
    line = "lastly: LASTLY_REPORT=yes is neither 1 nor 0, and changes nothing\n"
    assert (ended.said, ended.complaints) == (["ran"], line)


def test_it_asks_for_sites(tmp_path: Path) -> None:
    program = """
        finalize(int)
        (entry,) = lastly.live()
        say(entry.created is not None, entry.age is not None)
    """
    ended = tell(tmp_path, program)
    assert ended.said == ["True True"]


# However it ends


ENDS = {
    "returns": ("", 0, "(exit)"),
    "sys.exit": ("sys.exit(3)", 3, "(exit)"),
    "raises": ("sys.excepthook = lambda *_: None; 1 / 0", 1, "(exit)"),
    "by hand": ("lastly.finalize._exitfunc(); lastly.finalize._exitfunc()", 0, "(exit)"),
    "a signal": ("lastly.install_signals(); kill(); hang()", -15, "(signal)"),
    "on a thread": ("threading.Thread(target=hang, daemon=True).start()", 0, "(exit)"),
}


@pytest.mark.parametrize("end, status, cause", ENDS.values(), ids=ENDS)
def test_however_it_ends(tmp_path: Path, end: str, status: int, cause: str) -> None:
    ended = tell(tmp_path, f"finalize(say, 'ran')\n{end}")
    assert (ended.said, ended.status) == (["ran"], status)
    by_signal = cause == "(signal)"
    assert told(ended) == [
        [
            f"the end of the program {cause}",
            "alive when it began: 1 finalizer",
            HEADER,
            "1 __main__.Thing __main__.say run",
            totals(created=1, exit=int(not by_signal), signal=int(by_signal)),
        ]
    ]


def test_exits_in_callbacks(tmp_path: Path) -> None:
    program = """
        sys.excepthook = lambda *_: None
        finalize(sys.exit, 4)
        finalize(say, "ran")
        def interrupt():
            raise KeyboardInterrupt
        finalize(interrupt)
    """
    ended = tell(tmp_path, program)
    assert (ended.said, ended.status) == (["ran"], 0)
    (lines,) = told(ended)
    assert lines[1] == "alive when it began: 3 finalizers"
    assert lines[-1] == totals(created=3, exit=3, failed=2)


def test_a_budget_that_is_spent(tmp_path: Path) -> None:
    program = """
        lastly.exit.set_budget(0.2)
        finalize(say, "never said")
        finalize(say, "never said").atexit = False
        finalize(hang)
        finalize(say, "ran")
    """
    ended = tell(tmp_path, program)
    assert (ended.said, ended.status) == (["ran"], 0)
    assert len(reports(ended)) == 2
    (lines,) = told(ended)
    assert lines[3:] == [
        "3 __main__.Thing __main__.say 1 left out, 1 run, 1 skipped",
        "1 __main__.Thing __main__.hang run",
        totals(created=4, exit=2, lost=2),
    ]


def test_a_budget_that_is_spent_in_c(tmp_path: Path) -> None:
    program = """
        lastly.exit.set_budget(0.1)
        finalize(say, "never said")
        finalize(hang_in_c)
    """
    ended = tell(tmp_path, program)
    assert (ended.said, ended.status) == ([], 0)
    (lines,) = told(ended)
    assert lines[3:] == [
        "1 __main__.Thing __main__.say skipped",
        "1 __main__.Thing __main__.hang_in_c run",
        totals(created=2, exit=1, lost=2),
    ]


def test_another_signal(tmp_path: Path) -> None:
    program = """
        lastly.install_signals()
        finalize(say, "never said")
        def again():
            say("first")
            kill_again(signal.SIGHUP)
        finalize(again)
        kill()
        hang()
    """
    ended = tell(tmp_path, program)
    assert (ended.said, ended.status) == (["first"], -1)
    (lines,) = told(ended)
    assert lines[0] == "the end of the program (signal)"
    assert lines[3] == "1 __main__.Thing __main__.say skipped"
    assert lines[-1] == totals(created=2, signal=1, lost=2)


def test_daemon_threads(tmp_path: Path) -> None:
    program = """
        begun = threading.Event()
        def work():
            begun.set()
            hang()
        threading.Thread(target=die, args=[work], daemon=True).start()
        begun.wait()
        finalize(say, "ran")
    """
    ended = tell(tmp_path, program)
    (lines,) = told(ended)
    assert lines[1:] == [
        "alive when it began: 1 finalizer",
        HEADER,
        "1 __main__.Thing __main__.say run",
        totals(created=2, object_died=1, exit=1, lost=1),
    ]
    assert ended.complaints.index("was not finished") < ended.complaints.index("lastly[")


def test_what_waits(tmp_path: Path) -> None:
    program = """
        cleaner = lastly.Cleaner(limit=7, name="of files")
        begun, go_on = threading.Event(), threading.Event()
        def work():
            begun.set()
            go_on.wait()
        def hand_over(function, *arguments):
            cleaner.finalize(Thing(), function, *arguments)
        hand_over(work)
        begun.wait()
        hand_over(say, "from the backlog")
        finalize(go_on.set)
        lastly.paused().__enter__()
        die(say, "from a pause")
    """
    ended = tell(tmp_path, program)
    assert ended.said == ["from a pause", "from the backlog"]
    (lines,) = told(ended)
    assert lines[1:] == [
        "alive when it began: 3 finalizers",
        HEADER,
        "1 __main__.Thing __main__.say run",
        "1 __main__.Thing threading.Event.set run",
        "1 __main__.Thing __main__.say run",
        totals(created=4, object_died=1, exit=3),
        "cleaner of files: 1 of 7 wait, one is running; handed over 2",
    ]


# Several processes


def test_a_forked_child_has_its_own(tmp_path: Path) -> None:
    program = """
        finalize(say, "of the parent")
        for quiet in (False, True):
            child = os.fork()
            if child == 0:
                if not quiet:
                    finalize(say, "of the child")
                sys.exit()
            wait_for(child)
    """
    ended = tell(tmp_path, program)
    assert ended.said == ["of the child", "status 0", "status 0", "of the parent"]
    child, parent = told(ended)
    assert child[1:] == [
        "alive when it began: 2 finalizers",
        HEADER,
        "2 __main__.Thing __main__.say 1 left to the parent, 1 run",
        totals(created=1, exit=1),
    ]
    assert parent[3:] == ["1 __main__.Thing __main__.say run", totals(created=1, exit=1)]


def test_a_child_that_a_callback_forks(tmp_path: Path) -> None:
    program = """
        def fork():
            child = os.fork()
            if child == 0:
                finalize(say, "of the child")
            else:
                wait_for(child)
        finalize(say, "oldest")
        finalize(fork)
    """
    ended = tell(tmp_path, program)
    assert ended.said == ["of the child", "status 0", "oldest"]
    child, parent = told(ended)
    assert child == ["the end of the program (exit)", totals(created=1, exit=1)]
    assert parent[-1] == totals(created=2, exit=2)


def test_an_heir(tmp_path: Path) -> None:
    program = """
        finalize(say, "of the parent")
        parent = os.getpid()
        if os.fork():
            os._exit(0)
        while os.getppid() == parent:
            time.sleep(0)
    """
    ended = tell(tmp_path, program)
    assert ended.said == ["of the parent"]
    (lines,) = told(ended)
    assert lines[3:] == ["1 __main__.Thing __main__.say run", totals(exit=1)]


MULTIPROCESSING = """
    import multiprocessing

    def work():
        finalize(say, "of the child")

    if __name__ == "__main__":
        finalize(say, "of the parent")
        child = multiprocessing.get_context({method!r}).Process(target=work)
        child.start()
        child.join()
        say(child.exitcode)
"""


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_children_of_multiprocessing(tmp_path: Path, method: str) -> None:
    ended = tell(tmp_path, dedent(MULTIPROCESSING).format(method=method))
    assert ended.said == ["of the child", "0", "of the parent"]
    child, parent = told(ended)
    assert child[-1] == parent[-1] == totals(created=1, exit=1)
    assert "1 __main__.Thing __main__.say run" in parent
    assert child[3] == {
        "fork": "2 __main__.Thing __main__.say 1 left to the parent, 1 run",
    }.get(method, "1 __mp_main__.Thing __mp_main__.say run")


# It keeps no program from ending


def test_nobody_reads(tmp_path: Path) -> None:
    read, write = os.pipe()
    os.set_blocking(write, False)
    try:
        while True:
            os.write(write, b"x" * 4096)
    except BlockingIOError:
        pass
    os.set_blocking(write, True)
    assert status_with(tmp_path, write) == 3
    os.close(read)
    assert status_with(tmp_path, write) == 3
    os.close(write)


def status_with(directory: Path, stderr: int) -> int:
    script = directory / "script.py"
    script.write_text(BEFORE + "finalize(int)\nsys.exit(3)")
    environment = {**os.environ, "LASTLY_REPORT": "1"}
    command = [sys.executable, str(script)]
    return subprocess.run(command, env=environment, stderr=stderr, timeout=WATCHDOG).returncode


def test_without_a_stderr(tmp_path: Path) -> None:
    program = """
        finalize(say, "ran")
        os.close(2)
        sys.exit(3)
    """
    ended = tell(tmp_path, program)
    assert (ended.said, ended.complaints, ended.status) == (["ran"], "", 3)


# The command


PROGRAM = """
import subprocess, sys, weakref
class Thing: pass
kept = Thing()
weakref.finalize(kept, print, "ran", flush=True)
if len(sys.argv) < 2:
    subprocess.run([sys.executable, __file__, "child"], check=True)
"""


def test_the_command(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(PROGRAM)
    ended = run("-m", "lastly", "report", str(script))
    assert (ended.said, ended.status) == (["ran", "ran"], 0)
    assert len(told(ended)) == 2
    for lines in told(ended):
        assert lines[3:] == ["1 __main__.Thing print run", totals(created=1, exit=1)]
    module = run("-m", "lastly", "report", "-m", "script", "child", PYTHONPATH=str(tmp_path))
    assert len(told(module)) == 1
    assert run("-m", "lastly", "run", str(script)) == (["ran", "ran"], "", 0, [])


def test_what_to_report_must_be_said() -> None:
    for arguments in (["report"], ["report", "-m"], ["report", "-c", "pass"]):
        ended = run("-m", "lastly", *arguments)
        assert (ended.said, ended.status) == ([], 2), arguments
        assert "python -m lastly report [-m] program" in ended.complaints, arguments


def test_help() -> None:
    ended = run("-m", "lastly", "report", "--help")
    assert (ended.complaints, ended.status) == ("", 0)
    assert "python -m lastly report [-m] program" in "\n".join(ended.said)
    assert "LASTLY_REPORT=1" in "\n".join(ended.said)
