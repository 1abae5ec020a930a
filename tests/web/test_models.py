"""The Models page and what the New job form says of a base model."""

from __future__ import annotations

import pytest

from app import tasks
from app.jobs import service, store
from app.jobs.states import JobState
from app.platform import current
from tests.support.hub_files import GOOD_TOKEN, serve
from tests.support.models import OTHERS, SHAPES, content, write
from tests.support.platform import make_app

FLUX = content(SHAPES["flux"])


@pytest.fixture
def hub():
    with serve(
        {"open/flux": {"flux.safetensors": FLUX}, "gated/flux": {"flux.safetensors": FLUX}}
    ) as found:
        yield found


@pytest.fixture
def app(tmp_path, env, hub, monkeypatch):
    for name in ("HF_HUB_OFFLINE", "HF_HUB_CACHE", "HF_TOKEN", "HF_TOKEN_PATH"):
        monkeypatch.delenv(name, raising=False)
    return make_app(tmp_path, {**env, "HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "hf")})


@pytest.fixture
def work(app):
    return app.extensions["vast-lora"].tasks.run_all


def test_a_repository_is_downloaded_listed_and_offered_to_its_family(client, work):
    assert client.post("/models/download", data={"what": "open/flux"}).status_code == 303
    assert "open/flux" in client.get("/models").text
    assert work() == [""]
    page = client.get("/models").text
    assert "FLUX.1" in page
    assert "open/flux/flux.safetensors" in page
    assert '<option value="open/flux/flux.safetensors">' in client.get("/jobs/new?family=flux").text
    assert "open/flux" not in client.get("/jobs/new?family=sdxl").text


def test_a_model_that_may_be_several_asks_which_before_it_is_trained_on(client, work):
    client.post("/models/download", data={"what": "open/flux"})
    work()
    page = client.get("/models").text
    assert "One of FLUX.1" in page
    assert '<option value="flux_kontext">' in page


def test_a_part_is_deleted_only_where_there_is_one(app, client, work):
    client.post("/models/download", data={"what": "open/flux"})
    work()
    address = delete_page(client, app, "open/flux/flux.safetensors")
    for part in ("nothing.bin", "older revisions", "../x"):
        assert client.post(address, data={"part": part}).status_code == 400
    assert client.post(address, data={"part": "flux.safetensors"}).status_code == 303
    for _ in range(2):
        assert client.post(address, data={}).status_code == 303, "one deletion drops no other"
    assert work() == ["", ""]
    assert client.get(address).text.count("flux.safetensors") == 0


def test_the_same_thing_twice_is_one_download_and_a_failed_one_goes_on(app, client, hub, work):
    for _ in range(2):
        client.post("/models/download", data={"what": "gated/flux"})
    assert [error[:20] for error in work()] == ["gated/flux is gated,"]
    assert "set a token on the Models page" in client.get("/models").text
    client.post("/models/token", data={"token": GOOD_TOKEN})
    client.post("/models/download", data={"what": "gated/flux"})
    assert work() == ["", ""]
    with app.app_context():
        assert len(tasks.recent("model.download")) == 1


@pytest.mark.parametrize(
    "what", ["", "../../etc/x", "ftp://a/b.safetensors", "/etc/passwd", "word"]
)
def test_what_cannot_be_downloaded_is_refused_at_the_field(client, what):
    answer = client.post("/models/download", data={"what": what})
    assert answer.status_code == 422
    assert 'id="what-error"' in answer.text


def test_a_key_in_an_address_reaches_neither_page_nor_database(app, client, hub, work, tmp_path):
    client.post(
        "/models/download", data={"what": f"{hub.url}/plain/flux.safetensors?token=hush-hush"}
    )
    assert "hush-hush" not in client.get("/models").text
    with app.app_context():
        assert "hush-hush" not in tasks.recent("model.download")[0].arguments
    assert work() == [""]
    assert (tmp_path / "data" / "models" / "flux.safetensors").read_bytes() == FLUX
    assert "hush-hush" not in (tmp_path / "data" / "secrets.json").read_text()


def test_the_token_is_set_tested_and_removed_and_never_shown(app, client, hub, work):
    for token, told in ((GOOD_TOKEN, "anna"), ("hf_wrong", "does not know this token")):
        client.post("/models/token", data={"token": token})
        work()
        page = client.get("/models").text
        assert told in page
        assert token not in page
    assert client.post("/models/token", data={"token": "two words"}).status_code == 422
    client.post("/models/token", data={"remove": "1"})
    assert "not set" in client.get("/models").text


def test_the_token_of_the_page_reaches_the_trainer_and_the_check_of_the_hub(app, client, form):
    with app.app_context():
        assert not current().hub.wait("gated/flux", 5).ok
        client.post("/models/token", data={"token": GOOD_TOKEN})
        assert current().hub.wait("gated/flux", 5).ok
        client.post("/jobs/", data=form)
        current().supervisor.tick()
        for thread in list(current().supervisor.tasks):
            thread.join(10)
        assert current().executor.started[0][2]["HF_TOKEN"] == GOOD_TOKEN


def test_a_lora_and_another_family_are_refused_at_the_field(client, form, tmp_path):
    lora = write(tmp_path / "style.safetensors", OTHERS["lora"])
    flux = write(tmp_path / "flux.safetensors", SHAPES["flux"])
    for path, told in ((lora, "is a LoRA of rank 16"), (flux, "is FLUX.1, not of the family sd15")):
        answer = client.post("/jobs/", data={**form, "base_model": str(path)})
        assert answer.status_code == 422
        assert told in answer.text
        assert 'id="base_model-error"' in answer.text


def delete_page(client, app, name):
    with app.app_context():
        from app.base_models import read_library

        key = next(e.key for e in read_library(current().settings).entries if e.name == name)
    return f"/models/{key}/delete"


def test_a_deletion_shows_what_names_the_model_and_a_running_job_keeps_it(
    app, client, form, work, tmp_path
):
    write(tmp_path / "data" / "models" / "mine.safetensors", SHAPES["sd15"])
    client.post("/models/look")
    work()
    client.post("/jobs/", data={**form, "base_model": "mine.safetensors", "hold": "1"})
    address = delete_page(client, app, "mine.safetensors")
    page = client.get(address).text
    assert "A queued job names it" in page
    assert "#1" in page
    with app.app_context():
        store.move(service.get(1), JobState.STARTING)
    assert "Stop it first" in client.get(address).text
    refused = client.post(address)
    assert refused.status_code == 409
    assert "in use by dog (#1)" in refused.text
    with app.app_context():
        store.move(service.get(1), JobState.FAILED)
    assert client.post(address).status_code == 303
    assert work() == [""]
    assert not (tmp_path / "data" / "models" / "mine.safetensors").exists()
    assert client.get(address).status_code == 404


def test_an_added_folder_is_looked_at_and_forgotten_never_emptied(app, client, work, tmp_path):
    mine = write(tmp_path / "mine" / "x.safetensors", SHAPES["sdxl"])
    assert client.post("/models/folders", data={"folder": "relative"}).status_code == 422
    assert client.post("/models/folders", data={"folder": str(tmp_path / "no")}).status_code == 422
    client.post("/models/folders", data={"folder": str(mine.parent)})
    work()
    assert client.post(delete_page(client, app, str(mine))).status_code == 409
    client.post("/models/folders/forget", data={"folder": str(mine.parent)})
    work()
    assert str(mine) not in client.get("/models").text
    assert mine.exists()


def test_the_form_says_where_its_base_model_is_and_fetches_it(app, client, work):
    asked = {"base_model": "open/flux", "family": "flux"}
    assert "Download now" in client.get("/models/state", query_string=asked).text
    coming = client.post("/models/get", data={**asked, "model_wish": "start"})
    assert 'hx-trigger="every 1s"' in coming.text
    with app.app_context():
        version = tasks.recent("model.download")[0].version
    same = client.get("/models/state", query_string={**asked, "v": f"coming.1.{version}"})
    assert same.status_code == 204
    client.post("/models/get", data={**asked, "model_wish": "cancel"})
    assert "Go on" in client.get("/models/state", query_string=asked).text
    client.post("/jobs/new", data={**asked, "name": "dog", "model_wish": "start"})
    assert work() == [""]
    done = client.get("/models/state", query_string={**asked, "v": "coming.1.9"})
    assert "On this machine" in done.text
    assert done.headers["HX-Trigger"] == "model-changed"


def test_the_form_sends_a_gated_model_to_its_licence_and_the_token(app, client):
    with app.app_context():
        current().hub.wait("gated/flux", 5)
    told = client.get("/models/state", query_string={"base_model": "gated/flux"}).text
    assert "Accept its licence" in told
    assert "/models#token" in told


def test_a_refused_form_says_once_at_the_field_why_its_model_cannot_be_had(app, client, form):
    with app.app_context():
        current().hub.wait("gated/flux", 5)
    page = client.post("/jobs/", data={**form, "base_model": "gated/flux"})
    field = page.text.partition('for="base_model"')[2].partition('id="base_model-help"')[0]
    assert page.status_code == 422
    assert field.count("Accept its licence") == 1
    assert "/models#token" in field


def test_a_job_waits_for_the_download_of_its_model(app, client, form, work):
    data = {**form, "base_model": "open/flux"}
    client.post("/models/download", data={"what": "open/flux"})
    assert "being downloaded" in client.post("/jobs/preview", data=data).text
    assert client.post("/jobs/", data=data).status_code == 303
    with app.app_context():
        current().supervisor.tick()
        job = service.get(1)
        assert (job.state, job.phase) == ("queued", "waits for the download of open/flux")
    work()
    with app.app_context():
        current().supervisor.tick()
        assert service.get(1).state != "queued"
