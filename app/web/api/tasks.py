"""Background work that is no training."""

from __future__ import annotations

from pydantic import Field

from app import tasks
from app.jobs import describing
from app.models import Task
from app.web.api.registry import Given, operation
from app.web.api.shapes import TaskJson, TaskPage

TAG = "Tasks"


class TasksQuery(Given):
    """Which tasks."""

    subject: str | None = Field(None, max_length=200, description="Such as job:3.")
    kind: str = Field("", max_length=100, description="Such as model.download.")
    limit: int = Field(50, ge=1, le=500, description="At most so many.")
    before: int | None = Field(
        None, ge=1, le=2**63 - 1, description="Cursor: only smaller numbers."
    )


def as_json(task: Task) -> TaskJson:
    """A task as the API tells it."""
    plain = ("id", "kind", "subject", "state", "message", "error", "done", "total", "unit")
    kind = tasks.KINDS.get(task.kind)
    return TaskJson(
        title=kind.title if kind else task.kind,
        result=tasks.result_of(task),
        created=describing.iso(task.created),
        started=describing.iso(task.started),
        finished=describing.iso(task.finished),
        **{name: getattr(task, name) for name in plain},
    )


@operation("GET /tasks", tag=TAG, answer=TaskPage, query=TasksQuery)
def index(query: TasksQuery) -> TaskPage:
    """List background work, newest first."""
    found = tasks.page(
        subject=query.subject, kind=query.kind, limit=query.limit + 1, before=query.before
    )
    shown = [as_json(task) for task in found[: query.limit]]
    return TaskPage(tasks=shown, next=shown[-1].id if len(found) > query.limit else None)


@operation("GET /tasks/<int:task_id>", tag=TAG, answer=TaskJson)
def show(task_id: int) -> TaskJson:
    """Show one piece of background work."""
    return as_json(tasks.get(task_id))


@operation("POST /tasks/<int:task_id>/cancel", tag=TAG, answer=TaskJson, errors=(409,))
def cancel(task_id: int) -> TaskJson:
    """Cancel waiting or running work."""
    tasks.cancel(tasks.get(task_id))
    return show(task_id)


@operation("POST /tasks/<int:task_id>/retry", tag=TAG, answer=TaskJson, errors=(409,))
def retry(task_id: int) -> TaskJson:
    """Have failed or cancelled work go on."""
    tasks.retry(tasks.get(task_id))
    return show(task_id)
