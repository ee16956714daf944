"""`weakref.finalize`, built in Rust: a cleanup, tied to an object, that runs exactly once.

It runs when the object dies, when you call it, or when the program ends, newest first, whichever
comes first:

    from lastly import finalize

    class TempDir:
        def __init__(self):
            self.name = tempfile.mkdtemp()
            self.remove = finalize(self, shutil.rmtree, self.name)

`finalize` takes an object, a function and its arguments, and gives a handle: call it to run the
cleanup now, `detach()` to give it up, `peek()` to look at it; `alive` tells whether it is yet to
run, and `atexit = False` leaves it out at exit. Keep the handle or drop it: the cleanup stays tied
to the object. `install()` puts this class in place of `weakref.finalize` for the whole process.

`install_signals()` has SIGTERM and its like end the program in order; `lastly.exit` sets how long
the end may take; `lastly.report` tells of cleanups that failed, were skipped or did not end;
`live()` of those that are alive. `with paused():` has callbacks wait for the end of the block, a
`Cleaner` runs them on a thread of its own, a `Pressure` has the collector run in time.

`finalize(obj, remove_tree, path)` survives the process: what it is to do is written down, and when
the process is killed, by `kill -9` for instance, another does it. So do `remove_file`,
`unlink_shared_memory` and `kill_process`, and with them `TemporaryDirectory` and
`NamedTemporaryFile`: see `lastly.actions`.

Limitations:

- Nothing but those runs after `os._exit`, `kill -9`, a crash, or a signal that is not handled. A
  daemon thread is cut off wherever it is when the program ends: what it is running is reported.
- A callback that owns its object keeps it alive until the program ends. Most such callbacks draw
  a `SelfReferenceWarning`; one that reaches its object on a longer way does under `-X dev` only, or
  with `check_captures()`. Where warnings are errors it is raised, and nothing is registered.
  `check()` finds them at any time, and those that keep one another's objects alive.
- A callback runs in the thread that drops the object, between any two of its instructions: it
  should not wait for a lock that this thread may hold (see `paused`, `Cleaner`).
- In which order the objects of one collected cycle die is not defined.
- A process forked by `os.fork` or `multiprocessing` runs its own finalizers at its end, not its
  parent's; but those too if the parent ended without running any of them, by `os._exit` as daemons'
  do, and this is the child that it forked last. An object that dies in a child, as its locals do
  when `sys.exit` unwinds, is cleaned up there. Libraries that fork by themselves and end by
  `os._exit` run none.

(PYTEST_DONT_REWRITE: what pytest need not do with its plugins, and complains that it cannot where
lastly was imported before.)
"""

import os
import sys

# The native part needs these two later. Imported then, they could be half imported by one thread
# when another forks, and the child would wait for them for ever.
from lastly import _cleaner as _cleaner
from lastly import _exit as _exit
from lastly._install import install, uninstall
from lastly._native import (
    Cleaner,
    Pressure,
    SelfReferenceWarning,
    finalize,
    kill_process,
    paused,
    remove_file,
    remove_tree,
    unlink_shared_memory,
)
from lastly._registry import REGISTRY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lastly import actions as actions
    from lastly import exit as exit
    from lastly import report as report
    from lastly._capture import check_captures
    from lastly._check import check
    from lastly._live import live
    from lastly._signals import install_signals
    from lastly._temporary import NamedTemporaryFile, TemporaryDirectory

__all__ = [
    "Cleaner",
    "NamedTemporaryFile",
    "Pressure",
    "SelfReferenceWarning",
    "TemporaryDirectory",
    "actions",
    "check",
    "check_captures",
    "exit",
    "finalize",
    "install",
    "install_signals",
    "kill_process",
    "live",
    "paused",
    "remove_file",
    "remove_tree",
    "report",
    "uninstall",
    "unlink_shared_memory",
]

finalize._registry = REGISTRY


def __getattr__(name: str) -> object:
    """Imports what few programs use when it is first asked for: `import lastly` must be quick."""
    found: object
    if name == "install_signals":
        from lastly._signals import install_signals as found
    elif name == "live":
        from lastly._live import live as found
    elif name == "check_captures":
        from lastly._capture import check_captures as found
    elif name == "check":
        from lastly._check import check as found
    elif name in ("NamedTemporaryFile", "TemporaryDirectory"):
        from lastly import _temporary

        found = getattr(_temporary, name)
    elif name in ("actions", "exit", "report"):
        __import__(f"{__name__}.{name}")
        return globals()[name]
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = found
    return found


# Now, for the reason that `_exit` is imported at once.
if sys.flags.dev_mode or os.environ.get("LASTLY_CHECK") == "1":
    from lastly._capture import check_captures

    check_captures()
