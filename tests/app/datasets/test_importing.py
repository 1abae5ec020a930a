"""What comes into a dataset, under which name, and what stays out with a reason."""

from __future__ import annotations

import io
import json
import shutil
import zlib

import pillow_heif
import pytest
from PIL import Image

from app.datasets import (
    editing,
    importing,
    library,
    scanning,
    uploads,
)
from app.errors import ConflictError, UserError
from app.models import DatasetEdit, DatasetItem
from tests.support.zips import encrypted, overlapping, picture, tree, zip_of


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
    assert scanning.scan(dog)
    editing.undo(dog, DatasetEdit.query.one())
    assert tree(library.folder(dog))["0.txt"] == b"shape 0"
    assert DatasetItem.query.filter_by(name="0.png").one().caption == "shape 0"


def test_the_caption_of_two_pictures_is_replaced_once_and_can_be_undone(dog, bring):
    shutil.copy(library.folder(dog) / "1.png", library.folder(dog) / "0.webp")
    rows = json.dumps({"0.png": "of the png", "0.webp": "of the webp"})
    pictures = {name: (library.folder(dog) / name).read_bytes() for name in ("0.png", "0.webp")}
    result = bring(dog, **pictures, **{"captions.json": rows.encode()})
    assert result["replaced"] == 1
    assert tree(library.folder(dog))["0.txt"] == b"of the png"
    editing.undo(dog, DatasetEdit.query.one())
    assert tree(library.folder(dog))["0.txt"] == b"shape 0"


def test_a_caption_of_two_pictures_that_get_different_names_comes_with_both(empty, bring):
    there = library.folder(empty) / "a.png"
    there.write_bytes(picture(7))
    data = {"a.jpg": picture(1, "JPEG"), "a.png": picture(2), "a.txt": b"a dog"}
    result = bring(empty, **data)
    found = tree(library.folder(empty))
    texts = {name for name, text in found.items() if text == b"a dog"}
    assert set(found) == {"a.png", "a.jpg", "a (2).png", "a.txt", "a (2).txt"}
    assert texts == {"a.txt", "a (2).txt"}
    assert result["captions"] == 2


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


def test_an_import_needs_files_that_have_arrived_whole(empty, platform):
    place = uploads.Uploads(platform.settings.data_dir, empty.id)
    half = place.begin("a.png", 100, "1")
    with pytest.raises(ConflictError, match="has not arrived whole"):
        importing.from_uploads(empty, [half])
    with pytest.raises(UserError, match="at least one"):
        importing.from_uploads(empty, [])


@pytest.mark.parametrize("address", ["file:///etc/passwd", "ftp://x/y", "/etc", "http://"])
def test_only_web_addresses_are_fetched(empty, address):
    with pytest.raises(UserError):
        importing.from_url(empty, address)


def test_what_no_disk_can_hold_beside_the_rest_is_left_out_and_the_rest_comes_in(empty, bring):
    deep = "/".join(["folder" * 20] * 40) + "/x.png"
    data = zip_of({"a.": b"x", "a/b.png": picture(1), deep: picture(2), "c.png": picture(3)})
    told = reasons(bring(empty, **{"t.zip": data}))
    assert list(tree(library.folder(empty))) == ["a/b.png", "c.png"]
    assert told["a"] == "a folder has its name"
    assert "too long" in told[deep[:200]]
