"""Pages and fragments: what they show, how polls end, how files come down."""

from __future__ import annotations

import io
import json
import struct
import zipfile

import pytest

from app.jobs import service, store
from app.jobs.states import JobState
from tests.support import showcase
from tests.support.polls import poll_of


def write_lora(path, metadata=None):
    header = {"a.lora_down.weight": {"dtype": "F32", "shape": [4, 1], "data_offsets": [0, 16]}}
    header["__metadata__"] = metadata or {}
    text = json.dumps(header).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(struct.pack("<Q", len(text)) + text + bytes(16))


@pytest.fixture
def output(job):
    return service.run_dir(job).output


def finish(job):
    store.move(job, JobState.STARTING, attempt=1)
    store.open_attempt(job, number=1)
    store.move(job, JobState.RUNNING)
    store.move(job, JobState.FAILED, "the GPU ran out of memory", suggestion="Use batch size 1.")


def test_the_jobs_page_teaches_when_it_is_empty(client):
    page = client.get("/").text
    assert "Train your first LoRA" in page


def test_a_poll_with_nothing_new_is_answered_with_204(client, job):
    address = poll_of(client.get("/").text, "jobs-table")
    assert client.get(address).status_code == 204
    store.change(job, step=3)
    answer = client.get(address)
    assert answer.status_code == 200
    assert "3 / 9 steps" in answer.text


def test_a_final_job_page_polls_no_more(client, job):
    assert client.get("/jobs/1").text.count("hx-get") >= 3
    finish(job)
    page = client.get("/jobs/1").text
    assert "every " not in page
    assert "The GPU ran out of memory" in page
    assert "Use batch size 1." in page


def test_a_failed_job_never_says_succeeded(client, job):
    finish(job)
    assert "succeeded" not in client.get("/").text.split("<main")[1]


def test_filters_and_search_show_what_matches(client, job):
    assert "dog" in client.get("/?state=queued&q=do").text
    assert "No job matches" in client.get("/?state=failed").text
    assert "No job matches" in client.get("/?q=cat").text


def test_a_job_that_does_not_exist_is_a_plain_404(client):
    answer = client.get("/jobs/77")
    assert answer.status_code == 404
    assert "There is no job 77" in answer.text
    assert client.get("/api/v1/jobs/77").get_json()["error"].startswith("There is no job 77")


def test_stop_and_delete_ask_first_and_work_as_plain_forms(app, client, job):
    assert "nothing is lost" in client.get("/jobs/1/stop").text
    assert client.post("/jobs/1/stop").status_code == 303
    assert store.get(1).state == "cancelled"
    assert "removed for good" in client.get("/jobs/1/delete").text
    assert client.post("/jobs/1/delete").location == "/"
    assert service.page().jobs == ()


def test_an_action_that_came_too_late_is_a_conflict_and_says_so(client, job):
    client.post("/jobs/1/stop")
    answer = client.post("/jobs/1/stop")
    assert answer.status_code == 409
    assert "Job 1 is over (cancelled), so there is nothing to stop." in answer.text
    assert '<a class="button main" href="/jobs/1">Back to the job</a>' in answer.text


def test_artifacts_show_step_size_and_metadata(client, job, output):
    write_lora(output / "dog-000002.safetensors", {"ss_network_dim": "4"})
    page = client.get("/jobs/1").text
    assert "dog-000002.safetensors" in page
    assert "ss_network_dim: 4" in page


def test_a_torn_checkpoint_is_marked_incomplete(client, job, output):
    write_lora(output / "dog-000002.safetensors")
    path = output / "dog-000002.safetensors"
    path.write_bytes(path.read_bytes()[:-3])
    assert "incomplete" in client.get("/jobs/1").text


def test_a_file_comes_down_whole_or_by_range(client, job, output):
    write_lora(output / "dog.safetensors")
    data = (output / "dog.safetensors").read_bytes()
    answer = client.get("/jobs/1/files/dog.safetensors", buffered=True)
    assert answer.data == data
    assert "attachment" in answer.headers["Content-Disposition"]
    part = client.get(
        "/jobs/1/files/dog.safetensors", headers={"Range": "bytes=4-9"}, buffered=True
    )
    assert (part.status_code, part.data) == (206, data[4:10])


@pytest.mark.parametrize(
    "path",
    ["../spec.yaml", "..%2fspec.yaml", "%2e%2e/spec.yaml", "/etc/passwd", "link", "sub", "nul%00"],
)
def test_no_path_leads_out_of_the_output_folder(client, job, output, path):
    (output / "sub").mkdir(parents=True)
    (output / "link").symlink_to("/etc/passwd")
    answer = client.get(f"/jobs/1/files/{path}", follow_redirects=True)
    assert answer.status_code in (400, 404)
    assert "root:" not in answer.text
    assert "family" not in answer.text.split("</header>")[-1]


def test_everything_as_one_zip_is_a_sound_archive_and_takes_ranges(client, job, output):
    write_lora(output / "dog.safetensors")
    write_lora(output / "dog-000001.safetensors")
    whole = client.get("/jobs/1/all.zip")
    with zipfile.ZipFile(io.BytesIO(whole.data)) as archive:
        assert archive.testzip() is None
        assert {"dog.safetensors", "dog-000001.safetensors", "spec.yaml"} <= set(archive.namelist())
        assert archive.read("dog.safetensors") == (output / "dog.safetensors").read_bytes()
    assert int(whole.headers["Content-Length"]) == len(whole.data)
    size = len(whole.data)
    for first, last in ((0, 0), (10, 200), (size - 30, size - 1), (50, size - 50)):
        part = client.get("/jobs/1/all.zip", headers={"Range": f"bytes={first}-{last}"})
        assert (part.status_code, part.data) == (206, whole.data[first : last + 1])
    assert client.get("/jobs/1/all.zip", headers={"Range": f"bytes={size}-"}).status_code == 416


def test_the_log_comes_in_pieces_and_is_never_sent_twice(client, job):
    store.move(job, JobState.STARTING, attempt=1)
    log = service.run_dir(job).attempt(1).log
    log.parent.mkdir(parents=True)
    log.write_text("one\ntwo\n<b>\rbar 1")
    page = client.get("/jobs/1/log?after=0")
    assert "one\ntwo\n" in page.text
    assert "bar 1" in page.text
    assert "<b>" not in page.text
    address = poll_of(page.text, "log-next")
    assert client.get(address).status_code == 204
    with log.open("a") as file:
        file.write("\rbar 2\nthree\n")
    more = client.get(address).text
    assert "three" in more
    assert "one" not in more


def test_the_log_of_an_older_attempt_is_not_polled_and_a_new_one_draws_the_page_again(client, job):
    store.move(job, JobState.STARTING, attempt=2)
    for number in (1, 2):
        log = service.run_dir(job).attempt(number).log
        log.parent.mkdir(parents=True)
        log.write_text(f"attempt {number}\n")
    older = client.get("/jobs/1?attempt=1").text
    assert "attempt 1\n" in older
    assert 'hx-get="/jobs/1/log' not in older
    answer = client.get("/jobs/1/log?attempt=1&live=1&after=0")
    assert answer.headers["HX-Refresh"] == "true"


def test_the_log_of_an_attempt_downloads_as_it_is(client, job):
    store.move(job, JobState.STARTING, attempt=1)
    log = service.run_dir(job).attempt(1).log
    log.parent.mkdir(parents=True)
    log.write_bytes(b"a\rb\n\xff")
    answer = client.get("/jobs/1/attempts/1/log.txt", buffered=True)
    assert answer.data == b"a\rb\n\xff"


def test_healthz_is_open_and_says_nothing_private(client, app):
    answer = client.get("/healthz")
    assert answer.status_code == 200
    assert set(answer.get_json()) == {
        "status",
        "database",
        "supervisor",
        "disk",
        "last_tick_seconds",
    }


def test_secrets_are_not_shown_on_the_system_page(tmp_path, env):
    from tests.support.platform import make_app

    app = make_app(tmp_path / "s", {**env, "AUTH_TOKEN": "hush-token", "HF_TOKEN": "hf_hush"})
    page = app.test_client().get("/system", headers={"Authorization": "Bearer hush-token"}).text
    assert "hush" not in page
    assert "DISK_SOFT_GB" in page


def test_text_is_compressed_and_static_files_are_kept_for_ever(client):
    page = client.get("/jobs/new", headers={"Accept-Encoding": "gzip"})
    assert page.headers["Content-Encoding"] == "gzip"
    html = client.get("/").text
    script = html.split('<script src="')[1].split('"')[0]
    answer = client.get(script, headers={"Accept-Encoding": "gzip"})
    assert "immutable" in answer.headers["Cache-Control"]
    assert answer.headers["Content-Encoding"] == "gzip"


def test_the_vendored_scripts_are_the_ones_their_checksums_name():
    import hashlib

    from app.settings import ROOT

    folder = ROOT / "static" / "vendor"
    lines = (folder / "CHECKSUMS").read_text().split("\n")
    named = {name: digest for digest, _, name in (line.partition("  ") for line in lines if line)}
    found = {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.glob("*.*s")}
    assert found == named


def test_the_api_submits_and_shows_the_same_job(app, client, form, tmp_path, pictures):
    document = {
        "name": "cat", "family": "sd15", "base_model": form["base_model"], "length": {"epochs": 2},
        "datasets": [{"path": str(pictures), "resolution": 64}], "engine": "kohya_ss",
    }  # fmt: skip
    answer = client.post("/api/v1/jobs?hold=1", json=document)
    assert answer.status_code == 201
    job = answer.get_json()
    assert {"id", "name", "engine", "family", "state", "reason", "attempt", "step", "total_steps",
            "loss", "created", "started", "finished"} <= set(job)  # fmt: skip
    assert (job["state"], job["total_steps"]) == ("queued", 6)
    refused = client.post("/api/v1/jobs", json={**document, "length": {"steps": 0}})
    assert refused.status_code == 422
    assert "length.steps" in refused.get_json()["errors"]


def test_the_tab_tells_the_progress_of_a_job_and_how_many_run(app, client, job):
    assert " · dog · Vast LoRA</title>" in client.get("/jobs/1").text
    with app.app_context():
        store.move(store.get(1), JobState.STARTING, attempt=1)
        store.move(store.get(1), JobState.RUNNING)
        store.change(store.get(1), step=43, total_steps=100)
    page = client.get("/jobs/1").text
    assert "<title>43 % · dog · Vast LoRA</title>" in page
    assert 'data-tab="43 % · dog" data-progress="43" data-tab-state="running"' in page
    assert "<title>1 running · Jobs · Vast LoRA</title>" in client.get("/").text


def test_a_page_comes_in_the_theme_that_was_chosen_and_in_no_other(client):
    for cookie, theme in (("dark", ' data-theme="dark"'), ('"><b>', ""), ("", "")):
        client.set_cookie("theme", cookie)
        assert client.get("/").text.startswith(f'<!doctype html>\n<html lang="en"{theme}>')


def test_every_page_without_a_number_in_its_address_is_shown_to_axe(client):
    """A new page that nobody adds to the showcase would be looked at by no browser test."""
    rules = [rule for rule in client.application.url_map.iter_rules() if not rule.arguments]
    addresses = [r.rule for r in rules if r.methods and "GET" in r.methods]
    whole = set()
    for path in addresses:
        with client.get(path) as answer:
            whole |= {path} if b"<!doctype html>" in answer.data[:100] else set()
    assert whole - {path.partition("?")[0] for path in showcase.PAGES.values()} == set()
