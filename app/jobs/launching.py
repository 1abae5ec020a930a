"""Gets one attempt ready and hands it to the executor. Runs in a thread of its own.

Reading a dataset or a model may take long; the supervisor never waits for it. Whatever goes
wrong here becomes a sentence on the job, before any trainer was started.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import sqlite3
import time
import uuid
from collections.abc import Mapping
from pathlib import Path

from app import base_models, datasets
from app.errors import UserError
from app.jobs import (
    checking,
    elsewhere,
    installations,
    planning,
    resuming,
    runcard,
    service,
    store,
    workspace,
)
from app.jobs.control import create_control
from app.jobs.executor import ExecutorError
from app.jobs.installations import Installation
from app.jobs.rundir import AttemptDir, Launch, RunDir, write_json_atomic
from app.jobs.states import IllegalMoveError, JobState
from app.models import Attempt, Job
from app.platform import Platform
from engines.adapter import ENGINES
from engines.base import (
    DatasetFacts,
    LaunchPlan,
    ResumePoint,
    StopStep,
    UnsupportedError,
)
from engines.registry import EngineName
from engines.spec import JobSpec, Length

log = logging.getLogger(__name__)

ACTIONS = "actions.json"
LOOK_SECONDS = 600.0
HUB_SECONDS = 20.0
_SECRET = re.compile(r"(^|_)(TOKEN|SECRET|PASSWORD|PASSWD|API_KEY|ACCESS_KEY|CREDENTIALS)(_|$)")
_WANTED_SECRETS = frozenset({"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "WANDB_API_KEY"})


class PreparationError(UserError):
    """The attempt cannot start. The sentence is shown as the job's reason."""


def launch(platform: Platform, job_id: int, number: int) -> None:
    """Prepare attempt ``number`` and start its runner; on any trouble the job fails and says so."""
    with platform.app.app_context():
        job = store.get(job_id)
        try:
            _launch(platform, job, number)
        except IllegalMoveError:
            log.info("job %s changed while it was being prepared", job_id)
        except (UserError, ExecutorError, OSError, sqlite3.Error) as error:
            _give_up(job_id, number, _sentence(error))
        except Exception as error:
            log.exception("job %s: preparing attempt %s failed", job_id, number)
            _give_up(job_id, number, f"An error of this program: {type(error).__name__}: {error}.")


def _sentence(error: Exception) -> str:
    if isinstance(error, OSError):
        what, why = error.filename or "A file", error.strerror or error
        return f"{what} could not be used: {why}. Free disk or mend its rights, then retry."
    return str(error)


def _give_up(job_id: int, number: int, reason: str) -> None:
    job = store.get(job_id)
    stopping = job.status is JobState.STOPPING
    new, outcome = JobState.FAILED, "failed"
    if stopping:
        new, outcome = JobState.CANCELLED, "cancelled"
    attempt = store.attempt_of(job, number)
    if attempt is not None:
        store.change_attempt(attempt, outcome=outcome, reason=reason, ended=time.time())
    with contextlib.suppress(IllegalMoveError):
        store.move(job, new, reason, finished=time.time(), phase="", suggestion="", wish="")


def _launch(platform: Platform, job: Job, number: int) -> None:
    if why := elsewhere.why_nowhere(job, platform.settings):
        raise PreparationError(why)
    spec = workspace.resolved(lengthened(job), platform.settings)
    run = service.run_dir(job)
    installation = installations.require(platform.settings, engine_name(job))
    facts = _look(platform, spec, installation)
    attempt = store.attempt_of(job, number)
    if attempt is None:
        raise PreparationError(f"Attempt {number} of job {job.id} has no row; retry the job.")
    executor = platform.executor_for(attempt.executor)
    resume = resuming.resume_point(platform, job, spec, run, installation)
    space = workspace.for_run(
        run,
        installation,
        job_id=job.id,
        attempt=number,
        facts=facts,
        gpus=_gpus(job, attempt, spec),
        resume=resume,
        steps_per_epoch=resuming.known_steps_per_epoch(job),
        options=platform.options.wait(installation).options,
    )
    try:
        plan = planning.plan(installation, spec, space)
    except UnsupportedError as error:
        raise PreparationError(f"{installation.name} cannot do this: {error}") from error
    if attempt.executor == "slurm":
        plan = elsewhere.plan_for_a_node(plan, platform.slurm.there)
    _write(job, run, plan)
    _write_actions(run.attempt(number), plan)
    _record(job, attempt, plan, resume)
    if store.get(job.id).status is JobState.STOPPING:
        raise PreparationError("stopped before the trainer was started")
    token = base_models.hf_token(platform.settings)
    given = environment(os.environ, plan, gpu=bool(space.gpus), token=token)
    runcard.write(run, spec, installation, plan, space.gpus)
    runcard.fingerprint_later(run, spec)
    # The last act: whatever failed after it would leave a trainer that nobody looks after.
    executor.start(run.attempt(number), _launch_record(job, number, plan), given)


def _gpus(job: Job, attempt: Attempt, spec: JobSpec) -> tuple[int, ...]:
    """The GPUs that the plan counts on; a cluster gives them numbers of its own."""
    if attempt.executor == "slurm":
        return tuple(range(spec.gpus))
    return tuple(int(g) for g in job.gpus.split(",") if g)


def lengthened(job: Job) -> JobSpec:
    """The spec, longer by the steps that were added after a finished run."""
    spec = service.spec_of(job)
    if not job.target_steps:
        return spec
    return spec.model_copy(update={"length": Length(steps=job.target_steps)})


def engine_name(job: Job) -> EngineName:
    """The job's engine. Raises PreparationError for one that this version does not know."""
    if job.engine not in ENGINES:
        raise PreparationError(f"There is no engine {job.engine!r}; clone the job and choose one.")
    return job.engine


def _look(
    platform: Platform, spec: JobSpec, installation: Installation
) -> tuple[DatasetFacts, ...]:
    facts = []
    for dataset in spec.datasets:
        report = datasets.look(
            Path(dataset.path),
            caption_extension=dataset.caption_extension,
            engine=installation.name,
            decode_seconds=LOOK_SECONDS,
            material=checking.material(spec),
        )
        if report.errors:
            raise PreparationError(" ".join(report.errors))
        facts.append(report.facts)
    problems = checking.model_problems(platform, spec, seconds=HUB_SECONDS)
    if problems:
        raise PreparationError(" ".join(problems.values()))
    return tuple(facts)


def _write(job: Job, run: RunDir, plan: LaunchPlan) -> None:
    if not run.spec.exists():
        service.write_spec(job)
    run.output.mkdir(parents=True, exist_ok=True)
    service.files_of(plan, run.native)
    if plan.control is not None:
        create_control(plan.control)


def _write_actions(folder: AttemptDir, plan: LaunchPlan) -> None:
    """What can be asked of the running engine besides a plain stop, for the supervisor."""
    folder.root.mkdir(parents=True, exist_ok=True)
    actions = {
        "save_and_stop": [step_record(step) for step in plan.save_and_stop],
        "save_now": [step_record(step) for step in plan.save_now],
        "sample_now": [step_record(step) for step in plan.sample_now],
    }
    write_json_atomic(folder.root / ACTIONS, actions)


def _record(job: Job, attempt: Attempt, plan: LaunchPlan, resume: ResumePoint | None) -> None:
    redone = max(0, job.step - plan.start_step) if job.attempt > 1 and not job.fresh else 0
    store.change_attempt(
        attempt,
        start_step=plan.start_step,
        last_step=plan.start_step,
        start_epoch=(resume.epoch or 0) if resume else 0,
        epochs=plan.epochs,
        steps_per_epoch=plan.steps_per_epoch,
    )
    store.change(
        job,
        step=plan.start_step,
        total_steps=plan.total_steps or job.total_steps,
        notes="\n".join(plan.notes),
        redone_steps=0 if job.fresh else job.redone_steps + redone,
        fresh=False,
    )
    if plan.start_step:
        again = f"; {redone} steps are done again" if redone else ""
        store.note(job, f"goes on from step {plan.start_step}{again}")


def _launch_record(job: Job, number: int, plan: LaunchPlan) -> Launch:
    return Launch(
        job_id=job.id,
        attempt=number,
        argv=plan.argv,
        cwd=str(plan.cwd),
        env_names=tuple(sorted(plan.env)),
        stop=tuple(step_record(step) for step in plan.stop),
        near_end=tuple(step_record(step) for step in plan.save_and_stop or plan.stop),
        ask={"gpus": service.spec_of(job).gpus, "options": elsewhere.asked(job)},
        gpus=tuple(int(g) for g in job.gpus.split(",") if g),
        marker=f"{job.id}.{number}.{uuid.uuid4().hex}",
    )


def step_record(step: StopStep) -> dict[str, object]:
    """A stop step as launch.json and stop.json hold it."""
    if step.kind == "signal":
        return {"kind": "signal", "signal": step.signal, "to": "group", "grace": step.grace}
    until = {"query": step.until, "parameters": list(step.until_parameters)} if step.until else None
    return {
        "kind": "sqlite",
        "path": step.path,
        "statement": step.statement,
        "parameters": list(step.parameters),
        "until": until,
        "grace": step.grace,
    }


def environment(
    server: Mapping[str, str], plan: LaunchPlan, *, gpu: bool = False, token: str | None = None
) -> dict[str, str]:
    """The trainer's environment: the server's, less secrets it does not need, plus the plan's.

    ``token`` is for the Hugging Face Hub, where a person typed one in.
    """
    kept = {
        name: value
        for name, value in server.items()
        if name in _WANTED_SECRETS or not _SECRET.search(name.upper())
    }
    for name in ("AUTH_TOKEN", "AUTH_TOKEN_FILE", "DATABASE_URL", "VIRTUAL_ENV", "PYTHONHOME"):
        kept.pop(name, None)
    if token:
        kept.setdefault("HF_TOKEN", token)
    if not gpu and "CUDA_VISIBLE_DEVICES" not in plan.env:
        # Measured: on a small CPU a training is twice as fast without threads of its own.
        kept.setdefault("OMP_NUM_THREADS", "1")
    return {**kept, **plan.env}


def read_plan_files(run: RunDir) -> dict[str, str]:
    """The native files exactly as the engine got them; empty before the first start."""
    if not run.native.is_dir():
        return {}
    return {
        p.name: p.read_text("utf-8", "replace") for p in sorted(run.native.iterdir()) if p.is_file()
    }
