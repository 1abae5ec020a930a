"""Which step a saved state is of, when a finished run is continued."""

from __future__ import annotations

from pathlib import Path

import pytest

from app import artifacts
from app.jobs import gallery, installations, resuming, retention, service, store
from app.platform import current
from engines.base import OutputFile, SavedState
from tests.support.supervised import end, running, tick_until, write_lora

EPOCH = 40


@pytest.fixture
def app(supervised):
    return supervised


def continued(document, monkeypatch, written):
    """A run that finished at step 2,000 and was cut off at 2,100 when it was continued; its last state was
    written at ``written`` by the clock. Where the third attempt goes on.
    """
    job = end(running(document))
    first = store.attempt_of(job)
    store.change_attempt(first, started=100.0, ended=600.0, last_step=2000, steps_per_epoch=EPOCH)
    store.change(job, attempt=2, step=2100, target_steps=3000)
    second = store.open_attempt(job, number=2)
    more = {"outcome": "interrupted", "steps_per_epoch": EPOCH, "start_step": 2000}
    store.change_attempt(second, started=1000.0, ended=1100.0, last_step=2100, **more)
    store.change(job, attempt=3)
    store.open_attempt(job, number=3)
    state = SavedState(
        OutputFile("dog-state", "state", final=True), Path("dog-state"), True, written
    )
    monkeypatch.setattr(artifacts, "saved_states", lambda *given: [state])
    installation = installations.find(current().settings, "kohya_ss")
    spec, run = service.spec_of(job), service.run_dir(job)
    return resuming.resume_point(current(), store.get(job.id), spec, run, installation)


def test_the_state_of_the_finished_run_is_of_its_last_step_however_far_a_later_attempt_came(
    app, document, monkeypatch
):
    point = continued(document, monkeypatch, written=590.0)
    assert (point.step, point.epoch) == (2000, 50)


def test_where_the_times_of_the_files_were_lost_it_is_of_the_last_run_that_finished(
    app, document, monkeypatch
):
    point = continued(document, monkeypatch, written=5_000_000.0)
    assert (point.step, point.epoch) == (2000, 50)


def test_a_state_that_the_later_attempt_wrote_at_its_end_is_of_that_one(app, document, monkeypatch):
    point = continued(document, monkeypatch, written=1095.0)
    assert (point.step, point.epoch) == (2080, 52)


def test_a_pinned_checkpoint_stays_where_it_is_when_a_job_begins_again_at_step_0(app, document):
    job = running(document)
    output = service.run_dir(job).output
    write_lora(output / "dog-000001.safetensors")
    kept = retention.pin(job, "dog-000001.safetensors")
    job = end(job)
    for attempt in (2, 3):
        service.retry(job, resume=False)
        tick_until(lambda: store.get(1).status.value == "running", "running again")
        assert kept.is_file()
        assert not (output / "dog.safetensors").exists()
        job = end(store.get(job.id), lora=attempt == 2)
    assert (service.run_dir(job).attempt(1).root / "output" / "dog-000001.safetensors").is_file()
    assert [lora.path for lora in gallery.outputs_of(job).kept] == [kept]
