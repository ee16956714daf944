"""The removal of large trees."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from measure import Effort, Group, median, ratio, rounds, scratch, table
from registering import MEMORY

import lastly

CONTENDERS: dict[str, Callable[[str], object]] = {
    "**lastly** `remove_tree`": lastly.remove_tree,
    "`shutil.rmtree`": shutil.rmtree,
    "`rm -rf`": lambda path: subprocess.run(["rm", "-rf", path], check=True),
}
BASE = "`rm -rf`"


def spread(directory: Path) -> None:
    """Has a file system of ext's kind put each tree elsewhere.

    It does not use a file's number again for a minute, and looks long for another where many files
    have just been removed. Other systems need no such thing.
    """
    with contextlib.suppress(OSError):
        subprocess.run(["chattr", "+T", directory], stderr=subprocess.DEVNULL, check=False)


def trees(effort: Effort) -> list[Group]:
    """Milliseconds, by the clock, as one of them is another process."""
    columns = {}
    # On a disk it takes long to make so many, again and again.
    places = (("disk, a tenth as many", None, effort.tree // 10), ("memory", MEMORY, effort.tree))
    for place, within, files in places:
        for shape, directories in (("flat", 1), ("nested", files // 100)):
            with scratch(within) as folder:
                spread(folder)
                names = (str(folder / f"tree-{number}") for number in itertools.count())
                one = {
                    name: partial(removal, remove, names, directories, files)
                    for name, remove in CONTENDERS.items()
                }
                columns[f"{place}, {shape}"] = rounds(effort.trees, one)
    rows = []
    for name in CONTENDERS:
        cells = [(f"{median(of[name]):.0f}", ratio(of[name], of[BASE])) for of in columns.values()]
        rows.append([name, *(part for cell in cells for part in cell)])
    head = [part for title in columns for part in (title, "×")]
    table(f"Python: a tree of {effort.tree:,} files removed (ms)", ["", *head], rows)
    return []


def removal(
    remove: Callable[[str], object], names: Iterator[str], directories: int, files: int
) -> float:
    tree = next(names)
    make(tree, directories, files // directories)
    begin = time.perf_counter()
    remove(tree)
    taken = (time.perf_counter() - begin) * 1e3
    assert not os.path.lexists(tree), "all of it"
    return taken


def make(tree: str, directories: int, files: int) -> None:
    for number in range(directories):
        # 123 is 1/2/3: ten in each, as deep as it takes.
        below = (f"d{digit}" for digit in str(number)) if directories > 1 else ()
        directory = os.path.join(tree, *below)
        os.makedirs(directory, exist_ok=True)
        for file in range(files):
            os.close(os.open(f"{directory}/file-{file}", os.O_CREAT | os.O_WRONLY))
