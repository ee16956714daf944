"""A lock file, released by `with`, by close(), by its object's death or at exit: once.

A `close` beside a `__del__` is easily a cleanup that runs twice. The second time it takes away what
belongs to somebody else.
"""

import os
import tempfile
from types import TracebackType
from typing import Optional

from lastly import finalize


def lock(path: str) -> None:
    os.close(os.open(path, os.O_CREAT | os.O_EXCL))  # fails if somebody has it


class LockWithDel:
    def __init__(self, path: str) -> None:
        lock(path)
        self.path = path

    def close(self) -> None:
        os.unlink(self.path)

    def __del__(self) -> None:
        self.close()


class Lock:
    def __init__(self, path: str) -> None:
        lock(path)
        self.close = finalize(self, os.unlink, path)

    @property
    def held(self) -> bool:
        return self.close.alive

    def __enter__(self) -> "Lock":
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        self.close()


directory = tempfile.mkdtemp()
finalize(Lock, os.rmdir, directory)  # made first, so it is run last: it needs an empty directory
path = os.path.join(directory, "lock")

careless = LockWithDel(path)
careless.close()
lock(path)  # now it is somebody else's
del careless
print("__del__: somebody else still has the lock:", os.path.exists(path))

mine = Lock(path)
mine.close()
mine.close()
lock(path)
del mine
print("finalize: somebody else still has the lock:", os.path.exists(path))
os.unlink(path)

with Lock(path) as mine:
    print("in the block:", mine.held, os.path.exists(path))
print("after the block:", mine.held, os.path.exists(path))

mine = Lock(path)
del mine
print("after the death of the object:", os.path.exists(path))

mine = Lock(path)
print("before exit:", mine.held, os.path.exists(path))
