"""Downloads a dataset repository of the Hugging Face Hub with its own library, in a task's process only."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Sequence
from pathlib import Path

from app.errors import UserError
from app.tasks import RetryLaterError, Work
from app.vault import Vault

_WANTED = tuple(
    f"*.{ending}"
    for lower in ("jpg", "jpeg", "png", "webp", "bmp", "heic", "heif", "avif", "mp4", "webm", "mov",
                  "mkv", "m4v", "wav", "mp3", "flac", "ogg", "txt", "caption", "json", "jsonl",
                  "csv", "zip")
    for ending in (lower, lower.upper())
)  # fmt: skip
_TABLES = ("*.parquet",)
"""Taken where no picture lies beside them: there they hold the pictures, not words about them."""
_WORDS = ("txt", "caption", "json", "jsonl", "csv")
_RESERVE = 256 * 1024 * 1024


def fetch(work: Work, folder: Path) -> Path:
    """The repository's pictures, texts, tables and zips below ``folder``; what is there is not fetched again."""
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import HfHubHTTPError

    repo = work.arguments["hub"]
    token = work.settings.hf_token or Vault(work.settings.data_dir).get("hf_token") or False
    endpoint = work.settings.hf_endpoint
    stop = threading.Event()
    try:
        about = HfApi(endpoint=endpoint, token=token).dataset_info(repo, files_metadata=True)
        wanted, total = _wanted(repo, about.siblings or [], folder.parent)
        threading.Thread(target=_tell, args=(work, folder, total, stop), daemon=True).start()
        snapshot_download(
            repo, repo_type="dataset", revision=about.sha, local_dir=folder, token=token,
            endpoint=endpoint, allow_patterns=list(wanted), max_workers=4,
        )  # fmt: skip
    except HfHubHTTPError as error:
        raise _refused(repo, error, has_token=bool(token)) from error
    except OSError as error:
        if error.errno is not None and not isinstance(error, ConnectionError | TimeoutError):
            raise
        raise RetryLaterError(f"The connection to the Hub was cut: {str(error)[:200]}.") from error
    except Exception as error:
        # The library's own clients raise errors of their own for a broken line.
        if type(error).__module__.partition(".")[0] in ("httpx", "httpcore", "requests", "urllib3"):
            raise RetryLaterError(
                f"The connection to the Hub was cut: {str(error)[:200]}."
            ) from error
        raise
    finally:
        stop.set()
    return folder


def _wanted(repo: str, siblings: Sequence[object], folder: Path) -> tuple[tuple[str, ...], int]:
    """Patterns of what to fetch, and its bytes. Raises UserError where there is nothing for us, or no room."""
    names = [str(getattr(s, "rfilename", "")) for s in siblings]
    has_pictures = any(_fits(name, _WANTED) and not _is_words(name) for name in names)
    patterns = _WANTED if has_pictures else _WANTED + _TABLES
    if not has_pictures and not any(_fits(name, _TABLES) for name in names):
        raise UserError(_nothing(repo, names))
    total = sum(
        getattr(s, "size", None) or 0
        for s, name in zip(siblings, names, strict=True)
        if _fits(name, patterns)
    )
    free = shutil.disk_usage(folder).free
    if total + _RESERVE > free:
        raise UserError(
            f"{repo} needs {total / 1e9:.1f} GB, and {free / 1e9:.1f} GB of disk are free. "
            "Free some, then press Go on."
        )
    return patterns, total


def _fits(name: str, patterns: tuple[str, ...]) -> bool:
    return name.endswith(tuple(pattern[1:] for pattern in patterns))


def _is_words(name: str) -> bool:
    return name.lower().rpartition(".")[2] in _WORDS


def _nothing(repo: str, names: Sequence[str]) -> str:
    """Why there is nothing to bring in, and what to do."""
    if any(name.endswith(".arrow") for name in names):
        return (
            f"{repo} keeps its pictures inside Arrow files, which are not opened here. Save them as "
            "parquet where Python has the package datasets: "
            f'load_dataset("{repo}", split="train").to_parquet("train.parquet"). Then drop the file here.'
        )
    return f"{repo} holds no pictures, clips, tables or zips as files. Look at its page on the Hub."


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
