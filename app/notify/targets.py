"""Whom messages reach, and about what. The addresses are secrets and lie in the vault."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterable
from typing import Literal

from pydantic import BaseModel, ConfigDict

from app import preferences
from app.errors import InvalidSpecError, NotFoundError
from app.platform import current
from app.preferences import Preferences

Event = Literal[
    "finished", "failed", "stalled", "interrupted", "disk-low", "queue-empty", "machine-stops",
    "upload-failed",
]  # fmt: skip
EVENTS: dict[Event, str] = {
    "finished": "A job finished",
    "failed": "A job failed",
    "stalled": "A job is silent",
    "interrupted": "A job was interrupted and queued again",
    "disk-low": "The disk is nearly full",
    "queue-empty": "The queue is empty",
    "machine-stops": "The instance is about to stop",
    "upload-failed": "A copy failed",
}
_ADDRESS = re.compile(r"([a-z][a-z0-9+.-]{1,30})://\S+", re.IGNORECASE)


class Target(BaseModel):
    """One address. ``hint`` is all of it that a page may show, beside the scheme."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str
    name: str
    scheme: str
    hint: str = ""
    events: tuple[Event, ...] = ()

    @property
    def secret(self) -> str:
        """The name of its address in the vault."""
        return f"notify.{self.id}"


class NotifyPreferences(Preferences):
    """Everybody who is told."""

    targets: tuple[Target, ...] = ()


def targets() -> tuple[Target, ...]:
    """All of them, in the order in which they were added."""
    return preferences.load(NotifyPreferences).targets


def find(target_id: str) -> Target:
    """Raises NotFoundError."""
    found = next((target for target in targets() if target.id == target_id), None)
    if found is None:
        raise NotFoundError("There is no such notification; it may have been removed.")
    return found


def add(name: str, address: str, events: Iterable[str]) -> Target:
    """Keep a new target. Raises InvalidSpecError with a sentence at each field."""
    address = address.strip()
    match = _ADDRESS.fullmatch(address)
    chosen = _known(events)
    errors = {}
    if match is None:
        errors["address"] = "Give an Apprise address, such as discord://id/token or ntfy://topic."
    if not chosen:
        errors["events"] = "Choose at least one event."
    if len(name) > 80:
        errors["name"] = "At most 80 characters."
    if match is None or errors:
        raise InvalidSpecError(errors)
    scheme = match.group(1).lower()
    # The end of a long address tells two apart and gives nothing away that opens anything.
    hint = f"…{address[-3:]}" if len(address) >= 32 else "…"
    target = Target(
        id=secrets.token_hex(4),
        name=name.strip() or scheme,
        scheme=scheme,
        hint=hint,
        events=chosen,
    )
    current().vault.put(target.secret, address)
    _store(lambda known: (*known, target))
    return target


def change(target_id: str, events: Iterable[str]) -> None:
    """Have it told about other events."""
    find(target_id)
    new = {"events": _known(events)}
    _store(lambda known: [t.model_copy(update=new) if t.id == target_id else t for t in known])


def remove(target_id: str) -> None:
    """Forget it with its address."""
    found = find(target_id)
    _store(lambda known: [target for target in known if target.id != target_id])
    current().vault.put(found.secret, None)


def _store(make: Callable[[tuple[Target, ...]], Iterable[Target]]) -> None:
    preferences.change(
        NotifyPreferences, lambda now: NotifyPreferences(targets=tuple(make(now.targets)))
    )


def _known(events: Iterable[str]) -> tuple[Event, ...]:
    wanted = set(events)
    return tuple(event for event in EVENTS if event in wanted)
