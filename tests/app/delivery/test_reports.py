"""A report is written after the end of its job: it follows the other files, and nothing else does."""

from __future__ import annotations

import time

import pytest

from app import delivery, tasks
from app.delivery import watching
from app.jobs import report, service, store
from app.models import Delivery, JobEvent
from tests.support.finished import finished_job

AUTOMATIC = {"place": "drive:x/{id}", "automatic": "success"}


@pytest.fixture
def app(app):
    delivery.Watcher().tick()
    return app


class Clock:
    """Stands where it is put."""

    now = 1000.0

    def __call__(self):
        return self.now


def ended(app, *, days=0.0):
    """A job that succeeded so long ago, and nobody who follows events has seen it yet."""
    job = finished_job(app)
    store.change(job, finished=time.time() - days * 86_400)
    return job


def written(job, text="it went well", ago=0.0):
    """As a task does it."""
    service.run_dir(job).report.write_text(text)
    task = report.start(job)
    tasks.store.change(task.id, state="done", finished=time.time() - ago)


def arrived(job):
    """Have every row of the job verified, as after its upload."""
    root = service.run_dir(job).root
    for row in delivery.rows(job.id):
        stat = (root / row.source).stat()
        delivery.store.change(
            row.id, state="verified", size=stat.st_size, mtime_ns=stat.st_mtime_ns, verified_at=1.0
        )
    for task in tasks.active("delivery."):
        tasks.store.change(task.id, state="done", finished=time.time())


def waiting(job):
    return sorted(row.path for row in delivery.rows(job.id) if row.state == "waiting")


def said(job):
    return [event.reason for event in JobEvent.query.filter_by(job_id=job.id) if event.reason]


@pytest.mark.parametrize("days", [0.0, 9.0])
def test_a_report_that_was_written_anew_is_sent_again_and_holds_up_no_stop(app, days):
    delivery.add("rclone", AUTOMATIC, ("lora", "report"))
    job = ended(app, days=days)
    written(job)
    delivery.Watcher().tick()
    arrived(job)
    assert not delivery.pending()
    written(job, "it went on, and well")
    assert delivery.undelivered().holds == "Job 1, dog: 1 file changed."
    delivery.Watcher().tick()
    assert waiting(job) == ["report.html"]
    arrived(job)
    assert not delivery.pending()


def test_a_report_takes_no_file_along_that_was_not_chosen(app):
    target = delivery.add("rclone", AUTOMATIC, ("lora", "config", "report"))
    job = ended(app)
    delivery.start(job, target.id, ("lora",))
    arrived(job)
    # Its end was seen while there was no such target.
    store.remember("delivery.cursor", str(store.newest_event()))
    written(job)
    delivery.Watcher().tick()
    assert waiting(job) == ["report.html"]


def test_a_report_goes_to_no_target_that_its_job_did_not_go_to(app):
    watcher = delivery.Watcher()
    job = ended(app)
    watcher.tick()
    written(job)
    delivery.add("rclone", AUTOMATIC, ("lora", "report"))
    delivery.Watcher().tick()
    assert waiting(job) == []


def test_a_target_that_takes_reports_alone_gets_them_with_no_complaint(app):
    delivery.add("rclone", AUTOMATIC, ("report",))
    job = ended(app)
    delivery.Watcher().tick()
    assert not [reason for reason in said(job) if "not sent" in reason]
    written(job)
    delivery.Watcher().tick()
    assert waiting(job) == ["report.html"]


def test_a_report_that_would_overwrite_another_is_told_once_and_others_are_sent(app):
    delivery.add("rclone", {**AUTOMATIC, "place": "drive:one"}, ("report",))
    delivery.add("rclone", AUTOMATIC, ("report",))
    jobs = [ended(app), ended(app)]
    clock = Clock()
    watcher = delivery.Watcher(clock)
    watcher.tick()
    for job in jobs:
        written(job)
    for _ in range(3):
        clock.now += 61
        watcher.tick()
        delivery.Watcher().tick()  # as after a restart
    told = [reason for job in jobs for reason in said(job) if "would be overwritten" in reason]
    assert len(told) == 1
    assert Delivery.query.count() == 3


def test_a_target_of_reports_alone_that_was_added_later_gets_none_of_before(app):
    job = ended(app)
    delivery.Watcher().tick()
    written(job)
    kept = delivery.add("rclone", AUTOMATIC, ("report",))
    other = delivery.add("rclone", {**AUTOMATIC, "automatic": "never"}, ("report",))
    delivery.change(other.id, "success", ("report",))
    delivery.Watcher().tick()
    assert waiting(job) == []
    delivery.change(kept.id, "success", ("report",))  # as it was
    assert delivery.find(kept.id) == kept
    written(new := ended(app))
    delivery.Watcher().tick()
    assert waiting(new) == ["report.html", "report.html"]


def test_a_report_is_sent_when_what_was_in_its_way_is_gone_without_a_restart(app):
    delivery.add("rclone", {**AUTOMATIC, "place": "drive:one"}, ("report",))
    first, second = ended(app), ended(app)
    clock = Clock()
    watcher = delivery.Watcher(clock)
    written(first)
    watcher.tick()
    written(second)
    clock.now += 61
    watcher.tick()
    assert waiting(second) == []
    service.delete(first)
    clock.now += 61
    watcher.tick()
    assert waiting(second) == ["report.html"]


def test_only_reports_of_late_are_looked_at_however_many_were_ever_sent(app, monkeypatch):
    delivery.add("rclone", AUTOMATIC, ("report",))
    jobs = [ended(app) for _ in range(4)]
    for ago, job in zip((400, 300, 200, 100), jobs, strict=True):
        written(job, ago=ago)
    clock = Clock()
    watcher = delivery.Watcher(clock)
    watcher.tick()
    for job in jobs:
        arrived(job)
    looked_at = []
    state_of = delivery.state_of
    monkeypatch.setattr(
        watching.deliveries, "state_of", lambda row: looked_at.append(row.job_id) or state_of(row)
    )
    for seconds, expected in ((3, []), (61, [jobs[-1].id])):  # soon after the end, a minute later
        clock.now += seconds
        watcher.tick()
        assert looked_at == expected
