"""A pool of things that are dear to make: when its user is gone, each goes back.

The old trick is a `__del__` in which the object puts itself back into the pool, and so lives on. It
works once: Python calls `__del__` once per object, and the second time the object is lost. A
finalizer belongs to the user, not to the resource, and each user gets a new one.
"""

from typing import Optional

from lastly import finalize


class SelfReturning:
    """A resource that resurrects itself."""

    def __init__(self, idle: list["SelfReturning"]) -> None:
        self.idle = idle

    def __del__(self) -> None:
        self.idle.append(self)


class Buffer:
    """A resource that knows of no pool."""

    def __init__(self) -> None:
        self.memory = bytearray(1 << 20)


class Pool:
    def __init__(self, size: int) -> None:
        self.idle = [Buffer() for _ in range(size)]

    def take(self) -> Optional["Pooled"]:
        return Pooled(self) if self.idle else None

    def give_back(self, buffer: Buffer) -> None:
        self.idle.append(buffer)


class Pooled:
    """A buffer in use. It goes back when this dies, or earlier, by give_back()."""

    def __init__(self, pool: Pool) -> None:
        self.buffer = pool.idle.pop()
        self.give_back = finalize(self, pool.give_back, self.buffer)


idle: list[SelfReturning] = []
idle.append(SelfReturning(idle))
uses = 0
while idle:
    resource = idle.pop()
    uses += 1
    del resource
print("__del__: the pool of 1 is empty after", uses, "uses")

pool = Pool(1)
(buffer,) = pool.idle
for use in range(1000):
    pooled = pool.take()
    assert pooled is not None
    assert pool.take() is None, "somebody else has it"
    if use % 2:
        pooled.give_back()
    del pooled
print("finalize: after 1000 uses it has its 1 buffer:", pool.idle == [buffer])
