"""The Costs page, and the countdown that every page carries."""

from __future__ import annotations

import re

import pytest

from app import preferences
from app.jobs import store
from app.jobs.states import JobState
from app.platform import current
from app.vast import Keeper, MeterPreferences, Undelivered
from app.vast.policy import State
from tests.support.platform import make_app
from tests.support.polls import poll_of
from tests.support.vast import INSTANCE, KEY, vast

FORM = {"policy": "stop", "grace_minutes": "20", "max_cost": "", "max_hours": "", "price": ""}


@pytest.fixture
def rented(tmp_path, env):
    with vast() as api:
        given = {"CONTAINER_ID": INSTANCE, "CONTAINER_API_KEY": KEY, "VAST_API_URL": api.url}
        app = make_app(tmp_path / "rented", {**env, **given, "AUTH_TOKEN": "right"})
        with app.app_context():
            platform = current()
            platform.vast = Keeper(platform.vast.client, spawn=lambda work: work())
            client = app.test_client()
            client.get("/?token=right")
            yield client


def autostop():
    return current().supervisor.autostop


def show(**state):
    autostop().state = State(**state)


def test_the_page_shows_what_vast_tells_and_asks_nobody(rented):
    assert "not known" in rented.get("/meter").text
    current().vast.tick()
    page = rented.get("/meter").text
    for word in ("$0.42", "told by Vast", "$0.48 a day", "$12.50", "Norway, NO"):
        assert word in page
    assert KEY not in page


def test_without_vast_the_page_says_that_it_cannot_stop_anything(app, client):
    page = client.get("/meter").text
    assert "cannot stop this machine" in page
    assert 'id="countdown"' not in page
    assert client.post("/meter/stop").status_code == 409


def test_what_was_chosen_is_kept(rented):
    answer = rented.post("/meter/settings", data={**FORM, "max_cost": "3,50", "dry_run": "1"})
    assert (answer.status_code, answer.location) == (303, "/meter")
    kept = preferences.load(MeterPreferences)
    assert kept == MeterPreferences(policy="stop", grace_minutes=20, max_cost=3.5, dry_run=True)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [({"grace_minutes": "0"}, "Give at least 1."), ({"max_cost": "much"}, "Give a number."),
     ({"policy": "explode"}, "Choose one of the three."), ({"price": "nan"}, "Give"),
     ({"max_hours": "0"}, "Give more than 0."), ({"price": "99999"}, "Give at most 1000.")],
)  # fmt: skip
def test_nonsense_is_told_at_its_field(rented, wrong, sentence):
    answer = rented.post("/meter/settings", data={**FORM, **wrong})
    assert answer.status_code == 422
    assert sentence in answer.text
    assert preferences.load(MeterPreferences) == MeterPreferences()


def test_destroy_has_to_be_typed_to_be_chosen_and_once_chosen_not_again(rented):
    destroy = {**FORM, "policy": "destroy"}
    answer = rented.post("/meter/settings", data=destroy)
    assert answer.status_code == 422
    assert "nobody can bring it back" in answer.text
    assert (
        rented.post("/meter/settings", data={**destroy, "confirmation": "Destroy"}).status_code
        == 303
    )
    assert rented.post("/meter/settings", data=destroy).status_code == 303


def test_the_countdown_is_on_every_page_with_its_two_buttons(rented):
    show(phase="idle", left=300.0)
    for address in ("/", "/jobs/new", "/engines", "/system", "/meter"):
        page = rented.get(address).text
        assert "stopped in 5 minutes" in page, address
        assert "Keep running" in page
        assert "Stop now" in page
    assert "stopped in" not in rented.application.test_client().get("/login").text
    show(phase="idle", left=3000.0)
    assert "Nothing runs here" not in rented.get("/").text


def test_its_poll_is_silent_while_nothing_is_new(rented):
    show(phase="idle", left=300.0)
    address = poll_of(rented.get("/").text, "countdown")
    assert rented.get(address).status_code == 204
    show(phase="stopping", reason="nothing ran", problem="It is ill.", late=True)
    answer = rented.get(address)
    assert "It is ill." in answer.text
    assert "console" in answer.text
    show(phase="ordered", reason="nothing ran")
    assert "Keep running" not in rented.get("/").text


def told_at(client, **state):
    show(**state)
    page = client.get("/").text
    return re.search(r'<p class="hidden" role="status">(.*?)</p>', page)[1]


def test_a_screen_reader_hears_the_countdown_a_few_times_not_at_each_poll(rented):
    heard = [told_at(rented, phase="idle", left=float(left)) for left in range(890, 0, -10)]
    assert len(set(heard)) == 5
    assert "stopped in less than 15 minutes" in heard[0]
    assert "stopped in less than 1 minute." in heard[-1]
    assert "in less than 5 minutes" in told_at(rented, phase="busy", cap_left=200.0)
    ill = {"phase": "stopping", "reason": "nothing ran", "problem": "It is ill."}
    assert "It is ill." in told_at(rented, **ill)


def test_keep_running_and_stop_now_lead_back_and_are_heard(rented):
    preferences.save(MeterPreferences(policy="stop", grace_minutes=10))
    autostop().tick()
    answer = rented.post("/meter/keep", data={"next": "/engines"})
    assert answer.location == "/engines"
    autostop().tick()
    assert autostop().state.extra == 600
    assert rented.post("/meter/stop").status_code == 303
    autostop().tick()
    assert autostop().state.phase == "stopping"


def test_stop_now_is_refused_while_a_job_runs(rented):
    job = store.add(name="dog", family="sd15", engine="kohya_ss", document="{}")
    store.move(job, JobState.STARTING)
    answer = rented.post("/meter/stop")
    assert answer.status_code == 409
    assert "still runs" in answer.text


def test_stop_now_first_says_what_was_not_copied_and_stops_when_that_was_read(rented):
    preferences.save(MeterPreferences(policy="stop", grace_minutes=10))
    current().undelivered = lambda: Undelivered("Job 1, dog: its LoRA was sent nowhere.")
    answer = rented.post("/meter/stop")
    assert answer.status_code == 409
    assert "Job 1, dog: its LoRA was sent nowhere." in answer.text
    # Who presses Enter on a page that just came has not read it.
    assert "autofocus" not in answer.text
    autostop().tick()
    assert autostop().state.phase != "stopping"
    assert rented.post("/meter/stop", data={"anyway": "1"}).status_code == 303
    autostop().tick()
    assert autostop().state.phase == "stopping"


def test_what_stays_here_is_named_beside_the_countdown_and_before_a_stop(rented):
    preferences.save(MeterPreferences(policy="destroy", grace_minutes=10))
    current().undelivered = lambda: Undelivered(stays="1 file of job 1, dog, is not copied")
    autostop().tick()
    shown = rented.get("/").text
    assert "This machine is stopped in 10 minutes; 1 file of job 1, dog, is not copied." in shown
    answer = rented.post("/meter/stop")
    assert (answer.status_code, "1 file of job 1, dog, is not copied." in answer.text) == (
        409,
        True,
    )


def test_who_changes_something_is_at_work_here(rented):
    rented.post("/queue/pause")
    assert autostop()._touched
