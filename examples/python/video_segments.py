"""A worker that cuts video: each segment is a temporary file, held by objects in a cycle.

With `__del__`, the files stay until the collector comes. A service that tells it to come rarely
fills its disk. With a finalizer each round ends by closing its segment; what a failed round forgets
goes when the collector comes, and the last of them at exit. And where nothing is ever closed, and
no collector comes by itself, a `Pressure` has it come before there are too many files.
"""

import gc
import os
import tempfile
from typing import Union

from lastly import Pressure, finalize

ROUNDS = 1000


def temporary_file() -> str:
    number, path = tempfile.mkstemp(suffix=".ts", dir=disk)
    os.close(number)
    return path


class Decoder:
    """Knows its segment, which knows its decoder: a cycle."""

    def __init__(self, segment: "Union[SegmentWithDel, Segment, SegmentUnderPressure]") -> None:
        self.segment = segment


class SegmentWithDel:
    def __init__(self) -> None:
        self.path = temporary_file()
        self.decoder = Decoder(self)

    def __del__(self) -> None:
        os.unlink(self.path)


class Segment:
    def __init__(self) -> None:
        self.path = temporary_file()
        self.close = finalize(self, os.unlink, self.path)
        self.decoder = Decoder(self)


def files() -> int:
    return len(os.listdir(disk))


disk = tempfile.mkdtemp()
finalize(Segment, os.rmdir, disk)  # made first, so it is run last: it needs an empty directory

gc.set_threshold(100 * ROUNDS)
for _ in range(ROUNDS):
    SegmentWithDel()
print("__del__, a collector that comes late:", files(), "files")
gc.collect()
print("when it has come:", files())

most = 0
for _ in range(ROUNDS):
    segment = Segment()
    most = max(most, files())
    segment.close()
print("finalize, closed early, the same collector:", most, "file at most")

gc.set_threshold(700, 10, 10)  # as Python came with for many years
most = 0
for number in range(ROUNDS):
    segment = Segment()
    most = max(most, files())
    if number % 5:  # every fifth round fails, and forgets it
        segment.close()
print("finalize, every fifth forgotten: it stays below 300:", most < 300)
del segment
gc.collect()
print("in the end:", files())

gc.disable()
pressure = Pressure(limit=100)


class SegmentUnderPressure:
    def __init__(self) -> None:
        self.path = temporary_file()
        self.close = pressure.finalize(self, os.unlink, self.path)
        self.decoder = Decoder(self)


most = 0
for _ in range(ROUNDS):
    SegmentUnderPressure()
    most = max(most, files())
# One more: a segment makes its file, and then its finalizer.
print("under pressure, never closed, no collector: at most 101 files:", most <= 101)
print("each collection made room for 50 segments or more:", pressure.collections <= ROUNDS / 50)
gc.collect()
print("in the end:", files())
at_exit = [Segment() for _ in range(10)]
