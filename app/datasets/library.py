"""The datasets there are: made here, found under DATA_DIR/datasets, or named by a person.

All functions need an application context.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Sequence
from pathlib import Path

from flask import current_app
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from app.datasets import naming
from app.db import db, in_passing
from app.errors import ConflictError, NotFoundError, UserError
from app.models import Dataset
from app.settings import Settings
from app.text import is_text, shown


def settings() -> Settings:
    """Of the program that we are in."""
    found: Settings = current_app.extensions["vast-lora"].settings
    return found


def create(name: str) -> Dataset:
    """Make an empty dataset with a folder of that name under DATA_DIR/datasets.

    Raises UserError for a name that cannot be a folder's, ConflictError where it is taken.
    """
    name = naming.dataset_name(name)
    if _named(name) is not None:
        raise ConflictError(f"There is a dataset {name} already. Choose another name.")
    root = settings().datasets_dir
    root.mkdir(parents=True, exist_ok=True)
    if name.lower() in {entry.name.lower() for entry in root.iterdir()}:
        raise ConflictError(f"There is a folder {name} already. Choose another name.")
    folder = root / name
    try:
        folder.mkdir()
    except FileExistsError:  # made by another request since the look above
        raise ConflictError(f"There is a folder {name} already. Choose another name.") from None
    try:
        return _add(name, folder, managed=True)
    except ConflictError:
        # Else it would be found later, and listed as a dataset that nobody made.
        with contextlib.suppress(OSError):
            folder.rmdir()
        raise


def register(path: Path) -> Dataset:
    """Have a folder that exists as a dataset; the one there is if it is known already."""
    path = Path(os.path.abspath(os.path.expanduser(path)))
    if not is_text(str(path)):
        raise UserError(f"The name of {shown(str(path))[:300]} is not UTF-8 text. Rename it first.")
    known = by_path(path)
    if known is not None:
        return known
    root = settings().datasets_dir
    if not os.path.isdir(path):  # Path raises for what no system can hold
        raise UserError(f"There is no folder {str(path)[:300]}. Name one that holds pictures.")
    # Not Path.home, which fails where a user has none.
    if path in (Path(os.path.expanduser("~")), *(root / "one").parents):
        raise UserError(f"{path} holds much else. Name the folder of the pictures itself.")
    if not os.access(path, os.R_OK | os.X_OK):
        raise UserError(f"{path} cannot be read. Give this program the right to read it.")
    return _add(_free_name(path.name), path, managed=path.parent == root)


def find_folders() -> list[Dataset]:
    """Register the folders under DATA_DIR/datasets that have no row yet; returns those."""
    root = settings().datasets_dir
    if not root.is_dir():
        return []
    known = set(db.session.scalars(select(Dataset.path)))
    fresh = [
        entry.path
        for entry in os.scandir(root)
        if not entry.name.startswith(".")
        and is_text(entry.name)
        and entry.is_dir()
        and entry.path not in known
    ]
    with in_passing():
        return [register(Path(path)) for path in sorted(fresh)]
    return []


def get(dataset_id: int) -> Dataset:
    """Raises NotFoundError, also for one that was removed."""
    found = db.session.get(Dataset, dataset_id, populate_existing=True)
    if found is None or found.removed is not None:
        raise NotFoundError(f"There is no dataset {dataset_id} (any more).")
    return found


def by_path(path: Path) -> Dataset | None:
    """The dataset of a folder."""
    return db.session.scalars(
        select(Dataset).where(Dataset.path == str(path), Dataset.removed.is_(None))
    ).first()


def all(search: str = "") -> Sequence[Dataset]:
    """Every dataset that is not removed, by name."""
    query = select(Dataset).where(Dataset.removed.is_(None))
    if search:
        query = query.where(Dataset.name.icontains(search, autoescape=True))
    return db.session.scalars(query.order_by(func.lower(Dataset.name))).all()


def folder(dataset: Dataset) -> Path:
    """Where its files are. The folder may be gone: then a scan says so."""
    return Path(dataset.path)


def folder_lost(dataset: Dataset, error: OSError) -> UserError:
    """The sentence for a folder that cannot be read (any more)."""
    return UserError(
        f"The folder of {dataset.name}, {dataset.path}, cannot be read: {error.strerror}. "
        "Put it back, or remove the dataset from the list."
    )


def rename(dataset: Dataset, name: str) -> None:
    """Give it another name; the folder of a managed one is renamed with it."""
    name = naming.dataset_name(name)
    if name == dataset.name:
        return
    other = _named(name)
    if other is not None and other.id != dataset.id:
        raise ConflictError(f"There is a dataset {name} already. Choose another name.")
    if dataset.managed:
        target = folder(dataset).with_name(name)
        if target.exists() and not target.samefile(folder(dataset)):
            raise ConflictError(f"There is a folder {name} already. Choose another name.")
        try:
            folder(dataset).rename(target)
        except OSError as error:
            raise UserError(
                f"The folder of {dataset.name}, {dataset.path}, cannot be renamed: "
                f"{error.strerror}. It keeps its name."
            ) from error
        dataset.path = str(target)
    dataset.name = name
    dataset.version += 1
    db.session.commit()


def _named(name: str) -> Dataset | None:
    return db.session.scalars(
        select(Dataset).where(func.lower(Dataset.name) == name.lower())
    ).first()


def _free_name(name: str) -> str:
    """The name, or the first of "name 2", "name 3" that is free."""
    name = name.strip()[: naming.LONGEST_NAME] or "dataset"
    chosen, number = name, 2
    while _named(chosen) is not None:
        chosen, number = f"{name} {number}", number + 1
    return chosen


def _add(name: str, path: Path, *, managed: bool) -> Dataset:
    dataset = Dataset(name=name, path=str(path), managed=managed, created=time.time())
    db.session.add(dataset)
    try:
        db.session.commit()
    except IntegrityError:
        # Another request was faster by a moment.
        db.session.rollback()
        known = by_path(path)
        if known is None:
            raise ConflictError(
                f"There is a dataset {name} already. Choose another name."
            ) from None
        return known
    return dataset
