"""Run a Python program with lastly in place of `weakref.finalize`.

usage: python -m lastly run [-m] program [argument ...]
       python -m lastly report [-m] program [argument ...]
       python -m lastly status|sweep|force [argument ...]

The program is what `python` takes: a script, a directory or zip file with a `__main__.py`, or with
`-m` a module. The Pythons that it starts run with lastly too, unless it gives them a `PYTHONPATH`
of its own or starts them with -I, -E or -S. `LASTLY_INSTALL=0` in the environment turns it off.

With `report`, each of them that has had finalizers prints a report to stderr at its end: what was
alive then, where it was created and what became of it, totals, and the slowest callbacks. That is
`run` with `LASTLY_REPORT=1` in the environment.

`status`, `sweep` and `force` are about what dead programs left behind; each tells with --help how
to use it. They, and the others too, can also be called as `lastly status` and so on.
"""

from __future__ import annotations

import os
import subprocess
import sys
from typing import NoReturn

PACKAGE = os.path.dirname(os.path.abspath(__file__))
STARTUP = os.path.join(PACKAGE, "_startup")
PROGRAM = os.path.join(PACKAGE, "_bin", "lastly")

# What each command puts into the program's environment.
COMMANDS: dict[str, dict[str, str]] = {"run": {}, "report": {"LASTLY_REPORT": "1"}}

# What the program beside this package does, in Rust.
OF_PROGRAM = ("status", "sweep", "force", "--version")


def main() -> None:
    command, *program = sys.argv[1:] or [""]
    if command in OF_PROGRAM:
        become(PROGRAM, ["lastly", command, *program])
    if command in ("-h", "--help") or (command in COMMANDS and program[:1] in (["-h"], ["--help"])):
        print(__doc__.strip() if __doc__ else "see the documentation of lastly")
        return
    named = program[1:] if program[:1] == ["-m"] else program
    if command not in COMMANDS or not named or named[0].startswith("-"):
        known = command if command in COMMANDS else "|".join(sorted(COMMANDS))
        others = "" if command in COMMANDS else ", or status, sweep or force"
        refuse(f"say what to run: python -m lastly {known} [-m] program [argument ...]{others}")
    if sys.flags.isolated or sys.flags.ignore_environment or sys.flags.no_site:
        refuse("lastly reaches the program through its PYTHONPATH: leave out -I, -E and -S")
    run(program, COMMANDS[command])


def run(program: list[str], variables: dict[str, str]) -> NoReturn:
    """Becomes the Python that runs the program, with these variables in its environment.

    A fresh one rather than this: then `sys.path`, `__main__`, tracebacks, the exit status and the
    end of its threads and objects are those of any other program, by the same code.
    """
    os.environ.update(variables)
    path = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = STARTUP + os.pathsep + path if path else STARTUP
    options = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]
    command = [sys.executable, *options, *program]
    if os.name == "nt":  # where exec gives the caller its prompt back before the program ends
        sys.exit(subprocess.call(command))
    os.execv(sys.executable, command)


def become(program: str, command: list[str]) -> NoReturn:
    try:
        os.execv(program, command)
    except OSError as error:
        again = "install the package again, from a wheel or where there is a Rust toolchain"
        refuse(f"cannot start {program} ({error.strerror}): {again}")


def refuse(reason: str) -> NoReturn:
    print(f"lastly: {reason}", file=sys.stderr)
    sys.exit(2)


if __name__ == "__main__":
    main()
