"""Unpacks a zip that nobody vouches for into an empty folder.

Nothing leaves the folder: absolute names, ``..``, links and devices are left out. A bomb is seen by
what the zip declares, by files that share the same bytes, and by what really comes out.
"""

from __future__ import annotations

import shutil
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

from app.datasets import naming
from app.datasets.importing.findings import Findings
from app.datasets.importing.looks import Arrived
from app.datasets.threads import each
from app.datasets.walking import MOST_FILES
from app.errors import UserError

MOST_RATIO = 300
"""More bytes out of one is no picture: the worst real one, a drawing as BMP, stays below."""
_SUSPICIOUS = 64 * 1024 * 1024
_RESERVE = 256 * 1024 * 1024
_IN_MEMORY = 32 << 20
"""So much of a file is in memory at once, in each of a few threads."""
_ENCRYPTED = 0x1
_UTF8 = 0x800
_WORST = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError, IndexError)


class BombError(UserError):
    """The zip would become much larger than anything it could be."""


def unpack(
    archive: Path,
    target: Path,
    found: Findings,
    tell: Callable[[int, int], None],
    *,
    shown: str,
    arrived: Arrived,
) -> None:
    """Unpack into ``target``; what is there already, whole, is not unpacked again.

    ``arrived`` is told each file that came out, with its bytes where they are at hand, from several
    threads. ``shown`` is what people call the zip.

    Raises UserError for what is no zip, is encrypted, or is a bomb; OSError where the disk is full.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            members = _wanted(opened, shown, found)
            _check(opened, members, archive, shown, target)
            _unpack(opened, members, target, found, tell=tell, arrived=arrived)
    except _WORST as error:
        raise UserError(
            f"{shown} is no whole zip file: {error}. Make it again, then upload it."
        ) from error


def _wanted(
    opened: zipfile.ZipFile, shown: str, found: Findings
) -> list[tuple[zipfile.ZipInfo, str]]:
    """The members that are plain files with a name that stays inside; the rest is told."""
    infos = opened.infolist()
    if len(infos) > MOST_FILES:
        raise BombError(
            f"{shown} holds {len(infos)} files; {MOST_FILES} are the most for a dataset."
        )
    wanted: list[tuple[zipfile.ZipInfo, str]] = []
    seen: set[str] = set()
    for info in infos:
        raw = _name(info)
        if info.is_dir() or raw.endswith(("/", "\\")):
            continue
        kind = stat.S_IFMT(info.external_attr >> 16)
        name = naming.file_name(raw)
        if name is None:
            found.leave_out(raw[:200], "its name is too long, or leads out of the folder")
        elif kind == stat.S_IFLNK:
            found.leave_out(name, "it is a link, not a file")
        elif kind not in (0, stat.S_IFREG):
            found.leave_out(name, "it is no plain file")
        elif info.flag_bits & _ENCRYPTED:
            raise UserError(
                f"{shown} is encrypted. Unpack it with its password, then drop the files."
            )
        else:
            # The same name twice: the first keeps it, the next gets a number.
            name = _free(name, seen)
            seen.add(name.casefold())
            wanted.append((info, name))
    folders = {folder for _, name in wanted for folder in _folders_of(name)}
    for name in [name for _, name in wanted if name in folders]:
        found.leave_out(name, "a folder has its name")
    return [(info, name) for info, name in wanted if name not in folders]


def _folders_of(name: str) -> Iterator[str]:
    while name := name.rpartition("/")[0]:
        yield name


def _name(info: zipfile.ZipInfo) -> str:
    """Zips of a Mac hold UTF-8 and do not say so."""
    raw = info.orig_filename
    if info.flag_bits & _UTF8:
        return raw
    try:
        return raw.encode("cp437").decode("utf-8")
    except (UnicodeEncodeError, UnicodeDecodeError):
        return raw


def _free(name: str, taken: set[str]) -> str:
    if name.casefold() not in taken:
        return name
    folder, slash, last = name.rpartition("/")
    stem, dot, ending = last.rpartition(".")
    stem, ending = (stem, dot + ending) if stem else (last, "")
    number = 2
    while (chosen := f"{folder}{slash}{stem} ({number}){ending}").casefold() in taken:
        number += 1
    return chosen


def _check(
    opened: zipfile.ZipFile,
    members: list[tuple[zipfile.ZipInfo, str]],
    archive: Path,
    shown: str,
    target: Path,
) -> None:
    whole = archive.stat().st_size
    total = sum(info.file_size for info, _ in members)
    packed = sum(info.compress_size for info, _ in members)
    if packed > whole:
        raise BombError(f"{shown} is a zip bomb: its files share the same bytes.")
    if total > _SUSPICIOUS and total > MOST_RATIO * max(1, packed):
        raise BombError(
            f"{shown} would grow from {whole / 1e6:.1f} MB to {total / 1e9:.1f} GB. Pictures do not; "
            "nothing was unpacked."
        )
    free = shutil.disk_usage(target).free
    if total + _RESERVE > free:
        raise UserError(
            f"{shown} unpacks to {total / 1e9:.1f} GB, and {free / 1e9:.1f} GB of disk are free. "
            "Free some, then press Go on."
        )


def _unpack(
    opened: zipfile.ZipFile,
    members: list[tuple[zipfile.ZipInfo, str]],
    target: Path,
    found: Findings,
    *,
    tell: Callable[[int, int], None],
    arrived: Arrived,
) -> None:
    total = sum(info.file_size for info, _ in members)
    for folder in {(target / name).parent for _, name in members}:
        folder.mkdir(parents=True, exist_ok=True)

    def one(member: tuple[zipfile.ZipInfo, str]) -> str:
        """Why it stays out; empty where it is here."""
        info, name = member
        place = target / name
        if place.is_file() and place.stat().st_size == info.file_size:
            return ""
        try:
            data = _write(opened, info, place)
        except _WORST as error:
            place.with_name(place.name + ".part").unlink(missing_ok=True)
            return f"it is torn in the zip ({type(error).__name__})"
        arrived(place, data)
        return ""

    done = 0
    for (info, name), torn in each(one, members):
        if torn:
            found.leave_out(name, torn)
        done += info.file_size
        tell(done, total)


def _write(opened: zipfile.ZipFile, info: zipfile.ZipInfo, place: Path) -> bytes | None:
    """One member, to a name that nobody takes for whole, then by rename; its bytes if they are few."""
    new = place.with_name(place.name + ".part")
    left, kept = info.file_size, None
    with opened.open(info) as source, new.open("wb") as out:
        while block := source.read(_IN_MEMORY):  # zipfile hands out no more than was declared
            left -= len(block)
            out.write(block)
            kept = block
    if left:
        raise zipfile.BadZipFile("less comes out than was declared")
    new.replace(place)
    return kept if kept is not None and len(kept) == info.file_size else None
