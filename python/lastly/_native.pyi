# The native part, as type checkers see it. Compared with the real one by stubtest.

import weakref
from collections.abc import Callable
from types import FrameType
from typing import Any, ClassVar, Generic, Literal, final

from typing_extensions import ParamSpec, TypeAlias, TypeVar, disjoint_base

from lastly._registry import Registry

__all__ = [
    "Report",
    "SelfReferenceWarning",
    "_remains",
    "after_fork_in_child",
    "after_fork_in_parent",
    "alive",
    "alive_count",
    "before_fork",
    "begin_to_watch",
    "check_signal",
    "clear",
    "details",
    "end",
    "end_by",
    "finalize",
    "is_default",
    "listen",
    "parts",
    "record_sites",
    "reset_hook",
    "set_budget",
    "set_hook",
    "take_over",
    "time_is_spent",
]

# The defaults let `finalize` stand alone in an annotation, and `finalize[P, T]`, as written for the
# original, go on to hold.
_P = ParamSpec("_P", default=...)
_T = TypeVar("_T", default=Any)
_R = TypeVar("_R", default=Any)

class SelfReferenceWarning(ResourceWarning): ...

@disjoint_base
class finalize(weakref.finalize[_P, _T], Generic[_P, _T, _R]):
    _registry: ClassVar[Registry]

    def __init__(
        self, obj: _T, func: Callable[_P, _R], /, *args: _P.args, **kwargs: _P.kwargs
    ) -> None: ...
    def __call__(self, _: Any = None) -> _R | None: ...
    def detach(self) -> tuple[_T, Callable[_P, _R], tuple[Any, ...], dict[str, Any]] | None: ...
    def peek(self) -> tuple[_T, Callable[_P, _R], tuple[Any, ...], dict[str, Any]] | None: ...
    # `alive` and `atexit` are as in the original.

# What `_registry` is made of.
def alive() -> list[finalize]: ...
def alive_count() -> int: ...
def clear() -> None: ...
def details(finalizer: object) -> _Details | None: ...
def end(finalizer: object) -> bool: ...
def parts(finalizer: object) -> _Parts | None: ...

# What `lastly.report` offers.
@final
class Report:
    @property
    def cause(self) -> Literal["called", "object died", "exit", "signal"]: ...
    @property
    def object(self) -> str | None: ...
    @property
    def function(self) -> str: ...
    @property
    def created(self) -> str | None: ...
    @property
    def problem(self) -> Literal["raised", "unfinished", "too late", "skipped"]: ...
    @property
    def error(self) -> BaseException | None: ...
    @property
    def duration(self) -> float | None: ...
    @property
    def index(self) -> int | None: ...

def set_hook(hook: Callable[[Report], object]) -> None: ...
def reset_hook() -> None: ...
def listen(listener: Callable[[Report], object] | None) -> Callable[[Report], object] | None: ...
def record_sites(on: bool = True) -> None: ...

# What `lastly.exit` offers, and the handler that interrupts a callback.
def set_budget(seconds: float | None) -> None: ...
def time_is_spent(_signal: int, _frame: FrameType | None) -> None: ...

# What `install_signals` is made of.
def after_fork_in_child() -> None: ...
def after_fork_in_parent() -> None: ...
def before_fork() -> None: ...
def begin_to_watch(keyboard: bool) -> None: ...
def check_signal(signal: int) -> None: ...
def end_by(signal: int, _frame: FrameType | None) -> None: ...
def is_default(signal: int) -> bool: ...
def take_over(signal: int) -> None: ...

# Held by the module, to learn of its end.
_remains: object

_Parts: TypeAlias = tuple[
    weakref.ref[Any], Callable[..., Any], tuple[Any, ...], dict[str, Any] | None, int
]
_Details: TypeAlias = tuple[str | None, str, str | None, float | None, bool, bool, int]
