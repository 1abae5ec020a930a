"""The first LoRA of docs/user-guide.md, pressed through by the names that the guide gives."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.support.wait import until

pytestmark = pytest.mark.e2e


def press(page, name):
    page.get_by_role("button", name=name, exact=True).or_(
        page.get_by_role("link", name=name, exact=True)
    ).first.click()


def menu(page, name):
    """A link or button under More."""
    page.locator("#job-more summary").click()
    press(page, name)


def dataset(page, server, document):
    """Steps 2 to 6: a dataset with pictures, its trigger word, its health, and on to the form."""
    page.goto(f"{server.url}/datasets")
    page.get_by_role("textbox", name="New dataset").fill("ohwx dog")
    press(page, "Create")
    page.wait_for_url(f"{server.url}/datasets/1**")
    # Dropping files has tests of its own; the page finds what lies in the folder.
    folder = Path(document["datasets"][0]["path"])
    for file in sorted(folder.iterdir()):
        shutil.copy(file, server.data / "datasets" / "ohwx dog" / file.name)
    page.goto(f"{server.url}/datasets/1")
    until(
        lambda: page.reload() and page.locator("#grid [data-item]").count() == 4, 30, "four tiles"
    )
    page.locator("#about summary").click()
    page.get_by_label("Trigger word").fill("ohwx dog")
    press(page, "Keep it")
    page.wait_for_load_state()
    press(page, "Health")
    page.get_by_role("button", name="Read every picture").wait_for()
    page.goto(f"{server.url}/datasets/1")
    press(page, "Train with it")
    page.wait_for_url("**/jobs/new?**")


def form(page, document, engine):
    """Steps 6 to 10. Sizes are those of the stand-in, which the guide has no need of."""
    assert page.input_value("#name") == "ohwx-dog"
    assert page.input_value("#trigger_word") == "ohwx dog"
    page.select_option("#family", "sd15")
    # The form is drawn anew for the family, with its usual base model as an example.
    page.wait_for_selector("#base_model[placeholder*='stable-diffusion-v1-5']")
    page.select_option("#engine", engine)
    page.get_by_role("combobox", name="Base model").fill(document["base_model"])
    page.get_by_label("Steps", exact=True).fill("600")
    for name, value in (("datasets.0.resolution", "64"), ("saving.every_steps", "20")):
        page.evaluate("for (const d of document.querySelectorAll('details')) d.open = true")
        page.fill(f"[name='{name}']", value)
    page.select_option("[name='memory.mixed_precision']", "no")
    page.wait_for_selector("#job-preview h3:has-text('Command')")
    page.wait_for_selector(f"#job-preview h2:has-text('{engine}')")
    assert page.get_by_text("Steps planned").is_visible()
    press(page, "Start")
    page.wait_for_url("**/jobs/1")
    page.wait_for_selector("#job-status [data-state=running]")


@pytest.mark.parametrize("engine", ["ai-toolkit", "kohya_ss"])
def test_the_first_lora_of_the_guide(page, make_server, document, engine):
    server = make_server(STANDIN_SECONDS="0.03")
    dataset(page, server, document)
    form(page, document, engine)
    able = "disabled" if engine == "kohya_ss" else "enabled"
    page.locator(f"button:{able}", has_text="Save now").wait_for()
    press(page, "Stop")
    if engine == "ai-toolkit":
        until(lambda: server.job(1)["step"] > 25, 30, "something is saved")
        press(page, "Save, then stop")
    else:
        assert page.get_by_role("button", name="Save, then stop").count() == 0
        press(page, "Stop now")
    page.wait_for_selector("#job-status [data-state=cancelled]", timeout=30_000)
    press(page, "Retry")
    page.wait_for_selector("#job-status [data-state=running]", timeout=30_000)
    server.wait_for(1, "succeeded", timeout=90)
    page.goto(f"{server.url}/jobs/1")
    with page.expect_download() as download:
        page.locator("#job-status").get_by_role("link", name="Download").click()
    assert download.value.suggested_filename == "ohwx-dog.safetensors"
    other = {"ai-toolkit": "kohya_ss", "kohya_ss": "ai-toolkit"}[engine]
    menu(page, f"Clone for {other}")
    page.get_by_text("What changes").first.wait_for()
    page.goto(f"{server.url}/jobs/1")
    page.get_by_label("Continue for").fill("200")
    press(page, "more steps")
    server.wait_for(1, "running", "succeeded", timeout=30)
