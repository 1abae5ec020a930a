"""Parquet tables with pictures, as the Hub keeps them. Those in tests/replay/parquet were written by
pyarrow 26: six rows of which one has no picture, one no caption, one no name, and one a name that is taken."""

from __future__ import annotations

import io
import random
import zlib

import pytest

from app import tasks
from app.datasets import importing, library, reading, uploads
from app.datasets.importing import tables
from app.datasets.importing.hub import chosen
from app.datasets.parquet import Table, TornError, UnsupportedError
from app.datasets.parquet.unpacking import unpack
from app.errors import UserError
from app.settings import ROOT
from tests.support.zips import tree

TABLES = ROOT / "tests/replay/parquet"
SOUND = ("plain", "snappy", "pages-gzip-2")
DOG = "a dog, grass, " * 9


def data(name):
    return (TABLES / f"{name}.parquet").read_bytes()


def rows(path):
    with path.open("rb") as file:
        table = Table(file)
        return [column.path for column in table.columns], list(table.read(table.columns))


@pytest.mark.parametrize("name", SOUND)
def test_a_table_is_read_however_it_is_packed_and_paged(name):
    paths, found = rows(TABLES / f"{name}.parquet")
    assert paths == [("image", "bytes"), ("image", "path"), ("text",)]
    pictures, names, texts = zip(*found, strict=True)
    assert names == (b"train/0.jpg", b"train/1.jpg", b"train/2.jpg", None, None, b"other/0.jpg")
    assert [t and t.decode() for t in texts] == [
        None if n == 2 else f"{DOG}{n}" for n in range(6)
    ]  # fmt: skip
    assert [p and (p[:3], p[-2:]) for p in pictures] == [
        None if n == 3 else (b"\xff\xd8\xff", b"\xff\xd9") for n in range(6)
    ]  # fmt: skip
    assert found == rows(TABLES / "plain.parquet")[1]


def test_a_table_packed_in_another_way_says_so():
    with pytest.raises(UnsupportedError, match="zstd"):
        rows(TABLES / "zstd.parquet")


def test_a_spoiled_table_is_one_kind_of_error_wherever_it_is_spoiled(tmp_path):
    numbers, place = random.Random(7), tmp_path / "x.parquet"
    for name in SOUND:
        whole = data(name)
        for _ in range(150):
            at = numbers.randrange(len(whole))
            spoiled = bytearray(whole)
            spoiled[at] ^= 1 << numbers.randrange(8)
            place.write_bytes(numbers.choice((spoiled, whole[:at], whole[:at] + whole[at + 7 :])))
            try:
                found = rows(place)[1]
            except (TornError, UnsupportedError):
                continue
            assert len(found) == 6, "what is spoiled within a picture is no matter of the table"


def test_a_dropped_table_comes_in_as_pictures_with_captions(empty, bring):
    result = bring(empty, **{"dogs.parquet": data("snappy")})
    found = tree(library.folder(empty))
    texts = {name: found[name].decode() for name in found if name.endswith(".txt")}
    assert texts == {
        "0.txt": f"{DOG}0", "1.txt": f"{DOG}1", "00004.txt": f"{DOG}4", "0 00005.txt": f"{DOG}5",
    }  # fmt: skip
    assert {n for n in found if n.endswith(".jpg")} == {
        "0.jpg", "1.jpg", "2.jpg", "00004.jpg", "0 00005.jpg",
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


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (data("zstd"), r"\(packed with zstd\).*load_dataset"),
        (data("plain")[:900], "no whole parquet"),
    ],
)
def test_a_table_that_cannot_be_read_is_one_sentence(empty, bring, content, told):
    with pytest.raises(UserError, match=told):
        bring(empty, **{"dogs.parquet": content})
    assert tree(library.folder(empty)) == {}


def test_one_picture_in_thousands_of_rows_is_a_bomb(empty, bring, monkeypatch):
    monkeypatch.setattr(tables, "_SUSPICIOUS", 500)
    monkeypatch.setattr(tables, "_MOST_RATIO", 0)
    with pytest.raises(UserError, match="many times its size"):
        bring(empty, **{"dogs.parquet": data("snappy")})
    assert not [name for name in tree(library.folder(empty)) if name.endswith(".jpg")]


def test_a_page_that_would_fill_the_memory_is_refused():
    bomb = zlib.compress(bytes(80 << 20), 9)
    with pytest.raises(TornError, match="out of"):
        unpack(2, bomb, 80 << 20)
    with pytest.raises(TornError, match="another size"):
        unpack(2, zlib.compress(b"more than it says"), 5)


def test_an_import_of_a_table_that_goes_on_reads_no_picture_again(empty, platform, monkeypatch):
    place = uploads.Uploads(platform.settings.data_dir, empty.id)
    upload = place.begin("dogs.parquet", len(data("plain")), "1")
    place.append(upload, 0, io.BytesIO(data("plain")))
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
    ],
)  # fmt: skip
def test_of_a_repository_its_files_are_fetched_or_the_tables_for_training(names, wanted):
    assert chosen("me/dogs", dict.fromkeys(names, 1000)) == wanted


def test_a_repository_without_pictures_says_so():
    with pytest.raises(UserError, match="holds no pictures"):
        chosen("me/dogs", {"README.md": 1, "texts.json": 1})
