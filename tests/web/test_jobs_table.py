"""What the jobs table costs, and that rows which are kept still tell the truth."""

from __future__ import annotations

import pytest
from sqlalchemy import delete

from app import delivery
from app.db import db
from app.jobs import listing, store
from app.jobs.states import JobState
from app.models import Delivery, Job
from app.web import kept_rows
from tests.bench.rows import add_jobs
from tests.support.polls import poll_of
from tests.support.statements import counted


@pytest.fixture
def many(app):
    add_jobs(app, 60)
    with app.app_context():
        yield app


def test_a_page_of_50_jobs_that_was_drawn_before_is_four_statements_and_reads_no_job(many):
    client = many.test_client()
    first = client.get("/").text
    assert first.count("<tr id=") == 50
    with counted() as statements:
        assert client.get("/").text == first
    assert len(statements) == 4
    assert not any("job.name" in statement for statement in statements)
    with counted() as statements:
        assert 'id="job-10"' in client.get("/?before=11").text
    assert sum("job.name" in statement for statement in statements) == 1


def test_a_poll_with_nothing_new_is_two_statements(many):
    client = many.test_client()
    address = poll_of(client.get("/").text, "jobs-table")
    with counted() as statements:
        assert client.get(address).status_code == 204
    assert len(statements) == 2


def test_a_running_job_is_drawn_each_time_and_says_so_in_the_tab(many):
    client = many.test_client()
    job = store.get(60)
    store.move(job, JobState.STARTING, attempt=1)
    store.open_attempt(job, number=1)
    store.move(job, JobState.RUNNING)
    for step in (10, 20):
        store.change(job, step=step)
        page = client.get("/").text
        assert f'data-tab="1 running · Jobs" data-progress="{step}"' in page
        assert f"{step} / 100 steps" in page
    assert "data-progress" not in client.get("/?state=failed").text


def test_a_job_that_is_deleted_between_the_two_reads_has_no_row(many):
    with many.test_request_context("/"):
        lines = listing.lines(limit=3)
        db.session.execute(delete(Job).where(Job.id == 59))
        assert [p.job.id for p in kept_rows.parts_of(lines, set()) if p.job] == [60, 58]


def test_everything_that_is_told_above_the_table_changes_its_version(many):
    seen = {listing.queue().version}
    for key in ("queue", "held", store.CLUSTER_NOTICE):
        store.remember(key, f"{key} says this")
        seen.add(listing.queue().version)
        store.remember(key, f"{key} says that")
        seen.add(listing.queue().version)
    assert len(seen) == 7
    assert listing.queue().held == "held says that"
    assert not listing.queue().paused


def test_jobs_with_a_copy_are_found_whether_their_numbers_lie_close_or_not(many):
    for job_id, state, path in (
        (3, "verified", "a.safetensors"), (4, "verified", "a.txt"), (5, "waiting", "a.safetensors"),
        (6, "verified", "b.safetensors"), (60, "verified", "a.safetensors"),
    ):  # fmt: skip
        row = Delivery(job_id=job_id, target="x", source=path, path=path, created=0.0)
        row.state = state
        db.session.add(row)
    db.session.commit()
    assert delivery.jobs_with_copy([3, 4, 5]) == {3}
    assert delivery.jobs_with_copy([3, 60]) == {3, 60}
    assert delivery.jobs_with_copy([]) == set()


def test_a_row_of_the_table_is_drawn_anew_when_the_job_changes_or_is_another(
    client, job, monkeypatch
):
    assert client.get("/").text == client.get("/").text
    store.change(job, step=7)
    assert "7 / 9 steps" in client.get("/").text
    monkeypatch.setattr(delivery, "jobs_with_copy", lambda ids: {*ids})
    assert "backed up" in client.get("/").text
    version, document = job.version, job.document
    store.delete(job)
    db.session.add(Job(id=1, name="another", family="sd15", engine="kohya_ss", document=document,
                       state="queued", created=12345.0, version=version))  # fmt: skip
    db.session.commit()
    assert "another" in client.get("/").text


def test_the_table_has_one_poll_for_the_region_and_none_per_row(client, job):
    assert client.get("/").text.partition('id="jobs-table"')[2].count("hx-trigger") == 1


def test_a_job_that_is_over_tells_how_long_it_ran_with_all_attempts(client, job):
    for number, ran in ((1, 60), (2, 125)):
        store.move(job, JobState.STARTING, attempt=number)
        attempt = store.open_attempt(job, number=number)
        store.change_attempt(attempt, started=1000.0 * number, ended=1000.0 * number + ran)
        store.move(job, JobState.FAILED if number == 2 else JobState.QUEUED)
    row = client.get("/").text.split('data-label="Time">')[1].split("</td>")[0]
    assert row == "<small>took</small> 3 min 05 s"


def test_a_job_that_never_ran_took_no_time(client, job):
    client.post("/jobs/1/stop")
    assert 'class="num none" data-label="Time">–</td>' in client.get("/").text
