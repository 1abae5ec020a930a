"""Uploads in pieces: begun, sent from the right offset, gone on with after a break, brought in."""

from __future__ import annotations

import io
import os
import shutil
import subprocess

import pytest

from app.datasets import uploads
from app.errors import NotFoundError
from app.platform import EXTENSION
from tests.support.platform import make_app
from tests.support.zips import picture, zip_of


@pytest.fixture
def begin(client):
    client.post("/datasets", data={"name": "cat"})

    def begin(name="a.png", size=10, modified="1"):
        body = {"files": [{"name": name, "size": size, "modified": modified}]}
        return client.post("/datasets/1/uploads", json=body)

    return begin


def test_pieces_in_order_make_the_file_and_the_import_brings_it_in(app, client, begin):
    data = picture(5)
    found = begin(size=len(data)).json["uploads"][0]
    assert found["offset"] == 0
    address = f"/datasets/1/uploads/{found['id']}"
    assert client.put(f"{address}?offset=0", data=data[:50]).json == {"offset": 50}
    # The same file again finds its half, as after a reload.
    assert begin(size=len(data)).json["uploads"][0] == {"id": found["id"], "offset": 50}
    early = client.post("/datasets/1/uploads/import", json={"ids": [found["id"]]})
    assert (early.status_code, "not arrived whole" in early.json["error"]) == (409, True)
    assert client.post(f"{address}?offset=50", data=data[50:]).json == {"offset": len(data)}
    assert client.post("/datasets/1/uploads/import", json={"ids": [found["id"]]}).json == {
        "task": 1
    }
    platform = app.extensions[EXTENSION]
    assert platform.tasks.run_all()[0] == ""
    assert (platform.settings.datasets_dir / "cat" / "a.png").read_bytes() == data
    assert client.put(f"{address}?offset=0", data=b"").status_code == 404


def test_a_piece_in_the_wrong_place_is_told_where_to_go_on(client, begin):
    upload = begin().json["uploads"][0]["id"]
    client.put(f"/datasets/1/uploads/{upload}?offset=0", data=b"12345")
    answer = client.put(f"/datasets/1/uploads/{upload}?offset=3", data=b"45")
    assert (answer.status_code, answer.json["offset"]) == (409, 5)
    assert begin().json["uploads"] == [{"id": upload, "offset": 5}]


def test_a_piece_of_what_was_given_up_a_moment_ago_is_refused_and_not_an_error(app, begin):
    place = uploads.Uploads(app.extensions[EXTENSION].settings.data_dir, 1)
    known = place.get(begin().json["uploads"][0]["id"])
    place.forget(known.id)
    with pytest.raises(NotFoundError, match="Start it again"):
        place.append(known, 0, io.BytesIO(b"12345"))


def test_another_file_of_the_same_name_is_another_upload(begin):
    first, second = begin(modified="1").json, begin(modified="2").json
    assert first["uploads"][0]["id"] != second["uploads"][0]["id"]


def test_more_than_was_announced_is_refused(client, begin):
    upload = begin(size=3).json["uploads"][0]["id"]
    answer = client.put(f"/datasets/1/uploads/{upload}?offset=0", data=b"12345")
    assert (answer.status_code, "larger than was announced" in answer.json["error"]) == (400, True)


def test_a_file_that_never_fits_is_refused_before_a_byte_is_sent(begin):
    answer = begin(size=10**15)
    assert answer.status_code == 507
    assert "of disk are free" in answer.json["error"]


@pytest.mark.parametrize("name", ["../x.png", "/etc/x.png", "", "C:\\x.png"])
def test_a_name_that_leads_elsewhere_is_refused(begin, name):
    assert begin(name=name).status_code == 400


@pytest.mark.parametrize("body", [None, {}, {"files": []}, {"files": [{}]}, {"files": "x"}, []])
def test_nonsense_is_answered_with_a_sentence(client, begin, body):
    answer = client.post("/datasets/1/uploads", json=body)
    assert answer.status_code == 400
    assert answer.json["error"]
    assert client.put("/datasets/1/uploads/nonsense?offset=0", data=b"x").status_code == 404


def test_bytes_before_a_cut_are_kept(tmp_path):
    class Cut(io.BytesIO):
        def read(self, size=-1):
            data = super().read(size)
            if not data:
                raise ConnectionResetError("cut")
            return data

    place = uploads.Uploads(tmp_path, 1)
    upload = place.begin("a.png", 100, "1")
    with pytest.raises(uploads.UserError):
        place.append(upload, 0, Cut(b"x" * 40))
    assert upload.offset == 40
    assert place.append(upload, 40, io.BytesIO(b"y" * 60)) == 100
    assert upload.is_whole


def test_two_windows_do_not_write_into_each_other(tmp_path):
    place = uploads.Uploads(tmp_path, 1)
    upload = place.begin("a.png", 10, "1")

    class Other(io.BytesIO):
        def read(self, size=-1):
            with pytest.raises(uploads.WrongOffsetError):
                place.append(upload, 0, io.BytesIO(b"zz"))
            return super().read(size)

    assert place.append(upload, 0, Other(b"x" * 10)) == 10


def test_halves_that_nobody_goes_on_with_are_removed_after_days(tmp_path):
    place = uploads.Uploads(tmp_path, 1)
    old, new = place.begin("old.png", 9, "1"), place.begin("new.png", 9, "1")
    os.utime(old.part, (1, 1))
    uploads.clean(tmp_path)
    assert [upload.id for upload in place.all()] == [new.id]


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 70 MB that can be filled."""
    if os.geteuid() != 0 or not shutil.which("mount"):
        pytest.skip("mounting a small file system needs root")
    folder = tmp_path / "small"
    folder.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=70m", "tmpfs", str(folder)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        pytest.skip(f"no tmpfs can be mounted here: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_in_mid_upload_is_one_sentence_and_the_upload_goes_on_later(small_disk):
    app = make_app(small_disk)
    client = app.test_client()
    client.post("/datasets", data={"name": "cat"})
    body = {"files": [{"name": "a.bmp", "size": 3_000_000, "modified": "1"}]}
    upload = client.post("/datasets/1/uploads", json=body).json["uploads"][0]["id"]
    filler = small_disk / "filler"
    filler.write_bytes(b"\0" * (shutil.disk_usage(small_disk).free - 1_000_000))
    answer = client.put(f"/datasets/1/uploads/{upload}?offset=0", data=b"x" * 3_000_000)
    assert answer.status_code == 507
    assert answer.json["error"].startswith("The disk is full")
    filler.unlink()
    here = client.post("/datasets/1/uploads", json=body).json["uploads"][0]["offset"]
    assert 0 < here < 3_000_000
    rest = client.put(f"/datasets/1/uploads/{upload}?offset={here}", data=b"x" * (3_000_000 - here))
    assert rest.json == {"offset": 3_000_000}


def test_a_full_disk_while_unpacking_adds_nothing_and_goes_on_once_there_is_room(
    small_disk, monkeypatch
):
    from app.datasets.importing import unpacking

    # It would be refused beforehand; here another program fills the disk meanwhile.
    monkeypatch.setattr(unpacking, "_RESERVE", -(10**9))
    app = make_app(small_disk)
    client, tasks = app.test_client(), app.extensions[EXTENSION].tasks
    client.post("/datasets", data={"name": "cat"})
    data = zip_of({"a.png": picture(1), "big.bmp": b"\0" * 20_000_000})
    filler = small_disk / "filler"
    filler.write_bytes(b"\0" * (shutil.disk_usage(small_disk).free - 4_000_000))
    client.post("/datasets/1/upload", data={"files": [(io.BytesIO(data), "cat.zip")]})
    assert tasks.run_all() == [
        (
            "The disk is full. Nothing was added to the dataset. Free some, then press Go on: "
            "it need not be uploaded again."
        )
    ]
    folder = app.extensions[EXTENSION].settings.datasets_dir / "cat"
    assert [path for path in folder.rglob("*") if path.suffix in (".png", ".bmp", ".part")] == []
    filler.unlink()
    client.post("/tasks/1/retry")
    assert tasks.run_all()[0] == ""
    assert [path.name for path in folder.iterdir()] == ["a.png"]


def test_half_a_character_in_a_name_is_refused_in_words(begin):
    answer = begin("\ud800.png")
    assert (answer.status_code, "no name for a file" in answer.json["error"]) == (400, True)
    assert begin("a.png", modified="\ud800").status_code == 200


@pytest.mark.parametrize("size", ["1e999", "1" + "0" * 400, "NaN", "-5", "[]"])
def test_a_size_that_no_file_has_is_answered_in_words(client, begin, size):
    begin()
    body = f'{{"files": [{{"name": "a.png", "size": {size}}}]}}'
    answer = client.post("/datasets/1/uploads", data=body, content_type="application/json")
    assert (answer.status_code, "size" in answer.json["error"]) == (400, True)


def test_the_halves_of_a_dataset_that_is_gone_are_forgotten_with_a_page_that_says_so(client, begin):
    begin()
    assert client.post("/datasets/1/halves/forget").location == "/datasets/1"
    answer = client.post("/datasets/7/halves/forget")
    assert (answer.status_code, answer.mimetype) == (404, "text/html")
    assert "To the datasets" in answer.text
