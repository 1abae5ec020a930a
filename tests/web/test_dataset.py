"""The pages of one dataset, without JavaScript and as its script calls them."""

from __future__ import annotations

import re

import pytest
from PIL import Image

from app import tasks
from app.datasets import editing, grid, library, scanning
from tests.support.pictures import dataset, picture

JSON = {"Accept": "application/json"}


@pytest.fixture
def dogs(app, tmp_path):
    with app.app_context():
        captions = {"a.png": "a dog, grass", "b.png": "a dog, sofa", "c.png": None, "d.png": ""}
        yield dataset(tmp_path / "dogs", captions)


def tile_of(client, dogs, name):
    """The id of a picture and the version of its caption, as the page carries them."""
    page = client.get(f"/datasets/{dogs.id}").text
    part = next(p for p in page.split("<article")[1:] if f"<span>{name}</span>" in p)
    return (
        re.search(r'data-item="(\d+)"', part)[1],
        re.search(r'name="version" value="(\w+)"', part)[1],
    )


def caption(dogs, name):
    path = editing.Path(dogs.path) / name
    return path.read_text() if path.exists() else None


def test_the_page_shows_each_picture_with_its_caption_and_what_each_filter_holds(client, dogs):
    page = client.get(f"/datasets/{dogs.id}").text
    assert page.count("<article") == 4
    assert "a dog, grass</textarea>" in page
    assert "no caption 1" in page
    assert "empty caption 1" in page
    only = client.get(f"/datasets/{dogs.id}?show=no-caption").text
    assert only.count("<article") == 1
    assert client.get(f"/datasets/{dogs.id}?tag=sofa").text.count("<article") == 1
    assert client.get(f"/datasets/{dogs.id}?q=GRASS").text.count("<article") == 1
    assert client.get(f"/datasets/{dogs.id}?q=%25").text.count("<article") == 0


def test_a_caption_is_saved_by_a_plain_form_and_leads_back_to_its_picture(client, dogs):
    item, version = tile_of(client, dogs, "a.png")
    answer = client.post(
        f"/datasets/{dogs.id}/items/{item}/caption",
        data={"caption": "a cat", "version": version, "view": "q=a&page=2"},
    )
    assert answer.status_code == 303
    assert answer.location == f"/datasets/{dogs.id}?q=a&page=2#item-{item}"
    assert caption(dogs, "a.txt") == "a cat"


def test_two_tabs_on_one_caption_both_texts_are_shown_and_nothing_is_overwritten(client, dogs):
    item, version = tile_of(client, dogs, "a.png")
    address = f"/datasets/{dogs.id}/items/{item}/caption"
    first = client.post(address, data={"caption": "one", "version": version}, headers=JSON)
    assert first.json["caption"] == "one"
    second = client.post(address, data={"caption": "two", "version": version}, headers=JSON)
    assert second.status_code == 409
    assert second.json["theirs"] == "one"
    assert caption(dogs, "a.txt") == "one"
    plain = client.post(address, data={"caption": "<two>", "version": version})
    assert plain.status_code == 409
    assert "&lt;two&gt;" in plain.text
    assert "one" in plain.text
    forced = {"caption": "two", "version": second.json["version"]}
    assert client.post(address, data=forced, headers=JSON).status_code == 200
    assert caption(dogs, "a.txt") == "two"


def test_a_trigger_word_that_no_job_would_take_is_refused_not_cut(client, dogs):
    client.post(f"/datasets/{dogs.id}/trigger", data={"trigger_word": " ohwx  dog "})
    answer = client.post(f"/datasets/{dogs.id}/trigger", data={"trigger_word": "x" * 201})
    assert answer.status_code == 400
    assert "A trigger word has at most 200 characters." in answer.text
    assert 'value="ohwx dog"' in client.get(f"/datasets/{dogs.id}").text


def test_an_edit_is_undone_from_the_page(client, dogs):
    item, version = tile_of(client, dogs, "a.png")
    address = f"/datasets/{dogs.id}/items/{item}/caption"
    edit = client.post(address, data={"caption": "x", "version": version}, headers=JSON).json[
        "edit"
    ]
    undone = client.post(f"/datasets/{dogs.id}/edits/{edit}/undo", headers=JSON)
    assert undone.json == {"caption": "a dog, grass", "version": version}
    again = client.post(f"/datasets/{dogs.id}/edits/{edit}/undo")
    assert again.status_code == 409


def test_many_captions_are_previewed_first_and_written_after(client, dogs):
    asked = {"kind": "remove_tag", "text": "a dog", "scope": "all"}
    preview = client.post(f"/datasets/{dogs.id}/bulk", data={**asked, "do": "preview"})
    assert "2 of 4 captions change" in preview.text
    assert "<del>a dog, grass</del>" in preview.text
    assert caption(dogs, "a.txt") == "a dog, grass"
    answer = client.post(f"/datasets/{dogs.id}/bulk", data={**asked, "do": "apply"})
    assert answer.status_code == 303
    assert (caption(dogs, "a.txt"), caption(dogs, "b.txt")) == ("grass", "sofa")


def test_only_the_ticked_or_the_shown_are_changed(client, dogs):
    item, _ = tile_of(client, dogs, "b.png")
    asked = {"kind": "add_last", "text": "x", "do": "apply"}
    client.post(f"/datasets/{dogs.id}/bulk", data={**asked, "scope": "ticked", "ticked": item})
    assert (caption(dogs, "a.txt"), caption(dogs, "b.txt")) == ("a dog, grass", "a dog, sofa, x")
    client.post(f"/datasets/{dogs.id}/bulk", data={**asked, "scope": "shown", "view": "q=grass"})
    assert (caption(dogs, "a.txt"), caption(dogs, "c.txt")) == ("a dog, grass, x", None)


def test_a_pattern_that_is_none_is_told_beside_the_form(client, dogs):
    asked = {"kind": "pattern", "text": "(dog", "scope": "all", "do": "preview"}
    answer = client.post(f"/datasets/{dogs.id}/bulk", data=asked)
    assert answer.status_code == 422
    assert "cannot be read" in answer.text
    nobody = client.post(
        f"/datasets/{dogs.id}/bulk/preview", data={"kind": "delete", "scope": "ticked"}
    )
    assert "No picture is ticked" in nobody.text


def test_a_picture_is_turned_cropped_and_deleted_by_plain_forms(client, dogs):
    item, _ = tile_of(client, dogs, "a.png")
    here = f"/datasets/{dogs.id}/items/{item}"
    assert "64×48" in client.get(here).text
    assert client.post(f"{here}/turn", data={"way": "right"}).status_code == 303
    assert "48×64" in client.get(f"{here}/view").text
    box = {"left": "0", "top": "0", "width": "20", "height": "900"}
    assert client.post(f"{here}/crop", data=box).status_code == 400
    assert client.post(f"{here}/crop", data={**box, "height": "10"}).status_code == 303
    assert client.post(f"{here}/delete").status_code == 303
    with client.get(f"/datasets/{dogs.id}/thumbs/{item}.webp") as small:
        assert small.mimetype == "image/webp", "what lies in the trash can be seen, too"
    assert client.get(here).status_code == 404
    assert "a.png deleted" in client.get(f"/datasets/{dogs.id}/edits").text


def test_the_next_page_comes_as_tiles_alone(client, dogs, monkeypatch):
    monkeypatch.setattr(grid, "PAGE", 3)
    page = client.get(f"/datasets/{dogs.id}").text
    more = re.search(r'data-next="([^"]+)"', page)[1].replace("&amp;", "&")
    tiles = client.get(more).text
    assert tiles.count("<article") == 1
    assert "<html" not in tiles
    assert "data-next" not in tiles


def test_the_report_reads_each_picture_and_its_fixes_can_be_undone(client, app, dogs):
    folder = editing.Path(dogs.path)
    picture(folder / "b-again.png", seed=1)
    (folder / "torn.png").write_bytes((folder / "a.png").read_bytes()[:900])
    (folder / "alone.txt").write_text("nobody")
    page = client.get(f"/datasets/{dogs.id}/health").text
    assert "were not read whole yet" in page
    client.post(f"/datasets/{dogs.id}/report")
    assert app.extensions["vast-lora"].tasks.run_all() == [""]
    page = client.get(f"/datasets/{dogs.id}/health").text
    for key in ("empty", "unreadable", "same", "orphans", "missing"):
        assert f'id="finding-{key}"' in page
    for fix in ("delete_empty", "remove_duplicates", "remove_orphans", "remove_unreadable"):
        assert client.post(f"/datasets/{dogs.id}/fix", data={"fix": fix}).status_code == 303
    assert not (folder / "d.txt").exists()
    assert not (folder / "alone.txt").exists()
    assert not (folder / "torn.png").exists()
    assert (folder / "b-again.png").exists() != (folder / "b.png").exists()
    page = client.get(f"/datasets/{dogs.id}/health").text
    assert not re.search(r"finding-(empty|unreadable|same|orphans)", page)
    for edit in editing.latest(library.get(dogs.id)):
        editing.undo(dogs, edit)
    assert (folder / "alone.txt").read_text() == "nobody"
    assert (folder / "d.txt").read_bytes() == b""


def test_a_fix_that_draws_pictures_is_left_to_a_task(client, app, dogs):
    Image.new("RGBA", (64, 64), (9, 9, 9, 100)).save(f"{dogs.path}/glass.png")
    scanning.scan(dogs)
    client.get("/datasets/1/health")
    for _ in range(2):
        assert client.post("/datasets/1/fix", data={"fix": "to_rgb"}).status_code == 303
    assert "Putting pictures right" in client.get("/datasets/1/health").text
    with app.app_context():
        assert [task.kind for task in tasks.active()] == ["dataset.fix"]
    app.extensions["vast-lora"].tasks.run_all()
    with Image.open(f"{dogs.path}/glass.png") as image:
        assert image.mode == "RGB"
    assert "Putting pictures right" not in client.get("/datasets/1/health").text


def test_the_new_job_form_begins_with_the_dataset_and_shows_its_health_and_buckets(client, dogs):
    link = re.search(r'href="(/jobs/new\?[^"]+)"', client.get(f"/datasets/{dogs.id}").text)[1]
    form = client.get(link.replace("&amp;", "&")).text
    assert f'value="{dogs.path}"' in form
    words = {
        "name": "x", "family": "sd15", "engine": "kohya_ss", "datasets.0.path": dogs.path,
        "datasets.0.resolution": "64", "length.steps": "9", "base_model": "owner/model",
    }  # fmt: skip
    preview = client.post("/jobs/preview", data=words).text
    assert f"/datasets/{dogs.id}/health?resolution=64" in preview
    assert "1 of which would stop a run" in preview
    assert "Buckets of dogs at 64 px" in preview


def test_a_job_and_its_dataset_lead_to_each_other(client, app, tmp_path, form):
    with app.app_context():
        shapes = library.register(tmp_path / "pictures")
        client.post("/jobs/", data={**form, "hold": "1"})
        assert '<a href="/jobs/1">dog</a>' in client.get(f"/datasets/{shapes.id}").text
        assert client.get("/jobs/1/datasets").status_code == 200


def test_the_buckets_follow_the_engine(client, dogs):
    kohya = client.get(f"/datasets/{dogs.id}/health?engine=kohya_ss&resolution=64&step=16").text
    assert "64×48" in kohya
    toolkit = client.get(f"/datasets/{dogs.id}/health?engine=ai-toolkit&resolution=32").text
    assert re.search(r"<td>32×(16|32)</td>", toolkit)
