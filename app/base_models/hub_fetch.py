"""Brings files of a Hub repository into the Hugging Face cache, in its own layout and under its locks.

The library begins a file that was cut from its first byte; 20 GB over a bad line need better. So
the Hub is asked through the library, and the bytes are fetched here. The trainers find the files as
if they had downloaded them. Runs in a child.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app import hub_errors
from app.base_models.cache import WANTED
from app.base_models.choosing import choose
from app.errors import UserError
from app.settings import HUB_OFFLINE, Settings
from app.tasks import RetryLaterError
from app.transfer import Source, fetch, need_room

_SHA256 = re.compile(r"[0-9a-f]{64}")
_SAFE_NAME = re.compile(r"[\w.+-]+")


@dataclass(frozen=True)
class Remote:
    """One file of the repository as the Hub describes it."""

    name: str
    url: str
    etag: str
    commit: str
    size: int


@dataclass(frozen=True)
class Wish:
    """What is to be brought, and into which cache."""

    repo: str
    cache: Path
    file: str = ""
    patterns: tuple[str, ...] = ()
    reserve: int = 0

    @property
    def folder(self) -> Path:
        """The repository's folder in the cache."""
        return self.cache / f"models--{self.repo.replace('/', '--')}"


def bring(
    wish: Wish, settings: Settings, token: str | None, told: Callable[[int, int, str], None]
) -> dict[str, Any]:
    """Download what is missing. ``told`` hears done and total bytes, and which file it is at."""
    files = describe(wish, settings, token)
    total = sum(file.size for file in files)
    missing = [file for file in files if not (wish.folder / "blobs" / file.etag).exists()]
    (wish.folder / "blobs").mkdir(parents=True, exist_ok=True)
    arrived = sum(_size(_part(wish, file)) for file in missing)
    need_room(wish.folder, sum(file.size for file in missing) - arrived, wish.reserve)
    wanted = wish.folder / WANTED
    wanted.write_text(json.dumps([file.name for file in files]), "utf-8")
    done = 0
    for number, file in enumerate(files, 1):
        label = f"{file.name} ({number} of {len(files)})" if len(files) > 1 else file.name
        told(done, total, label)
        _bring_one(wish, file, token, _from(done, total, label, told))
        done += file.size
    wanted.unlink(missing_ok=True)
    told(total, total, "")
    return {"name": wish.repo + (f"/{wish.file}" if wish.file else ""), "bytes": total}


def describe(wish: Wish, settings: Settings, token: str | None) -> list[Remote]:
    """The wanted files, each asked for at the Hub. Raises UserError with a sentence."""
    from huggingface_hub import HfApi, get_hf_file_metadata, hf_hub_url

    endpoint = settings.hf_endpoint
    try:
        info = HfApi(endpoint=endpoint, token=token or False).model_info(wish.repo, timeout=20)
        names = choose(
            [s.rfilename for s in info.siblings or []], file=wish.file, patterns=wish.patterns
        )
        if not names:
            wanted = f"no {wish.file or ', '.join(wish.patterns)}"
            if not wish.file and not wish.patterns:
                wanted = "nothing that a training needs"
            raise UserError(f"{wish.repo} holds {wanted}. Look at its page on the Hub.")
        found = []
        for name in names:
            url = hf_hub_url(wish.repo, name, revision=info.sha, endpoint=endpoint)
            meta = get_hf_file_metadata(url, token=token or False, timeout=20, endpoint=endpoint)
            found.append(
                Remote(
                    name, url, meta.etag or "", meta.commit_hash or info.sha or "", meta.size or 0
                )
            )
    except hub_errors.raised() as error:
        raise _told(error, wish.repo, token) from error
    for file in found:
        if not (_SAFE_NAME.fullmatch(file.etag) and _SAFE_NAME.fullmatch(file.commit)):
            raise UserError(f"What the Hub tells of {wish.repo}/{file.name} makes no sense.")
        if ".." in Path(file.name).parts or Path(file.name).is_absolute():
            raise UserError(f"{wish.repo} has a file that would leave its folder: {file.name}.")
    return found


def _told(error: Exception, repo: str, token: str | None) -> Exception:
    """The library's error as a sentence; RetryLaterError where later may help."""
    from huggingface_hub import errors

    if isinstance(error, errors.OfflineModeIsEnabled):
        return UserError(HUB_OFFLINE)
    status = getattr(getattr(error, "response", None), "status_code", None)
    if isinstance(error, errors.GatedRepoError) or status == 403:
        how = "the token here may not read it" if token else "no token is set"
        return UserError(
            f"{repo} is gated, and {how}. Accept its licence at {repo} on the Hub, then set a token on the Models page."
        )
    if status == 401 and token:
        return UserError("The Hub does not know the token. Set a valid one on the Models page.")
    if isinstance(error, errors.RepositoryNotFoundError) or status in (401, 404):
        private = "" if token else ", or it is private and no token is set"
        return UserError(
            f"There is no model {repo} on the Hub{private}. Check the spelling: owner/name."
        )
    if status is not None and status < 500 and status not in (408, 429):
        return UserError(f"The Hub answered {status} for {repo}.")
    return RetryLaterError(f"The Hub does not answer for {repo} ({type(error).__name__}).")


def _part(wish: Wish, file: Remote) -> Path:
    return wish.folder / "blobs" / f"{file.etag}.incomplete"


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _from(
    done: int, total: int, label: str, told: Callable[[int, int, str], None]
) -> Callable[[int], None]:
    """Tells of one file as of a part of all."""
    return lambda here: told(done + here, total, label)


def _bring_one(wish: Wish, file: Remote, token: str | None, told: Callable[[int], None]) -> None:
    from huggingface_hub.utils._fixes import WeakFileLock

    lock = wish.cache / ".locks" / wish.folder.name / f"{file.etag}.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    blob = wish.folder / "blobs" / file.etag
    # The same lock that a trainer takes: whoever comes second finds the file there.
    with WeakFileLock(str(lock)):
        if not blob.exists():
            part = _part(wish, file)
            fetch(Source(file.url, token, file.size), part, told, reserve=wish.reserve)
            _verify(part, file)
            part.replace(blob)
    _link(wish.folder, file, blob)


def _verify(part: Path, file: Remote) -> None:
    """Large files are named by their sha256; what does not fit is fetched anew."""
    if not _SHA256.fullmatch(file.etag):
        return
    with part.open("rb") as opened:
        found = hashlib.file_digest(opened, "sha256").hexdigest()
    if found != file.etag:
        part.unlink()
        raise RetryLaterError(
            f"{file.name} arrived damaged (its sha256 is another); it is fetched anew."
        )


def _link(folder: Path, file: Remote, blob: Path) -> None:
    """The snapshot's link and the branch's name, as the library makes them."""
    pointer = folder / "snapshots" / file.commit / file.name
    # By rename, since another download of the same file may do so at this moment.
    mark = f".{os.getpid()}-{threading.get_ident()}.new"
    if not pointer.exists():
        pointer.parent.mkdir(parents=True, exist_ok=True)
        new = pointer.with_name(pointer.name + mark)
        new.unlink(missing_ok=True)
        new.symlink_to(os.path.relpath(blob, pointer.parent))
        new.replace(pointer)
    ref = folder / "refs" / "main"
    ref.parent.mkdir(parents=True, exist_ok=True)
    fresh = ref.with_name(ref.name + mark)
    fresh.write_text(file.commit, "ascii")
    fresh.replace(ref)
