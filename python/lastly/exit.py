"""How long the end of the program may take.

    import lastly.exit

    lastly.exit.set_budget(10)  # seconds

When the time is spent, the callback that is running is interrupted, wherever it is: an exception
is raised in it that is no `Exception`. It is reported as unfinished, and what was yet to run as
skipped (see `lastly.report`); then the program goes on to end, with the status it had.

A callback that does not end even so, in C code that never comes back, or as it catches the
exception, is not waited for: after half a second the process ends there and then. Older handlers
of `atexit` do not run, and what is in buffers may be lost. The status is 1 after an uncaught
exception, and otherwise 0: what was given to `sys.exit` cannot be known.

Who runs the program may set this as well, in seconds, and has the last word:
`LASTLY_EXIT_BUDGET=10`. Without either, the end takes as long as it takes.

What interrupts is a signal to the main thread: the last real-time signal that the program does not
use, for the time of the drain. On another thread nothing is interrupted.
"""

from lastly._native import set_budget

__all__ = ["set_budget"]
