"""Putting `lastly.finalize` in place of `weakref.finalize`, and taking it back."""

from __future__ import annotations

import atexit
import os
import weakref

from lastly._native import finalize

TYPE_CHECKING = False
if TYPE_CHECKING:  # importing it costs more than all the rest
    from typing import Any

_original: Any = None
"""What `install` replaced."""


def install() -> None:
    """Puts `lastly.finalize` in place of `weakref.finalize`, for the whole process.

    Do it early: a module that ran `from weakref import finalize` before keeps the original. A
    second call changes nothing. With `LASTLY_INSTALL=0` in the environment, none does.

    Finalizers that are alive stay what they are: each runs when its object dies, and at exit with
    its own class's drain, so both kinds run, each newest first. `lastly.finalize` derives from the
    original, so `isinstance(x, weakref.finalize)` holds for lastly's finalizers before, after and
    meanwhile; for the original's it does not hold as long as lastly is installed.

    At exit this is undone, before the original's drain.
    """
    global _original
    if weakref.finalize is finalize or os.environ.get("LASTLY_INSTALL") == "0":
        return
    first = _original is None
    _original = weakref.finalize
    # The original's methods speak of their class as `weakref.finalize`: what they note down there,
    # they would from now on note down on ours, and look for on their own.
    #   - That the drain is registered: they would register it with every finalizer they make.
    if not getattr(_original, "_registered_with_atexit", True):
        atexit.register(_original._exitfunc)
        _original._registered_with_atexit = True
    #   - That the drain is over: they would go on running callbacks in late shutdown. This handler
    #     comes before their drain, which was registered earlier, and leaves them to themselves.
    if first:
        atexit.register(uninstall)
    _replace(finalize)


def uninstall() -> None:
    """Puts back what `install` replaced. Finalizers that are alive stay what they are: see there.

    Where something else has taken the place since, or nothing was installed, nothing changes.
    """
    if _original is not None and weakref.finalize is finalize:
        _replace(_original)


def _replace(cls: Any) -> None:
    weakref.finalize = cls  # type: ignore[misc]  # the point of this module
