"""`paused` as a decorator."""

from __future__ import annotations

import functools

from lastly._native import paused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from typing_extensions import ParamSpec

    P = ParamSpec("P")
    R = TypeVar("R")


def decorated(function: Callable[P, R]) -> Callable[P, R]:
    """The function, with its thread paused while it runs."""

    @functools.wraps(function)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        with paused():
            return function(*args, **kwargs)

    return wrapper
