"""What people set on pages, as opposed to the environment: pydantic models kept as JSON facts.

Each group of preferences is a model with a default for every field, read by its class and
written whole. Secrets do not belong here; they go to ``app.vault``.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from sqlalchemy import bindparam, select

from app.db import connection, db
from app.models import Fact

log = logging.getLogger(__name__)
_writing = threading.RLock()
"""Two requests that each read a list, add to it and write it back would keep one addition."""


class Preferences(BaseModel):
    """Base of every group; ``key()`` names its row."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    @classmethod
    def key(cls) -> str:
        """Such as ``preferences.NotifyPreferences``."""
        return f"preferences.{cls.__name__}"


# Read at every tick: made once, and of the table alone, which is five times as fast as by its model.
_FACT = Fact.__table__.c
_VALUE = select(_FACT.value).where(_FACT.key == bindparam("key"))
P = TypeVar("P", bound=Preferences)


def load(group: type[P]) -> P:
    """The group as it is stored; its defaults where nothing, or nonsense, is. Needs a context."""
    value = connection().scalar(_VALUE, {"key": group.key()})
    if not value:
        return group()
    try:
        return group.model_validate_json(value)
    except ValidationError as error:
        log.warning("%s is not what this version stores; its defaults are used: %s", group, error)
        return group()


def save(group: Preferences) -> None:
    """Store a whole group. Needs a context."""
    with _writing:
        db.session.merge(Fact(key=group.key(), value=group.model_dump_json()))
        db.session.commit()


def change(group: type[P], make: Callable[[P], P]) -> P:
    """Store what ``make`` makes of the group as it is; no other request changes it in between."""
    with _writing:
        changed = make(load(group))
        save(changed)
    return changed
