"""Base models: what is on disk, downloads, deletion."""

from __future__ import annotations

from pydantic import Field

from app import tasks
from app.base_models import Entry, orders, read_library
from app.errors import NotFoundError
from app.jobs import describing, model_use
from app.platform import current
from app.web.api.registry import Answer, Given, operation
from app.web.api.shapes import TaskJson, TaskPage
from app.web.api.tasks import as_json

TAG = "Models"
_MOST = 2**63 - 1
_DOWNLOAD = "model.download"


class ModelJson(Answer):
    """A repository, folder or file on disk. ``name`` is what a spec writes as its base model."""

    key: str
    name: str
    source: str = Field(
        description="cache, models (below DATA_DIR) or folder (one that was added)."
    )
    kind: str = Field(description="By its tensors: model, lora, vae, ... or unknown.")
    families: list[str] = Field(description="Families that it fits, as far as it was recognised.")
    precision: str
    size: int
    complete: bool = Field(description="Whole: not half of a download.")
    path: str


class ModelPage(Answer):
    """Models by name, as the last look at the disk found them."""

    models: list[ModelJson]
    next: int | None = Field(description="The ``after`` of the following page; null on the last.")
    looked: str | None = Field(description="When the disk was looked at; null: never.")


class ModelsQuery(Given):
    """Which models."""

    family: str = Field("", max_length=100, description="Only those that fit this family.")
    search: str = Field("", max_length=200, description="Part of the name.")
    after: int = Field(0, ge=0, le=_MOST, description="Cursor: leave out so many.")
    limit: int = Field(50, ge=1, le=500, description="At most so many.")


class DownloadsQuery(Given):
    """Which downloads."""

    limit: int = Field(50, ge=1, le=500, description="At most so many.")
    before: int | None = Field(None, ge=1, le=_MOST, description="Cursor: only smaller numbers.")


class Download(Given):
    """What to fetch."""

    what: str = Field(
        min_length=1, max_length=2000,
        description="A hub id (owner/name), a file of one (owner/name/file), or a web address.",
    )  # fmt: skip
    patterns: list[str] = Field(
        default_factory=list, max_length=50, description="Only files like these, such as *.json."
    )


def _json(entry: Entry) -> ModelJson:
    plain = ("key", "name", "source", "kind", "precision", "size", "complete", "path")
    return ModelJson(
        families=list(entry.families), **{name: getattr(entry, name) for name in plain}
    )


def _entry(key: str) -> Entry:
    entry = read_library(current().settings).find(key)
    if entry is None:
        raise NotFoundError("There is no such model (any more). Look at the disk again.")
    return entry


@operation("GET /models", tag=TAG, answer=ModelPage, query=ModelsQuery)
def index(query: ModelsQuery) -> ModelPage:
    """List the models on disk."""
    library = read_library(current().settings)
    found = [
        entry
        for entry in sorted(library.entries, key=lambda entry: entry.name)
        if (not query.family or query.family in entry.families)
        and query.search.lower() in entry.name.lower()
    ]
    end = query.after + query.limit
    return ModelPage(
        models=[_json(entry) for entry in found[query.after : end]],
        next=end if end < len(found) else None,
        looked=describing.iso(library.at) if library.at else None,
    )


@operation("GET /models/<key>", tag=TAG, answer=ModelJson)
def show(key: str) -> ModelJson:
    """Show one model."""
    return _json(_entry(key))


@operation("DELETE /models/<key>", tag=TAG, answer=TaskJson, status=202, errors=(409,))
def delete(key: str) -> TaskJson:
    """Delete a model that no running job uses; the answer is the task that does it."""
    return as_json(model_use.delete(_entry(key), current().settings))


@operation("POST /models/look", tag=TAG, answer=TaskJson, status=202)
def look() -> TaskJson:
    """Look at the disk again; the answer is the task that does it."""
    return as_json(orders.look())


@operation("GET /models/downloads", tag=TAG, answer=TaskPage, query=DownloadsQuery)
def downloads(query: DownloadsQuery) -> TaskPage:
    """List downloads with how far they are, newest first."""
    found = tasks.page(kind=_DOWNLOAD, limit=query.limit + 1, before=query.before)
    shown = [as_json(task) for task in found[: query.limit]]
    return TaskPage(tasks=shown, next=shown[-1].id if len(found) > query.limit else None)


@operation("POST /models/downloads", tag=TAG, answer=TaskJson, body=Download, status=202,
           errors=(400, 409))  # fmt: skip
def download(body: Download) -> TaskJson:
    """Fetch a model; the answer is the task that does it.

    The same twice is one download; what was cut, cancelled or failed goes on. Cancel it, or have it
    go on, as any other task.
    """
    return as_json(orders.download(current().settings, body.what, body.patterns))
