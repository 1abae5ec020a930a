"""The caption editor in a browser: typing saves, two tabs never overwrite each other, many at once, undo."""

from __future__ import annotations

import pytest
from PIL import Image

from tests.support.pictures import picture
from tests.support.wait import until

pytestmark = pytest.mark.e2e


@pytest.fixture
def folder(tmp_path):
    found = tmp_path / "data" / "datasets" / "dogs"
    for number in range(130):
        path = picture(found / f"dog {number:03}.png", seed=number)
        if number:
            path.with_suffix(".txt").write_text(f"a dog, number {number}")
    return found


@pytest.fixture
def editor(page, make_server, folder):
    """The address of the dataset, shown."""
    server = make_server()
    page.goto(f"{server.url}/datasets")
    page.goto(f"{server.url}/datasets/1")
    page.wait_for_selector(".tile >> nth=0")
    return f"{server.url}/datasets/1"


def tile(page, name):
    return page.locator(".tile", has=page.locator(f"text='{name}'"))


def area(page, name):
    return page.locator(f"textarea[aria-label='Caption of {name}']")


def said(page, name, text):
    until(lambda: tile(page, name).locator("[role=status]").inner_text() == text, 30, text)


def test_typing_saves_by_itself_survives_a_reload_and_is_undone(page, editor, folder):
    area(page, "dog 001.png").fill("ohwx dog, grass")
    said(page, "dog 001.png", "saved")
    assert (folder / "dog 001.txt").read_text() == "ohwx dog, grass"
    page.reload()
    assert area(page, "dog 001.png").input_value() == "ohwx dog, grass"
    area(page, "dog 001.png").fill("ohwx dog, sofa")
    page.keyboard.press("Control+Enter")
    assert page.evaluate("document.activeElement.ariaLabel") == "Caption of dog 002.png"
    said(page, "dog 001.png", "saved")
    tile(page, "dog 001.png").locator("button.undo").click()
    said(page, "dog 001.png", "undone")
    assert area(page, "dog 001.png").input_value() == "a dog, number 1"
    assert (folder / "dog 001.txt").read_text() == "a dog, number 1"


def test_two_tabs_on_one_caption_show_both_texts_and_overwrite_nothing(page, editor, folder):
    other = page.context.new_page()
    other.goto(editor)
    area(other, "dog 003.png").fill("from the other tab")
    said(other, "dog 003.png", "saved")
    area(page, "dog 003.png").fill("from this tab")
    page.wait_for_selector(".conflict")
    assert "from the other tab" in page.inner_text(".conflict p")
    assert (folder / "dog 003.txt").read_text() == "from the other tab"
    page.click(".conflict button:has-text('Keep mine')")
    said(page, "dog 003.png", "saved")
    assert (folder / "dog 003.txt").read_text() == "from this tab"


def test_many_captions_are_previewed_changed_and_undone(page, editor, folder):
    page.click("#bulk > summary")
    page.select_option("#kind", "trigger")
    page.fill("#text", "ohwx")
    page.click("#bulk-form button[name=do]")
    page.wait_for_selector("#preview[open]")
    page.keyboard.press("Escape")
    page.wait_for_selector("#preview:not([open])", state="attached")
    until(lambda: page.evaluate("document.activeElement.name") == "do", 5, "the focus is back")
    page.keyboard.press("Enter")
    page.wait_for_selector("#preview[open]")
    assert "130 of 130 captions change" in page.inner_text("#preview")
    assert page.locator("#preview tbody tr").count() == 20
    assert page.inner_text("#preview ins >> nth=1") == "ohwx, a dog, number 1"
    assert (folder / "dog 001.txt").read_text() == "a dog, number 1"
    with page.expect_navigation():
        page.click("#preview button[value=apply]")
    assert (folder / "dog 129.txt").read_text() == "ohwx, a dog, number 129"
    assert area(page, "dog 000.png").input_value() == "ohwx"
    page.click("#edits > summary")
    with page.expect_navigation():
        page.click("#edits button:has-text('Undo')")
    assert (folder / "dog 129.txt").read_text() == "a dog, number 129"
    assert not (folder / "dog 000.txt").exists()


def test_the_grid_goes_on_while_one_scrolls_and_every_picture_has_its_thumbnail(page, editor):
    assert page.locator(".tile").count() == 60
    page.keyboard.press("End")
    until(lambda: page.locator(".tile").count() == 120, 30, "the second page")
    page.keyboard.press("End")
    until(lambda: page.locator(".tile").count() == 130, 30, "the last page")
    first = page.locator(".tile img >> nth=0")
    until(lambda: first.evaluate("image => image.naturalWidth") > 0, 30, "a thumbnail")


def test_a_picture_is_cropped_by_dragging_and_deleted_from_the_full_size_view(page, editor, folder):
    tile(page, "dog 005.png").locator("a.shot").click()
    page.wait_for_selector("#viewer[open] .canvas img")
    image = page.locator("#viewer .canvas img")
    until(lambda: image.evaluate("image => image.naturalWidth") > 0, 10, "the picture is there")
    box = page.locator("#viewer .canvas img").bounding_box()
    page.mouse.move(box["x"] + 1, box["y"] + 1)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.up()
    assert page.locator("#viewer .frame").count() == 1
    with page.expect_navigation():
        page.click("#viewer form.crop button")
    with Image.open(folder / "dog 005.png") as cropped:
        assert 28 <= cropped.width <= 34
        assert 20 <= cropped.height <= 26
    tile(page, "dog 005.png").locator("a.shot").click()
    with page.expect_navigation():
        page.click("#viewer button.danger")
    assert tile(page, "dog 005.png").count() == 0
    assert not (folder / "dog 005.txt").exists()
