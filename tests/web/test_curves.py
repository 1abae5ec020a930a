"""The curves of a job: numbers, picture and table, for runs of this version and of older ones."""

from __future__ import annotations

import math
import re
import shutil

import pytest

from app.jobs import curve_building, service, store
from app.jobs.curves import Curves
from app.jobs.drawing import round_ticks
from app.jobs.points import Point, append_points, read_points
from app.jobs.series import Sample, Series
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
        Curves(run.curves).build(read_points(run.metrics))
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


def test_the_axes_of_the_picture_bear_round_numbers(client, finished):
    texts = re.findall(r"<text[^>]*>([^<]*)</text>", client.get("/jobs/1/curve.svg").text)
    assert texts == ["0.1", "0.2", "0.3", "0.4", "0.5", "5", "10", "15", "20", "25", "30"]
    assert [f"{tick:g}" for tick in round_ticks(0.0204, 0.3037)] == [
        "0.05",
        "0.1",
        "0.15",
        "0.2",
        "0.25",
        "0.3",
    ]
    assert round_ticks(1, 2) != []


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


def test_what_an_older_version_left_is_drawn_once_it_was_asked_for_and_a_look_changes_nothing(
    app, client, finished
):
    shutil.rmtree(finished.curves)
    page = client.get("/jobs/1").text
    assert client.get("/jobs/1/curves.json").get_json()["names"] == []
    assert client.get("/jobs/1/curve.svg").status_code == 200
    assert not finished.curves.exists()
    assert 'action="/jobs/1/curves/build"' in page
    assert client.post("/jobs/1/curves/build").status_code == 303
    assert "Preparing the curves" in client.get("/jobs/1/curves").text
    assert app.extensions["vast-lora"].tasks.run_all() == [""]
    assert client.get("/jobs/1/curves.json").get_json()["series"]["loss"]["x"][-1] == 30


def test_the_first_start_of_this_version_looks_for_jobs_of_before_and_no_later_one(app, finished):
    shutil.rmtree(finished.curves)
    runner = app.extensions["vast-lora"].tasks
    with app.app_context():
        curve_building.Watcher().tick()
        assert runner.run_all() == [""]
        assert Curves(finished.curves).names() == ["loss", "learning_rate", "seconds_per_step"]
        curve_building.Watcher().tick()
        assert runner.run_all() == []


def test_a_page_that_holds_the_curve_is_sent_what_follows_alone(client, app, finished):
    curves = Curves(finished.curves)
    first = client.get("/jobs/1/curves.json?series=loss").get_json()["series"]["loss"]
    assert (first["count"], first["since"]) == (36, 0)
    curves.append({"loss": [Sample(n, 2, 400.0 + n, 0.2) for n in range(31, 34)]})
    more = client.get("/jobs/1/curves.json?series=loss&since=36").get_json()["series"]["loss"]
    assert (more["x"], more["count"], more["since"]) == ([31, 32, 33], 39, 36)
    # Another attempt may lie over the one before, so the whole comes again; so does a part.
    curves.append({"loss": [Sample(20, 3, 500.0, 0.3)]})
    whole = client.get("/jobs/1/curves.json?series=loss&since=39").get_json()["series"]["loss"]
    assert (whole["since"], whole["x"][-1]) == (0, 20)
    part = client.get("/jobs/1/curves.json?series=loss&since=39&from=3&to=5").get_json()
    assert part["series"]["loss"]["x"] == [3, 4, 5]


def test_the_curves_are_told_in_numbers_for_who_cannot_see_them(client, finished):
    text = client.get("/jobs/1").text.partition('id="curve-values"')[2].partition("</table>")[0]
    loss = re.findall(r"<td[^>]*>([^<]+?) <small>step (\d+)", text.partition("</tr>")[2])[:4]
    assert loss == [("0.5", "1"), ("0.03571", "14"), ("0.5", "1"), ("0.1", "30")]
    assert "some were not a number" in text
    address = re.findall(r'data-values="([^"]+)"', client.get("/jobs/1/curves/values").text)[0]
    assert client.get(address).status_code == 204


def test_a_point_written_while_an_answer_is_made_is_sent_once(client, finished, monkeypatch):
    """The next question goes on behind what was read, wherever the writer comes in between."""
    curves = Curves(finished.curves)
    writes = iter(Sample(n, 2, 400.0 + n, 0.2) for n in range(31, 40))
    runs, between = Series.runs, Series.between

    def written_before(reading):
        def read(self, *args, **kwargs):
            curves.append({"loss": [next(writes)]})
            return reading(self, *args, **kwargs)

        return read

    monkeypatch.setattr(Series, "runs", written_before(runs))
    monkeypatch.setattr(Series, "between", written_before(between))
    whole = client.get("/jobs/1/curves.json").get_json()["series"]["loss"]
    since = f"/jobs/1/curves.json?series=loss&since={whole['count']}"
    more = client.get(since).get_json()["series"]["loss"]
    seen = whole["x"] + more["x"]
    assert len(seen) == len(set(seen))
    assert more["count"] == whole["count"] + len(more["x"])


def test_a_curve_that_comes_later_has_the_title_that_a_person_reads(client, finished):
    answer = client.get("/jobs/1/curves.json").get_json()
    assert answer["titles"] == ["Loss", "Learning rate", "Seconds per step"]
