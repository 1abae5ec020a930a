"""Auto-stop of the real program against a stand-in of Vast's API, with a clock that the test turns."""

from __future__ import annotations

import json
import time
from types import SimpleNamespace

import pytest

from app import preferences, tasks
from app.jobs import meter, pricing, service, store
from app.jobs.states import JobState
from app.platform import current
from app.tasks import KINDS, Kind
from app.vast import Client, Keeper, MeterPreferences, Undelivered, session
from tests.app.jobs.test_guards import add, running
from tests.support.platform import make_app
from tests.support.vast import INSTANCE, KEY, vast

RULES = MeterPreferences(policy="stop", grace_minutes=10)


@pytest.fixture
def api():
    with vast() as found:
        yield found


@pytest.fixture
def app(tmp_path, api):
    env = {"CONTAINER_ID": INSTANCE, "CONTAINER_API_KEY": KEY, "VAST_API_URL": api.url}
    app = make_app(tmp_path, {**env, "AUTH_TOKEN": "x"})
    with app.app_context():
        yield app


class Machine:
    """The auto-stop of the application, looked at every so many seconds of its own clock."""

    def __init__(self):
        self.now = 1000.0
        platform = current()
        client = platform.vast.client
        platform.vast = Keeper(client, spawn=lambda work: work(), clock=lambda: self.now)
        self.autostop = platform.supervisor.autostop
        self.autostop.clock = lambda: self.now

    def for_minutes(self, minutes, step=20):
        for _ in range(round(minutes * 60 / step)):
            self.now += step
            self.autostop.tick()
        return self.autostop.state.phase


@pytest.fixture
def machine(app):
    preferences.save(RULES)
    return Machine()


def sentinel():
    path = current().settings.data_dir / "auto-stop.json"
    return json.loads(path.read_text()) if path.exists() else None


def test_an_idle_machine_writes_down_why_and_stops_itself(api, machine):
    assert isinstance(current().vast.client, Client)
    machine.for_minutes(9)
    assert api.orders == []
    assert machine.for_minutes(2) == "ordered"
    assert api.orders == ["stop"]
    assert sentinel()["boot"] == session.boot()
    assert "10 minutes" in sentinel()["reason"]


def test_jobs_and_background_work_are_seen(api, machine, monkeypatch):
    monkeypatch.setitem(KINDS, "count", Kind("tests.support.tasks:count", "disk", "Counting"))
    monkeypatch.setitem(KINDS, "tell", Kind("tests.support.tasks:count", "message", "Telling"))
    job = running()
    assert machine.for_minutes(11) == "busy"
    store.move(job, JobState.STOPPING)
    assert machine.for_minutes(11) == "busy"
    store.move(job, JobState.CANCELLED)
    waiting = add()
    assert machine.for_minutes(11) == "busy"
    service.pause_queue()
    assert machine.for_minutes(8) == "idle"
    service.resume_queue()
    assert machine.for_minutes(1) == "busy"
    service.hold(waiting)
    task = tasks.start("count", "thing:1")
    assert machine.for_minutes(11) == "busy"
    tasks.cancel(task)
    tasks.start("tell", "thing:1")
    tasks.start("dataset.purge", "dataset-removed:1", {"dataset": 1}, delay=1800)
    assert machine.for_minutes(12) == "ordered"


def test_no_job_starts_on_a_machine_that_is_about_to_be_gone(api, machine):
    machine.for_minutes(11)
    job = add()
    current().supervisor._launch_queued()
    assert store.get(job.id).status is JobState.QUEUED


def test_trouble_of_the_api_is_told_and_overcome(api, machine):
    preferences.save(RULES.model_copy(update={"grace_minutes": 12}))
    machine.for_minutes(11.9, step=6)
    api.answers = [429, 503, {"success": False, "msg": "locked"}]
    told = set()
    for _ in range(20):
        machine.for_minutes(1 / 12, step=5)
        told.add(machine.autostop.state.problem)
    assert any("locked" in problem for problem in told)
    assert api.orders == ["stop"] * 4
    assert api.state == "stopped"
    assert machine.autostop.state.phase == "ordered"


def test_what_is_to_be_copied_comes_first(api, machine):
    current().undelivered = lambda: Undelivered("dog.safetensors is not yet verified.")
    assert machine.for_minutes(15) == "held"
    assert api.orders == []
    current().undelivered = Undelivered
    machine.for_minutes(1)
    assert api.orders == ["stop"]


def test_what_is_not_copied_is_asked_once_a_minute_and_again_before_the_machine_is_stopped(
    api, machine
):
    asked = []
    current().undelivered = lambda: asked.append(machine.now) or Undelivered()
    machine.for_minutes(9, step=5)
    assert len(asked) == 9
    machine.for_minutes(0.9, step=5)
    current().undelivered = lambda: Undelivered("dog.safetensors changed.")
    assert machine.for_minutes(0.2, step=5) == "held"
    assert api.orders == []


def test_a_restarted_machine_does_not_stop_itself_again_at_once(api, machine):
    path = current().settings.data_dir / "auto-stop.json"
    path.write_text(json.dumps({"reason": "idle", "time": 1.0, "boot": "another"}))
    preferences.save(RULES.model_copy(update={"grace_minutes": 1}))
    machine.for_minutes(9)
    assert api.orders == []
    job = running()
    machine.for_minutes(1)
    assert sentinel() is None
    store.move(job, JobState.STOPPING)
    store.move(job, JobState.CANCELLED)
    machine.for_minutes(2)
    assert api.orders == ["stop"]


def test_a_torn_sentinel_does_no_harm(api, machine):
    (current().settings.data_dir / "auto-stop.json").write_text("{")
    machine.for_minutes(11)
    assert api.orders == ["stop"]


def test_at_the_cap_what_runs_is_asked_to_save_and_stop(api, machine, monkeypatch):
    monkeypatch.setattr(session, "started", lambda: time.time() - 7200)
    preferences.save(MeterPreferences(max_hours=1.5))
    job = running()
    machine.for_minutes(1)
    job = store.get(job.id)
    assert (job.status, job.wish) == (JobState.STOPPING, "save-and-stop")
    assert "cap of 1.5 hours" in job.reason
    assert api.orders == []
    store.move(job, JobState.CANCELLED)
    machine.for_minutes(1)
    assert api.orders == ["stop"]


def test_the_price_is_typed_in_or_told_or_set(api, machine):
    platform = current()
    assert pricing.price_per_hour(platform) is None
    platform.vast.tick()
    assert pricing.price_per_hour(platform) == 0.42
    preferences.save(MeterPreferences(price=1.5))
    assert pricing.price_per_hour(platform) == 1.5


def test_the_meter_splits_the_session_into_jobs_and_idleness(machine, monkeypatch):
    monkeypatch.setattr(session, "started", lambda: 10_000.0)
    preferences.save(MeterPreferences(price=3.6))
    first, second = running(), running()
    for job, (begin, end) in ((first, (9_000, 11_000)), (second, (10_500, 12_000))):
        attempt = store.attempt_of(job)
        store.change_attempt(attempt, started=float(begin), ended=float(end))
    found = meter.read(current(), now=14_000.0)
    assert (found.seconds, found.cost) == (4000, pytest.approx(4.0))
    assert (found.idle_seconds, found.idle_cost) == (2000, pytest.approx(2.0))
    assert {row.job.id: row.seconds for row in found.jobs} == {1: 1000, 2: 1500}


def test_a_bid_that_was_raised_counts_from_then_on(api, machine, monkeypatch):
    monkeypatch.setattr(session, "started", lambda: 10_000.0)
    platform, rules = current(), MeterPreferences(max_cost=5)
    told = iter((10_100.0, 46_000.0))
    monkeypatch.setattr("app.vast.keeper.time", SimpleNamespace(time=lambda: next(told)))
    for price in (0.3, 0.6):
        api.record["dph_total"] = price
        machine.now += 700
        platform.vast.tick()
    assert pricing.price_per_hour(platform) == 0.6
    found = meter.spent(platform, rules, now=49_600.0)
    assert found.cost == pytest.approx(10 * 0.3 + 1 * 0.6), "not eleven hours at the new price"
    assert meter.read(platform, now=49_600.0).idle_cost == pytest.approx(found.cost)
    typed = MeterPreferences(price=1.0)
    assert meter.spent(platform, typed, now=49_600.0).cost == pytest.approx(11.0)


def test_time_on_a_cluster_is_not_charged_at_the_price_of_this_machine(machine, monkeypatch):
    monkeypatch.setattr(session, "started", lambda: 10_000.0)
    preferences.save(MeterPreferences(price=3.6))
    here, there = running(), running()
    for job, executor in ((here, "local"), (there, "slurm")):
        attempt = store.attempt_of(job)
        store.change_attempt(attempt, started=10_000.0, ended=11_000.0, executor=executor)
        store.change(job, finish_at=time.time() + 1000)
    found = meter.read(current(), now=14_000.0)
    assert {row.job.id: row.cost for row in found.jobs} == {here.id: pytest.approx(1.0)}
    assert found.idle_seconds == 3000
    assert pricing.cost_so_far(current(), here) == pytest.approx(1.0)
    assert pricing.costs(current(), here)[1] == pytest.approx(2.0, abs=0.1)
    assert pricing.costs(current(), there) == (None, None)
    assert pricing.seconds_used(there) == 1000
    # What it did here before it was sent there is still told.
    store.open_attempt(here, number=2, executor="slurm")
    assert pricing.costs(current(), store.get(here.id)) == (pytest.approx(1.0), None)


def test_spans_that_overlap_count_once():
    assert meter.union([(0, 2), (1, 3), (5, 6), (5, 5.5)]) == 4
    assert meter.union([]) == 0
