"""The programs of examples/python: what they print, exactly, and that they leave nothing behind."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

import postgres
from fresh import run

#: They start many programs.
pytestmark = pytest.mark.slow

EXAMPLES = Path(__file__).parents[2] / "examples" / "python"

CONNECTION_POOL = """
__del__: of 3 leases that nobody has any more, 0 returned
finalize: 100 leases served
all returned: True
all work: True
at exit: 3 connections closed
"""

EXPECTED = {
    "child_processes": """
reported: BrokenPipeError
WorkersWithDel: 2 of 3 children are left running
['ONE', 'TWO', 'THREE']
reported: BrokenPipeError
Workers: 0 of 3 children are left running
threads: 1
at exit: 0
""",
    "close_early": """
__del__: somebody else still has the lock: False
finalize: somebody else still has the lock: True
in the block: True True
after the block: False False
after the death of the object: False
before exit: True True
""",
    "connection_pool": CONNECTION_POOL,
    "managed_file": """
FileWithDel: there is no such file
__del__: nobody can catch its AttributeError
ManagedFile: there is no such file
before: ''
when the manager died: 'written, and not closed' True
after close(): 'closed early'
at exit: closed and removed
""",
    "module_unloading": """
both are loaded
finalize: short_lived is unloaded, and clears 3 entries
one is unloaded
finalize: to_the_end is unloaded, and clears 3 entries
""",
    "orm_session": """
__del__, the session died. Its connection is closed: False
finalize, the session died. Its connection is closed: True
orders: [(1,)]
""",
    "resource_pool": """
__del__: the pool of 1 is empty after 2 uses
finalize: after 1000 uses it has its 1 buffer: True
""",
    "slow_cleanup": """
beside the loop: 20
in the loop, as it was called there: 1
left: 0
""",
    "subscriptions": """
at any moment: 3 would hang, and 3 are left
paused: 0 would hang, and 0 are left
""",
    "temp_dir": """
__del__, at exit, held by a thread: left behind
finalize, at exit, held by a thread: removed
finalize, the object died: removed
finalize, by remove(): removed
and it knows: True
""",
    "video_segments": """
__del__, a collector that comes late: 1000 files
when it has come: 0
finalize, closed early, the same collector: 1 file at most
finalize, every fifth forgotten: it stays below 300: True
in the end: 0
under pressure, never closed, no collector: at most 101 files: True
each collection made room for 50 segments or more: True
in the end: 0
""",
    "web_request": """
RequestWithDel: 3 requests failed, 6 files are left
when the errors are forgotten: 0
Request: 3 requests failed, 0 files are left
when the errors are forgotten: 0
when a request that nobody closed dies: 0
""",
}


def check(name: str, expected: str, dsn: str = "") -> None:
    ended = run(str(EXAMPLES / f"{name}.py"), LASTLY_POSTGRES_DSN=dsn)
    assert (ended.said, ended.complaints) == (expected.strip().splitlines(), "")
    assert (ended.status, ended.left) == (0, [])


@pytest.mark.parametrize("name", EXPECTED)
def test_example(name: str) -> None:
    check(name, EXPECTED[name])


def test_no_example_is_left_out() -> None:
    # The workspace is what `cargo xtask demo` shows: it waits to be told how to end.
    programs = {path.stem for path in EXAMPLES.glob("*.py")}
    assert programs - {"workspace"} == set(EXPECTED)


@pytest.fixture
def dsn() -> Iterator[str]:
    """A PostgreSQL server: the one that is given, or one of our own."""
    if given := os.environ.get("LASTLY_POSTGRES_DSN"):
        yield given
        return
    programs = postgres.programs()
    if programs is None:
        pytest.skip("this machine has no PostgreSQL server (initdb)")
    with postgres.server(programs) as started:
        yield started


def test_the_connection_pool_with_postgresql(dsn: str) -> None:
    psycopg = pytest.importorskip("psycopg")
    check("connection_pool", CONNECTION_POOL, dsn)
    # It was this database indeed.
    with psycopg.connect(dsn) as connection:
        assert connection.execute("SELECT count(*) FROM visits").fetchone() == (100,)
