"""A stand-in for the Hugging Face Hub on loopback: one open, one gated repository, no other."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

GOOD_TOKEN = "hf_good"


class _Hub(BaseHTTPRequestHandler):
    asked: list[str]

    def log_message(self, *_arguments: object) -> None:
        """Say nothing on the terminal."""

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        self.asked.append(f"{self.command} {self.path}")
        owner = self.path.removeprefix("/api/models").split("/")[1]
        allowed = self.headers.get("Authorization") == f"Bearer {GOOD_TOKEN}"
        status = {"open": 200, "gated": 200 if allowed else 401, "busy": 503}.get(owner, 404)
        if self.path.startswith("/api/models/") and owner == "gated":
            status = 200  # metadata is open even where the files are not
        if status == 200 and "/resolve/" in self.path:
            status = 302  # weights lie elsewhere
        body = json.dumps(
            {"siblings": [{"rfilename": "README.md"}, {"rfilename": "unet/x.safetensors"}]}
        )
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        if status == 302:
            self.send_header("Location", "http://127.0.0.1:9/never-followed")
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body.encode())


@contextmanager
def hub() -> Iterator[tuple[str, list[str]]]:
    """Its address, and the list of what it was asked."""
    handler = type("Hub", (_Hub,), {"asked": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", handler.asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
