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
_RESERVE = 256 * 1024 * 1024


def fetch(work: Work, folder: Path) -> Path:
    """The repository's pictures, texts and zips below ``folder``. Files that are there are not fetched again."""
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
        total = _total(repo, about.siblings or [], folder.parent)
        threading.Thread(target=_tell, args=(work, folder, total, stop), daemon=True).start()
        snapshot_download(
            repo, repo_type="dataset", revision=about.sha, local_dir=folder, token=token,
            endpoint=endpoint, allow_patterns=list(_WANTED), max_workers=4,
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


def _total(repo: str, siblings: Sequence[object], folder: Path) -> int:
    """Bytes to come. Raises UserError where there is nothing for us, or no room."""
    endings = tuple(pattern[1:] for pattern in _WANTED)
    files = [s for s in siblings if str(getattr(s, "rfilename", "")).endswith(endings)]
    if not files:
        raise UserError(_nothing(repo, siblings))
    total = sum(getattr(s, "size", None) or 0 for s in files)
    free = shutil.disk_usage(folder).free
    if total + _RESERVE > free:
        raise UserError(
            f"{repo} needs {total / 1e9:.1f} GB, and {free / 1e9:.1f} GB of disk are free. "
            "Free some, then press Go on."
        )
    return total


def _nothing(repo: str, siblings: Sequence[object]) -> str:
    """Why there is nothing to bring in, and what to do."""
    names = [str(getattr(s, "rfilename", "")) for s in siblings]
    if any(name.endswith((".parquet", ".arrow")) for name in names):
        return (
            f"{repo} keeps its pictures inside tables (parquet), which are not opened here. Save them "
            "as files where Python has the package datasets: "
            f'for i, row in enumerate(load_dataset("{repo}", split="train")): '
            'row["image"].save(f"{i}.png"), and row["text"] into f"{i}.txt". Then drop the folder here.'
        )
    return f"{repo} holds no pictures, clips or zips as files. Look at its page on the Hub."


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
