"""Queues messages. The rows of background work are the outbox: one for each event and target."""

from __future__ import annotations

from app import tasks
from app.jobs import pricing
from app.models import Job, Task
from app.notify.targets import EVENTS, Event, find, targets
from app.platform import current

KIND = "notify.send"


def tell(event: Event, key: str, title: str, body: str) -> int:
    """Queue a message for each target that wants ``event``; how many were queued.

    ``key`` names what happened, such as ``event:17``: told again under the same key, nothing more
    is sent. Needs an application context, waits for nothing.
    """
    count = 0
    for target in targets():
        subject = f"told:{key}:{target.id}"
        if event not in target.events or tasks.latest(subject, KIND):
            continue
        tasks.start(
            KIND, subject, {"target": target.id, "event": event, "title": title, "body": body}
        )
        count += 1
    return count


def test(target_id: str) -> Task:
    """Queue a test message. Raises NotFoundError."""
    target = find(target_id)
    words = {
        "target": target.id,
        "event": "test",
        "title": "Vast LoRA: a test",
        "body": f"Messages for {target.name} arrive. It is told about: "
        + ", ".join(EVENTS[event].lower() for event in target.events)
        + ".",
    }
    return tasks.start(KIND, _test_subject(target_id), words)


def test_of(target_id: str) -> Task | None:
    """The newest test of a target."""
    return tasks.latest(_test_subject(target_id), KIND)


def _test_subject(target_id: str) -> str:
    return f"notify-test:{target_id}"


def about(job: Job, what: str, reason: str = "") -> tuple[str, str]:
    """Title and text of a message about a job."""
    lines = [f"{reason[:1].upper()}{reason[1:]}" if reason else "", job.suggestion]
    total = f" of {job.total_steps}" if job.total_steps else ""
    facts = [f"step {job.step}{total}"]
    if job.loss is not None and job.loss == job.loss:
        facts.append(f"loss {job.loss:.4f}")
    if job.attempts:
        facts.append(f"{_duration(pricing.seconds_used(job))} of training")
        if (cost := pricing.cost_so_far(current(), job)) is not None:
            facts.append(f"cost {pricing.dollars(cost)}")
    lines += [", ".join(facts), f"{job.family} with {job.engine}", f"/jobs/{job.id}"]
    return f"{job.name} {what}", "\n".join(line for line in lines if line)


def _duration(seconds: float) -> str:
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    return (
        f"{whole // 60} min" if whole < 3600 else f"{whole // 3600} h {whole % 3600 // 60:02} min"
    )
