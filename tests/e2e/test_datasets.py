"""Pictures and a zip dropped on a page; a server killed in mid-upload, and the upload that goes on."""

from __future__ import annotations

import base64
import io
import os
import re

import pytest
from PIL import Image

from tests.support.wait import until
from tests.support.zips import picture, zip_of

pytestmark = pytest.mark.e2e

DROP = """(files) => {
  const carried = new DataTransfer();
  for (const [name, data] of files) {
    const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
    carried.items.add(new File([bytes], name, { lastModified: 1 }));
  }
  const told = { dataTransfer: carried, bubbles: true, cancelable: true };
  document.body.dispatchEvent(new DragEvent("dragover", told));
  document.body.dispatchEvent(new DragEvent("drop", told));
}"""


def drop(page, **files):
    page.evaluate(DROP, [[name, base64.b64encode(data).decode()] for name, data in files.items()])


def large_picture():
    """A BMP of some 24 MB that does not shrink."""
    out = io.BytesIO()
    Image.frombytes("RGB", (4000, 2000), os.urandom(24_000_000)).save(out, "BMP")
    return out.getvalue()


def test_a_dropped_zip_becomes_a_dataset_and_dropped_files_join_it(page, server):
    folder = server.data / "datasets" / "dog"
    page.goto(f"{server.url}/datasets")
    drop(
        page, **{"dog.zip": zip_of({"x/a.png": picture(1), "x/a.txt": "one", "x/b.gif": b"GIF89a"})}
    )
    page.wait_for_url("**/datasets/1")
    page.wait_for_selector("#dataset-upload .notice:has-text('1 file came in')")
    assert "no engine trains on gif" in page.inner_text("#dataset-upload")
    drop(page, **{"c.png": picture(2), "c.txt": b"two"})
    until(lambda: (folder / "c.txt").is_file(), 30, "the dropped files are in the folder")
    shown = {path.name for path in folder.iterdir() if not path.name.startswith(".")}
    assert shown == {"a.png", "a.txt", "c.png", "c.txt"}
    page.wait_for_selector("#dataset-upload .notice:has-text('with 1 caption')")


def test_an_upload_goes_on_after_the_server_was_killed_in_its_midst(browser, make_server, tmp_path):
    server = make_server()
    data = large_picture()
    (tmp_path / "large.bmp").write_bytes(data)
    # A page of its own: while the server is gone, its console rightly tells of refused connections.
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{server.url}/datasets")
    network = context.new_cdp_session(page)
    network.send("Network.enable")
    slow = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 6_000_000}
    network.send("Network.emulateNetworkConditions", slow)
    page.fill("#name", "large")
    page.set_input_files("form[data-create] input[type=file] >> nth=0", str(tmp_path / "large.bmp"))

    def half() -> int:
        found = [part.stat().st_size for part in server.data.glob("uploads/1/*/part")]
        return found[0] if found and found[0] > 1_000_000 else 0

    arrived = until(half, 30, "a good piece has arrived")
    server.kill()
    assert arrived < len(data)
    page.wait_for_selector("#upload-panel:has-text('trying again')")
    kept = half()
    server.start()
    network.send("Network.emulateNetworkConditions", {**slow, "uploadThroughput": -1})
    page.wait_for_url(re.compile(r"/datasets/1$"), timeout=60_000)
    whole = server.data / "datasets" / "large" / "large.bmp"
    until(lambda: whole.is_file(), 60, "the picture is in the dataset")
    assert whole.read_bytes() == data
    assert kept >= arrived
    context.close()
