"""A database session of a library: its class is not yours, and it does not close its connection.

A `__del__` put on such an object is never called, for Python looks for it in the class. A finalizer
is tied to the object from outside.
"""

import os
import shutil
import sqlite3
import tempfile

from lastly import finalize

# What a library would bring:


class Engine:
    def __init__(self, path: str) -> None:
        self.path = path

    def connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self.path)


class Session:
    def __init__(self, engine: Engine) -> None:
        self.connection = engine.connect()


# What you write:


def closed(connection: sqlite3.Connection) -> bool:
    try:
        connection.execute("SELECT 1")
    except sqlite3.ProgrammingError:
        return True
    return False


def close(connection: sqlite3.Connection) -> None:
    """What was not committed is not wanted."""
    connection.rollback()
    connection.close()


directory = tempfile.mkdtemp()
finalize(Engine, shutil.rmtree, directory)  # made first, so it is run last
engine = Engine(os.path.join(directory, "orders"))

session = Session(engine)
connection = session.connection
session.__del__ = connection.close  # type: ignore[attr-defined]
del session
print("__del__, the session died. Its connection is closed:", closed(connection))
connection.close()

session = Session(engine)
connection = session.connection
closing = finalize(session, close, connection)
connection.execute("CREATE TABLE orders (number INTEGER)")
connection.execute("INSERT INTO orders VALUES (1)")
connection.commit()
connection.execute("INSERT INTO orders VALUES (2)")  # and then something goes wrong
del session
print("finalize, the session died. Its connection is closed:", closed(connection))

session = Session(engine)
finalize(session, close, session.connection)
print("orders:", session.connection.execute("SELECT number FROM orders").fetchall())
# At exit: the connection is closed, then the directory removed.
