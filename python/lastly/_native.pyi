# The native part, as type checkers see it. Compared with the real one by stubtest.

import weakref
from collections.abc import Callable
from typing import Any, ClassVar, Generic

from typing_extensions import ParamSpec, TypeAlias, TypeVar, disjoint_base

from lastly._registry import Registry

__all__ = [
    "SelfReferenceWarning",
    "_remains",
    "alive",
    "alive_count",
    "clear",
    "end",
    "finalize",
    "parts",
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
def end(finalizer: object) -> bool: ...
def parts(finalizer: object) -> _Parts | None: ...

# Held by the module, to learn of its end.
_remains: object

_Parts: TypeAlias = tuple[
    weakref.ref[Any], Callable[..., Any], tuple[Any, ...], dict[str, Any] | None, int
]
