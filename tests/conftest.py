"""Rules of the whole suite: what may be skipped, and what a skip of it means."""

from __future__ import annotations

import functools
import gc
import itertools
import os
import re
import shutil
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.support import bytecode, chromium

KINDS = ("e2e", "cluster", "engine", "gpu")
WITH_PROPERTIES = ("/engines/", "/app/datasets/", "/jobs/logtail", "/jobs/series")
_skipped: Counter[str] = Counter()
_outcomes: dict[str, Counter[str]] = {kind: Counter() for kind in (*KINDS, "unit")}
_numbers = itertools.count()
_FAILED = pytest.StashKey[bool]()

# Compiling hundreds of test files anew takes each process seconds, and each child's imports half of one.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
# No test loses power, and on a busy disk each of the hundreds of waits lasts long.
os.fsync = lambda fd: None


def keep_folders_in_memory(config):
    """Unit tests make and remove ten thousand folders; on a busy disk that is a wait of many seconds.

    Elsewhere, if memory is no place for files, or for few of them, or for none that is started.
    """
    memory = Path("/dev/shm")
    if "PYTEST_DEBUG_TEMPROOT" in os.environ or "not e2e" not in config.option.markexpr:
        return
    if not os.access(memory, os.W_OK) or os.statvfs(memory).f_flag & os.ST_NOEXEC:
        return
    if shutil.disk_usage(memory).free > 2**30:
        os.environ["PYTEST_DEBUG_TEMPROOT"] = str(memory)


def pytest_configure(config):
    """The workers of xdist have their folders from the process that starts them."""
    about = getattr(config, "workerinput", None)
    if about is None:
        keep_folders_in_memory(config)
        return
    bytecode.write_share(config, int(about["workerid"][2:]), about["workercount"])
    if config.option.verbose <= 0 and not config.option.xmlpath:
        send_less(config)


def send_less(config):
    """A worker sends six messages for each test, which took a process of its own seconds.

    Two are enough where nobody asked for more: setups and teardowns that passed in no time are not
    shown even by ``--durations``.
    """
    for worker in [p for p in config.pluginmanager.get_plugins() if hasattr(p, "sendevent")]:
        worker.sendevent = functools.partial(_send_what_matters, worker.sendevent)


def _send_what_matters(send, name, **about):
    report = about["data"] if name == "testreport" else None
    if report and report["when"] != "call":
        matters = report["outcome"] != "passed" or report["duration"] > 0.004
    else:
        matters = name not in ("logstart", "logfinish")
    if matters:
        send(name, **about)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems():
    """Hypothesis also tries the constants of the code: here of what has properties that are tested.

    For those of all files that are loaded, each process would parse three hundred.
    """
    providers = sys.modules.get("hypothesis.internal.conjecture.providers")
    is_local = getattr(providers, "is_local_module_file", None)
    if is_local is not None:  # private to Hypothesis: without it, only slower
        providers.is_local_module_file = lambda path: (
            any(part in path for part in WITH_PROPERTIES) and is_local(path)
        )


def pytest_collection_finish():
    """The garbage collector need not walk half a million objects of modules again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 10, 20)


def pytest_sessionfinish():
    """What was left open complains now; pytest's own search, five times over, then finds little to walk."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _nothing_stays(request):
    """The first fixture to be set up is the last to end: databases are closed, then the folder goes.

    What is removed at once hardly reaches the disk; all of it at the end kept one core for seconds.
    A test that failed leaves its folder to be looked at.
    """
    yield
    # Imported here: most tests need no application.
    platform = sys.modules.get("tests.support.platform")
    if platform is not None:
        platform.close_all()
    folder = request.node.funcargs.get("tmp_path")
    if folder is not None and _FAILED not in request.node.stash:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def tmp_path(request, tmp_path_factory):
    """As pytest's own, without its links to the newest folder of each name: there are 1,500 names."""
    name = re.sub(r"\W", "_", request.node.name)[:30]
    path = tmp_path_factory.getbasetemp() / f"{name}-{next(_numbers)}"
    path.mkdir(mode=0o700)
    return path


@pytest.fixture(scope="session")
def browser():
    """One Chromium for all tests, of whatever folder; a skip (a failure with REQUIRE_E2E=1) where there is none."""
    with chromium.started() as found:
        if found is None:
            pytest.skip("no Chromium on this machine")
        yield found


@pytest.fixture
def page(browser, make_server):
    """A page whose console must stay free of errors (a broken policy is one of them).

    It asks for ``make_server`` only to be closed before the servers are: a page that still
    polls would report the refused connection.
    """
    context = browser.new_context(viewport={"width": 1280, "height": 800}, reduced_motion="reduce")
    page = context.new_page()
    errors = []
    page.on("console", lambda m: errors.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    context.close()
    # The browser itself reports the 422 of a refused form and the 409 of a caption that was changed
    # in another tab; every other error is ours.
    told = ("status of 422", "status of 409")
    assert [error for error in errors if not any(status in error for status in told)] == []


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """With REQUIRE_E2E=1 an end-to-end test that is skipped has failed."""
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        item.stash[_FAILED] = True
    if not report.skipped or hasattr(report, "wasxfail"):
        return
    if item.get_closest_marker("e2e") and os.environ.get("REQUIRE_E2E") == "1":
        reason = report.longrepr[2].removeprefix("Skipped: ")
        report.outcome = "failed"
        report.longrepr = f"REQUIRE_E2E=1, but this test was skipped: {reason}"


def pytest_runtest_logreport(report):
    """Count by kind, where the reports of all worker processes arrive."""
    kind = next((k for k in KINDS if k in report.keywords), "unit")
    if report.skipped and not hasattr(report, "wasxfail"):
        _skipped[f"{kind}: {report.longrepr[2].removeprefix('Skipped: ')}"] += 1
    if report.when == "call" or report.outcome != "passed":
        _outcomes[kind][report.outcome] += 1


def pytest_terminal_summary(terminalreporter):
    """Every skip with its reason, then the outcomes by kind."""
    for reason, count in sorted(_skipped.items()):
        terminalreporter.write_line(f"skipped {count} x {reason}")
    for kind, outcomes in _outcomes.items():
        if outcomes:
            counts = ", ".join(f"{n} {outcome}" for outcome, n in sorted(outcomes.items()))
            terminalreporter.write_line(f"{kind} tests: {counts}")
