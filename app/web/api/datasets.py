"""Datasets, what is in them, and their captions."""

from __future__ import annotations

from pydantic import Field
from sqlalchemy import select

from app.datasets import captioning, captions, library, overview
from app.db import db
from app.models import Dataset, DatasetItem
from app.web.api.registry import Answer, Given, operation

TAG = "Datasets"
_MOST = 2**63 - 1


class DatasetJson(Answer):
    """A dataset as it was last seen."""

    id: int
    name: str
    path: str
    managed: bool
    version: int
    trigger_word: str
    files: int
    bytes: int
    images: int
    videos: int
    captions: int


class Datasets(Answer):
    """Datasets by name."""

    datasets: list[DatasetJson]


class ItemJson(Answer):
    """A picture, clip or sound. ``caption`` is null where there is no file."""

    id: int
    name: str
    kind: str
    size: int
    width: int | None
    height: int | None
    problem: str
    caption: str | None


class ItemPage(Answer):
    """Items by number. ``next`` is the ``after`` of the following page; null on the last."""

    items: list[ItemJson]
    next: int | None


class CaptionJson(Answer):
    """A caption as the file holds it now; ``version`` names this state of it."""

    caption: str | None
    version: str


class DatasetsQuery(Given):
    """Which datasets."""

    search: str = Field("", max_length=200, description="Part of the name.")


class ItemsQuery(Given):
    """Which items."""

    after: int = Field(0, ge=0, le=_MOST, description="Cursor: only larger numbers.")
    limit: int = Field(50, ge=1, le=500, description="At most so many.")
    search: str = Field("", max_length=200, description="Part of the name or of the caption.")
    captioned: bool | None = Field(None, description="Only those with, or without, a caption.")


class CaptionBody(Given):
    """A new caption, and the state that it was made from."""

    caption: str = Field(max_length=100_000, description="Empty: no caption file.")
    version: str = Field(max_length=200, description="As read; 409 if the file is another now.")


def _json(dataset: Dataset) -> DatasetJson:
    return DatasetJson(**{name: getattr(dataset, name) for name in DatasetJson.model_fields})


@operation("GET /datasets", tag=TAG, answer=Datasets, query=DatasetsQuery)
def index(query: DatasetsQuery) -> Datasets:
    """List the datasets by name, with the folders that appeared since."""
    library.find_folders()
    overview.refresh(library.all(query.search))
    return Datasets(datasets=[_json(one) for one in library.all(query.search)])


@operation("GET /datasets/<int:dataset_id>", tag=TAG, answer=DatasetJson)
def show(dataset_id: int) -> DatasetJson:
    """Show one dataset."""
    dataset = library.get(dataset_id)
    overview.refresh([dataset])
    return _json(dataset)


@operation("GET /datasets/<int:dataset_id>/items", tag=TAG, answer=ItemPage, query=ItemsQuery)
def items(dataset_id: int, query: ItemsQuery) -> ItemPage:
    """List what is in a dataset."""
    overview.refresh([library.get(dataset_id)])
    wanted = select(DatasetItem).where(
        DatasetItem.dataset_id == library.get(dataset_id).id,
        DatasetItem.trashed == "",
        DatasetItem.id > query.after,
    )
    if query.search:
        name = DatasetItem.name.icontains(query.search, autoescape=True)
        wanted = wanted.where(name | DatasetItem.caption.icontains(query.search, autoescape=True))
    if query.captioned is not None:
        bare = DatasetItem.caption.is_(None)
        wanted = wanted.where(~bare if query.captioned else bare)
    found = db.session.scalars(wanted.order_by(DatasetItem.id).limit(query.limit + 1)).all()
    names = tuple(ItemJson.model_fields)
    shown = [ItemJson(**{n: getattr(i, n) for n in names}) for i in found[: query.limit]]
    return ItemPage(items=shown, next=shown[-1].id if len(found) > query.limit else None)


@operation(
    "GET /datasets/<int:dataset_id>/items/<int:item_id>/caption", tag=TAG, answer=CaptionJson
)
def caption(dataset_id: int, item_id: int) -> CaptionJson:
    """Read a caption from its file."""
    dataset = library.get(dataset_id)
    item = captioning.item(dataset, item_id)
    text = captions.read(library.folder(dataset) / captioning.name_of(dataset, item))
    return CaptionJson(caption=text, version=captions.version_of(text))


@operation(
    "PUT /datasets/<int:dataset_id>/items/<int:item_id>/caption",
    tag=TAG,
    answer=CaptionJson,
    body=CaptionBody,
    errors=(409,),
)
def write_caption(dataset_id: int, item_id: int, body: CaptionBody) -> CaptionJson:
    """Write a caption, unless somebody else changed it meanwhile."""
    dataset = library.get(dataset_id)
    captioning.save(dataset, captioning.item(dataset, item_id), body.caption, body.version)
    return caption(dataset_id, item_id)
