"""What tutorials show of finalizers: their snippets, verbatim, with lastly, and what comes of them.

In reading order, up to the common use cases; the advice is in test_guides_advice.py. The results
stand in docs/guides.md.
"""

from __future__ import annotations

import signal

import pytest

from fresh import play, said

# The problem with __del__

DEL = """
class Resource:
    def __del__(self):
        # Clean up resources
        pass
"""


def test_del_does_run_in_cycles_but_late() -> None:
    then = """
        Resource.__del__ = lambda self: print("__del__")
        gc.disable()
        resource = Resource()
        resource.itself = resource
        del resource
        print("unreachable")
        gc.collect()
        print("collected")
    """
    assert said(DEL, then=then) == ["unreachable", "__del__", "collected"]


def test_del_can_resurrect_and_is_then_not_called_again() -> None:
    then = """
        saved = []
        Resource.__del__ = lambda self: (print("__del__"), saved.append(self))
        resource = Resource()
        del resource
        print(len(saved))
        saved.clear()
        print("gone")
    """
    assert said(DEL, then=then) == ["__del__", "1", "gone"]


# The solution: weakref.finalize

SOLUTION = """
import weakref

class Resource:
    def __init__(self, name):
        self.name = name
        weakref.finalize(self, self.cleanup, name)

    @staticmethod
    def cleanup(name):
        print(f"Cleaning up {name}")
"""


def test_a_static_method_reached_through_self_is_fine() -> None:
    then = "resource = Resource('a'); del resource; print('deleted')"
    assert said(SOLUTION, then=then) == ["Cleaning up a", "deleted"]


def test_works_with_circular_references_at_their_collection() -> None:
    then = """
        gc.disable()
        resource = Resource("a")
        resource.itself = resource
        del resource
        print("unreachable")
        gc.collect()
        print("collected")
    """
    assert said(SOLUTION, then=then) == ["unreachable", "Cleaning up a", "collected"]


def test_a_finalizer_cannot_resurrect() -> None:
    then = """
        resource = Resource("a")
        reference = weakref.ref(resource)
        Resource.cleanup = staticmethod(lambda: print(reference(), finalizer.peek()))
        finalizer = weakref.finalize(resource, Resource.cleanup)
        del resource
    """
    assert said(SOLUTION, then=then) == ["None None", "Cleaning up a"]


@pytest.mark.parametrize(
    ("ending", "status"),
    [
        ("sys.exit(5)", 5),
        ("raise RuntimeError", 1),
        ("signal.signal(signal.SIGTERM, lambda *_: sys.exit(6)); signal.raise_signal(15)", 6),
        ("signal.raise_signal(signal.SIGINT)", -signal.SIGINT),
    ],
    ids=["exit", "exception", "SIGTERM handled", "Ctrl-C"],
)
def test_always_runs_holds_for_these_endings(ending: str, status: int) -> None:
    ended = play(SOLUTION, then=f"resource = Resource('a')\n{ending}")
    assert (ended.said, ended.status) == (["Cleaning up a"], status)


@pytest.mark.parametrize(
    ("ending", "status"),
    [
        ("os._exit(5)", 5),
        ("os.kill(os.getpid(), signal.SIGTERM)", -signal.SIGTERM),
        ("os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL),
    ],
    ids=["_exit", "SIGTERM", "SIGKILL"],
)
def test_always_runs_does_not_hold_for_these(ending: str, status: int) -> None:
    ended = play(SOLUTION, then=f"resource = Resource('a')\n{ending}")
    assert (ended.said, ended.status) == ([], status)


# How it works, and the key features


def test_how_it_works() -> None:
    given = """
        class Thing: pass
        obj, callback, args, kwargs = Thing(), print, ("a", "b"), {"sep": "-"}
    """
    snippet = """
        finalizer = weakref.finalize(obj, callback, *args, **kwargs)
    """
    assert said(snippet, given=given, then="del obj; print('deleted')") == ["a-b", "deleted"]


def test_automatic_cleanup() -> None:
    given = "import pathlib; pathlib.Path('a.txt').write_text('text')"
    snippet = """
        class FileHandle:
            def __init__(self, filename):
                self.file = open(filename)
                weakref.finalize(self, self.file.close)
    """
    then = """
        handle = FileHandle("a.txt")
        file = handle.file
        print(file.read(), file.closed)
        del handle
        print(file.closed)
        os.remove("a.txt")
    """
    assert said(snippet, given=given, then=then) == ["text False", "True"]


CLEANUP_FUNC = "cleanup_func = lambda: print('cleaned up')"


def test_manual_cleanup() -> None:
    snippet = """
        class Resource:
            def __init__(self):
                self.finalizer = weakref.finalize(self, cleanup_func)

            def close(self):
                self.finalizer()  # Call explicitly
    """
    then = """
        resource = Resource()
        resource.close()
        resource.close()
        print("closed")
        del resource
    """
    assert said(snippet, given=CLEANUP_FUNC, then=then) == ["cleaned up", "closed"]


ALIVE = """
class Thing: pass
thing = Thing()
finalizer = weakref.finalize(thing, print, "cleaned up")
"""


@pytest.mark.parametrize(
    ("before", "expected"),
    [("", ["Finalizer hasn't run yet", "cleaned up"]), ("finalizer()", ["cleaned up"])],
    ids=["alive", "dead"],
)
def test_check_status(before: str, expected: list[str]) -> None:
    snippet = """
if finalizer.alive:
    print("Finalizer hasn't run yet")
"""
    assert said(snippet, given=ALIVE + before) == expected


def test_detach() -> None:
    snippet = """
        finalizer.detach()  # Prevent cleanup from happening
    """
    assert said(snippet, given=ALIVE, then="del thing; print('deleted')") == ["deleted"]


def test_get_info() -> None:
    snippet = """
        finalizer.alive      # Is it still active?
        finalizer.atexit     # Will it run at exit?
        finalizer.detach()   # Unregister
    """
    given = ALIVE + "print(finalizer.alive, finalizer.atexit)"
    then = "print(finalizer.alive, finalizer.atexit, finalizer.detach())"
    assert said(snippet, given=given, then=then) == ["True True", "False False None"]


# vs __del__

BAD = """
class Bad:
    def __init__(self):
        self.ref = None

    def __del__(self):
        print("Cleaning up")

# Circular reference
a = Bad()
b = Bad()
a.ref = b
b.ref = a
del a, b  # __del__ may not run!
"""

GOOD = """
class Good:
    def __init__(self):
        self.ref = None
        weakref.finalize(self, print, "Cleaning up")

# Circular reference
a = Good()
b = Good()
a.ref = b
b.ref = a
del a, b  # Cleanup WILL run
"""

BAD_AND_GOOD = pytest.mark.parametrize("snippet", [BAD, GOOD], ids=["del", "finalize"])


@BAD_AND_GOOD
def test_a_cycle_waits_for_the_collector_in_both(snippet: str) -> None:
    then = "print('unreachable'); gc.collect(); print('collected')"
    expected = ["unreachable", "Cleaning up", "Cleaning up", "collected"]
    assert said(snippet, given="gc.disable()", then=then) == expected


@BAD_AND_GOOD
def test_a_cycle_that_is_never_collected_is_cleaned_up_at_exit_in_both(snippet: str) -> None:
    then = "print('the end')"
    expected = ["the end", "Cleaning up", "Cleaning up"]
    assert said(snippet, given="gc.disable()", then=then) == expected


# Common use cases


def test_file_handles() -> None:
    snippet = """
        class ManagedFile:
            def __init__(self, filename):
                self.file = open(filename)
                weakref.finalize(self, self.file.close)
    """
    # No ResourceWarning for a file that nobody closed, and none for itself.
    then = "managed = ManagedFile(os.devnull); print(repr(managed.file.read()))"
    assert said(snippet, then=then) == ["''"]


def test_database_connections() -> None:
    snippet = """
        class Connection:
            def __init__(self, host):
                self.conn = connect(host)
                weakref.finalize(self, self.conn.close)
    """
    then = """
        connection = Connection(":memory:")
        conn = connection.conn
        print(conn.execute("SELECT 7").fetchone())
        del connection
        try:
            conn.execute("SELECT 7")
        except sqlite3.ProgrammingError as error:
            print(error)
    """
    expected = ["(7,)", "Cannot operate on a closed database."]
    assert said(snippet, given="connect = sqlite3.connect", then=then) == expected


def test_resource_pools() -> None:
    given = """
        class Pool:
            def __init__(self, resources): self.idle = resources
            def return_resource(self, resource): self.idle.append(resource)
    """
    snippet = """
        class PooledResource:
            def __init__(self, pool, resource):
                self.resource = resource
                weakref.finalize(self, pool.return_resource, resource)
    """
    then = """
        pool = Pool(["a", "b"])
        taken = PooledResource(pool, pool.idle.pop())
        print(pool.idle)
        del taken
        print(pool.idle)
    """
    assert said(snippet, given=given, then=then) == ["['a']", "['a', 'b']"]


@pytest.mark.parametrize("end", ["del file", "sys.exit()"])
def test_temporary_files(end: str) -> None:
    given = """
        def create_temp_file():
            number, path = tempfile.mkstemp()
            os.close(number)
            return path
    """
    snippet = """
        class TempFile:
            def __init__(self):
                self.path = create_temp_file()
                weakref.finalize(self, os.unlink, self.path)
    """
    then = f"file = TempFile(); print(os.path.exists(file.path)); {end}"
    assert said(snippet, given=given, then=then) == ["True"]
