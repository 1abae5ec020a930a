"""Fetches one file over HTTP into a part file, going on where an earlier try was cut.

The part file is all that it needs to go on: its length says how far it came.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import re
import shutil
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app import addresses
from app.errors import UserError
from app.tasks import RetryLaterError

TIMEOUT_SECONDS = 30.0
_CHUNK = 1 << 20
_LOOK_AT_DISK = 64 << 20
_PATIENCE = 4
"""So many cut connections in a row that brought nothing, before the work is put off."""
_BUSY = (408, 425, 429, 500, 502, 503, 504)


@dataclass(frozen=True)
class Source:
    """Where a file comes from. ``token`` is shown to the host of ``url`` alone."""

    url: str
    token: str | None = None
    size: int | None = None
    etag: str = ""
    """Of the file that the part belongs to: a server with another one sends all of it anew."""


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows to web addresses only; the token goes along within one host, never to another."""

    def redirect_request(self, req: Any, *rest: Any) -> Any:
        new = super().redirect_request(req, *rest)
        newurl = rest[-1]
        if urllib.parse.urlsplit(newurl).scheme not in ("http", "https"):
            raise UserError(addresses.NO_WEB)
        kept = req.unredirected_hdrs.get("Authorization")
        if new is not None and kept and _host(newurl) == _host(req.full_url):
            new.add_unredirected_header("Authorization", kept)
        return new


def _host(url: str) -> tuple[str, str]:
    parts = urllib.parse.urlsplit(url)
    return parts.scheme, parts.netloc


_opener = urllib.request.build_opener(_Redirects)


def ask(source: Source, start: int = 0) -> Any:
    """An open answer, from byte ``start`` on where the server can. Raises what HTTP raises."""
    parts = addresses.read(source.url)
    request = urllib.request.Request(
        parts._replace(netloc=addresses.host(parts)).geturl(),
        headers={"User-Agent": "vast-lora", "Accept-Encoding": "identity"},
    )
    if login := _login(source, parts):
        request.add_unredirected_header("Authorization", login)
    if start:
        request.add_header("Range", f"bytes={start}-")
        if source.etag:
            request.add_header("If-Range", source.etag)
    return _opener.open(request, timeout=TIMEOUT_SECONDS)


def _login(source: Source, parts: urllib.parse.SplitResult) -> str:
    """For the header that tells who asks: the token, or what stands before the ``@`` of the address."""
    if source.token:
        return f"Bearer {source.token}"
    told = parts.netloc.rpartition("@")[0]
    return f"Basic {base64.b64encode(urllib.parse.unquote(told).encode()).decode()}" if told else ""


def begin(url: str) -> Any:
    """The answer from byte 0, with what it tells of the file. Raises UserError or RetryLaterError."""
    try:
        return ask(Source(url))
    except urllib.error.HTTPError as error:
        error.close()
        kind = RetryLaterError if error.code in _BUSY else UserError
        raise kind(refusal(error.code, url)) from error
    except (OSError, http.client.HTTPException) as error:
        why = getattr(error, "reason", None) or error
        raise RetryLaterError(f"{_place(url)} does not answer ({why}).") from error


def tag_of(headers: Mapping[str, str]) -> str:
    """What tells this file from a later one at the same address; empty where nothing does."""
    tag = headers.get("ETag") or ""
    # A weak one does not promise the same bytes.
    return (headers.get("Last-Modified") or "") if not tag or tag.startswith("W/") else tag


def fetch(
    source: Source, part: Path, told: Callable[[int], None], *, reserve: int, opened: Any = None
) -> int:
    """Bring ``part`` to its full length and return that.

    ``told`` hears how long it is; ``reserve`` bytes of the disk stay free; ``opened`` is an answer
    from byte 0 that was asked for already. Raises UserError, or RetryLaterError where later may help.
    """
    idle, why = 0, "does not answer, or cuts the connection"
    while True:
        before = part.stat().st_size if part.exists() else 0
        if source.size is not None and before >= source.size:
            if before == source.size:
                part.touch()  # of an empty file nothing ever arrives
                return before
            part.unlink()
            before = 0
        try:
            answer, opened = opened or ask(source, before), None
            with contextlib.closing(answer):
                if _take(answer, source, part, told, reserve):
                    return part.stat().st_size
        except urllib.error.HTTPError as error:
            _refused(error, source, part)
            why = f"answered {error.code} again and again"
        except (
            http.client.HTTPException,
            ConnectionError,
            TimeoutError,
            urllib.error.URLError,
        ) as error:
            print(f"cut: {error}", flush=True)  # into the log of the work; it goes on below
        now = part.stat().st_size if part.exists() else 0
        idle = 0 if now > before else idle + 1
        if idle >= _PATIENCE:
            raise RetryLaterError(f"{_place(source.url)} {why}. What arrived is kept.")
        time.sleep(min(0.2 * 2**idle, 2.0))


def _refused(error: urllib.error.HTTPError, source: Source, part: Path) -> None:
    """Raises UserError unless another try may help."""
    error.close()
    if error.code == 416:
        part.unlink(missing_ok=True)  # longer than the file: it belongs to another one
    elif error.code not in _BUSY:
        raise UserError(refusal(error.code, source.url)) from error


def _take(
    answer: Any, source: Source, part: Path, told: Callable[[int], None], reserve: int
) -> bool:
    """Write what arrives; whether it arrived whole."""
    start = _start(answer)
    if start not in (0, part.stat().st_size if part.exists() else 0):
        raise ConnectionError("it sent another piece than the one asked for")
    total = source.size if source.size is not None else length(answer.headers, start)
    mode = "r+b" if start and part.exists() else "wb"
    with part.open(mode) as file:
        file.seek(start)
        file.truncate()
        done, looked = start, -_LOOK_AT_DISK
        while block := answer.read1(_CHUNK):
            if done - looked >= _LOOK_AT_DISK:
                looked = done
                need_room(part.parent, len(block), reserve)
            file.write(block)
            done += len(block)
            told(done)
    if total is not None and done > total:
        part.unlink()
        raise UserError(
            f"More arrived than the {total} bytes that were announced; it was thrown away. "
            "Press Go on to fetch it anew."
        )
    return total is None or done == total


def _start(answer: Any) -> int:
    """Where the answer begins: a server that knows no ranges sends all of it again."""
    if answer.status != 206:
        return 0
    found = re.match(r"bytes (\d+)-", answer.headers.get("Content-Range") or "")
    return int(found[1]) if found else -1


def length(headers: Mapping[str, str], start: int = 0) -> int | None:
    """Length of the whole file, where the server tells."""
    text = headers.get("Content-Length") or ""
    return start + int(text) if text.isdigit() else None


def need_room(folder: Path, wanted: int, reserve: int) -> None:
    """Raises UserError where ``wanted`` more bytes would leave less than ``reserve`` free."""
    free = shutil.disk_usage(folder).free
    if free - wanted < reserve:
        raise UserError(
            f"The disk has {free / 1e9:.1f} GB free and {wanted / 1e9:.1f} GB are needed, with "
            f"{reserve / 1e9:.1f} GB kept free for running jobs. Delete something, then go on: "
            "what arrived is kept."
        )


def _place(url: str) -> str:
    return addresses.host(addresses.read(url))


def refusal(code: int, url: str) -> str:
    """Why a server said no, for a person; never with the query, which may hold a key."""
    place = addresses.shown(addresses.read(url)).partition("//")[2]
    if 300 <= code < 400:
        return f"{place} sends on to another kind of address. {addresses.NO_WEB}"
    if code in (401, 403):
        return (
            f"{place} may not be read ({code}). It may need a token, or a licence to be accepted."
        )
    if code in (404, 410):
        return f"There is nothing at {place} ({code}). Check the address."
    return f"{place} answered {code}. Try again later."


__all__ = ["Source", "ask", "begin", "fetch", "length", "need_room", "refusal", "tag_of"]
