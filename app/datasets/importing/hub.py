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

_MEDIA = ("jpg", "jpeg", "png", "webp", "bmp", "heic", "heif", "avif", "mp4", "webm", "mov",
          "mkv", "m4v", "wav", "mp3", "flac", "ogg", "zip")  # fmt: skip
_TEXTS = ("txt", "caption", "json", "jsonl", "csv")
_RESERVE = 256 * 1024 * 1024


def fetch(work: Work, folder: Path) -> Path:
    """The repository's pictures and texts, zips or tables below ``folder``. Files that are there are
    not fetched again."""
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
        sizes = {s.rfilename: s.size or 0 for s in about.siblings or []}
        wanted = chosen(repo, list(sizes))
        total = sum(sizes[name] for name in wanted)
        _check_room(repo, total, folder.parent)
        threading.Thread(target=_tell, args=(work, folder, total, stop), daemon=True).start()
        snapshot_download(
            repo, repo_type="dataset", revision=about.sha, local_dir=folder, token=token,
            endpoint=endpoint, allow_patterns=[_exactly(name) for name in wanted], max_workers=4,
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


def chosen(repo: str, names: Sequence[str]) -> list[str]:
    """What to fetch: files of pictures with their texts; where there are none, tables of them, of one
    folder and of those for training if any are called so. Raises UserError where there is neither.
    """
    endings = {name: name.rpartition(".")[2].lower() for name in names}
    if any(ending in _MEDIA for ending in endings.values()):
        return [name for name in names if endings[name] in (*_MEDIA, *_TEXTS)]
    tables = sorted(name for name in names if endings[name] == "parquet")
    for_training = [name for name in tables if name.rpartition("/")[2].startswith("train")]
    folders = {name.rpartition("/")[0] for name in for_training or tables}
    if not folders:
        more = " Its tables (arrow) are not opened here." if "arrow" in endings.values() else ""
        raise UserError(
            f"{repo} holds no pictures, clips, zips or parquet tables.{more} Look at its page on the Hub."
        )
    folder = next((f for f in ("default", "data", "") if f in folders), min(folders))
    return [name for name in for_training or tables if name.rpartition("/")[0] == folder]


def _exactly(name: str) -> str:
    """As a pattern that nothing else matches."""
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in name)


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
