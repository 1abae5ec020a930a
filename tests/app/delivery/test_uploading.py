"""Copies on the Hub, in a bucket and on an rclone remote: verified, cut, spoiled, changed."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from app import delivery, tasks
from app.errors import ConflictError, InvalidSpecError
from app.jobs import listing, service, store
from app.jobs.states import JobState
from app.platform import EXTENSION
from tests.support.finished import finished_job
from tests.support.platform import make_app
from tests.support.repos import TOKEN, repos

# What the libraries of a child warn each other of is not ours.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

EVERYTHING = ("lora", "checkpoints", "samples", "config")


@pytest.fixture
def hub():
    with repos() as held:
        yield held


@pytest.fixture
def app(tmp_path, hub, monkeypatch):
    # huggingface_hub reads some of it at its import: the stand-in speaks no Xet.
    from huggingface_hub import constants
    from huggingface_hub.utils import _http

    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    # What was cut is asked again at once; the library waits a second before it does.
    hurried = SimpleNamespace(**{**vars(time), "sleep": lambda _seconds: None})
    monkeypatch.setattr(_http, "time", hurried)
    app = make_app(tmp_path, {"HF_ENDPOINT": hub.address, "HF_TOKEN": TOKEN})
    with app.app_context():
        yield app


@pytest.fixture
def rclone(tmp_path, monkeypatch):
    """A stand-in on the path; the folder that its remotes lie in."""
    root = tmp_path / "remotes"
    (tmp_path / "bin").mkdir()
    root.mkdir()
    program = tmp_path / "bin/rclone"
    source = Path(__file__).parents[2] / "support/rclone.py"
    # It imports the standard library alone, and starts twice as fast where it looks for nothing else.
    program.write_text(f"#!{sys.executable} -IS\n" + source.read_text())
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("RCLONE_FAKE_ROOT", str(root))
    monkeypatch.setenv("HF_TOKEN", "hf_not_for_rclone")
    return root


def run(app):
    """Do what waits; the sentences it ended with."""
    return app.extensions[EXTENSION].tasks.run_all()


def states(job):
    return {row.path: delivery.state_of(row) for row in delivery.rows(job.id)}


def test_the_hub_gets_a_private_repository_with_a_card_and_every_hash_is_verified(app, hub):
    target = delivery.add("hub", {"place": "{name}-{id}", "licence": "mit"}, EVERYTHING)
    job = finished_job(app)
    delivery.start(job, target.id)
    shown = listing.queue().version
    assert run(app) == [""]
    assert listing.queue().version != shown, "the table shows that it is backed up"
    assert set(states(job).values()) == {"verified"}
    files = hub.files["me/dog-1"]
    assert set(files) == set(states(job))
    assert files["dog.safetensors"] == b"finished" * 300
    assert hub.private["me/dog-1"] is True
    head, text = files["README.md"].decode().split("---\n")[1:]
    card = yaml.safe_load(head)
    assert card["base_model"] == "stable/sd-15"
    assert (card["instance_prompt"], card["license"]) == ("zxq dog", "mit")
    assert [w["text"] for w in card["widget"]] == ["zxq dog on a beach", "a zxq dog | asleep"]
    assert all(w["output"]["url"] in files for w in card["widget"])
    assert "| Network | lora, rank" in text
    assert delivery.is_backed_up(job)
    assert delivery.pending([job]) == []
    assert delivery.jobs_with_copy([job.id]) == {job.id}
    told = [event.reason for event in store.events(job.id)][-1]
    assert told == f"copied to Hugging Face: {len(files)} files verified there"


def test_a_cut_upload_goes_on_and_sends_nothing_twice(app, hub):
    target = delivery.add("hub", {"place": "{name}-{id}"}, ("lora", "config"))
    job = finished_job(app)
    task = delivery.start(job, target.id)
    # Its own library tries a few times before it gives up.
    hub.cut_next = 1
    [sentence] = run(app)
    assert sentence in ("", "The connection to the Hub was cut.") or "was cut" in sentence
    if sentence:
        tasks.retry(tasks.get(task.id))
        assert run(app) == [""]
    assert set(states(job).values()) == {"verified"}
    before = len(hub.asked)
    delivery.start(job, target.id)
    assert run(app) == [""]
    assert not [asked for asked in hub.asked[before:] if "PUT" in asked or "commit" in asked]


def test_a_wrong_hash_is_reported_and_never_counted(app, hub):
    target = delivery.add("hub", {"place": "{name}-{id}"}, ("lora", "config"))
    job = finished_job(app)
    hub.spoil = "dog.safetensors"
    task = delivery.start(job, target.id)
    [sentence] = run(app)
    assert sentence.startswith("1 of 5 files could not be verified")
    assert "its sha256 is" in sentence
    assert states(job)["dog.safetensors"] == "failed"
    assert not delivery.is_backed_up(job)
    assert delivery.pending()
    hub.spoil = ""
    tasks.retry(tasks.get(task.id))
    assert run(app) == [""]
    assert delivery.is_backed_up(job)
    assert not delivery.pending()


def test_a_file_written_anew_after_its_upload_is_backed_up_no_more(app, hub):
    target = delivery.add("hub", {"place": "{name}-{id}"}, ("lora",))
    job = finished_job(app)
    delivery.start(job, target.id)
    run(app)
    path = service.run_dir(job).output / "dog.safetensors"
    path.write_text("another" * 300)
    assert states(job)["dog.safetensors"] == "changed"
    assert not delivery.is_backed_up(job)
    delivery.start(job, target.id)
    assert run(app) == [""]
    assert hub.files["me/dog-1"]["dog.safetensors"] == b"another" * 300
    path.unlink()
    assert states(job)["dog.safetensors"] == "verified"


def test_without_a_valid_token_the_sentence_says_so(tmp_path, hub):
    app = make_app(tmp_path / "other", {"HF_ENDPOINT": hub.address})
    with app.app_context():
        target = delivery.add("hub", {"place": "x-{id}", "token": "hf_wrong"}, ("lora",))
        delivery.start(finished_job(app), target.id)
        assert run(app) == ["The Hub does not know this token. Set a valid one with write access."]
        names = [row.remote + row.error for row in delivery.rows(1)]
        assert "hf_wrong" not in "".join(names)


def test_two_jobs_never_share_a_place(app):
    target = delivery.add("hub", {"place": "one"}, ("lora",))
    delivery.start(finished_job(app), target.id)
    with pytest.raises(ConflictError, match="would be overwritten"):
        delivery.start(finished_job(app), target.id)


def test_a_job_that_succeeded_goes_to_its_automatic_targets_by_itself(app):
    delivery.Watcher().tick()
    delivery.add("hub", {"place": "{name}-{id}", "automatic": "success"}, ("lora",))
    delivery.add("rclone", {"place": "drive:x/{id}", "automatic": "always"}, ("lora",))
    good, bad = finished_job(app), finished_job(app, JobState.FAILED)
    assert delivery.pending()
    for _ in range(2):
        delivery.Watcher().tick()
    places = [(row.job_id, row.remote) for job in (good, bad) for row in delivery.rows(job.id)]
    assert sorted(set(places)) == [(1, "dog-1"), (1, "drive:x/1"), (2, "drive:x/2")]
    assert len(tasks.active("delivery.")) == 3
    assert delivery.pending([bad]) == ["Job 2, dog: 1 file waiting."]


def test_rclone_never_waits_for_a_password_that_nobody_types(app, rclone):
    job = finished_job(app)
    delivery.start(job, delivery.add("rclone", {"place": "a:{id}"}, ("lora",)).id)
    ends, before = os.pipe(), os.dup(0)
    os.dup2(ends[0], 0)  # as the child of a server has it: open, and silent
    try:
        assert run(app) == [""]
    finally:
        os.dup2(before, 0)
        [os.close(end) for end in (before, *ends)]


def test_a_report_that_is_written_after_the_end_follows_the_other_files(app, rclone):
    watcher = delivery.Watcher()
    watcher.tick()
    target = {"place": "drive:x/{id}", "automatic": "success"}
    delivery.add("rclone", target, ("lora", "report"))
    job = finished_job(app)
    store.change(job, finished=time.time())
    watcher.tick()
    run(app)
    written = service.run_dir(job).output / "report.html"
    written.write_text("<p>it went well")
    assert delivery.pending([job]) == ["Job 1, dog: 1 file not sent."]
    delivery.Watcher().tick()
    assert run(app) == [""]
    assert set(states(job)) == {"dog.safetensors", "report.html"}
    assert not delivery.pending()


def test_a_lora_that_was_sent_nowhere_is_named(app):
    job = finished_job(app)
    assert delivery.pending() == [f"Job {job.id}, dog: its LoRA was sent nowhere."]
    assert delivery.pending()


def test_what_waits_for_a_removed_target_keeps_nothing_pending(app, rclone):
    job = finished_job(app)
    delivery.start(job, delivery.add("rclone", {"place": "a:{id}"}, ("lora",)).id)
    assert run(app) == [""]
    gone = delivery.add("rclone", {"place": "b:{id}"}, ("lora",))
    delivery.start(job, gone.id)
    assert delivery.pending()
    delivery.remove(gone.id)
    run(app)
    delivery.Watcher().tick()
    assert not delivery.pending()


def test_rows_that_nobody_is_at_are_taken_up_again(app, rclone):
    target = delivery.add("rclone", {"place": "a:{id}"}, ("lora",))
    job = finished_job(app)
    delivery.start(job, target.id)
    run(app)
    delivery.store.change(delivery.rows(job.id)[0].id, state="waiting")
    delivery.Watcher().tick()
    assert run(app) == [""]
    assert not delivery.pending()


def test_rclone_copies_and_is_told_no_secret(app, rclone):
    target = delivery.add("rclone", {"place": "drive:loras/{id}"}, ("lora", "config"))
    job = finished_job(app)
    delivery.start(job, target.id)
    assert run(app) == [""]
    assert set(states(job).values()) == {"verified"}
    assert (rclone / "drive/loras/1/dog.safetensors").read_text() == "finished" * 300
    calls = [json.loads(line) for line in (rclone / "calls").read_text().splitlines()]
    assert not [call for call in calls if "HF_TOKEN" in call["env"]]


def test_rclone_goes_on_after_a_cut_and_reads_back_where_no_hash_is_kept(
    app, rclone, tmp_path, monkeypatch
):
    monkeypatch.setenv("RCLONE_FAKE_HASHES", "none")
    monkeypatch.setenv("RCLONE_FAKE_FAIL", str(tmp_path / "fail"))
    (tmp_path / "fail").write_text("1")
    target = delivery.add("rclone", {"place": "drive:loras/{id}"}, ("lora",))
    job = finished_job(app)
    task = delivery.start(job, target.id)
    assert run(app) == ["rclone copyto ended with code 5; the log tells more."]
    tasks.retry(tasks.get(task.id))
    assert run(app) == [""]
    (rclone / "drive/loras/1/dog.safetensors").write_text("spoiled!" * 300)
    store_row = delivery.rows(job.id)[0]
    delivery.store.change(store_row.id, state="waiting")
    monkeypatch.setattr(shutil, "which", lambda _name: str(tmp_path / "bin/rclone"))
    delivery.store.run_again(job.id, target.id)
    assert run(app) == [""]  # seen to be wrong, sent again, verified
    assert (rclone / "drive/loras/1/dog.safetensors").read_text() == "finished" * 300


def test_places_that_carry_a_key_or_leave_their_folder_are_refused(app):
    for kind, place in (
        ("rclone", ":s3,secret_access_key=x:bucket"),
        ("rclone", "--config=x:y"),
        ("s3", "bucket/../other"),
        ("hub", "a/b/c"),
    ):
        with pytest.raises(InvalidSpecError):
            delivery.add(kind, {"place": place}, ("lora",))
    with pytest.raises(InvalidSpecError):
        delivery.add("s3", {"place": "bucket/x", "endpoint": "https://key:secret@host"}, ("lora",))


def test_a_checkpoint_that_was_pruned_before_it_was_sent_is_told_and_holds_nothing_up(app, rclone):
    target = delivery.add("rclone", {"place": "drive:{id}"}, ("checkpoints",))
    job = finished_job(app)
    task = delivery.start(job, target.id)
    (service.run_dir(job).output / "dog-000001.safetensors").unlink()
    assert run(app) == [""]
    assert tasks.result_of(tasks.get(task.id))["gone"] == ["dog-000001.safetensors"]
    assert delivery.pending([job]) == []
    assert store.get(job.id).status is JobState.SUCCEEDED
