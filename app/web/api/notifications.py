"""Whom messages reach, and about what. An address is taken, kept in the vault, and never told again.

As on the Settings page, a token that only reads sees nothing of it.
"""

from __future__ import annotations

from pydantic import Field

from app import notify
from app.web.api.registry import Answer, Given, operation
from app.web.api.shapes import TaskJson
from app.web.api.tasks import as_json

TAG = "Notifications"


class NotificationJson(Answer):
    """Who is told. ``hint`` is all that is told of its address: the end of a long one."""

    id: str
    name: str
    kind: str = Field(description="The scheme of its address, such as discord or ntfy.")
    hint: str
    events: list[notify.Event] = Field(description="What it is told about; empty: nothing.")


class Notifications(Answer):
    """Everybody who is told, in the order in which they were added."""

    notifications: list[NotificationJson]


class NewNotification(Given):
    """Somebody who is to be told."""

    address: str = Field(
        min_length=1, max_length=2000,
        description="An Apprise address, such as discord://id/token or ntfy://topic. A secret.",
    )  # fmt: skip
    name: str = Field("", max_length=80, description="For people; empty: the scheme.")
    events: list[notify.Event] = Field(
        min_length=1, max_length=50, description="What it is told about."
    )


class NotificationChange(Given):
    """What it is told about from now on."""

    events: list[notify.Event] = Field(
        max_length=50, description="All of it; empty: it is kept, and told nothing."
    )


def _json(target: notify.Target) -> NotificationJson:
    return NotificationJson(
        id=target.id,
        name=target.name,
        kind=target.scheme,
        hint=target.hint,
        events=list(target.events),
    )


@operation("GET /notifications", tag=TAG, answer=Notifications, errors=(403,))
def index() -> Notifications:
    """List who is told, and about what."""
    return Notifications(notifications=[_json(target) for target in notify.targets()])


@operation("POST /notifications", tag=TAG, answer=NotificationJson, body=NewNotification,
           status=201)  # fmt: skip
def add(body: NewNotification) -> NotificationJson:
    """Have somebody told. Nothing is sent yet: test it."""
    return _json(notify.add(body.name, body.address, body.events))


@operation("GET /notifications/<target>", tag=TAG, answer=NotificationJson, errors=(403,))
def show(target: str) -> NotificationJson:
    """Show one."""
    return _json(notify.find(target))


@operation("PUT /notifications/<target>", tag=TAG, answer=NotificationJson, body=NotificationChange)
def change(target: str, body: NotificationChange) -> NotificationJson:
    """Have it told about other events. For another address, add one and delete this."""
    notify.change(target, body.events)
    return show(target)


@operation("DELETE /notifications/<target>", tag=TAG)
def delete(target: str) -> None:
    """Forget it with its address."""
    notify.remove(target)


@operation("POST /notifications/<target>/test", tag=TAG, answer=TaskJson, status=202)
def test(target: str) -> TaskJson:
    """Send a test message; the answer is the task that does it."""
    return as_json(notify.test(target))
