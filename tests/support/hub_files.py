"""A stand-in for the Hub that serves files: gating, redirects to a storage, cut and slow answers.

As the Hub does, ``resolve`` sends large files on to another host; ``Hub.leaked`` tells whether the
token went along. ``/plain/NAME`` serves the same files to anybody, as any web server does.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import threading
import urllib.parse
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

GOOD_TOKEN = "hf_good"
COMMIT = "c" * 40


class Hub:
    """What it holds and how it misbehaves. ``files``: repository to names and bytes."""

    def __init__(self, files: dict[str, dict[str, bytes]]) -> None:
        self.files = files
        self.asked: list[str] = []
        self.leaked: list[str] = []
        self.logins: list[str] = []
        """What each request said of who asks."""
        self.cuts: list[int] = []
        """The next answers with bytes break off after so many."""
        self.refuses = 0
        """So many answers are 503."""
        self.etag = ""
        """Told of each file in place of its own sum."""
        self.slow = threading.Event()
        self.slow.set()
        """Cleared: bytes stop after the first piece until it is set again."""
        self.plain_headers: dict[str, str] = {}
        self.knows_ranges = True
        self.tells_size = True
        self.url = ""

    def bytes_asked(self) -> list[str]:
        """The ranges of the answers that carried bytes."""
        return [line for line in self.asked if line.startswith("bytes")]


class _Handler(BaseHTTPRequestHandler):
    hub: Hub

    def log_message(self, *_arguments: object) -> None:
        """Say nothing on the terminal."""

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        path = urllib.parse.unquote(urllib.parse.urlsplit(self.path).path)
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        self.hub.asked.append(f"{self.command} {path}")
        self.hub.logins.append(self.headers.get("Authorization", ""))
        if path == "/api/whoami-v2" and self.hub.refuses:
            return self._json({}, 503)
        if path == "/api/whoami-v2":
            return self._json({"name": "anna"}, 200 if token == GOOD_TOKEN else 401)
        if match := re.fullmatch(r"/api/models/([^/]+/[^/]+)(?:/revision/.*)?", path):
            return self._describe(match[1])
        if match := re.fullmatch(r"/([^/]+/[^/]+)/resolve/[^/]+/(.+)", path):
            return self._resolve(match[1], match[2], token)
        if match := re.fullmatch(r"/storage/([^/]+/[^/]+)/(.+)", path):
            self.hub.leaked += [token] if token else []
            return self._bytes(self.hub.files[match[1]][match[2]], {})
        if path.startswith("/plain/"):
            name = path.rsplit("/", 1)[-1]
            found = next((f[name] for f in self.hub.files.values() if name in f), None)
            return (
                self._json({}, 404) if found is None else self._bytes(found, self.hub.plain_headers)
            )
        return self._json({}, 404)

    def _describe(self, repo: str) -> None:
        if repo not in self.hub.files:
            return self._json({}, 404, {"X-Error-Code": "RepoNotFound"})
        names = [{"rfilename": name} for name in self.hub.files[repo]]
        return self._json({"id": repo, "sha": COMMIT, "siblings": names})

    def _resolve(self, repo: str, name: str, token: str) -> None:
        if repo.startswith("gated/") and token != GOOD_TOKEN:
            code = 403 if token else 401
            return self._json({}, code, {"X-Error-Code": "GatedRepo"})
        data = self.hub.files.get(repo, {}).get(name)
        if data is None:
            return self._json({}, 404, {"X-Error-Code": "EntryNotFound"})
        digest = self.hub.etag or hashlib.sha256(data).hexdigest()
        here = self.hub.url.replace("127.0.0.1", "localhost")
        return self._json(
            {}, 302,
            {"X-Repo-Commit": COMMIT, "X-Linked-Etag": f'"{digest}"', "X-Linked-Size": str(len(data)),
             "Location": f"{here}/storage/{repo}/{name}"},
        )  # fmt: skip

    def _bytes(self, data: bytes, headers: dict[str, str]) -> None:
        if self.hub.refuses:
            self.hub.refuses -= 1
            return self._json({}, 503)
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        start = int(wanted[1]) if wanted and self.hub.knows_ranges else 0
        if start > len(data):
            return self._json({}, 416)
        self.hub.asked.append(f"bytes from {start}")
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        if self.hub.tells_size:
            self.send_header("Content-Length", str(len(data) - start))
        for name, value in {"Content-Type": "application/octet-stream", **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return None
        end = len(data)
        if self.hub.cuts:
            end = min(end, start + self.hub.cuts.pop(0))
        with contextlib.suppress(OSError):
            middle = start + (end - start) // 2
            self.wfile.write(data[start:middle])
            self.wfile.flush()
            self.hub.slow.wait(20)
            self.wfile.write(data[middle:end])
        return None

    def _json(self, body: Any, status: int = 200, headers: dict[str, str] | None = None) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(data)


@contextlib.contextmanager
def serve(files: dict[str, dict[str, bytes]]) -> Iterator[Hub]:
    """The Hub on loopback while the block runs."""
    hub = Hub(files)
    handler = type("Handler", (_Handler,), {"hub": hub})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        hub.slow.set()
        server.shutdown()
        server.server_close()
        thread.join()
