"""What tests leave behind, for `pytest_plugin`.

Every finalizer has its place in the order of creation. So a test has left what is alive after its
teardown and newer than all that was alive before its setup. Mostly there is nothing, and that is
all. Otherwise pytest is made to let go of what it keeps of the test, garbage is collected, and it
is looked at once more. Not held against a test:

- What a fixture of a wider scope has made. That is looked at when the fixture has been torn down,
  and told of the fixture. The end of the session is that of the program, which runs what is left:
  so a fixture of the session may leave what it likes.
- What was left where an exception ended the test: its traceback keeps the frames until the next.

A callback that owns its object is no question of who holds what: of that both are told.

Findings travel with the report on the teardown, as lists of strings: so they reach the summary from
the workers of xdist as well.
"""

from __future__ import annotations

import gc
import os
from types import MethodType
from typing import NamedTuple

import pytest

from lastly import check, finalize
from lastly._native import alive, details, listen, record_sites

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator, Iterable
    from typing import Any

    from _pytest.terminal import TerminalReporter

    from lastly.report import Report

    Finalizer = finalize[..., Any, Any]
    # The test that it is told of, the kind, the words.
    Finding = tuple[str, str, str]

KINDS = ("alive", "failed", "captured")

MOST_TESTS = 50
"""How many are told of at the end, unless pytest is to be verbose."""

MOST_FINDINGS = 10
"""How many are told of one test."""

MOST_REFERENCES = 1_000_000
"""How many are followed, of a test that leaves something, to find out whether it can die."""


def newest() -> int:
    """The place of the newest that is alive: what will be made has greater ones."""
    for finalizer in reversed(alive()):
        told = details(finalizer)
        if told is not None:  # it may have died meanwhile
            return told[-1]
    return -1


def alive_since(index: int) -> list[tuple[int, Finalizer]]:
    """What is alive and newer, with its place, oldest first."""
    found: list[tuple[int, Finalizer]] = []
    for finalizer in reversed(alive()):
        told = details(finalizer)
        if told is None:
            continue
        if told[-1] <= index:
            break
        found.append((told[-1], finalizer))
    return found[::-1]


def captured_among(finalizers: Iterable[Finalizer]) -> dict[int, str]:
    """Those whose object cannot die before exit, by `id`: why, in words."""
    wanted = {id(finalizer) for finalizer in finalizers}
    captures = check(limit=MOST_REFERENCES) if wanted else []
    return {id(it.finalizer): str(it) for it in captures if id(it.finalizer) in wanted}


class Fixture(NamedTuple):
    """A fixture of a wider scope than a test's."""

    definition: pytest.FixtureDef[Any]
    allowed: frozenset[str]


class Run:
    """A test that is being run."""

    def __init__(self, name: str) -> None:
        self.name = name
        # What it makes is newer than the first and, if it is left, not newer than the last.
        self.before = self.last = newest()
        self.has_raised = False
        self.allowed: frozenset[str] = frozenset(KINDS)
        self.findings: list[Finding] = []

    def own_findings(self) -> list[Finding]:
        return [finding for finding in self.findings if finding[0] == self.name]


class Observer:
    """Looks at tests, in the process that runs them."""

    def __init__(self, root: str, is_strict: bool) -> None:
        self._root = root + os.sep
        self._is_strict = is_strict
        self._run: Run | None = None
        # From the place of a finalizer to the fixture of a wider scope in whose setup it was made.
        self._fixtures: dict[int, Fixture] = {}
        # The places of those whose fixture is being torn down.
        self._ended: set[int] = set()
        # The tests that have left something.
        self._earlier: list[Run] = []
        self._heard: list[tuple[int, str]] = []
        record_sites()
        self._before = listen(self._hear)

    def pytest_unconfigure(self) -> None:
        listen(self._before)

    def _hear(self, report: Report) -> None:
        # Words only: an exception would keep its frames, and they what a test has left.
        if report.index is not None:
            self._heard.append((report.index, str(report).replace("lastly: ", "", 1)))

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        # What fails between tests is nobody's, and shown as ever.
        self._heard.clear()
        self._run = Run(item.nodeid)
        self._run.allowed = allowed(item)

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
    ) -> Generator[None, object, object]:
        if fixturedef.scope == "function":
            return (yield)
        # Not the test's markers, but those of the class or module.
        fixture = Fixture(fixturedef, allowed(request.node))
        before = newest()
        try:
            return (yield)
        finally:
            for index, _ in alive_since(before):
                # Unless it is that of another fixture, which this one has asked for.
                self._fixtures.setdefault(index, fixture)

    def pytest_fixture_post_finalizer(self, fixturedef: pytest.FixtureDef[Any]) -> None:
        for index, fixture in self._fixtures.items():
            if fixture.definition is fixturedef:
                self._ended.add(index)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Generator[None, object, object]:
        run = self._run
        if run is None:
            return (yield)
        try:
            result = yield
        except BaseException:
            run.has_raised = True
            self._look(run, item)
            raise
        self._look(run, item)
        findings = run.own_findings()
        if self._is_strict and findings:
            pytest.fail("\n".join(lines(findings)), pytrace=False)
        return result

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, call: pytest.CallInfo[Any]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        run = self._run
        if run is None:
            return report
        if call.excinfo is not None:
            run.has_raised = True
        if call.when == "teardown":
            if run.findings:
                report.lastly = run.findings  # type: ignore[attr-defined]  # takes anything
            self._run = None
        return report

    def _look(self, run: Run, item: pytest.Item) -> None:
        """Looks at what a test has left, when it has been torn down."""
        left = self._left(run)
        if left:
            if not run.has_raised:
                let_go(item)
            gc.collect()
            left = self._left(run)
        if left:
            run.last = newest()
            self._earlier.append(run)
        captured = captured_among(finalizer for _, finalizer in left)
        for index, finalizer in left:
            fixture = self._fixtures.get(index)
            words = captured.get(id(finalizer))
            if words is not None:
                self._find(run, "captured", words, fixture, run)
            elif not run.has_raised and (not fixture or fixture.definition.scope != "session"):
                words = words_of(finalizer)
                if words is not None:
                    self._find(run, "alive", words, fixture, run)
        for index, words in self._heard:
            self._find(self._run_of(index, run), "failed", words, self._fixtures.get(index), run)
        self._heard.clear()
        for index in self._ended:
            del self._fixtures[index]
        self._ended.clear()

    def _left(self, run: Run) -> list[tuple[int, Finalizer]]:
        first = min([run.before, *(index - 1 for index in self._ended)])
        return [
            (index, finalizer)
            for index, finalizer in alive_since(first)
            if index in self._ended or (index > run.before and index not in self._fixtures)
        ]

    def _run_of(self, index: int, run: Run) -> Run:
        """The test that has made it: this one, unless an earlier one has left it."""
        if index <= run.before and index not in self._fixtures:
            for earlier in self._earlier:
                if earlier.before < index <= earlier.last:
                    return earlier
        return run

    def _find(self, of: Run, kind: str, words: str, fixture: Fixture | None, during: Run) -> None:
        if kind in (fixture or of).allowed:
            return
        if fixture is not None:
            definition = fixture.definition
            words += f"\n    made by the fixture {definition.argname!r} of the {definition.scope}"
        if of is not during:
            words += f"\n    while {during.name} ran"
        during.findings.append((of.name, kind, words.replace(self._root, "")))


class Summary:
    """Tells of all that was found, here or by the workers of xdist."""

    def __init__(self) -> None:
        self._findings: dict[str, list[Finding]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        for finding in getattr(report, "lastly", ()):
            self._findings.setdefault(finding[0], []).append(tuple(finding))

    def pytest_terminal_summary(self, terminalreporter: TerminalReporter) -> None:
        if not self._findings:
            return
        terminalreporter.write_sep("=", "finalizers")
        tests = list(self._findings.items())
        shown = len(tests) if terminalreporter.verbosity > 0 else MOST_TESTS
        for name, findings in tests[:shown]:
            terminalreporter.write_line(name)
            for line in lines(findings):
                terminalreporter.write_line(f"  {line}")
        if len(tests) > shown:
            terminalreporter.write_line(f"and {len(tests) - shown} more tests; -v shows all")


def allowed(node: pytest.Item | pytest.Collector) -> frozenset[str]:
    """The kinds of findings that the markers of a test, class or module allow."""
    kinds: set[str] = set()
    for marker in node.iter_markers("lastly_allow"):
        wrong = [*(kind for kind in marker.args if kind not in KINDS), *marker.kwargs]
        if wrong:
            valid = ", ".join(map(repr, KINDS))
            pytest.fail(f"lastly_allow takes {valid}, not {wrong[0]!r}", pytrace=False)
        kinds.update(marker.args or KINDS)
    return frozenset(kinds)


def let_go(item: pytest.Item) -> None:
    """Has pytest let go of what it keeps of a test that is over. By itself it does so in a moment,
    when the next test begins, or never."""
    funcargs = getattr(item, "funcargs", None)
    if funcargs:
        funcargs.clear()
    # The instance of the test's class, by itself and by its method. It is made anew if asked for.
    kept = vars(item)
    kept.pop("_instance", None)
    if isinstance(kept.get("_obj"), MethodType):
        kept["_obj"] = None
    # Records of what was logged during the teardown, with their arguments.
    logs = item.config.pluginmanager.get_plugin("logging-plugin")
    if logs is not None:
        logs.caplog_handler.reset()
        logs.report_handler.reset()


def words_of(finalizer: Finalizer) -> str | None:
    """What is told of one that is alive. None if it has died, or its object has: then its callback
    only waits to be run."""
    told = details(finalizer)
    if told is None:
        return None
    thing, function, _, _, _, waits, _ = told
    if waits:
        return None
    return f"cleanup of {thing or 'an object'} by {function}{site_of(finalizer)}"


def site_of(finalizer: Finalizer) -> str:
    told = details(finalizer)
    return "" if told is None or told[2] is None else f"\n    created at {told[2]}"


def lines(findings: list[Finding]) -> list[str]:
    """Findings in words, equal ones as one."""
    times: dict[Finding, int] = {}
    for finding in findings:
        times[finding] = times.get(finding, 0) + 1
    found = []
    for (_, kind, words), count in list(times.items())[:MOST_FINDINGS]:
        first, *rest = words.split("\n")
        found.append(f"{kind}: {first}" + (f" ({count} times)" if count > 1 else ""))
        found += rest
    if len(times) > MOST_FINDINGS:
        found.append(f"and {len(times) - MOST_FINDINGS} more")
    return found
