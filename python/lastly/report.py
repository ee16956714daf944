"""What went wrong with cleanups that nobody was there to look after.

That is a callback that raised at object death or at exit, and one that did not run or did not end
as the program did: skipped, come too late, still running on another thread. By default an
exception goes to `sys.unraisablehook` at object death and to `sys.excepthook` at exit, as with the
original; the others are written to `sys.stderr`:

    lastly: cleanup of app.Workspace (exit): shutil.rmtree was skipped: the end of the program …

`set_hook(hook)` has `hook` called with a `Report` of each instead, `to_logging()` makes each a
record of `logging`, `reset_hook()` goes back. `record_sites()`, or `LASTLY_SITES=1` in the
environment, has reports say where the finalizer was created, and the type of a dead object.

`LASTLY_REPORT=1` in the environment, as it is when lastly is imported, has every process that has
had finalizers report on all of them at its end, once, when its exit drain is over: what was alive
when the end began, as `lastly.live()` shows it, and what became of it; totals, and the slowest
callbacks. It turns sites on. Each line begins with `lastly[<number of the process>]: `; forked
children have reports of their own. `python -m lastly report` runs a program like that.

What became of a finalizer: `run`, `called`, `object died`, `detached`; `left out`, as its `atexit`
was false; `left to the parent` of a forked child; `skipped` or `too late`. What was run and did not
end is reported by itself.

The hook is called where it happened: at any moment, on any thread. An exception that a caller gets
is not reported; nor is, at object death, one of a `__call__` that a subclass has of its own: the
interpreter shows that.
"""

from __future__ import annotations

from lastly._native import Report, record_sites, reset_hook, set_hook

TYPE_CHECKING = False
if TYPE_CHECKING:
    import logging

__all__ = ["Report", "record_sites", "reset_hook", "set_hook", "to_logging"]


def to_logging(logger: logging.Logger | None = None) -> None:
    """Makes every report one record of the level ERROR, of the logger "lastly" if none is given.

    Its message is the report in words, its `exc_info` the exception, if there is one, and its
    attribute `report` the `Report`.
    """
    import logging

    target = logging.getLogger("lastly") if logger is None else logger

    def log(report: Report) -> None:
        target.error("%s", report, exc_info=report.error, extra={"report": report})

    set_hook(log)
