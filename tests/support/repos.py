"""A stand-in for the Hub that takes uploads: create, pre-upload, LFS, commit, tree. On loopback.

Files lie in memory, by repository and path. ``cut_next`` closes connections without an answer,
``spoil`` changes a byte of what arrives.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

COMMIT = "a" * 40
TOKEN = "hf_writer"
_LARGE = 1000


class Repos:
    """What lies on the stand-in, and what goes wrong with it."""

    def __init__(self) -> None:
        self.files: dict[str, dict[str, bytes]] = {}
        self.private: dict[str, bool] = {}
        self.blobs: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.cut_next = 0
        self.spoil = ""
        self.address = ""


class _Handler(BaseHTTPRequestHandler):
    repos: Repos
    protocol_version = "HTTP/1.1"
    # Else each answer waits 40 ms for the acknowledgement of its head.
    disable_nagle_algorithm = True

    def log_message(self, *_arguments: object) -> None:
        """Say nothing on the terminal."""

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def do_PUT(self) -> None:
        self._answer()

    def _answer(self) -> None:
        path = self.path.split("?")[0]
        body = self._body()
        self.repos.asked.append(f"{self.command} {path}")
        if self.repos.cut_next and (self.command == "PUT" or "/commit/" in path):
            self.repos.cut_next -= 1
            self.close_connection = True
            self.connection.shutdown(2)
            return
        if not path.startswith("/_lfs") and self.headers["Authorization"] != f"Bearer {TOKEN}":
            self._say({"error": "Invalid credentials"}, 401)
            return
        self._say(*self._route(path, body))

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def _say(self, answer: Any, status: int = 200) -> None:
        data = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def _route(self, path: str, body: bytes) -> tuple[Any, int]:
        repos = self.repos
        if path == "/api/repos/create":
            asked = json.loads(body)
            repo = f"{asked.get('organization') or 'me'}/{asked['name']}"
            repos.files.setdefault(repo, {})
            repos.private[repo] = asked.get("private") or asked.get("visibility") == "private"
            return {"url": f"{repos.address}/{repo}", "id": repo, "name": repo}, 200
        if path == "/api/whoami-v2":
            return {"name": "me", "type": "user", "orgs": []}, 200
        if path == "/api/validate-yaml":
            return {"errors": [], "warnings": []}, 200
        if match := re.fullmatch(r"/_lfs/(\w+)", path):
            repos.blobs[match[1]] = body
            return {}, 200
        if path.endswith("/info/lfs/objects/batch"):
            return self._batch(json.loads(body)), 200
        if match := re.fullmatch(r"/api/models/([^/]+/[^/]+)(?:/(\w+)/.*)?", path):
            return self._repo(match[1], match[2] or "", body)
        return {"error": "not served"}, 404

    def _batch(self, asked: dict[str, Any]) -> dict[str, Any]:
        upload = f"{self.repos.address}/_lfs/"
        objects = [
            {**o, "actions": {"upload": {"href": upload + o["oid"], "header": {}}}}
            if o["oid"] not in self.repos.blobs else o
            for o in asked["objects"]
        ]  # fmt: skip
        return {"transfer": "basic", "objects": objects}

    def _repo(self, repo: str, verb: str, body: bytes) -> tuple[Any, int]:
        files = self.repos.files.get(repo)
        if files is None:
            return {"error": "RepoNotFound"}, 404
        if verb == "preupload":
            modes = [
                {"path": f["path"], "shouldIgnore": False,
                 "uploadMode": "lfs" if f["size"] > _LARGE else "regular"}
                for f in json.loads(body)["files"]
            ]  # fmt: skip
            return {"files": modes, "commitOid": COMMIT}, 200
        if verb == "commit":
            self._commit(files, body)
            return {"success": True, "commitOid": COMMIT, "commitUrl": f"{self.repos.address}/{repo}/commit/{COMMIT}",
                    "hookOutput": "", "pullRequestUrl": None}, 200  # fmt: skip
        if verb == "tree":
            return [_entry(path, data) for path, data in sorted(files.items())], 200
        return {"id": repo, "sha": COMMIT, "private": True, "siblings": []}, 200

    def _commit(self, files: dict[str, bytes], body: bytes) -> None:
        for line in body.decode().splitlines():
            entry = json.loads(line)
            value = entry["value"]
            if entry["key"] == "file":
                data = base64.b64decode(value["content"])
            elif entry["key"] == "lfsFile":
                data = self.repos.blobs[value["oid"]]
            else:
                continue
            if self.repos.spoil and value["path"].endswith(self.repos.spoil):
                data = bytes([data[0] ^ 1]) + data[1:]
            files[value["path"]] = data


def _entry(path: str, data: bytes) -> dict[str, Any]:
    blob = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
    entry: dict[str, Any] = {"type": "file", "path": path, "size": len(data), "oid": blob}
    if len(data) > _LARGE:
        entry["lfs"] = {
            "oid": hashlib.sha256(data).hexdigest(),
            "size": len(data),
            "pointerSize": 1,
        }
    return entry


@contextmanager
def repos() -> Iterator[Repos]:
    """The stand-in, served while the block runs."""
    held = Repos()
    handler = type("Handler", (_Handler,), {"repos": held})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    held.address = f"http://127.0.0.1:{server.server_port}"
    try:
        yield held
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
