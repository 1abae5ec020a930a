"""Zips as people and attackers make them."""

from __future__ import annotations

import io
import stat
import zipfile
from collections.abc import Mapping
from pathlib import Path

from PIL import Image


def picture(colour: int = 0, kind: str = "PNG", size: tuple[int, int] = (64, 48)) -> bytes:
    """The bytes of a small picture."""
    out = io.BytesIO()
    Image.new("RGB", size, (colour % 256, 40, 90)).save(out, kind)
    return out.getvalue()


def zip_of(members: Mapping[str, bytes | str]) -> bytes:
    """A zip of these; a name that ends with ``@`` is a link."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            info = zipfile.ZipInfo(name.rstrip("@"))
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = (
                (stat.S_IFLNK if name.endswith("@") else stat.S_IFREG) | 0o644
            ) << 16
            archive.writestr(info, data)
    return out.getvalue()


def encrypted(data: bytes) -> bytes:
    """The same zip with the mark of encryption on every member."""
    raw = bytearray(data)
    for signature, offset in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        at = raw.find(signature)
        while at >= 0:
            raw[at + offset] |= 1
            at = raw.find(signature, at + 4)
    return bytes(raw)


def overlapping(count: int = 50) -> bytes:
    """Many members that are one: each entry of the directory points at the first file."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("0.png", picture() + b"\0" * 200_000)
        first = archive.infolist()[0]
        for index in range(1, count):
            twin = zipfile.ZipInfo(f"{index}.png")
            for name in (
                "compress_type",
                "CRC",
                "compress_size",
                "file_size",
                "header_offset",
                "flag_bits",
            ):
                setattr(twin, name, getattr(first, name))
            archive.filelist.append(twin)
            archive.NameToInfo[twin.filename] = twin
    return out.getvalue()


def tree(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, hidden ones too, by relative name."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
