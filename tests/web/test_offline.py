"""Where HF_HUB_OFFLINE is set: nothing of the Hub is offered, what is asked for all the same is refused."""

from __future__ import annotations

import pytest

from app import delivery, tasks
from app.platform import current
from app.settings import HUB_OFFLINE, HUB_OFFLINE_BRIEF, Settings
from tests.support.finished import finished_job
from tests.support.platform import make_app

ASKED = {"base_model": "open/flux", "family": "flux"}


@pytest.fixture
def app(tmp_path, env):
    # The address answers nobody: a request that was made in spite of all would be told as cut.
    more = {"HF_HUB_OFFLINE": "1", "HF_ENDPOINT": "http://127.0.0.1:9", "HF_TOKEN": ""}
    return make_app(tmp_path, {**env, **more, "HF_HOME": str(tmp_path / "hf")})


@pytest.fixture
def begun(app):
    """How much background work of these kinds was ever asked for."""

    def count() -> int:
        with app.app_context():
            kinds = ("model.download", "model.token", "dataset.import", delivery.store.KIND)
            return sum(len(tasks.recent(kind)) for kind in kinds)

    return count


def test_it_is_read_as_hugging_face_reads_it(tmp_path):
    def offline(value: str) -> bool:
        return Settings.from_env({"HF_HUB_OFFLINE": value}).hf_hub_offline

    assert [offline(value) for value in ("1", "on", "YES", "True")] == [True] * 4
    assert [offline(value) for value in ("", "0", "off", "2")] == [False] * 4


def test_the_form_offers_no_download_and_refuses_one(client, begun):
    state = client.get("/models/state", query_string=ASKED).text
    assert "Not on this machine." in state
    assert f"{HUB_OFFLINE_BRIEF} Name a file or folder." in state
    assert "<button" not in state
    assert "the job fetches it" not in state
    scripted = client.post(
        "/models/get", data={**ASKED, "model_wish": "start"}, headers={"HX-Request": "true"}
    )
    assert (scripted.status_code, HUB_OFFLINE in scripted.text) == (422, True)
    plain = client.post("/jobs/new", data={**ASKED, "name": "dog", "model_wish": "start"})
    assert plain.status_code == 422
    assert f'id="base_model-error">{HUB_OFFLINE}' in plain.text
    assert 'value="dog"' in plain.text, "what was typed stays"
    assert begun() == 0


def test_what_the_cache_holds_is_here_all_the_same(client, tmp_path):
    snapshot = tmp_path / "hf/hub/models--open--flux/snapshots/1"
    snapshot.mkdir(parents=True)
    (snapshot / "model_index.json").write_text("{}")
    assert "On this machine." in client.get("/models/state", query_string=ASKED).text


def test_a_download_that_was_cut_before_is_not_offered_again(app, client, begun):
    with app.app_context():
        task = tasks.start("model.download", "model:open/flux", {"repo": "open/flux"})
        tasks.cancel(task)
    assert "Go on" not in client.get("/models/state", query_string=ASKED).text
    assert client.post("/models/get", data={**ASKED, "model_wish": "start"}).status_code == 422
    assert begun() == 1


def test_the_models_page_says_so_and_fetches_addresses_alone(client, begun):
    assert HUB_OFFLINE in client.get("/models").text
    refused = client.post("/models/download", data={"what": "open/flux"})
    assert (refused.status_code, f'id="what-error">{HUB_OFFLINE}' in refused.text) == (422, True)
    assert begun() == 0
    address = client.post("/models/download", data={"what": "http://127.0.0.1:9/a.safetensors"})
    assert (address.status_code, begun()) == (303, 1)


def test_the_api_refuses_with_the_same_sentence(client, begun):
    refused = client.post("/api/v1/models/downloads", json={"what": "open/flux"})
    assert (refused.status_code, refused.json["error"]) == (409, HUB_OFFLINE)
    assert begun() == 0


def test_a_token_is_kept_and_not_tested(app, client, begun):
    assert client.post("/models/token", data={"token": "hf_abc"}).status_code == 303
    page = client.get("/models").text
    assert "It is not tested" in page
    assert 'action="/models/token/test"' not in page
    tested = client.post("/models/token/test")
    assert (tested.status_code, HUB_OFFLINE in tested.text) == (422, True)
    assert begun() == 0
    with app.app_context():
        assert current().vault.get("hf_token") == "hf_abc"


def test_a_dataset_of_the_hub_is_refused_and_leaves_no_empty_one(client, begun):
    assert HUB_OFFLINE in client.get("/datasets").text
    refused = client.post("/datasets", data={"address": "me/dogs"})
    assert (refused.status_code, f'id="address-error">{HUB_OFFLINE}' in refused.text) == (422, True)
    assert client.get("/api/v1/datasets").json["datasets"] == []
    assert begun() == 0


def test_the_first_steps_say_it_in_the_place_of_the_button(client, begun):
    page = client.get("/").text
    assert HUB_OFFLINE in page
    assert "/first-steps/model" not in page
    assert client.post("/first-steps/model").status_code == 409
    assert begun() == 0


def test_a_copy_to_the_hub_is_not_offered_one_to_elsewhere_is(app, client, begun):
    with app.app_context():
        finished_job(app)
        hub = delivery.add("hub", {"place": "{name}-{id}"}, ("lora",)).id
        card = client.get("/jobs/1").text
        assert HUB_OFFLINE in card
        assert "Send<span" not in card
        assert client.post("/jobs/1/deliver", data={"target": hub}).status_code == 409
        told = client.post("/api/v1/jobs/1/deliveries", json={"target": hub})
        assert (told.status_code, told.json["error"]) == (409, HUB_OFFLINE)
        assert begun() == 0
        s3 = delivery.add("s3", {"place": "b-u/{id}"}, ("lora",)).id
        assert "Send<span" in client.get("/jobs/1").text
        assert client.post("/jobs/1/deliver", data={"target": s3}).status_code == 303
        assert begun() == 1


def test_what_is_due_at_the_hub_by_itself_waits_and_the_pages_say_so(app, client, begun):
    with app.app_context():
        delivery.Watcher().tick()
        delivery.add("hub", {"place": "{name}-{id}", "automatic": "success"}, ("lora",))
        finished_job(app)
        delivery.Watcher().tick()
    page = client.get("/jobs/1").text
    assert f"{HUB_OFFLINE} What waits here is then sent by itself." in page
    assert "0 of 2 verified" in page
    assert "not sent to Hugging Face yet" in page
    assert "auto-stop does not wait for it" in client.get("/settings").text
    assert "while HF_HUB_OFFLINE keeps copies here" in client.get("/meter").text
    assert begun() == 0
