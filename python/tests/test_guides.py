"""What the Python documentation says of `weakref.finalize`: its snippets, verbatim, with lastly.

In reading order: first *Comparing finalizers with __del__() methods*, then the class, sentence by
sentence. What tutorials say is in test_guides_tutorials.py. The results stand in docs/guides.md.
"""

from __future__ import annotations

import pytest

from fresh import play, said

# Comparing finalizers with __del__() methods

WITH_DEL = """
class TempDir:
    def __init__(self):
        self.name = tempfile.mkdtemp()

    def remove(self):
        if self.name is not None:
            shutil.rmtree(self.name)
            self.name = None

    @property
    def removed(self):
        return self.name is None

    def __del__(self):
        self.remove()
"""

WITH_FINALIZE = """
class TempDir:
    def __init__(self):
        self.name = tempfile.mkdtemp()
        self._finalizer = weakref.finalize(self, shutil.rmtree, self.name)

    def remove(self):
        self._finalizer()

    @property
    def removed(self):
        return not self._finalizer.alive
"""

BOTH = pytest.mark.parametrize("temp_dir", [WITH_DEL, WITH_FINALIZE], ids=["del", "finalize"])


@BOTH
def test_removed_when_the_object_is_collected(temp_dir: str) -> None:
    then = """
        directory = TempDir()
        print(os.listdir() == [os.path.basename(directory.name)])
        del directory
        print(os.listdir())
    """
    assert said(temp_dir, then=then) == ["True", "[]"]


@BOTH
def test_removed_when_its_remove_is_called(temp_dir: str) -> None:
    then = """
        directory = TempDir()
        print(directory.removed)
        directory.remove()
        print(directory.removed, os.listdir())
        directory.remove()
    """
    assert said(temp_dir, then=then) == ["False", "True []"]


@BOTH
def test_removed_when_the_program_exits(temp_dir: str) -> None:
    assert said(temp_dir, then="directory = TempDir(); print(len(os.listdir()))") == ["1"]


# An object that never gets collected: the thread has it to the end.
HELD_BY_A_THREAD = """
started = threading.Event()

def work():
    directory = TempDir()
    started.set()
    threading.Event().wait()

threading.Thread(target=work, daemon=True).start()
started.wait()
print(len(os.listdir()))
"""


def test_if_it_is_never_collected_the_finalizer_is_called_at_exit() -> None:
    assert said(WITH_FINALIZE, then=HELD_BY_A_THREAD) == ["1"]


def test_if_it_is_never_collected_del_is_never_called() -> None:
    assert len(play(WITH_DEL, then=HELD_BY_A_THREAD).left) == 1


UNLOADING = """
import weakref, sys
def unloading_module():
    # implicit reference to the module globals from the function body
weakref.finalize(sys.modules[__name__], unloading_module)
"""

# A body, which is all that it lacks, and a global to refer to.
UNLOADING_MODULE = "STATE = 'is unloaded'" + UNLOADING.replace(
    "function body\n", "function body\n    print(__name__, STATE)\n"
)


def test_the_recipe_for_modules_as_printed_is_no_program() -> None:
    with pytest.raises(IndentationError):
        compile(UNLOADING, "recipe", "exec")


def test_code_that_runs_when_a_module_is_unloaded() -> None:
    given = f"import pathlib; pathlib.Path('plugin.py').write_text({UNLOADING_MODULE!r})"
    unload = """
        import plugin
        os.remove("plugin.py")
        print("imported")
        del plugin, sys.modules["plugin"]
        print("deleted")
    """
    assert said(unload, given=given) == ["imported", "plugin is unloaded", "deleted"]


def test_code_that_runs_when_the_program_is_unloaded() -> None:
    assert said(UNLOADING_MODULE, then="print('the end')") == ["the end", "__main__ is unloaded"]


DAEMON = """
import atexit, contextlib

class Thing: pass

@contextlib.contextmanager
def block():
    try: yield
    finally: print("never: the finally of a block")

def work():
    with block():
        started.set()
        exiting.wait()
        weakref.finalize(Thing, print, "never: finalize")
        created.set()
        threading.Event().wait()

def after_the_finalizers():
    exiting.set()
    created.wait()
    print("the last word")

started, exiting, created = threading.Event(), threading.Event(), threading.Event()
# The older exit function runs later than the finalizers, which come in with the first of them.
atexit.register(after_the_finalizers)
thing = Thing()
weakref.finalize(thing, print, "a finalizer of before")
threading.Thread(target=work, daemon=True).start()
started.wait()
"""


def test_created_in_a_daemonic_thread_just_as_the_program_exits() -> None:
    assert said(DAEMON) == ["a finalizer of before", "the last word"]


# class weakref.finalize(obj, func, *args, **kwargs)

THING = """
class Thing:
    pass

def report(*args, **kwargs):
    print(args, kwargs)
    return "the result"

thing = Thing()
"""


def test_is_called_when_the_object_is_collected() -> None:
    snippet = """
        finalizer = weakref.finalize(thing, report, 1, key=2)
        print(callable(finalizer))
        del thing
    """
    assert said(snippet, given=THING) == ["True", "(1,) {'key': 2}"]


def test_survives_until_the_object_is_collected() -> None:
    snippet = """
        weakref.finalize(thing, print, "collected")
        gc.collect()
        print("alive")
        del thing
    """
    assert said(snippet, given=THING) == ["alive", "collected"]


@pytest.mark.parametrize("end", ["finalizer()", "del thing", "finalizer.detach()"])
def test_is_alive_until_it_is_called_or_detached(end: str) -> None:
    snippet = """
        finalizer = weakref.finalize(thing, str)
        print(finalizer.alive)
    """
    assert said(snippet, given=THING, then=f"{end}\nprint(finalizer.alive)") == ["True", "False"]


def test_a_live_one_returns_the_result_a_dead_one_none() -> None:
    snippet = """
        finalizer = weakref.finalize(thing, report, 1, key=2)
        print(finalizer())
        print(finalizer())
    """
    assert said(snippet, given=THING) == ["(1,) {'key': 2}", "the result", "None"]


def test_exceptions_at_collection_are_shown_on_stderr_and_do_not_propagate() -> None:
    snippet = """
        weakref.finalize(thing, int, "no number")
        del thing
        print("goes on")
    """
    ended = play(snippet, given=THING)
    assert (ended.said, ended.status) == (["goes on"], 0)
    assert ended.complaints.startswith("Exception ignored ")
    assert "<finalize object at " in ended.complaints
    assert "ValueError: invalid literal for int() with base 10: 'no number'" in ended.complaints


def test_exceptions_of_an_explicit_call_do_propagate() -> None:
    snippet = """
        finalizer = weakref.finalize(thing, int, "no number")
        try:
            finalizer()
        except ValueError:
            print("raised", finalizer())
    """
    assert said(snippet, given=THING) == ["raised None"]


def test_at_exit_in_reverse_order_of_creation() -> None:
    snippet = """
        things = [Thing() for _ in range(3)]
        for number, thing in enumerate(things):
            weakref.finalize(thing, print, number)
    """
    assert said(snippet, given=THING) == ["2", "1", "0"]


def test_never_in_the_later_part_of_the_shutdown() -> None:
    snippet = """
        import atexit

        def after_the_finalizers():
            global late
            late = Thing()
            weakref.finalize(late, print, "never")

        atexit.register(after_the_finalizers)
        weakref.finalize(thing, print, "in time")
    """
    assert said(snippet, given=THING) == ["in time"]


def test_detach_gives_everything_back_and_then_none() -> None:
    snippet = """
        finalizer = weakref.finalize(thing, report, 1, key=2)
        print(finalizer.detach() == (thing, report, (1,), {"key": 2}))
        print(finalizer.alive, finalizer.detach())
        del thing
    """
    assert said(snippet, given=THING) == ["True", "False None"]


def test_peek_shows_everything_while_it_is_alive() -> None:
    snippet = """
        finalizer = weakref.finalize(thing, report, 1, key=2)
        print(finalizer.peek() == (thing, report, (1,), {"key": 2}))
        print(finalizer.alive)
        finalizer()
        print(finalizer.peek())
    """
    assert said(snippet, given=THING) == ["True", "True", "(1,) {'key': 2}", "None"]


def test_alive_is_read_only() -> None:
    snippet = """
        finalizer = weakref.finalize(thing, str)
        try:
            finalizer.alive = False
        except AttributeError:
            print("read-only")
    """
    assert said(snippet, given=THING) == ["read-only"]


def test_atexit_is_writable_and_true_by_default() -> None:
    snippet = """
        finalizers = [weakref.finalize(thing, print, number) for number in range(3)]
        print(finalizers[1].atexit)
        finalizers[1].atexit = False
        print(finalizers[1].atexit)
    """
    assert said(snippet, given=THING) == ["True", "False", "2", "0"]


def test_a_callback_that_owns_its_object_keeps_it_and_lastly_says_so() -> None:
    snippet = """
        class Careless:
            def remove(self): print("removed")

        careless = Careless()
        reference = weakref.ref(careless)
        weakref.finalize(careless, careless.remove)
        del careless
        gc.collect()
        print("never collected:", reference() is not None)
    """
    ended = play(snippet)
    assert ended.said == ["never collected: True", "removed"]
    assert "SelfReferenceWarning" in ended.complaints
    assert "Careless" in ended.complaints and "func.__self__" in ended.complaints
