"""Looks at one picture or caption, and remembers what it showed by its time and size."""

from __future__ import annotations

import errno
import re
import threading
from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from app import pillow
from app.datasets.walking import File

if TYPE_CHECKING:
    from PIL import Image

MOST_REMEMBERED = 100_000
_SIDEWAYS = (5, 6, 7, 8)
_ORIENTATION = 0x0112
_TURNED_FORMATS = ("JPEG", "WEBP", "MPO")
_ALPHA_MODES = ("RGBA", "LA", "PA", "La", "RGBa")

_IN_MEMORY = re.compile(r"<_io\.BytesIO object at 0x\w+>")


def is_full(error: BaseException) -> bool:
    """Whether the disk took no more, which is nothing that a picture is to blame for."""
    return getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class Seen(NamedTuple):
    """What a file showed. ``turned``: its orientation tag lays it on its side.

    ``thorough`` is True when all of it was read, not the header alone.
    """

    mtime_ns: int
    size: int
    width: int = 0
    height: int = 0
    turned: bool = False
    problem: str = ""
    thorough: bool = False
    format: str = ""
    transparent: bool = False


class Memory:
    """What the files of the latest folders showed; the oldest folders are forgotten."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._folders: OrderedDict[Path, dict[str, Seen]] = OrderedDict()

    def recall(self, folder: Path) -> dict[str, Seen]:
        """By name, a copy."""
        with self._lock:
            return dict(self._folders.get(folder, {}))

    def keep(self, folder: Path, seen: dict[str, Seen]) -> None:
        """Remember these, and nothing else, of the folder."""
        with self._lock:
            self._folders[folder] = seen
            self._folders.move_to_end(folder)
            while len(self._folders) > 1 and self._count() > MOST_REMEMBERED:
                self._folders.popitem(last=False)

    def _count(self) -> int:
        return sum(map(len, self._folders.values()))


def is_known(file: File, seen: Seen | None, *, thorough: bool) -> bool:
    """Whether looking at the file again would tell nothing new."""
    if seen is None or (seen.mtime_ns, seen.size) != (file.mtime_ns, file.size):
        return False
    return seen.thorough or not thorough or bool(seen.problem)


def see_picture(root: Path, file: File, *, thorough: bool) -> Seen:
    """Read a picture's header or, ``thorough``, all of it."""
    seen = Seen(file.mtime_ns, file.size, thorough=thorough)
    if file.size == 0:
        return seen._replace(problem="it is empty (0 bytes)")
    path = root / file.name
    try:
        with pillow.Image.open(path) as image:
            shown = seen._replace(**facts_of(image))
            if thorough:
                # A JPEG drawn small is read to its end as well, at half the cost.
                image.draft("RGB", (image.width // 8 or 1, image.height // 8 or 1))
                image.load()
    except pillow.read_errors() as error:
        return seen._replace(problem=in_words(error, path, file.name))
    return shown


def facts_of(image: Image.Image) -> dict[str, Any]:
    """What the header of an opened picture says."""
    turned = image.format in _TURNED_FORMATS and image.getexif().get(_ORIENTATION) in _SIDEWAYS
    return {
        "width": image.width, "height": image.height, "turned": turned,
        "format": image.format or "",
        "transparent": image.mode in _ALPHA_MODES or "transparency" in image.info,
    }  # fmt: skip


def in_words(error: Exception, path: Path, name: str) -> str:
    """What Pillow says about a broken file, with its name in place of its path."""
    if isinstance(error, pillow.Image.DecompressionBombError):
        return "it declares more pixels than any real picture has, so it is not opened"
    text = str(getattr(error, "strerror", None) or error).replace(str(path), name)
    text = _IN_MEMORY.sub(repr(name), text)
    return text[:160] or "it cannot be read"


def see_caption(root: Path, file: File) -> Seen:
    """Read a caption, which has to be UTF-8."""
    seen = Seen(file.mtime_ns, file.size, thorough=True)
    try:
        (root / file.name).read_text("utf-8")
    except UnicodeDecodeError:
        return seen._replace(problem="it is not UTF-8")
    except OSError as error:
        return seen._replace(problem=error.strerror or "it cannot be read")
    return seen
