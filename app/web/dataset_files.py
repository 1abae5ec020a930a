"""The files of a dataset: thumbnails, originals, and all of it as one zip."""

from __future__ import annotations

import threading
from pathlib import Path

from flask import Blueprint, request, send_file
from flask.typing import ResponseReturnValue

from app import pillow
from app.artifacts.zipping import StoredZip
from app.datasets import library, thumbnails
from app.datasets.holding import TRASH
from app.datasets.walking import walk
from app.db import db
from app.errors import NotFoundError
from app.models import DatasetItem
from app.platform import current
from app.settings import ROOT
from app.web import zips
from app.web.files import inside

bp = Blueprint("dataset_files", __name__, url_prefix="/datasets/<int:dataset_id>")

_SHOWN = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".mp4", ".webm", ".mov", ".m4v", ".mp3", ".wav",
          ".ogg", ".m4a", ".flac"}  # fmt: skip
_SIGNS = ROOT / "static" / "signs"
_FOR_GOOD = "private, max-age=31536000, immutable"
_drawing = threading.Semaphore(2)
"""So many thumbnails at once while pages wait; the rest of the threads stay free for other requests."""


@bp.get("/thumbs/<int:item_id>.webp")
def thumb(dataset_id: int, item_id: int) -> ResponseReturnValue:
    """A small picture, made now if it was not made before. With ``?v=`` it may be kept for good.

    Of a clip, of sound and of what cannot be drawn there is a sign instead.
    """
    item = db.session.get(DatasetItem, item_id)
    if item is None or item.dataset_id != dataset_id:
        raise NotFoundError("There is no such picture (any more).")
    if item.kind != "image":
        return _sign(item.kind)
    settings = current().settings
    path = thumbnails.path_of(settings, dataset_id, item.name, item.mtime_ns, item.size)
    if not path.is_file():
        root = library.folder(library.get(dataset_id))
        below = f"{TRASH}/{item.trashed}/old/" if item.trashed else ""
        name = item.name
        # The row is not needed any more: no connection is held while the picture is drawn.
        db.session.remove()
        if not _draw(root / f"{below}{name}", path):
            return _sign("broken")
    response = send_file(path, mimetype="image/webp", conditional=True)
    response.headers["Cache-Control"] = _FOR_GOOD if request.args.get("v") else "private, no-cache"
    return response


def _draw(source: Path, target: Path) -> bool:
    """Whether it is there now."""
    try:
        with _drawing:
            if not target.is_file():
                thumbnails.make(source, target)
    except pillow.read_errors():
        return False
    return True


def _sign(name: str) -> ResponseReturnValue:
    """A drawing that stands for what has no thumbnail. It is asked for again, for that may change."""
    response = send_file(_SIGNS / f"{name}.svg", mimetype="image/svg+xml", conditional=True)
    response.headers["Cache-Control"] = "private, no-cache"
    return response


@bp.get("/files/<path:relative>")
def original(dataset_id: int, relative: str) -> ResponseReturnValue:
    """The file as it is. Hidden ones and links are not given out."""
    dataset = library.get(dataset_id)
    if any(part.startswith(".") for part in relative.split("/")):
        raise NotFoundError(f"There is no file {relative} in {dataset.name}.")
    path = inside(library.folder(dataset), relative)
    shown = path.suffix.lower() in _SHOWN
    response = send_file(path, conditional=True, as_attachment=not shown)
    response.headers["Cache-Control"] = _FOR_GOOD if request.args.get("v") else "private, no-cache"
    return response


@bp.get("/all.zip")
def everything(dataset_id: int) -> ResponseReturnValue:
    """Pictures and captions as they lie in the folder, hidden things left out."""
    dataset = library.get(dataset_id)
    root = library.folder(dataset)
    try:
        files = walk(root, recursive=True).files
    except OSError as error:
        raise library.folder_lost(dataset, error) from error
    plain = [file.name for file in files if not (root / file.name).is_symlink()]
    return zips.answer(StoredZip([(name, root / name) for name in plain]), f"{dataset.name}.zip")
