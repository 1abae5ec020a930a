"""Jobs that are on a cluster, in the rounds of the supervisor: what is shown, left alone and counted."""

from __future__ import annotations

import threading

import pytest

from app.gpu import Gpu
from app.jobs import elsewhere, service, slots, store
from app.jobs.executor import Running
from app.jobs.states import JobState as S
from app.platform import current
from engines.base import Phase
from tests.support.platform import FakeGpus
from tests.support.supervised import tick_until
from tests.support.wait import until

QUEUED = Running(False, waiting="waiting in Slurm: Resources", queued=True)


@pytest.fixture
def app(on_cluster):
    return on_cluster


def handed(document, status=QUEUED, **columns):
    """A job on the cluster, and its folder."""
    cluster = current().slurm
    cluster.at_start = status
    job = service.submit(document)
    store.change(job, **columns)
    tick_until(lambda: len(cluster.started) >= job.id, "it is handed over")
    shown = status.waiting or "starting"
    tick_until(lambda: store.get(job.id).phase == shown, "what it waits for is shown")
    return store.get(job.id), cluster.started[-1][0]


def says(folder, status):
    """How it stands from now on; Slurm's answer changed."""
    current().slurm.status[folder.root] = status
    current().slurm.answers += 1


def test_a_job_that_waits_in_slurm_is_left_alone_until_its_answer_changes(app, document):
    job, folder = handed(document)
    current().supervisor.tick()  # the first answer is always news
    current().slurm.status[folder.root] = Running(True, place="n1")
    current().supervisor.tick()
    assert store.get(job.id).status is S.STARTING
    current().slurm.answers += 1
    tick_until(lambda: store.get(job.id).status is S.RUNNING, "the news is heard")
    assert store.attempt_of(job).place == "n1"


def test_a_job_that_waits_for_something_else_is_looked_at_in_each_round(app, document):
    waits = Running(False, waiting="waiting for Slurm's controller to answer")
    job, folder = handed(document, waits)
    current().supervisor.tick()  # the first answer is always news
    current().slurm.status[folder.root] = Running(True, place="n1")
    tick_until(lambda: store.get(job.id).status is S.RUNNING, "no answer has to change for that")


def test_whoever_waits_long_is_looked_at_once_a_minute_whatever_slurm_says(app, document):
    job, _ = handed(document)
    now = [0.0]
    asleep = elsewhere.Asleep(lambda: now[0])
    asleep.now(current())
    asleep.note(job, QUEUED)
    assert asleep.now(current()) == frozenset(), "the first answer is news"
    asleep.note(job, QUEUED)
    assert asleep.now(current()) == {job.id}
    now[0] = elsewhere.AWAKE_SECONDS - 1
    assert asleep.now(current()) == {job.id}
    now[0] = elsewhere.AWAKE_SECONDS + 1
    assert asleep.now(current()) == frozenset()


def test_a_job_that_is_being_stopped_does_not_sleep(app, document):
    job, _ = handed(document)
    service.stop(job)
    job, asleep = store.get(job.id), elsewhere.Asleep()
    asleep.now(current())
    asleep.note(job, QUEUED)
    assert asleep._jobs == set()


def test_what_many_begin_to_wait_for_is_written_at_once_and_only_where_it_is_new(app, document):
    jobs = [service.submit({**document, "name": f"dog{n}"}) for n in range(3)]
    versions = [job.version for job in jobs]
    waiting = elsewhere.Waiting()
    store.change(jobs[0], phase="waiting in Slurm")
    for job in jobs:
        waiting.note(job, "waiting in Slurm")
    waiting.write()
    waiting.write()
    now = [store.get(job.id) for job in jobs]
    assert {job.phase for job in now} == {"waiting in Slurm"}
    assert [job.version for job in now] == [number + 1 for number in versions]


def test_a_suspended_run_says_so_in_every_round_and_then_goes_on(app, document):
    job, folder = handed(document, Running(False, waiting="being handed to Slurm"))
    says(folder, Running(True, place="n1"))
    tick_until(lambda: store.get(job.id).status is S.RUNNING, "it runs")
    folder.log.write_text("steps:  25%|##        | 2/8 [00:02<00:06,  1.00s/it, avr_loss=0.1]\n")
    tick_until(lambda: store.get(job.id).phase == Phase.TRAINING, "it trains")
    says(folder, Running(True, waiting="suspended in Slurm", place="n1"))
    current().supervisor.tick()
    assert store.get(job.id).phase == "suspended in Slurm"
    version = store.get(job.id).version
    current().supervisor.tick()
    assert store.get(job.id).version == version, "nothing flickers"
    says(folder, Running(True, place="n1"))
    tick_until(lambda: store.get(job.id).phase == Phase.TRAINING, "it is shown as it was")


@pytest.mark.parametrize("words", ["being handed to Slurm", "its run directory cannot be seen"])
def test_what_it_waited_for_is_no_longer_shown_when_it_waits_no_more(app, document, words):
    job, folder = handed(document, Running(False, waiting=words))
    says(folder, Running(False))
    current().supervisor.tick()
    assert store.get(job.id).phase == "starting"
    says(folder, Running(True))
    tick_until(lambda: store.get(job.id).status is S.RUNNING, "it runs")
    store.change(job, phase=words)  # an earlier program wrote it and was killed
    current().supervisor.tick()
    assert store.get(job.id).phase == ""


def test_what_is_told_of_the_cluster_is_remembered_for_pages(app):
    current().slurm.down = "Slurm's controller has not answered since noon."
    current().supervisor.tick()
    assert elsewhere.notice(current()) == current().slurm.down
    current().slurm.down = ""
    current().supervisor.tick()
    assert elsewhere.notice(current()) == ""


@pytest.mark.parametrize(("wanted", "at"), [("", "slurm"), ("local", "local"), ("slurm", "slurm")])
def test_where_a_job_runs_is_told_by_the_wish_and_the_settings(app, wanted, at):
    assert elsewhere.runs_at(wanted, current().settings) == at


def test_where_slurm_is_not_set_up_everything_runs_here(supervised):
    for wanted in ("", "local", "slurm"):
        assert elsewhere.runs_at(wanted, current().settings) == "local"


def test_a_job_on_the_cluster_takes_no_place_here_whatever_the_settings_say_now(
    supervised, document
):
    """EXECUTOR may have changed while it ran."""
    job = store.add(name="far", family="sd15", engine="kohya_ss", document="{}")
    store.move(job, S.STARTING, attempt=1)
    store.open_attempt(job, number=1, executor="slurm")
    free = slots.Slots.now(current(), store.active())
    assert free.take(service.submit(document)) == (), "the processor of this machine is free"


def test_a_limit_in_slurm_counts_what_is_there_and_not_what_would_go_there(
    make_supervised, document
):
    with make_supervised(EXECUTOR="slurm", SLURM_MAX_JOBS="1").app_context():
        here = store.add(name="here", family="sd15", engine="kohya_ss", document="{}")
        store.move(here, S.STARTING, attempt=1)
        store.open_attempt(here, number=1, executor="local")
        free = slots.Slots.now(current(), store.active())
        assert free.take(service.submit(document)) == ()
        assert free.take(service.submit(document)) is None


def test_jobs_that_wait_for_this_machine_keep_none_behind_them_from_the_cluster(app, document):
    current().gpus = FakeGpus(Gpu(0, "u", "Test", 24_000_000_000, memory_used=9_000_000_000))
    for n in range(60):
        store.add(name=f"{n}", family="sd15", engine="kohya_ss", document="{}", executor="local")
    job = service.submit(document)
    tick_until(lambda: store.get(job.id).status is S.STARTING, "it is handed over")


def test_runs_that_are_being_settled_keep_no_job_from_being_handed_over(app, document):
    supervisor = current().supervisor
    settled = threading.Event()
    for number in range(slots.HANDED_AT_ONCE):
        supervisor._beside.start(1000 + number, lambda: settled.wait(20))
    handed(document)
    settled.set()
    until(lambda: not supervisor.tasks, 20, "all is settled")
    assert not supervisor._handing & supervisor._beside.jobs
