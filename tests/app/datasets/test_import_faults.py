"""What an import says, and what lies on disk, when the disk, the line or a file fails it."""

from __future__ import annotations

import dataclasses
import errno
import io
import shutil
import struct
from pathlib import Path
from types import SimpleNamespace

import pytest

from app import tasks
from app.datasets import importing, library, uploads
from app.datasets.importing import parquet, sorting, tables, unpacking
from app.errors import UserError
from app.settings import HUB_OFFLINE
from tests.support.tables import table
from tests.support.zips import picture, tree, zip_of


def one_table():
    return table(image=[{"bytes": picture(1), "path": "a.png"}])


def uploaded(platform, dataset, name, data):
    """The task that imports this upload."""
    place = uploads.Uploads(platform.settings.data_dir, dataset.id)
    upload = place.begin(name, len(data), "1")
    place.append(upload, 0, io.BytesIO(data))
    return importing.from_uploads(dataset, [upload])


def refusing(monkeypatch, owner, name, error, *, only=lambda path: True):
    """Have one call fail as the disk would, where ``only`` says so, until ``monkeypatch.undo``."""
    real = getattr(owner, name)

    def fails(path, *given, **more):
        if only(path):
            raise OSError(error, "No space left on device" if error == 28 else "Permission denied")
        return real(path, *given, **more)

    monkeypatch.setattr(owner, name, fails)


def left_out(result):
    return {name: row["reason"] for row in result["left_out"] for name in row["names"]}


@pytest.mark.parametrize(
    ("name", "data"), [("a.zip", zip_of({"a.png": picture(1)})), ("a.parquet", one_table())]
)
def test_what_would_not_fit_is_refused_unpacked_and_comes_in_when_there_is_room(
    empty, platform, monkeypatch, name, data
):
    task = uploaded(platform, empty, name, data)
    monkeypatch.setattr(shutil, "disk_usage", lambda _place: SimpleNamespace(free=1 << 20))
    [sentence] = platform.tasks.run_all()
    assert sentence == (
        f"{name} unpacks to 0.0 GB, and 0.0 GB of disk are free. Free some, then press Go on."
    )
    assert not [found for found in tree(library.folder(empty)) if found.endswith(".png")]
    monkeypatch.undo()
    tasks.retry(tasks.get(task.id))
    assert platform.tasks.run_all()[0] == ""
    assert list(tree(library.folder(empty))) == ["a.png"]


@pytest.mark.parametrize(
    ("module", "most", "name", "data", "sentence"),
    [
        (unpacking, 1, "a.zip", zip_of({"a.png": b"1", "b.png": b"2"}), "holds 2 files; 1 are the most"),
        (tables, 1, "a.parquet", one_table(), "holds 1 pictures; with captions 0 are the most"),
    ],
)  # fmt: skip
def test_more_files_than_a_dataset_may_have_are_refused_unpacked(
    empty, bring, monkeypatch, module, most, name, data, sentence
):
    monkeypatch.setattr(module, "MOST_FILES", most)
    with pytest.raises(UserError, match=sentence):
        bring(empty, **{name: data})
    assert tree(library.folder(empty)) == {}


def test_an_upload_of_nothing_that_is_a_dataset_s_says_so(empty, bring):
    with pytest.raises(UserError, match="nothing in it: no picture, no clip, no caption"):
        bring(empty, **{"litter.zip": zip_of({".DS_Store": b"x", "__MACOSX/._a.png": b"x"})})


def test_an_import_into_a_folder_that_is_gone_waits_for_the_folder(empty, platform):
    folder = library.folder(empty)
    task = uploaded(platform, empty, "a.png", picture(1))
    folder.rmdir()
    assert platform.tasks.run_all() == [
        f"The folder of cat, {folder}, is not there. Put it back, then press Go on."
    ]
    folder.mkdir()
    tasks.retry(tasks.get(task.id))
    assert platform.tasks.run_all()[0] == ""
    assert list(tree(folder)) == ["a.png"]


def test_a_dataset_on_another_disk_than_the_uploads_gets_a_copy(empty, platform, monkeypatch):
    data = picture(1)
    uploaded(platform, empty, "a.png", data)
    refusing(monkeypatch, Path, "rename", errno.EXDEV, only=lambda path: path.name == "part")
    assert platform.tasks.run_all()[0] == ""
    assert tree(library.folder(empty)) == {"a.png": data}
    assert not uploads.Uploads(platform.settings.data_dir, empty.id).all()


def test_an_upload_that_may_not_be_moved_stays_for_the_next_try(empty, platform, monkeypatch):
    task = uploaded(platform, empty, "a.png", picture(1))
    refusing(monkeypatch, Path, "rename", errno.EACCES, only=lambda path: path.name == "part")
    assert platform.tasks.run_all() == ["Permission denied."]
    monkeypatch.undo()
    tasks.retry(tasks.get(task.id))
    assert platform.tasks.run_all()[0] == ""
    assert list(tree(library.folder(empty))) == ["a.png"]


def declared(archive, name, size):
    """The zip with another size for one member than what comes out of it."""
    raw, told = bytearray(archive), name.encode()
    for signature, sizes, names in ((b"PK\3\4", 22, 30), (b"PK\1\2", 24, 46)):
        at = raw.find(signature)
        while raw[at + names : at + names + len(told)] != told:
            at = raw.find(signature, at + 4)
        raw[at + sizes : at + sizes + 4] = struct.pack("<I", size)
    return bytes(raw)


def spoiled(archive, name):
    """The zip with the packed bytes of one member crossed out."""
    raw = bytearray(archive)
    at = raw.find(name.encode()) + len(name)
    raw[at : at + 20] = b"\xff" * 20
    return bytes(raw)


@pytest.mark.parametrize(
    "spoil",
    [spoiled, lambda z, n: declared(z, n, 10), lambda z, n: declared(z, n, 99_999)],
    ids=["crossed out", "more than declared", "less than declared"],
)
def test_a_torn_file_in_a_zip_stays_out_and_the_others_come_in(empty, bring, spoil):
    archive = spoil(zip_of({"a.png": picture(1), "torn.png": picture(2)}), "torn.png")
    result = bring(empty, **{"a.zip": archive})
    assert left_out(result)["torn.png"].startswith("it is torn in the zip")
    assert tree(library.folder(empty)) == {"a.png": picture(1)}


def test_names_of_a_dos_zip_keep_their_letters(empty, bring):
    archive = zip_of({"d?rer.png": picture(1)}).replace(b"d?rer", b"d\x81rer")
    bring(empty, **{"a.zip": archive})
    assert list(tree(library.folder(empty))) == ["dürer.png"]


def test_caches_of_an_engine_torn_pictures_and_long_texts_stay_out_by_name(
    empty, bring, monkeypatch
):
    monkeypatch.setattr(sorting, "MOST_TABLE_BYTES", 5)
    told = left_out(bring(empty, **{"a.zip": zip_of({
        "a.png": picture(1), "a.txt": "x" * (sorting.MOST_CAPTION_BYTES + 1), "t.json": '{"a": "b"}',
        "_latent_cache/a_1.safetensors": b"numbers", "p.heic": b"\0\0\0\x18ftypheic" + b"\0" * 40,
    })}))  # fmt: skip
    assert list(tree(library.folder(empty))) == ["a.png"]
    assert (
        told["_latent_cache/a_1.safetensors"] == "it is a cache of ai-toolkit, which is made anew"
    )
    assert told["a.txt"] == "it is too large for a caption"
    assert told["t.json"] == "it is too large for a table"
    assert told["p.heic"]


@pytest.mark.parametrize("text", [b'{"a.png": "a dog"', b"[" * 100_000], ids=["cut", "deep"])
def test_a_table_of_captions_that_is_no_json_is_noted_and_the_picture_comes_in(empty, bring, text):
    result = bring(empty, **{"a.png": picture(1), "captions.json": text})
    assert {
        "what": "could not be read to its end",
        "count": 1,
        "names": ["captions.json"],
    } in result["notes"]
    assert list(tree(library.folder(empty))) == ["a.png"]


def test_a_disk_that_is_full_while_a_picture_is_converted_adds_nothing(
    empty, bring, platform, monkeypatch
):
    refusing(monkeypatch, sorting, "convert", errno.ENOSPC)
    heic = io.BytesIO()
    import pillow_heif
    from PIL import Image

    pillow_heif.from_pillow(Image.new("RGB", (64, 48))).save(heic)
    with pytest.raises(UserError, match=r"The disk is full\. Nothing was added to the dataset"):
        bring(empty, **{"a.png": picture(1), "p.heic": heic.getvalue()})
    monkeypatch.undo()
    tasks.retry(tasks.page()[0])
    assert platform.tasks.run_all()[0] == ""
    assert list(tree(library.folder(empty))) == ["a.png", "p.jpg"]


def test_a_disk_that_fails_is_not_told_as_a_torn_table(tmp_path):
    with pytest.raises(FileNotFoundError):
        parquet.Table(tmp_path / "none.parquet")


def test_an_import_from_the_hub_that_was_ordered_before_it_was_offline_says_so(empty, platform):
    importing.from_hub(empty, "me/dogs", platform.settings)
    platform.tasks._settings = dataclasses.replace(platform.settings, hf_hub_offline=True)
    assert platform.tasks.run_all() == [HUB_OFFLINE]


def test_an_empty_negative_or_refused_upload_is_told_at_once(empty, platform, monkeypatch):
    place = uploads.Uploads(platform.settings.data_dir, empty.id)
    with pytest.raises(UserError, match=r"a\.png cannot have such a size"):
        place.begin("a.png", -1, "1")
    taken = place.begin("a.png", 5, "1")
    taken.part.unlink()  # an import took it
    assert (taken.offset, taken.is_whole) == (0, False)
    refusing(monkeypatch, Path, "touch", errno.ENOSPC)
    with pytest.raises(uploads.DiskFullError, match=r"the upload of b\.png stopped. Free some"):
        place.begin("b.png", 5, "1")
