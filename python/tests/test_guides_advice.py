"""What tutorials advise: their snippets, verbatim, with lastly, and what comes of them.

In reading order: best practices, pitfalls, `atexit`, speed, who uses it, recipes. The results stand
in docs/guides.md.
"""

from __future__ import annotations

import ast
import sys
import sysconfig
from pathlib import Path
from textwrap import dedent, indent

import pytest

from fresh import play, said

# Best practices

STATIC_METHOD = """
# Good - static method
class Resource:
    def __init__(self):
        weakref.finalize(self, Resource._cleanup, self.data)

    @staticmethod
    def _cleanup(data):
        # Clean up data
        pass
"""

FUNCTION = """
# Good - standalone function
def cleanup(data):
    # Clean up data
    pass

class Resource:
    def __init__(self):
        weakref.finalize(self, cleanup, self.data)
"""


@pytest.mark.parametrize(
    ("snippet", "callback"),
    [(STATIC_METHOD, "Resource._cleanup = staticmethod(print)"), (FUNCTION, "cleanup = print")],
    ids=["static method", "function"],
)
def test_use_static_methods_or_functions(snippet: str, callback: str) -> None:
    then = """
        Resource.data = "the data"
        resource = Resource()
        del resource
        print("deleted")
    """
    assert said(snippet, then=f"{callback}\n{dedent(then)}") == ["the data", "deleted"]


@pytest.mark.parametrize("snippet", [STATIC_METHOD, FUNCTION], ids=["static method", "function"])
def test_as_printed_there_is_no_data(snippet: str) -> None:
    ended = play(snippet, then="Resource()")
    assert "AttributeError: 'Resource' object has no attribute 'data'" in ended.complaints


def test_store_the_finalizer_for_control() -> None:
    snippet = """
        class Resource:
            def __init__(self):
                self.finalizer = weakref.finalize(self, cleanup)

            def close(self):
                if self.finalizer.alive:
                    self.finalizer()
    """
    then = """
        resource = Resource()
        resource.close()
        resource.close()
        print("closed")
    """
    given = "cleanup = lambda: print('cleaned up')"
    assert said(snippet, given=given, then=then) == ["cleaned up", "closed"]


OBJECT = """
class Object:
    data = "the data"
    def cleanup(self): print("cleaned up")

cleanup = print
obj = Object()
reference = weakref.ref(obj)
"""

KEEPS_ALIVE = """
# Bad - keeps object alive
weakref.finalize(obj, lambda: obj.cleanup())
"""


def test_a_lambda_over_a_local_keeps_the_object_and_lastly_says_so() -> None:
    # In a function, as is usual, `obj` is a variable that the lambda closes over.
    snippet = OBJECT + "def use(obj):\n" + indent(KEEPS_ALIVE, "    ") + "use(obj)\n"
    then = """
        del obj
        gc.collect()
        print("never collected:", reference() is not None)
    """
    ended = play(snippet, then=then)
    assert ended.said == ["never collected: True", "cleaned up"]
    assert "SelfReferenceWarning" in ended.complaints
    assert "closure variable 'obj'" in ended.complaints


def test_a_lambda_over_a_global_does_not_but_finds_it_gone() -> None:
    then = """
        del obj
        print("collected:", reference() is None)
    """
    ended = play(KEEPS_ALIVE, given=OBJECT, then=then)
    assert ended.said == ["collected: True"]
    assert "NameError: name 'obj' is not defined" in ended.complaints


def test_pass_the_data() -> None:
    snippet = """
        # Good - pass data separately
        weakref.finalize(obj, cleanup, obj.data)
    """
    assert said(snippet, given=OBJECT, then="del obj; print('deleted')") == ["the data", "deleted"]


SAFE_CLEANUP = """
def safe_cleanup(resource):
    try:
        resource.close()
    except Exception as e:
        log(f"Cleanup failed: {e}")

weakref.finalize(obj, safe_cleanup, resource)
"""


def test_handle_exceptions() -> None:
    given = """
        class Resource:
            def close(self): raise OSError("disk gone")
        log, resource = print, Resource()
    """
    then = "del obj; print('deleted')"
    expected = ["Cleanup failed: disk gone", "deleted"]
    assert said(SAFE_CLEANUP, given=OBJECT + dedent(given), then=then) == expected


# Common pitfalls

CAPTURING_SELF = """
# Bad - circular reference
class Bad:
    def __init__(self):
        weakref.finalize(self, self.cleanup)  # Keeps self alive!

    def cleanup(self):
        pass

# Good
class Good:
    def __init__(self):
        weakref.finalize(self, Good.cleanup)

    @staticmethod
    def cleanup():
        pass
"""


def test_capturing_self_keeps_it_and_lastly_says_so() -> None:
    then = """
        Bad.cleanup = lambda self: print("cleaned up")
        bad = Bad()
        reference = weakref.ref(bad)
        del bad
        gc.collect()
        print("never collected:", reference() is not None)
    """
    ended = play(CAPTURING_SELF, then=then)
    assert ended.said == ["never collected: True", "cleaned up"]
    assert "SelfReferenceWarning" in ended.complaints
    assert "Bad" in ended.complaints and "func.__self__" in ended.complaints


def test_without_self_it_is_collected() -> None:
    then = """
        Good.cleanup = staticmethod(lambda: print("cleaned up"))
        good = Good()
        del good
        print("deleted")
    """
    assert said(CAPTURING_SELF, then=then) == ["cleaned up", "deleted"]


RESOURCE = """
names = iter("abc")

class Resource:
    def __init__(self):
        self.name = next(names)
        weakref.finalize(self, print, "cleaned up", self.name)
"""


def test_without_a_cycle_it_does_run_immediately() -> None:
    snippet = """
        obj = Resource()
        del obj
        # Finalizer may not run immediately!
    """
    assert said(snippet, given=RESOURCE, then="print('deleted')") == ["cleaned up a", "deleted"]


def test_forcing_a_collection() -> None:
    given = """
        gc.disable()
        obj = Resource()
        obj.itself = obj
        del obj
        print("unreachable")
    """
    snippet = """
        import gc
        gc.collect()  # Force collection if needed
    """
    expected = ["unreachable", "cleaned up a", "collected"]
    assert said(snippet, given=RESOURCE + dedent(given), then="print('collected')") == expected


TWO_RESOURCES = """
# Don't assume order!
a = Resource()
b = Resource()
# Cleanup order is undefined
"""


@pytest.mark.parametrize(
    ("end", "order"),
    [
        ("del a, b", "ab"),
        ("del b, a", "ba"),
        ("sys.exit()", "ba"),
        ("del b; b = Resource()", "bca"),
    ],
    ids=["deleted", "deleted in reverse", "exit", "one deleted, one more, exit"],
)
def test_different_objects_as_they_die_and_at_exit_newest_first(end: str, order: str) -> None:
    expected = [f"cleaned up {name}" for name in order]
    assert said(TWO_RESOURCES, given=RESOURCE, then=end) == expected


def test_on_one_object_newest_first() -> None:
    then = """
        for number in range(3):
            weakref.finalize(a, print, number)
        del a
        print("deleted")
    """
    expected = ["2", "1", "0", "cleaned up a", "deleted", "cleaned up b"]
    assert said(TWO_RESOURCES, given=RESOURCE, then=then) == expected


def test_of_one_collection_each_once_in_no_promised_order() -> None:
    then = """
        a.other, b.other = b, a
        del a, b
        gc.collect()
    """
    expected = ["cleaned up a", "cleaned up b"]
    assert sorted(said(TWO_RESOURCES, given=RESOURCE, then=then)) == expected


def test_using_a_finalizer_after_detach_is_no_error() -> None:
    snippet = """
        finalizer = weakref.finalize(obj, cleanup)
        finalizer.detach()
        finalizer()  # Error! Already detached
    """
    assert said(snippet, given=OBJECT, then="print(finalizer())") == ["None"]


# vs atexit


def test_atexit_runs_at_exit_only() -> None:
    snippet = """
        import atexit
        atexit.register(cleanup)
    """
    given = OBJECT + "cleanup = lambda: print('cleaned up')"
    assert said(snippet, given=given, then="del obj; print('the end')") == ["the end", "cleaned up"]


@pytest.mark.parametrize(
    ("then", "expected"),
    [
        ("del obj; print('the end')", ["cleaned up", "the end"]),
        ("print('the end')", ["the end", "cleaned up"]),
    ],
    ids=["deleted", "not deleted"],
)
def test_finalize_is_not_only_for_deleted_objects(then: str, expected: list[str]) -> None:
    snippet = """
        weakref.finalize(obj, cleanup)
    """
    given = OBJECT + "cleanup = lambda: print('cleaned up')"
    assert said(snippet, given=given, then=then) == expected


# Performance


def test_cleanup_is_not_a_matter_of_the_collector() -> None:
    # "Cleanup happens during GC (already slow)". How long it takes is in the benchmarks.
    snippet = """
        gc.disable()
        collections = gc.get_stats()
        a = Resource()
        del a
        print(gc.get_stats() == collections)
    """
    assert said(snippet, given=RESOURCE) == ["cleaned up a", "True"]


# Real-world examples


def uses_finalize(source: Path) -> bool:
    """Whether a module speaks of `weakref.finalize`, in code."""
    for node in ast.walk(ast.parse(source.read_bytes())):
        if isinstance(node, ast.ImportFrom) and node.module == "weakref":
            names = [name.name for name in node.names]
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            names = [node.attr] if node.value.id.endswith("weakref") else []
        else:
            continue
        if "finalize" in names:
            return True
    return False


def standard_library() -> list[Path]:
    """The sources of the interpreter's own library, but for its tests and what was installed."""
    library = Path(sysconfig.get_path("stdlib"))
    sources = sorted(library.rglob("*.py"))
    skipped = {"site-packages", "dist-packages", "test", "tests", "idlelib", "lib2to3"}
    return [path for path in sources if not skipped & set(path.relative_to(library).parts)]


@pytest.mark.slow
def test_of_the_standard_library_tempfile_uses_it() -> None:
    modules = standard_library()
    if not modules:
        pytest.skip("this Python comes without the sources of its library")
    library = Path(sysconfig.get_path("stdlib"))
    claimed = ["subprocess.py", "multiprocessing/util.py", "concurrent/futures/thread.py"]
    assert {library / path for path in claimed} < set(modules)
    users = [path.relative_to(library).as_posix() for path in modules if uses_finalize(path)]
    if sys.version_info < (3, 14):
        assert users == ["tempfile.py"]
    assert "tempfile.py" in users and not set(users) & set(claimed)


def test_tempfile_uses_ours() -> None:
    snippet = """
        directory = tempfile.TemporaryDirectory()
        print(type(directory._finalizer) is lastly.finalize)
        directory.cleanup()
    """
    assert said(snippet) == ["True"]


def test_web_frameworks() -> None:
    given = """
        def cleanup_temp_files(paths):
            for path in paths:
                os.unlink(path)
    """
    snippet = """
        class Request:
            def __init__(self):
                self.temp_files = []
                weakref.finalize(self, cleanup_temp_files, self.temp_files)
    """
    then = """
        request = Request()
        request.temp_files.append(tempfile.mkstemp(dir=".")[1])
        print(len(os.listdir()))
        del request
        print(os.listdir())
    """
    assert said(snippet, given=given, then=then) == ["1", "[]"]


def test_database_orms() -> None:
    given = """
        class Engine:
            def connect(self): return sqlite3.connect(":memory:")
    """
    snippet = """
        class Session:
            def __init__(self, engine):
                self.connection = engine.connect()
                weakref.finalize(self, self.connection.close)
    """
    then = """
        session = Session(Engine())
        connection = session.connection
        del session
        try:
            connection.execute("SELECT 7")
        except sqlite3.ProgrammingError as error:
            print(error)
    """
    expected = ["Cannot operate on a closed database."]
    assert said(snippet, given=given, then=then) == expected


def test_cleanup_happens_exactly_once() -> None:
    given = """
        class Thing: pass
        thing = Thing()
        finalizer = weakref.finalize(thing, print, "cleaned up")
    """
    snippet = """
        threads = [threading.Thread(target=finalizer) for _ in range(8)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        del thing
    """
    assert said(snippet, given=given) == ["cleaned up"]
