"""The pytest plugin: finds tests that leave finalizers alive, callbacks that fail, and callbacks
that own their object. pytest loads it wherever lastly is installed; nothing is on until asked for:

    pytest --lastly=report      tells of them when all tests have run; outcomes stay as they are
    pytest --lastly=error       such a test gets an error, too
    pytest --lastly-install     puts lastly in place of `weakref.finalize`, for what libraries make

or, in pytest's configuration file, `lastly = report` and `lastly_install = true`. A test may be
allowed some of it: "alive", "failed", "captured", or without an argument all:

    @pytest.mark.lastly_allow("alive")

This module is what every run of pytest pays, so the rest, `_findings`, is imported where it is on.
"""

from __future__ import annotations

import weakref

import pytest

import lastly

MODES = ("off", "report", "error")


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("lastly")
    group.addoption(
        "--lastly",
        choices=MODES,
        help="tell of tests that leave finalizers alive, and of callbacks that fail or own their "
        "object; 'error' makes it an error of the test (default: off)",
    )
    group.addoption(
        "--lastly-install",
        action="store_true",
        help="put lastly.finalize in place of weakref.finalize",
    )
    parser.addini("lastly", "off, report or error: default of --lastly")
    parser.addini("lastly_install", "whether to do as --lastly-install", type="bool", default=False)


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """The earliest that a plugin is told of options: before any conftest.py and any test."""
    asked = early_config.known_args_namespace.lastly_install
    if not asked and not early_config.getini("lastly_install"):
        return
    if weakref.finalize is not lastly.finalize:
        lastly.install()
        early_config.add_cleanup(lastly.uninstall)


def pytest_configure(config: pytest.Config) -> None:
    words = (
        "lastly_allow(*kinds): what this test may do with finalizers: alive, failed, captured; all"
    )
    config.addinivalue_line("markers", words)
    mode = config.getoption("lastly") or config.getini("lastly") or "off"
    if mode not in MODES:
        raise pytest.UsageError(f"lastly = {mode}: it can be {', '.join(MODES)}")
    if mode == "off":
        return
    if pytest.version_tuple < (8, 2):
        raise pytest.UsageError(f"lastly = {mode} needs pytest 8.2 or newer")
    from lastly._findings import Observer, Summary

    root = str(config.rootpath)
    config.pluginmanager.register(Observer(root, mode == "error"), "lastly_observer")
    config.pluginmanager.register(Summary(), "lastly_summary")
