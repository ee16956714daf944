"""What must be refused: each line says by which rule, and a line that passes is an error itself.

Never run.
"""

from __future__ import annotations

import weakref

from typing_extensions import assert_type

import lastly
from lastly import actions, exit, finalize, install, install_signals, report


class Object: ...


def add(a: int, b: int = 0, *, c: str = "") -> float:
    return a + b + len(c)


thing = Object()

# Arguments that the callback does not take.
finalize(thing, add)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
finalize(thing, add, "1")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
finalize(thing, len, "a", "b")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
finalize(thing, add, 1, c=2)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
finalize(thing, add, 1, d="x")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
finalize(thing, add(1))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType, reportCallIssue]

# Object and callback have no names, and neither can be left out.
finalize(obj=thing, func=print)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
finalize(thing)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]

# The result may be None: it runs once only.
finalizer = finalize(thing, add, 1)
print(finalizer() + 1)  # type: ignore[operator]  # pyright: ignore[reportOptionalOperand]
print(finalizer.detach()[0])  # type: ignore[index]  # pyright: ignore[reportOptionalSubscript]

# A finalizer takes nothing when it is called: the arguments are given when it is made.
finalizer(1, 2)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]

# Neither can it be revived, nor its exit flag be anything.
finalizer.alive = True  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]
finalizer.atexit = "no"  # type: ignore[assignment]  # pyright: ignore[reportAttributeAccessIssue]

# It is known what it watches and what it calls.
taken = finalizer.peek()
assert taken is not None
assert_type(taken[0], str)  # type: ignore[assert-type]  # pyright: ignore[reportAssertTypeFailure]
taken[1]("x")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
wrong: finalize[[str], Object] = finalizer  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]

# It is a `weakref.finalize`, but not the other way round.
original: finalize[[], Object] = weakref.finalize(thing, print)  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]

lastly.Cleaner(when_full="spill")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
lastly.Cleaner().finalize(thing, add, "1")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
lastly.Pressure().finalize(thing, print)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]

lastly.remove_tree()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
lastly.remove_file("a", ignore_errors=True)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
finalize(thing, lastly.kill_process, "1")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
finalize(thing, lastly.remove_tree, "a", recursive=True)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
actions.confirm()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]

install("all")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]

install_signals("SIGTERM")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
exit.set_budget("10")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
report.set_hook(len)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
report.Report().error = None  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]


def compare(told: report.Report) -> bool:
    return told.problem == "late"  # type: ignore[comparison-overlap]
