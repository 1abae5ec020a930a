"""Parquet tables with pictures and captions, as most image datasets of the Hub are kept."""

from __future__ import annotations

import io
import random

import pytest

from app import tasks
from app.datasets import captions, importing, library, reading, uploads
from app.datasets.importing import tables
from app.datasets.importing.findings import Findings
from app.datasets.importing.hub import chosen
from app.datasets.importing.parquet import Table, TornError
from app.errors import UserError
from tests.support.tables import table
from tests.support.zips import picture, tree, zip_of


def cell(data, path=None):
    return {"bytes": data, "path": path}


def dogs():
    """Six rows: one has no picture, one no caption, one no name, one a name that is taken."""
    names = ("train/0.jpg", "train/1.jpg", "train/2.jpg", "train/3.jpg", None, "other/0.jpg")
    pictures = [None if n == 3 else picture(n, "JPEG") for n in range(6)]
    texts = [None if n == 2 else f"dog {n}" for n in range(6)]
    return table(image=[cell(*both) for both in zip(pictures, names, strict=True)], text=texts)


def test_a_dropped_table_comes_in_as_pictures_with_captions(empty, bring):
    result = bring(empty, **{"dogs.parquet": dogs()})
    found = tree(library.folder(empty))
    assert {name: found[name].decode() for name in found if name.endswith(".txt")} == {
        "0.txt": "dog 0", "1.txt": "dog 1", "dogs-00004.txt": "dog 4", "0 dogs-00005.txt": "dog 5",
    }  # fmt: skip
    assert {n: found[n] for n in found if n.endswith(".jpg")} == {
        "0.jpg": picture(0, "JPEG"), "1.jpg": picture(1, "JPEG"), "2.jpg": picture(2, "JPEG"),
        "dogs-00004.jpg": picture(4, "JPEG"), "0 dogs-00005.jpg": picture(5, "JPEG"),
    }  # fmt: skip
    assert (result["added"], result["captions"]) == (5, 4)
    assert result["left_out"] == [
        {
            "reason": "its picture is not in the table",
            "count": 1,
            "names": ["row 3 of dogs.parquet"],
        }
    ]
    assert not uploads.Uploads(library.settings().data_dir, empty.id).all()


def test_a_column_of_plain_bytes_and_one_of_lists_of_captions_do_as_well(empty, bring):
    data = table(label=[3, 4], jpg=[picture(1), picture(2)], blip_caption=[["a dog", "it"], []])
    bring(empty, **{"t.parquet": data})
    found = tree(library.folder(empty))
    assert list(found) == ["t-00000.png", "t-00000.txt", "t-00001.png"]
    assert found["t-00000.txt"] == b"a dog"


def test_the_columns_that_were_chosen_and_those_left_out_are_told(empty, bring):
    one = table(image=[cell(picture(1))], second_image=[cell(picture(2))], text=["x"], prompt=["y"])
    result = bring(empty, **{"t.parquet": one, "u.parquet": table(image=[cell(picture(3))])})
    told = {(name, note["what"]) for note in result["notes"] for name in note["names"]}
    assert told == {
        ("t.parquet: second_image", "was left out; pictures are those of “image”"),
        ("t.parquet", "has its captions in its column “text”"),
        ("u.parquet", "has no captions: no column is called text, caption, prompt or alike"),
    }


def test_names_that_lead_out_stay_inside(empty, bring):
    bring(
        empty,
        **{"t.parquet": table(image=[cell(picture(1), "../../up.png"), cell(picture(2), "..")])},
    )
    assert list(tree(library.folder(empty))) == ["t-00001.png", "up.png"]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"PAR1", "no whole parquet"),
        (dogs()[:900], "no whole parquet"),
        (table(text=["no", "pictures"]), "holds no pictures"),
    ],
)
def test_a_table_that_gives_nothing_is_one_sentence(empty, bring, content, told):
    with pytest.raises(UserError, match=told):
        bring(empty, **{"dogs.parquet": content})
    assert tree(library.folder(empty)) == {}


def test_a_table_inside_a_zip_says_where_to_put_it(empty, bring):
    result = bring(empty, **{"z.zip": zip_of({"a.png": picture(1), "t.parquet": dogs()})})
    assert "upload it by itself" in result["left_out"][0]["reason"]


def test_a_spoiled_table_is_one_kind_of_error_wherever_it_is_spoiled(tmp_path):
    numbers, place, whole = random.Random(7), tmp_path / "x.parquet", dogs()
    for _ in range(100):
        at = numbers.randrange(len(whole))
        spoiled = bytearray(whole)
        spoiled[at] ^= 1 << numbers.randrange(8)
        place.write_bytes(numbers.choice((spoiled, whole[:at], whole[:at] + whole[at + 7 :])))
        try:
            with Table(place) as opened:
                found = list(opened.read(opened.columns))
        except TornError:
            continue
        assert len(found) == opened.rows


def test_captions_that_are_no_captions_stay_out_and_fill_no_disk(empty, bring, monkeypatch):
    long = "x" * (captions.LONGEST + 1)
    result = bring(empty, **{"t.parquet": table(image=[cell(picture(1))], text=[long])})
    assert list(tree(library.folder(empty))) == ["t-00000.png"]
    assert any("more than 65536 characters" in note["what"] for note in result["notes"])
    monkeypatch.setattr(tables, "_SUSPICIOUS", 200_000)
    monkeypatch.setattr(tables, "_MOST_RATIO", 0)
    rows = {"image": [cell(picture(n)) for n in range(40)], "text": ["y" * captions.LONGEST] * 40}
    with pytest.raises(UserError, match="many times its size"):
        bring(empty, **{"u.parquet": table(**rows)})


def test_a_hidden_name_and_a_table_without_an_ending_come_in(empty, bring):
    bring(
        empty, **{"folder/dogs": table(image=[cell(picture(1), ".hidden.png"), cell(picture(2))])}
    )
    assert list(tree(library.folder(empty))) == ["dogs-00001.png", "hidden.png"]


def test_one_picture_in_thousands_of_rows_is_a_bomb(empty, bring, monkeypatch):
    monkeypatch.setattr(tables, "_SUSPICIOUS", 500)
    monkeypatch.setattr(tables, "_MOST_RATIO", 0)
    with pytest.raises(UserError, match="many times its size"):
        bring(empty, **{"dogs.parquet": dogs()})
    assert not [name for name in tree(library.folder(empty)) if name.endswith(".jpg")]


def test_an_import_of_a_table_that_goes_on_reads_no_picture_again(empty, platform, monkeypatch):
    place = uploads.Uploads(platform.settings.data_dir, empty.id)
    upload = place.begin("dogs.parquet", len(dogs()), "1")
    place.append(upload, 0, io.BytesIO(dogs()))
    task, read, real = importing.from_uploads(empty, [upload]), [], reading.read

    def dies(path, name, *given, **more):
        if len(read) == 3:
            raise KeyboardInterrupt
        read.append(name)
        return real(path, name, *given, **more)

    monkeypatch.setattr("app.datasets.threads.WORKERS", 1)
    monkeypatch.setattr(reading, "read", dies)
    with pytest.raises(KeyboardInterrupt):
        platform.tasks.run_all()
    first, read[:] = list(read), []
    monkeypatch.setattr(
        reading, "read", lambda p, n, *g, **m: read.append(n) or real(p, n, *g, **m)
    )
    assert platform.tasks.run_all() == [""]
    assert len(first) == 3
    assert len({*first, *read}) == len(first) + len(read) == 5
    assert tasks.result_of(tasks.get(task.id))["added"] == 5


@pytest.mark.parametrize(
    ("names", "wanted"),
    [
        (["a.JPG", "a.txt", "b.parquet", "x.bin"], ["a.JPG", "a.txt"]),
        (["README.md", "data/train-0.parquet", "data/test-0.parquet"], ["data/train-0.parquet"]),
        (["en/train-0.parquet", "de/train-0.parquet", "de/train-1.parquet", "meta.json"],
         ["de/train-0.parquet", "de/train-1.parquet"]),
        (["big/x.parquet", "default/x.parquet"], ["default/x.parquet"]),
        (["preview.png", *(f"data/train-{n}.parquet" for n in range(9))],
         [f"data/train-{n}.parquet" for n in range(9)]),
        (["train/0.parquet", "test/0.parquet"], ["train/0.parquet"]),
        (["default/train/0.parquet", "default/test/0.parquet", "big/train/0.parquet"],
         ["default/train/0.parquet"]),
    ],
)  # fmt: skip
def test_of_a_repository_its_files_are_fetched_or_the_tables_for_training(names, wanted):
    found = Findings()
    assert chosen("me/dogs", dict.fromkeys(names, 1000), found) == wanted
    left = {name for name in names if name.endswith(".parquet") and wanted[0].endswith(".parquet")}
    assert {name for row in found.as_result()["left_out"] for name in row["names"]} == left - {
        *wanted
    }


def test_a_repository_without_pictures_says_so():
    with pytest.raises(UserError, match="holds no pictures"):
        chosen("me/dogs", {"README.md": 1, "texts.json": 1}, Findings())
