"""Tests of projects that use `weakref.finalize`, before and after `lastly.install()`.

    python projects.py [project ...]

Each project gets an environment under `target`, with the newest release that this Python can have,
and its tests run there twice: alone, and with lastly. A case that passes alone and fails with
lastly, and again when all is run once more, is a difference: it makes this fail. (Tests that start
servers and processes fail now and then.) A package index must be there, as pip is set up.

Of one project the tests run with the pytest plugin, too, in one process and in two. What it finds
is printed.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import venv
import xml.etree.ElementTree
from pathlib import Path
from typing import NamedTuple

import lastly

VERSION = f"{sys.version_info[0]}.{sys.version_info[1]}"
HOME = Path(__file__).resolve().parents[2] / "target/python/projects" / VERSION

ALONE = ["-m", "pytest"]
WITH_LASTLY = ["-m", "lastly", "run", *ALONE]
WITH_PLUGIN = [*ALONE, "-p", "lastly.pytest_plugin", "--lastly-install", "--lastly=report"]
IN_WORKERS = [*WITH_PLUGIN, "--numprocesses=2"]

# Runs along with every suite: fails alone, passes with lastly, or the comparison is void.
IN_PLACE = """
def test_lastly_is_in_place():
    import lastly, weakref
    assert weakref.finalize is lastly.finalize
"""

# Far more than any of them needs: a hang must end too.
WATCHDOG = 1800


class Project(NamedTuple):
    name: str
    tests: list[str]
    needs: list[str]
    bound: str = ""
    """Which releases, if not the newest."""
    within: str | None = None
    """The folder of the source release that has the tests, if they do not come installed."""
    settings: dict[str, str] = {}
    ways: list[list[str]] = [WITH_LASTLY]


PROJECTS = [
    # Its signals drop what is connected to them with the owner.
    Project(
        "psygnal",
        ["tests", "--ignore=tests/test_bench.py"],
        ["attrs", "msgspec", "numpy", "pydantic", "pytest-asyncio", "toolz", "wrapt"]
        + ["pytest-xdist>=3.6,<4"],
        within=".",
        # It makes cases of what is in sets: workers must find them in the same order.
        settings={"PYTHONHASHSEED": "0"},
        ways=[WITH_LASTLY, WITH_PLUGIN, IN_WORKERS],
    ),
    # Connecting to a signal makes a finalizer; not any more in later releases.
    Project(
        "Django",
        ["dispatch/tests.py"],
        [],
        bound="<6",
        within="tests",
        settings={"DJANGO_SETTINGS_MODULE": "test_sqlite"},
    ),
    # A pool of connections closes them.
    Project(
        "urllib3",
        [
            "test/test_connectionpool.py",
            "test/test_poolmanager.py",
            "test/with_dummyserver/test_connectionpool.py",
            "test/with_dummyserver/test_poolmanager.py",
        ],
        ["anyio[trio]", "h2", "httpx", "hypercorn", "pysocks", "pytest-socket", "pytest-timeout"]
        + ["quart", "quart-trio", "trio", "trustme"],
        within=".",
    ),
    # Compiled code goes with its function. Says `from weakref import finalize`.
    Project("numba", ["--pyargs", "numba.tests.test_codegen", "numba.tests.test_nrt"], []),
    # Folders with arrays that processes share are removed.
    Project("joblib", ["--pyargs", "joblib.test.test_memmapping"], ["numpy"]),
]


def main() -> int:
    known = {project.name: project for project in PROJECTS}
    parser = argparse.ArgumentParser(description="Tests of projects, before and after install().")
    parser.add_argument("projects", nargs="*", metavar="project", help=f"of {', '.join(known)}")
    names = parser.parse_args().projects or known
    for name in names:
        if name not in known:
            parser.error(f"{name} is not one of {', '.join(known)}")
    return 1 if sum([differs(known[name]) for name in names]) else 0


def differs(project: Project) -> bool:
    """Tests a project, and tells whether lastly makes a difference to it."""
    print(f"{project.name}: ", end="", flush=True)
    folder = HOME / project.name
    tests = prepare(project, folder)
    alone = passed(outcomes(project, folder, tests, ALONE)[0])
    print(f"{len(alone)} passed alone")
    return sum([loses(project, folder, tests, how, alone) for how in project.ways]) > 0


def loses(project: Project, folder: Path, tests: Path, how: list[str], alone: set[str]) -> bool:
    """Tests a project in this way, and tells whether that fails what passes alone."""
    found, log = outcomes(project, folder, tests, how)
    print(f"  {len(passed(found))} passed by {' '.join(how[1:])}", flush=True)
    print("".join(f"    {line}\n" for line in FINDING.findall(log)), end="")
    lost = alone - passed(found)
    if lost:
        print(f"  {len(lost)} to be run again", flush=True)
        lost -= passed(outcomes(project, folder, tests, how)[0])
    for case in sorted(lost):
        print(f"  {case}: {found.get(case, 'did not run')} with lastly only")
    if lost or not alone:
        print(log)
    return bool(lost or not alone)


FINDING = re.compile("^  ((?:alive|failed|captured): .*)$", re.MULTILINE)


def passed(outcomes: dict[str, str]) -> set[str]:
    return {case for case, outcome in outcomes.items() if outcome == "passed"}


def prepare(project: Project, folder: Path) -> Path:
    """Installs a project and what its tests need; gives the folder of the tests."""
    venv.create(folder / "venv", with_pip=True, symlinks=os.name != "nt")
    requirement = project.name + project.bound
    tests = folder / "tests"
    tests.mkdir(exist_ok=True)
    if project.within is not None:
        source = source_of(project, folder)
        tests = source / project.within
        requirement = project.name + "==" + source.name.rpartition("-")[2]
    pip(folder, "install", requirement, "pytest>=8,<10", *project.needs)
    print(said(folder, "-c", VERSION_OF.format(name=project.name)), end=", ", flush=True)
    # The very lastly that runs this.
    place = Path(said(folder, "-c", "import sysconfig; print(sysconfig.get_path('platlib'))"))
    shutil.rmtree(place / "lastly", ignore_errors=True)
    shutil.copytree(Path(lastly.__file__).parent, place / "lastly")
    (folder / "test_in_place.py").write_text(IN_PLACE)
    (folder / "pytest.ini").write_text("[pytest]\n")
    return tests


VERSION_OF = "import importlib.metadata as it; print(it.version({name!r}))"


def source_of(project: Project, folder: Path) -> Path:
    """The source release, unpacked."""
    unpacked = folder / "source"
    if not unpacked.exists():
        archives = folder / "archives"
        which = ["--no-deps", "--no-binary", project.name, project.name + project.bound]
        pip(folder, "download", "--dest", str(archives), *which)
        partly = folder / "partly"
        shutil.unpack_archive(next(archives.iterdir()), partly)
        partly.rename(unpacked)
    return next(unpacked.iterdir())


def outcomes(
    project: Project, folder: Path, tests: Path, how: list[str]
) -> tuple[dict[str, str], str]:
    """Runs a project's tests: from the name of a case to how it ended, and what was printed."""
    report = folder / "report.xml"
    report.unlink(missing_ok=True)
    # Their own settings ask for plugins that these tests do not need, and for warnings to fail.
    options = ["-c", str(folder / "pytest.ini"), "--rootdir", str(tests), f"--junitxml={report}"]
    options += ["-p", "no:cacheprovider", *project.tests, str(folder / "test_in_place.py")]
    ended = subprocess.run(
        [python_in(folder), *how, *options],
        cwd=tests,
        env={**os.environ, **project.settings},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        timeout=WATCHDOG,
    )
    if not report.exists():
        sys.exit(f"{ended.stdout}\nended with status {ended.returncode}, and told nothing")
    found = {}
    for case in xml.etree.ElementTree.parse(report).iter("testcase"):
        unhappy = [child.tag for child in case if child.tag in ("failure", "error", "skipped")]
        found[f"{case.get('classname')}.{case.get('name')}"] = (unhappy or ["passed"])[0]
    (name,) = (name for name in found if name.endswith(".test_lastly_is_in_place"))
    in_place = found.pop(name)
    assert in_place == ("failure" if how is ALONE else "passed"), in_place
    return found, ended.stdout


def python_in(folder: Path) -> Path:
    return folder / "venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def pip(folder: Path, *arguments: str) -> None:
    command = ["-m", "pip", "--disable-pip-version-check", "--quiet", *arguments]
    if subprocess.run([python_in(folder), *command]).returncode != 0:
        sys.exit("pip failed: this needs a package index, with a release for this Python")


def said(folder: Path, *arguments: str) -> str:
    return subprocess.check_output([python_in(folder), *arguments], encoding="utf-8").strip()


if __name__ == "__main__":
    sys.exit(main())
