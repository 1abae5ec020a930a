"""Whether everything that is wanted as a copy is one: verified there, and unchanged here since."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from sqlalchemy import select

from app.db import db
from app.delivery.choosing import choose
from app.delivery.store import is_automatic, rows, state_of
from app.delivery.targets import Target, targets
from app.jobs.states import FINAL
from app.models import Job
from app.vast import Undelivered


def backed_up(job: Job) -> dict[str, list[str]]:
    """Names of the targets that hold a file, verified and unchanged, by its path in the run."""
    names = {target.id: target.name for target in targets()}
    safe: dict[str, list[str]] = {}
    for row in rows(job.id):
        if state_of(row) == "verified":
            safe.setdefault(row.source, []).append(names.get(row.target, "a removed place"))
    return safe


def is_backed_up(job: Job) -> bool:
    """Whether the finished LoRA (else the newest checkpoint) is safe somewhere."""
    wanted = choose(job, ("lora",))
    safe = backed_up(job)
    return bool(wanted) and all(file.source in safe for file in wanted)


def pending(jobs: Iterable[Job] | None = None) -> list[str]:
    """What is not yet safe, in sentences; of these jobs, or of every job that is over.

    A job is safe when all that was chosen for a target is verified there and unchanged, all that
    automatic targets want of it is among that, and its LoRA is safe somewhere.
    """
    found: list[str] = []
    known = targets()
    for job in _finished() if jobs is None else jobs:
        found += _open(job, known)
    return found


def undelivered() -> Undelivered:
    """What stands in the way of giving the machine back.

    That is whatever was chosen for a target, by a person or by itself, and is not verified there.
    A LoRA that nobody chose to send counts only where some target takes jobs by itself.
    """
    known = targets()
    everything = any(target.automatic != "never" for target in known)
    closed = {target.id for target in known if target.why_not()}
    staying: dict[str, int] = {}
    for job in _finished() if known else ():
        missing = _missing(job, known)
        awaited = [state for (target, _), state in missing.items() if target not in closed]
        told = _told(job, awaited) or ([] if missing or not everything else _sent_nowhere(job))
        if told:
            return Undelivered(told[0])
        if missing:
            staying[f"job {job.id}, {job.name},"] = len(missing)
    return Undelivered(stays=_staying(staying))


def _staying(counts: dict[str, int]) -> str:
    """Of files by job: what is not copied as long as the Hub is closed to us."""
    if not counts:
        return ""
    number = sum(counts.values())
    files = "1 file" if number == 1 else f"{number} files"
    whose = next(iter(counts)) if len(counts) == 1 else f"{len(counts)} jobs"
    verb = "is" if number == 1 else "are"
    return f"{files} of {whose} {verb} not copied to the Hub, because HF_HUB_OFFLINE is set"


def _finished() -> Sequence[Job]:
    states = [state.value for state in FINAL]
    query = select(Job).where(Job.state.in_(states), Job.attempt > 0).order_by(Job.id)
    return db.session.scalars(query).all()


def _open(job: Job, known: Sequence[Target]) -> list[str]:
    return _told(job, _missing(job, known).values()) or _sent_nowhere(job)


def _sent_nowhere(job: Job) -> list[str]:
    if choose(job, ("lora",)) and not is_backed_up(job):
        return [f"Job {job.id}, {job.name}: its LoRA was sent nowhere."]
    return []


def _missing(job: Job, known: Sequence[Target]) -> dict[tuple[str, str], str]:
    """By target and file the state of what was chosen for a target and is not verified there."""
    # What was to go to a target that a person removed is wanted no more.
    ids = {target.id for target in known}
    states: dict[tuple[str, str], str] = {
        (row.target, row.source): state_of(row) for row in rows(job.id) if row.target in ids
    }
    for target in known:
        if is_automatic(target, job):
            for file in choose(job, target.what):
                states.setdefault((target.id, file.source), "not sent")
    return {key: state for key, state in states.items() if state != "verified"}


def _told(job: Job, states: Iterable[str]) -> list[str]:
    """A sentence for each of these states, with the number of files."""
    counts = Counter(states)
    return [f"Job {job.id}, {job.name}: {n} file{'s' * (n > 1)} {s}." for s, n in counts.items()]
