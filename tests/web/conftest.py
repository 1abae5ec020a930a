"""A client on a real application with a fake executor, and a document that it accepts."""

from __future__ import annotations

import pytest

from app.jobs import service
from tests.support.engines import without_trainer
from tests.support.models import pipeline
from tests.support.pictures import folder
from tests.support.platform import make_app


@pytest.fixture
def pictures(tmp_path):
    return folder(tmp_path / "pictures", count=3)


@pytest.fixture
def env(tmp_path):
    return without_trainer(tmp_path / "sd-scripts")


@pytest.fixture
def app(tmp_path, env):
    return make_app(tmp_path, env)


@pytest.fixture
def client(app):
    return app.test_client()


@pytest.fixture
def form(tmp_path, pictures):
    """A form as a browser sends it."""
    model = pipeline(tmp_path / "model")
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
