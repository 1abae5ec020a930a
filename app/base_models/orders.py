"""What a person can have done to models: each is background work. All need an application context."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence

from app import tasks
from app.addresses import web_address
from app.base_models.library import OLDER, Entry, ModelPreferences
from app.base_models.local import Hub, resolve
from app.base_models.url_fetch import key_of
from app.errors import ConflictError, UserError
from app.models import Task
from app.preferences import load
from app.settings import HUB_OFFLINE, Settings
from app.vault import Vault

LIBRARY = "models"
TOKEN = "token"
_DOWNLOAD = "model.download"


def download(settings: Settings, text: str, patterns: Sequence[str] = ()) -> Task:
    """Fetch a hub id, a file of one (owner/name/file), or a web address.

    The same thing twice is one piece of work; what was cut or cancelled goes on. Raises UserError,
    also where the Hub is not to be asked.
    """
    text = text.strip()
    if "://" in text:
        return _from_address(settings, text)
    place = resolve(text, settings.data_dir)
    if not isinstance(place, Hub) or text.startswith((".", "/")) or ".." in text.split("/"):
        raise UserError(
            "Give a hub id (owner/name, or owner/name/file) or a web address (https://...)."
        )
    if settings.hf_hub_offline:
        raise ConflictError(HUB_OFFLINE)
    subject = subject_of(place) + (f"?{','.join(sorted(patterns))}" if patterns else "")
    arguments = {"repo": place.repo, "file": place.file, "patterns": list(patterns)}
    return _once(subject, arguments)


def _from_address(settings: Settings, text: str) -> Task:
    url, parts = web_address(text)
    key = key_of(url)
    shown = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
    arguments = {"url": shown}
    if shown != url:
        # A query or a login may hold a key, which no database is to see.
        arguments["secret"] = f"download_{key}"
        Vault(settings.data_dir).put(arguments["secret"], url)
    return _once(f"url:{key}", arguments)


def _once(subject: str, arguments: Mapping[str, object]) -> Task:
    before = tasks.latest(subject, _DOWNLOAD)
    if before is not None and not before.is_final:
        return before
    if before is not None and before.state in ("failed", "cancelled"):
        return tasks.retry(before)
    return tasks.start(_DOWNLOAD, subject, arguments)


def subject_of(place: Hub) -> str:
    """What a download of it is filed under."""
    return f"model:{place.repo}" + (f"/{place.file}" if place.file else "")


def download_of(place: Hub) -> Task | None:
    """The newest download of it, or of the whole repository that it is in."""
    own = tasks.latest(subject_of(place), _DOWNLOAD)
    if place.file and (own is None or own.is_final):
        whole = tasks.latest(f"model:{place.repo}", _DOWNLOAD)
        return whole if whole is not None and not whole.is_final else own
    return own


def downloads(limit: int = 8) -> list[Task]:
    """What is under way, and what ended without success and was not dismissed."""
    return [t for t in tasks.recent(_DOWNLOAD, limit * 3) if t.state != "done"][:limit]


def title_of(task: Task) -> str:
    """What a download brings, for a person."""
    given = json.loads(task.arguments)
    if given.get("repo"):
        return str(given["repo"]) + (f"/{given['file']}" if given.get("file") else "")
    return str(given.get("url", ""))


def page_of(task: Task, settings: Settings) -> str:
    """Where the Hub shows the repository, with its licence; empty for an address."""
    repo = json.loads(task.arguments).get("repo")
    return f"{settings.hf_endpoint}/{repo}" if repo else ""


def look(folders: Sequence[str] | None = None) -> Task:
    """Look at the disk again; what is under way already is enough."""
    before = tasks.latest(LIBRARY, "model.scan")
    if before is not None and before.state == "waiting" and folders is None:
        return before
    chosen = load(ModelPreferences).folders if folders is None else folders
    return tasks.start("model.scan", LIBRARY, {"folders": list(chosen)})


def delete(entry: Entry, part: str = "") -> Task:
    """Remove an entry, or of a repository its older revisions or one file (see ``removing``).

    Raises ConflictError while it is being downloaded, UserError for a part that it does not have.
    """
    if part and not (
        entry.source == "cache"
        and (part in dict(entry.files) or (part == OLDER and entry.revisions > 1))
    ):
        raise UserError(f"{entry.name} has no {part[:200]} to be deleted by itself.")
    about = {"key": entry.key, "path": entry.path} | ({"part": part} if part else {})
    for before in tasks.active("model.delete"):
        if json.loads(before.arguments) == about:
            return before
    repo = re.fullmatch(r"models--([^/]+?)--([^/]+)", entry.path.rsplit("/", 1)[-1])
    active = {task.subject for task in tasks.active(_DOWNLOAD)}
    if repo and entry.source == "cache":
        name = f"model:{repo[1]}/{repo[2]}"
        if any(s == name or s.startswith((f"{name}/", f"{name}?")) for s in active):
            raise ConflictError("It is being downloaded. Cancel that first.")
    if entry.path.endswith(".part") and any(s.startswith("url:") for s in active):
        raise ConflictError("A download is under way. Cancel it first.")
    return tasks.start("model.delete", f"entry:{entry.key}", about)


def test_token(settings: Settings) -> Task:
    """Ask the Hub who the token belongs to. Raises ConflictError where it is not to be asked."""
    if settings.hf_hub_offline:
        raise ConflictError(HUB_OFFLINE)
    return tasks.start("model.token", TOKEN)
