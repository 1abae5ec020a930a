"""Brings one file from a web address into DATA_DIR/models. Runs in a child.

What arrives is ``NAME.part`` until it is whole and was looked at. A small file beside it remembers
which address it belongs to, so that the next try goes on even after a kill.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import urllib.parse
from collections.abc import Callable
from email.message import Message
from pathlib import Path
from typing import Any

from app.base_models.local import FILE_ENDINGS
from app.base_models.recognising import examine
from app.errors import UserError
from app.tasks import RetryLaterError
from app.transfer import Source, begin, fetch, length, need_room, tag_of


def key_of(url: str) -> str:
    """A short name for an address; says nothing of what is in it."""
    return hashlib.sha256(url.encode()).hexdigest()[:16]


def bring(
    url: str, folder: Path, told: Callable[[int, int | None, str], None], *, reserve: int
) -> dict[str, Any]:
    """Download and look at the file; returns its name and what it is."""
    folder.mkdir(parents=True, exist_ok=True)
    note = folder / f".{key_of(url)}.download.json"
    known = _read(note)
    opened = None
    with contextlib.ExitStack() as stack:
        if not known or not _begun(folder / known["name"]):
            opened = stack.enter_context(contextlib.closing(begin(url)))
            known = _describe(url, opened)
            _check(known, folder)
            note.write_text(json.dumps(known), "utf-8")
        name, size = str(known["name"]), known["size"]
        target = folder / name
        part = _part(target)
        have = part.stat().st_size if part.exists() else 0
        need_room(folder, (size or 0) - have, reserve)
        fetch(
            Source(url, None, size, str(known["etag"])),
            part,
            lambda done: told(done, size, name),
            reserve=reserve,
            opened=opened,
        )
    return _settle(part, target, note)


def _settle(part: Path, target: Path, note: Path) -> dict[str, Any]:
    """Look at what arrived under its own ending, then give it its name."""
    whole = _whole(target)
    part.replace(whole)
    try:
        found = examine(whole)
    except OSError as error:
        whole.replace(part)
        raise RetryLaterError(
            f"{target.name} arrived and cannot be read back: {error.strerror or error}. It is kept."
        ) from error
    if found.kind == "broken":
        whole.unlink()
        note.unlink(missing_ok=True)
        raise UserError(f"What arrived is no sound model file and was removed. {found.problem}")
    whole.replace(target)
    note.unlink(missing_ok=True)
    return {"name": target.name, "says": found.says, "bytes": target.stat().st_size}


def _part(target: Path) -> Path:
    """What has arrived so far."""
    return target.with_name(f"{target.name}.part")


def _whole(target: Path) -> Path:
    """What arrived, as long as it is looked at."""
    return target.with_name(f".{target.name}.whole{target.suffix}")


def _begun(target: Path) -> bool:
    """Whether an earlier try brought some of it, or all and was killed as it looked at it."""
    if _whole(target).exists():
        _whole(target).replace(_part(target))
    return _part(target).exists()


def _read(note: Path) -> dict[str, Any] | None:
    try:
        known = json.loads(note.read_text("utf-8"))
        return known if {"name", "size", "etag"} <= known.keys() else None
    except (FileNotFoundError, ValueError, AttributeError):
        return None


def _describe(url: str, answer: Any) -> dict[str, Any]:
    kind = str(answer.headers.get("Content-Type") or "")
    if kind.startswith(("text/html", "application/json")):
        answer.close()
        raise UserError(
            "This address answers with a page, not with a file; it may want a login. "
            "Use the address of the download itself."
        )
    return {
        "name": _name(answer, url),
        "size": length(answer.headers),
        "etag": tag_of(answer.headers),
    }


def _name(answer: Any, url: str) -> str:
    """From Content-Disposition, else from the address after redirects, else from ours."""
    message = Message()
    message["Content-Disposition"] = answer.headers.get("Content-Disposition") or ""
    given = message.get_filename() or ""
    for text in (given, urllib.parse.urlsplit(answer.url).path, urllib.parse.urlsplit(url).path):
        last = urllib.parse.unquote(text).replace("\\", "/").rsplit("/", 1)[-1]
        name = re.sub(r"[^\w.+ -]", "_", last).strip(" .")[-120:]
        if name.lower().endswith(FILE_ENDINGS):
            return name
    raise UserError(
        f"The file there is no model by its name: it should end in {', '.join(FILE_ENDINGS[:3])} or the like."
    )


def _check(known: dict[str, Any], folder: Path) -> None:
    if (folder / str(known["name"])).exists():
        raise UserError(f"There is a {known['name']} already. Delete it first, or use it.")
