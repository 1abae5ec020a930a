"""A client on a real application with a fake executor, and a document that it accepts."""

from __future__ import annotations

import pytest
from PIL import Image

from app.jobs import service
from tests.support.platform import make_app


@pytest.fixture
def pictures(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for index in range(3):
        Image.new("RGB", (64, 64), (index * 60, 0, 0)).save(folder / f"{index}.png")
        (folder / f"{index}.txt").write_text("a shape")
    return folder


@pytest.fixture
def env(tmp_path):
    home = tmp_path / "sd-scripts"
    home.mkdir()
    (home / "train_network.py").write_text("")
    return {"KOHYA_SS_DIR": str(home), "KOHYA_SS_PYTHON": "/bin/true"}


@pytest.fixture
def app(tmp_path, env):
    return make_app(tmp_path, env)


@pytest.fixture
def client(app):
    return app.test_client()


@pytest.fixture
def form(tmp_path, pictures):
    """A form as a browser sends it."""
    model = tmp_path / "model"
    model.mkdir()
    (model / "model_index.json").write_text("{}")
    return {
        "name": "dog", "family": "sd15", "engine": "kohya_ss", "base_model": str(model),
        "datasets.0.path": str(pictures), "datasets.0.resolution": "64", "trigger_word": "zxq",
        "length.steps": "9", "memory.mixed_precision": "no",
    }  # fmt: skip


@pytest.fixture
def job(app, client, form):
    """A job that waits."""
    answer = client.post("/jobs/", data={**form, "hold": "1"})
    assert answer.status_code == 303, answer.text
    with app.app_context():
        yield service.get(1)
