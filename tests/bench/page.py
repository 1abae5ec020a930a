"""An open page of a job as a browser keeps it fresh: the polls that stand in its HTML, at their pace."""

from __future__ import annotations

import http.client
import json
import threading
import time

from tests.bench.limits import median
from tests.support.polls import Poll, polls
from tests.support.server import Server

_CURVES_EVERY = 5


class Line:
    """One kept connection, as a browser has it."""

    def __init__(self, server: Server) -> None:
        self._line = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        self.events: list[str] = []
        """Those that the last answer had HTMX trigger."""

    def get(self, path: str, encoding: str = "gzip") -> tuple[int, int, bytes]:
        """Status, bytes with headers, body."""
        answer = self._ask(path, encoding)
        body = answer.read()
        headers = sum(len(k) + len(v) + 4 for k, v in answer.getheaders()) + 17
        self.events = [name for name in answer.getheader("HX-Trigger", "").split(", ") if name]
        return answer.status, headers + len(body), body

    def _ask(self, path: str, encoding: str) -> http.client.HTTPResponse:
        headers = {"Accept-Encoding": encoding, "HX-Request": "true"}
        try:
            self._line.request("GET", path, headers=headers)
            return self._line.getresponse()
        except (http.client.RemoteDisconnected, ConnectionResetError):
            # The server closes a connection that was silent for long.
            self._line.close()
            self._line.request("GET", path, headers=headers)
            return self._line.getresponse()

    def median(self, path: str, times: int = 31) -> float:
        """Milliseconds."""
        return median(lambda: self.get(path), times) * 1000


def at_once(server: Server, path: str, times: int, lines: int) -> None:
    """Ask for a page so many times, over several connections at the same time."""

    def ask() -> None:
        line = Line(server)
        for _ in range(times // lines):
            line.get(path)

    threads = [threading.Thread(target=ask) for _ in range(lines)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


class OpenPage:
    """Reads the polls out of the page and of each answer, and asks when they are due or told to."""

    def __init__(self, server: Server, job: int) -> None:
        self._line = Line(server)
        self._job = job
        self._polls: dict[str, Poll] = {}
        self._due: dict[str, float] = {}
        self._curves = ""
        self.statuses: dict[str, list[int]] = {}
        self._take(self._text(f"/jobs/{job}"))

    def _text(self, path: str) -> str:
        return self._line.get(path, "identity")[2].decode()

    def _take(self, text: str) -> None:
        self._polls.update((name, poll) for name, poll in polls(text).items() if poll.every)
        if 'class="curve"' in text:
            self._polls["curves.json"] = Poll("", "", _CURVES_EVERY)

    def watch(self, seconds: float) -> None:
        """Keep the page open for so long."""
        over = time.monotonic() + seconds
        while (now := time.monotonic()) < over:
            for name, poll in list(self._polls.items()):
                if self._due.setdefault(name, now + poll.every) <= now:
                    self._due[name] = now + poll.every
                    self._poll(name, poll.address)
            time.sleep(0.02)

    def _poll(self, name: str, path: str) -> None:
        if name == "curves.json":
            path = f"/jobs/{self._job}/curves.json?series=loss&axis=step&width=1200{self._curves}"
        # Compressed answers, as a browser asks for them, cost the server what they cost.
        status, _, body = self._line.get(path)
        told = [name for name, poll in self._polls.items() if poll.waits_for in self._line.events]
        self.statuses.setdefault(name, []).append(status)
        if status != 200:
            return
        text = unpacked(body)
        if name == "curves.json":
            self._curves = f"&v={json.loads(text)['version']}"
        else:
            self._polls.pop(name)
            self._take(text)
        for region in told:
            self._due[region] = time.monotonic()


def unpacked(body: bytes) -> str:
    """The text of an answer, whether it was compressed or not."""
    import gzip

    return (gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body).decode()
