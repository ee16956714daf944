"""Programs that declare something, and what is left when they are dead and their guard is done."""

from __future__ import annotations

import time
from pathlib import Path
from textwrap import dedent

import endings
from fresh import WATCHDOG, Ended

BEFORE = """
from pathlib import Path
from lastly import actions, kill_process, remove_file, remove_tree, unlink_shared_memory

here = Path(os.environ["HERE"])

def tree(name):
    (here / name / "inner").mkdir(parents=True)
    (here / name / "inner" / "file").write_text("x")
    return here / name

def file(name):
    (here / name).write_text("x")
    return here / name

def there():
    return sorted(path.name for path in here.iterdir())

def die():
    os.kill(os.getpid(), signal.SIGKILL)

def forks(work):
    # What a child does, and how it ends.
    child = os.fork()
    if child == 0:
        work()
        sys.exit(7)
    wait_for(child)
"""


def play(
    directory: Path, program: str, *arguments: str, **variables: str
) -> tuple[Ended, list[str]]:
    """Runs a program, and waits until its guard is done. Also the names that are left in the
    directory that is `here` to the program."""
    here, journals = directory / "here", directory / "journals"
    here.mkdir()
    journals.mkdir(mode=0o700)
    variables = {"HERE": str(here), "LASTLY_JOURNALS": str(journals), **variables}
    ended = endings.play(directory, BEFORE + dedent(program), *arguments, **variables)
    end = time.monotonic() + WATCHDOG
    while list(journals.glob("*.journal")):
        assert time.monotonic() < end, f"the guard is not done: {ended}"
        time.sleep(0.005)
    return ended, sorted(path.name for path in here.iterdir())
