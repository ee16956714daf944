"""`finalize._registry`: every live finalizer, as the mapping that the original keeps in a dict.

Programs and their tests count it, look finalizers up in it, and clear it. Here it is a view: the
engine keeps the finalizers, so nothing is stored for it and nothing of it is out of date.
"""

from __future__ import annotations

# What `collections.abc` offers, without the rest of `collections`: `import lastly` must be quick.
from _collections_abc import ItemsView, Iterator, MutableMapping, ValuesView

from lastly._native import alive, alive_count, clear, end, finalize, parts

TYPE_CHECKING = False
if TYPE_CHECKING:
    import weakref
    from collections.abc import Callable
    from typing import Any, NoReturn

    Finalizer = finalize[..., Any, Any]
    Arguments = tuple[Any, ...]
    Parts = tuple[weakref.ref[Any], Callable[..., Any], Arguments, "dict[str, Any] | None", int]


class Info(finalize._Info):  # type: ignore[misc, name-defined]  # not in the stubs
    """What a finalizer was made with. It stays as it is when the finalizer dies; only `atexit`
    is the finalizer's own, to read and to set."""

    __slots__ = ("_finalizer", "_parts")

    def __init__(self, finalizer: Finalizer, parts: Parts) -> None:
        self._finalizer = finalizer
        self._parts = parts

    @property
    def weakref(self) -> weakref.ref[Any]:
        return self._parts[0]

    @property
    def func(self) -> Callable[..., Any]:
        return self._parts[1]

    @property
    def args(self) -> Arguments:
        return self._parts[2]

    @property
    def kwargs(self) -> dict[str, Any] | None:
        return self._parts[3] or None

    @property
    def index(self) -> int:
        """Larger than that of every finalizer made before."""
        return self._parts[4]

    @property
    def atexit(self) -> bool:
        return self._finalizer.atexit

    @atexit.setter
    def atexit(self, value: bool) -> None:
        self._finalizer.atexit = value

    def __eq__(self, other: object) -> bool:
        # The original keeps one for each finalizer; these are made when asked for.
        return isinstance(other, Info) and self._finalizer is other._finalizer

    def __hash__(self) -> int:
        return hash(self._finalizer)


class Registry(MutableMapping["Finalizer", Info]):
    """From each live finalizer to its `Info`, oldest first.

    What is iterated over is a list made at the start, so that finalizers may come and go
    meanwhile; those that died are passed over where their `Info` is asked for.
    """

    __slots__ = ()

    def __len__(self) -> int:
        return alive_count()

    def __iter__(self) -> Iterator[Finalizer]:
        return iter(alive())

    def __reversed__(self) -> Iterator[Finalizer]:
        return iter(alive()[::-1])

    def __contains__(self, finalizer: object) -> bool:
        return isinstance(finalizer, finalize) and finalizer.alive

    def __getitem__(self, finalizer: Finalizer) -> Info:
        found = parts(finalizer) if isinstance(finalizer, finalize) else None
        if found is None:
            raise KeyError(finalizer)
        return Info(finalizer, found)

    def __setitem__(self, finalizer: object, info: object) -> NoReturn:
        raise TypeError(
            "the registry is a view of the live finalizers; "
            "to add one, make it: finalize(obj, func, *args, **kwargs)"
        )

    def __delitem__(self, finalizer: Finalizer) -> None:
        """Ends the finalizer; its callback will not run."""
        if not end(finalizer):
            raise KeyError(finalizer)

    def items(self) -> ItemsView[Finalizer, Info]:
        return _Items(self)

    def values(self) -> ValuesView[Info]:
        return _Values(self)

    def popitem(self) -> tuple[Finalizer, Info]:
        """Ends the newest, as a dict gives up its newest item."""
        for finalizer in reversed(self):
            info = self.pop(finalizer, None)
            if info is not None:
                return finalizer, info
        raise KeyError("no finalizer is alive")

    def clear(self) -> None:
        """Ends every finalizer; no callback will run."""
        clear()

    def copy(self) -> dict[Finalizer, Info]:
        return dict(self.items())

    def __repr__(self) -> str:
        return f"<registry of lastly.finalize, {len(self)} alive>"


class _Items(ItemsView["Finalizer", Info]):
    __slots__ = ()

    def __iter__(self) -> Iterator[tuple[Finalizer, Info]]:
        for finalizer in alive():
            found = parts(finalizer)
            if found is not None:
                yield finalizer, Info(finalizer, found)


class _Values(ValuesView[Info]):
    __slots__ = ()

    def __iter__(self) -> Iterator[Info]:
        return (info for _, info in _Items(REGISTRY))

    def __contains__(self, info: object) -> bool:
        return any(info == other for other in self)


REGISTRY = Registry()
