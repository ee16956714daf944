"""A file that is closed when its manager dies, early by close(), or at exit.

`__del__` runs even on an object whose constructor failed, where there is nothing to clean up. A
finalizer is made when there is.
"""

import os
import sys
import tempfile
from types import TracebackType
from typing import Optional

from lastly import finalize

# What `__del__` raises nobody can catch. Python prints it; here, in one line.
sys.unraisablehook = lambda it: print("__del__: nobody can catch its", type(it.exc_value).__name__)


class FileWithDel:
    def __init__(self, path: str) -> None:
        self.file = open(path, encoding="utf-8")

    def __del__(self) -> None:
        self.file.close()  # there is no `file` if `open` failed


class ManagedFile:
    def __init__(self, path: str, mode: str = "r") -> None:
        self.file = open(path, mode, encoding="utf-8")
        self.close = finalize(self, self.file.close)

    def __enter__(self) -> "ManagedFile":
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        self.close()


def read(path: str) -> str:
    with ManagedFile(path) as managed:
        text: str = managed.file.read()
    return text


for kind in (FileWithDel, ManagedFile):
    try:
        kind("no such file")
    except FileNotFoundError:
        print(f"{kind.__name__}: there is no such file")

directory = tempfile.mkdtemp()
path = os.path.join(directory, "log.txt")

managed = ManagedFile(path, "w")
managed.file.write("written, and not closed")
print("before:", repr(read(path)))  # still in the buffer
file = managed.file
del managed
print("when the manager died:", repr(read(path)), file.closed)

managed = ManagedFile(path, "w")
managed.file.write("closed early")
managed.close()
managed.close()
print("after close():", repr(read(path)))

# At exit the newest is first: the file is closed, then removed, then its directory.
finalize(ManagedFile, print, "at exit: closed and removed")
finalize(ManagedFile, os.rmdir, directory)
finalize(ManagedFile, os.unlink, path)
managed = ManagedFile(path, "w")
