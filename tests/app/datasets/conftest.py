"""An application context, and a dataset with three captioned pictures."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from app import tasks
from app.datasets import importing, library, uploads
from app.datasets.scanning import scan
from app.errors import UserError
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


@pytest.fixture
def empty(app):
    return library.create("cat")


@pytest.fixture
def bring(platform):
    """Upload files whole and import them; the task's result, or raises with its error."""

    def bring(dataset, **files):
        place = uploads.Uploads(platform.settings.data_dir, dataset.id)
        arrived = []
        for name, data in files.items():
            upload = place.begin(name, len(data), "1")
            place.append(upload, 0, io.BytesIO(data))
            arrived.append(upload)
        task = importing.from_uploads(dataset, arrived)
        ended = platform.tasks.run_all()
        if ended[0]:
            raise UserError(ended[0])
        return tasks.result_of(tasks.get(task.id))

    return bring
