"""What every test of the suite shares, and the rule that a skip can be made a failure."""

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


def _skips(config: pytest.Config) -> int:
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    return len(reporter.stats.get("skipped", [])) if reporter and os.environ.get(NO_SKIPS) else 0


def pytest_terminal_summary(terminalreporter, config):
    if count := _skips(config):
        terminalreporter.write_line(f"{NO_SKIPS} is set: {count} skipped, and what they prove was not proven. The run fails.", red=True)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session, exitstatus):
    if exitstatus == pytest.ExitCode.OK and _skips(session.config):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
