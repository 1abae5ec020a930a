"""Accounts for every key of an imported config: each value is in the document or on one line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


class Ledger:
    """The keys of sd-scripts being read, the document being made, and what is said of each key.

    ``native`` holds sd-scripts' own keys that nobody has taken yet. ``origin`` names the keys of
    the source that a native key came from, where the names differ (the GUI has its own words);
    ``source`` their values as they were written. ``options`` and its kin are what goes into the
    engine options: of the job, of each resolution, of each dataset, of each prompt.
    """

    def __init__(
        self,
        native: Mapping[str, Any],
        family: str,
        source: Mapping[str, Any] | None = None,
        origin: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        self.native = dict(native)
        self.family = family
        self.source = dict(source if source is not None else native)
        self.origin = dict(origin or {})
        self.document: dict[str, Any] = {"version": 1, "engine": "kohya_ss", "family": family}
        self.options: dict[str, Any] = {}
        self.block_options: dict[int, dict[str, Any]] = {}
        self.subset_options: dict[int, dict[str, Any]] = {}
        self.prompt_options: list[dict[str, Any]] = []
        self._said: dict[str, str] = {}
        self._taken: set[str] = set()

    @property
    def lines(self) -> tuple[str, ...]:
        """One line for each source key whose value is not in the document as it was."""
        return tuple(self._said.values())

    def take(self, key: str) -> Any:
        """The value of a native key, which is now accounted for; None where it is not given."""
        if key in self.native:
            self._taken.add(key)
        return self.native.pop(key, None)

    def put(self, path: str, value: Any) -> None:
        """Set a field of the document, and nothing said about it."""
        place = self.document
        *parents, last = path.split(".")
        for part in parents:
            place = place.setdefault(part, {})
        place[last] = value

    def move(self, key: str, path: str, value: Any) -> None:
        """Set a field from a native key; says so where the value was written differently."""
        self.put(path, value)
        for name in self.sources_of(key) if key in self._taken else ():
            if not same(self.source.get(name), value):
                self._said.setdefault(name, f"translated {name} -> {path}")

    def keep(self, key: str, value: Any) -> None:
        """A value without a field goes into the engine options under its native key."""
        self.options[key] = value
        for name in self.sources_of(key):
            if not same(self.source.get(name), value):
                self._said.setdefault(
                    name, f"translated {name} -> engine_options.kohya_ss.config.{key}"
                )

    def translated(self, key: str, path: str, why: str = "") -> None:
        """Say that a native key's value is in the document in another form."""
        for name in self.sources_of(key):
            self._said.setdefault(name, f"translated {name} -> {path}{f': {why}' if why else ''}")

    def dropped(self, key: str, reason: str) -> None:
        """Say that a native key's value is not in the document, and why."""
        for name in self.sources_of(key):
            self._said[name] = f"dropped {name}: {reason}"

    def forget(self, name: str) -> None:
        """Take back what was said of a source key, which is about to be told better."""
        self._said.pop(name, None)

    def sources_of(self, key: str) -> Sequence[str]:
        """The keys of the source behind a native key."""
        return self.origin.get(key, (key,) if key in self.source else ())


def same(before: Any, after: Any) -> bool:
    """Whether two values are the same: a number may be written as text, a switch as a word."""
    if isinstance(before, list | tuple) and isinstance(after, list | tuple):
        return len(before) == len(after) and all(map(same, before, after))
    if is_text_of_bool(before) is not None or is_text_of_bool(after) is not None:
        return is_text_of_bool(before) == is_text_of_bool(after)
    first, second = number(before), number(after)
    if first is not None and second is not None:
        return first == second
    return bool(before == after)


def is_text_of_bool(value: Any) -> bool | None:
    """A switch, also one written as a word; None for what is none."""
    if isinstance(value, bool):
        return value
    return {"true": True, "false": False}.get(value.lower()) if isinstance(value, str) else None


def number(value: Any) -> float | None:
    """A number, also one written as text; None for what is none."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except (ValueError, OverflowError):
        return None


def asked(value: Any) -> float | None:
    """A number that was asked for; None where nothing was. Raises ValueError for other text."""
    if value in (None, ""):
        return None
    found = number(value)
    if found is None:
        raise ValueError(f"{value!r} is no number")
    return found


def is_on(value: Any) -> bool:
    """Whether a switch is on."""
    return is_text_of_bool(value) is True


def whole(value: Any) -> int:
    """A whole number. Raises ValueError for what is none."""
    found = number(value)
    if found is None or not found.is_integer():
        raise ValueError(f"{value!r} is no whole number")
    return int(found)
