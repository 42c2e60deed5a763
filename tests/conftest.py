"""What every test of the suite shares: the order's seed is printed by pytest-randomly; a skip can be made a failure."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
NO_SKIPS = "WHYGLASS_NO_SKIPS"


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return ROOT


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_SKIPPED] = []


_SKIPPED = pytest.StashKey[list[str]]()


@pytest.hookimpl(hookwrapper=True)
def pytest_terminal_summary(terminalreporter, config):
    yield
    skipped = [report.nodeid for report in terminalreporter.stats.get("skipped", [])]
    config.stash[_SKIPPED] = skipped
    if skipped and os.environ.get(NO_SKIPS):
        terminalreporter.write_line(f"{NO_SKIPS} is set: {len(skipped)} skipped tests fail the run, as what they prove was not proven", red=True)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session, exitstatus):
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    skipped = reporter.stats.get("skipped", []) if reporter else []
    if skipped and exitstatus == 0 and os.environ.get(NO_SKIPS):
        session.exitstatus = 1
