"""What a job has cost, whatever the clocks say."""

from __future__ import annotations

import pytest

from app.jobs import pricing, store
from app.jobs.listing import seconds_of
from tests.support.platform import make_app


@pytest.fixture
def app(tmp_path):
    app = make_app(tmp_path, {"PRICE_PER_HOUR": "3600"})
    with app.app_context():
        yield app


def test_an_attempt_that_ended_before_it_began_by_another_clock_took_no_time(app):
    job = store.add(name="dog", family="sd15", engine="kohya_ss", document="{}")
    store.change(job, attempt=2)
    for number, (began, ended) in enumerate(((100.0, 40.0), (200.0, 210.0)), 1):
        attempt = store.open_attempt(job, number=number)
        store.change_attempt(attempt, started=began, ended=ended)
    job = store.get(job.id)
    assert pricing.seconds_used(job) == 10.0
    assert pricing.cost_so_far(app.extensions["vast-lora"], job) == 10.0
    assert seconds_of([job.id]) == {job.id: 10.0}
