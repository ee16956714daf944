"""What the import costs on top of that of weakref."""

from __future__ import annotations

import sys

from measure import Effort, Group, child, median, table

CODE = f"""
import os, sys, time
sys.path[:] = {sys.path[1:]}
begin = time.process_time()
import weakref
between = time.process_time()
import lastly
print([between - begin, time.process_time() - between])
"""


def imports(effort: Effort) -> list[Group]:
    """In new processes, without `site`, which may import weakref; with `os`, which it imports."""
    found = [child("-S", "-c", CODE) for _ in range(effort.rounds + 1)]
    # The first one only brings the files into memory.
    weakref, lastly = (median(of) * 1e3 for of in zip(*found[1:]))
    table(
        "Python: import (ms)",
        ["`import weakref`", "`import lastly`, after it"],
        [[f"{weakref:.2f}", f"{lastly:.2f}"]],
    )
    return []
