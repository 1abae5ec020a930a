"""Pictures and captions inside parquet tables, as image datasets of the Hub keep them."""

from __future__ import annotations

import pytest

from app.datasets import library
from app.datasets.importing import parquet
from app.datasets.importing.findings import Findings
from app.errors import UserError
from tests.support.tables import table
from tests.support.zips import picture, tree, zip_of


def cell(data, path=None):
    return {"bytes": data, "path": path}


def test_each_row_becomes_a_picture_with_its_caption(empty, bring):
    one, two, three = picture(1), picture(2, "JPEG"), picture(3)
    data = table(
        image=[cell(one), cell(two), cell(three, "named dog.png")],
        text=["first", "second", "third"],
    )
    result = bring(empty, **{"train.parquet": data})
    found = tree(library.folder(empty))
    assert list(found) == [
        "named dog.png", "named dog.txt", "train-000000.png", "train-000000.txt",
        "train-000001.jpg", "train-000001.txt",
    ]  # fmt: skip
    assert found["train-000000.png"] == one
    assert (found["train-000001.txt"], found["named dog.txt"]) == (b"second", b"third")
    assert (result["added"], result["captions"], result["left_out"]) == (3, 3, [])
    assert any("captions are from its column text" in note["what"] for note in result["notes"])


def test_a_column_of_plain_bytes_and_lists_of_captions_do_as_well(empty, bring):
    data = table(label=[3, 4], jpg=[picture(1), picture(2)], blip_caption=[["a dog", "it"], []])
    bring(empty, **{"t.parquet": data})
    found = tree(library.folder(empty))
    assert list(found) == ["t-000000.png", "t-000000.txt", "t-000001.png"]
    assert found["t-000000.txt"] == b"a dog"


def test_what_a_table_cannot_give_is_told(empty, bring):
    rows = {
        "image": [cell(picture(1), "a.png"), cell(None, "b.png")],
        "second_image": [cell(picture(2))] * 2,
    }
    result = bring(
        empty, **{"t.parquet": table(**rows), "words.parquet": table(text=["no", "picture"])}
    )
    assert list(tree(library.folder(empty))) == ["a.png"]
    reasons = {name: row["reason"] for row in result["left_out"] for name in row["names"]}
    assert reasons == {
        "b.png": "its row of the table holds no picture",
        "words.parquet": "it is a table without a column of pictures",
    }
    notes = {name: note["what"] for note in result["notes"] for name in note["names"]}
    assert "too; left out" in notes["t.parquet: second_image"]
    assert notes["t.parquet"] == "has no captions"


def test_names_that_lead_out_or_come_twice_get_one_of_the_table(empty, bring):
    cells = [cell(picture(1), "../up.png"), cell(picture(2), "a.png"), cell(picture(3), "a.jpg")]
    bring(empty, **{"t.parquet": table(image=cells, text=["1", "2", "3"])})
    found = tree(library.folder(empty))
    assert {name: found[name] for name in found if name.endswith(".txt")} == {
        "t-000000.txt": b"1", "a.txt": b"2", "t-000002.txt": b"3",
    }  # fmt: skip


@pytest.mark.parametrize("cut", [4, 300])
def test_a_torn_table_is_one_sentence_and_leaves_nothing(empty, bring, cut):
    data = table(image=[cell(picture(1))], text=["x"])[:cut]
    with pytest.raises(UserError, match=r"t\.parquet is no whole parquet table"):
        bring(empty, **{"t.parquet": data})
    assert tree(library.folder(empty)) == {}


def test_a_table_inside_a_zip_says_where_to_put_it(empty, bring):
    data = zip_of({"a.png": picture(1), "t.parquet": table(image=[cell(picture(2))])})
    result = bring(empty, **{"z.zip": data})
    assert "upload it by itself" in result["left_out"][0]["reason"]


def test_a_second_try_writes_only_what_is_missing(tmp_path):
    file, target = tmp_path / "t.parquet", tmp_path / "out"
    file.write_bytes(table(image=[cell(picture(n), f"{n}.png") for n in range(3)]))
    target.mkdir()
    steps = []

    def until_the_second(done, total):
        steps.append((done, total))
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        parquet.take_out(file, target, Findings(), until_the_second, shown="t.parquet")
    before = (target / "0.png").stat().st_mtime_ns
    parquet.take_out(file, target, Findings(), lambda *_: None, shown="t.parquet")
    assert steps == [(1, 3), (2, 3)]
    assert (target / "0.png").stat().st_mtime_ns == before
    assert len(list(target.iterdir())) == 3


def test_a_table_that_the_disk_cannot_hold_is_refused_before_a_picture(tmp_path, monkeypatch):
    file = tmp_path / "t.parquet"
    file.write_bytes(table(image=[cell(picture(1))]))
    monkeypatch.setattr(parquet, "_RESERVE", 1 << 60)
    with pytest.raises(UserError, match="Free some, then press Go on"):
        parquet.take_out(file, tmp_path, Findings(), lambda *_: None, shown="t.parquet")
    assert [path.name for path in tmp_path.iterdir()] == ["t.parquet"]
