"""Whom messages reach, for programs: added, listed, changed, tested, removed, and no secret told."""

from __future__ import annotations

import pytest

from app import notify, tokens
from app.platform import EXTENSION
from tests.support.platform import make_app

ADDRESS = "tgram://123456:AAE-secret-token-of-a-bot/987654"
BASE = "/api/v1/notifications"


@pytest.fixture
def vault(app):
    return app.extensions[EXTENSION].vault


def test_a_target_is_added_changed_tested_and_removed_and_its_address_told_nowhere(
    app, client, vault
):
    said = [client.post(BASE, json={"address": ADDRESS, "events": ["failed", "finished"]})]
    assert said[0].status_code == 201
    made = said[0].json
    assert made == {
        "id": made["id"], "name": "tgram", "kind": "tgram", "hint": "…654",
        "events": ["finished", "failed"],
    }  # fmt: skip
    one = f"{BASE}/{made['id']}"
    said += [client.get(BASE), client.put(one, json={"events": ["stalled"]}), client.get(one)]
    assert said[1].json == {"notifications": [made]}
    assert said[2].json == said[3].json == {**made, "events": ["stalled"]}
    said.append(client.post(f"{one}/test"))
    assert said[-1].status_code == 202
    assert client.get(f"/api/v1/tasks/{said[-1].json['id']}").json["kind"] == "notify.send"
    assert [answer for answer in said if "secret-token" in answer.text] == []
    assert vault.get(f"notify.{made['id']}") == ADDRESS
    assert client.delete(one).status_code == 204
    assert client.get(one).status_code == client.delete(one).status_code == 404
    assert client.get(BASE).json == {"notifications": []}
    assert vault.names() == []


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"address": "secret-token", "events": ["failed"]}, "address"),
        ({"address": ADDRESS, "events": []}, "events"),
        ({"address": ADDRESS, "events": ["secret-token"]}, "events.0"),
        ({"address": ADDRESS, "events": ["failed"], "when": "now"}, "when"),
        ({"address": [ADDRESS], "events": ["failed"]}, "address"),
    ],
)
def test_what_is_wrong_is_told_at_its_field_without_what_was_sent(app, client, vault, body, field):
    answer = client.post(BASE, json=body)
    assert (answer.status_code, list(answer.json["errors"])) == (422, [field])
    assert "secret-token" not in answer.text
    with app.app_context():
        assert notify.targets() == ()
    assert vault.names() == []


def test_one_that_is_told_nothing_is_kept(client):
    made = client.post(BASE, json={"address": ADDRESS, "events": ["failed"]}).json
    assert client.put(f"{BASE}/{made['id']}", json={"events": []}).json["events"] == []
    assert len(client.get(BASE).json["notifications"]) == 1


def test_a_token_that_only_reads_sees_nobody_who_is_told(tmp_path):
    app = make_app(tmp_path, {"AUTH_TOKEN": "right"})
    with app.app_context():
        made = notify.add("My phone", ADDRESS, ["failed"])
        guest, full = tokens.make("guest", "read")[1], tokens.make("I", "full")[1]
    client = app.test_client()
    for address in (BASE, f"{BASE}/{made.id}", f"{BASE}/nobody", "/settings"):
        answer = client.get(address, headers={"Authorization": f"Bearer {guest}"})
        assert answer.status_code == 403, address
        assert "…654" not in answer.text
    told = client.get("/api/v1/targets", headers={"Authorization": f"Bearer {guest}"})
    assert told.json == {"deliveries": []}
    assert client.get(BASE, headers={"Authorization": f"Bearer {full}"}).status_code == 200
