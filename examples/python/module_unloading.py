"""A plugin that cleans up after itself when it is unloaded, or when the program ends.

A module cannot have a `__del__`: Python looks for it in the class of modules, which is not yours. A
finalizer is tied to any object, a module too.
"""

import importlib
import os
import shutil
import sys
import tempfile

from lastly import finalize

# The callback is a function of the module. It holds the module's globals, not the module: that
# can go, and the callback still finds what it needs.
SOURCE = """
import sys
from lastly import finalize

cache = ["of", "the", "plugin"]

def __del__():
    print("__del__: never called")

def unloading_module():
    print("finalize:", __name__, "is unloaded, and clears", len(cache), "entries")
    cache.clear()

finalize(sys.modules[__name__], unloading_module)
"""


def load(name: str) -> None:
    importlib.invalidate_caches()
    importlib.import_module(name)


directory = tempfile.mkdtemp()
finalize(load, shutil.rmtree, directory)
sys.path.insert(0, directory)
for name in ("short_lived", "to_the_end"):
    with open(os.path.join(directory, f"{name}.py"), "w", encoding="utf-8") as file:
        file.write(SOURCE)

load("short_lived")
load("to_the_end")
print("both are loaded")
del sys.modules["short_lived"]
print("one is unloaded")
