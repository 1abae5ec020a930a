"""What a job needs to be supervised: pictures, a model, a checkout of an engine."""

from __future__ import annotations

import pytest

from app import artifacts
from tests.support.engines import without_trainer
from tests.support.models import pipeline
from tests.support.pictures import folder
from tests.support.platform import FakeCluster, make_app


@pytest.fixture
def data(tmp_path):
    return folder(tmp_path / "pictures")


@pytest.fixture
def make_supervised(tmp_path, data, monkeypatch):
    """A function that makes an application with an engine whose trainer nobody starts."""
    pipeline(tmp_path / "model")
    # A child that loads numpy for each LoRA took most of the time; tests/app/artifacts starts real ones.
    monkeypatch.setattr(artifacts, "verify_in_child", lambda path, _timeout: artifacts.verify(path))

    def make(**env):
        app = make_app(tmp_path, {**without_trainer(tmp_path / "sd-scripts"), **env})
        app.extensions["vast-lora"]._slurm = FakeCluster()
        return app

    return make


@pytest.fixture
def supervised(make_supervised):
    """Such an application on this machine: the executor is a fake."""
    with make_supervised().app_context() as context:
        yield context.app


@pytest.fixture
def on_cluster(make_supervised):
    """Such an application whose jobs go to a cluster, a fake as well."""
    with make_supervised(EXECUTOR="slurm").app_context() as context:
        yield context.app


@pytest.fixture
def document(tmp_path, data):
    return {
        "name": "dog", "family": "sd15", "engine": "kohya_ss", "base_model": str(tmp_path / "model"),
        "datasets": [{"path": str(data), "resolution": [64]}], "length": {"steps": 8},
    }  # fmt: skip
