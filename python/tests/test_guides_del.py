"""Why not to rely on `__del__`, and what to use instead: the guides' snippets, and our own table.

The table *Which one?* of docs/guides.md is what the last tests demand, cell by cell.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from fresh import play, said

BROKEN = """
class Connection:
    def __init__(self, name):
        self.name = name
    def __del__(self):
        print(f"Closing database connection: {self.name}")

def use_connection():
    conn = Connection("Production-DB")
    # Creating a circular reference that leaks
    conn.self_reference = conn

use_connection()
print("Function finished executing. Has the connection closed?")
"""

FINISHED = "Function finished executing. Has the connection closed?"
CLOSING = "Closing database connection: Production-DB"


def test_a_connection_in_a_cycle_is_closed_late_at_the_latest_at_exit() -> None:
    # "The output" of the guide ends after the first line.
    assert said(BROKEN) == [FINISHED, CLOSING]


def test_or_when_the_collector_comes() -> None:
    then = "gc.collect(); print('collected')"
    assert said(BROKEN, then=then) == [FINISHED, CLOSING, "collected"]


def test_an_exception_in_del_is_printed_and_ignored() -> None:
    then = """
        Connection.__del__ = lambda self: 1 / 0
        conn = Connection("Test-DB")
        del conn
        print("goes on")
    """
    ended = play(BROKEN, then=then)
    assert ended.said == [FINISHED, "goes on"]
    # One of each connection: that in the cycle meets the same at exit.
    assert ended.complaints.count("ZeroDivisionError") == 2


FIXED = """
class Connection:
    def __init__(self, name):
        self.name = name
    def close(self):
        print(f"Closing database connection: {self.name}")
    def __enter__(self):
        return self
    def __exit__(self, exc_type, exc_val, exc_tb):
        self.close()

# Force developers to use explicit context management
with Connection("Production-DB") as conn:
    pass
"""


def test_with_closes_at_the_end_of_the_block() -> None:
    assert said(FIXED, then="print('after the block')") == [CLOSING, "after the block"]


def test_with_closes_nothing_when_nobody_writes_with() -> None:
    then = "conn = Connection('Test-DB'); del conn"
    assert said(FIXED, then=then) == [CLOSING]


def test_with_and_finalize_together() -> None:
    # What the guides do not show: the block closes early, the finalizer what was forgotten.
    then = """
        def closing(name):
            print(f"Closing database connection: {name}")

        class Both(Connection):
            def __init__(self, name):
                self.close = weakref.finalize(self, closing, name)

        with Both("A"):
            pass
        print("after the block")
        both = Both("B")
        del both
        forgotten = Both("C")
        print("the end")
    """
    names = "Closing database connection: {}".format
    expected = [CLOSING, names("A"), "after the block", names("B"), "the end", names("C")]
    assert said(FIXED, then=then) == expected


# Which one?

GUIDES = Path(__file__).parents[2] / "docs" / "guides.md"

CLEAN = """
import atexit, contextlib

def acquire():
    pass

def clean():
    print("cleaned", flush=True)

# What stands where a `with` would, for those who need none.
block = contextlib.nullcontext
"""

TOOLS = {
    "`with` / `close`": """
        class Resource:
            def __init__(self):
                acquire()
            def close(self):
                clean()

        block = contextlib.closing
    """,
    "`finalize`": """
        class Resource:
            def __init__(self):
                acquire()
                self.close = weakref.finalize(self, clean)
    """,
    "`atexit`": """
        class Resource:
            def __init__(self):
                acquire()
                atexit.register(clean)
            def close(self):
                clean()
    """,
    "`__del__`": """
        class Resource:
            def __init__(self):
                acquire()
            def close(self):
                clean()
            def __del__(self):
                self.close()
    """,
}

END = "print('the end', flush=True)"

SCENES = {
    "an exception leaves the block": f"""
        def use():
            resource = Resource()
            with block(resource):
                raise ValueError

        try:
            use()
        except ValueError:
            print("in the handler")
        {END}
    """,
    "it is closed by hand, and dies": f"""
        resource = Resource()
        resource.close()
        del resource
        {END}
    """,
    "its last reference goes": f"resource = Resource(); del resource; {END}",
    "it is unreachable, in a cycle": f"""
        gc.disable()
        resource = Resource()
        resource.itself = resource
        del resource
        print("unreachable")
        gc.collect()
        {END}
    """,
    "it fails before it has acquired anything": f"""
        def acquire():
            raise OSError

        with contextlib.suppress(OSError):
            Resource()
        {END}
    """,
    "the program ends while a variable holds it": f"resource = Resource(); {END}",
    "the program ends while a daemon thread holds it": f"""
        def work(resource):
            started.set()
            threading.Event().wait()

        started = threading.Event()
        threading.Thread(target=work, args=[Resource()], daemon=True).start()
        started.wait()
        {END}
    """,
    "`os._exit`": f"resource = Resource(); {END}; os._exit(0)",
    "SIGTERM that nobody handles": f"resource = Resource(); {END}; signal.raise_signal(15)",
    "`kill -9`": f"resource = Resource(); {END}; os.kill(os.getpid(), 9)",
}

# When it was cleaned, by what was printed just before.
WHEN = {
    "": "at once",
    "unreachable": "at the next collection",
    "in the handler": "after the handler",
    "the end": "at exit",
}


def when_cleaned(printed: list[str]) -> str:
    times, mark = [], ""
    for line in printed:
        if line == "cleaned":
            times.append(WHEN[mark])
        else:
            mark = line
    return " and again ".join(times) or "never"


def table() -> list[list[str]]:
    """The cells of the table in the guide, heading first."""
    section = GUIDES.read_text(encoding="utf-8").split("## Which one?")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]


def test_the_guide_names_tests_that_exist() -> None:
    named = set(re.findall(r"`(test_\w+)`", GUIDES.read_text(encoding="utf-8")))
    tests = [path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("test_*.py")]
    defined = set(re.findall(r"^def (test_\w+)", "\n".join(tests), re.MULTILINE))
    assert named and named <= defined


def test_the_table_has_what_is_tested() -> None:
    heading, *rows = table()
    assert heading[1:] == list(TOOLS)
    assert [row[0] for row in rows] == list(SCENES)


@pytest.mark.parametrize("scene", SCENES)
def test_which_one(scene: str) -> None:
    row = next(row for row in table() if row[0] == scene)
    played = [play(tool, given=CLEAN, then=SCENES[scene]) for tool in TOOLS.values()]
    assert [when_cleaned(ended.said) for ended in played] == row[1:]
