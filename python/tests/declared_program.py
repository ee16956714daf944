"""A program that has declared something and ends as its first argument says, in the process that
its second one says.

`tests/matrix.json` tells, in its second table, what becomes of that.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable

import lastly
import lastly.exit
from matrix_program import Ending, begin, first_is_noticed, hang, keep, say

# What hangs at the end is given so long.
BUDGET = 1

# Each starts its children in its own way, and ends them in its own way.
METHODS = ["fork", "spawn", "forkserver"]


class Declared(Ending):
    """An ending of the second table."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.is_signal = self.is_signal or name in ("SIGKILL", "killpg")
        self.has_budget = name == "budget"

    def come(self, wait: Callable[[], None]) -> None:
        """Ends this process so."""
        if self.has_budget:
            lastly.exit.set_budget(BUDGET)
        say("ready", os.getpid())
        wait()
        if self.is_signal:
            hang()
        elif self.name == "crash":
            crash()
        elif not self.has_budget:
            self.happen()


def await_go() -> None:
    """The parent sends a byte for each process that is to go on."""
    os.read(0, 1)


def crash() -> None:
    import ctypes

    ctypes.string_at(8)


def declare_all(ending: Declared | None, whose: str) -> None:
    """Two trees; between them what hangs, if there is to be an end of that."""
    declare(f"{whose}older")
    hang_if_asked(ending)
    declare(f"{whose}newer")


def declare(name: str) -> None:
    """Makes a tree, with a way out of it, and declares its removal."""
    tree = os.path.abspath(name)
    os.makedirs(f"{tree}/inner")
    open(f"{tree}/inner/file", "w").close()
    os.symlink("../../canary", f"{tree}/inner/link")
    lastly.finalize(keep(), lastly.remove_tree, tree)


def hang_if_asked(ending: Declared | None) -> None:
    if ending is not None and (ending.has_budget or ending.is_second_signal):
        lastly.finalize(keep(), hangs, ending)


def hangs(ending: Declared) -> None:
    # Two signals at once would be one.
    while ending.is_second_signal and not first_is_noticed():
        pass
    say("hangs", os.getpid())
    hang()


def in_a_child(ending: Declared, prepare: Callable[[Declared], None]) -> None:
    """It is a forked child that ends so. Its parent has declared something too, and returns."""
    declare_all(None, "")
    child = os.fork()
    if child == 0:
        prepare(ending)
        return ending.come(await_go)
    _, status = os.waitpid(child, 0)
    say_end(os.waitstatus_to_exitcode(status))


def say_end(status: int) -> None:
    end = str(status) if status >= 0 else signal.Signals(-status).name
    say("the child's end:", end)
    await_go()


def of_its_own(ending: Declared) -> None:
    declare_all(ending, "child's ")


def in_children(ending: Declared) -> None:
    """Children of `multiprocessing`, of all kinds at once, end so."""
    import multiprocessing

    declare_all(None, "")
    children = []
    for method in METHODS:
        context = multiprocessing.get_context(method)
        children.append(context.Process(target=work, args=(ending.name, method)))
        children[-1].start()
    for child in children:
        child.join()
    ends = {child.exitcode for child in children}
    assert len(ends) == 1, ends
    say_end(ends.pop())


def work(name: str, method: str) -> None:
    ending = Declared(name)
    begin(ending)
    declare_all(ending, f"{method}'s ")
    # Its standard input is another one.
    ending.come(lambda: None)


def main() -> None:
    ending, process = Declared(sys.argv[1]), sys.argv[2]
    begin(ending)
    if process == "creator":
        declare_all(ending, "")
        ending.come(await_go)
    elif process == "child":
        in_a_child(ending, hang_if_asked)
    elif process == "child of its own":
        in_a_child(ending, of_its_own)
    else:
        in_children(ending)


if __name__ == "__main__":
    main()
