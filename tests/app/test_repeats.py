"""The log of the program does not grow by the same trouble each second."""

from __future__ import annotations

import gc
import logging
import runpy
from types import SimpleNamespace

import pytest

from app.repeats import Repeats
from app.settings import ROOT


@pytest.fixture
def told():
    """A logger of its own with a clock that the test turns; the lines that it wrote."""
    now = [0.0]
    log = logging.getLogger("tests.repeats")
    lines: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())
    log.propagate, log.handlers = False, [handler]
    log.filters = [Repeats(clock=lambda: now[0])]
    return log, lines, now


def raised(log, error):
    try:
        raise error
    except Exception:
        log.exception("a tick of %s failed", "the watcher")


def test_the_same_trouble_is_written_once_a_minute_with_how_often_it_came(told):
    log, lines, now = told
    for second in range(121):
        now[0] = float(second)
        raised(log, OSError("the disk is full"))
    once = "a tick of the watcher failed"
    assert lines == [once, f"{once} (59 times more since)", f"{once} (59 times more since)"]


def test_other_trouble_and_plain_words_are_written_at_once(told):
    log, lines, _ = told
    for number in range(300):
        raised(log, ValueError(number))
        log.warning("as before")
    assert len(lines) == 600


def test_the_server_has_it_for_the_supervisor():
    log = logging.getLogger("app.jobs.supervisor")
    before = list(log.filters)
    started: list[bool] = []
    platform = SimpleNamespace(start_supervisor=lambda: started.append(True))
    application = SimpleNamespace(extensions={"vast-lora": platform})
    try:
        configuration = runpy.run_path(str(ROOT / "gunicorn.conf.py"))
        configuration["post_worker_init"](
            SimpleNamespace(app=SimpleNamespace(callable=application))
        )
        assert any(isinstance(found, Repeats) for found in log.filters)
        assert started == [True]
    finally:
        log.filters[:] = before
        gc.unfreeze()
