"""Every scenario, in a fresh interpreter for each implementation: the outputs must be equal.

Where a scenario is marked with the number of a deliberate difference, both outputs are written
down beside it, and each implementation must give its own.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import pytest

# The subject files are a package beside this file, for pytest and for run.py alike.
sys.path.insert(0, str(Path(__file__).parent))

import scenarios

SCENARIOS = scenarios.find_all()
RUN = Path(__file__).with_name("run.py")


class Seen(NamedTuple):
    """What a user observes of a program."""

    stdout: str
    stderr: str
    status: int


def without_accidents(text: str) -> str:
    """Takes away what differs from run to run, and the frames and the full name of the class."""
    text = re.sub(r"\b0x[0-9a-f]+", "0x…", text)
    text = text.replace(tempfile.gettempdir() + os.sep, "TMP/")
    text = re.sub(r"TMP/[\w./-]+", "TMP/…", text)
    text = re.sub(r"\b(weakref|lastly|lastly\._native)\.finalize\b", "finalize", text)
    # The original is written in Python and has frames of its own.
    frame = r'  File "[^"]*(weakref\.py|lastly[/\\]\w+\.py)", line \d+, in .*\n(    .*\n)*'
    text = re.sub(frame, "", text)
    return re.sub(r"Traceback \(most recent call last\):\n(?!  )", "", text)


def start(name: str, implementation: str) -> subprocess.Popen[str]:
    # Nothing from outside that changes what is printed.
    strange = ("LASTLY_", "PYTHONDEV", "PYTHONWARN")
    settings = {key: value for key, value in os.environ.items() if not key.startswith(strange)}
    return subprocess.Popen(
        [sys.executable, str(RUN), name, implementation],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        start_new_session=True,
        env={**settings, "PYTHONIOENCODING": "utf-8"},
    )


def finish(process: subprocess.Popen[str]) -> Seen:
    with process:
        try:
            stdout, stderr = process.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)  # its children as well
            pytest.fail(f"does not end: {process.args}, {process.communicate()}")
    return Seen(without_accidents(stdout), without_accidents(stderr), process.returncode)


@pytest.mark.parametrize("name", SCENARIOS)
def test_scenario(name: str) -> None:
    known = SCENARIOS[name]
    processes = [start(name, implementation) for implementation in scenarios.IMPLEMENTATIONS]
    original, lastly, installed = map(finish, processes)
    assert original.status == known.status, original
    assert lastly.status == known.status, lastly
    if known.differs is None:
        assert original.stdout or original.stderr
        assert bool(original.stderr) == known.complains, original.stderr
        assert lastly == original
    else:
        assert original.stdout == known.original
        assert lastly.stdout == known.lastly
        assert known.original != known.lastly
    assert installed == lastly


def test_every_deliberate_difference_is_shown() -> None:
    assert {known.differs for known in SCENARIOS.values()} == {None, 1, 2, 3, 4, 5}
