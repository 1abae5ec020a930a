"""Uploads in resumable pieces, for ``static/upload.js``: JSON in, JSON out, errors too.

Begin with the names and sizes of all files, send each in pieces from the offset that is told, then
have them imported. A piece in the wrong place is answered 409 with the offset where to go on.
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, jsonify, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException

from app.datasets import importing, library, uploads
from app.errors import UserError
from app.models import Dataset
from app.platform import current

bp = Blueprint("uploads", __name__, url_prefix="/datasets/<int:dataset_id>/uploads")


def place(dataset: Dataset) -> uploads.Uploads:
    """Where the uploads to a dataset are."""
    return uploads.Uploads(current().settings.data_dir, dataset.id)


@bp.post("")
def begin(dataset_id: int) -> ResponseReturnValue:
    """``{"files": [{"name", "size", "modified"}]}`` gives ``{"uploads": [{"id", "offset"}]}``."""
    here = place(library.get(dataset_id))
    uploads.clean(current().settings.data_dir)
    asked = request.get_json(silent=True)
    files = asked.get("files") if isinstance(asked, dict) else None
    if not isinstance(files, list) or not 0 < len(files) <= uploads.MOST_AT_ONCE:
        raise UserError(f"Name the files to upload, at most {uploads.MOST_AT_ONCE} at once.")
    begun = [here.begin(*_about(file)) for file in files]
    here.check_room(sum(upload.size - upload.offset for upload in begun))
    return {"uploads": [{"id": upload.id, "offset": upload.offset} for upload in begun]}


def _about(file: Any) -> tuple[str, int, str]:
    try:
        return str(file["name"]), int(file["size"]), str(file.get("modified", ""))
    except (TypeError, KeyError, ValueError, AttributeError, OverflowError):
        raise UserError("Each file needs a name and a size.") from None


@bp.route("/<upload_id>", methods=["PUT", "POST"])
def piece(dataset_id: int, upload_id: str) -> ResponseReturnValue:
    """The body, raw, at ``?offset=``. Goes to the disk as it arrives."""
    here = place(library.get(dataset_id))
    upload = here.get(upload_id)
    offset = request.args.get("offset", type=int)
    if offset is None:
        raise UserError("Say at which offset the piece belongs.")
    return {"offset": here.append(upload, offset, request.stream)}


@bp.post("/import")
def bring_in(dataset_id: int) -> ResponseReturnValue:
    """``{"ids": [...]}``: import what has arrived."""
    dataset = library.get(dataset_id)
    here = place(dataset)
    asked = request.get_json(silent=True)
    ids = asked.get("ids") if isinstance(asked, dict) else None
    if not isinstance(ids, list) or not all(isinstance(each, str) for each in ids):
        raise UserError("Name the uploads to import.")
    task = importing.from_uploads(dataset, [here.get(each) for each in ids])
    return {"task": task.id}


@bp.errorhandler(uploads.WrongOffsetError)
def _elsewhere(error: uploads.WrongOffsetError) -> ResponseReturnValue:
    return jsonify({"error": str(error), "offset": error.offset}), error.status


@bp.errorhandler(UserError)
def _told(error: UserError) -> ResponseReturnValue:
    return jsonify({"error": str(error)}), error.status


@bp.errorhandler(HTTPException)
def _refused(error: HTTPException) -> ResponseReturnValue:
    text = "A piece may hold 50 MB at most." if error.code == 413 else error.description
    return jsonify({"error": text}), error.code or 500
