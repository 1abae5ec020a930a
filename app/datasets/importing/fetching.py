"""Downloads one file from an address into the folder of an import; what was cut goes on where it stopped."""

from __future__ import annotations

import json
from email.message import Message
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from app import addresses, transfer
from app.datasets import naming
from app.tasks import Work

_RESERVE = 256 * 1024 * 1024


def fetch(work: Work, folder: Path) -> Path:
    """The file at the address that ``work`` names, in ``folder`` under the name the server gives it."""
    folder.mkdir(exist_ok=True)
    whole = next((p for p in folder.iterdir() if p.name not in ("body", "about.json")), None)
    if whole is not None:
        return whole
    url = addresses.whole(work.settings, work.arguments)
    body, about = folder / "body", folder / "about.json"
    known, opened = _known(body, about), None
    if known is None:
        opened = transfer.begin(url)
        known = {
            "name": _name(opened.headers, opened.geturl()),
            "size": transfer.length(opened.headers),
            "tag": transfer.tag_of(opened.headers),
        }
        about.write_text(json.dumps(known))
        body.unlink(missing_ok=True)
    name, size = str(known["name"]), known["size"]
    have = body.stat().st_size if body.exists() else 0
    transfer.need_room(folder, (size or 0) - have, _RESERVE)
    transfer.fetch(
        transfer.Source(url, None, size, str(known["tag"])),
        body,
        lambda done: work.progress(done, size, f"downloading {name}", unit="bytes"),
        reserve=_RESERVE,
        opened=opened,
    )
    return body.rename(folder / name)


def _known(body: Path, about: Path) -> dict[str, Any] | None:
    """What an earlier try was told of the file that it began; None where nothing says that it is the same."""
    try:
        known: dict[str, Any] = json.loads(about.read_text())
    except (FileNotFoundError, ValueError):
        return None
    return known if known.get("tag") and "size" in known and body.exists() else None


def _name(headers: Message, url: str) -> str:
    """As the server calls it, else the end of the address; never more than a plain name."""
    told = headers.get_filename() or unquote(urlsplit(url).path.rpartition("/")[2]) or "download"
    name = (naming.file_name(told.rpartition("/")[2]) or "download").lstrip(".")
    if headers.get_content_type() == "application/zip" and not name.lower().endswith(".zip"):
        name += ".zip"
    return name if name not in ("body", "about.json", "") else f"file-{name}"
