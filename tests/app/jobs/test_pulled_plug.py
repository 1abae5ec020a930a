"""The plug is pulled after each write to the database in the life of a job; the next start tells the truth."""

from __future__ import annotations

import contextlib
import threading
import time

import pytest

from app import artifacts
from app.db import db
from app.jobs import service, store
from app.jobs.executor import Ended, Lost
from app.jobs.rundir import ExitRecord
from app.jobs.states import JobState as S
from app.jobs.supervisor import Supervisor
from app.platform import current
from tests.support.supervised import write_lora

LOOKS = 3
"""So often each attempt is seen to run before it vanishes or ends."""


class PulledError(BaseException):
    """Nothing of this program is executed after it, whatever it catches."""


class Plug:
    """Pulled after the commit of number ``at``; from then on nothing is written any more."""

    def __init__(self, at: int) -> None:
        self._left = at
        self._commit = db.session.commit
        self.pulled = False

    def commit(self) -> None:
        if not self.pulled:
            self._commit()
            self._left -= 1
            self.pulled = not self._left
        if self.pulled:
            db.session.rollback()
            raise PulledError


def outside(attempt, seen):
    """How an attempt stands by itself: the first one vanishes, a later one ends well."""
    executor = current().executor
    if attempt.root not in executor.status:
        return Lost()
    looks = seen[attempt.root] = seen.get(attempt.root, 0) + 1
    if looks <= LOOKS:
        return executor.status[attempt.root]
    if attempt.root.name == "1":
        return Lost()
    made, now = attempt.root.parents[1] / "output" / "dog.safetensors", time.time()
    if not made.exists():
        write_lora(made)
    return Ended(ExitRecord(code=0, signal=None, started=now - 60, ended=now))


def rounds(condition):
    """Rounds until it holds, at most so many; what they leave to threads is waited for."""
    for _ in range(100):
        current().supervisor.tick()
        for thread in current().supervisor.tasks:
            thread.join(10)
        if condition():
            return True
    return False


@pytest.mark.parametrize("at", range(1, 25))
def test_wherever_the_plug_is_pulled_the_job_is_done_once_and_all_told(
    supervised, document, at, monkeypatch
):
    service.submit(document)
    seen = {}
    current().executor.poll = lambda attempt: outside(attempt, seen)
    plug = Plug(at)
    with monkeypatch.context() as patch:
        patch.setattr(threading, "excepthook", lambda _told: None)
        patch.setattr(artifacts, "verify_in_child", lambda path, _: artifacts.verify(path))
        patch.setattr(db.session, "commit", plug.commit)
        with contextlib.suppress(PulledError):
            rounds(lambda: plug.pulled or store.get(1).status.is_final)
        for thread in current().supervisor.tasks:
            thread.join(10)
    db.session.remove()
    current()._supervisor = Supervisor(current())
    assert rounds(lambda: store.get(1).status.is_final)
    job = store.get(1)
    assert (job.status, job.wish, job.phase) == (S.SUCCEEDED, "", "")
    *earlier, last = job.attempts
    assert (last.number, last.outcome) == (job.attempt, "succeeded")
    assert {attempt.outcome for attempt in earlier} <= {"interrupted"}
    assert all(attempt.ended for attempt in job.attempts)
    started = [attempt.root for attempt, _, _ in current().executor.started]
    assert len(started) == len(set(started))
    moves = [event.new for event in job.events if event.new]
    assert moves.count("succeeded") == 1
    assert moves.count("starting") == job.attempt == job.interruptions + 1
