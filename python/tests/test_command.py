"""The program beside the package: found, started, and given what it was called with."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from importlib.metadata import version
from pathlib import Path

import pytest

from fresh import WATCHDOG, Ended, run

COMMAND = Path(sysconfig.get_path("scripts"), "lastly")

# In the place of the program: tells what it is called with.
TELLTALE = '#!/bin/sh\nprintf "%s\\n" "$@"\nexit 3\n'


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A copy of the installed package, to take things away from."""
    home = run("-c", "import lastly; print(lastly.__path__[0])").said[0]
    copy = tmp_path / "a place; with 'spaces'" / "lastly"
    shutil.copytree(home, copy, ignore=shutil.ignore_patterns("__pycache__"))
    return copy


def of_copy(package: Path, *arguments: str) -> Ended:
    return run("-m", "lastly", *arguments, PYTHONPATH=str(package.parent))


def test_the_program_starts_by_either_name() -> None:
    expected = f"lastly {version('lastly')}\n"
    for start in ([str(COMMAND)], [sys.executable, "-m", "lastly"]):
        ended = subprocess.run(
            [*start, "--version"], capture_output=True, encoding="utf-8", timeout=WATCHDOG
        )
        assert (ended.stdout, ended.stderr, ended.returncode) == (expected, "", 0), start


def test_the_other_commands_work_by_that_name_too(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text("import lastly, weakref; print(weakref.finalize is lastly.finalize)")
    ended = subprocess.run(
        [COMMAND, "run", script], capture_output=True, encoding="utf-8", timeout=WATCHDOG
    )
    assert (ended.stdout, ended.stderr, ended.returncode) == ("True\n", "", 0)


@pytest.mark.parametrize("command", ["status", "sweep", "force"])
def test_arguments_and_exit_status_are_passed_on(package: Path, command: str) -> None:
    (package / "_bin" / "lastly").write_text(TELLTALE)
    given = [command, "two words", "", "--help", "*"]
    assert of_copy(package, *given) == (given, "", 3, [])


def test_where_the_program_is_missing_that_is_said(package: Path) -> None:
    program = package / "_bin" / "lastly"
    os.remove(program)
    ended = of_copy(package, "status")
    assert (ended.said, ended.status) == ([], 2)
    assert str(program) in ended.complaints and "install" in ended.complaints


def test_where_the_program_must_not_be_started_that_is_said(package: Path) -> None:
    program = package / "_bin" / "lastly"
    program.chmod(0o644)
    ended = of_copy(package, "sweep")
    assert (ended.said, ended.status) == ([], 2)
    assert f"{program} (Permission denied)" in ended.complaints
