"""The program `lastly`, and the guards that are there."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import lastly

PROGRAM = Path(lastly.__path__[0]).resolve() / "_bin" / "lastly"

# What others do takes milliseconds; a hang must not take the suite's time.
PATIENCE = 30


def call(journals: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PROGRAM, *arguments],
        env={**os.environ, "LASTLY_JOURNALS": str(journals)},
        capture_output=True,
        encoding="utf-8",
        timeout=PATIENCE,
    )


def of(journals: Path, begin: str = "") -> list[int]:
    """The guards of the journals in this directory that begin so, by their process numbers."""
    words = f"lastly-guard\0guard\0{begin}".encode()
    return [it for it in processes() if is_guard(Path("/proc", str(it)), journals, words)]


def processes() -> Iterator[int]:
    return (int(it) for it in os.listdir("/proc") if it.isdecimal())


def is_guard(process: Path, journals: Path, words: bytes) -> bool:
    try:
        return (process / "cmdline").read_bytes().startswith(words) and (process / "fd/0").samefile(
            journals
        )
    except OSError:
        # Gone meanwhile.
        return False


def stop(guard: int) -> None:
    os.kill(guard, signal.SIGSTOP)
    await_that(lambda: state_of(guard) == "T")


def kill(guard: int) -> None:
    os.kill(guard, signal.SIGKILL)
    await_that(lambda: state_of(guard) in (None, "Z"))


def state_of(process: int) -> str | None:
    try:
        return Path("/proc", str(process), "stat").read_text().rpartition(") ")[2][0]
    except OSError:
        return None


def await_that(holds: Callable[[], bool]) -> None:
    """Waits for what another process is about to do."""
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline, "it does not come"
        time.sleep(0.001)
