"""Jobs side by side: only what differs is shown, with the samples of the same prompt beside each other."""

from __future__ import annotations

import pytest
from PIL import Image

from app.jobs import service
from app.jobs.curves import Curves
from app.jobs.series import Sample


@pytest.fixture
def two(app, client, form):
    for n, rank in ((1, "4"), (2, "16")):
        answer = client.post(
            "/jobs/",
            data={
                **form, "name": f"dog{n}", "network.rank": rank, "datasets.0.repeats": rank,
                "trigger_word": "ohwx", "sampling.prompts": "a dog at the sea", "hold": "1",
            },
        )  # fmt: skip
        assert answer.status_code == 303, answer.text
        with app.app_context():
            run = service.run_dir(service.get(n))
            Curves(run.curves).append({"loss": [Sample(s, 1, float(s), 0.1 * n) for s in (1, 2)]})
            folder = run.output / "sample"
            folder.mkdir(parents=True)
            for step in (3, 3 * n + 3):
                name = f"dog{n}_{step:06}_00_20260101000000.png"
                Image.new("RGB", (8, 8)).save(folder / name)


def test_only_the_fields_that_differ_are_shown_by_their_titles(client, two):
    page = client.get("/compare?jobs=1&jobs=2").text
    assert "Rank" in page
    assert "<td>4</td><td>16</td>" in page
    assert "Trigger word" not in page
    assert '<th scope="row">Steps done</th>' in page, "not a second row that is called Steps"
    assert 'data-jobs="1,2"' in page


def test_samples_stand_side_by_side_at_the_step_nearest_to_the_chosen_one(client, two):
    page = client.get("/compare?jobs=1,2&step=6").text
    assert "dog1 at step 6" in page
    assert "dog2 at step 3" in page or "dog2 at step 9" in page


def test_samples_stand_under_the_words_they_were_drawn_from(client, two):
    assert "<h3>ohwx, a dog at the sea</h3>" in client.get("/compare?jobs=1,2").text


def test_a_field_of_a_dataset_has_its_title_and_unit(client, two):
    page = client.get("/compare?jobs=1,2").text
    assert '<th scope="row">Repeats, dataset 1 <small>times</small></th>' in page
    assert "datasets.0" not in page


def test_the_picture_without_script_holds_both(client, two):
    answer = client.get("/compare.svg?jobs=1,2")
    assert "dog1 #1" in answer.text
    assert "dog2 #2" in answer.text


def test_nonsense_and_too_many_are_told(client, two):
    assert "is no list of job numbers" in client.get("/compare?jobs=1,x").text
    assert client.get("/compare?jobs=1,2,3,4,5,6,7").status_code == 400
    assert client.get("/compare?jobs=77").status_code == 404
    assert "Nothing to compare yet" in client.get("/compare").text


def test_the_table_of_jobs_offers_to_compare_the_ticked_ones(client, two):
    page = client.get("/").text
    assert 'name="jobs" value="2"' in page
    assert "Compare ticked" in page
