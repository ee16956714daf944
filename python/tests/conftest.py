"""What several test files share."""

from __future__ import annotations

import os
import signal
import weakref
from typing import Any

import pytest

import lastly

# Whoever started this may ignore it, as a shell does for what it runs in the background; and so
# would the programs that are started here.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True, scope="session")
def journals(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Nothing is declared in the journals of whoever runs the tests."""
    os.environ["LASTLY_JOURNALS"] = str(tmp_path_factory.mktemp("journals"))


# By the line with which a program gets the class.
IMPORTS = {
    "original": "from weakref import finalize",
    "lastly": "from lastly import finalize",
}


@pytest.fixture(params=[weakref.finalize, lastly.finalize], ids=["original", "lastly"])
def finalize(request: pytest.FixtureRequest) -> Any:
    """Each implementation in turn: what a test demands, the original must give as well."""
    return request.param


@pytest.fixture(params=IMPORTS.values(), ids=IMPORTS)
def importing(request: pytest.FixtureRequest) -> str:
    """The same for programs of their own."""
    return request.param
