"""The server is killed while a caption is typed, and while a report is made: both go on."""

from __future__ import annotations

import os
import signal

import pytest
from PIL import Image

from tests.support.pictures import picture
from tests.support.wait import until

pytestmark = pytest.mark.e2e

QUICK, SLOW = 70, 6
MANY = QUICK + SLOW


@pytest.fixture
def lenient(browser, make_server):
    """A page of its own: while the server is gone, its console rightly tells of refused connections."""
    context = browser.new_context()
    yield context.new_page()
    context.close()


def test_what_is_typed_while_the_server_is_gone_is_saved_when_it_is_back(
    lenient, make_server, tmp_path
):
    page, folder = lenient, tmp_path / "data" / "datasets" / "dogs"
    picture(folder / "dog.png").with_suffix(".txt").write_text("a dog")
    server = make_server()
    page.goto(f"{server.url}/datasets")
    page.goto(f"{server.url}/datasets/1")
    server.kill()
    page.fill("textarea[name=caption]", "ohwx dog on the lawn")
    page.wait_for_selector(".tile [role=status]:has-text('trying again')")
    assert (folder / "dog.txt").read_text() == "a dog"
    server.start()
    page.wait_for_selector(".tile [role=status]:has-text('saved'):not(:has-text('not'))")
    assert (folder / "dog.txt").read_text() == "ohwx dog on the lawn"
    page.reload()
    assert page.input_value("textarea[name=caption]") == "ohwx dog on the lawn"


def fill(folder):
    """Pictures that are read at once, and after them some that take a while."""
    for number in range(QUICK):
        picture(folder / f"a{number}.png", (32, 32), seed=number)
    Image.new("RGB", (6000, 6000), "green").save(folder / "z0.png")
    whole = (folder / "z0.png").read_bytes()
    for number in range(1, SLOW):
        # What follows the end of a PNG is no part of the picture, and makes the file another one.
        (folder / f"z{number}.png").write_bytes(whole + number.to_bytes(4, "big"))


def report_of(server):
    found = server.get("/api/v1/tasks?subject=dataset:1")["tasks"]
    return next((task for task in found if task["kind"] == "dataset.report"), None)


def child_of(server):
    """The process that makes the report, once it is the only one."""
    found = server.task_children()
    runs = (report_of(server) or {}).get("state") == "running"
    return found[0] if len(found) == 1 and runs else None


def read_of(server):
    """How many were read."""
    return MANY - server.get("/api/v1/datasets/1/health")["unexamined"]


def test_a_report_whose_server_was_killed_goes_on_with_what_it_had_not_read(
    lenient, make_server, tmp_path
):
    page, folder = lenient, tmp_path / "data" / "datasets" / "dogs"
    fill(folder)
    server = make_server()
    page.goto(f"{server.url}/datasets")

    until(lambda: server.get("/api/v1/datasets/1")["images"] == MANY, 60, "they are found")
    page.goto(f"{server.url}/datasets/1/health")
    page.click("button:has-text('Read every picture')", no_wait_after=True)

    child = until(lambda: child_of(server), 60, "its child begins")

    def some_read():
        """Looks while the child stands still: however busy the machine is, it cannot finish meanwhile."""
        os.kill(child, signal.SIGSTOP)
        if found := read_of(server):
            return found
        os.kill(child, signal.SIGCONT)
        return None

    until(some_read, 60, "some were read")
    page.wait_for_selector("progress")
    server.kill()
    os.kill(child, signal.SIGCONT)
    until(lambda: not server.task_children(), 30, "its child ends with it")
    server.start()
    before = read_of(server)
    assert 0 < before < MANY
    until(lambda: report_of(server)["state"] == "done", 120, "the report is whole")
    assert report_of(server)["result"] == {"examined": MANY - before}
    page.goto(f"{server.url}/datasets/1/health")
    assert "Each was read to its end" in page.inner_text("main")
