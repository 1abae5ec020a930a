"""What can be done to many captions at once. Nothing here reads or writes a file.

An operation gets captions and gives captions: None is a picture without a caption file.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import NamedTuple

from app.datasets import patterns
from app.datasets.captions import tags_of, tidy
from app.errors import UserError


class Entry(NamedTuple):
    """A picture, by its row and its path in the dataset, with its caption."""

    id: int
    name: str
    caption: str | None


class Change(NamedTuple):
    """What becomes of one caption."""

    entry: Entry
    after: str | None


class OperationError(UserError):
    """The operation lacks something; the sentence stands beside its form."""

    status = 422


@dataclass(frozen=True)
class Operation:
    """One of ``KINDS`` with what was typed into its two fields."""

    kind: str
    text: str = ""
    other: str = ""


@dataclass(frozen=True)
class Kind:
    """How an operation is offered. An empty label is a field that it does not have.

    ``needed`` tells whether the first field may stay empty.
    """

    title: str
    label: str = ""
    other_label: str = ""
    needed: bool = True
    each: Callable[[Entry, Operation], str | None] | None = None


def changes(operation: Operation, entries: Sequence[Entry]) -> list[Change]:
    """The captions that would not stay as they are. Raises OperationError or PatternError."""
    kind = KINDS.get(operation.kind)
    if kind is None:
        raise OperationError("Choose what is to be done.")
    if kind.label and kind.needed and not operation.text.strip():
        raise OperationError(f"{kind.label}: this is needed.")
    each = kind.each
    after = [each(e, operation) for e in entries] if each else _by_pattern(operation, entries)
    made = [
        Change(entry, None if text is None else tidy(text))
        for entry, text in zip(entries, after, strict=True)
        if text != entry.caption
    ]
    return [change for change in made if change.after != change.entry.caption]


def summary(operation: Operation) -> str:
    """The operation in words, for the list of edits."""
    kind = KINDS[operation.kind]
    typed = [f"“{text.strip()}”" for text in (operation.text, operation.other) if text.strip()]
    return kind.title + (f": {' → '.join(typed)}" if typed and kind.label else "")


def _by_pattern(operation: Operation, entries: Sequence[Entry]) -> list[str | None]:
    with_caption = [entry.caption for entry in entries if entry.caption is not None]
    done = iter(patterns.substitute(operation.text, operation.other, with_caption))
    return [None if entry.caption is None else next(done) for entry in entries]


def _joined(tags: Sequence[str]) -> str:
    return ", ".join(tags)


def _prefix(entry: Entry, operation: Operation) -> str:
    return operation.text.lstrip("\n") + (entry.caption or "")


def _suffix(entry: Entry, operation: Operation) -> str:
    return (entry.caption or "").rstrip() + operation.text


def _replace(entry: Entry, operation: Operation) -> str | None:
    return entry.caption and entry.caption.replace(operation.text, operation.other)


def _first(entry: Entry, operation: Operation) -> str | None:
    """The tags in front; one that is there already is moved, so that none stands twice."""
    wanted = tags_of(operation.text)
    rest = [tag for tag in tags_of(entry.caption) if tag not in wanted]
    return _joined([*wanted, *rest])


def _last(entry: Entry, operation: Operation) -> str | None:
    there = tags_of(entry.caption)
    fresh = [tag for tag in tags_of(operation.text) if tag not in there]
    return _joined([*there, *fresh]) if fresh else entry.caption


def _remove(entry: Entry, operation: Operation) -> str | None:
    wanted = {tag.lower() for tag in tags_of(operation.text)}
    there = tags_of(entry.caption)
    kept = [tag for tag in there if tag.lower() not in wanted]
    return entry.caption if len(kept) == len(there) else _joined(kept)


def _underscores(entry: Entry, _operation: Operation) -> str | None:
    """Between letters and digits only: a smiley such as ^_^ is a tag of its own."""
    return entry.caption and re.sub(r"(?<=[^\W_])_+(?=[^\W_]|\()", " ", entry.caption)


def _sorted(entry: Entry, operation: Operation) -> str | None:
    """By letters; so many at the front stay where they are."""
    try:
        fixed = int(operation.text or 0)
    except ValueError as error:
        raise OperationError("Tags that stay in front: write a whole number.") from error
    tags = tags_of(entry.caption)
    done = [*tags[: max(0, fixed)], *sorted(tags[max(0, fixed) :], key=str.lower)]
    return entry.caption if done == tags else _joined(done)


def _dedupe(entry: Entry, _operation: Operation) -> str | None:
    tags = tags_of(entry.caption)
    seen = {tag.lower(): tag for tag in reversed(tags)}
    kept = [tag for tag in dict.fromkeys(tags) if seen[tag.lower()] == tag]
    return entry.caption if len(kept) == len(tags) else _joined(kept)


def holds(caption: str | None, word: str) -> bool:
    """Whether the word, or words, stand in the caption, in any case and not inside another word."""
    pattern = rf"(?<!\w){re.escape(word.strip())}(?!\w)"
    return bool(word.strip() and re.search(pattern, caption or "", re.IGNORECASE))


def _trigger(entry: Entry, operation: Operation) -> str | None:
    word = operation.text.strip()
    if holds(entry.caption, word):
        return entry.caption
    return f"{word}, {entry.caption}" if (entry.caption or "").strip() else word


def _from_name(entry: Entry, _operation: Operation) -> str | None:
    if (entry.caption or "").strip():
        return entry.caption
    words = re.sub(r"[_\-.]+", " ", PurePosixPath(entry.name).stem)
    return re.sub(r"\s*[(\[]?\b\d+\b[)\]]?\s*$", "", words).strip() or entry.caption


def _delete(_entry: Entry, _operation: Operation) -> None:
    return None


KINDS: dict[str, Kind] = {
    "add_first": Kind("Add tags in front", "Tags", each=_first),
    "add_last": Kind("Add tags at the end", "Tags", each=_last),
    "remove_tag": Kind("Remove tags", "Tags", each=_remove),
    "replace": Kind("Find and replace", "Find", "Replace with", each=_replace),
    "pattern": Kind("Find and replace by pattern", "Pattern", "Replace with"),
    "trigger": Kind("Trigger word in front, where absent", "Trigger word", each=_trigger),
    "prefix": Kind("Text in front of each", "Text", each=_prefix),
    "suffix": Kind("Text after each", "Text", each=_suffix),
    "underscores": Kind("Underscores to blanks", each=_underscores),
    "sort": Kind("Sort tags", "Tags that stay in front", needed=False, each=_sorted),
    "dedupe": Kind("Remove tags that stand twice", each=_dedupe),
    "from_name": Kind("Caption from the file name, where none", each=_from_name),
    "delete": Kind("Delete captions", each=_delete),
}
"""In the order of the menu."""
