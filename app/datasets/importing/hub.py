"""Downloads a dataset repository of the Hugging Face Hub with its own library, in a task's process only."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from app import hub_errors
from app.datasets.importing.findings import Findings
from app.errors import UserError
from app.settings import HUB_OFFLINE
from app.tasks import RetryLaterError, Work
from app.vault import Vault

_MEDIA = ("jpg", "jpeg", "png", "webp", "bmp", "heic", "heif", "avif", "mp4", "webm", "mov",
          "mkv", "m4v", "wav", "mp3", "flac", "ogg", "zip")  # fmt: skip
_TEXTS = ("txt", "caption", "json", "jsonl", "csv")
_FEW = 5
"""Files of pictures count where they are at least one part in so many of the tables."""
_RESERVE = 256 * 1024 * 1024


def fetch(work: Work, folder: Path, found: Findings) -> Path:
    """The repository's pictures and texts, zips or tables below ``folder``. Files that are there are
    not fetched again."""
    os.environ.update(HF_HUB_DISABLE_TELEMETRY="1", HF_HUB_DISABLE_PROGRESS_BARS="1")
    if work.settings.hf_hub_offline:  # it may have been set since this was asked for
        raise UserError(HUB_OFFLINE)
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import HfHubHTTPError

    repo = work.arguments["hub"]
    token = work.settings.hf_token or Vault(work.settings.data_dir).get("hf_token") or False
    endpoint = work.settings.hf_endpoint
    stop = threading.Event()
    try:
        about = HfApi(endpoint=endpoint, token=token).dataset_info(repo, files_metadata=True)
        sizes = {s.rfilename: s.size or 0 for s in about.siblings or []}
        wanted = chosen(repo, sizes, found)
        total = sum(sizes[name] for name in wanted)
        _check_room(repo, total, folder.parent)
        threading.Thread(target=_tell, args=(work, folder, total, stop), daemon=True).start()
        snapshot_download(
            repo, repo_type="dataset", revision=about.sha, local_dir=folder, token=token,
            endpoint=endpoint, allow_patterns=_patterns(wanted), max_workers=4,
        )  # fmt: skip
    except HfHubHTTPError as error:
        raise _refused(repo, error, has_token=bool(token)) from error
    except hub_errors.raised() as error:
        of_the_disk = isinstance(error, OSError) and error.errno is not None
        if of_the_disk and not isinstance(error, hub_errors.cuts()):
            raise
        raise RetryLaterError(f"The connection to the Hub was cut: {str(error)[:200]}.") from error
    finally:
        stop.set()
    return folder


def chosen(repo: str, sizes: Mapping[str, int], found: Findings) -> list[str]:
    """What to fetch: files of pictures with their texts, or tables of pictures; of one folder, and of
    those for training if any are called so, or lie in folders that are. What that leaves out is told.

    Raises UserError where there is neither.
    """
    endings = {name: name.rpartition(".")[2].lower() for name in sizes}
    media = [name for name, ending in endings.items() if ending in _MEDIA]
    tables = sorted(name for name, ending in endings.items() if ending == "parquet")
    # A few pictures beside tables illustrate their page.
    if media and _FEW * sum(map(sizes.__getitem__, media)) >= sum(map(sizes.__getitem__, tables)):
        return [name for name, ending in endings.items() if ending in (*_MEDIA, *_TEXTS)]
    for_training = [
        name for name in tables if any(part.startswith("train") for part in name.lower().split("/"))
    ]
    folders = {name.rpartition("/")[0] for name in for_training or tables}
    if not folders:
        more = " Its tables (arrow) are not opened here." if "arrow" in endings.values() else ""
        raise UserError(
            f"{repo} holds no pictures, clips, zips or parquet tables.{more} Look at its page on the Hub."
        )
    folder = min(folders, key=lambda name: (_usual(name), name))
    taken = [name for name in for_training or tables if name.rpartition("/")[0] == folder]
    for name in sorted({*tables} - {*taken}):
        found.leave_out(
            name,
            f"the tables of “{folder or repo}” were taken; download this one and drop it, if it is meant",
        )
    return taken


def _usual(folder: str) -> int:
    """Where most repositories keep what they are for, first."""
    parts = folder.split("/")
    return 0 if "default" in parts else 1 if parts[0] in ("", "data") else 2


def _patterns(wanted: Sequence[str]) -> list[str]:
    """That match these names and none that is not wanted: one by one where they are tables, of which
    there are few, else by ending. The library holds every name against every pattern."""
    if wanted[0].lower().endswith(".parquet"):
        return [
            "".join(f"[{letter}]" if letter in "*?[" else letter for letter in n) for n in wanted
        ]
    return [
        "*." + "".join(f"[{letter}{letter.upper()}]" for letter in ending)
        for ending in (*_MEDIA, *_TEXTS)
    ]


def _check_room(repo: str, total: int, folder: Path) -> None:
    free = shutil.disk_usage(folder).free
    if total + _RESERVE > free:
        raise UserError(
            f"{repo} needs {total / 1e9:.1f} GB, and {free / 1e9:.1f} GB of disk are free. "
            "Free some, then press Go on."
        )


def _tell(work: Work, folder: Path, total: int, stop: threading.Event) -> None:
    """The library says nothing of its progress to us, so what is on disk is counted."""
    while not stop.wait(1.0):
        here = 0
        for path in folder.rglob("*"):
            try:
                here += path.stat().st_size if path.is_file() else 0
            except OSError:
                continue  # renamed meanwhile
        work.progress(min(here, total), total or None, "downloading from the Hub", unit="bytes")


def _refused(repo: str, error: Exception, *, has_token: bool) -> Exception:
    status = getattr(getattr(error, "response", None), "status_code", None)
    name = type(error).__name__
    if name == "GatedRepoError":
        how = (
            "Your token has no access yet: ask for it"
            if has_token
            else "Set a Hugging Face token, and ask for access"
        )
        return UserError(f"{repo} is gated. {how} on its page of the Hub, then press Go on.")
    if name == "RepositoryNotFoundError" or status in (401, 403, 404):
        hint = "" if has_token else " A private one needs a Hugging Face token."
        return UserError(f"There is no dataset {repo} on the Hub, or it is private.{hint}")
    return RetryLaterError(f"The Hub answered with status {status}.")
