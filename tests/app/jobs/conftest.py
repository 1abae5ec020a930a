"""What a job needs to be supervised: pictures, a model, a checkout of an engine."""

from __future__ import annotations

import pytest

from tests.support.engines import without_trainer
from tests.support.models import pipeline
from tests.support.pictures import folder
from tests.support.platform import make_app


@pytest.fixture
def data(tmp_path):
    return folder(tmp_path / "pictures")


@pytest.fixture
def supervised(tmp_path, data):
    """An application with an engine whose trainer nobody starts: the executor is a fake."""
    pipeline(tmp_path / "model")
    app = make_app(tmp_path, without_trainer(tmp_path / "sd-scripts"))
    with app.app_context():
        yield app


@pytest.fixture
def document(tmp_path, data):
    return {
        "name": "dog", "family": "sd15", "engine": "kohya_ss", "base_model": str(tmp_path / "model"),
        "datasets": [{"path": str(data), "resolution": [64]}], "length": {"steps": 8},
    }  # fmt: skip
