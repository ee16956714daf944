"""`python -m lastly run`: the program runs as with `python` alone, but for `weakref.finalize`."""

from __future__ import annotations

import os
import subprocess
import venv
import zipfile
from pathlib import Path
from textwrap import dedent

import pytest

from fresh import Ended, run

RUN = ("-m", "lastly", "run")

INSTALLED = "import lastly, weakref; print(weakref.finalize is lastly.finalize)"

# All that a program can see of the way it was started.
REPORT = """
    import os, sys
    startup = [entry for entry in sys.path if os.path.basename(entry) == "_startup"]
    print(len(startup))
    here = os.getcwd()
    print(sys.argv, [entry == here or entry for entry in sys.path if entry not in startup])
    print(__name__, __file__, __package__, __spec__ and __spec__.name, type(__loader__).__name__)
    print(sys.modules["__main__"].__dict__ is globals(), sorted(globals()))
    print(sys.flags, sys.warnoptions, sys._xoptions)
    print([entry for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep)
           if entry and entry not in startup])
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A directory with a name that is easily taken apart."""
    place = tmp_path / "a place; with 'spaces'"
    place.mkdir()
    return place


def write(place: Path, name: str, program: str) -> Path:
    path = place / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(dedent(program))
    return path


def both(*arguments: str | Path, **variables: str) -> tuple[Ended, Ended]:
    """How a program ends with Python alone, and with lastly."""
    words = [str(argument) for argument in arguments]
    return run(*words, **variables), run(*RUN, *words, **variables)


def same_but_installed(*arguments: str | Path, **variables: str) -> None:
    plain, lastly = both(*arguments, **variables)
    assert plain.said[:1] == ["0"] and lastly.said[:1] == ["1"], (plain, lastly)
    assert plain._replace(said=plain.said[1:]) == lastly._replace(said=lastly.said[1:])


ARGUMENTS = ["--help", "-m", "run", "--", "two words", "", "-X", "*"]


@pytest.mark.parametrize("kind", ["script", "module", "package", "directory", "zip"])
def test_the_program_sees_what_it_sees_with_python_alone(place: Path, kind: str) -> None:
    write(place, "script.py", REPORT)
    write(place, "module.py", REPORT)
    main = write(place, "package/__main__.py", REPORT)
    write(place, "package/__init__.py", "")
    with zipfile.ZipFile(place / "zip", "w") as archive:
        archive.write(main, "__main__.py")
    programs: dict[str, list[str | Path]] = {
        "script": [place / "script.py"],
        "module": ["-m", "module"],
        "package": ["-m", "package"],
        "directory": [place / "package"],
        "zip": [place / "zip"],
    }
    home = run("-c", "import lastly, os; print(os.path.dirname(lastly.__path__[0]))").said[0]
    path = os.pathsep.join([home, str(place)])
    same_but_installed(*programs[kind], *ARGUMENTS, PYTHONPATH=path)


ENDS = {
    "returns": "",
    "exits with a number": "sys.exit(3)",
    "exits with a message": "sys.exit('no more')",
    "raises": "def f(): raise ValueError('bad')\nf()",
    "raises KeyboardInterrupt": "raise KeyboardInterrupt",
    "is killed": "os.kill(os.getpid(), 15)",
    "leaves a thread": "threading.Timer(0, lambda: print(sys.modules['__main__'].text)).start()",
    "leaves handlers": "atexit.register(lambda: print(sys.modules['__main__'].text))",
    "leaves an object": "class A:\n  def __del__(self): print('gone', text)\nkept = A()",
    "is no program": "=",
}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_it_ends_as_with_python_alone(place: Path, end: str) -> None:
    before = "import atexit, os, sys, threading\ntext = 'at the end'\n"
    plain, lastly = both(write(place, "script.py", before + end))
    assert plain == lastly


def test_what_is_missing_is_reported_as_by_python_alone(place: Path) -> None:
    for program in ([place / "missing.py"], ["-m", "no_such_module"], [place]):
        plain, lastly = both(*program)
        assert plain == lastly and plain.status != 0, program


def test_the_program_finds_lastly_in_place(place: Path) -> None:
    script = write(place, "script.py", INSTALLED)
    assert run(*RUN, str(script)) == (["True"], "", 0, [])


def test_the_environment_turns_it_off_and_back_on(place: Path) -> None:
    # A program that unsets the variable has its children run with lastly again.
    program = f"""
        import os, subprocess, sys
        {INSTALLED}
        sys.stdout.flush()
        del os.environ["LASTLY_INSTALL"]
        subprocess.run([sys.executable, "-c", {INSTALLED!r}], check=True)
    """
    script = write(place, "script.py", program)
    assert run(*RUN, str(script), LASTLY_INSTALL="0") == (["False", "True"], "", 0, [])


def test_a_child_without_the_path_runs_without_lastly(place: Path) -> None:
    program = f"""
        import os, subprocess, sys
        del os.environ["PYTHONPATH"]
        subprocess.run([sys.executable, "-c", {INSTALLED!r}], check=True)
    """
    script = write(place, "script.py", program)
    assert run(*RUN, str(script), PYTHONPATH=on_path()) == (["False"], "", 0, [])


def on_path() -> str:
    return os.environ.get("PYTHONPATH", "")


CHILDREN = f"""
    import multiprocessing, subprocess, sys, weakref
    import lastly

    class Thing:
        pass

    def work(method):
        global kept
        kept = Thing()
        weakref.finalize(kept, print, method, weakref.finalize is lastly.finalize, flush=True)

    if __name__ == "__main__":
        subprocess.run([sys.executable, "-c", {INSTALLED!r}], check=True)
        for method in ("fork", "spawn", "forkserver"):
            child = multiprocessing.get_context(method).Process(target=work, args=(method,))
            child.start()
            child.join()
            print(child.exitcode, flush=True)
"""


def test_children_of_every_kind_run_with_lastly(place: Path) -> None:
    script = write(place, "script.py", CHILDREN)
    assert run(*RUN, str(script)) == (
        ["True", "fork True", "0", "spawn True", "0", "forkserver True", "0"],
        "",
        0,
        [],
    )


SHADOWED = """
    import sys
    print("mine", __name__, __file__, sys.modules[__name__].__file__ == __file__, file=sys.stderr)
    seen = True
"""


@pytest.mark.parametrize("broken", ["", "raise ValueError('bad')", "import no_such_module"])
def test_the_sitecustomize_that_it_shadows_runs(place: Path, broken: str) -> None:
    write(place, "sitecustomize.py", dedent(SHADOWED) + broken)
    script = write(
        place,
        "script.py",
        """
        import sys
        module = sys.modules.get("sitecustomize")
        print(getattr(module, "seen", False))
        """,
    )
    plain, lastly = both(script, PYTHONPATH=str(place))
    # `python -m lastly` is a Python that starts, too.
    assert plain._replace(complaints=2 * plain.complaints) == lastly
    assert plain.said == [str(not broken)] and plain.complaints.startswith("mine"), plain
    installed = run(*RUN, str(write(place, "in.py", INSTALLED)), PYTHONPATH=str(place))
    assert installed.said == ["True"]


def test_a_python_that_cannot_import_lastly_starts_as_ever(place: Path) -> None:
    # In this environment there is no lastly, and what the startup directory would lend it is one
    # that this Python does not understand.
    startup = Path(run("-c", "import lastly; print(lastly.__path__[0])").said[0], "_startup")
    there = write(place, "lastly/_startup/sitecustomize.py", "")
    there.write_text((startup / "sitecustomize.py").read_text())
    write(place, "lastly/__init__.py", "what is this")
    venv.create(place / "other", with_pip=False, symlinks=True)
    python = place / "other" / ("Scripts" if os.name == "nt" else "bin") / "python"
    program = """
        import sys, weakref
        print(weakref.finalize.__module__, [name for name in sys.modules if "lastly" in name])
        print([entry for entry in sys.path if entry.endswith("spaces'")])
    """
    ended = subprocess.run(
        [python, "-c", dedent(program)],
        env={"PYTHONPATH": str(there.parent)},
        capture_output=True,
        encoding="utf-8",
        timeout=60,
    )
    assert (ended.stdout, ended.stderr, ended.returncode) == ("weakref []\n[]\n", "", 0)


def test_a_run_inside_a_run_is_one_run(place: Path) -> None:
    script = write(place, "script.py", REPORT)
    same_but_installed(script)
    assert run(*RUN, *RUN, str(script)) == run(*RUN, str(script))


def test_what_to_run_must_be_said() -> None:
    for arguments in ([], ["run"], ["run", "-m"], ["run", "-c", "pass"], ["walk", "script.py"]):
        ended = run("-m", "lastly", *arguments)
        assert (ended.said, ended.status) == ([], 2), arguments
        assert "run [-m] program" in ended.complaints, arguments


def test_options_that_would_keep_lastly_out_are_refused(place: Path) -> None:
    script = write(place, "script.py", INSTALLED)
    for option in ("-I", "-E"):
        ended = run(option, *RUN, str(script))
        assert (ended.said, ended.status) == ([], 2), option
        assert "leave out -I" in ended.complaints, option


@pytest.mark.parametrize("asked", [["-h"], ["--help"], ["run", "--help"]])
def test_help_tells_how_to_use_it(asked: list[str]) -> None:
    ended = run("-m", "lastly", *asked)
    assert (ended.complaints, ended.status) == ("", 0)
    assert "usage: python -m lastly run [-m] program" in "\n".join(ended.said)
    assert "LASTLY_INSTALL=0" in "\n".join(ended.said)
