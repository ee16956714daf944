"""`TemporaryDirectory` and `NamedTemporaryFile`: those of `tempfile`, but they survive `kill -9`.

The name is chosen and declared before anything is made under it, so that no moment is left in which
a death would leave something behind. It is so long that nobody else comes upon it: what is there
under this name was made for it.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, AnyStr, overload

from lastly._native import (
    confirm,
    finalize,
    remove_temporary_file,
    remove_temporary_tree,
    remove_tree,
    unguessable_name,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType

    from _typeshed import (
        BytesPath,
        GenericPath,
        OpenBinaryMode,
        OpenTextMode,
        StrPath,
    )

    _Wrapper = tempfile._TemporaryFileWrapper[Any]
else:
    _Wrapper = tempfile._TemporaryFileWrapper

_FLAGS = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class TemporaryDirectory(tempfile.TemporaryDirectory[AnyStr]):
    """A temporary directory, as `tempfile.TemporaryDirectory` makes it, with the arguments that
    this has in the newest Python. When the process is killed, the guard removes it (see
    `lastly.actions`); with `sync`, it is removed after a loss of power, too.

    Where it is not cleaned up explicitly, that very directory is removed, and no other that has
    been put in its place. A forked child does not remove it. A thread that the end of the program
    overtakes while it makes one gets a `RuntimeError`, and nothing is left.
    """

    @overload
    def __init__(
        self: TemporaryDirectory[str],
        suffix: str | None = None,
        prefix: str | None = None,
        dir: StrPath | None = None,
        ignore_cleanup_errors: bool = False,
        *,
        delete: bool = True,
        sync: bool = False,
    ) -> None: ...
    @overload
    def __init__(
        self: TemporaryDirectory[bytes],
        suffix: bytes | None = None,
        prefix: bytes | None = None,
        dir: BytesPath | None = None,
        ignore_cleanup_errors: bool = False,
        *,
        delete: bool = True,
        sync: bool = False,
    ) -> None: ...
    def __init__(
        self,
        suffix: Any = None,
        prefix: Any = None,
        dir: Any = None,
        ignore_cleanup_errors: bool = False,
        *,
        delete: bool = True,
        sync: bool = False,
    ) -> None:
        self._ignore_cleanup_errors = bool(ignore_cleanup_errors)
        self._delete = delete
        self._creator = os.getpid()
        for self.name in _names("mkdtemp", suffix, prefix, dir):
            self._finalizer: finalize[..., Any, Any] = finalize(
                self,
                remove_temporary_tree,
                self.name,
                sync=bool(sync),
                ignore_errors=self._ignore_cleanup_errors,
            )
            try:
                os.mkdir(self.name, 0o700)
                break
            except OSError as error:
                # Nothing was made: nobody is to look for it.
                self._finalizer.detach()
                if not isinstance(error, FileExistsError):
                    raise
        _confirm(self._finalizer, remove_temporary_tree, self.name)
        message = f"Implicitly cleaning up {self!r}"
        # Newer, so it runs first, and knows whether the other is yet to run.
        self._warning: finalize[..., Any, Any] = finalize(self, _warn, self._finalizer, message)
        if not delete:
            self._warning.detach()
            self._finalizer.detach()

    def __exit__(
        self,
        exc: type[BaseException] | None,
        value: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        if self._delete:
            self.cleanup()

    def cleanup(self) -> None:
        self._warning.detach()
        self._finalizer()
        if os.getpid() == self._creator and os.path.lexists(self.name):
            # Another, in its place: asked for in so many words, that goes as well.
            remove_tree(self.name, ignore_errors=self._ignore_cleanup_errors)


def _warn(finalizer: finalize[..., Any, Any], message: str) -> None:
    """Before a directory is removed that nobody cleaned up."""
    if finalizer.alive:
        warnings.warn(message, ResourceWarning, stacklevel=2)


def _names(audited: str, suffix: Any, prefix: Any, dir: Any) -> Iterator[Any]:
    """Paths, of which one should be free."""
    prefix, suffix, dir, kind = tempfile._sanitize_params(  # type: ignore[attr-defined]
        prefix, suffix, dir
    )
    for _ in range(tempfile.TMP_MAX):
        name = unguessable_name()
        middle = os.fsencode(name) if kind is bytes else name
        path = os.path.abspath(os.path.join(dir, prefix + middle + suffix))
        sys.audit(f"tempfile.{audited}", path)
        yield path
    raise FileExistsError(17, "No usable temporary name found")


def _confirm(finalizer: finalize[..., Any, Any], remove: Callable[[Any], None], name: Any) -> None:
    """It is there. If that cannot be written down, it is known by its name.

    The end of the program may have run the finalizer before, in another thread, and found nothing
    to remove.
    """
    with suppress(OSError, ValueError):
        confirm(finalizer)
    if not finalizer.alive:
        remove(name)
        raise RuntimeError(f"{os.fsdecode(name)}: it was not made, as the program is ending")


@overload
def NamedTemporaryFile(
    mode: OpenTextMode,
    buffering: int = -1,
    encoding: str | None = None,
    newline: str | None = None,
    suffix: AnyStr | None = None,
    prefix: AnyStr | None = None,
    dir: GenericPath[AnyStr] | None = None,
    delete: bool = True,
    *,
    errors: str | None = None,
    delete_on_close: bool = True,
    sync: bool = False,
) -> tempfile._TemporaryFileWrapper[str]: ...
@overload
def NamedTemporaryFile(
    mode: OpenBinaryMode = "w+b",
    buffering: int = -1,
    encoding: str | None = None,
    newline: str | None = None,
    suffix: AnyStr | None = None,
    prefix: AnyStr | None = None,
    dir: GenericPath[AnyStr] | None = None,
    delete: bool = True,
    *,
    errors: str | None = None,
    delete_on_close: bool = True,
    sync: bool = False,
) -> tempfile._TemporaryFileWrapper[bytes]: ...
@overload
def NamedTemporaryFile(
    mode: str = "w+b",
    buffering: int = -1,
    encoding: str | None = None,
    newline: str | None = None,
    suffix: AnyStr | None = None,
    prefix: AnyStr | None = None,
    dir: GenericPath[AnyStr] | None = None,
    delete: bool = True,
    *,
    errors: str | None = None,
    delete_on_close: bool = True,
    sync: bool = False,
) -> tempfile._TemporaryFileWrapper[Any]: ...
def NamedTemporaryFile(
    mode: str = "w+b",
    buffering: int = -1,
    encoding: str | None = None,
    newline: str | None = None,
    suffix: Any = None,
    prefix: Any = None,
    dir: Any = None,
    delete: bool = True,
    *,
    errors: str | None = None,
    delete_on_close: bool = True,
    sync: bool = False,
) -> tempfile._TemporaryFileWrapper[Any]:
    """A temporary file with a name, as `tempfile.NamedTemporaryFile` makes it, with the arguments
    that this has in the newest Python. When the process is killed, the guard removes it (see
    `lastly.actions`); with `sync`, it is removed after a loss of power, too. The end of the program
    removes it. A forked child does not. A thread that this end overtakes while it makes one gets a
    `RuntimeError`, and nothing is left.
    """
    closer = _Closer(delete_on_close)
    if "b" not in mode and sys.version_info >= (3, 10):
        encoding = io.text_encoding(encoding)
    paths = _names("mkstemp", suffix, prefix, dir)

    def opener(*_: object) -> int:
        return closer.make(paths, bool(sync))

    try:
        # What it is said to open is told to audit hooks only.
        file: Any = open(
            dir or tempfile.gettempdir(), mode, buffering, encoding, errors, newline, opener=opener
        )
        closer.file = file
        raw = getattr(file, "buffer", file)
        raw = getattr(raw, "raw", raw)
        raw.name = closer.name
    except BaseException:
        closer.cleanup()
        raise
    if not delete:
        closer.delete = False
    return _File(closer)


class _File(_Wrapper):
    """The file, in the hands of the program."""

    _closer: _Closer

    def __init__(self, closer: _Closer) -> None:
        # Not that of the original, which has it closed and removed by a closer of its own.
        vars(self).update(file=closer.file, name=closer.name, delete=closer.delete, _closer=closer)

    def __exit__(
        self,
        exc: type[BaseException] | None,
        value: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        result = self.file.__exit__(exc, value, tb)
        self._closer.cleanup()
        return result


class _Closer:
    """What lives as long as the file is used: its wrapper has it, and each method that has come out
    of that."""

    file: Any = None
    name: Any = None
    removal: finalize[..., Any, Any] | None = None

    def __init__(self, delete_on_close: bool) -> None:
        self.delete_on_close = delete_on_close

    def make(self, paths: Iterator[Any], sync: bool) -> int:
        """Makes the file, and opens it."""
        self._maker = os.getpid()
        while True:
            self.name = next(paths)
            self.removal = finalize(self, remove_temporary_file, self.name, sync=sync)
            try:
                descriptor = os.open(self.name, _FLAGS, 0o600)
                break
            except OSError as error:
                # Nothing was made: nobody is to look for it.
                self.removal.detach()
                if not isinstance(error, FileExistsError):
                    raise
        try:
            _confirm(self.removal, remove_temporary_file, self.name)
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor

    @property
    def delete(self) -> bool:
        """Whether it is yet to be removed. Programs turn it off."""
        return self.removal is not None and self.removal.alive

    @delete.setter
    def delete(self, on: bool) -> None:
        if not on and self.removal is not None:
            self.removal.detach()

    def close(self) -> None:
        try:
            if self.file is not None:
                self.file.close()
        finally:
            if self.delete_on_close and self.delete:
                self._remove()

    def _remove(self) -> None:
        if self.removal is not None:
            self.removal()
        # What an editor has put in its place has its name, which is nobody else's. But it is for
        # the process to remove that has made it.
        if self._maker == os.getpid():
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.name)

    def cleanup(self) -> None:
        self.delete_on_close = True
        self.close()

    def __del__(self) -> None:
        self.cleanup()
