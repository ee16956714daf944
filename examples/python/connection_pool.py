"""A pool of database connections, whose leases end up in reference cycles.

A lease in a cycle that cleans up by `__del__` comes back when the collector comes: too late for the
next user. One with a finalizer can be closed early, and the pool collects those that were not.

The database is sqlite3, or the PostgreSQL of LASTLY_POSTGRES_DSN (with psycopg).
"""

import gc
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable
from typing import Any

from lastly import finalize


def database() -> Callable[[], Any]:
    """How to connect."""
    if dsn := os.environ.get("LASTLY_POSTGRES_DSN"):
        import psycopg

        return lambda: psycopg.connect(dsn, autocommit=True)
    directory = tempfile.mkdtemp()
    finalize(Pool, shutil.rmtree, directory)  # made first, so it is last at exit
    return lambda: sqlite3.connect(os.path.join(directory, "visits"), isolation_level=None)


class Pool:
    def __init__(self, connect: Callable[[], Any], size: int) -> None:
        self.idle = [connect() for _ in range(size)]
        finalize(self, close_all, self.idle)


def close_all(connections: list[Any]) -> None:
    for connection in connections:
        connection.close()
    print("at exit:", len(connections), "connections closed")


class LeaseWithDel:
    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.connection = pool.idle.pop()
        self.itself = self  # as by callbacks, parents, tracebacks …

    def __del__(self) -> None:
        self.pool.idle.append(self.connection)


class Lease:
    def __init__(self, pool: Pool) -> None:
        if not pool.idle:
            gc.collect()  # brings back what was forgotten
        self.connection = pool.idle.pop()
        self.close = finalize(self, pool.idle.append, self.connection)
        self.itself = self


gc.disable()  # a collector that comes late
pool = Pool(database(), size=3)
connections = set(pool.idle)
for _ in range(3):
    LeaseWithDel(pool)
print("__del__: of 3 leases that nobody has any more,", len(pool.idle), "returned")
gc.collect()

Lease(pool).connection.execute("DROP TABLE IF EXISTS visits")
Lease(pool).connection.execute("CREATE TABLE visits (number INTEGER)")
for number in range(100):
    lease = Lease(pool)
    lease.connection.execute(f"INSERT INTO visits VALUES ({number})")
    if number % 2:
        lease.close()  # the others are forgotten
[visits] = lease.connection.execute("SELECT count(*) FROM visits").fetchone()
print("finalize:", visits, "leases served")

del lease
gc.collect()
print("all returned:", len(pool.idle) == 3 and set(pool.idle) == connections)
print("all work:", [each.execute("SELECT 1").fetchone() for each in pool.idle] == [(1,)] * 3)
in_use_at_exit = Lease(pool)  # newer than the pool: returned before the pool closes all
