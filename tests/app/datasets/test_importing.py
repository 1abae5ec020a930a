"""What comes into a dataset, under which name, and what stays out with a reason."""

from __future__ import annotations

import errno
import io
import json
import zlib

import pillow_heif
import pytest
from PIL import Image

from app import tasks
from app.datasets import (
    examining,
    grid,
    health,
    importing,
    library,
    reading,
    scanning,
    thumbnails,
    uploads,
)
from app.errors import ConflictError, UserError
from app.models import DatasetEdit
from tests.support.zips import encrypted, overlapping, picture, tree, zip_of


@pytest.fixture
def empty(app):
    return library.create("cat")


@pytest.fixture
def bring(platform):
    """Upload files whole and import them; the task's result, or raises with its error."""

    def bring(dataset, **files):
        place = uploads.Uploads(platform.settings.data_dir, dataset.id)
        arrived = []
        for name, data in files.items():
            upload = place.begin(name, len(data), "1")
            place.append(upload, 0, io.BytesIO(data))
            arrived.append(upload)
        task = importing.from_uploads(dataset, arrived)
        ended = platform.tasks.run_all()
        if ended[0]:
            raise UserError(ended[0])
        return tasks.result_of(tasks.get(task.id))

    return bring


def reasons(result):
    return {name: row["reason"] for row in result["left_out"] for name in row["names"]}


def test_pictures_and_captions_come_in_byte_for_byte(empty, bring):
    one = picture(1)
    result = bring(empty, **{"a.png": one, "a.txt": b"one", "b.jpg": picture(2, "JPEG")})
    found = tree(library.folder(empty))
    assert list(found) == ["a.png", "a.txt", "b.jpg"]
    assert (found["a.png"], found["a.txt"]) == (one, b"one")
    assert (result["added"], result["captions"], result["left_out"]) == (2, 1, [])
    dataset = library.get(empty.id)
    assert (dataset.images, dataset.captions) == (2, 1)


def test_a_zip_loses_its_wrapping_folder_and_the_litter_of_a_mac(empty, bring):
    data = zip_of({
        "my dog/a.png": picture(1), "my dog/a.txt": "one", "my dog/.DS_Store": b"x",
        "__MACOSX/my dog/._a.png": b"x", "my dog/sub/b.png": picture(2), "my dog/empty/": b"",
    })  # fmt: skip
    result = bring(empty, **{"dog.zip": data})
    assert list(tree(library.folder(empty))) == ["a.png", "a.txt", "sub/b.png"]
    assert result["left_out"] == []


def test_kohya_folders_keep_their_names_for_their_repeats(empty, bring):
    data = zip_of({"train/img/10_ohwx dog/a.png": picture(1), "train/reg/1_dog/b.png": picture(2)})
    bring(empty, **{"k.zip": data})
    assert list(tree(library.folder(empty))) == ["10_ohwx dog/a.png", "reg/1_dog/b.png"]


def test_tables_and_folders_of_captions_find_their_pictures(empty, bring):
    rows = [
        {"file_name": "images/1.png", "text": "first"},
        {"file_name": "images/2.png", "text": "second"},
    ]
    data = zip_of({
        "images/1.png": picture(1), "images/2.png": picture(2), "captions/2.caption": "by file",
        "images/3.png": picture(3), "metadata.jsonl": "\n".join(map(json.dumps, rows)),
        "captions.json": json.dumps({"3.png": {"caption": "third"}}),
    })  # fmt: skip
    bring(empty, **{"t.zip": data})
    found = tree(library.folder(empty))
    texts = {name: data for name, data in found.items() if name.endswith(".txt")}
    assert texts == {"1.txt": b"first", "2.txt": b"by file", "3.txt": b"third"}


def test_what_stays_out_is_told_with_its_reason(empty, bring):
    data = zip_of({
        "../evil.png": picture(1), "/etc/evil.png": picture(1), "C:\\evil.png": picture(1),
        "link.png@": "/etc/passwd", "zero.png": b"", "page.jpg": b"<html>", "x.gif": b"GIF89a",
        "orphan.txt": "nobody", "good.png": picture(2), "good.npz": b"PK", "torn.mp4": b"no clip",
        "good.txt": "  ",
    })  # fmt: skip
    told = reasons(bring(empty, **{"bad.zip": data}))
    assert list(tree(library.folder(empty))) == ["good.png"]
    for name in ("../evil.png", "/etc/evil.png", "C:\\evil.png"):
        assert "out of the folder" in told[name]
    assert "link" in told["link.png"]
    assert "0 bytes" in told["zero.png"]
    assert "no picture" in told["page.jpg"]
    assert "gif" in told["x.gif"]
    assert "no picture of that name" in told["orphan.txt"]
    assert "sd-scripts" in told["good.npz"]
    assert "no clip" in told["torn.mp4"]
    assert "empty caption" in told["good.txt"]


def test_names_are_made_fit_for_every_system(empty, bring):
    data = zip_of({
        "A.png": picture(1), "a.png": picture(2), "cafe\u0301.PNG": picture(3), "con.png": picture(4),
        'what?.png': picture(5), "wrong.png": picture(6, "JPEG"),
    })  # fmt: skip
    bring(empty, **{"names.zip": data})
    assert set(tree(library.folder(empty))) == {
        "A.png", "a (2).png", "caf\u00e9.png", "con_.png", "what_.png", "wrong.jpg",
    }  # fmt: skip


def test_nothing_is_overwritten_and_the_same_file_is_not_kept_twice(dog, bring):
    before = tree(library.folder(dog))
    same, other = before["0.png"], picture(99)
    result = bring(dog, **{"0.png": same, "1.png": other, "1.txt": b"the other"})
    after = tree(library.folder(dog))
    assert {name: after[name] for name in before} == before
    assert (after["1 (2).png"], after["1 (2).txt"]) == (other, b"the other")
    assert (result["already"], result["added"]) == (1, 1)


def test_a_caption_for_a_picture_that_is_there_replaces_the_old_one_and_can_be_undone(dog, bring):
    result = bring(dog, **{"0.txt": b"better"})
    assert tree(library.folder(dog))["0.txt"] == b"better"
    assert result["replaced"] == 1
    edit = DatasetEdit.query.one()
    assert json.loads(edit.changes) == [{"name": "0.png", "before": "shape 0", "after": "better"}]


def test_heic_and_avif_are_converted_and_said_so(empty, bring):
    image = Image.new("RGB", (64, 48), (200, 30, 30))
    heic, avif = io.BytesIO(), io.BytesIO()
    pillow_heif.from_pillow(image).save(heic)
    Image.new("RGBA", (32, 32), (0, 200, 0, 100)).save(avif, "AVIF")
    result = bring(empty, **{"p.heic": heic.getvalue(), "p.txt": b"red", "q.avif": avif.getvalue()})
    folder = library.folder(empty)
    assert list(tree(folder)) == ["p.jpg", "p.txt", "q.png"]
    with Image.open(folder / "p.jpg") as opened:
        assert opened.format == "JPEG"
        assert abs(opened.getpixel((5, 5))[0] - 200) < 12
    assert {row["what"] for row in result["notes"]} == {
        "became jpg (quality 95)", "became png, since it is transparent",
    }  # fmt: skip


def test_captions_in_other_encodings_become_utf_8(empty, bring):
    data = {
        "a.png": picture(1),
        "a.txt": "\ufeffcafé".encode(),
        "b.png": picture(2),
        "b.txt": b"caf\xe9",
    }
    bring(empty, **data)
    found = tree(library.folder(empty))
    assert found["a.txt"] == found["b.txt"] == "café".encode()


def test_a_picture_larger_than_any_real_one_stays_out(empty, bring, monkeypatch):
    from app.datasets.importing import sorting

    monkeypatch.setattr(sorting, "MOST_PICTURE_BYTES", 1000)
    told = reasons(
        bring(empty, **{"huge.jpg": picture(1, "JPEG") + b"\0" * 2000, "b.png": picture()})
    )
    assert "too large" in told["huge.jpg"]


def test_a_small_file_that_declares_a_huge_picture_stays_out_unopened(empty, bring):
    whole = bytearray(picture(1))
    whole[16:24] = (60_000).to_bytes(4, "big") * 2
    whole[29:33] = zlib.crc32(whole[12:29]).to_bytes(4, "big")
    told = reasons(bring(empty, **{"bomb.png": bytes(whole), "b.png": picture()}))
    assert "more pixels than any real picture" in told["bomb.png"]
    assert list(tree(library.folder(empty))) == ["b.png"]


def _bomb():
    return zip_of({"a.bmp": b"\0" * 68_000_000})


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (lambda: encrypted(zip_of({"a.png": picture()})), "encrypted"),
        (lambda: overlapping(), "share the same bytes"),
        (_bomb, "would grow from"),
        (lambda: zip_of({"a.png": picture()})[:-30], "no whole zip"),
        (lambda: b"no zip at all", "no zip file"),
        (lambda: zip_of({"readme.md": "x"}), None),
    ],
)
def test_a_zip_that_cannot_be_is_one_sentence_and_leaves_nothing(empty, bring, data, sentence):
    if sentence is None:
        assert reasons(bring(empty, **{"z.zip": data()})) != {}
    else:
        with pytest.raises(UserError, match=sentence):
            bring(empty, **{"z.zip": data()})
        assert scanning.scan(empty)
    assert library.get(empty.id).files == 0


def test_a_killed_import_goes_on_where_it_was(empty, bring, platform, monkeypatch):
    from app.datasets.importing import moving

    real, moved = moving._free, []

    def dies_after_one(target):
        if moved:
            raise KeyboardInterrupt
        moved.append(target)
        return real(target)

    monkeypatch.setattr(moving, "_free", dies_after_one)
    with pytest.raises(KeyboardInterrupt):
        bring(empty, **{"a.png": picture(1), "b.png": picture(2)})
    assert len([n for n in tree(library.folder(empty)) if "/" not in n]) == 1
    monkeypatch.setattr(moving, "_free", real)
    assert platform.tasks.run_all()[0] == ""
    assert list(tree(library.folder(empty))) == ["a.png", "b.png"]


def _no_reading(*_given, **_more):
    raise AssertionError("it was read again")


def _drawn(platform, dataset):
    return sorted((platform.settings.data_dir / "cache" / "thumbnails" / str(dataset.id)).iterdir())


def test_an_import_reads_each_file_once_for_thumbnails_report_and_likeness(
    empty, bring, platform, monkeypatch
):
    one = picture(1)
    bring(empty, **{"z.zip": zip_of({"d/a.png": one, "d/b.png": one}), "c.jpg": picture(3, "JPEG")})
    dataset = library.get(empty.id)
    assert len(_drawn(platform, dataset)) == 3
    assert [task.kind for task in tasks.find(f"dataset:{dataset.id}")] == ["dataset.import"]
    monkeypatch.setattr(reading, "read", _no_reading)
    found = health.examine(dataset, 16)
    assert found.unexamined == 0
    assert {f.key: f.names for f in found.findings}["same"] == ("b.png",)
    assert grid.counts(dataset, 16)["duplicates"] == 2
    assert examining.examine(dataset, lambda _done, _total: None) == 0


def test_a_torn_picture_comes_in_and_is_named_at_once(empty, bring):
    whole = picture(1, "JPEG")
    result = bring(empty, **{"torn.jpg": whole[:-50], "good.jpg": whole})
    assert [note["names"] for note in result["notes"] if "torn" in note["what"]] == [["torn.jpg"]]
    found = {f.key: f for f in health.examine(library.get(empty.id), 16).findings}
    assert found["unreadable"].names == ("torn.jpg",)
    assert "truncated" in found["unreadable"].told[0]


def test_an_import_that_goes_on_reads_nothing_again(empty, bring, platform, monkeypatch):
    from app.datasets.importing import moving, running

    def dies(*_given):
        raise KeyboardInterrupt

    monkeypatch.setattr(moving, "carry_out", dies)
    with pytest.raises(KeyboardInterrupt):
        bring(empty, **{"z.zip": zip_of({"a.png": picture(1), "b.png": picture(2)})})
    monkeypatch.undo()
    monkeypatch.setattr(reading, "read", _no_reading)
    assert platform.tasks.run_all() == [""]
    assert health.examine(library.get(empty.id), 16).unexamined == 0
    assert len(_drawn(platform, empty)) == 2
    assert not [p for p in library.folder(empty).iterdir() if p.name.startswith(running._STAGING)]


def test_a_full_disk_while_a_thumbnail_is_kept_blames_no_picture(empty, bring, monkeypatch):
    def full(*_given):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(thumbnails, "save", full)
    with pytest.raises(UserError, match="disk is full"):
        bring(empty, **{"a.png": picture(1)})
    monkeypatch.undo()
    assert library.get(empty.id).files == 0


def test_an_import_needs_files_that_have_arrived_whole(empty, platform):
    place = uploads.Uploads(platform.settings.data_dir, empty.id)
    half = place.begin("a.png", 100, "1")
    with pytest.raises(ConflictError, match="has not arrived whole"):
        importing.from_uploads(empty, [half])
    with pytest.raises(UserError, match="at least one"):
        importing.from_uploads(empty, [])


@pytest.mark.parametrize(
    "address", ["file:///etc/passwd", "ftp://x/y", "/etc", "http://", "http://u:p@h/x"]
)
def test_only_web_addresses_are_fetched(empty, address):
    with pytest.raises(UserError):
        importing.from_url(empty, address)
