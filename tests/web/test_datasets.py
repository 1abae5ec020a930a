"""The list of datasets and what is done from it: make, fetch, rename, delete, have back, download."""

from __future__ import annotations

import io
import zipfile

import pytest
from PIL import Image

from app import tasks
from app.datasets import cached, library, removing
from app.jobs import store
from app.jobs.states import JobState
from app.platform import EXTENSION
from tests.support.polls import poll_of
from tests.support.zips import picture


def get(client, address):
    """An answer that is read whole and closed, as a server does it."""
    answer = client.get(address)
    answer.read = answer.get_data()
    answer.close()
    return answer


@pytest.fixture
def run_all(app):
    return app.extensions[EXTENSION].tasks.run_all


@pytest.fixture
def dog(app, client):
    """A dataset with two captioned pictures, found on disk."""
    folder = app.extensions[EXTENSION].settings.datasets_dir / "dog"
    folder.mkdir()
    for index in range(2):
        (folder / f"{index}.png").write_bytes(picture(index))
        (folder / f"{index}.txt").write_text("a shape")
    assert client.get("/datasets").status_code == 200
    return folder


def test_folders_are_found_and_shown_with_their_counts(client, dog):
    page = client.get("/datasets").text
    assert "2 pictures · 2 captions" in page
    assert page.count("/datasets/1/thumbs/") == 2
    assert "No dataset matches" in client.get("/datasets?q=cat").text
    assert 'value="dog"' in client.get("/jobs/new").text


def test_a_dataset_that_is_gone_leads_back_to_the_list(client):
    answer = client.get("/datasets/99")
    assert answer.status_code == 404
    assert '<a class="button" href="/datasets">To the datasets</a>' in answer.text


def test_an_empty_list_offers_the_sample_dataset(client):
    assert 'action="/first-steps/sample"' in client.get("/datasets").text


def test_a_new_dataset_is_a_folder_and_a_bad_name_is_told_at_its_field(app, client):
    answer = client.post("/datasets", data={"name": " ohwx  dog "})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/datasets/1")
    assert (app.extensions[EXTENSION].settings.datasets_dir / "ohwx dog").is_dir()
    for name in ("", "a/b", ".hidden", "CON", "OHWX dog", "x" * 81):
        answer = client.post("/datasets", data={"name": name})
        assert answer.status_code == 422, name
        assert 'id="name-error"' in answer.text


def test_a_folder_elsewhere_is_used_where_it_is_and_never_deleted(app, client, pictures, run_all):
    assert client.post("/datasets/folder", data={"path": str(pictures)}).status_code == 303
    for nowhere in ("/nowhere", "~nobody-of-that-name/x"):
        answer = client.post("/datasets/folder", data={"path": nowhere})
        assert answer.status_code == 422
    assert client.post("/datasets/folder", data={"path": "/"}).status_code == 422
    assert str(pictures) in client.get("/datasets").text
    client.post("/datasets/1/delete")
    run_all()
    assert (pictures / "0.png").is_file()


def test_deleting_hides_at_once_and_undo_brings_everything_back(client, dog):
    assert client.post("/datasets/1/delete").headers["Location"] == "/datasets"
    assert not dog.exists()
    page = client.get("/datasets").text
    assert "dog was deleted" in page
    assert 'id="dataset-1"' not in page
    assert client.post("/datasets/removed/1/restore").headers["Location"] == "/datasets/1"
    assert (dog / "0.png").is_file()
    assert "2 pictures" in client.get("/datasets").text


def test_a_folder_that_another_request_made_in_between_is_told_and_not_taken(
    client, dog, monkeypatch
):
    monkeypatch.setattr(library, "_named", lambda _name: None)
    monkeypatch.setattr(type(dog), "iterdir", lambda _path: iter(()))
    answer = client.post("/datasets", data={"name": "dog"})
    assert (answer.status_code, "There is a folder dog already" in answer.text) == (422, True)
    assert (dog / "0.png").is_file()


def test_a_dataset_whose_folder_cannot_be_moved_stays_on_the_list(client, dog):
    (dog.with_name(".removed-1-dog") / "in the way").mkdir(parents=True)
    refused = client.post("/datasets/1/delete")
    assert refused.status_code == 409
    assert f"{dog} cannot be removed" in refused.text
    assert "2 pictures · 2 captions" in client.get("/datasets").text
    assert (dog / "0.png").is_file()


def test_what_was_deleted_goes_for_good_later_with_its_thumbnails(app, client, dog, run_all):
    get(client, "/datasets/1/thumbs/1.webp")
    thumbs = cached.thumbnails_of(app.extensions[EXTENSION].settings, 1)
    assert thumbs.is_dir()
    client.post("/datasets/1/delete")
    with app.app_context():
        assert tasks.latest("dataset-removed:1").not_before > 0
    client.post("/datasets/removed/1/purge")
    run_all()
    assert [*dog.parent.iterdir()] == []
    assert not thumbs.exists()
    assert client.post("/datasets/removed/1/restore").status_code == 404


def test_a_name_that_was_given_away_keeps_the_undo_waiting(client, dog):
    client.post("/datasets/1/delete")
    client.post("/datasets", data={"name": "dog"})
    answer = client.post("/datasets/removed/1/restore")
    assert answer.status_code == 409
    assert "another dog" in answer.text


def test_a_dataset_of_a_waiting_or_running_job_is_neither_deleted_nor_renamed(
    app, client, job, pictures
):
    with app.app_context():
        dataset = library.register(pictures)
        dataset.managed = True
        from app.db import db

        db.session.commit()
    for state in ("queued", "running"):
        for what in ("delete", "rename"):
            answer = client.post(f"/datasets/1/{what}", data={"name": "cat"})
            assert answer.status_code == 409
            assert f"job 1 (dog) is {state} and uses it" in answer.text
        for move in (JobState.STARTING, JobState.RUNNING) if state == "queued" else ():
            store.move(job, move)
    assert pictures.is_dir()
    store.move(job, JobState.FAILED)
    assert client.post("/datasets/1/rename", data={"name": "cat"}).status_code == 303
    assert pictures.with_name("cat").is_dir()


def test_a_thumbnail_is_small_kept_for_good_and_turned_upright(app, client, dog):
    image = Image.new("RGB", (800, 400), (9, 9, 9))
    exif = image.getexif()
    exif[0x0112] = 6
    image.save(dog / "0.jpg", exif=exif)
    with app.app_context():
        from app.datasets.scanning import scan

        scan(library.get(1))
    answer = get(client, "/datasets/1/thumbs/3.webp?v=1")
    assert "immutable" in answer.headers["Cache-Control"]
    with Image.open(io.BytesIO(answer.read)) as small:
        assert (small.format, small.size) == ("WEBP", (128, 256))
    assert client.get("/datasets/2/thumbs/3.webp").status_code == 404


def test_what_has_no_thumbnail_has_a_sign_and_no_error(app, client, dog):
    (dog / "1.png").write_bytes(b"no picture any more")
    (dog / "clip.mp4").write_bytes(b"\0\0\0\x18ftypmp42")
    (dog / "sound.wav").write_bytes(b"RIFF")
    with app.app_context():
        from app.datasets.scanning import scan

        scan(library.get(1))
    for number in (2, 3, 4):
        answer = get(client, f"/datasets/1/thumbs/{number}.webp?v=1")
        assert answer.mimetype == "image/svg+xml"
        assert answer.headers["Cache-Control"] == "private, no-cache"
    assert 'poster="/datasets/1/thumbs/3.webp' in get(client, "/datasets/1").text


def test_originals_are_given_out_and_nothing_beside_them(client, dog):
    (dog / "link.png").symlink_to("/etc/hostname")
    (dog / ".trash").mkdir()
    (dog / ".trash" / "x.png").write_bytes(b"x")
    assert get(client, "/datasets/1/files/0.png").read == (dog / "0.png").read_bytes()
    for path in (
        "../../lora.db",
        "link.png",
        ".trash/x.png",
        "%2e%2e/%2e%2e/lora.db",
        "missing.png",
    ):
        assert client.get(f"/datasets/1/files/{path}").status_code == 404, path


def test_the_zip_holds_pictures_and_captions_and_goes_on_after_a_break(client, dog):
    whole = get(client, "/datasets/1/all.zip")
    with zipfile.ZipFile(io.BytesIO(whole.read)) as archive:
        assert sorted(archive.namelist()) == ["0.png", "0.txt", "1.png", "1.txt"]
        assert archive.testzip() is None
    rest = client.get("/datasets/1/all.zip", headers={"Range": "bytes=100-"})
    assert (rest.status_code, rest.data) == (206, whole.read[100:])


def test_a_plain_form_uploads_without_script(app, client, run_all):
    client.post("/datasets", data={"name": "cat"})
    files = [(io.BytesIO(picture(3)), "a.png"), (io.BytesIO(b"a cat"), "a.txt")]
    assert client.post("/datasets/1/upload", data={"files": files}).status_code == 303
    assert run_all()[0] == ""
    assert sorted(p.name for p in (app.extensions[EXTENSION].settings.datasets_dir / "cat").iterdir()) == [
        "a.png", "a.txt",
    ]  # fmt: skip
    assert client.post("/datasets/1/upload", data={}).status_code == 400


def test_what_an_import_left_out_is_on_the_page(app, client, run_all):
    client.post("/datasets", data={"name": "cat"})
    files = [(io.BytesIO(picture(3)), "a.png"), (io.BytesIO(b"GIF89a"), "b.gif")]
    client.post("/datasets/1/upload", data={"files": files})
    run_all()
    with app.test_request_context("/datasets/1"):
        from flask import render_template

        page = render_template("fragments/dataset_upload.html", dataset=library.get(1))
    assert "1 file came in" in page
    assert "no engine trains on gif" in page
    assert "b.gif" in page


def test_a_list_with_running_work_polls_and_one_without_does_not(app, client, dog):
    assert 'hx-get="/datasets/list' not in client.get("/datasets").text
    with app.app_context():
        tasks.start("dataset.thumbnails", "dataset:1", {"dataset": 1})
    page = client.get("/datasets").text
    assert "Making thumbnails" in page
    assert client.get(poll_of(page, "datasets-list")).status_code == 204


def test_a_lost_folder_is_told_in_the_list(client, dog):
    dog.rename(dog.with_name(".elsewhere"))
    assert "is not there" in client.get("/datasets").text


@pytest.mark.parametrize(
    "address", ["file:///etc/passwd", "ftp://host/x.zip", "no spaces allowed/x"]
)
def test_an_address_that_is_none_is_told_and_no_dataset_is_left(app, client, address):
    answer = client.post("/datasets", data={"name": "cat", "address": address})
    assert answer.status_code == 422
    assert 'id="address-error"' in answer.text
    with app.app_context():
        assert list(library.all()) == []
        assert removing.removed() == []
