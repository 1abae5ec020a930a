"""One writer of states: legal moves, one winner, a row for each."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from app.db import db
from app.errors import NotFoundError
from app.jobs import listing, store
from app.jobs.states import IllegalMoveError, JobState
from app.models import Job
from tests.support.platform import make_app

S = JobState


@pytest.fixture
def app(tmp_path):
    app = make_app(tmp_path)
    with app.app_context():
        yield app


def add(**columns):
    return store.add(
        **{"name": "a", "family": "sd15", "engine": "kohya_ss", "document": "{}", **columns}
    )


def test_a_new_job_is_queued_and_has_one_event(app):
    job = add()
    assert (job.status, [e.new for e in job.events]) == (S.QUEUED, ["queued"])


def test_a_move_leaves_an_event_and_a_new_version(app):
    job = add()
    store.move(job, S.STARTING, "because", attempt=1)
    assert (job.state, job.version, job.attempt) == ("starting", 2, 1)
    assert [(e.old, e.new, e.reason, e.attempt) for e in job.events][-1] == (
        "queued", "starting", "because", 1,
    )  # fmt: skip


def test_an_illegal_move_is_refused_and_changes_nothing(app):
    job = add()
    with pytest.raises(IllegalMoveError, match="it cannot become succeeded"):
        store.move(job, S.SUCCEEDED)
    assert (store.get(job.id).state, len(job.events)) == ("queued", 1)


def test_of_two_racing_movers_exactly_one_wins(app):
    job = add()
    with db.engine.begin() as other:
        other.execute(text("UPDATE job SET state = 'cancelled' WHERE id = :id"), {"id": job.id})
    # Our session still believes that it is queued.
    assert job.status is S.QUEUED
    with pytest.raises(IllegalMoveError, match="is cancelled"):
        store.move(job, S.STARTING)


def test_the_database_itself_refuses_a_state_that_does_not_exist(app):
    job = add()
    with pytest.raises(IntegrityError):
        db.session.execute(text("UPDATE job SET state = 'odd' WHERE id = :id"), {"id": job.id})
    db.session.rollback()


def test_the_state_cannot_be_changed_without_a_move(app):
    with pytest.raises(ValueError, match="move"):
        store.change(add(), state="failed")


def test_launch_order_is_priority_then_age_and_held_jobs_wait(app):
    first, second = add(name="first"), add(name="second")
    urgent = add(name="urgent", priority=5)
    add(name="held", held=True)
    add(name="later", not_before=1e12 + 60)
    assert [j.id for j in store.launchable(1e12)] == [urgent.id, first.id, second.id]


def test_however_many_jobs_wait_the_ones_behind_them_are_read_once_each_and_in_order(app):
    jobs = [add(name=f"job{n}", priority=n % 2) for n in range(120)]
    wanted = sorted(jobs, key=lambda job: (-job.priority, job.id))
    read = store.launchable(1e12)
    first = next(read)
    store.move(first, S.STARTING)  # what is launched meanwhile shifts nothing
    assert [first.id, *(job.id for job in read)] == [job.id for job in wanted]


def test_only_jobs_that_want_to_run_where_there_is_room_are_read(app):
    usual, here, there = add(), add(executor="local"), add(executor="slurm")
    assert [j.id for j in store.launchable(1e12, ["slurm"])] == [there.id]
    assert [j.id for j in store.launchable(1e12, ["", "local"])] == [usual.id, here.id]
    assert list(store.launchable(1e12, [])) == []
    assert store.is_launchable(1e12)
    assert not store.is_launchable(-1.0)


def test_a_deleted_job_takes_its_rows_along_and_its_number_is_never_given_again(app):
    job = add()
    gone = job.id
    store.open_attempt(job, number=1)
    store.delete(job)
    with pytest.raises(NotFoundError, match="deleted"):
        store.get(gone)
    assert db.session.execute(text("SELECT count(*) FROM job_event")).scalar() == 0
    assert add().id > gone


def test_the_table_version_changes_with_every_visible_change(app):
    seen = {listing.queue().version}
    job = add()
    seen.add(listing.queue().version)
    store.change(job, step=1)
    seen.add(listing.queue().version)
    store.remember("queue", "paused")
    seen.add(listing.queue().version)
    store.delete(job)
    seen.add(listing.queue().version)
    assert len(seen) == 5


def test_the_table_version_changes_with_what_becomes_of_a_job_that_is_over(app):
    job = add()
    versions = [listing.queue().version]
    for act in (
        lambda: store.move(job, JobState.CANCELLED),
        lambda: store.note(job, "its copy was refused"),
        lambda: store.move(job, JobState.QUEUED),
    ):
        act()
        versions.append(listing.queue().version)
    assert len(set(versions)) == 4


def test_another_database_than_sqlite_tells_the_same_lines(app, monkeypatch):
    first, second = add(), add()
    told = listing.lines()
    asked = listing.connection()
    elsewhere = SimpleNamespace(dialect=SimpleNamespace(name="postgresql"), execute=asked.execute)
    monkeypatch.setattr(listing, "connection", lambda: elsewhere)
    assert listing.lines() == told
    assert [line.id for line in told] == [second.id, first.id]


def test_a_search_takes_percent_signs_as_they_are(app):
    add(name="a100"), add(name="b")
    assert [j.name for j in store.page(search="%")] == []
    assert [j.name for j in store.page(search="a1")] == ["a100"]


def test_a_page_goes_on_where_the_last_one_ended(app):
    ids = [add().id for _ in range(5)]
    page = store.page(limit=2)
    assert [j.id for j in page] == ids[:-3:-1]
    assert [j.id for j in store.page(limit=9, before=page[-1].id)] == ids[2::-1]
    assert isinstance(page[0], Job)


def test_a_clock_that_was_set_back_keeps_no_job_waiting_for_years(app):
    """Its longest back-off is ten minutes; what is later was written by a clock that was wrong."""
    now = 1_800_000_000.0
    job = add()
    store.change(job, not_before=now + 300)
    assert not store.is_launchable(now)
    store.change(job, not_before=now + 4 * 365 * 86_400)
    assert store.is_launchable(now)
    assert [one.id for one in store.launchable(now)] == [job.id]


def test_two_that_remember_the_same_for_the_first_time_both_succeed(app, monkeypatch):
    merge = store.db.session.merge

    def late(row):
        found = merge(row)
        with app.app_context():
            monkeypatch.undo()
            store.remember("queue", "paused")
        return found

    monkeypatch.setattr(store.db.session, "merge", late)
    store.remember("queue", "running")
    assert store.fact("queue") in ("paused", "running")
