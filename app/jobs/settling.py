"""What the end of an attempt means: reads the evidence, then decides.

``judge`` is a pure table; ``gather`` looks at the files. Exit 0 is no proof: both engines
exit 0 on a NaN loss, and sd-scripts also when it found no images.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from app import artifacts
from app.jobs import diagnosis
from app.jobs.rundir import AttemptDir, ExitRecord, RunDir
from app.jobs.states import JobState
from engines.adapter import Engine

TAIL_BYTES = 64 * 1024
VERIFY_SECONDS = 600.0


@dataclass(frozen=True)
class Evidence:
    """What was found after an attempt. ``lora`` is a sentence about the finished file, empty
    when it is whole, finite and of this attempt."""

    exit: ExitRecord
    lora: str
    tail: str
    engine: Engine


@dataclass(frozen=True)
class Verdict:
    """The state an attempt ends in, why, and what to do next."""

    state: JobState
    reason: str
    suggestion: str = ""
    cause: str = ""


def gather(
    run: RunDir, attempt: AttemptDir, record: ExitRecord, engine: Engine, name: str
) -> Evidence:
    """Read the log's end and check the finished LoRA. May take as long as the file is large."""
    return Evidence(
        record,
        _check_lora(run.output, _began(attempt, record), engine, name),
        _tail(attempt.log),
        engine,
    )


def _began(attempt: AttemptDir, record: ExitRecord) -> float | None:
    """When the trainer was started, by the clock that also stamps its files.

    A node's clock may be ahead of the file server's; launch.json was last written at the start.
    """
    if record.started is None:
        return None
    try:
        return min(record.started, attempt.launch.stat().st_mtime)
    except OSError:
        return record.started


def _check_lora(output: Path, began: float | None, engine: Engine, name: str) -> str:
    found = artifacts.find(output, engine, name)
    finals = [lora for lora in found.loras if lora.file.final]
    if not finals:
        return "no LoRA was written"
    newest = max(finals, key=lambda lora: lora.mtime)
    # One second of grace: some filesystems keep whole seconds only.
    if began is None or newest.mtime < began - 1:
        return f"{newest.path.name} is older than this attempt, so none was written"
    verdict = artifacts.verify_in_child(newest.path, VERIFY_SECONDS)
    return "" if verdict.ok else verdict.sentence


def _tail(path: Path) -> str:
    try:
        with path.open("rb") as log:
            size = log.seek(0, 2)
            log.seek(max(0, size - TAIL_BYTES))
            return log.read(TAIL_BYTES).decode("utf-8", "replace")
    except FileNotFoundError:
        return ""


def judge(state: JobState, evidence: Evidence, guard: str = "") -> Verdict:
    """The verdict. After our stop an exit code means nothing; without it, it is not enough.

    ``guard`` is why we ended the run ourselves, without being asked.
    """
    done = evidence.exit
    if guard:
        return Verdict(JobState.FAILED, guard, "Mend the cause, then retry from the newest save.")
    if state is JobState.STOPPING:
        if not evidence.lora and done.code == 0:
            return Verdict(JobState.SUCCEEDED, "it finished before the stop")
        return Verdict(JobState.CANCELLED, "stopped")
    found = diagnosis.diagnose(
        code=done.code, signal=done.signal, tail=evidence.tail, engine=evidence.engine.name
    )
    if done.error:
        return Verdict(JobState.FAILED, done.error, "Check the engine on the Engines page.")
    if done.code != 0:
        parts = (found.sentence, ending(done)) if found.known else (ending(done), found.sentence)
        why = ("; " if found.known else ": ").join(parts)
        return Verdict(JobState.FAILED, why, found.suggestion, found.cause)
    if evidence.lora:
        why = (
            found.sentence
            if found.known
            else f"the trainer ended without an error, but {evidence.lora}"
        )
        return Verdict(JobState.FAILED, why, found.suggestion, found.cause)
    return Verdict(JobState.SUCCEEDED, "")


def ending(done: ExitRecord) -> str:
    """How a trainer ended, in words."""
    return f"killed by {done.signal}" if done.signal else f"exited with code {done.code}"
