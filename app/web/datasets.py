"""The list of datasets: make one, use a folder, bring files in, rename, delete and have back."""

from __future__ import annotations

import os
import shutil
from typing import Any

from flask import Blueprint, redirect, render_template, request
from flask.typing import ResponseReturnValue
from werkzeug.datastructures import FileStorage

from app import tasks
from app.datasets import importing, library, overview, removing
from app.datasets.uploads import Upload
from app.errors import ConflictError, UserError
from app.jobs import using
from app.models import Dataset
from app.platform import current
from app.web import htmx, uploads

bp = Blueprint("datasets", __name__, url_prefix="/datasets")


@bp.get("")
def index() -> ResponseReturnValue:
    library.find_folders()
    return render_template("pages/datasets.html", form={}, errors={}, **_list())


@bp.get("/list")
def cards() -> ResponseReturnValue:
    context = _list()
    return htmx.fragment("datasets_list", **context)


def _list() -> dict[str, Any]:
    search = request.args.get("q", "").strip()[:200]
    page = max(1, request.args.get("page", 1, type=int))
    view = overview.page(search, page)
    return {
        "view": view,
        "search": search,
        "removed": [(dataset, removing.shown_name(dataset)) for dataset in removing.removed()],
        "free": shutil.disk_usage(current().settings.data_dir).free,
        "version": view.version,
        "hub_offline": current().settings.why_no_hub,
    }


@bp.post("")
def create() -> ResponseReturnValue:
    """A new, empty dataset; with ``source`` and ``address`` something is fetched into it at once."""
    address = request.form.get("address", "").strip()
    try:
        dataset = library.create(request.form.get("name", "") or _name_of(address))
    except UserError as error:
        return _again("name", error)
    if address:
        try:
            _fetch(dataset, address)
        except UserError as error:
            removing.discard(dataset)
            return _again("address", error)
    if request.accept_mimetypes.best == "application/json":
        return {"id": dataset.id, "name": dataset.name}
    return redirect(f"/datasets/{dataset.id}", 303)


@bp.post("/folder")
def use_folder() -> ResponseReturnValue:
    """A folder that is there already, left where it is."""
    text = request.form.get("path", "").strip()
    if not text:
        return _again("path", UserError("Give the path of a folder."))
    try:
        dataset = library.register(current().settings.datasets_dir / os.path.expanduser(text))
    except UserError as error:
        return _again("path", error)
    return redirect(f"/datasets/{dataset.id}", 303)


def _again(field: str, error: UserError) -> ResponseReturnValue:
    """The page with what was typed and what is wrong with it."""
    if request.accept_mimetypes.best == "application/json":
        return {"error": str(error)}, error.status
    page = render_template(
        "pages/datasets.html", form=request.form, errors={field: str(error)}, **_list()
    )
    return page, 422


def _name_of(address: str) -> str:
    """A name for what is fetched, where nobody gave one: the last part of the address."""
    return address.partition("?")[0].rstrip("/").rpartition("/")[2].removesuffix(".zip")


@bp.post("/<int:dataset_id>/fetch")
def fetch(dataset_id: int) -> ResponseReturnValue:
    dataset = library.get(dataset_id)
    _fetch(dataset, request.form.get("address", ""))
    return _to(dataset)


def _fetch(dataset: Dataset, address: str) -> None:
    """A repository of the Hub where it looks like one, else an address of the web."""
    address = address.strip()
    on_hub = "://" not in address or (
        "/datasets/" in address and "huggingface.co" in address and "/resolve/" not in address
    )
    if on_hub:
        importing.from_hub(dataset, address, current().settings)
    else:
        importing.from_url(dataset, address)


@bp.post("/<int:dataset_id>/upload")
def upload(dataset_id: int) -> ResponseReturnValue:
    """Files of a plain form: all in one request, so at most 64 MB."""
    dataset = library.get(dataset_id)
    arrived = [_kept(dataset, file) for file in request.files.getlist("files") if file.filename]
    importing.from_uploads(dataset, arrived)
    return _to(dataset)


@bp.post("/<int:dataset_id>/halves/forget")
def forget_uploads(dataset_id: int) -> ResponseReturnValue:
    """Remove what is half uploaded."""
    dataset = library.get(dataset_id)
    here = uploads.place(dataset)
    for upload in here.halves():
        here.forget(upload.id)
    return _to(dataset)


def _kept(dataset: Dataset, file: FileStorage) -> Upload:
    place = uploads.place(dataset)
    size = file.stream.seek(0, 2)
    file.stream.seek(0)
    begun = place.begin(file.filename or "", size, "form")
    if begun.offset:
        place.forget(begun.id)
        begun = place.begin(file.filename or "", size, "form")
    place.append(begun, 0, file.stream)
    return begun


@bp.post("/<int:dataset_id>/rename")
def rename(dataset_id: int) -> ResponseReturnValue:
    dataset = library.get(dataset_id)
    if dataset.managed:
        using.refuse_if_used(library.folder(dataset), dataset.name, "renamed")
        _refuse_while_busy(dataset)
    library.rename(dataset, request.form.get("name", ""))
    return _to(dataset)


def _refuse_while_busy(dataset: Dataset) -> None:
    if tasks.active_of(f"dataset:{dataset.id}"):
        raise ConflictError(
            f"{dataset.name} cannot be renamed while work on it waits or runs. Cancel that first."
        )


@bp.post("/<int:dataset_id>/delete")
def delete(dataset_id: int) -> ResponseReturnValue:
    dataset = library.get(dataset_id)
    using.refuse_if_used(library.folder(dataset), dataset.name, "deleted")
    removing.remove(dataset)
    return redirect("/datasets", 303)


@bp.post("/removed/<int:dataset_id>/restore")
def restore(dataset_id: int) -> ResponseReturnValue:
    return _to(removing.restore(dataset_id))


@bp.post("/removed/<int:dataset_id>/purge")
def purge(dataset_id: int) -> ResponseReturnValue:
    removing.purge_now(dataset_id)
    return redirect("/datasets", 303)


@bp.app_template_global()
def upload_state(dataset: Dataset) -> dict[str, Any]:
    """What ``fragments/dataset_upload.html`` shows; a page that includes it gives the dataset alone."""
    found = tasks.find(f"dataset:{dataset.id}")
    last = next((t for t in found if t.kind == importing.KIND), None)
    done = last if last is not None and last.state == "done" else None
    halves = uploads.place(dataset).halves()
    return {
        "work": [task for task in found if task.state != "done"],
        "last": done,
        "brought": tasks.result_of(done) if done is not None else {},
        "halves": halves,
        "free": shutil.disk_usage(current().settings.data_dir).free,
        "here": sum(half.offset for half in halves),
        "whole": sum(half.size for half in halves),
        "offline": current().settings.why_no_hub,
    }


def _to(dataset: Dataset) -> ResponseReturnValue:
    return redirect(f"/datasets/{dataset.id}", 303)
