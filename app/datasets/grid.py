"""The pictures of a dataset by page, filter, search and order; and how many each filter holds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import ColumnElement, and_, case, func, or_, select

from app.datasets.bulk import Change, Entry
from app.datasets.remembering import Kept
from app.datasets.similar import by_tags, tag_counts
from app.db import db
from app.models import Dataset, DatasetItem
from app.numbers import whole

PAGE = 60
EXTREME = 3.0
"""A picture whose long edge is more than so many times its short one loses much to any crop."""
RESOLUTION = 1024
SHOWS = {
    "": "all", "no-caption": "no caption", "empty": "empty caption", "no-trigger": "no trigger word",
    "duplicates": "duplicates", "small": "too small", "extreme": "extreme shape",
    "unreadable": "unreadable",
}  # fmt: skip
SORTS = {
    "name": "name",
    "tags": "similar tags",
    "large": "largest first",
    "small": "smallest first",
}

Item = DatasetItem


_orders = Kept[list[int]](4)
_sums = Kept[dict[str, int]](16)
_tops = Kept[list[tuple[str, int]]](16)
ORDER_SECONDS = 600.0
"""An order by tags stays so long while captions are edited: what one works on must not jump."""
TAGS_SECONDS = 10.0


@dataclass(frozen=True)
class View:
    """What of a dataset is shown, as its address says. Nonsense is taken as the usual."""

    show: str = ""
    search: str = ""
    tag: str = ""
    sort: str = "name"
    resolution: int = RESOLUTION
    page: int = 1

    @classmethod
    def read(cls, words: Any) -> View:
        """From the query of an address, or from a form that carries one."""
        resolution = whole(words.get("resolution", "")) or 0
        page = whole(words.get("page", "")) or 0
        return cls(
            show=words.get("show", "") if words.get("show") in SHOWS else "",
            search=words.get("q", "").strip()[:200],
            tag=words.get("tag", "").strip()[:200],
            sort=words.get("sort", "") if words.get("sort") in SORTS else "name",
            resolution=resolution if 0 < resolution < 10**5 else RESOLUTION,
            page=page if 0 < page < 10**6 else 1,
        )  # fmt: skip

    def words(self, **changes: Any) -> dict[str, Any]:
        """Of its address, without what is as usual."""
        view = replace(self, **{"page": 1, **changes})
        given = {
            "show": view.show, "q": view.search, "tag": view.tag,
            "sort": view.sort if view.sort != "name" else "",
            "resolution": view.resolution if view.resolution != RESOLUTION else "",
            "page": view.page if view.page > 1 else "",
        }  # fmt: skip
        return {name: value for name, value in given.items() if value}


@dataclass(frozen=True)
class Page:
    """Some pictures, how many there are in all, and which page of how many this is."""

    items: Sequence[DatasetItem]
    count: int
    number: int
    pages: int


def page(dataset: Dataset, view: View) -> Page:
    """One page; the last one where the view asks for a later."""
    wanted = _filtered(dataset, view)
    count = db.session.scalar(select(func.count()).select_from(Item).where(*wanted)) or 0
    pages = max(1, math.ceil(count / PAGE))
    number = min(view.page, pages)
    begin = (number - 1) * PAGE
    if view.sort == "tags":
        chosen = _by_tags(dataset, view, wanted)[begin : begin + PAGE]
        rows = {row.id: row for row in db.session.scalars(select(Item).where(Item.id.in_(chosen)))}
        return Page([rows[key] for key in chosen if key in rows], count, number, pages)
    query = select(Item).where(*wanted).order_by(*_order(view)).offset(begin).limit(PAGE)
    return Page(db.session.scalars(query).all(), count, number, pages)


def counts(dataset: Dataset, resolution: int) -> dict[str, int]:
    """How many pictures each filter holds."""
    key = (dataset.id, dataset.trigger_word, resolution)
    return _sums.get(key, dataset.version, 0.0, lambda: _count(dataset, resolution))


def _count(dataset: Dataset, resolution: int) -> dict[str, int]:
    shown = [show for show in SHOWS if show]
    sums = [func.sum(case((_shows(dataset, show, resolution), 1), else_=0)) for show in shown]
    query = select(func.count(), *sums).select_from(Item).where(*_mine(dataset))
    row = db.session.execute(query).one()
    return {"": row[0], **{show: int(row[n] or 0) for n, show in enumerate(shown, 1)}}


def entries(dataset: Dataset, view: View, ticked: Sequence[int] | None = None) -> list[Entry]:
    """Captions of the filtered pictures, or of the ticked ones, in order of name."""
    wanted = [*_mine(dataset)] if ticked is not None else _filtered(dataset, view)
    query = select(Item.id, Item.name, Item.caption).where(*wanted).order_by(Item.name)
    rows = [Entry(*row) for row in db.session.execute(query)]
    if ticked is None:
        return rows
    chosen = set(ticked)
    return [row for row in rows if row.id in chosen]


def top_tags(dataset: Dataset, limit: int = 60) -> list[tuple[str, int]]:
    """The commonest tags, with how many captions hold each, as of a moment ago. Sentences have none."""
    key = (dataset.id, limit)
    return _tops.get(key, dataset.version, TAGS_SECONDS, lambda: _top_tags(dataset, limit))


def _top_tags(dataset: Dataset, limit: int) -> list[tuple[str, int]]:
    query = select(Item.caption).where(*_mine(dataset), Item.caption.is_not(None))
    counted = tag_counts(db.session.scalars(query).all())
    return [(tag, count) for tag, count in counted.most_common(limit) if len(tag) <= 60]


def caption_names(dataset: Dataset, ids: Sequence[int]) -> dict[int, str]:
    """The caption file of each picture: the one it has, or the one it would get."""
    chosen = set(ids)
    query = select(Item.id, Item.name, Item.caption_name).where(*_mine(dataset))
    return {
        key: own or name.rpartition(".")[0] + dataset.caption_extension
        for key, name, own in db.session.execute(query)
        if key in chosen
    }


def change_of_tags(changes: Sequence[Change]) -> list[tuple[str, int]]:
    """Tags that become more or fewer, most first, at most ten."""
    after = tag_counts(change.after for change in changes)
    after.subtract(tag_counts(change.entry.caption for change in changes))
    moved = [(tag, count) for tag, count in after.items() if count and len(tag) <= 40]
    return sorted(moved, key=lambda pair: -abs(pair[1]))[:10]


def _mine(dataset: Dataset) -> tuple[ColumnElement[bool], ...]:
    return (Item.dataset_id == dataset.id, Item.trashed == "")


def _filtered(dataset: Dataset, view: View) -> list[ColumnElement[bool]]:
    found = [*_mine(dataset)]
    if view.show:
        found.append(_shows(dataset, view.show, view.resolution))
    if view.search:
        found.append(
            or_(
                Item.name.icontains(view.search, autoescape=True),
                Item.caption.icontains(view.search, autoescape=True),
            )
        )
    if view.tag:
        spelled = "," + func.replace(func.replace(Item.caption, ", ", ","), " ,", ",") + ","
        found.append(spelled.contains(f",{view.tag},", autoescape=True))
    return found


def _shows(dataset: Dataset, show: str, resolution: int) -> ColumnElement[bool]:
    long: Any = func.max(Item.width, Item.height)
    short: Any = func.min(Item.width, Item.height)
    if db.session.get_bind().dialect.name != "sqlite":
        long, short = func.greatest(Item.width, Item.height), func.least(Item.width, Item.height)
    trigger = dataset.trigger_word.strip()
    missing = or_(Item.caption.is_(None), ~Item.caption.icontains(trigger, autoescape=True))
    conditions: dict[str, ColumnElement[bool]] = {
        "no-caption": Item.caption.is_(None),
        "empty": and_(Item.caption.is_not(None), func.trim(Item.caption, " \n\r\t") == ""),
        "no-trigger": missing if trigger else Item.id < 0,
        "duplicates": Item.twin > 0,
        "small": Item.width * Item.height < resolution * resolution,
        "extreme": long > short * EXTREME,
        "unreadable": Item.problem != "",
    }
    return conditions[show]


def _order(view: View) -> tuple[Any, ...]:
    area = Item.width * Item.height
    if view.show == "duplicates":
        return (Item.twin, Item.name)
    return {"large": (area.desc(), Item.name), "small": (area, Item.name)}.get(
        view.sort, (Item.name,)
    )


def _by_tags(dataset: Dataset, view: View, wanted: list[ColumnElement[bool]]) -> list[int]:
    """Ids in order of common tags. An order is kept for a while, less what no longer fits."""
    key = (dataset.id, view.show, view.search, view.tag, view.resolution)
    query = select(Item.id, Item.caption).where(*wanted).order_by(Item.name)

    def make() -> list[int]:
        rows = db.session.execute(query).all()
        return [rows[place][0] for place in by_tags([row[1] for row in rows])]

    kept = _orders.get(key, dataset.version, ORDER_SECONDS, make)
    there = dict.fromkeys(db.session.scalars(select(Item.id).where(*wanted).order_by(Item.name)))
    return [i for i in kept if there.pop(i, 0) is None] + list(there)
