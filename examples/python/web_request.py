"""A web request with uploads in temporary files, which go when the request is over.

A failed request is held by its traceback as long as somebody keeps the error: for an error page, a
log, a test. So do its files, if `__del__` is to remove them. A finalizer the server can call.
"""

import os
import tempfile
from typing import Union

from lastly import finalize

uploads = tempfile.mkdtemp()


def cleanup_temp_files(paths: list[str]) -> None:
    for path in paths:
        os.unlink(path)


class RequestWithDel:
    def __init__(self) -> None:
        self.temp_files: list[str] = []

    def __del__(self) -> None:
        cleanup_temp_files(self.temp_files)


class Request:
    def __init__(self) -> None:
        self.temp_files: list[str] = []
        # The list itself, not the request: what is uploaded later is in it too.
        self.close = finalize(self, cleanup_temp_files, self.temp_files)


def upload(request: Union[Request, RequestWithDel], data: bytes) -> None:
    number, path = tempfile.mkstemp(dir=uploads)
    request.temp_files.append(path)
    with open(number, "wb") as file:
        file.write(data)


def handle(request: Union[Request, RequestWithDel]) -> None:
    upload(request, b"first")
    upload(request, b"second")
    raise ValueError("no such page")


def serve(kind: type[Union[Request, RequestWithDel]], errors: list[Exception]) -> None:
    request = kind()
    try:
        handle(request)
    except ValueError as error:
        errors.append(error)  # and with it the traceback, its frames, their variables: the request
    finally:
        if isinstance(request, Request):
            request.close()


finalize(Request, os.rmdir, uploads)  # made first, so it is run last: it needs an empty directory
errors: list[Exception] = []
for kind in (RequestWithDel, Request):
    for _ in range(3):
        serve(kind, errors)
    print(f"{kind.__name__}: 3 requests failed, {len(os.listdir(uploads))} files are left")
    errors.clear()
    print("when the errors are forgotten:", len(os.listdir(uploads)))

request = Request()
upload(request, b"data")
del request
print("when a request that nobody closed dies:", len(os.listdir(uploads)))
request = Request()
upload(request, b"data, and then the server ends")
