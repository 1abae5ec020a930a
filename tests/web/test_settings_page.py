"""The Settings page and the Copies card: plain forms, sentences at fields, no secret ever shown."""

from __future__ import annotations

import pytest

from app import delivery, notify, tasks
from app.jobs import service
from app.platform import EXTENSION
from tests.support.finished import finished_job
from tests.support.polls import poll_of

ADDRESS = "tgram://123456:AAE-secret-token-of-a-bot/987654"


@pytest.fixture
def context(app):
    with app.app_context():
        yield app


def test_a_notification_is_added_tested_changed_and_removed_by_plain_forms(context, client):
    data = {"address": ADDRESS, "name": "My phone", "events": ["failed", "finished"]}
    answer = client.post("/settings/notifications", data=data)
    assert (answer.status_code, answer.location) == (303, "/settings#notifications")
    [target] = notify.targets()
    page = client.get("/settings").text
    assert "My phone" in page
    assert "secret-token" not in page
    client.post(f"/settings/notifications/{target.id}", data={"events": ["stalled"]})
    assert notify.find(target.id).events == ("stalled",)
    client.post(f"/settings/notifications/{target.id}/test")
    task = notify.test_of(target.id)
    assert ADDRESS not in task.arguments
    tasks.store.change(task.id, state="failed", error="The service refused it (HTTP 401).")
    assert "The service refused it (HTTP 401)." in client.get("/settings").text
    assert client.post(f"/settings/notifications/{target.id}/remove").status_code == 303
    assert notify.targets() == ()
    assert client.post("/settings/notifications/nobody/test").status_code == 404


def test_a_refused_form_keeps_what_was_typed_but_for_the_secret(context, client):
    data = {"place": "bucket/x", "key_id": "AKIA", "key": "s3cr3t", "endpoint": "nonsense",
            "kind": "s3", "name": "Mine"}  # fmt: skip
    answer = client.post("/settings/deliveries", data=data)
    assert answer.status_code == 422
    assert "begins with https://" in answer.text
    assert "Choose at least one kind of file." in answer.text
    assert 'value="Mine"' in answer.text
    assert "s3cr3t" not in answer.text
    assert context.extensions[EXTENSION].vault.names() == []


def test_a_job_that_left_no_lora_offers_none_to_send(context, client):
    job = finished_job(context)
    delivery.add("s3", {"place": "b-u/{id}", "name": "Archive"}, ("lora",))
    page = client.get("/jobs/1").text
    assert "Finished LoRA" in page
    assert 'play"/></svg>Retry</button>' not in page  # nothing is left to try: it can be continued
    assert "more steps" in page
    for file in service.run_dir(job).output.rglob("*.safetensors"):
        file.unlink()
    page = client.get("/jobs/1").text
    assert "Finished LoRA" not in page
    assert "Spec, native config and run card" in page


def test_the_card_sends_by_a_plain_form_and_shows_what_was_verified(context, client):
    job = finished_job(context)
    assert "Set up where they go" in client.get("/jobs/1").text
    target = delivery.add("s3", {"place": "b-u/{id}", "name": "Archive"}, ("lora",))
    answer = client.post("/jobs/1/deliver", data={"target": target.id, "what": ["config"]})
    assert (answer.status_code, answer.location) == (303, "/jobs/1#job-delivery")
    rows = delivery.rows(job.id)
    assert {row.path for row in rows} == {"spec.yaml", "run-card.json", "native/config.toml"}
    card = client.get("/jobs/1/delivery").text
    assert "0 of 3 verified" in card
    assert "hx-get" in card
    assert client.get(poll_of(card, "job-delivery")).status_code == 204
    task = delivery.task_of(job, target.id)
    tasks.store.change(task.id, state="failed", error="There is no bucket b-u.")
    delivery.store.change(rows[0].id, state="failed", error="The copy is not whole.")
    card = client.get("/jobs/1/delivery").text
    assert "There is no bucket b-u." in card
    assert "The copy is not whole." in card
    assert "hx-get" not in card


def test_a_lora_that_is_safe_bears_a_badge_on_its_job_and_in_the_table(context, client):
    job = finished_job(context)
    target = delivery.add("s3", {"place": "b-u/{id}", "name": "Archive"}, ("lora",))
    delivery.start(job, target.id)
    assert "backed up</" not in client.get("/jobs/1").text
    [row] = delivery.rows(job.id)
    path = context.extensions[EXTENSION].settings.jobs_dir / "1/output/dog.safetensors"
    stat = path.stat()
    delivery.store.change(
        row.id, state="verified", size=stat.st_size, mtime_ns=stat.st_mtime_ns, verified_at=1.0
    )
    assert client.get("/jobs/1").text.count("backed up</") == 2
    assert "backed up</" in client.get("/").text
    path.write_text("another")
    assert "backed up</" not in client.get("/jobs/1").text


def test_a_target_is_changed_and_removed_and_its_keys_go_with_it(context, client):
    data = {"kind": "s3", "place": "b-u/{id}", "key_id": "a", "key": "b", "what": ["lora"]}
    client.post("/settings/deliveries", data=data)
    [target] = delivery.targets()
    vault = context.extensions[EXTENSION].vault
    assert len(vault.names()) == 2
    change = {"automatic": "success", "what": ["samples"]}
    client.post(f"/settings/deliveries/{target.id}", data=change)
    assert delivery.targets()[0].automatic == "success"
    assert client.post(f"/settings/deliveries/{target.id}", data={}).status_code == 422
    client.post(f"/settings/deliveries/{target.id}/remove")
    assert (delivery.targets(), vault.names()) == ((), [])
