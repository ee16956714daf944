"""Sessions with large directories, and an event loop that drops them.

To remove a directory takes long, and a callback runs where the last reference goes: in the loop,
which meanwhile serves nobody. A `Cleaner` has a thread for that. What it has not come to when the
program ends, the end of the program does.
"""

import asyncio
import os
import shutil
import tempfile
import threading

from lastly import Cleaner, finalize

root = tempfile.mkdtemp()
finalize(threading, os.rmdir, root)  # made first, so it is run last: it needs an empty directory
removed_by: list[str] = []


def remove(path: str) -> None:
    shutil.rmtree(path)
    removed_by.append(threading.current_thread().name)


class Session:
    def __init__(self, cleaner: Cleaner) -> None:
        self.path = tempfile.mkdtemp(dir=root)
        for number in range(50):
            with open(os.path.join(self.path, str(number)), "w"):
                pass
        self.close = cleaner.finalize(self, remove, self.path)


async def serve(cleaner: Cleaner) -> None:
    for _ in range(20):
        session = Session(cleaner)
        del session  # the client has gone
        await asyncio.sleep(0)
    kept = Session(cleaner)
    kept.close()  # whoever calls it does it


with Cleaner(limit=100, name="remover") as cleaner:
    asyncio.run(serve(cleaner), debug=False)  # which would complain of slow machines
print("beside the loop:", removed_by.count("remover"))
print("in the loop, as it was called there:", removed_by.count("MainThread"))
print("left:", len(os.listdir(root)))
at_exit = Session(Cleaner())
