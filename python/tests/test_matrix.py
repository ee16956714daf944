"""How programs end, as `tests/matrix.json` tells: its Python half, on real processes.

The table says itself what is in it; `tests/tests/matrix` has its Rust half, and GUARANTEES.md shows
it.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

TABLE = Path(__file__).parents[2] / "tests" / "matrix.json"
PROGRAM = Path(__file__).with_name("matrix_program.py")

# No cell takes long; a hang must not take the suite's time.
WATCHDOG = 30


class Cell(NamedTuple):
    ending: str
    state: str
    row: dict[str, Any]

    @property
    def signal(self) -> str:
        """The first that is sent, if that is what it is about."""
        return "SIGTERM" if self.ending == "second signal" else self.ending.split()[0]

    def expected(self) -> Ended:
        def in_words(text: str) -> str:
            return text.replace("the signal", self.signal)

        stdout = [in_words(line) for line in self.row.get("stdout", [])]
        return Ended(stdout, in_words(self.row["status"]), self.row.get("left", []))


class Ended(NamedTuple):
    """How a program ended, in the words of the table."""

    stdout: list[str]
    status: str
    left: list[str]


def cells() -> Iterator[Cell]:
    for row in json.loads(TABLE.read_text("utf-8"))["rows"]:
        if "Python" in row["language"] and "none" not in row:
            for ending in row["ending"]:
                yield from (Cell(ending, state, row) for state in row["state"])


@pytest.mark.parametrize(
    "cell", [pytest.param(it, id=f"{it.ending}, {it.state}") for it in cells()]
)
def test_the_end_is_as_the_table_says(cell: Cell) -> None:
    ended, complaints = play(cell)
    assert ended == cell.expected(), complaints
    compare(cell.row.get("stderr", []), complaints)


def compare(patterns: list[str], stderr: str) -> None:
    """These lines, in this order; others between them, but none of lastly's. Or nothing at all."""
    missing = [re.compile(".*".join(map(re.escape, it.split("*")))) for it in patterns]
    for line in stderr.splitlines():
        if missing and missing[0].fullmatch(line):
            del missing[0]
        else:
            assert patterns and not line.startswith("lastly: "), stderr
    assert not missing, stderr


def play(cell: Cell) -> tuple[Ended, str]:
    with tempfile.TemporaryDirectory() as directory, tempfile.TemporaryFile() as stderr:
        process = subprocess.Popen(
            [sys.executable, str(PROGRAM), cell.ending, cell.state],
            cwd=directory,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            encoding="utf-8",
            start_new_session=True,
        )
        # With all that it forked.
        watchdog = threading.Timer(WATCHDOG, os.killpg, [process.pid, signal.SIGKILL])
        watchdog.start()
        try:
            stdout = list(listen(process, cell))
            status = process.wait()
        finally:
            watchdog.cancel()
        stderr.seek(0)
        left = sorted(os.listdir(directory))
        return Ended(stdout, in_words(status), left), stderr.read().decode()


def listen(process: subprocess.Popen[str], cell: Cell) -> Iterator[str]:
    """What it prints; and sends its process the signals when it is time for them."""
    assert process.stdin is not None and process.stdout is not None
    number = 0
    with process.stdin, process.stdout:
        for line in process.stdout:
            if line.startswith("ready "):
                number = int(line.split()[1])
                os.kill(number, signal.Signals[cell.signal])
                # The signal is there: what waited for it may go on.
                process.stdin.close()
                continue
            if line.endswith(" hangs\n"):
                os.kill(number, signal.SIGHUP)
            yield line.rstrip("\n")


def in_words(status: int) -> str:
    return str(status) if status >= 0 else signal.Signals(-status).name


def test_what_is_compared_can_differ() -> None:
    report = "lastly: cleanup of Thing (exit): say raised ValueError: oh"
    lines = f"Traceback\n{report}\n"
    compare(["lastly: *oh"], lines)
    compare(["Traceback", report], lines)
    for patterns in [], ["Traceback"], ["lastly: *no"], [report, report]:
        with pytest.raises(AssertionError):
            compare(patterns, lines)
