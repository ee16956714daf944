"""The Python tables of `cargo xtask bench`: lastly, the original and a bare weak reference.

Contenders take turns, round by round; each figure is the median over the rounds, and what counts is
the ratio. Run it with the Python of an environment that has lastly installed.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path

import beside
import drain
import growth
import heap
import imports
import killed
import pair
import pressure
import registering
import speed
import trees
from measure import FULL, QUICK

#: Those of declared actions.
DECLARED = (registering.declared, killed.killed, trees.trees)

TABLES = (
    speed.deaths,
    speed.operations,
    pair.pair,
    beside.beside,
    pressure.pressure,
    heap.memory,
    heap.pause,
    drain.plain,
    drain.again,
    growth.growth,
    imports.imports,
    *DECLARED,
)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="just enough to see that it works")
    parser.add_argument("--declared", action="store_true", help="only those of declared actions")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write what chart.py draws")
    arguments = parser.parse_args()
    effort = QUICK if arguments.quick else FULL
    chosen = DECLARED if arguments.declared else TABLES
    groups = [group for table in chosen for group in table(effort)]
    if arguments.json:
        text = json.dumps([dataclasses.asdict(group) for group in groups], indent=2)
        arguments.json.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
