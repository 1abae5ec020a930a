"""A repository on the Hugging Face Hub: created private, verified against the listing's own hashes."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeVar

os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")

from huggingface_hub import CommitOperationAdd, HfApi
from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled
from huggingface_hub.hf_api import RepoFile

from app import hub_errors
from app.delivery.remotes import PIECE, RIGHT, Local, Told, differs, wrong_size
from app.errors import UserError
from app.settings import HUB_OFFLINE
from app.tasks import RetryLaterError

T = TypeVar("T")
_CALM = (408, 425, 429)
_CUTS = hub_errors.cuts()


class HubRemote:
    """``place`` is a repository with or without its owner; without, it is the token's."""

    def __init__(self, place: str, endpoint: str, token: str | None, *, private: bool) -> None:
        if not token:
            raise UserError(
                "No Hugging Face token is set. Set HF_TOKEN, or type one in on the Settings page."
            )
        self._api = HfApi(endpoint=endpoint, token=token)
        self._repo, self._private = place, private

    def prepare(self) -> str:
        made = _asked(
            lambda: self._api.create_repo(self._repo, private=self._private, exist_ok=True)
        )
        self._repo = made.repo_id
        return str(made)

    def send(self, files: Sequence[Local], told: Told) -> None:
        """Large files one by one, so that a cut costs one at most; then a single commit."""
        operations = []
        for file in files:
            operation = CommitOperationAdd(path_in_repo=file.name, path_or_fileobj=str(file.path))
            _asked(partial(self._api.preupload_lfs_files, self._repo, [operation]))
            told(file.size, file.name)
            operations.append(operation)
        message = f"Upload {len(files)} file{'s' * (len(files) > 1)}"
        _asked(lambda: self._api.create_commit(self._repo, operations, commit_message=message))

    def check(self, files: Sequence[Local]) -> dict[str, str]:
        listed = _asked(lambda: list(self._api.list_repo_tree(self._repo, recursive=True)))
        there = {entry.path: entry for entry in listed if isinstance(entry, RepoFile)}
        return {f.name: _verdict(f, there[f.name]) for f in files if f.name in there}


def _verdict(file: Local, entry: RepoFile) -> str:
    size = entry.lfs.size if entry.lfs else entry.size
    if size != file.size:
        return wrong_size(size, file.size)
    if entry.lfs:
        there, here, kind = entry.lfs.sha256, file.sha256, "sha256"
    else:
        there, here, kind = entry.blob_id, git_blob(file), "git hash"
    return RIGHT if there == here else differs(kind, there, here)


def git_blob(file: Local) -> str:
    """The name that git gives to a file: sha1 of a header and its bytes."""
    found = hashlib.sha1(b"blob %d\0" % file.size)
    with file.path.open("rb") as data:
        while piece := data.read(PIECE):
            found.update(piece)
    return found.hexdigest()


def _asked(ask: Callable[[], T]) -> T:
    """The answer; a cut connection or a busy server is tried again later, a refusal told."""
    try:
        return ask()
    except HfHubHTTPError as error:
        raise _refused(error) from error
    except OfflineModeIsEnabled as error:
        raise UserError(HUB_OFFLINE) from error
    except _CUTS as error:
        raise RetryLaterError(
            f"The connection to the Hub was cut ({type(error).__name__})."
        ) from error
    except RuntimeError as error:
        cause: Any = error.__cause__ or error.__context__
        if isinstance(cause, HfHubHTTPError):
            raise _refused(cause) from error
        if isinstance(cause, (*_CUTS, OSError)):
            raise RetryLaterError("The connection to the Hub was cut.") from error
        raise


def _refused(error: HfHubHTTPError) -> Exception:
    status = error.response.status_code if error.response is not None else 0
    if status >= 500 or status in _CALM:
        return RetryLaterError(f"The Hub answered with HTTP {status}.")
    if status == 401:
        return UserError("The Hub does not know this token. Set a valid one with write access.")
    if status == 403:
        return UserError("This token may not write there. Make one with write access on the Hub.")
    told = (error.server_message or "").strip()
    return UserError(f"The Hub refused it (HTTP {status}). {told}".strip())
