"""CPython's own tests, with lastly in place of `weakref.finalize`.

    python cpython_suites.py [--quick] [suite ...]

The suites come from the `test` package of the interpreter that runs this, and so do the programs
that they start. Where a case fails, it runs once more, then without lastly: a case that fails there
too is not ours, and one that passes there is a difference. Any difference makes this fail.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
import unittest
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

# Cases that cannot pass with lastly, each with the deliberate difference that is the reason.
BY_DESIGN: dict[str, str] = {}

QUICK = ["test_weakref", "test_tempfile", "test_gc", "test_atexit"]

# Those that take minutes.
LONG = [
    "test_concurrent_futures",
    "test_multiprocessing_fork",
    "test_multiprocessing_forkserver",
    "test_multiprocessing_spawn",
]

# Far more than any suite needs: a hang must end too.
WATCHDOG = 1800

ALONE = [sys.executable]
WITH_LASTLY = [sys.executable, "-m", "lastly", "run"]

INSTALLED = "import lastly, weakref; assert weakref.finalize is lastly.finalize"


class Outcomes(NamedTuple):
    """How the cases of a suite ended."""

    of: dict[str, str]
    """From the name of a case to `passed`, `skipped`, `failed`, or `started` if it did not end."""
    log: str
    ended_early: str
    """How the whole ended, if not by itself."""

    def count(self, outcome: str) -> int:
        return list(self.of.values()).count(outcome)

    def failed(self) -> list[str]:
        return [case for case, outcome in self.of.items() if outcome in ("failed", "started")]

    def report(self) -> str:
        """What unittest tells of what failed; everything where there is no such part."""
        head, line, tail = self.log.partition("=" * 70)
        return line + tail or head


# The side that compares


def main() -> int:
    parser = argparse.ArgumentParser(description="CPython's own tests, with lastly in place.")
    parser.add_argument("--quick", action="store_true", help=f"only {', '.join(QUICK)}")
    parser.add_argument("suites", nargs="*", metavar="suite", help="only these")
    parser.add_argument("--record", help=argparse.SUPPRESS)  # the side that runs
    parser.add_argument("--installed", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--case", action="append", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.record:
        name = prepare(arguments.suites[0], arguments.installed)
        return record(name, Path(arguments.record), arguments.case)
    if importlib.util.find_spec("test") is None or importlib.util.find_spec("test.support") is None:
        print("skipped: this Python has no `test` package")
        return 0
    suites = arguments.suites or (QUICK if arguments.quick else QUICK + LONG)
    return 1 if sum([differs(suite) for suite in suites]) else 0


def differs(suite: str) -> bool:
    """Runs a suite and tells of it; whether something passes only without lastly."""
    if not importable(suite):
        print(f"{suite}: skipped, this Python does not have it")
        return False
    print(f"{suite}: ", end="", flush=True)
    start = time.monotonic()
    outcomes = outcomes_of(suite, WITH_LASTLY)
    seconds = time.monotonic() - start
    passed = outcomes.count("passed")
    print(f"{passed} passed, {outcomes.count('skipped')} skipped, {seconds:.0f} s", flush=True)
    if outcomes.ended_early:
        ours = not outcomes_of(suite, ALONE).ended_early
        where = "with lastly only" if ours else "without lastly too"
        print(f"  {outcomes.ended_early} in {outcomes.failed()}, {where}")
    else:
        ours = sum([is_ours(suite, case) for case in outcomes.failed()]) > 0 or passed == 0
    if ours:
        print(outcomes.report())
    return ours


def is_ours(suite: str, case: str) -> bool:
    """Whether it is lastly that makes a case fail."""
    ours, reason = False, "fails without lastly too"
    if case in BY_DESIGN:
        reason = f"fails by design: {BY_DESIGN[case]}"
    elif not outcomes_of(suite, WITH_LASTLY, case).failed():
        reason = "failed, and passed when run again"
    elif not outcomes_of(suite, ALONE, case).failed():
        ours, reason = True, "fails with lastly only"
    print(f"  {case}: {reason}", flush=True)
    return ours


def outcomes_of(suite: str, python: list[str], *cases: str) -> Outcomes:
    """Runs a suite, or only these of its cases, in a process of its own."""
    with tempfile.TemporaryDirectory() as directory:
        record = Path(directory, "record")
        record.touch()
        command = [*python, os.path.abspath(__file__), "--record", str(record), suite]
        command += [f"--case={case}" for case in cases]
        command += ["--installed"] if python == WITH_LASTLY else []
        work = Path(directory, "work")
        work.mkdir()
        early = ""
        with open(Path(directory, "log"), "w+", encoding="utf-8", errors="replace") as log:
            try:
                status = subprocess.run(
                    command,
                    cwd=work,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    timeout=WATCHDOG,
                ).returncode
                early = f"ended with status {status}" if status else ""
            except subprocess.TimeoutExpired:
                early = f"did not end within {WATCHDOG} s"
            log.seek(0)
            said = log.read()
        return Outcomes(dict(map(json.loads, record.read_text().splitlines())), said, early)


def importable(suite: str) -> bool:
    """Some releases forgot the suites of multiprocessing, but have what they consist of."""
    names = ["test." + suite, "test._" + suite.rpartition("_")[0]]
    return any(importlib.util.find_spec(name) is not None for name in names)


# The side that runs: with lastly in place, or not


class Recorder(unittest.TextTestResult):
    """Notes down each outcome at once, so that it is known even if the process dies."""

    file: Path

    def note(self, case: unittest.TestCase, outcome: str) -> None:
        with open(self.file, "a", encoding="utf-8") as file:
            print(json.dumps([case.id(), outcome]), file=file)

    def startTest(self, test: unittest.TestCase) -> None:
        super().startTest(test)
        self.note(test, "started")

    def addSuccess(self, test: unittest.TestCase) -> None:
        super().addSuccess(test)
        self.note(test, "passed")

    def addSkip(self, test: unittest.TestCase, reason: str) -> None:
        super().addSkip(test, reason)
        self.note(test, "skipped")

    def addExpectedFailure(self, test: unittest.TestCase, err: Any) -> None:
        super().addExpectedFailure(test, err)
        self.note(test, "passed")

    def addUnexpectedSuccess(self, test: unittest.TestCase) -> None:
        super().addUnexpectedSuccess(test)
        self.note(test, "failed")

    def addFailure(self, test: unittest.TestCase, err: Any) -> None:
        super().addFailure(test, err)
        self.note(test, "failed")

    def addError(self, test: unittest.TestCase, err: Any) -> None:
        super().addError(test, err)
        self.note(test, "failed")

    def addSubTest(self, test: unittest.TestCase, subtest: unittest.TestCase, err: Any) -> None:
        super().addSubTest(test, subtest, err)
        if err is not None:
            self.note(test, "failed")


def prepare(suite: str, installed: bool) -> str:
    """Makes this process one in which the suite can run, and gives the module's name."""
    support: Any = importlib.import_module("test.support")
    support.use_resources = []  # as CPython's own runner: nothing huge, no network
    let_children_see_the_environment()
    if installed:
        see_that_lastly_is_used(in_finalize_test_case=suite == "test_weakref")
    return module_of(suite)


def record(name: str, file: Path, cases: list[str] | None) -> int:
    """Runs the module's cases, or only these, and notes down in the file how each ends."""
    Recorder.file = file
    loaded = unittest.defaultTestLoader.loadTestsFromName(name)
    if cases is not None:
        loaded = unittest.TestSuite(case for case in each(loaded) if case.id() in cases)
    recorder: Any = Recorder
    unittest.TextTestRunner(verbosity=2, resultclass=recorder).run(loaded)
    return 0


def each(suite: unittest.TestSuite) -> Iterator[unittest.TestCase]:
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from each(test)
        else:
            yield test


def let_children_see_the_environment() -> None:
    """CPython's tests start Python with -I or -E where it can run like that. That would keep lastly
    from some of the programs that matter most, those that show what happens at exit."""
    script_helper: Any = importlib.import_module("test.support.script_helper")
    script_helper.__cached_interp_requires_environment = True


def module_of(suite: str) -> str:
    """The module to load, made where a release forgot to install it."""
    name = "test." + suite
    if importlib.util.find_spec(name) is not None:
        return name
    family, _, method = suite.rpartition("_")
    Path(f"made_{suite}.py").write_text(
        f"from test import _{family} as family\n"
        f"family.install_tests_in_module_dict(globals(), {method!r})\n"
    )
    sys.path.insert(0, os.getcwd())
    return f"made_{suite}"


def see_that_lastly_is_used(in_finalize_test_case: bool) -> None:
    import weakref

    script_helper: Any = importlib.import_module("test.support.script_helper")
    exec(INSTALLED)
    script_helper.assert_python_ok("-c", INSTALLED)
    if not in_finalize_test_case:
        return
    standing = weakref.finalize

    class Counted(standing):  # type: ignore[valid-type, misc]
        made = 0

        def __init__(self, *arguments: Any, **keywords: Any) -> None:
            Counted.made += 1
            super().__init__(*arguments, **keywords)

    # Its cases make their finalizers by this name.
    weakref.finalize = Counted  # type: ignore[misc]
    cases = unittest.defaultTestLoader.loadTestsFromName("test.test_weakref.FinalizeTestCase")
    cases.run(unittest.TestResult())
    weakref.finalize = standing  # type: ignore[misc]
    assert Counted.made >= cases.countTestCases() > 0


if __name__ == "__main__":
    sys.exit(main())
