"""Brings one file from a web address into DATA_DIR/models. Runs in a child.

What arrives is ``NAME.part`` until it is whole and was looked at. A small file beside it remembers
which address it belongs to, so that the next try goes on even after a kill.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import re
import urllib.error
import urllib.parse
from collections.abc import Callable
from email.message import Message
from pathlib import Path
from typing import Any

from app.base_models.local import FILE_ENDINGS
from app.base_models.recognising import examine
from app.base_models.transfer import Source, ask, fetch, length, need_room, refusal
from app.errors import UserError
from app.tasks import RetryLaterError


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
        if not known or not (folder / f"{known['name']}.part").exists():
            opened = stack.enter_context(contextlib.closing(_open(url)))
            known = _describe(url, opened)
            _check(known, folder)
            note.write_text(json.dumps(known), "utf-8")
        name, size = str(known["name"]), known["size"]
        part, target = folder / f"{name}.part", folder / name
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
    whole = part.with_name(f".{target.name}.whole{target.suffix}")
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


def _read(note: Path) -> dict[str, Any] | None:
    try:
        known = json.loads(note.read_text("utf-8"))
        return known if {"name", "size", "etag"} <= known.keys() else None
    except (FileNotFoundError, ValueError, AttributeError):
        return None


def _open(url: str) -> Any:
    try:
        return ask(Source(url))
    except urllib.error.HTTPError as error:
        error.close()
        if error.code in (429, 500, 502, 503, 504):
            raise RetryLaterError(refusal(error.code, url)) from error
        raise UserError(refusal(error.code, url)) from error
    except (ValueError, http.client.InvalidURL) as error:  # also where a redirect leads
        raise UserError(f"It leads to what is no web address: {error}.") from error
    except (OSError, http.client.HTTPException) as error:
        why = getattr(error, "reason", None) or error
        raise RetryLaterError(
            f"{urllib.parse.urlsplit(url).netloc} does not answer ({why})."
        ) from error


def _describe(url: str, answer: Any) -> dict[str, Any]:
    kind = str(answer.headers.get("Content-Type") or "")
    if kind.startswith(("text/html", "application/json")):
        answer.close()
        raise UserError(
            "This address answers with a page, not with a file; it may want a login. "
            "Use the address of the download itself."
        )
    etag = str(answer.headers.get("ETag") or "")
    return {
        "name": _name(answer, url),
        "size": length(answer.headers),
        # A weak one does not promise the same bytes.
        "etag": "" if etag.startswith("W/") else etag,
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
