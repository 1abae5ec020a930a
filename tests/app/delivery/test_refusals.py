"""What each place says where it refuses, is cut off or is not there at all."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from app import delivery
from app.delivery import uploading
from app.delivery.rclone import RcloneRemote
from app.delivery.uploading import measure
from app.errors import ConflictError, UserError
from app.jobs import store
from app.platform import EXTENSION
from app.settings import HUB_OFFLINE
from app.tasks import RetryLaterError
from tests.support.finished import finished_job

# What the libraries of a child warn each other of is not ours.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture
def rclone(tmp_path, monkeypatch):
    """A stand-in on the path; the folder that its remotes lie in."""
    root, program = tmp_path / "remotes", tmp_path / "bin/rclone"
    root.mkdir()
    program.parent.mkdir()
    source = Path(__file__).parents[2] / "support/rclone.py"
    program.write_text(f"#!{sys.executable} -IS\n" + source.read_text())
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("RCLONE_FAKE_ROOT", str(root))
    return root


def run(app):
    """Do what waits; the sentences it ended with."""
    return app.extensions[EXTENSION].tasks.run_all()


def raising(error):
    """A call that ends so, whatever it is given."""

    def call(*_given, **_more):
        raise error

    return call


def local(tmp_path, text="finished"):
    path = tmp_path / "dog.safetensors"
    path.write_text(text)
    return measure(path, path.name)


def test_without_a_token_the_hub_is_not_asked(app):
    target = delivery.add("hub", {"place": "x-{id}"}, ("lora",))
    job = finished_job(app)
    delivery.start(job, target.id)
    assert run(app) == [
        "No Hugging Face token is set. Set HF_TOKEN, or type one in on the Settings page."
    ]
    assert not delivery.is_backed_up(job)


def _uploading(cause):
    """As huggingface_hub tells of a file that failed on its way."""
    error = RuntimeError("Error while uploading 'dog.safetensors' to the Hub.")
    error.__cause__ = cause
    return error


def _refusal(status):
    from huggingface_hub.errors import HfHubHTTPError

    return HfHubHTTPError(
        "no", response=SimpleNamespace(status_code=status, headers={}, request=None)
    )


def _offline():
    from huggingface_hub.errors import OfflineModeIsEnabled

    return OfflineModeIsEnabled("offline")


@pytest.mark.parametrize(
    ("error", "kind", "sentence"),
    [
        (_offline, UserError, HUB_OFFLINE),
        (lambda: ConnectionError("reset"), RetryLaterError, "was cut (ConnectionError)"),
        (lambda: _uploading(_refusal(403)), UserError, "This token may not write there"),
        (lambda: _uploading(_refusal(503)), RetryLaterError, "The Hub answered with HTTP 503"),
        (lambda: _uploading(TimeoutError()), RetryLaterError, "The connection to the Hub was cut"),
        (lambda: RuntimeError("a mistake of ours"), RuntimeError, "a mistake of ours"),
    ],
)
def test_whatever_the_library_of_the_hub_raises_is_a_refusal_a_cut_or_our_mistake(
    error, kind, sentence
):
    from app.delivery.hub import HubRemote

    remote = HubRemote("me/dog", "http://127.0.0.1:9", "hf_x", private=True)
    remote._api = SimpleNamespace(create_repo=raising(error()))
    with pytest.raises(kind) as told:
        remote.prepare()
    assert sentence in str(told.value)


@pytest.fixture(scope="module")
def bucket():
    """A remote whose client each test replaces: making one takes most of such a test's time."""
    from app.delivery.s3 import S3Remote

    return S3Remote("loras/mine", "http://127.0.0.1:9", "", ("id", "key"))


def _answer(code, status):
    from botocore.exceptions import ClientError

    about = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(about, "ListObjectsV2")


def _botocore(name, **words):
    from botocore import exceptions

    return getattr(exceptions, name)(**words)


@pytest.mark.parametrize(
    ("error", "kind", "sentence"),
    [
        (lambda: _answer("NoSuchBucket", 404), UserError, "There is no bucket loras. Make it, or"),
        (lambda: _answer("AccessDenied", 403), UserError, "refused the key (AccessDenied). Check"),
        (lambda: _answer("SlowDown", 503), RetryLaterError, "The bucket answered with SlowDown"),
        (lambda: _answer("InvalidArgument", 400), UserError, "refused it (InvalidArgument)"),
        (lambda: _botocore("NoCredentialsError"), UserError, "No key is set for this bucket. Add"),
        (
            lambda: _botocore("EndpointConnectionError", endpoint_url="http://x"),
            RetryLaterError,
            "The connection to the bucket was cut (EndpointConnectionError)",
        ),
        (
            lambda: _botocore("ParamValidationError", report="a bad name"),
            UserError,
            "The bucket could not be used: ",
        ),
    ],
)
def test_whatever_a_bucket_answers_is_a_refusal_or_a_cut(bucket, error, kind, sentence):
    bucket._client = SimpleNamespace(list_objects_v2=raising(error()))
    with pytest.raises(kind) as told:
        bucket.prepare()
    assert sentence in str(told.value)
    assert isinstance(told.value, UserError) is (kind is UserError)


def test_a_bucket_without_the_file_says_so_and_one_cut_while_read_back_is_asked_again(
    bucket, tmp_path
):
    file = local(tmp_path)
    bucket._client = SimpleNamespace(head_object=raising(_answer("404", 404)))
    assert bucket.check([file]) == {}
    body = SimpleNamespace(iter_chunks=raising(_botocore("ReadTimeoutError", endpoint_url="x")))
    bucket._client = SimpleNamespace(
        head_object=lambda **_more: {"ContentLength": file.size, "ETag": '"no hash"'},
        get_object=lambda **_more: {"Body": body},
    )
    with pytest.raises(RetryLaterError, match="The connection to the bucket was cut"):
        bucket.check([file])


def test_without_rclone_on_the_machine_the_sentence_says_so(app, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    target = delivery.add("rclone", {"place": "drive:{id}"}, ("lora",))
    delivery.start(finished_job(app), target.id)
    assert run(app) == ["rclone is not installed on this machine. Install it, or use S3."]


@pytest.mark.parametrize(
    ("ends", "kind", "sentence"),
    [
        ("mkdir 3", UserError, "rclone found no such folder at drive:x. Check the place"),
        ("mkdir 7", UserError, "rclone ended with a fatal error; the log tells more."),
        ("copyto 8", UserError, "Raise that limit, then press Go on."),
        ("cat 5", RetryLaterError, "rclone could not read dog.safetensors back."),
    ],
)
def test_an_rclone_that_fails_proves_nothing_and_says_why(
    rclone, tmp_path, monkeypatch, ends, kind, sentence
):
    monkeypatch.setenv("RCLONE_FAKE_HASHES", "none")
    monkeypatch.setenv("RCLONE_FAKE_ENDS", ends)
    remote, file = RcloneRemote("drive:x", ""), local(tmp_path)
    (rclone / "drive/x").mkdir(parents=True)
    (rclone / "drive/x" / file.name).write_text("finished")
    calls = {
        "mkdir": remote.prepare,
        "copyto": lambda: remote.send([file], lambda _count, _name: None),
        "cat": lambda: remote.check([file]),
    }
    with pytest.raises(kind, match=re.escape(sentence)):
        calls[ends.split()[0]]()


def test_a_file_that_is_written_while_it_is_hashed_waits(tmp_path, monkeypatch):
    path, real = tmp_path / "dog.safetensors", uploading.digest
    path.write_text("half")

    def while_the_engine_writes(file):
        file.write_text(file.read_text() + "more")
        return real(file)

    monkeypatch.setattr(uploading, "digest", while_the_engine_writes)
    with pytest.raises(RetryLaterError, match="dog is still being written") as told:
        measure(path, "dog")
    assert told.value.seconds == 30


class Shelf:
    """A place that keeps what it is given, while the engine goes on writing the file."""

    def __init__(self):
        self.held = {}

    def prepare(self):
        return "the shelf"

    def send(self, files, _told):
        self.held |= {file.name: file.sha256 for file in files}

    def check(self, files):
        have = {file.name: "" for file in files if self.held.get(file.name) == file.sha256}
        for file in files if have else ():
            file.path.write_text(file.path.read_text() + "more")
        return have


def test_a_file_that_changes_after_each_upload_is_never_told_as_safe(app, monkeypatch):
    target = delivery.add("rclone", {"place": "drive:x/{id}"}, ("lora",))
    job, shelf = finished_job(app), Shelf()
    monkeypatch.setattr(uploading, "open_remote", lambda *_about: shelf)
    delivery.start(job, target.id)
    assert run(app) == ["Files kept changing while they were sent."]
    assert shelf.held
    assert not delivery.is_backed_up(job)


def test_what_a_job_has_none_of_is_not_sent(app):
    target = delivery.add("rclone", {"place": "drive:{id}"}, ("report",))
    job = finished_job(app)
    with pytest.raises(ConflictError, match="Job 1 has no such files"):
        delivery.start(job, target.id)
    assert delivery.rows(job.id) == []


def test_a_job_that_may_not_go_to_its_automatic_target_says_so_itself(app):
    delivery.Watcher().tick()
    target = {"place": "drive:one", "automatic": "success"}
    delivery.add("rclone", target, ("lora",))
    jobs = [finished_job(app), finished_job(app)]
    delivery.Watcher().tick()
    [note] = [e.reason for e in store.events(jobs[1].id) if "would be overwritten" in e.reason]
    assert "The files of job 1 lie at drive:one already" in note
    assert [row.job_id for job in jobs for row in delivery.rows(job.id)] == [1]
