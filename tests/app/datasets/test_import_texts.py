"""Captions that an import brings: from tables of every make, in every encoding, beside a person who types."""

from __future__ import annotations

import json

import pytest

from app.datasets import captioning, captions, editing, library
from app.datasets.importing import moving
from app.models import DatasetEdit, DatasetItem
from tests.app.datasets.test_importing import reasons
from tests.support.zips import picture, tree, zip_of


def captions_of(bring, dataset, name, table):
    """The captions that a table gives three pictures."""
    bring(dataset, **{"t.zip": zip_of({f"{n}.png": picture(n) for n in (1, 2, 3)} | {name: table})})
    found = tree(library.folder(dataset))
    return {name: data.decode() for name, data in found.items() if name.endswith(".txt")}


def test_a_caption_of_several_lines_stays_one_in_a_csv(empty, bring):
    table = 'file_name,text\r\n1.png,"first line\nsecond"\r\n2.png,"a, b"\r\n'
    assert captions_of(bring, empty, "c.csv", table) == {
        "1.txt": "first line\nsecond", "2.txt": "a, b",
    }  # fmt: skip


@pytest.mark.parametrize("between", [";", "\t"])
def test_a_csv_as_excel_writes_it_elsewhere_is_read_too(empty, bring, between):
    table = "\ufefffile_name;text\r\n1.png;eins, zwei\r\n".replace(";", between)
    assert captions_of(bring, empty, "c.csv", table) == {"1.txt": "eins, zwei"}


def test_a_line_separator_in_a_caption_spoils_no_jsonl(empty, bring):
    rows = [{"file_name": "1.png", "text": "a\u2028b"}, {"file_name": "2.png", "text": "c\x85d"}]
    table = "\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    assert captions_of(bring, empty, "c.jsonl", table) == {"1.txt": "a\u2028b", "2.txt": "c\x85d"}


def test_a_table_that_was_cut_gives_what_came_before_and_half_a_letter_is_a_question_mark(
    empty, bring
):
    table = '{"file_name": "1.png", "text": "one \\ud83d"}\n{"file_name": "2.p'
    assert captions_of(bring, empty, "c.jsonl", table) == {"1.txt": "one ?"}


def test_a_caption_that_is_changed_while_an_import_is_about_to_replace_it_stays(
    dog, bring, monkeypatch
):
    write_plan = moving.write_plan

    def and_then_a_person_types(*plan):
        write_plan(*plan)
        item = DatasetItem.query.filter_by(name="0.png").one()
        captioning.save(dog, item, "typed", captions.version_of("shape 0"))

    monkeypatch.setattr(moving, "write_plan", and_then_a_person_types)
    result = bring(dog, **{"0.txt": b"uploaded", "1.txt": b"uploaded too"})
    found = tree(library.folder(dog))
    assert (found["0.txt"], found["1.txt"]) == (b"typed", b"uploaded too")
    assert (result["replaced"], reasons(result)) == (
        1, {"0.txt": "the caption here was changed meanwhile, and stays"},
    )  # fmt: skip
    edit = DatasetEdit.query.filter_by(kind="captions").one()
    assert [step.name for step in editing.steps_of(edit)] == ["1.txt"]


@pytest.mark.parametrize(
    "encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig", "cp1252"]
)
def test_captions_of_windows_come_in_as_utf_8(empty, bring, encoding):
    text = "a caf\u00e9, two dogs\r\n"
    bring(empty, **{"a.png": picture(1), "a.txt": text.encode(encoding)})
    assert tree(library.folder(empty))["a.txt"].decode() == text
