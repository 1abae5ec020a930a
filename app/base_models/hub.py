"""Asks the Hugging Face Hub whether a model can really be read, before a job needs it.

A repository's metadata answers 200 even when its files are gated, so a real file is asked for.
"""

from __future__ import annotations

import http.client
import json
import logging
import os
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from app.base_models.cache import WEIGHTS, cache_folder, is_cached
from app.settings import HUB_OFFLINE

log = logging.getLogger(__name__)

TIMEOUT_SECONDS = 10.0
KEEP_SECONDS = 600.0
KEEP_REFUSED_SECONDS = 60.0
KEEP_UNREACHABLE_SECONDS = 15.0
_MOST_BYTES = 32 << 20
_MOST_REDIRECTS = 5
_REDIRECTS = (301, 302, 303, 307, 308)


@dataclass(frozen=True)
class Answer:
    """``ok`` means that it can be read, here or from the Hub; else ``sentence`` says why not.

    ``certain`` is False when the Hub could not be asked, so that the model may well be there.
    """

    ok: bool
    sentence: str = ""
    certain: bool = True

    @property
    def keep(self) -> float:
        """Seconds for which it is not asked again. A licence may be accepted any minute."""
        if self.ok:
            return KEEP_SECONDS
        return KEEP_REFUSED_SECONDS if self.certain else KEEP_UNREACHABLE_SECONDS


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect to the storage is a yes; following it would fetch the weights."""

    def redirect_request(self, *_args: object, **_kwargs: object) -> None:
        return None


_opener = urllib.request.build_opener(_NoRedirect)


class HubChecker:
    """Asks in the background and remembers the answers.

    ``home`` is HF_HOME (None: Hugging Face's own default). HF_HUB_CACHE and a token that was
    stored by logging in count as they do in the trainer, which inherits them.
    """

    def __init__(
        self,
        endpoint: str,
        token: str | Callable[[], str | None] | None,
        home: Path | None,
        *,
        offline: bool = False,
    ) -> None:
        self._endpoint = endpoint.rstrip("/")
        self._offline = offline
        self._token = token if callable(token) else lambda: token
        self._cache = cache_folder(home, os.environ.get("HF_HUB_CACHE"))
        self._stored_token = Path(
            os.path.expanduser(os.environ.get("HF_TOKEN_PATH") or self._cache.parent / "token")
        )
        self._lock = threading.Lock()
        self._answers: dict[tuple[str, str], tuple[float, Answer]] = {}
        self._asking: dict[tuple[str, str], threading.Thread] = {}

    def ask(self, repo: str, file: str = "") -> Answer | None:
        """The answer if it is known; None while it is being asked for. Never waits."""
        return self.wait(repo, 0, file)

    def wait(self, repo: str, seconds: float, file: str = "") -> Answer | None:
        """The answer, waiting at most ``seconds`` for it. ``file`` is one of the repository."""
        if self.is_cached(repo, file):
            return Answer(True)
        key = (repo, file)
        with self._lock:
            at, answer = self._answers.get(key, (0.0, None))
            if answer is not None and time.monotonic() - at < answer.keep:
                return answer
            thread = self._asking.get(key)
            if thread is None:
                thread = threading.Thread(target=self._find_out, args=key, daemon=True)
                self._asking[key] = thread
                thread.start()
        if seconds > 0:
            thread.join(seconds)
        with self._lock:
            return self._answers[key][1] if key in self._answers else None

    def forget(self) -> None:
        """Ask again: the token has changed."""
        with self._lock:
            self._answers.clear()

    @property
    def cache(self) -> Path:
        """The folder of the Hugging Face cache."""
        return self._cache

    def is_cached(self, repo: str, file: str = "") -> bool:
        """Whether it lies in the cache, as far as its folders tell."""
        return is_cached(self._cache, repo, file)

    def _find_out(self, repo: str, file: str) -> None:
        try:
            answer = self._question(repo, file)
        except Exception as error:
            log.exception("asking the Hub for %s failed", repo)
            answer = Answer(False, f"Asking the Hub for {repo} failed: {error}.", certain=False)
        with self._lock:
            self._answers[repo, file] = (time.monotonic(), answer)
            self._asking.pop((repo, file), None)

    def _question(self, repo: str, file: str) -> Answer:
        if self._offline:
            told = f"{repo} is not on this machine. {HUB_OFFLINE} Or name a file or folder."
            return Answer(False, told, certain=False)
        token = self._token() or self._read_token()
        try:
            wanted = file or _real_file(self._files(repo, token))
            self._get(f"/{repo}/resolve/main/{urllib.parse.quote(wanted)}", "HEAD", token)
        except urllib.error.HTTPError as error:
            return _refused(repo, file, error, token)
        except (OSError, http.client.HTTPException, ValueError) as error:
            why = getattr(error, "reason", None) or error
            return Answer(
                False,
                f"The Hub could not be reached to look for {repo} ({why}). Check the network, or name a local path.",
                certain=False,
            )
        return Answer(True)

    def _read_token(self) -> str | None:
        try:
            return self._stored_token.read_text("utf-8").strip() or None
        except (OSError, ValueError):
            return None

    def _files(self, repo: str, token: str | None) -> list[str]:
        """Names of the repository's files. Raises ValueError if the answer is not the Hub's."""
        listing = json.loads(self._get(f"/api/models/{repo}", "GET", token))
        if not isinstance(listing, dict):
            raise ValueError("its answer is no description of a model")
        return [
            str(item["rfilename"])
            for item in listing.get("siblings") or []
            if isinstance(item, dict) and "rfilename" in item
        ]

    def _get(self, path: str, method: str, token: str | None) -> bytes:
        """Ask the Hub, along redirects within it: a model may have been renamed."""
        url = f"{self._endpoint}{path}"
        for _ in range(_MOST_REDIRECTS):
            request = urllib.request.Request(url, method=method)
            if token:
                request.add_unredirected_header("Authorization", f"Bearer {token}")
            try:
                with _opener.open(request, timeout=TIMEOUT_SECONDS) as response:
                    body: bytes = response.read(_MOST_BYTES)
                    return body
            except urllib.error.HTTPError as error:
                error.close()
                if error.code not in _REDIRECTS:
                    raise
                target = urllib.parse.urljoin(url, error.headers.get("Location") or "")
            if _host(target) != _host(url):
                return b""  # to the storage
            url = target
        raise ValueError(f"it sends from one address to the next ({url})")


def _host(url: str) -> tuple[str, str]:
    parts = urllib.parse.urlsplit(url)
    return parts.scheme, parts.netloc


def _refused(repo: str, file: str, error: urllib.error.HTTPError, token: str | None) -> Answer:
    code = error.headers.get("X-Error-Code") or ""
    told = error.headers.get("X-Error-Message") or ""
    if error.code == 404 and (code == "EntryNotFound" or (file and code != "RepoNotFound")):
        what = f"no file {file}" if file else "no file to train from"
        return Answer(False, f"{repo} holds {what}. Look at its page on the Hub.")
    if code == "RepoNotFound" or error.code == 404:
        private = "" if token else " (or it is private, and no HF_TOKEN is set)"
        return Answer(
            False,
            f"There is no model {repo} on the Hub{private}. Check the spelling: owner/name.",
        )
    if error.code == 401 and token and ("credential" in told.lower() or "token" in told.lower()):
        return Answer(False, "The Hub does not know this HF_TOKEN. Set a valid one.")
    if error.code in (401, 403):
        why = "this HF_TOKEN may not read it" if token else "no HF_TOKEN is set"
        kind = "gated" if code == "GatedRepo" else "gated, private or missing"
        return Answer(
            False,
            f"{repo} is {kind}, and {why}. Accept its licence at its page on the Hub, "
            "and set HF_TOKEN or a token on the Models page.",
        )
    return Answer(
        False, f"The Hub answered {error.code} for {repo}. Try again later.", certain=False
    )


def _real_file(files: list[str]) -> str:
    """A file worth asking for: weights if there are any, since those are what is gated."""
    return next((f for f in files if f.endswith(WEIGHTS)), files[0] if files else "config.json")
