"""Subscribers that are forgotten unsubscribe themselves, under the lock that guards the list.

The last reference to one may go anywhere: also in a block that holds this very lock, when the
collector comes, or when a subscriber lets go of another. Then the thread waits for itself. In a
block of `paused` no such callback runs; what is due runs when the block ends.
"""

import gc
import threading
from contextlib import AbstractContextManager, nullcontext

from lastly import finalize, paused


class Channel:
    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.names: set[str] = set()
        self.would_hang = 0

    def subscribe(self, subscriber: "Subscriber") -> None:
        finalize(subscriber, self.unsubscribe, subscriber.name)
        with self.lock:
            self.names.add(subscriber.name)

    def unsubscribe(self, name: str) -> None:
        # A program would write `with self.lock`, and hang here for ever.
        if not self.lock.acquire(timeout=0.01):
            self.would_hang += 1
            return
        self.names.discard(name)
        self.lock.release()

    def publish(self, block: "AbstractContextManager[object]") -> None:
        with block, self.lock:
            for _ in self.names:
                gc.collect()  # it comes when it likes


class Subscriber:
    def __init__(self, name: str) -> None:
        self.name = name
        self.me = self  # in a cycle, as most things are


def run(block: "AbstractContextManager[object]") -> Channel:
    channel = Channel()
    for name in "anna", "bert", "carl":
        channel.subscribe(Subscriber(name))
    channel.publish(block)
    return channel


gc.disable()
channel = run(nullcontext())
print("at any moment:", channel.would_hang, "would hang, and", len(channel.names), "are left")
channel = run(paused())
print("paused:", channel.would_hang, "would hang, and", len(channel.names), "are left")
