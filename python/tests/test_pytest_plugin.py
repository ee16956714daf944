"""The pytest plugin, in runs of pytest of their own."""

from __future__ import annotations

import re
from pathlib import Path
from textwrap import dedent
from typing import NamedTuple

import pytest

from fresh import run

#: They start many programs.
pytestmark = pytest.mark.slow

BEFORE = """
import gc, logging, unittest, weakref
import lastly
import pytest

class Thing:
    def close(self):
        pass

def close(*_):
    pass

def fail():
    raise ValueError("no luck")

def make(function=close):
    thing = Thing()
    lastly.finalize(thing, function)
    return thing

kept = []

def leave(function=close):
    kept.append(make(function))
"""

MADE = "cleanup of test_it.Thing by test_it.close"
FAILED = "failed: cleanup of test_it.Thing (object died): test_it.fail raised ValueError: no luck"


class Played(NamedTuple):
    """A run of pytest."""

    counts: dict[str, int]
    """Of passed, failed, errors and so on."""
    told: dict[str, list[str]]
    """What is said of each test in the section on finalizers, but for where they were created."""
    output: str
    status: int


def play(folder: Path, program: str, *options: str, **files: str) -> Played:
    """Runs pytest on a file of tests, with these others beside it."""
    (folder / "test_it.py").write_text(BEFORE + dedent(program))
    (folder / "pytest.ini").write_text("[pytest]\n" + dedent(files.pop("ini", "")))
    for name, text in files.items():
        (folder / f"{name}.py").write_text(dedent(text))
    arguments = ["-m", "pytest", "-p", "no:cacheprovider", "--rootdir", str(folder), *options]
    ended = run(*arguments, str(folder), PYTEST_ADDOPTS="")
    output = "\n".join(ended.said)
    assert "INTERNALERROR" not in output + ended.complaints, ended
    (last,) = re.findall(r"^=+ (.*) in [\d.]+s.* =+$", output, re.MULTILINE) or [""]
    counts = {word: int(count) for count, word in re.findall(r"(\d+) (\w+)", last)}
    return Played(counts, told_in(output), output + ended.complaints, ended.status)


def told_in(output: str) -> dict[str, list[str]]:
    section = re.search(r"^=+ finalizers =+$\n((?:(?!=).+\n)*)", output, re.MULTILINE)
    told: dict[str, list[str]] = {}
    for line in section[1].splitlines() if section else ():
        if not line.startswith(" "):
            lines = told.setdefault(line.replace("test_it.py::", ""), [])
        elif not line.strip().startswith("created at"):
            lines.append(line.strip())
    return told


def found(folder: Path, program: str, *options: str, **files: str) -> dict[str, list[str]]:
    """What is said of each test, where all pass."""
    played = play(folder, program, "--lastly=report", *options, **files)
    assert set(played.counts) <= {"passed", "warning", "warnings"}, played.output
    assert played.status == 0, played.output
    return played.told


# What is found


FINDINGS = """
    def test_clean():
        make()

    def test_leaves():
        leave()

    def test_leaves_three():
        for _ in range(3):
            leave()

    def test_captured():
        thing = Thing()
        lastly.finalize(thing, thing.close)

    def test_fails():
        make(fail)

    def test_fails_in_a_cycle():
        thing = make(fail)
        thing.itself = thing
"""


def test_what_is_found(tmp_path: Path) -> None:
    told = found(tmp_path, FINDINGS)
    (captured,) = told.pop("test_captured")
    assert captured.startswith("captured: ") and "func.__self__" in captured
    assert told == {
        "test_leaves": [f"alive: {MADE}"],
        "test_leaves_three": [f"alive: {MADE} (3 times)"],
        "test_fails": [FAILED],
        "test_fails_in_a_cycle": [FAILED],
    }


def test_where_it_was_created(tmp_path: Path) -> None:
    played = play(tmp_path, FINDINGS, "--lastly=report")
    line = BEFORE.splitlines().index("    lastly.finalize(thing, function)") + 1
    assert f"\n      created at test_it.py:{line} in make\n" in played.output


@pytest.mark.parametrize("options", [[], ["--numprocesses=2"], ["-n2", "--dist=loadscope"]])
def test_as_errors(tmp_path: Path, options: list[str]) -> None:
    played = play(tmp_path, FINDINGS, "--lastly=error", *options)
    assert (played.counts["passed"], played.counts["errors"]) == (6, 5)
    assert set(played.told) == set(re.findall(r"^ERROR .*::(\w+)", played.output, re.M))
    assert "ERROR at teardown of test_clean" not in played.output
    assert played.status == 1


def test_errors_count(tmp_path: Path) -> None:
    played = play(tmp_path, FINDINGS, "--lastly=error", "-x")
    assert (played.counts["passed"], played.counts["error"]) == (2, 1)
    played = play(tmp_path, FINDINGS, "--lastly=error", "--maxfail=2")
    assert (played.counts["passed"], played.counts["errors"]) == (3, 2)


def test_without_a_terminal(tmp_path: Path) -> None:
    assert play(tmp_path, FINDINGS, "--lastly=error", "-p", "no:terminal").status == 1
    assert play(tmp_path, FINDINGS, "--lastly=report", "-p", "no:terminal").status == 0


def test_from_workers(tmp_path: Path) -> None:
    assert found(tmp_path, FINDINGS, "--numprocesses=2") == found(tmp_path, FINDINGS)


def test_what_is_allowed(tmp_path: Path) -> None:
    program = """
    def both():
        make(fail)
        leave()

    @pytest.mark.lastly_allow("alive")
    def test_alive():
        both()

    @pytest.mark.lastly_allow("failed", "captured")
    def test_failed():
        both()

    @pytest.mark.lastly_allow
    def test_all():
        both()

    @pytest.mark.lastly_allow("failed")
    class TestOfClass:
        @pytest.fixture(scope="class", autouse=True)
        def fails(self):
            leave()

        @pytest.mark.lastly_allow("alive")
        def test_both(self):
            both()
    """
    of_class = [f"alive: {MADE}", "made by the fixture 'fails' of the class"]
    assert found(tmp_path, program, "--strict-markers") == {
        "test_alive": [FAILED],
        "test_failed": [f"alive: {MADE}"],
        "TestOfClass::test_both": of_class,
    }


@pytest.mark.parametrize("wrong", ["'alives'", "1", "alive=True"])
def test_what_no_marker_can_allow(tmp_path: Path, wrong: str) -> None:
    program = f"""
    @pytest.mark.lastly_allow({wrong})
    def test_it():
        leave()
    """
    played = play(tmp_path, program, "--lastly=report")
    named = wrong.replace("alive=True", "'alive'")
    assert f"lastly_allow takes 'alive', 'failed', 'captured', not {named}" in played.output
    assert (played.counts, played.told) == ({"error": 1}, {})


# What is nobody's fault


HELD_BY_PYTEST = """
    @pytest.fixture
    def given():
        return [make()]

    def test_a_fixtures_value(given):
        pass

    class TestInstance:
        def setup_method(self):
            self.one = make()

        def test_an_instance(self):
            self.two = make()

    class TestCase(unittest.TestCase):
        def setUp(self):
            self.one = make()

        def test_a_case(self):
            self.two = make()
            self.addCleanup(close, make())

    @pytest.fixture
    def logs():
        thing = make()
        yield
        logging.getLogger().warning("%s", thing)

    def test_what_is_logged(logs, caplog):
        logging.getLogger().warning("%s", make())

    @pytest.mark.parametrize("thing", [make()])
    def test_a_parameter(thing):
        pass

    def test_an_exception():
        with pytest.raises(ValueError) as info:
            thing = make()
            raise ValueError(thing)
"""


def test_what_pytest_holds(tmp_path: Path) -> None:
    assert found(tmp_path, HELD_BY_PYTEST) == {}


def test_what_an_exception_holds(tmp_path: Path) -> None:
    program = """
    def test_failed():
        thing = make(fail)
        assert not thing

    def test_next():
        gc.collect()

    def test_skipped():
        thing = make()
        pytest.skip()

    @pytest.mark.xfail
    def test_not_expected_to_pass():
        thing = make()
        assert not thing

    @pytest.fixture
    def fails():
        thing = make()
        yield
        assert not thing

    def test_teardown(fails):
        thing = Thing()
        lastly.finalize(thing, thing.close)
    """
    played = play(tmp_path, program, "--lastly=error")
    counts = {"failed": 1, "passed": 2, "skipped": 1, "xfailed": 1, "error": 1}
    assert {word: count for word, count in played.counts.items() if word in counts} == counts
    # The traceback went when the next test began, and that is not the next one's fault.
    assert played.told.pop("test_failed") == [FAILED, "while test_it.py::test_next ran"]
    assert [findings[0][:8] for findings in played.told.values()] == ["captured"]


def test_fixtures_of_wider_scopes(tmp_path: Path) -> None:
    program = """
    @pytest.fixture(scope="session")
    def of_the_session():
        leave()

    @pytest.fixture(scope="module")
    def inner():
        leave()
        thing = make()
        yield
        del thing

    @pytest.fixture(scope="module")
    def outer(request):
        request.getfixturevalue("inner")
        return make()

    def test_first(of_the_session, outer):
        pass

    def test_last():
        leave()
    """
    module = [f"alive: {MADE}", "made by the fixture 'inner' of the module"]
    assert found(tmp_path, program) == {"test_last": [*module, f"alive: {MADE}"]}


def test_what_ran_between_tests(tmp_path: Path) -> None:
    conftest = """
    import pytest

    def pytest_runtest_logstart():
        import test_it
        test_it.leave()
        test_it.make(test_it.fail)

    class Skips:
        @pytest.hookimpl(tryfirst=True)
        def pytest_runtest_setup(self, item):
            if item.name == "test_never_set_up":
                pytest.skip()

    def pytest_sessionstart(session):
        session.config.pluginmanager.register(Skips())
    """
    program = """
    make(fail)
    leave()

    def test_leaves():
        leave()

    def test_never_set_up():
        pass
    """
    played = play(tmp_path, program, "--lastly=report", conftest=conftest)
    assert played.told == {"test_leaves": [f"alive: {MADE}"]}


def test_run_again(tmp_path: Path) -> None:
    conftest = """
    from _pytest.runner import runtestprotocol

    def pytest_runtest_protocol(item, nextitem):
        for last in (False, True):
            reports = runtestprotocol(item, nextitem=item if not last else nextitem, log=False)
        for report in reports:
            item.ihook.pytest_runtest_logreport(report=report)
        return True
    """
    program = """
    class TestAgain:
        def test_it(self):
            self.thing = make()
            leave()
    """
    assert found(tmp_path, program, conftest=conftest) == {"TestAgain::test_it": [f"alive: {MADE}"]}


# How much is said


MANY = """
    @pytest.mark.parametrize("number", range(60))
    def test_many(number):
        leave()

    def test_different():
        for number in range(15):
            lastly.finalize(kept[0], type(f"Number{number}", (), {}))
"""


def test_a_long_summary_is_cut(tmp_path: Path) -> None:
    told = found(tmp_path, MANY)
    assert (len(told), "and 11 more tests; -v shows all" in told) == (51, True)
    told = found(tmp_path, MANY, "-v")
    assert len(told) == 61
    assert (len(told["test_different"]), told["test_different"][-1]) == (11, "and 5 more")


# Turning it on


def test_it_is_off_by_default(tmp_path: Path) -> None:
    program = """
    import sys

    @pytest.mark.lastly_allow("anything")
    def test_it():
        leave()
        make(fail)
        assert "lastly._findings" not in sys.modules
        assert weakref.finalize is not lastly.finalize
        assert lastly._native.listen(None) is None
    """
    played = play(tmp_path, program, "--strict-markers")
    assert (played.counts["passed"], played.told) == (1, {})


SETTINGS = [
    ("lastly = report", [], 0),
    ("lastly = error", [], 1),
    ("lastly = error", ["--lastly=off"], 0),
    ("lastly = off", ["--lastly=error"], 1),
    ("lastly = error", ["-p", "no:lastly"], 0),
]


@pytest.mark.parametrize("ini, options, status", SETTINGS)
def test_settings(tmp_path: Path, ini: str, options: list[str], status: int) -> None:
    program = """
    def test_it():
        leave()
    """
    assert play(tmp_path, program, *options, ini=ini).status == status


def test_settings_that_are_none(tmp_path: Path) -> None:
    played = play(tmp_path, "", ini="lastly = strict")
    assert "lastly = strict: it can be off, report, error" in played.output
    assert played.status == pytest.ExitCode.USAGE_ERROR


INSTALLED = """
    from library import finalize

    @pytest.mark.parametrize("again", range(4))
    def test_it(again):
        thing = Thing()
        kept.append(thing)
        finalize(thing, print)
        assert finalize is weakref.finalize is lastly.finalize
"""


@pytest.mark.parametrize("options", [[], ["--numprocesses=2"]])
@pytest.mark.parametrize("by", ["option", "setting"])
def test_it_installs(tmp_path: Path, by: str, options: list[str]) -> None:
    files = {"library": "from weakref import finalize", "conftest": "import library"}
    if by == "option":
        options = ["--lastly-install", *options]
    else:
        files["ini"] = "lastly_install = true"
    told = found(tmp_path, INSTALLED, *options, **files)
    assert sorted(told) == [f"test_it[{again}]" for again in range(4)]
    assert set(map(tuple, told.values())) == {("alive: cleanup of test_it.Thing by print",)}


def test_afterwards_all_is_as_before(tmp_path: Path) -> None:
    program = """
    import subprocess, sys

    def test_inside():
        program = '''
    import weakref
    import lastly._native, pytest
    original = weakref.finalize
    told = print
    lastly._native.listen(told)
    options = ["--lastly-install", "--lastly=report", "-p", "no:cacheprovider", "-k", "other"]
    status = pytest.main([*options, FILE])
    assert (status, weakref.finalize) == (0, original)
    assert lastly._native.listen(None) is told
    '''
        program = program.replace("FILE", repr(__file__)).replace("\\n    ", "\\n")
        subprocess.run([sys.executable, "-c", program], check=True)

    def test_other():
        pass
    """
    assert found(tmp_path, program) == {}


def test_where_lastly_was_imported_before(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text("def test_it(): pass")
    arguments = ["-m", "lastly", "run", "-m", "pytest", "-W", "error", "-p", "no:cacheprovider"]
    ended = run(*arguments, "--lastly=error", str(tmp_path), PYTEST_ADDOPTS="")
    assert (ended.status, "1 passed" in ended.said[-1]) == (0, True), ended
