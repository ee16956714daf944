"""Fresh interpreters: what a program says, how it ends, and what it leaves behind.

The end of a program is seen from outside only, and no snippet must meet what another one left.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from textwrap import dedent
from typing import NamedTuple

# No program here takes long; a hang must not take the suite's time.
WATCHDOG = 60

# Every guide's snippet runs as it is printed: it says `weakref.finalize`, and gets lastly's.
PRELUDE = """
import gc, os, shutil, signal, sqlite3, sys, tempfile, threading, weakref
import lastly
lastly.install()
assert weakref.finalize is lastly.finalize
"""


class Ended(NamedTuple):
    """How a program ended."""

    said: list[str]
    complaints: str
    status: int
    left: list[str]
    """What it left in its directory, which is its directory for temporary files too."""


def run(*arguments: str, **variables: str) -> Ended:
    """Runs Python with these arguments, in an empty directory."""
    with tempfile.TemporaryDirectory() as directory:
        # -X dev: the warnings that are off by default, and the interpreter's own checks.
        ended = subprocess.run(
            [sys.executable, "-X", "dev", *arguments],
            cwd=directory,
            env={**os.environ, "TMPDIR": directory, "PYTHONDONTWRITEBYTECODE": "1", **variables},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            timeout=WATCHDOG,
        )
        left = sorted(path.name for path in Path(directory).iterdir())
    return Ended(ended.stdout.splitlines(), ended.stderr, ended.returncode, left)


def play(snippet: str, *, given: str = "", then: str = "") -> Ended:
    """Runs a snippet with what it takes for granted before it, and what makes it show after it."""
    return run("-c", PRELUDE + dedent(given) + dedent(snippet) + dedent(then))


def said(snippet: str, *, given: str = "", then: str = "") -> list[str]:
    """What a snippet prints, when it ends well, complains of nothing and leaves nothing behind."""
    ended = play(snippet, given=given, then=then)
    assert (ended.complaints, ended.status, ended.left) == ("", 0, []), ended
    return ended.said
