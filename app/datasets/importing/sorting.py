"""Looks at each file that arrived: what it is by its content, whether it may come in, as what."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from app import pillow
from app.datasets import telling
from app.datasets.importing.findings import Findings
from app.datasets.importing.looks import Looks
from app.datasets.pixels import convert
from app.datasets.seeing import in_words, is_full

Kind = Literal["picture", "clip", "sound", "caption", "table"]

MOST_PICTURE_BYTES = 512 * 1024 * 1024
MOST_CAPTION_BYTES = 1_000_000
MOST_TABLE_BYTES = 256 * 1024 * 1024
CAPTION_ENDINGS = (".txt", ".caption")
TABLE_ENDINGS = (".json", ".jsonl", ".csv")
_HEIC_BRANDS = (b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1")
_AVIF_BRANDS = (b"avif", b"avis")
_MEANT_AS_PICTURE = (".heic", ".heif", ".avif", *telling.IMAGE_ENDINGS)
_QUIET = ("thumbs.db", "desktop.ini", "ehthumbs.db")
_CACHES = ("_latent_cache", "_t_e_cache")
_KNOWN_OTHERS = {
    ".npz": "it is a cache of sd-scripts, which is made anew",
    ".safetensors": "it is a model or a cache, no picture",
    ".gif": "no engine trains on gif; save it as png",
    ".tif": "no engine trains on tiff; save it as png",
    ".tiff": "no engine trains on tiff; save it as png",
    ".psd": "no engine trains on psd; save it as png",
    ".svg": "no engine trains on svg; save it as png",
    ".parquet": "it is no whole table, or one in a zip; upload it by itself",
    ".arrow": "its pictures are inside a table; save them as files",
    ".zip": "it is a zip inside a zip; upload it by itself",
    ".rar": "only zip is unpacked; pack it as zip",
    ".7z": "only zip is unpacked; pack it as zip",
    ".tar": "only zip is unpacked; pack it as zip",
    ".gz": "only zip is unpacked; pack it as zip",
    ".yaml": "it is a config; import it on New job",
    ".yml": "it is a config; import it on New job",
    ".toml": "it is a config; import it on New job",
}


class _LeftOutError(Exception):
    """A file stays out; the name it is told by, and why."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(reason)
        self.name, self.reason = name, reason


@dataclass(frozen=True)
class Entry:
    """A file that may come in: where it lies, its relative name (ending included), what it is."""

    path: Path
    name: str
    kind: Kind

    @property
    def stem(self) -> str:
        return self.name.rpartition(".")[0]

    @property
    def ending(self) -> str:
        return "." + self.name.rpartition(".")[2]

    @property
    def is_media(self) -> bool:
        return self.kind in ("picture", "clip", "sound")


def is_quiet(name: str) -> bool:
    """What every system leaves behind and nobody misses."""
    parts = name.split("/")
    return any(p.startswith(".") or p == "__MACOSX" for p in parts) or parts[-1].lower() in _QUIET


@dataclass(frozen=True)
class Desk:
    """What sorting needs at hand: a folder for what it ``made``, the findings, and the looks."""

    made: Path
    found: Findings
    looks: Looks


def may_be_read(path: Path) -> bool:
    """Whether a file is small enough to be looked at before it is sorted."""
    return path.stat().st_size <= MOST_PICTURE_BYTES


def sort(path: Path, name: str, desk: Desk) -> Entry | None:
    """What a file is; None with a reason in the findings when it stays out.

    heic and avif are converted; whatever else comes in keeps its bytes.
    """
    try:
        return _entry(path, name, desk)
    except _LeftOutError as error:
        desk.found.leave_out(error.name, error.reason)
        return None


def _entry(path: Path, name: str, desk: Desk) -> Entry:
    size = path.stat().st_size
    if any(part.startswith(_CACHES) for part in name.split("/")):
        raise _LeftOutError(name, "it is a cache of ai-toolkit, which is made anew")
    if size == 0:
        raise _LeftOutError(name, "it is empty (0 bytes)")
    stem, dot, ending = name.rpartition(".")
    stem, ending = (stem, dot + ending.lower()) if stem else (name, "")
    kind, real = content_of(path)
    if kind == "picture":
        return _picture(path, stem, ending, (real, size), desk)
    if ending in _MEANT_AS_PICTURE:
        raise _LeftOutError(name, "its content is no picture")
    if kind == "clip" or ending in telling.VIDEO_ENDINGS:
        if kind != "clip" and ending in (".mp4", ".mov", ".m4v", ".webm", ".mkv"):
            raise _LeftOutError(name, "its content is no clip")
        return Entry(path, stem + (ending if ending in telling.VIDEO_ENDINGS else real), "clip")
    if ending in telling.SOUND_ENDINGS:
        return Entry(path, stem + ending, "sound")
    for endings, most, what in (
        (CAPTION_ENDINGS, MOST_CAPTION_BYTES, "caption"),
        (TABLE_ENDINGS, MOST_TABLE_BYTES, "table"),
    ):
        if ending in endings:
            if size > most:
                raise _LeftOutError(name, f"it is too large for a {what}")
            return Entry(path, stem + ending, what)  # type: ignore[arg-type]
    raise _LeftOutError(name, _KNOWN_OTHERS.get(ending, "it is no picture, clip, sound or caption"))


def _picture(path: Path, stem: str, ending: str, about: tuple[str, int], desk: Desk) -> Entry:
    real, size = about
    name = stem + ending
    if size > MOST_PICTURE_BYTES:
        limit = MOST_PICTURE_BYTES // 1_000_000
        raise _LeftOutError(name, f"it is too large for a picture (more than {limit} MB)")
    if real in (".heic", ".avif"):
        return _converted(path, stem, real, desk)
    seen = desk.looks.of(path, "image")
    if seen["problem"] and "width" not in seen:
        raise _LeftOutError(name, _short(seen["problem"]))
    if seen["problem"]:
        desk.found.note(name, "is torn and would stop a training; it came in as it is")
    same = ending == real or (real == ".jpg" and ending == ".jpeg")
    if not same:
        desk.found.note(name, f"was {real[1:].upper()} inside and is called {real} now")
    return Entry(path, stem + (ending if same else real), "picture")


def _converted(path: Path, stem: str, real: str, desk: Desk) -> Entry:
    """As jpg, or as png where it is transparent: no engine reads heic or avif."""
    name, place = stem + real, desk.made / stem
    while any(place.with_name(place.name + ending).exists() for ending in (".png", ".jpg")):
        place = place.with_name(place.name + "+")  # a.heic beside a.avif
    try:
        target = convert(path, place)
    except pillow.read_errors() as error:
        if is_full(error):
            raise
        raise _LeftOutError(name, _short(in_words(error, path, name))) from error
    how = "jpg (quality 95)" if target.suffix == ".jpg" else "png, since it is transparent"
    desk.found.note(name, f"became {how}")
    desk.looks.of(target, "image")
    return Entry(target, stem + target.suffix, "picture")


def content_of(path: Path) -> tuple[Literal["picture", "clip", ""], str]:
    """What the first bytes say: the kind and its usual ending."""
    with path.open("rb") as file:
        head = file.read(16)
    if head.startswith(b"\xff\xd8\xff"):
        return "picture", ".jpg"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "picture", ".png"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "picture", ".webp"
    if head.startswith(b"BM"):
        return "picture", ".bmp"
    if head[4:8] == b"ftyp":
        brand = head[8:12]
        if brand in _HEIC_BRANDS:
            return "picture", ".heic"
        if brand in _AVIF_BRANDS:
            return "picture", ".avif"
        if brand[:3] not in (b"M4A", b"M4B"):
            return "clip", ".mp4"
    if head.startswith(b"\x1aE\xdf\xa3"):
        return "clip", ".webm"
    if head[4:8] in (b"moov", b"mdat", b"wide", b"free"):
        return "clip", ".mov"
    return "", ""


def _short(problem: str) -> str:
    """One reason for many files: without the name of each."""
    return (
        problem.partition(": ")[0]
        if "cannot identify" not in problem
        else "its content is no picture"
    )
