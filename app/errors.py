"""Errors a person can put right. ``str(error)`` is shown as it is."""

from __future__ import annotations

from collections.abc import Mapping


class UserError(Exception):
    """Something the user can put right; ``status`` is its HTTP status."""

    status = 400


class NotFoundError(UserError):
    """What was asked for is not there (any more)."""

    status = 404


class ConflictError(UserError):
    """The thing is not in a state that allows this."""

    status = 409


class InvalidSpecError(UserError):
    """A spec was refused. ``errors`` maps a dotted field, or nothing for the whole, to its sentence."""

    status = 422

    def __init__(self, errors: Mapping[str, str]) -> None:
        super().__init__(
            "; ".join(f"{field}: {text}" if field else text for field, text in errors.items())
        )
        self.errors = dict(errors)
