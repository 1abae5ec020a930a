"""What a job needs to be supervised: pictures, a model, a checkout of an engine."""

from __future__ import annotations

import pytest

from tests.support.platform import make_app


@pytest.fixture
def data(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    from PIL import Image

    for index in range(4):
        Image.new("RGB", (64, 64), (index * 40, 0, 0)).save(folder / f"{index}.png")
        (folder / f"{index}.txt").write_text("a shape")
    return folder


@pytest.fixture
def supervised(tmp_path, data):
    """An application with an engine whose trainer nobody starts: the executor is a fake."""
    home = tmp_path / "sd-scripts"
    home.mkdir()
    (home / "train_network.py").write_text("")
    model = tmp_path / "model"
    (model / "unet").mkdir(parents=True)
    (model / "model_index.json").write_text('{"_class_name": "StableDiffusionPipeline"}')
    app = make_app(tmp_path, {"KOHYA_SS_DIR": str(home), "KOHYA_SS_PYTHON": "/bin/true"})
    with app.app_context():
        yield app


@pytest.fixture
def document(tmp_path, data):
    return {
        "name": "dog", "family": "sd15", "engine": "kohya_ss", "base_model": str(tmp_path / "model"),
        "datasets": [{"path": str(data), "resolution": [64]}], "length": {"steps": 8},
    }  # fmt: skip
