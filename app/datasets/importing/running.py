"""The task ``dataset.import``: gather, sort, arrange, move in, scan."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from app import addresses, tasks
from app.datasets import editing, examining, holding, library, scanning, thumbnails, uploads
from app.datasets.importing import fetching, hub, moving, sorting, tables
from app.datasets.importing.arranging import Arranger
from app.datasets.importing.findings import Findings
from app.datasets.importing.looks import Looks
from app.datasets.importing.sorting import Desk
from app.datasets.importing.staging import folder_of
from app.datasets.importing.unpacking import unpack
from app.datasets.seeing import is_full
from app.datasets.threads import each
from app.errors import NotFoundError, UserError
from app.models import Dataset
from app.tasks import Work

_PACKED = (".zip", ".parquet")


def run(work: Work) -> dict[str, Any]:
    """Do one import, or go on with it. What a person has to know is in the result."""
    with work.database():
        dataset = library.get(work.arguments["dataset"])
        root = library.folder(dataset)
        if not root.is_dir():
            raise UserError(
                f"The folder of {dataset.name}, {root}, is not there. Put it back, then press Go on."
            )
        staging = folder_of(root, work.id)
        result = tasks.result_of(tasks.get(work.id)) or _brought_in(work, dataset, staging)
        # Kept before the first file goes: a try that is killed below would find nothing to bring in.
        tasks.keep_result(work.id, result)
        for upload_id in work.arguments.get("uploads", ()):
            upload_of(work).forget(upload_id)
        shutil.rmtree(staging, ignore_errors=True)
        addresses.forget(work.settings, work.arguments)
        return result


def _brought_in(work: Work, dataset: Dataset, staging: Path) -> dict[str, Any]:
    looks = Looks(staging, work.settings, dataset.id)
    try:
        staging.mkdir(exist_ok=True)
        return _bring_in(work, dataset, looks, staging)
    except OSError as error:
        raise _told(error, staging) from error
    finally:
        looks.keep()


def upload_of(work: Work) -> uploads.Uploads:
    """The uploads of the dataset that this is about."""
    return uploads.Uploads(work.settings.data_dir, work.arguments["dataset"])


def _bring_in(work: Work, dataset: Dataset, looks: Looks, staging: Path) -> dict[str, Any]:
    root = library.folder(dataset)
    plan = moving.read_plan(staging)
    if plan is None:
        found = Findings()
        desk = Desk(staging / "made", found, looks)
        _gather(work, staging / "raw", desk)
        arranger = _arranged(work, dataset, staging, desk)
        looks.keep()
        work.log.parent.mkdir(parents=True, exist_ok=True)
        with work.log.open("a", encoding="utf-8") as log:
            log.writelines(line + "\n" for line in found.lines())
        replaced = [step.written() for step in arranger.replaced.values()]
        rest = {"result": found.as_result(), "replaced": replaced, "at": time.time()}
        if not arranger.moves and not found.counts["already"] and not found.left_out:
            raise UserError("There was nothing in it: no picture, no clip, no caption.")
        moving.write_plan(staging, arranger.moves, rest)
        plan = moving.read_plan(staging)
    assert plan is not None
    # Nobody changes a caption between the look at it and its replacement.
    held = holding.exclusive(dataset, seconds=holding.BACKGROUND_SECONDS)
    with held if plan.get("replaced") else contextlib.nullcontext():
        left = moving.carry_out(
            root, staging, plan, lambda d, t: work.progress(d, t, "moving in", unit="files")
        )
    if "at" in plan:  # plans of older versions told no edit that could be undone
        done = [step for step in plan["replaced"] if step["name"] not in left]
        _remember(dataset, done, plan["at"])
    seen = looks.hand_over((source, name) for source, name, _ in plan["moves"])
    scanning.scan(
        dataset, tell=lambda d, t: work.progress(d, t, "measuring", unit="files"), seen=seen
    )
    looks.forget()
    examining.pair(dataset)
    if examining.undrawn(work.settings, dataset):
        thumbnails.start(dataset)
    return _without(plan["result"], left)


def _without(result: dict[str, Any], left: list[str]) -> dict[str, Any]:
    """What came in, less captions that stay as a person changed them meanwhile."""
    found = Findings()
    for name in left:
        found.leave_out(name, "the caption here was changed meanwhile, and stays")
    told = [*result["left_out"], *found.as_result()["left_out"]]
    return {**result, "replaced": result["replaced"] - len(left), "left_out": told}


def _gather(work: Work, raw: Path, desk: Desk) -> None:
    """Have the files of the source below ``raw``, a folder for each zip and one for loose files."""
    raw.mkdir(exist_ok=True)
    if "url" in work.arguments:
        file = fetching.fetch(work, raw.parent / "fetched")
        _take(work, file, file.name, raw / "fetched", desk)
    elif "hub" in work.arguments:
        folder = hub.fetch(work, raw.parent / "hub", desk.found)
        packed = sorted(p for p in folder.rglob("*") if p.suffix.lower() in _PACKED and p.is_file())
        for number, file in enumerate(packed):
            name = file.relative_to(folder).as_posix()
            if not sorting.is_quiet(name):
                _take(work, file, name, raw / f"packed-{number}", desk)
    else:
        for upload in _uploads(work):
            _take(work, upload.part, upload.name, raw / upload.id, desk)


def _uploads(work: Work) -> list[uploads.Upload]:
    arrived = []
    for upload_id in work.arguments.get("uploads", ()):
        # Those that an earlier try has taken already are below "raw".
        with contextlib.suppress(NotFoundError):
            upload = upload_of(work).get(upload_id)
            if upload.part.exists():
                arrived.append(upload)
    return arrived


def _take(work: Work, file: Path, name: str, own: Path, desk: Desk) -> None:
    """Unpack a zip or a table into a folder of its own; put any other file beside the loose ones."""
    with file.open("rb") as opened:
        head = opened.read(4)
    is_zip = head in (b"PK\3\4", b"PK\5\6")
    if is_zip or tables.is_table(head):
        own.mkdir(exist_ok=True)
        open_up, unit = (unpack, "bytes") if is_zip else (tables.take_out, "pictures")
        open_up(
            file, own, desk.found,
            lambda d, t: work.progress(d, t, f"unpacking {name}", unit=unit),
            shown=name, arrived=desk.looks.arrived,
        )  # fmt: skip
        # The file itself stays until all is done: a try after a full disk unpacks it again.
        return
    if name.lower().endswith(".zip"):
        raise UserError(f"{name} is no zip file. Make it again, then upload it.")
    target = own.parent / "loose" / name
    if target.exists():
        target = own / name
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        file.rename(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        new = target.with_name(target.name + ".part")
        shutil.copyfile(file, new)
        new.replace(target)
        file.unlink()


def _arranged(work: Work, dataset: Dataset, staging: Path, desk: Desk) -> Arranger:
    shutil.rmtree(desk.made, ignore_errors=True)
    arranger = Arranger(library.folder(dataset), desk.made, dataset.caption_extension, desk.found)
    folders = [*sorted((staging / "raw").iterdir()), staging / "hub"]
    groups = [(group, list(_files(group))) for group in folders if group.is_dir()]
    _look(work, desk, [path for _, files in groups for path, _ in files])
    total, done = sum(len(files) for _, files in groups), 0
    for group, files in groups:
        entries, own = [], replace(desk, made=desk.made / group.name)
        for path, name in files:
            entry = sorting.sort(path, name, own)
            entries += [entry] if entry is not None else []
            done += 1
            work.progress(done, total, "sorting", unit="files")
        arranger.add(entries)
    return arranger


def _look(work: Work, desk: Desk, paths: list[Path]) -> None:
    """Read what was not read while it was unpacked, a few at once."""
    kinds = {path: scanning.kind_of(path.suffix) for path in paths}
    todo = [
        path for path, kind in kinds.items()
        if kind is not None and not desk.looks.knows(path, kind) and sorting.may_be_read(path)
    ]  # fmt: skip
    looked = each(lambda path: desk.looks.of(path, kinds[path] or ""), todo)
    for done, _ in enumerate(looked, 1):
        work.progress(done, len(todo), "looking at each file", unit="files")


def _files(group: Path) -> Iterator[tuple[Path, str]]:
    for folder, folders, names in os.walk(group):
        folders.sort()
        for name in sorted(names):
            path = Path(folder) / name
            relative = path.relative_to(group).as_posix()
            if sorting.is_quiet(relative) or path.is_symlink() or not path.is_file():
                continue
            if group.name != "hub" or path.suffix.lower() not in _PACKED:
                yield path, relative


def _remember(dataset: Dataset, replaced: list[dict[str, Any]], at: float) -> None:
    """An edit that undoes the captions which were replaced."""
    if replaced:
        many = "A caption was" if len(replaced) == 1 else f"{len(replaced)} captions were"
        editing.note(dataset, "captions", f"{many} replaced by an upload.", replaced, at)


def _told(error: OSError, staging: Path) -> UserError:
    """A full disk gives back what was unpacked; the zip or table itself stays for another try."""
    if not is_full(error):
        where = f" ({error.filename})" if error.filename else ""
        return UserError(f"{error.strerror or error}{where}.")
    if moving.read_plan(staging) is None:
        for folder in [*(staging / "raw").glob("*"), staging / "made"]:
            if folder.name != "loose":
                shutil.rmtree(folder, ignore_errors=True)
    return UserError(
        "The disk is full. Nothing was added to the dataset. Free some, then press Go on: "
        "it need not be uploaded again."
    )
