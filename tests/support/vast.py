"""A stand-in for Vast's API on loopback: it answers what a test has put on its list, in order."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

KEY = "vast-key-never-shown"
INSTANCE = "4711"
RECORD: dict[str, Any] = {
    "id": 4711, "actual_status": "running", "intended_status": "running", "dph_total": 0.42,
    "dph_base": 0.4, "storage_total_cost": 0.02, "is_bid": False, "start_date": 1_700_000_000.0,
    "end_date": 1_900_000_000.0, "uptime_mins": 12.0, "disk_space": 120.0, "credit_balance": 12.5,
    "inet_up_cost": 0.01, "inet_down_cost": 0.02, "public_ipaddr": "203.0.113.7", "geolocation": "Norway, NO",
}  # fmt: skip


class Vast:
    """``answers``: what comes next (a status, a body, or ``hang`` / ``cut``); then it is well."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, Any]] = []
        self.answers: list[Any] = []
        self.record: dict[str, Any] = dict(RECORD)
        self.state = "running"
        self.url = ""

    @property
    def orders(self) -> list[str]:
        """What was done to the instance: stop, destroy."""
        return ["stop" if m == "PUT" else "destroy" for m, _, _ in self.asked if m != "GET"]

    def answer(self, method: str, key: str, path: str, body: Any) -> tuple[int, bytes]:
        self.asked.append((method, path, body))
        if self.answers:
            wanted = self.answers.pop(0)
            if isinstance(wanted, bytes):
                return 200, wanted
            if isinstance(wanted, dict):
                return 200, json.dumps(wanted).encode()
            if isinstance(wanted, int):
                return wanted, b'{"success": false, "msg": "as the test wants it"}'
            return 0, str(wanted).encode()
        if key != f"Bearer {KEY}":
            return 401, b'{"success": false}'
        if path.split("?")[0] != f"/api/v0/instances/{INSTANCE}/" or self.state == "destroyed":
            return 404, b'{"success": false}'
        return 200, json.dumps(self._do(method, body)).encode()

    def _do(self, method: str, body: Any) -> dict[str, Any]:
        if method == "GET":
            return {"instances": self.record}
        if method == "DELETE":
            self.state = "destroyed"
            return {"success": True}
        good = body == {"state": "stopped"}
        self.state = "stopped" if good else self.state
        return {"success": good}


class _Handler(BaseHTTPRequestHandler):
    vast: Vast

    def log_message(self, *_arguments: object) -> None:
        """Say nothing on the terminal."""

    def _serve(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        key = self.headers.get("Authorization", "")
        status, text = self.vast.answer(self.command, key, self.path, body)
        if status == 0:
            if text == b"hang":
                time.sleep(0.5)
            self.close_connection = True
            return
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_PUT = do_DELETE = _serve  # noqa: N815


@contextmanager
def vast() -> Iterator[Vast]:
    """The stand-in, listening at ``url``."""
    found = Vast()
    handler = type("Handler", (_Handler,), {"vast": found})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    found.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
