"""What becomes of what was declared, as the second table of `tests/matrix.json` tells: its Python
half, on real processes.

Each cell is played with a guard, without one, and with one that is killed together with its owner.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import guards
from declared_program import METHODS
from test_matrix import TABLE, WATCHDOG, compare, in_words

#: They start many programs.
pytestmark = pytest.mark.slow

PROGRAM = Path(__file__).with_name("declared_program.py")

# Who is there when the process ends.
THERE, NOWHERE, KILLED = "guarded", "without a guard", "its guard killed with it"

# Each in its own way: there it is the processes that differ, not who is there.
MULTIPROCESSING = "multiprocessing"


class Cell(NamedTuple):
    ending: str
    process: str
    guard: str
    row: dict[str, Any]

    @property
    def signal(self) -> signal.Signals | None:
        """The first that is sent, if that is what it is about."""
        name = {"second signal": "SIGTERM", "killpg": "SIGKILL"}.get(self.ending, self.ending)
        return signal.Signals.__members__.get(name.split()[0])

    def expected(self) -> Seen:
        status = self.row["status"]
        if status == "the signal":
            assert self.signal is not None
            status = self.signal.name
        left = None if self.guard == THERE else self.row.get("left", [])
        return Seen(status, left, self.row.get("after", []), [], [], ["file"])


class Seen(NamedTuple):
    """What was seen, in the words of the table."""

    status: str
    """Of the process that the cell is about."""
    left: list[str] | None
    """Before anybody else does anything, where the guard is not to."""
    after: list[str]
    """When the guard has done its work, or the sweep."""
    at_the_end: list[str]
    """When the parent has returned, too."""
    declared: list[Any]
    """What `lastly status` knows of then."""
    canary: list[str]


def cells() -> Iterator[Cell]:
    for row in json.loads(TABLE.read_text("utf-8"))["declared"]["rows"]:
        if "Python" not in row["language"] or "none" in row:
            continue
        for ending in row["ending"]:
            for process in row["state"]:
                for guard in [THERE, NOWHERE, KILLED]:
                    if guard == THERE or process != MULTIPROCESSING:
                        yield Cell(ending, process, guard, row)


def parameter(cell: Cell) -> Any:
    # What a sweep does is the same for every CPython.
    return pytest.param(cell, id=", ".join(cell[:3]))


@pytest.mark.parametrize("cell", [parameter(it) for it in cells()])
def test_what_becomes_of_it_is_as_the_table_says(cell: Cell) -> None:
    with tempfile.TemporaryDirectory() as directory, tempfile.TemporaryFile() as stderr:
        play = Play(cell, Path(directory).resolve(), stderr)
        seen = play.see()
        stderr.seek(0)
        complaints = stderr.read().decode()
    assert seen == cell.expected(), complaints
    # Where there is no guard, that is told of; in `multiprocessing`, each child tells.
    if cell.guard != NOWHERE and cell.process != MULTIPROCESSING:
        compare(cell.row.get("stderr", []), complaints)


class Play:
    def __init__(self, cell: Cell, directory: Path, stderr: Any) -> None:
        self.cell = cell
        self.directory = directory
        self.journals = directory / "journals"
        self.canary = directory / "canary"
        self.journals.mkdir(mode=0o700)
        self.canary.mkdir()
        (self.canary / "file").touch()
        environment = {**os.environ, "LASTLY_JOURNALS": str(self.journals), "LASTLY_SWEEP": "0"}
        environment["LASTLY_GUARD"] = "0" if cell.guard == NOWHERE else str(guards.PROGRAM)
        self.process = subprocess.Popen(
            [sys.executable, PROGRAM, cell.ending, cell.process],
            cwd=directory,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            start_new_session=True,
        )

    def see(self) -> Seen:
        # With all that it forked.
        watchdog = threading.Timer(WATCHDOG, os.killpg, [self.process.pid, signal.SIGKILL])
        watchdog.start()
        try:
            of_child = self.listen()
            ended = in_words(self.process.wait())
        finally:
            watchdog.cancel()
        status, left, after = of_child or (ended, *self.settle([self.process.pid]))
        guards.await_that(lambda: not guards.of(self.journals))
        declared = json.loads(guards.call(self.journals, "status", "--json").stdout)
        return Seen(status, left, after, self.trees(), declared, os.listdir(self.canary))

    def listen(self) -> tuple[str, list[str] | None, list[str]] | None:
        """Has the program go on, step by step. What is seen when a child has ended, and its parent
        has not."""
        assert self.process.stdin is not None and self.process.stdout is not None
        seen = None
        ending = []
        with self.process.stdin, self.process.stdout:
            for line in self.process.stdout:
                word, _, rest = line.decode().rstrip("\n").rpartition(" ")
                if word == "ready":
                    ending.append(int(rest))
                    if self.cell.process != MULTIPROCESSING:
                        self.begin(ending)
                    elif len(ending) == len(METHODS) and self.cell.signal:
                        self.begin(ending)
                elif word == "hangs":
                    if self.cell.ending == "second signal":
                        os.kill(int(rest), signal.SIGHUP)
                else:
                    assert word == "the child's end:", line
                    seen = (rest, *self.settle(ending))
                    self.go()
        return seen

    def begin(self, ending: list[int]) -> None:
        """It is time for these processes to end."""
        if self.cell.guard == KILLED:
            # From here on it does nothing: so it and its owner die at one moment.
            for guard in guards.of(self.journals):
                guards.stop(guard)
        sent = self.cell.signal
        if sent is None:
            self.go()
        elif self.cell.ending == "killpg":
            os.killpg(self.process.pid, sent)
        else:
            for process in ending:
                os.kill(process, sent)

    def go(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(b"\0")
        self.process.stdin.flush()

    def settle(self, ended: list[int]) -> tuple[list[str] | None, list[str]]:
        """These processes have ended: has everybody do what is theirs to do then."""
        left = None
        if self.cell.guard == THERE:
            # The group, if that has ended, has more.
            whose = [""] if self.cell.ending == "killpg" else [f"{it}-" for it in ended]
            guards.await_that(lambda: not any(guards.of(self.journals, it) for it in whose))
        else:
            for guard in guards.of(self.journals):
                guards.kill(guard)
            left = self.trees()
            swept = guards.call(self.journals, "sweep")
            assert swept.returncode == 0, swept
        return left, self.trees()

    def trees(self) -> list[str]:
        return sorted(set(os.listdir(self.directory)) - {"canary", "journals"})
