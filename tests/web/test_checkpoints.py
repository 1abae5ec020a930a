"""Samples, log search, pinning, deleting, comparing and the report, as pages and files."""

from __future__ import annotations

import os
import re

import pytest
from PIL import Image

from app import delivery
from app.artifacts import find
from app.jobs import report, retention, service, store
from app.jobs.curves import Curves
from app.jobs.following import Following
from app.jobs.points import Point, append_points, read_points
from app.jobs.report_words import clean
from app.platform import current
from engines.adapter import ENGINES
from tests.support.artifacts import lora
from tests.support.polls import poll_of


@pytest.fixture
def output(job):
    root = service.run_dir(job).output
    root.mkdir(parents=True, exist_ok=True)
    return root


@pytest.fixture
def drawn(output):
    (output / "sample").mkdir()
    for epoch in (1, 2):
        for prompt in (0, 1):
            name = f"dog_e{epoch:06}_{prompt:02}_20261123133810_1.png"
            Image.new("RGB", (1024, 512), (epoch * 90, prompt * 90, 0)).save(
                output / "sample" / name
            )
    return output


def test_the_grid_shows_small_pictures_that_a_browser_may_keep(client, job, drawn):
    page = client.get("/jobs/1/samples").text
    assert page.count('class="shot picture"') == 4
    data = client.get("/jobs/1/samples.json").json
    whole, small, kind, _ = data["steps"][0]["cells"][0]
    assert (kind, whole in page, small in page) == ("picture", True, True)
    with client.get(small) as answer:
        assert len(answer.data) < 10_000
    assert answer.mimetype == "image/webp"
    assert "immutable" in answer.headers["Cache-Control"]
    assert client.get(f"/jobs/1/samples.json?v={data['version']}").status_code == 204
    assert client.get("/jobs/1/thumbs/../../lora.db").status_code == 404


def test_a_picture_that_is_half_written_is_served_as_it_is(client, job, drawn):
    name = "dog_e000003_00_20261123133810_1.png"
    (drawn / "sample" / name).write_bytes(b"half")
    with client.get(f"/jobs/1/thumbs/sample/{name}") as answer:
        assert answer.data == b"half"
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")


def test_all_samples_come_as_one_zip(client, job, drawn):
    assert client.get("/jobs/1/samples.zip").data[:2] == b"PK"


def test_a_pinned_checkpoint_outlives_the_engines_removal_and_is_a_copy(client, app, job, output):
    made = lora(output / "dog-000001.safetensors")
    assert client.post("/jobs/1/artifact/pin", data={"path": made.name}).status_code == 303
    assert client.post("/jobs/1/artifact/pin", data={"path": made.name}).status_code == 409
    kept = output / "kept" / made.name
    assert current().tasks.run_all() == [""]
    assert os.stat(kept).st_nlink == 1
    made.unlink()
    page = client.get("/jobs/1").text
    assert "dog-000001.safetensors" in page
    assert "pinned" in page
    found = find(output, ENGINES["kohya_ss"], "dog")
    assert [(a.file.epoch, a.file.kind) for a in found.kept] == [(1, "kept")]
    assert found.loras == ()
    client.post("/jobs/1/artifact/delete", data={"path": f"kept/{made.name}"})
    assert not kept.exists()
    told = [event.reason for event in store.get(1).events]
    assert "dog-000001.safetensors was deleted by hand" in told


def test_the_newest_save_of_a_running_job_is_not_deleted_and_no_other_file_ever(
    client, job, output
):
    lora(output / "dog-000001.safetensors")
    store.change(job, wish="")
    from app.jobs.states import JobState

    store.move(job, JobState.STARTING, attempt=1)
    answer = client.post("/jobs/1/artifact/delete", data={"path": "dog-000001.safetensors"})
    assert answer.status_code == 409
    for path in ("../spec.yaml", "sample/x.png", ""):
        assert client.post("/jobs/1/artifact/delete", data={"path": path}).status_code == 404
    assert (output / "dog-000001.safetensors").exists()


def test_what_the_engine_will_remove_next_is_said_and_told_when_it_did(app, job, output):
    for epoch in (1, 2):
        lora(output / f"dog-{epoch:06}.safetensors")
    found = find(output, ENGINES["kohya_ss"], "dog")
    spec = service.spec_of(job)
    wanted = spec.saving.every_steps
    outlook = retention.outlook(job, found, wanted)
    assert outlook.next_gone == wanted or outlook.next_gone is None
    store.change(job, total_steps=100_000)
    outlook = retention.outlook(store.get(1), found, wanted)
    assert (outlook.next_gone, outlook.at_step) == (wanted, wanted * (spec.saving.keep + 1))
    assert "is deleted when step" in outlook.sentence
    attempt = store.open_attempt(job, number=1)
    log = service.run_dir(job).attempt(1).log
    log.parent.mkdir(parents=True)
    log.write_text("removing old checkpoint: /somewhere/output/dog-000001.safetensors\n")
    following = Following(job, attempt, service.run_dir(job), ENGINES["kohya_ss"])
    following.read()
    following.write(job, attempt)
    following.write(job, attempt)
    told = [event.reason for event in store.get(1).events if "removed" in event.reason]
    assert told == [
        f"the engine removed dog-000001.safetensors: only the newest {spec.saving.keep} are kept"
    ]


def test_the_form_says_what_stays_beside_save_every(client):
    assert retention.planned(
        {"saving": {"every_steps": 250, "keep": 4}, "length": {"steps": 2000}}
    ) == (
        "8 checkpoints in 2\u202f000 steps; the newest 4 stay: step 250 is deleted when step "
        "1\u202f250 is saved, unless you pin it on the job's page."
    )
    assert retention.planned({"saving": {"every_steps": "x"}}) == ""
    page = client.get(
        "/jobs/new?family=sd15&length.steps=2000&saving.every_steps=250&saving.keep=4"
    ).text
    assert "is deleted when step" in page


def test_two_checkpoints_are_compared_and_one_is_looked_into(client, job, output):
    first = lora(
        output / "dog-000001.safetensors", metadata={"ss_network_alpha": "4", "<b>": "<i>"}
    )
    second = lora(output / "dog-000002.safetensors", rank=8)
    page = client.get(f"/jobs/1/artifacts/{first.name}").text
    assert "unet down_blocks 0" in page
    assert "&lt;i&gt;" in page
    client.post("/jobs/1/artifact/sum", data={"path": first.name})
    answer = client.post("/jobs/1/norms", data={"a": first.name, "b": second.name})
    assert answer.status_code == 303
    assert current().tasks.run_all() == ["", ""]
    assert client.get(answer.location).text.count('class="bars"') == 2
    assert 'id="sum"' in client.get(f"/jobs/1/artifacts/{first.name}").text
    assert client.post("/jobs/1/norms", data={"a": first.name, "b": first.name}).status_code == 400
    assert client.get("/jobs/1/norms?a=none&b=none").status_code == 404


def test_a_log_is_searched_and_read_without_a_script(client, job):
    folder = service.run_dir(job).attempt(1)
    folder.root.mkdir(parents=True)
    folder.log.write_text("fine\n<b>Nadel</b>\nValueError: no\nlast\n")
    store.change(job, attempt=1)
    page = client.get("/jobs/1/log/read?q=nadel").text
    assert "&lt;b&gt;Nadel&lt;/b&gt;" in page
    assert "<b>Nadel" not in page
    assert "ValueError" in client.get("/jobs/1/log/search?kind=error").text
    assert '<mark id="mark" tabindex="-1">&lt;b&gt;' in client.get("/jobs/1/log/part?at=5").text
    assert "No line with" in client.get("/jobs/1/log/search?q=zzz").text


def test_the_report_is_one_file_without_secrets_script_or_foreign_address(app, client, job, drawn):
    run = service.run_dir(job)
    lora(drawn / "dog.safetensors")
    points = [Point(1, n, 1e9 + n, 0.5 if n != 70 else 9.0, 1e-4) for n in range(1, 200)]
    append_points(run.metrics, points)
    store.note(job, "it read /home/me/private/key.txt with hf_abcdefghijklmnop <script>")
    client.post("/jobs/1/report")
    assert current().tasks.run_all() == [""]
    text = (drawn / "report.html").read_text("utf-8")
    for word in (
        "<script",
        "http://",
        "https://",
        'src="/',
        "/home/me",
        "hf_abcdef",
        str(run.root),
    ):
        assert word not in text, word
    assert text.count("data:image/jpeg;base64,") == 4
    for word in ("dog.safetensors", "<svg", "family: sd15", "…/key.txt"):
        assert word in text, word
    with client.get("/jobs/1/report.html") as answer:
        assert answer.data.startswith(b"<!doctype html>")
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


def test_a_report_never_embeds_more_than_its_budget(job, drawn, monkeypatch):
    rows = report.chosen(report.gallery.of(job).rows)
    monkeypatch.setattr(report, "MOST_PICTURE_BYTES", 3000)
    assert 0 < sum(map(len, report.embedded(rows).values())) <= 3500


def test_the_curve_of_a_report_keeps_every_spike_of_a_run_of_any_version(job):
    run = service.run_dir(job)
    assert report.curve_of(run) == ""
    losses = [(n, 7.0 if n == 12_345 else 0.5) for n in range(1, 20_001)]
    append_points(run.metrics, [Point(1, n, 1e9 + n, loss, None) for n, loss in losses])
    of_the_table = report.curve_of(run)
    Curves(run.curves).build(read_points(run.metrics))
    for drawn in (of_the_table, report.curve_of(run)):
        highest = min(float(y) for y in re.findall(r"[ML][\d.]+ ([\d.]+)", drawn))
        assert highest < 30
        assert len(drawn) < 80_000


def test_a_document_is_cleaned_of_secrets_and_private_paths():
    told = clean(
        {
            "hf_token": "abc",
            "path": "/data/me/dog",
            "keep_tokens": 1,
            "n": [1, "~/x/y"],
            "url": "org/name",
        }
    )
    assert told == {
        "hf_token": "(left out)", "path": "…/dog", "keep_tokens": 1, "n": [1, "…/y"], "url": "org/name",
    }  # fmt: skip


def test_a_finished_run_has_its_report_written(app, job):
    assert report.start(job).kind == "job.report"
    assert report.start(job).id == 1


def test_a_copy_verified_while_the_list_is_read_is_shown_by_the_next_poll(
    client, job, output, monkeypatch
):
    lora(output / "dog.safetensors")
    copies = []
    reads = delivery.backed_up

    def backed_up(job):
        found = reads(job)
        copies.append("just now")
        return found

    monkeypatch.setattr(delivery, "backed_up", backed_up)
    monkeypatch.setattr(delivery, "verified", lambda _: len(copies))
    page = client.get("/jobs/1").text
    assert client.get(poll_of(page, "job-outputs")).status_code == 200
