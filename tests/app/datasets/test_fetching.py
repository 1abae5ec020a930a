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
from typing import ClassVar

import pytest

from app import tasks
from app.datasets import importing, library
from app.platform import EXTENSION
from tests.support.platform import make_app
from tests.support.tables import table
from tests.support.zips import picture, tree, zip_of


class _Site(BaseHTTPRequestHandler):
    """Serves ``data`` with ranges; ``cuts`` times it stops after half of what it promised."""

    data = b""
    cuts = 0
    asked: list[str]

    def log_message(self, *_arguments):
        """Say nothing on the terminal."""

    def do_GET(self):
        site = type(self)
        self.asked.append(self.headers.get("Range", "all"))
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
        rest = site.data[begin:]
        self.send_response(206 if begin else 200)
        self.send_header("Content-Length", str(len(rest)))
        self.send_header("ETag", '"one"')
        self.end_headers()
        if site.cuts:
            site.cuts -= 1
            rest = rest[: len(rest) // 2]
        self.wfile.write(rest)


@contextmanager
def site(data, cuts=0):
    handler = type("Site", (_Site,), {"data": data, "cuts": cuts, "asked": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", handler.asked
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def cat(app):
    return library.create("cat")


def test_a_zip_from_an_address_goes_on_after_a_cut(cat, platform):
    data = zip_of({"dog/a.png": picture(1), "dog/a.txt": "one"})
    with site(data, cuts=1) as (address, asked):
        task = importing.from_url(cat, f"{address}/to-zip")
        assert "broke off" in platform.tasks.run_all()[0]
        tasks.retry(tasks.get(task.id))
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
        ("/to-file", "neither http nor https"),
        ("/to-ftp", "neither http nor https"),
        ("/missing", "nothing at the address"),
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
    assert "was cut" in platform.tasks.run_all()[0]


def test_a_file_that_would_not_fit_is_not_begun(cat, platform, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _place: SimpleNamespace(free=1 << 20))
    with site(b"x" * 5000) as (address, _):
        importing.from_url(cat, f"{address}/a.zip")
        [sentence] = platform.tasks.run_all()
    assert sentence.startswith("The file needs 0.0 GB, and 0.0 GB of disk are free. Free some")
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


class _Hub(BaseHTTPRequestHandler):
    """Two dataset repositories, one of them gated."""

    files: ClassVar = {
        "train/a.png": picture(1),
        "metadata.jsonl": b'{"file_name": "train/a.png", "text": "from the hub"}',
        "model.safetensors": b"never fetched",
    }  # fmt: skip
    tables: ClassVar = {
        "data/train-0.parquet": table(
            image=[{"bytes": picture(n), "path": None} for n in (1, 2)], text=["one", "two"]
        ),
        "data/test-0.parquet": b"never fetched",
    }  # fmt: skip

    def log_message(self, *_arguments):
        """Say nothing on the terminal."""

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        path = self.path.partition("?")[0]
        about = {
            "id": "me/dogs",
            "sha": "a" * 40,
            "siblings": [{"rfilename": n, "size": len(d)} for n, d in self.files.items()],
        }
        if "tables" in path:
            about["siblings"] = [{"rfilename": n, "size": len(d)} for n, d in self.tables.items()]
        if "cut" in path:
            return  # hangs up without an answer
        if "gated" in path and "Authorization" not in self.headers:
            self._send(401, b"{}", {"X-Error-Code": "GatedRepo"})
        elif "/tree/" in path:
            rows = [
                {"type": "file", "path": n, "size": len(d), "oid": "b" * 40}
                for n, d in (self.tables if "tables" in path else self.files).items()
            ]
            self._send(200, json.dumps(rows).encode(), {"Content-Type": "application/json"})
        elif path.startswith("/api/datasets/me/"):
            self._send(200, json.dumps(about).encode(), {"Content-Type": "application/json"})
        elif "/resolve/" in path and path.partition("a" * 40 + "/")[2] in self.files | self.tables:
            data = (self.files | self.tables)[path.partition("a" * 40 + "/")[2]]
            self._send(200, data, {"ETag": f'"{len(data)}"', "X-Repo-Commit": "a" * 40})
        else:
            self._send(404, b"{}", {"X-Error-Code": "RepoNotFound"})

    def _send(self, status, body, headers):
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)


@pytest.fixture
def hub(tmp_path):
    """A dataset on an application that takes a stand-in for the Hub."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Hub)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    app = make_app(tmp_path / "hub", {"HF_ENDPOINT": address})
    with app.app_context():
        yield app.extensions[EXTENSION], library.create("cat")
    server.shutdown()
    server.server_close()


def test_a_repository_of_the_hub_comes_in_with_the_captions_of_its_table(hub):
    platform, cat = hub
    importing.from_hub(cat, "https://huggingface.co/datasets/me/dogs/tree/main", platform.settings)
    assert platform.tasks.run_all()[0] == ""
    found = tree(library.folder(cat))
    assert {name: found[name] for name in found if name.endswith(".txt")} == {
        "a.txt": b"from the hub"
    }
    assert list(found) == ["a.png", "a.txt"]


def test_gated_and_missing_repositories_are_one_sentence(hub):
    platform, cat = hub
    importing.from_hub(cat, "me/gated", platform.settings)
    assert "is gated. Set a Hugging Face token" in platform.tasks.run_all()[0]
    importing.from_hub(cat, "nobody/nothing", platform.settings)
    assert "no dataset nobody/nothing on the Hub" in platform.tasks.run_all()[0]


def test_a_line_to_the_hub_that_is_cut_is_tried_again_later(hub):
    platform, cat = hub
    importing.from_hub(cat, "me/cut", platform.settings)
    assert platform.tasks.run_all()[0].startswith("The connection to the Hub was cut: ")


def test_a_repository_that_would_not_fit_is_not_begun(hub, monkeypatch):
    platform, cat = hub
    importing.from_hub(cat, "me/dogs", platform.settings)
    monkeypatch.setattr(shutil, "disk_usage", lambda _place: SimpleNamespace(free=1 << 20))
    assert platform.tasks.run_all() == [
        "me/dogs needs 0.0 GB, and 0.0 GB of disk are free. Free some, then press Go on."
    ]


def test_a_disk_that_is_full_amid_a_repository_is_not_told_as_a_cut_line(hub, monkeypatch):
    import huggingface_hub

    def full(*_given, **_more):
        raise OSError(errno.ENOSPC, "No space left on device")

    platform, cat = hub
    task = importing.from_hub(cat, "me/dogs", platform.settings)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", full)
    assert "The disk is full" in platform.tasks.run_all()[0]
    monkeypatch.undo()
    tasks.retry(tasks.get(task.id))
    assert platform.tasks.run_all()[0] == ""
    assert list(tree(library.folder(cat))) == ["a.png", "a.txt"]


def test_a_repository_that_keeps_its_pictures_in_tables_comes_in_with_captions(hub):
    platform, cat = hub
    importing.from_hub(cat, "me/tables", platform.settings)
    assert platform.tasks.run_all()[0] == ""
    found = tree(library.folder(cat))
    assert list(found) == [
        "train-0-00000.png", "train-0-00000.txt", "train-0-00001.png", "train-0-00001.txt",
    ]  # fmt: skip
    assert found["train-0-00001.txt"] == b"two"
