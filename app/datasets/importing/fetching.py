"""Downloads one file from an address; a cut download goes on where it stopped."""

from __future__ import annotations

import http.client
import json
import re
import shutil
import urllib.error
import urllib.request
from email.message import Message
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from app.datasets import naming
from app.errors import UserError
from app.tasks import RetryLaterError, Work

_BLOCK = 1 << 20
_RESERVE = 256 * 1024 * 1024
_TIMEOUT = 30.0
_AGENT = "vast-lora-platform"
_STRANGE = "The address leads to one that is neither http nor https; it is not followed."


def fetch(work: Work, folder: Path) -> Path:
    """The file that ``work`` names by its ``url``, in ``folder`` under the name the server gives it."""
    folder.mkdir(exist_ok=True)
    whole = next((p for p in folder.iterdir() if p.name not in ("body", "about.json")), None)
    if whole is not None:
        return whole
    url = work.arguments["url"]
    body, about = folder / "body", folder / "about.json"
    here = body.stat().st_size if body.exists() else 0
    known = json.loads(about.read_text()) if about.exists() else {}
    if here and not known.get("tag"):
        here = 0  # nothing says that it is still the same file
    try:
        with _open(url, here, known.get("tag", "")) as answer:
            _receive(work, answer, body, about, here)
    except urllib.error.HTTPError as error:
        raise _refused(url, error) from error
    except (OSError, http.client.HTTPException) as error:
        network = isinstance(
            error,
            urllib.error.URLError | ConnectionError | TimeoutError | http.client.HTTPException,
        )
        if not network and getattr(error, "errno", None) is not None:
            raise
        raise RetryLaterError(
            f"The connection to {urlsplit(url).netloc} was cut: {_why(error)}."
        ) from error
    named = folder / str(json.loads(about.read_text())["name"])
    body.rename(named)
    return named


def _open(url: str, here: int, tag: str) -> http.client.HTTPResponse:
    """http and https only, also after a redirect."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler, urllib.request.UnknownHandler, urllib.request.HTTPHandler,
        urllib.request.HTTPSHandler, urllib.request.HTTPDefaultErrorHandler, _Redirects,
        urllib.request.HTTPErrorProcessor,
    ):  # fmt: skip
        opener.add_handler(handler())
    request = urllib.request.Request(
        url, headers={"User-Agent": _AGENT, "Accept-Encoding": "identity"}
    )
    if here:
        request.add_header("Range", f"bytes={here}-")
        request.add_header("If-Range", tag)
    answer: http.client.HTTPResponse = opener.open(request, timeout=_TIMEOUT)
    return answer


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows to http and https only. The range that was asked for goes along by itself."""

    def redirect_request(self, *given: Any) -> Any:
        if urlsplit(given[-1]).scheme not in ("http", "https"):
            raise UserError(_STRANGE)
        return super().redirect_request(*given)


def _receive(
    work: Work, answer: http.client.HTTPResponse, body: Path, about: Path, here: int
) -> None:
    """Write what comes. Raises RetryLaterError when less comes than was said."""
    if answer.status != 206:
        here = 0  # another file by now, or a server without ranges: all of it
    length = answer.headers.get("Content-Length")
    total = here + int(length) if length and length.isdigit() else None
    _check_room(body.parent, (total or 0) - here)
    tag = answer.headers.get("ETag", "")
    tag = answer.headers.get("Last-Modified", "") if tag.startswith("W/") or not tag else tag
    name = _name(answer.headers, answer.geturl())
    about.write_text(json.dumps({"tag": tag, "name": name}))
    with body.open("ab" if here else "wb") as out:
        while block := answer.read(_BLOCK):
            out.write(block)
            here += len(block)
            work.progress(here, total, f"downloading {name}", unit="bytes")
            if total is None:
                _check_room(body.parent, 0)
    if total is not None and here < total:
        raise RetryLaterError(f"The download broke off after {here} of {total} bytes.")


def _check_room(folder: Path, missing: int) -> None:
    free = shutil.disk_usage(folder).free
    if missing + _RESERVE > free:
        raise UserError(
            f"The file needs {missing / 1e9:.1f} GB, and {free / 1e9:.1f} GB of disk are free. "
            "Free some, then press Go on."
        )


def _name(headers: Message, url: str) -> str:
    """As the server calls it, else the end of the address; never more than a plain name."""
    told = headers.get_filename() or unquote(urlsplit(url).path.rpartition("/")[2]) or "download"
    name = (naming.file_name(told.rpartition("/")[2]) or "download").lstrip(".")
    if headers.get_content_type() == "application/zip" and not name.lower().endswith(".zip"):
        name += ".zip"
    return name if name not in ("body", "about.json", "") else f"file-{name}"


def _refused(url: str, error: urllib.error.HTTPError) -> Exception:
    host = urlsplit(url).netloc
    if error.code in (301, 302, 303, 307, 308):
        return UserError(_STRANGE)
    if error.code in (429, 500, 502, 503, 504):
        return RetryLaterError(f"{host} is busy (status {error.code}).")
    words = {401: "it wants a login", 403: "it is not allowed", 404: "there is nothing at the address",
             416: "it changed meanwhile; press Go on"}  # fmt: skip
    return UserError(f"{host} answered {error.code}: {words.get(error.code, error.reason)}.")


def _why(error: Exception) -> str:
    return re.sub(
        r"\s+", " ", str(getattr(error, "reason", None) or error or type(error).__name__)
    )[:200]
