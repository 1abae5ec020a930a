"""Downloads from an address: names, breaks, redirects, and a stand-in of the Hub."""

from __future__ import annotations

import errno
import json
import shutil
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest

from app import tasks, transfer
from app.datasets import importing, library
from app.datasets.importing import staging
from app.errors import UserError
from tests.support.zips import picture, tree, zip_of


class _Site(BaseHTTPRequestHandler):
    """Serves ``data`` with ranges; ``cuts`` times it stops after half of what it promised."""

    data = b""
    cuts = 0
    asked: list[str]
    logins: list[str]

    def log_message(self, *_arguments):
        """Say nothing on the terminal."""

    def do_GET(self):
        site = type(self)
        self.asked.append(self.headers.get("Range", "all"))
        self.logins.append(self.headers.get("Authorization", ""))
        if self.path.startswith("/to-"):
            places = {
                "/to-file": "file:///etc/passwd",
                "/to-ftp": "ftp://127.0.0.1/x",
                "/to-zip": "/dog.zip",
            }
            self.send_response(302)
            self.send_header("Location", places[self.path])
            self.end_headers()
            return
        if self.path == "/missing":
            self.send_error(404)
            return
        begin = (
            int(self.headers["Range"].removeprefix("bytes=").rstrip("-"))
            if "Range" in self.headers
            else 0
        )
        if begin >= len(site.data) and begin:
            self.send_error(416)
            return
        rest = site.data[begin:]
        self.send_response(206 if begin else 200)
        if begin:
            self.send_header(
                "Content-Range", f"bytes {begin}-{len(site.data) - 1}/{len(site.data)}"
            )
        self.send_header("Content-Length", str(len(rest)))
        self.send_header("ETag", '"one"')
        self.end_headers()
        if site.cuts:
            site.cuts -= 1
            rest = rest[: len(rest) // 2]
        self.wfile.write(rest)


@contextmanager
def site(data, cuts=0):
    handler = type("Site", (_Site,), {"data": data, "cuts": cuts, "asked": [], "logins": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", handler.asked
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def cat(app, monkeypatch):
    monkeypatch.setattr(transfer.time, "sleep", lambda _seconds: None)
    return library.create("cat")


def test_a_zip_from_an_address_goes_on_after_a_cut(cat, platform):
    data = zip_of({"dog/a.png": picture(1), "dog/a.txt": "one"})
    with site(data, cuts=1) as (address, asked):
        importing.from_url(cat, f"{address}/to-zip")
        assert platform.tasks.run_all()[0] == ""
    assert list(tree(library.folder(cat))) == ["a.png", "a.txt"]
    assert asked[-1] == f"bytes={len(data) // 2}-"


def test_a_single_picture_keeps_the_name_of_its_address(cat, platform):
    with site(picture(1)) as (address, _):
        importing.from_url(cat, f"{address}/some/dog%20one.png?x=1")
        assert platform.tasks.run_all()[0] == ""
    assert list(tree(library.folder(cat))) == ["dog one.png"]


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("/to-file", "Only http and https"),
        ("/to-ftp", "Only http and https"),
        ("/missing", "There is nothing at 127.0.0.1"),
    ],
)
def test_an_address_that_leads_nowhere_is_one_sentence(cat, platform, path, sentence):
    with site(b"") as (address, _):
        importing.from_url(cat, address + path)
        assert sentence in platform.tasks.run_all()[0]
    assert library.get(cat.id).files == 0


def test_a_server_that_is_gone_is_tried_again(cat, platform):
    with site(b"") as (address, _):
        gone = address
    importing.from_url(cat, f"{gone}/x.zip")
    assert "does not answer" in platform.tasks.run_all()[0]


@pytest.mark.parametrize("had", [10, None], ids=["a part", "all of it"])
def test_what_a_killed_try_brought_is_not_fetched_again(cat, platform, had):
    data = zip_of({"a.png": picture(1)})
    with site(data) as (address, asked):
        task = importing.from_url(cat, f"{address}/dog.zip")
        place = staging.folder_of(library.folder(cat), task.id) / "fetched"
        place.mkdir(parents=True)
        (place / "body").write_bytes(data[:had])
        told = {"tag": '"one"', "name": "dog.zip", "size": len(data)}
        (place / "about.json").write_text(json.dumps(told))
        assert platform.tasks.run_all()[0] == ""
    assert asked == (["bytes=10-"] if had else [])
    assert list(tree(library.folder(cat))) == ["a.png"]


def test_login_and_key_of_an_address_are_sent_and_kept_nowhere(cat, platform):
    with site(zip_of({"a.png": picture(1)})) as (address, _):
        given = f"{address.replace('//', '//ann:open%20sesame@')}/Hunde bilder/\u5f62.zip?key=hush"
        task = importing.from_url(cat, given)
        told = tasks.get(task.id).arguments
        assert "hush" not in told
        assert "sesame" not in told
        assert len(platform.vault.names()) == 1
        assert platform.tasks.run_all()[0] == ""
    assert platform.vault.names() == []


@pytest.mark.parametrize("given", ["http://[::1", "http://host:port/x.zip", "http:///x.zip", "x"])
def test_what_is_no_address_is_refused_in_words(cat, given):
    with pytest.raises(UserError, match=r"no web address|Only http and https"):
        importing.from_url(cat, given)


def test_a_file_that_would_not_fit_is_not_begun(cat, platform, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _place: SimpleNamespace(free=1 << 20))
    with site(b"x" * 5000) as (address, _):
        importing.from_url(cat, f"{address}/a.zip")
        [sentence] = platform.tasks.run_all()
    assert sentence.startswith("The disk has 0.0 GB free and 0.0 GB are needed")
    assert not [name for name in tree(library.folder(cat)) if name.endswith("body")]


def test_a_disk_that_is_full_amid_a_download_is_not_told_as_a_cut_line(cat, platform, monkeypatch):
    real = Path.open

    def full(path, *given, **more):
        if path.name == "body":
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(path, *given, **more)

    with site(picture(1)) as (address, _):
        task = importing.from_url(cat, f"{address}/a.png")
        monkeypatch.setattr(Path, "open", full)
        assert "The disk is full" in platform.tasks.run_all()[0]
        monkeypatch.undo()
        tasks.retry(tasks.get(task.id))
        assert platform.tasks.run_all()[0] == ""
    assert list(tree(library.folder(cat))) == ["a.png"]
