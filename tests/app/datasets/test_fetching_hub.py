"""A dataset of the Hub comes in whole, with the captions of its tables, or says why not."""

from __future__ import annotations

import errno
import json
import shutil
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import ClassVar

import pytest

from app import tasks
from app.datasets import importing, library
from app.platform import EXTENSION
from tests.support.platform import make_app
from tests.support.tables import table
from tests.support.zips import picture, tree


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
