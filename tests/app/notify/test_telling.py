"""Who is told what, once each, whatever is killed in between."""

from __future__ import annotations

import json

import pytest

from app import notify, tasks
from app.errors import InvalidSpecError, UserError
from app.jobs import store
from app.jobs.states import JobState
from app.notify import sending
from app.platform import EXTENSION
from app.preferences import load
from app.tasks import RetryLaterError, Work
from app.vault import Vault
from tests.support.finished import finished_job
from tests.support.platform import make_app
from tests.support.receiver import receiver

# What the libraries of a child warn each other of is not ours.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture
def app(tmp_path):
    app = make_app(tmp_path, {"PRICE_PER_HOUR": "2"})
    with app.app_context():
        yield app


def tick():
    # A new watcher each time, as after a restart.
    notify.Watcher().tick()


def queued():
    rows = tasks.page(limit=100)
    return [json.loads(task.arguments) for task in reversed(rows) if task.kind == "notify.send"]


def add(*events, address="json://127.0.0.1:9/secret-part-of-it"):
    return notify.add("phone", address, events)


def test_a_job_that_finishes_is_told_once_to_each_target_that_wants_it(app):
    tick()
    add("finished")
    add("failed")
    add("finished", "queue-empty")
    finished_job(app)
    tick()
    tick()
    told = queued()
    assert [words["event"] for words in told] == ["finished", "finished", "queue-empty"]
    assert told[0]["title"] == "dog finished"
    assert "step 40 of 40, loss 0.0712" in told[0]["body"]
    assert "cost $0.00" in told[0]["body"]
    assert told[0]["body"].endswith("/jobs/1")


def test_a_kill_between_queueing_and_the_cursor_doubles_nothing(app):
    tick()
    add("finished")
    cursor = store.fact("notify.cursor")
    finished_job(app)
    tick()
    store.remember("notify.cursor", cursor)
    tick()
    assert len(queued()) == 1


def test_a_failure_a_silence_and_an_interruption_are_told_with_their_reason(app):
    tick()
    add("failed", "stalled", "interrupted")
    finished_job(app, JobState.FAILED)
    job = finished_job(app)
    store.note(job, "no output for 20 minutes while training; it may hang")
    store.move(job, JobState.QUEUED, "tried again")
    store.move(job, JobState.STARTING, attempt=2)
    store.move(job, JobState.QUEUED, "interrupted: the machine stopped")
    tick()
    assert [words["event"] for words in queued()] == ["failed", "stalled", "interrupted"]
    assert "Out of memory" in queued()[0]["body"]


def test_what_happened_before_the_first_start_is_old_news(app):
    finished_job(app)
    add("finished")
    tick()
    assert queued() == []


def test_events_of_a_deleted_job_do_not_hide_those_of_the_next(app):
    tick()
    add("finished")
    store.delete(finished_job(app))
    finished_job(app)
    tick()
    assert len(queued()) == 1


def test_a_full_disk_is_told_once_and_again_after_it_had_recovered(tmp_path):
    app = make_app(tmp_path, {"DISK_SOFT_GB": "99999999"})
    with app.app_context():
        add("disk-low")
        tick()
        tick()
        assert len(queued()) == 1
        store.remember("notify.disk", "1:enough")
        tick()
        assert len(queued()) == 2


def test_a_failed_upload_is_told(app):
    add("upload-failed")
    task = tasks.start("delivery.upload", "job:4:delivery:abc", {})
    tasks.store.change(task.id, state="failed", error="The Hub does not know it.", finished=5.0)
    tick()
    tick()
    assert [words["title"] for words in queued()] == ["A copy of job 4 failed"]


def test_an_address_is_kept_in_the_vault_alone_and_never_shown(app):
    target = add("failed", address="tgram://123456:AAE-secret-token-of-a-bot/987654")
    assert (target.scheme, target.hint) == ("tgram", "…654")
    stored = load(notify.targets.__globals__["NotifyPreferences"]).model_dump_json()
    assert "secret-token" not in stored
    vault = app.extensions[EXTENSION].vault
    assert vault.get(f"notify.{target.id}").endswith("/987654")
    notify.remove(target.id)
    assert vault.names() == []


def test_nonsense_is_refused_at_its_field(app):
    with pytest.raises(InvalidSpecError) as refused:
        notify.add("", "no address", [])
    assert set(refused.value.errors) == {"address", "events"}


@pytest.fixture
def work(app, tmp_path):
    """One message on its way to the receiver."""
    settings = app.extensions[EXTENSION].settings
    (settings.data_dir / "tasks").mkdir()
    with receiver() as held:
        target = add("failed", address=f"json://127.0.0.1:{held.port}/hook")
        words = {"target": target.id, "event": "failed", "title": "dog failed", "body": "Why."}
        with (tmp_path / "told").open("w") as tell:
            yield held, Work(1, words, settings, tell=tell, log=settings.data_dir / "tasks/1.log")


def test_a_message_arrives_once_even_if_its_sender_is_run_again(work):
    held, sender = work
    assert sending.run(sender) == {"sent": "yes"}
    assert sending.run(sender) == {"sent": "perhaps"}
    assert [(m["title"], m["message"], m["type"]) for m in held.messages] == [
        ("dog failed", "Why.", "failure")
    ]


def test_a_cut_line_is_tried_again_and_a_refusal_is_told(work):
    held, sender = work
    held.answers = [0, 503, 403]
    with pytest.raises(RetryLaterError, match="could not be reached"):
        sending.run(sender)
    with pytest.raises(RetryLaterError, match="HTTP 503"):
        sending.run(sender)
    with pytest.raises(Exception, match=r"refused it \(HTTP 403\)"):
        sending.run(sender)
    assert sending.run(sender) == {"sent": "yes"}
    assert len(held.messages) == 1


def test_a_test_message_that_reaches_nobody_says_what_to_check_and_can_be_sent_again(work):
    held, sender = work
    sender.arguments["event"] = "test"
    held.answers = [503]
    with pytest.raises(UserError, match=r"with HTTP 503\. Check the address and the network"):
        sending.run(sender)
    assert sending.run(sender) == {"sent": "yes"}


def test_an_address_that_apprise_does_not_understand_is_told_without_it(work):
    held, sender = work
    name = f"notify.{sender.arguments['target']}"
    Vault(sender.settings.data_dir).put(name, "tgram://no-token-but-a-secret")
    with pytest.raises(UserError, match="Apprise does not understand this address") as told:
        sending.run(sender)
    assert "secret" not in str(told.value)
    assert held.messages == []
    assert not sender.log.with_suffix(".sent").exists()
