"""A temporary directory, removed when its object dies, by remove(), or at exit.

`__del__` loses it when something holds the object to the very end: here, a daemon thread.
"""

# The class TempDir is the Python documentation's, letter by letter: without annotations.
# ruff: noqa: ANN201, ANN204

import os
import shutil
import subprocess
import sys
import tempfile
import threading
import weakref

import lastly

lastly.install()  # from here on, `weakref.finalize` is `lastly.finalize`


class OldTempDir:
    def __init__(self):
        self.name = tempfile.mkdtemp()

    def __del__(self):
        shutil.rmtree(self.name)


class TempDir:
    def __init__(self):
        self.name = tempfile.mkdtemp()
        self._finalizer = weakref.finalize(self, shutil.rmtree, self.name)

    def remove(self):
        self._finalizer()

    @property
    def removed(self):
        return not self._finalizer.alive


def hold_to_the_end(kind: str) -> None:
    """The program of the two children below: a thread has the directory, and never lets go."""

    def work() -> None:
        directory = globals()[kind]()
        print(directory.name)
        started.set()
        threading.Event().wait()

    started = threading.Event()
    threading.Thread(target=work, daemon=True).start()
    started.wait()


def after_the_end_of(kind: str) -> str:
    """What is left of a directory of this kind when a program that held it has ended."""
    child = [sys.executable, __file__, kind]
    name = subprocess.run(child, check=True, capture_output=True, text=True).stdout.strip()
    if not os.path.exists(name):
        return "removed"
    os.rmdir(name)
    return "left behind"


if sys.argv[1:]:
    hold_to_the_end(sys.argv[1])
    sys.exit()

print("__del__, at exit, held by a thread:", after_the_end_of("OldTempDir"))
print("finalize, at exit, held by a thread:", after_the_end_of("TempDir"))

directory = TempDir()
name = directory.name
del directory
print("finalize, the object died:", "left behind" if os.path.exists(name) else "removed")

directory = TempDir()
directory.remove()
directory.remove()  # nothing is left to do, and nothing is done
print("finalize, by remove():", "left behind" if os.path.exists(directory.name) else "removed")
print("and it knows:", directory.removed)
