"""An application context."""

from __future__ import annotations

import pytest

from tests.support.platform import make_app


@pytest.fixture
def app(tmp_path):
    app = make_app(tmp_path)
    with app.app_context():
        yield app
