"""Rounds, medians, ratios, child processes, and tables in markdown."""

from __future__ import annotations

import contextlib
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable

#: The processor's time rather than the clock's: a busy machine may stop us at any moment.
clock = time.process_time

Contenders = Mapping[str, Callable[[], float]]
Figures = dict[str, list[float]]


@dataclass(frozen=True)
class Effort:
    """How much to measure: as the README does, or just enough to see that it works."""

    rounds: int
    operations: int
    processes: int
    alive: int
    collected: int
    most_alive: int
    #: Actions declared in one round.
    declared: int
    #: Processes killed, small ones, and ones that have much memory.
    killed: int
    killed_large: int
    #: Files in a tree, and how often each contender removes one.
    tree: int
    trees: int


FULL = Effort(
    rounds=31,
    operations=20_000,
    processes=7,
    alive=1_000_000,
    collected=500_000,
    most_alive=10_000_000,
    declared=2_000,
    killed=100,
    killed_large=10,
    tree=100_000,
    trees=5,
)
QUICK = Effort(
    rounds=3,
    operations=2_000,
    processes=2,
    alive=20_000,
    collected=10_000,
    most_alive=10_000,
    declared=200,
    killed=3,
    killed_large=1,
    tree=2_000,
    trees=2,
)


@dataclass(frozen=True)
class Group:
    """Bars of the chart that are compared with each other: what, in which unit, by contender."""

    title: str
    unit: str
    figures: dict[str, float]


def rounds(count: int, contenders: Contenders) -> Figures:
    """Lets the contenders take turns for `count` rounds, after one that does not count.

    A change of the machine's mood then hits all of them.
    """
    take_turns(1, contenders)
    return take_turns(count, contenders)


def take_turns(count: int, contenders: Contenders) -> Figures:
    figures: Figures = {name: [] for name in contenders}
    for _ in range(count):
        for name, run in contenders.items():
            figures[name].append(run())
    return figures


def over(figures: Sequence[float], base: Sequence[float]) -> list[float]:
    """What is left of each round's figure without the same round's base."""
    return [figure - less for figure, less in zip(figures, base)]


def median(figures: Iterable[float]) -> float:
    return statistics.median(figures)


def ratio(figures: Sequence[float], to: Sequence[float]) -> str:
    """The median of the ratios, each of one round."""
    return f"{median(figure / base for figure, base in zip(figures, to)):.2f}"


def child(*arguments: object) -> Any:
    """Runs Python with them in a new process, and reads what it prints."""
    command = [sys.executable, *map(str, arguments)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=600)
    return json.loads(done.stdout)


@contextlib.contextmanager
def scratch(within: Path | None = None) -> Iterator[Path]:
    """A directory for files, and for journals: on the disk that this environment is on."""
    with tempfile.TemporaryDirectory(prefix="bench-", dir=within or sys.prefix) as folder:
        yield Path(folder)


def table(title: str, head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Prints it at once: the next one may take a minute."""
    print(f"### {title}\n")
    print(f"| {' | '.join(head)} |\n{'|---' * len(head)}|")
    for row in rows:
        print(f"| {' | '.join(row)} |")
    print(flush=True)
