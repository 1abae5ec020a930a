"""Bringing files into a dataset: from uploads, an address, or the Hugging Face Hub.

Everything goes to a hidden folder in the dataset first and is moved in by rename, so that a
failure, a kill or a full disk leaves nothing half done. ``running`` is the task, the walk is:
a source gathers files (``fetching``, ``hub``, ``unpacking``), ``sorting`` looks at each and says
what it is, ``captions`` reads the texts, ``arranging`` gives names, ``moving`` brings them in.
"""

from __future__ import annotations

from collections.abc import Sequence

from app import tasks
from app.addresses import web_address
from app.datasets import uploads
from app.errors import ConflictError, UserError
from app.models import Dataset, Task
from app.settings import HUB_OFFLINE, Settings

KIND = "dataset.import"


def from_uploads(dataset: Dataset, arrived: Sequence[uploads.Upload]) -> Task:
    """Bring in what has arrived whole. Raises ConflictError when something has not."""
    if not arrived:
        raise UserError("Choose at least one file.")
    for upload in arrived:
        if not upload.is_whole:
            raise ConflictError(f"{upload.name} has not arrived whole. Drop it again to go on.")
    return _start(dataset, {"uploads": [upload.id for upload in arrived]})


def from_url(dataset: Dataset, address: str) -> Task:
    """Download a zip, a picture or a clip on the server."""
    address, parts = web_address(address)
    if parts.username or parts.password:
        raise UserError("Leave user and password out of the address: it is written down.")
    return _start(dataset, {"url": address})


def from_hub(dataset: Dataset, repo: str, settings: Settings) -> Task:
    """Download a dataset repository of the Hugging Face Hub: ``owner/name``, or its address.

    Raises UserError, also where the Hub is not to be asked.
    """
    repo = repo.strip().rstrip("/")
    if "/datasets/" in repo:
        repo = "/".join(repo.partition("/datasets/")[2].split("/")[:2])
    words = repo.split("/")
    if len(words) not in (1, 2) or not all(w and w.strip("._-") and w.isascii() for w in words):
        raise UserError("Give the repository as owner/name, such as ybelkada/football-dataset.")
    if not all(c.isalnum() or c in "._-/" for c in repo):
        raise UserError(f"{repo[:80]} is no name of a repository; give it as owner/name.")
    if settings.hf_hub_offline:
        raise ConflictError(HUB_OFFLINE)
    return _start(dataset, {"hub": repo})


def _start(dataset: Dataset, source: dict[str, object]) -> Task:
    return tasks.start(KIND, f"dataset:{dataset.id}", {"dataset": dataset.id, **source})
