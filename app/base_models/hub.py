"""Asks the Hugging Face Hub whether a model can really be read, before a job needs it.

A repository's metadata answers 200 even when its files are gated, so a real file is asked for.
"""

from __future__ import annotations

import json
import os
import threading
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

TIMEOUT_SECONDS = 10.0
KEEP_SECONDS = 600.0
KEEP_UNREACHABLE_SECONDS = 15.0
_REDIRECTS = (301, 302, 303, 307, 308)
_WEIGHTS = (".safetensors", ".bin", ".ckpt", ".pt", ".gguf")


@dataclass(frozen=True)
class Answer:
    """``ok`` means that it can be read, here or from the Hub; else ``sentence`` says why not."""

    ok: bool
    sentence: str = ""
    certain: bool = True


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect to the storage is a yes; following it would fetch the weights."""

    def redirect_request(self, *_args: object, **_kwargs: object) -> None:
        return None


_opener = urllib.request.build_opener(_NoRedirect)


class HubChecker:
    """Asks in the background and remembers the answers."""

    def __init__(self, endpoint: str, token: str | None, home: Path | None) -> None:
        self._endpoint, self._token = endpoint, token
        self._cache = (home or Path("~/.cache/huggingface").expanduser()) / "hub"
        if os.environ.get("HF_HUB_CACHE"):
            self._cache = Path(os.environ["HF_HUB_CACHE"])
        self._lock = threading.Lock()
        self._answers: dict[str, tuple[float, Answer]] = {}
        self._asking: dict[str, threading.Thread] = {}

    def ask(self, repo: str) -> Answer | None:
        """The answer if it is known; None while it is being asked for. Never waits."""
        return self.wait(repo, 0)

    def wait(self, repo: str, seconds: float) -> Answer | None:
        """The answer, waiting at most ``seconds`` for it."""
        if self.is_cached(repo):
            return Answer(True)
        with self._lock:
            at, answer = self._answers.get(repo, (0.0, None))
            keep = (
                KEEP_SECONDS if answer is not None and answer.certain else KEEP_UNREACHABLE_SECONDS
            )
            if answer is not None and time.monotonic() - at < keep:
                return answer
            thread = self._asking.get(repo)
            if thread is None:
                thread = threading.Thread(target=self._find_out, args=(repo,), daemon=True)
                self._asking[repo] = thread
                thread.start()
        if seconds > 0:
            thread.join(seconds)
        with self._lock:
            return self._answers[repo][1] if repo in self._answers else None

    def is_cached(self, repo: str) -> bool:
        """Whether a whole snapshot of it lies in the cache (as far as its folder tells)."""
        folder = self._cache / f"models--{repo.replace('/', '--')}"
        if any((folder / "blobs").glob("*.incomplete")):
            return False
        return any(
            path.is_dir() and any(path.iterdir()) for path in (folder / "snapshots").glob("*")
        )

    def _find_out(self, repo: str) -> None:
        answer = self._question(repo)
        with self._lock:
            self._answers[repo] = (time.monotonic(), answer)
            self._asking.pop(repo, None)

    def _question(self, repo: str) -> Answer:
        if os.environ.get("HF_HUB_OFFLINE", "").lower() in ("1", "true", "yes", "on"):
            return Answer(
                False,
                f"{repo} is not in the cache, and HF_HUB_OFFLINE forbids a download. Unset it, or name a local path.",
                certain=False,
            )
        try:
            listing = json.loads(self._get(f"{self._endpoint}/api/models/{repo}", "GET"))
            files = [str(item["rfilename"]) for item in listing.get("siblings", [])]
            self._get(f"{self._endpoint}/{repo}/resolve/main/{_real_file(files)}", "HEAD")
        except urllib.error.HTTPError as error:
            return self._refused(repo, error.code)
        except (OSError, ValueError, KeyError) as error:
            return Answer(
                False,
                f"The Hub could not be reached to look for {repo} ({error}). Check the network, or name a local path.",
                certain=False,
            )
        return Answer(True)

    def _get(self, url: str, method: str) -> bytes:
        request = urllib.request.Request(url, method=method)
        if self._token:
            request.add_unredirected_header("Authorization", f"Bearer {self._token}")
        try:
            with _opener.open(request, timeout=TIMEOUT_SECONDS) as response:
                body: bytes = response.read()
                return body
        except urllib.error.HTTPError as error:
            if error.code in _REDIRECTS:
                return b""
            raise

    def _refused(self, repo: str, status: int) -> Answer:
        if status in (401, 403):
            what = "this HF_TOKEN may not read it" if self._token else "no HF_TOKEN is set"
            return Answer(
                False,
                f"{repo} is gated, private or missing, and {what}. Accept its licence on the Hub and set HF_TOKEN.",
            )
        if status == 404:
            return Answer(
                False, f"There is no model {repo} on the Hub. Check the spelling: owner/name."
            )
        return Answer(
            False, f"The Hub answered {status} for {repo}. Try again later.", certain=False
        )


def _real_file(files: list[str]) -> str:
    """A file worth asking for: weights if there are any, since those are what is gated."""
    return next((f for f in files if f.endswith(_WEIGHTS)), files[0] if files else "config.json")
