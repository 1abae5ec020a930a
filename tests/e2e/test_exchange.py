"""A config dropped on the page, an export from the preview, and a menu that a poll leaves open."""

from __future__ import annotations

import zipfile

import pytest

from tests.support.wait import until

pytestmark = pytest.mark.e2e

TOML = 'network_module = "networks.lora"\nmax_train_steps = 20\ndataset_config = "d.toml"\n'
DATASET = '[[datasets]]\nresolution = 512\n[[datasets.subsets]]\nimage_dir = "{}"\n'
DROP = """([first, second]) => {
  const carried = new DataTransfer();
  carried.items.add(new File([first], "dog.toml"));
  carried.items.add(new File([second], "d.toml"));
  const told = { dataTransfer: carried, bubbles: true, cancelable: true };
  document.body.dispatchEvent(new DragEvent("dragover", told));
  document.body.dispatchEvent(new DragEvent("drop", told));
}"""


def test_dropped_files_fill_the_form_and_the_preview_is_exported(page, server, document):
    folder = document["datasets"][0]["path"]
    page.goto(f"{server.url}/jobs/new")
    with page.expect_navigation():
        page.evaluate(DROP, [TOML, DATASET.format(folder)])
    assert "Imported from dog.toml" in page.inner_text("main")
    assert page.input_value("[name='datasets.0.path']") == folder
    with page.expect_download() as download:
        page.click("button[formaction='/jobs/export']")
    with zipfile.ZipFile(download.value.path()) as archive:
        assert "dog-kohya_ss/run.sh" in archive.namelist()


def test_the_menu_of_a_running_job_stays_open_while_the_page_polls(page, make_server, document):
    server = make_server(STANDIN_SECONDS="0.1")
    server.post("/api/v1/jobs", {**document, "length": {"steps": 4000}})
    page.goto(f"{server.url}/jobs/1")
    page.wait_for_selector("#job-status [data-state=running]")
    page.click("#job-more > summary")
    before = page.inner_text("#job-status dl")
    until(lambda: page.inner_text("#job-status dl") != before, 20, "two polls have drawn it anew")
    assert page.locator("#job-more a:has-text('Export')").is_visible()
    page.keyboard.press("Escape")
    assert not page.locator("#job-more a:has-text('Export')").is_visible()
    server.post("/api/v1/jobs/1/stop")
    server.wait_for(1, "cancelled")
