"""An application context, and a dataset with three captioned pictures."""

from __future__ import annotations

import pytest
from PIL import Image

from app.datasets import library
from app.datasets.scanning import scan
from app.platform import EXTENSION
from tests.support.platform import make_app


@pytest.fixture
def app(tmp_path):
    app = make_app(tmp_path)
    with app.app_context():
        yield app


@pytest.fixture
def platform(app):
    return app.extensions[EXTENSION]


@pytest.fixture
def dog(app):
    dataset = library.create("dog")
    for index in range(3):
        picture = library.folder(dataset) / f"{index}.png"
        Image.new("RGB", (64, 48), (index * 60, 0, 0)).save(picture)
        picture.with_suffix(".txt").write_text(f"shape {index}")
    scan(dataset)
    return dataset
