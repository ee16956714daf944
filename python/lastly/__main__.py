"""Run a Python program with lastly in place of `weakref.finalize`.

usage: python -m lastly run [-m] program [argument ...]

The program is what `python` takes: a script, a directory or zip file with a `__main__.py`, or with
`-m` a module. The Pythons that it starts run with lastly too, unless it gives them a `PYTHONPATH`
of its own or starts them with -I, -E or -S. `LASTLY_INSTALL=0` in the environment turns it off.
"""

from __future__ import annotations

import os
import subprocess
import sys
from typing import NoReturn

STARTUP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "_startup")


def main() -> None:
    arguments = sys.argv[1:]
    if arguments in (["-h"], ["--help"], ["run", "-h"], ["run", "--help"]):
        print(__doc__.strip() if __doc__ else "see the documentation of lastly")
        return
    command, program = arguments[:1], arguments[1:]
    named = program[1:] if program[:1] == ["-m"] else program
    if command != ["run"] or not named or named[0].startswith("-"):
        refuse("say what to run: python -m lastly run [-m] program [argument ...]")
    if sys.flags.isolated or sys.flags.ignore_environment or sys.flags.no_site:
        refuse("lastly reaches the program through its PYTHONPATH: leave out -I, -E and -S")
    run(program)


def run(program: list[str]) -> NoReturn:
    """Becomes the Python that runs the program.

    A fresh one rather than this: then `sys.path`, `__main__`, tracebacks, the exit status and the
    end of its threads and objects are those of any other program, by the same code.
    """
    path = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = STARTUP + os.pathsep + path if path else STARTUP
    options = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]
    command = [sys.executable, *options, *program]
    if os.name == "nt":  # where exec gives the caller its prompt back before the program ends
        sys.exit(subprocess.call(command))
    os.execv(sys.executable, command)


def refuse(reason: str) -> NoReturn:
    print(f"lastly: {reason}", file=sys.stderr)
    sys.exit(2)


if __name__ == "__main__":
    main()
