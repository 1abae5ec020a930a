"""One caption: the text beside a picture, its tags, its version, and how it is written."""

from __future__ import annotations

import codecs
import hashlib
import os
from pathlib import Path

from app.errors import UserError

LONGEST = 64 * 1024
"""Characters of one caption; what is longer is no caption."""
NONE = "none"
"""The version of a caption that does not exist."""
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"),
)  # fmt: skip
"""What a text may begin with; the longer ones first, since one begins with another."""


def tidy(text: str) -> str | None:
    """What a person typed, as it is stored; None, no file at all, where nothing is left.

    A caption file without content ends a whole run of sd-scripts, so none is ever written.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")
    if len(text) > LONGEST:
        raise UserError(f"A caption has at most {LONGEST} characters; this has {len(text)}.")
    return text.rstrip() if text.strip() else None


def version_of(text: str | None) -> str:
    """Names one state of a caption: two texts with the same version are the same text."""
    if text is None:
        return NONE
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def tags_of(caption: str | None) -> list[str]:
    """The parts between commas, without the blanks around them."""
    # filter and map run in C: ten thousand captions are split for one page.
    return list(filter(None, map(str.strip, caption.split(",")))) if caption else []


def read(path: Path) -> str | None:
    """The text of a caption file; None if there is none. Raises UserError if it is no text."""
    try:
        return path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        return None
    except UnicodeDecodeError as error:
        raise UserError(
            f"{path.name} is not UTF-8 text. Save it as UTF-8, or delete it in the health report."
        ) from error
    except OSError as error:
        raise UserError(
            f"The caption {path.name} cannot be read: {error.strerror}. Look at the dataset's folder."
        ) from error


def guess(data: bytes) -> tuple[str, bool]:
    """The text of some bytes, and whether they are plain UTF-8 that can be taken as they are."""
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return data.decode(encoding, "replace"), False
    for place, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):
        # Without a mark: every other byte of Western text is nothing.
        if 2 * data[place::2].count(0) > len(data[place::2]):
            return data.decode(encoding, "replace"), False
    for encoding, plain in (("utf-8", True), ("utf-8-sig", False)):
        if plain and data.startswith(b"\xef\xbb\xbf"):
            continue
        try:
            return data.decode(encoding), plain
        except UnicodeDecodeError:
            continue
    return data.decode("cp1252", "replace"), False


def write(path: Path, text: str | None, *, durable: bool = True) -> None:
    """Put ``text`` there in one step, so that a reader sees the old caption or the new one whole.

    None deletes the file. A link is written through, not replaced. Who writes thousands asks for
    ``durable`` once at the end (os.sync), not for each.
    """
    if text is None:
        path.unlink(missing_ok=True)
        return
    target = path.resolve() if path.is_symlink() else path
    # A hidden name of this process: the walk and both engines leave it out.
    temporary = target.with_name(f".{target.name}.{os.getpid()}.new")
    try:
        with temporary.open("w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            if durable:
                os.fsync(file.fileno())
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)
