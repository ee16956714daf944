"""What becomes of what was declared when its process is killed: what users notice, and the matrix
does not show."""

from __future__ import annotations

import json
from pathlib import Path
from textwrap import dedent
from typing import Any

import declared
import endings
import guards
from fresh import Ended


class Stage:
    """Where programs declare something: they have no guard, if nothing else is said."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.here = directory / "here"
        self.here.mkdir()
        self.journals = directory / "journals"
        self.journals.mkdir(mode=0o700)

    def play(self, program: str, guard: object = 0, sweep: object = 0) -> Ended:
        ended = endings.play(
            self.directory,
            declared.BEFORE + dedent(program),
            HERE=str(self.here),
            LASTLY_JOURNALS=str(self.journals),
            LASTLY_GUARD=str(guard),
            LASTLY_SWEEP=str(sweep),
        )
        guards.await_that(lambda: not guards.of(self.journals))
        return ended

    def call(self, *arguments: str) -> list[str]:
        return guards.call(self.journals, *arguments).stdout.splitlines()

    def actions(self) -> list[Any]:
        """Of all journals."""
        journals = json.loads(guards.call(self.journals, "status", "--json").stdout)
        return [action for journal in journals for action in journal["actions"]]

    def is_clear(self) -> bool:
        return not self.left() and not self.actions()

    def left(self) -> list[str]:
        return sorted(path.name for path in self.here.iterdir())


def test_what_works_on_files_goes_before_files_and_the_newest_first(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    program = """
        import subprocess
        finalize(remove_tree, tree("1"))
        process = subprocess.Popen(
            [sys.executable, "-c", "import time; time.sleep(60)"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        finalize(kill_process, process.pid)
        finalize(remove_file, file("3"))
        finalize(remove_tree, tree("4"))
        say(process.pid)
        die()
    """
    ended = stage.play(program)
    assert stage.left() == ["1", "3", "4"], ended
    assert stage.call("sweep")[1:] == [
        f"  kill_process process {ended.said[0]}: done",
        f"  remove_tree {stage.here}/4: done",
        f"  remove_file {stage.here}/3: done",
        f"  remove_tree {stage.here}/1: done",
        "4 done, 0 left, 0 failed.",
    ]
    assert stage.left() == []


def test_what_waits_when_it_is_killed_is_removed(tmp_path: Path) -> None:
    """Its object is dead: its callback waits for the end of a pause, or for a cleaner's thread."""
    in_a_pause = """
        with lastly.paused():
            thing = Thing()
            lastly.finalize(thing, remove_tree, tree("a"))
            del thing
            say(there())
            die()
    """
    in_a_backlog = """
        def hang():
            reached.set()
            threading.Event().wait()

        reached, cleaner = threading.Event(), lastly.Cleaner()
        busy, thing = Thing(), Thing()
        cleaner.finalize(busy, hang)
        del busy
        reached.wait()
        cleaner.finalize(thing, remove_tree, tree("a"))
        del thing
        say(there())
        die()
    """
    for name, program in ("pause", in_a_pause), ("backlog", in_a_backlog):
        directory = tmp_path / name
        directory.mkdir()
        ended, left = declared.play(directory, program)
        assert (ended.said, left) == ([str(["a"])], []), name


def test_what_its_objects_death_has_removed_is_not_removed_again(tmp_path: Path) -> None:
    program = """
        thing = Thing()
        lastly.finalize(thing, remove_tree, tree("a"))
        finalize(remove_tree, tree("b"))
        del thing
        say(there())
        tree("a")
        die()
    """
    ended, left = declared.play(tmp_path, program)
    assert (ended.said, left) == ([str(["b"])], ["a"])


def test_a_daemon_leaves_alone_what_its_parent_declared(tmp_path: Path) -> None:
    """It is its parent's heir, and runs what that left: but for what was declared."""
    program = """
        finalize(remove_tree, tree("parent's"))
        finalize(say, "run by the heir")
        parent = os.getpid()
        if os.fork():
            os._exit(0)
        while os.getppid() == parent:
            time.sleep(0)
        finalize(remove_tree, tree("daemon's"))
    """
    stage = Stage(tmp_path)
    ended = stage.play(program)
    assert (ended.said, stage.left()) == (["run by the heir"], ["parent's"]), ended
    stage.call("sweep")
    assert stage.is_clear()


def test_what_does_not_work_is_stuck_at_last(tmp_path: Path) -> None:
    """It is tried so often, then shown, and left alone until somebody forces it."""
    stage = Stage(tmp_path)
    program = """
        finalize(remove_tree, tree("a"))
        # It cannot be moved away, as the name that it would be given is taken.
        # (It stands in the second record, behind its head, a time and a byte.)
        (journal,) = Path(os.environ["LASTLY_JOURNALS"]).glob("*.journal")
        said = journal.read_bytes()
        place = int.from_bytes(said[:4], "little") + 28 + 8 + 1
        number = int.from_bytes(said[place : place + 16], "little")
        (here / f".lastly-{number:032x}").touch()
        die()
    """
    stage.play(program)
    tries = 0
    while stage.actions()[0]["state"] == "left":
        assert stage.call("sweep")[-1] == "0 done, 0 left, 1 failed."
        tries += 1
        assert stage.actions()[0]["attempts"] == tries < 100
    (action,) = stage.actions()
    assert action["state"] == "stuck" and "File exists" in action["reason"], action
    shown = stage.call("status")[-1]
    assert shown.startswith(f"{action['id']} is stuck: ") and "File exists" in shown

    (obstacle,) = stage.here.glob(".lastly-*")
    obstacle.unlink()
    assert stage.call("sweep")[-1] == "0 done, 1 left, 0 failed."
    assert stage.left() == ["a"]
    stage.call("force", action["id"])
    assert (stage.left(), stage.actions()) == ([], [])


def test_the_next_program_sweeps(tmp_path: Path) -> None:
    """What a dead one left; if it is not told to let it be."""
    for guard in guards.PROGRAM, 0:
        directory = tmp_path / ("guarded" if guard else "unguarded")
        directory.mkdir()
        stage = Stage(directory)
        stage.play('finalize(remove_tree, tree("a")); die()')
        stage.play('finalize(remove_tree, tree("b"))', guard, 0)
        assert stage.left() == ["a"]
        stage.play('finalize(remove_tree, tree("b"))', guard, 1)
        # Beside the guard.
        guards.await_that(stage.is_clear)
