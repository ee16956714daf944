"""Declared actions at the third death: what the guard does when the process was killed.

Exactly what that process declared, and nothing it gave up. And what forked children do: nothing.
"""

from __future__ import annotations

import os
import select
import shutil
import tempfile
from pathlib import Path
from textwrap import dedent

import pytest

import endings
from declared import BEFORE, play
from fresh import WATCHDOG

KILLED = ["die()", "os._exit(0)", "os.abort()", "os.kill(os.getpid(), signal.SIGTERM)"]


@pytest.mark.parametrize("death", KILLED)
def test_the_guard_does_it(tmp_path: Path, death: str) -> None:
    program = f"""
        import faulthandler, subprocess
        faulthandler.disable()
        finalize(remove_tree, tree("a"))
        lastly.finalize(Thing, remove_file, file("b"), sync=True)
        process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"])
        finalize(kill_process, process.pid)
        Path("/dev/shm", sys.argv[1]).touch()
        finalize(unlink_shared_memory, sys.argv[1])
        say(process.pid, actions.protection(), there())
        {death}
    """
    name = f"lastly-{os.urandom(8).hex()}"
    ended, left = play(tmp_path, program, name)
    (process, said) = ended.said[0].split(" ", 1)
    assert (said, ended.complaints, left) == ("guard ['a', 'b']", "", [])
    assert not Path("/dev/shm", name).exists()
    assert is_gone(int(process))


def is_gone(process: int) -> bool:
    """Whether it is, or will be: it was killed."""
    try:
        descriptor = os.pidfd_open(process)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([descriptor], [], [], WATCHDOG)[0])
    finally:
        os.close(descriptor)


def test_what_was_given_up_stays(tmp_path: Path) -> None:
    program = """
        finalize(remove_tree, tree("detached")).detach()
        finalize(remove_tree, tree("off")).atexit = False
        f = finalize(remove_tree, tree("off and on"))
        f.atexit = False
        f.atexit = True
        lastly.finalize._registry.pop(finalize(remove_tree, tree("popped")))
        f = finalize(remove_tree, tree("replaced"))
        f.__init__(kept[-1], remove_tree, tree("replacing"))
        done = finalize(remove_tree, tree("done"))
        done()
        tree("done")
        die()
    """
    _, left = play(tmp_path, program)
    assert left == ["detached", "done", "off", "popped", "replaced"]


def test_cleared_all_is_given_up(tmp_path: Path) -> None:
    program = """
        finalize(remove_tree, tree("a"))
        lastly.finalize._registry.clear()
        finalize(remove_tree, tree("b"))
        die()
    """
    assert play(tmp_path, program)[1] == ["a"]


def test_what_the_end_of_the_program_leaves_the_guard_leaves(tmp_path: Path) -> None:
    program = """
        class Reluctant(lastly.finalize):
            def __call__(self, _=None):
                say("called")

        class Willing(lastly.finalize):
            def __call__(self, _=None):
                return super().__call__()

        finalize(remove_tree, tree("off")).atexit = False
        kept.append(Reluctant(Thing, remove_tree, tree("reluctant")))
        kept.append(Willing(Thing, remove_tree, tree("willing")))
    """
    ended, left = play(tmp_path, program)
    assert (ended.said, ended.complaints) == (["called"], "")
    assert left == ["off", "reluctant"]


def test_what_comes_when_the_door_is_shut_the_guard_does(tmp_path: Path) -> None:
    program = """
        import atexit
        # Runs after the drain, which the first finalizer registers.
        atexit.register(lambda: finalize(remove_tree, tree("late")))
        finalize(remove_tree, tree("early"))
        atexit.register(lambda: say(there()))
    """
    ended, left = play(tmp_path, program)
    assert (ended.said, left) == (["['early']"], [])


def test_where_there_is_no_drain_the_guard_does_it(tmp_path: Path) -> None:
    program = """
        import atexit
        finalize(remove_tree, tree("dies then"))
        lastly.finalize(int, remove_tree, tree("never dies"))
        atexit.unregister(lastly.finalize._exitfunc)
        atexit.register(lambda: say(there()))
    """
    ended, left = play(tmp_path, program)
    assert (ended.said, left) == ([str(["dies then", "never dies"])], [])


def test_what_a_budget_cuts_off_the_guard_does(tmp_path: Path) -> None:
    program = """
        lastly.exit.set_budget(0.1)
        finalize(remove_tree, tree("a"))
        finalize(hang_in_c)
    """
    ended, left = play(tmp_path, program)
    assert left == [] and "lastly: " in ended.complaints


def test_what_failed_the_guard_tries_again(tmp_path: Path) -> None:
    program = """
        path = tree("a")
        f = finalize(remove_tree, path)
        # Its directory is gone for now.
        import resource
        before = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (0, before[1]))
        try:
            f()
        except OSError:
            failed = True
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
        say(failed, f.alive, there())
    """
    ended, left = play(tmp_path, program)
    assert (ended.said, left) == (["True False ['a']"], [])


# Forks


def test_a_forked_child_does_nothing(tmp_path: Path) -> None:
    program = """
        called, thing = finalize(remove_tree, tree("called")), Thing()
        lastly.finalize(thing, remove_tree, tree("object"))
        detached = finalize(remove_tree, tree("detached"))
        off = finalize(remove_tree, tree("off"))
        finalize(remove_tree, tree("exit"))

        def work():
            global thing
            say(called(), called.alive)
            detached.detach()
            off.atexit = False
            del thing
            finalize(remove_tree, tree("own"))

        forks(work)
        say(there())
        if sys.argv[1] == "kill":
            die()
    """
    expected = ["None False", "status 7", str(["called", "detached", "exit", "object", "off"])]
    for end in ("exit", "kill"):
        directory = tmp_path / end
        directory.mkdir()
        ended, left = play(directory, program, end)
        assert (ended.said, ended.complaints, left) == (expected, "", []), end


def test_a_killed_child_has_a_guard_of_its_own(tmp_path: Path) -> None:
    program = """
        finalize(remove_tree, tree("parent's"))

        def work():
            finalize(remove_tree, tree("child's"))
            say(there())
            die()

        forks(work)
        journals = Path(os.environ["LASTLY_JOURNALS"])
        while len(list(journals.glob("*.journal"))) > 1:
            time.sleep(0.005)
        say(there())
    """
    ended, left = play(tmp_path, program)
    both = str(["child's", "parent's"])
    assert (ended.said, left) == ([both, "status -9", str(["parent's"])], [])


def test_the_end_of_a_daemons_parent_is_its_creators(tmp_path: Path) -> None:
    """The child that runs what else its parent left does not; the guard does not wait for it."""
    program = """
        path = tree("a")
        finalize(remove_tree, path)
        finalize(say, "left to the child")
        if os.fork():
            os._exit(0)
        while path.exists():
            time.sleep(0.005)
        path.mkdir()
    """
    ended, left = play(tmp_path, program)
    assert (ended.said, ended.complaints, left) == (["left to the child"], "", ["a"])


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_children_of_multiprocessing_perform_their_own(tmp_path: Path, method: str) -> None:
    program = """
        import multiprocessing

        def work(method):
            finalize(remove_tree, tree("child's"))
            say(there())

        if __name__ == "__main__":
            finalize(remove_tree, tree("parent's"))
            context = multiprocessing.get_context(sys.argv[1])
            child = context.Process(target=work, args=(sys.argv[1],))
            child.start()
            child.join()
            say(child.exitcode, there())
    """
    ended, left = play(tmp_path, program, method)
    said = [str(["child's", "parent's"]), "0 " + str(["parent's"])]
    assert (ended.said, ended.complaints, left) == (said, "", [])


def test_what_is_given_up_at_the_very_end_stays(tmp_path: Path) -> None:
    program = """
        class Late:
            def __init__(self):
                self.needs = lastly.finalize, Thing(), remove_tree, tree

            # While the interpreter takes its modules down.
            def __del__(self):
                finalize, thing, remove_tree, tree = self.needs
                finalize(thing, remove_tree, tree("late")).detach()

        finalize(remove_tree, tree("done"))
        late = Late()
    """
    ended, left = play(tmp_path, program)
    assert (ended.complaints, left) == ("", ["late"])


def test_a_program_without_standard_streams(tmp_path: Path) -> None:
    program = """
        for number in range(3):
            os.close(number)
        finalize(remove_tree, tree("a"))
        for number in range(3):
            try:
                os.write(number, b"an error message that nobody sees")
            except OSError:
                pass
        die()
    """
    assert play(tmp_path, program)[1] == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give up its rights")
def test_what_a_process_declared_before_it_gave_up_its_rights(tmp_path: Path) -> None:
    program = """
        import warnings

        def is_open(number):
            try:
                return os.fstat(number).st_ino == inode
            except OSError:
                return False

        warnings.simplefilter("ignore")
        os.chmod(here, 0o777)
        finalize(remove_tree, tree("root's"))
        (journal,) = Path(os.environ["LASTLY_JOURNALS"]).glob("*.journal")
        inode = journal.stat().st_ino
        say([is_open(number) for number in range(100)].count(True))
        os.setresgid(65534, 65534, 65534)
        os.setresuid(65534, 65534, 65534)
        finalize(remove_tree, tree("nobody's"))
        say([is_open(number) for number in range(100)].count(True))
        die()
    """
    journals = tmp_path / "journals"
    journals.mkdir(mode=0o700)
    # Where everybody gets.
    here = Path(tempfile.mkdtemp())
    variables = {"HERE": str(here), "LASTLY_JOURNALS": str(journals)}
    ended = endings.play(tmp_path, BEFORE + dedent(program), **variables)
    # Of its first life nothing is done, of its second nobody keeps a journal.
    assert ended.said == ["1", "0"], ended
    assert sorted(path.name for path in here.iterdir()) == ["nobody's", "root's"]
    assert [path.stat().st_size for path in journals.glob("*.journal")] == [0]
    shutil.rmtree(here)
