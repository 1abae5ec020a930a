"""The API: one shape of errors, cursors, checked parameters, a document of what is really there."""

from __future__ import annotations

import re

import pytest

from app import tokens
from app.base_models import Entry, Library, library
from app.gpu import Gpu
from app.jobs import service, store
from app.jobs.states import JobState
from app.platform import EXTENSION
from app.web.api import OPERATIONS
from tests.support.finished import finished_job
from tests.support.pictures import picture
from tests.support.platform import FakeGpus, make_app


@pytest.fixture
def context(app):
    with app.app_context():
        yield app


def test_every_error_is_json_of_one_shape(context, client, monkeypatch):
    answers = {
        404: client.get("/api/v1/nowhere"),
        405: client.delete("/api/v1/jobs"),
        415: client.post("/api/v1/jobs", data="name: x", content_type="text/yaml"),
        422: client.get("/api/v1/jobs?limit=many&wrong=1"),
        409: client.post(f"/api/v1/jobs/{finished_job(context).id}/hold"),
        403: client.post("/api/v1/queue/pause", headers={"Sec-Fetch-Site": "cross-site"}),
    }
    for status, answer in answers.items():
        assert answer.status_code == status, answer.text
        assert answer.is_json
        assert answer.get_json()["error"]
    assert set(answers[422].get_json()["errors"]) == {"limit", "wrong"}


def test_jobs_are_paged_by_a_cursor_and_nothing_is_left_out(context, client):
    for place in range(5):
        finished_job(context, name=f"dog{place}")
    seen, cursor = [], ""
    while True:
        page = client.get(f"/api/v1/jobs?limit=2{cursor}").get_json()
        seen += [job["id"] for job in page["jobs"]]
        if page["next"] is None:
            break
        cursor = f"&before={page['next']}"
    assert seen == [5, 4, 3, 2, 1]


def test_a_job_tells_its_log_events_attempts_and_files(context, client):
    job = finished_job(context)
    log = service.run_dir(job).attempt(1).log
    log.parent.mkdir(parents=True)
    log.write_text("one\ntwo\n")
    piece = client.get("/api/v1/jobs/1/log").get_json()
    assert (piece["lines"], piece["over"]) == (["one", "two"], True)
    assert client.get(f"/api/v1/jobs/1/log?offset={piece['end']}").get_json()["lines"] == []
    assert client.get("/api/v1/jobs/1/log?attempt=2").status_code == 404
    events = client.get("/api/v1/jobs/1/events?limit=2").get_json()
    assert [event["new"] for event in events["events"]] == ["queued", "starting"]
    later = client.get(f"/api/v1/jobs/1/events?after={events['next']}").get_json()
    assert [event["new"] for event in later["events"]] == ["running", "succeeded"]
    [attempt] = client.get("/api/v1/jobs/1/attempts").get_json()["attempts"]
    assert attempt["number"] == 1
    files = client.get("/api/v1/jobs/1/artifacts").get_json()["files"]
    assert [file["final"] for file in files] == [False, True]
    assert client.get(files[1]["download"], buffered=True).data == b"finished" * 300
    assert len(client.get("/api/v1/jobs/1/samples").get_json()["files"]) == 2


def test_a_queued_job_is_held_released_and_ordered(context, client, job):
    assert client.post("/api/v1/jobs/1/release").get_json()["held"] is False
    assert client.post("/api/v1/jobs/1/hold").get_json()["held"] is True
    answer = client.put("/api/v1/jobs/1/priority", json={"priority": 7})
    assert answer.get_json()["priority"] == 7
    assert client.put("/api/v1/jobs/1/priority", json={"priority": "x"}).status_code == 422
    assert client.post("/api/v1/queue/pause").get_json()["paused"] is True
    assert client.post("/api/v1/queue/resume").get_json()["paused"] is False


def test_the_document_names_every_operation_and_every_reference_leads_somewhere(client):
    document = client.get("/api/v1/openapi.json").get_json()
    told = {(path, verb) for path, verbs in document["paths"].items() for verb in verbs}
    assert told == {(op.template, op.method.lower()) for op in OPERATIONS}
    assert len({op.name for op in OPERATIONS}) == len(OPERATIONS)
    schemas = document["components"]["schemas"]
    references = set()

    def walk(node):
        if isinstance(node, dict):
            if "$ref" in node:
                references.add(node["$ref"].rpartition("/")[2])
            for value in node.values():
                walk(value)
        elif isinstance(node, list):
            for value in node:
                walk(value)

    walk(document)
    assert references <= set(schemas)
    assert "learning_rate" in schemas["Optimizer"]["properties"]


def test_the_reference_for_people_shows_the_same_operations(client):
    page = client.get("/api").text
    assert all(f'id="{op.name}"' in page for op in OPERATIONS)


def test_a_number_that_no_database_holds_is_an_unknown_address(client):
    for address in ("/jobs/99999999999999999999", "/api/v1/jobs/99999999999999999999"):
        assert client.get(address).status_code == 404


def test_metrics_tell_jobs_gpus_disk_and_what_waits(context, client):
    job = finished_job(context)
    store.move(job, JobState.QUEUED)
    store.move(job, JobState.STARTING, attempt=2)
    gpu = Gpu(0, "GPU-1", "RTX 4090", 24, 12, 97, 61, 350.5)
    context.extensions[EXTENSION].gpus = FakeGpus(gpu)
    text = client.get("/metrics").text
    for line in (
        'vast_lora_jobs{state="starting"} 1.0',
        'vast_lora_job_step{engine="kohya_ss",family="sd15",job="1",name="dog"} 40.0',
        'vast_lora_gpu_utilisation_percent{gpu="0",name="RTX 4090"} 97.0',
        'vast_lora_gpu_power_watts{gpu="0",name="RTX 4090"} 350.5',
        'vast_lora_deliveries{state="waiting"} 0.0',
        "vast_lora_queue_length 0.0",
    ):
        assert line in text
    assert "vast_lora_disk_free_bytes" in text


def test_metrics_want_the_token_like_everything(tmp_path):
    client = make_app(tmp_path, {"AUTH_TOKEN": "right"}).test_client()
    assert client.get("/metrics").status_code == 401
    right = {"Authorization": "Bearer right"}
    assert client.get("/metrics", headers=right).status_code == 200


def test_a_caption_is_written_unless_it_was_changed_meanwhile(context, client):
    folder = context.extensions[EXTENSION].settings.datasets_dir / "dog"
    folder.mkdir(parents=True)
    (folder / "a.jpg").write_bytes(b"x")
    (folder / "a.txt").write_text("a dog")
    [dataset] = client.get("/api/v1/datasets?search=do").get_json()["datasets"]
    address = f"/api/v1/datasets/{dataset['id']}/items"
    [item] = client.get(f"{address}?captioned=true").get_json()["items"]
    assert client.get(f"{address}?captioned=false").get_json()["items"] == []
    caption = f"{address}/{item['id']}/caption"
    read = client.get(caption).get_json()
    sent = {"caption": "a big dog", "version": read["version"]}
    assert client.put(caption, json=sent).get_json()["caption"] == "a big dog"
    assert client.put(caption, json={**sent, "caption": "a cat"}).status_code == 409
    assert (folder / "a.txt").read_text().strip() == "a big dog"


def test_a_dataset_tells_its_health_and_buckets_and_is_fixed(context, client):
    folder = context.extensions[EXTENSION].settings.datasets_dir / "dog"
    picture(folder / "a.png", (640, 480))
    (folder / "empty.txt").write_text("")
    picture(folder / "empty.png", seed=1)
    base = f"/api/v1/datasets/{client.get('/api/v1/datasets').get_json()['datasets'][0]['id']}"
    begun = client.post(f"{base}/report")
    task = begun.get_json()
    assert begun.status_code == 202
    assert client.post(f"{base}/report").get_json()["id"] == task["id"], "one at a time"
    before = client.get(f"{base}/health").get_json()
    assert (before["unexamined"], before["task"]["state"]) == (2, "waiting")
    context.extensions[EXTENSION].tasks.run_all()
    told = client.get(f"{base}/health?resolution=512").get_json()
    assert (told["pictures"], told["unexamined"], told["task"]["state"]) == (2, 0, "done")
    [empty] = [f for f in told["findings"] if f["key"] == "empty"]
    assert (empty["names"], empty["fix"]) == (["empty.txt"], "delete_empty")
    assert client.post(f"{base}/fix", json={"fix": "delete_empty"}).get_json()["edit"]
    assert client.post(f"{base}/fix", json={"fix": "delete_empty"}).get_json()["edit"] is None
    assert client.post(f"{base}/fix", json={"fix": "nothing"}).status_code == 400
    assert not (folder / "empty.txt").exists()
    rows = client.get(f"{base}/buckets?engine=kohya_ss&resolution=512").get_json()["buckets"]
    assert sum(row["pictures"] for row in rows) == 2
    assert client.get(f"{base}/buckets?engine=other").status_code == 422


def test_curves_and_the_host_are_told(context, client):
    job = finished_job(context)
    told = client.get(f"/api/v1/jobs/{job.id}/curves?series=loss&from=0&to=9&width=100").get_json()
    assert list(told["series"]) == ["loss"]
    assert client.get(f"/api/v1/jobs/{job.id}/curves?width=1").status_code == 422
    assert client.get("/api/v1/host").get_json()["memory_total"] > 0


def test_models_are_listed_fetched_and_deleted(context, client):
    settings = context.extensions[EXTENSION].settings
    entries = tuple(
        Entry(key, "models", name, str(settings.models_dir / name), 5, 0.0, True, families=fits)
        for key, name, fits in (("k1", "a.safetensors", ("sdxl",)), ("k2", "b.safetensors", ()))
    )
    library.write(settings, Library(1.0, entries))
    first = client.get("/api/v1/models?limit=1").get_json()
    assert ([m["key"] for m in first["models"]], first["next"]) == (["k1"], 1)
    fitting = client.get("/api/v1/models?family=sdxl&search=A.S").get_json()
    assert ([m["key"] for m in fitting["models"]], fitting["next"]) == (["k1"], None)
    assert client.get("/api/v1/models/k2").get_json()["name"] == "b.safetensors"
    started = client.post("/api/v1/models/downloads", json={"what": "me/thing"})
    assert (started.status_code, started.get_json()["state"]) == (202, "waiting")
    again = client.post("/api/v1/models/downloads", json={"what": "me/thing"}).get_json()
    [listed] = client.get("/api/v1/models/downloads").get_json()["tasks"]
    assert again["id"] == listed["id"]
    cancelled = client.post(f"/api/v1/tasks/{listed['id']}/cancel").get_json()
    assert cancelled["state"] == "cancelled"
    assert client.post("/api/v1/models/downloads", json={"what": "../x"}).status_code == 400
    assert client.delete("/api/v1/models/k1").get_json()["kind"] == "model.delete"
    assert client.delete("/api/v1/models/none").status_code == 404


def test_the_meter_is_told_and_set(context, client):
    told = client.get("/api/v1/meter").get_json()
    assert (told["stop"]["able"], told["policy"]["policy"]) == (False, "off")
    rules = {"policy": "destroy", "max_hours": 5}
    refused = client.put("/api/v1/meter/policy", json=rules)
    assert refused.status_code == 422
    assert list(refused.get_json()["errors"]) == ["confirmation"]
    kept = client.put("/api/v1/meter/policy", json={**rules, "confirmation": "destroy"})
    assert (kept.get_json()["policy"], kept.get_json()["max_hours"]) == ("destroy", 5.0)
    assert client.put("/api/v1/meter/policy", json={"max_hours": -1}).status_code == 422
    assert client.post("/api/v1/meter/keep").status_code == 202
    assert client.post("/api/v1/meter/stop").status_code == 409


def test_a_file_is_pinned_unpinned_and_deleted_and_the_list_is_paged(context, client):
    job = finished_job(context)
    lora = client.get("/api/v1/jobs/1/artifacts?limit=1").get_json()
    assert lora["next"] == 1
    path = lora["files"][0]["path"]
    assert client.post("/api/v1/jobs/1/artifacts/pin", json={"path": path}).status_code == 204
    files = client.get("/api/v1/jobs/1/artifacts?after=1").get_json()["files"]
    [pinned] = [file["path"] for file in files if file["pinned"]]
    assert client.post("/api/v1/jobs/1/artifacts/unpin", json={"path": pinned}).status_code == 204
    assert client.post("/api/v1/jobs/1/artifacts/delete", json={"path": path}).status_code == 204
    left = client.get("/api/v1/jobs/1/artifacts").get_json()["files"]
    assert [file["final"] for file in left] == [True]
    log = service.run_dir(job).attempt(1).log
    log.parent.mkdir(parents=True)
    log.write_text("one\nValueError: two\nthree\n")
    found = client.get("/api/v1/jobs/1/log/search").get_json()
    assert (found["hits"], found["next"]) == ([{"offset": 4, "text": "ValueError: two"}], None)
    assert client.get("/api/v1/jobs/1/log/search?q=THREE").get_json()["hits"][0]["offset"] == 20
    assert client.post("/api/v1/jobs/1/report").get_json()["kind"] == "job.report"


def test_a_token_for_looking_reads_the_api_and_writes_nothing(tmp_path):
    app = make_app(tmp_path, {"AUTH_TOKEN": "right"})
    with app.app_context():
        _, text = tokens.make("guest", "read")
    client, bearer = app.test_client(), {"Authorization": f"Bearer {text}"}
    fill = {"int": "1", "path": "x", "string": "x"}
    for op in OPERATIONS:
        address = "/api/v1" + re.sub(r"<(?:(\w+):)?\w+>", lambda m: fill[m[1] or "string"], op.path)
        answer = client.open(address, method=op.method, headers=bearer, json={})
        refused = op.method != "GET" or op.tag == "Notifications"
        assert (answer.status_code == 403) == refused, op.name
        assert client.open(address, method=op.method, json={}).status_code == 401
