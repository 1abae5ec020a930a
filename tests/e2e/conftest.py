"""Real gunicorn, real runners, stand-in engines, real Chromium."""

from __future__ import annotations

import shutil

import pytest

from tests.support import engines
from tests.support.models import pipeline
from tests.support.pictures import folder
from tests.support.platform import schema_file
from tests.support.server import Server


@pytest.fixture
def document(tmp_path):
    """A spec that the stand-in engines train, with a real folder of pictures."""
    pictures = folder(tmp_path / "pictures")
    model = pipeline(tmp_path / "model")
    return {
        "name": "dog", "family": "sd15", "engine": "kohya_ss", "base_model": str(model),
        "datasets": [{"path": str(pictures), "resolution": [64]}], "length": {"steps": 40},
        "memory": {"mixed_precision": "no"}, "network": {"rank": 4},
    }  # fmt: skip


@pytest.fixture
def make_server(tmp_path):
    """A function that starts a server; all are ended with what they left running."""
    servers = []

    def make(**env):
        settings = engines.make(tmp_path / f"engines-{len(servers)}")
        server = Server(tmp_path, {**settings, **env})
        servers.append(server)
        if not (server.data / "lora.db").exists():
            # Migrating takes half a second; tests of the start do without.
            server.data.mkdir(exist_ok=True)
            shutil.copy(schema_file(), server.data / "lora.db")
        server.start()
        return server

    yield make
    from app.jobs import processes
    from app.jobs.rundir import read_json

    for server in servers:
        server.kill()
        for launch in server.data.glob("jobs/*/attempts/*/launch.json"):
            marker = (read_json(launch) or {}).get("marker", "")
            processes.end(processes.marked(marker))


@pytest.fixture
def server(make_server):
    return make_server()
