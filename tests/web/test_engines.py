"""Engines are installed from their page, and jobs may be created meanwhile."""

from __future__ import annotations

import pytest

from app import tasks
from tests.support.platform import make_app


@pytest.fixture
def env():
    return {}


def test_install_is_a_button_that_becomes_progress_with_a_log(app, client):
    assert "Install kohya_ss" in client.get("/engines").text
    answer = client.post("/engines/kohya_ss/install")
    assert (answer.status_code, answer.location) == (303, "/engines")
    with app.app_context():
        task = tasks.latest("engine:kohya_ss")
        path = tasks.log_path(app.extensions["vast-lora"].settings, task.id)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("kohya_ss: fetching torch\n")
    page = client.get("/engines").text
    assert "fetching torch" in page
    assert "Install kohya_ss" not in page
    assert client.post("/engines/kohya_ss/install").status_code == 409
    assert "fetching torch" in client.get("/engines/kohya_ss/log").text
    assert client.get("/engines/ai-toolkit/log").status_code == 404
    assert client.post("/engines/sudo/install").status_code == 404


def test_a_job_may_be_created_while_its_engine_is_installed(client, form):
    answer = client.post("/jobs/", data=form)
    assert answer.status_code == 422
    assert "is not installed" in answer.text
    client.post("/engines/kohya_ss/install")
    assert client.post("/jobs/", data=form).status_code == 303
    assert "is being installed" in client.get("/jobs/1").text


def test_an_engine_that_lies_elsewhere_is_not_installed_here(tmp_path):
    app = make_app(tmp_path / "elsewhere", {"KOHYA_SS_DIR": "/opt/kohya_ss"})
    page = app.test_client().get("/engines").text
    assert "KOHYA_SS_DIR" in page
    assert "Install kohya_ss" not in page
