"""Declared actions: cleanups that survive `kill -9`.

An object dies, and its cleanup runs; the program ends, and what is left runs. The third death is
that of the process, without warning: by `kill -9`, for want of memory, by a crash, by `os._exit`.
Python code cannot run then. But a cleanup that can be written down can be run by somebody else:

    from lastly import finalize, remove_tree

    workspace.remove = finalize(workspace, remove_tree, path)

That is an ordinary finalizer: call it, `detach()` it, drop its object, end the program. But as its
function is one of lastly's own, what it is to do was written into a file before `finalize`
returned; and when the process is killed, a small process beside it, the guard, does it. If that is
killed too, or the machine loses its power, the next program that declares something does, or
`lastly sweep`.

    remove_tree(path, *, sync=False, ignore_errors=False)
    remove_file(path, *, sync=False)
    unlink_shared_memory(name, *, sync=False)
    kill_process(pid, *, sync=False)

Called directly, they act at once. What is gone already is no error.

- `sync=True` writes through to the disk, so that the declaration survives the machine, too. That
  takes milliseconds; without, it survives the process.
- What is removed is what was declared: that file, directory or process, and nothing
  that has taken its place. So declare what is there; or what is about to be made, and say by
  `confirm` that it is. `lastly.TemporaryDirectory` and `lastly.NamedTemporaryFile` do so.
- What no program means to remove is refused, with a `ValueError`: a home directory, a part of the
  system, what belongs to somebody else. What cannot be looked at is an `OSError`. Then there is no
  finalizer.
- They are the creator's: in a forked child they do nothing, whether called, at an object's death,
  or at exit. So a daemon should declare after it has forked: its parent's end is the parent's
  death.
- After `os.execv` the process is the same: what was declared before is done when the new program
  ends, and nobody can give it up any more.
- What is declared before it is made, and made more than a minute later, is to be confirmed: if it
  is not, and nobody saw the process die, it is shown by `lastly status`, and left.
- The guard is started by a child that ends at once: `os.wait()`, which waits for any, may return
  that one.
- In a program that forks while threads run, make the first `lastly.TemporaryDirectory` before: a
  child that is forked while another thread imports something may wait for that for ever.
- A name that is used again and again, as a service does that is started anew, is to be declared
  before it is used: what a living process has declared, no sweep touches.
- `atexit = False` leaves it out at the end of the program, and then the guard leaves it out as
  well.
- A partial, a method or another function around one of them is an ordinary callback, which nobody
  else can run.
- What `multiprocessing.shared_memory` makes is known to that module's own `resource_tracker`, which
  removes it and complains. Since Python 3.13, make it with `track=False`.
"""

from __future__ import annotations

from lastly._native import (
    confirm,
    kill_process,
    protection,
    remove_file,
    remove_tree,
    unlink_shared_memory,
)

__all__ = [
    "confirm",
    "kill_process",
    "protection",
    "remove_file",
    "remove_tree",
    "unlink_shared_memory",
]
