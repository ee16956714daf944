"""Runs one scenario: `python run.py life.runs_when_the_object_dies lastly`.

The implementation is `original` (weakref.finalize), `lastly` (lastly.finalize) or `installed`
(weakref.finalize after lastly.install()). Without arguments: the names of all scenarios.
"""

from __future__ import annotations

import os
import sys

import scenarios


def main() -> None:
    if len(sys.argv) == 1:
        print("\n".join(scenarios.find_all()))
        return
    name, implementation = sys.argv[1:]
    os.environ[scenarios.VARIABLE] = implementation
    scenarios.find(name).run(scenarios.load(implementation))


if __name__ == "__main__":
    main()
