"""Rules of the whole suite: what may be skipped, and what a skip of it means."""

from __future__ import annotations

import os
import sys
from collections import Counter

import pytest

_skipped: Counter[str] = Counter()


@pytest.fixture(autouse=True)
def _databases_are_closed():
    yield
    # Imported here: most tests need no application.
    platform = sys.modules.get("tests.support.platform")
    if platform is not None:
        platform.close_all()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """With REQUIRE_E2E=1 an end-to-end test that is skipped has failed."""
    outcome = yield
    report = outcome.get_result()
    if not report.skipped or hasattr(report, "wasxfail"):
        return
    kind = next((k for k in ("e2e", "engine", "gpu") if item.get_closest_marker(k)), "other")
    if kind == "e2e" and os.environ.get("REQUIRE_E2E") == "1":
        report.outcome = "failed"
        report.longrepr = f"REQUIRE_E2E=1, but this test was skipped: {report.longrepr[2]}"
        return
    _skipped[f"{kind}: {report.longrepr[2].removeprefix('Skipped: ')}"] += 1


def pytest_terminal_summary(terminalreporter):
    """Every skip with its reason, counted by kind."""
    for reason, count in sorted(_skipped.items()):
        terminalreporter.write_line(f"skipped {count} x {reason}")
