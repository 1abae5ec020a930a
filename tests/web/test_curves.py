"""The curves of a job: numbers, picture and table, for runs of this version and of older ones."""

from __future__ import annotations

import math

import pytest

from app.jobs import service, store
from app.jobs.curves import Curves
from app.jobs.points import Point, append_points
from app.jobs.series import Sample
from app.jobs.states import JobState


@pytest.fixture
def finished(app, job):
    with app.app_context():
        found = service.get(1)
        store.move(found, JobState.CANCELLED)
        run = service.run_dir(found)
        append_points(
            run.metrics,
            [Point(1, n, 100.0 + 2 * n, 0.5 / n, 1e-4) for n in range(1, 21)]
            + [Point(2, n, 300.0 + n, math.nan if n == 18 else 0.1, 1e-4) for n in range(15, 31)],
        )
        return run


def test_what_an_older_version_left_is_drawn_with_the_seam_of_its_second_attempt(client, finished):
    answer = client.get("/jobs/1/curves.json?series=loss,seconds_per_step").get_json()
    assert answer["names"] == ["loss", "learning_rate", "seconds_per_step"]
    loss = answer["series"]["loss"]
    assert loss["x"] == list(range(1, 31))
    assert loss["seams"] == [[15, 2]]
    assert loss["y"][17] is None
    assert loss["odd"] == [18]
    assert set(answer["series"]["seconds_per_step"]["y"]) == {2.0, 1.0}
    again = client.get(f"/jobs/1/curves.json?v={answer['version']}")
    assert (again.status_code, again.data) == (204, b"")


def test_a_part_is_asked_for_by_steps_or_by_time(client, finished):
    part = client.get("/jobs/1/curves.json?from=5&to=8").get_json()["series"]["loss"]
    assert part["x"] == [5, 6, 7, 8]
    part = client.get("/jobs/1/curves.json?axis=time&from=110&to=114").get_json()["series"]["loss"]
    assert part["x"] == [110.0, 112.0, 114.0]


def test_nonsense_in_the_query_is_no_error(client, finished):
    answer = client.get("/jobs/1/curves.json?from=nan&to=x&width=-5&series=../../x&axis=q")
    assert answer.status_code == 200
    assert answer.get_json()["series"]["../../x"]["x"] == []


def test_the_picture_needs_no_script(client, finished):
    answer = client.get("/jobs/1/curve.svg")
    assert answer.mimetype == "image/svg+xml"
    assert "<path" in answer.text
    assert "attempt 2" in answer.text
    assert 'src="/jobs/1/curve.svg"' in client.get("/jobs/1").text


def test_every_reading_can_be_taken_away_as_a_table(client, finished):
    lines = client.get("/jobs/1/metrics.csv").text.splitlines()
    assert lines[0] == "series,step,attempt,time,value"
    assert "loss,2,1,104.000,0.25" in lines


def test_a_series_with_an_odd_name_stays_in_its_folder(app, job, tmp_path):
    curves = Curves(tmp_path / "metrics")
    curves.append({"../lr/unet": [Sample(1, 1, 1.0, 2.0)], "loss": [Sample(1, 1, 1.0, 2.0)]})
    assert curves.names() == ["loss", "../lr/unet"]
    assert sorted(p.parent.name for p in tmp_path.rglob("*.0")) == ["metrics", "metrics"]


def test_records_that_are_read_again_after_a_restart_are_not_kept_twice(tmp_path):
    curves = Curves(tmp_path / "metrics")
    rows = [Sample(n, 1, float(n), 0.5) for n in range(1, 6)]
    curves.append({"val": rows})
    more = [*rows, Sample(6, 1, 6.0, 0.4), Sample(1, 2, 9.0, 0.3)]
    assert [(s.attempt, s.step) for s in curves.unseen("val", more)] == [(1, 6), (2, 1)]


def test_a_long_run_of_an_older_version_is_prepared_beside_the_pages_and_then_drawn(
    app, client, finished
):
    append_points(finished.metrics, [Point(3, n, 400.0 + n, 0.2, 1e-4) for n in range(31, 15_000)])
    page = client.get("/jobs/1")
    assert page.status_code == 200
    assert "Preparing the curves" in page.text
    assert client.get("/jobs/1/curves.json").get_json()["names"] == []
    assert app.extensions["vast-lora"].tasks.run_all() == [""]
    assert client.get("/jobs/1/curves.json").get_json()["series"]["loss"]["x"][-1] == 14_999
