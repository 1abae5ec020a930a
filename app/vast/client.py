"""Speaks with Vast's API about the one instance that we run on: show, stop, destroy.

Plain HTTPS with the instance's own key, which only goes into the Authorization header: it is in
no address, no argument, no message and no log. Success is a body that says so; a status of 200
alone means nothing there. Blocks for up to ``TIMEOUT`` seconds a try, so never call it from a request.
"""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from urllib.parse import quote, urlsplit

TIMEOUT = 15.0
WAITS = (2.0, 4.0, 8.0)
"""Seconds between the tries of one call, where trying again may help."""
_MOST_BYTES = 1_000_000


class Kind(StrEnum):
    """How a call ended, in one word."""

    DONE = "done"
    REFUSED = "refused"
    """401 or 403: the key is wrong, or may not do this."""
    GONE = "gone"
    """404: there is no such instance (any more)."""
    BUSY = "busy"
    """429: asked too often."""
    ILL = "ill"
    """5xx: their server has trouble."""
    UNREACHABLE = "unreachable"
    """No answer: no network, no name, a timeout, a broken connection."""
    DECLINED = "declined"
    """It answered, and the answer is not success: true."""


@dataclass(frozen=True)
class Outcome:
    """``sentence`` is for a person; ``body`` what was answered, empty without success."""

    kind: Kind
    sentence: str
    body: dict[str, Any] = field(default_factory=dict, repr=False)

    @property
    def ok(self) -> bool:
        return self.kind is Kind.DONE

    @property
    def passing(self) -> bool:
        """Whether the same call may succeed a little later."""
        return self.kind in (Kind.BUSY, Kind.ILL, Kind.UNREACHABLE)


class Client:
    """One instance of one account. ``repr`` shows no key."""

    def __init__(
        self, base: str, instance: str, key: str, *, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._base, self.instance, self._key, self._sleep = base.rstrip("/"), instance, key, sleep
        self.timeout = TIMEOUT

    def __repr__(self) -> str:
        return f"Client({self._base!r}, instance {self.instance!r})"

    def show(self) -> Outcome:
        """The record of the instance, as ``body``."""
        found = self._patiently("GET", "?owner=me", None)
        if not found.ok:
            return found
        record = found.body.get("instances")
        if isinstance(record, list):
            record = next((one for one in record if isinstance(one, dict)), None)
        if not isinstance(record, dict) or not record:
            return Outcome(Kind.DECLINED, "Vast's API answered without a record of this instance.")
        return Outcome(Kind.DONE, found.sentence, record)

    def stop(self) -> Outcome:
        """Ask for the stop. One try: whoever asks keeps the time of further ones."""
        return self._once("PUT", "", {"state": "stopped"})

    def destroy(self) -> Outcome:
        """Ask for the end of the instance and all its files. One try."""
        return self._once("DELETE", "", {})

    def _patiently(self, method: str, query: str, body: dict[str, Any] | None) -> Outcome:
        found = self._once(method, query, body)
        for wait in WAITS:
            if not found.passing:
                break
            self._sleep(wait)
            found = self._once(method, query, body)
        return found

    def _once(self, method: str, query: str, body: dict[str, Any] | None) -> Outcome:
        try:
            status, text = self._send(method, query, body)
        except TimeoutError:
            return Outcome(
                Kind.UNREACHABLE, f"Vast's API did not answer within {self.timeout:g} s."
            )
        except ValueError:
            # http.client names the header's value in this error, so nothing of it is repeated.
            return Outcome(Kind.REFUSED, "The key or the address of Vast's API is malformed.")
        except (OSError, http.client.HTTPException) as error:
            why = getattr(error, "strerror", None) or type(error).__name__
            return Outcome(Kind.UNREACHABLE, f"Vast's API cannot be reached ({why}).")
        return _judge(method, status, text)

    def _send(self, method: str, query: str, body: dict[str, Any] | None) -> tuple[int, bytes]:
        parts = urlsplit(self._base)
        kind = (
            http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        )
        connection = kind(parts.hostname or "", parts.port, timeout=self.timeout)
        headers = {"Authorization": f"Bearer {self._key}", "Accept": "application/json"}
        sent = None
        if body is not None:
            sent, headers["Content-Type"] = json.dumps(body), "application/json"
        try:
            path = f"{parts.path}/api/v0/instances/{quote(self.instance, safe='')}/{query}"
            connection.request(method, path, sent, headers)
            answer = connection.getresponse()
            return answer.status, answer.read(_MOST_BYTES)
        finally:
            connection.close()


_BY_STATUS = {
    401: (Kind.REFUSED, "Vast's API refused the key of this instance (401)."),
    403: (Kind.REFUSED, "Vast's API does not let the key of this instance do that (403)."),
    404: (Kind.GONE, "Vast's API knows no such instance (404)."),
    429: (Kind.BUSY, "Vast's API was asked too often (429)."),
}


def _judge(method: str, status: int, text: bytes) -> Outcome:
    if status in _BY_STATUS:
        return Outcome(*_BY_STATUS[status])
    if status >= 500:
        return Outcome(Kind.ILL, f"Vast's API has trouble of its own ({status}).")
    try:
        body = json.loads(text)
    except ValueError:
        return Outcome(Kind.DECLINED, f"Vast's API answered something that is no JSON ({status}).")
    if not isinstance(body, dict):
        return Outcome(Kind.DECLINED, f"Vast's API answered something unexpected ({status}).")
    if status >= 300 or body.get("success") is False or (method != "GET" and not _said_yes(body)):
        told = body.get("msg") or body.get("error")
        why = f": {str(told)[:200]}" if isinstance(told, str) and told.isprintable() else ""
        return Outcome(Kind.DECLINED, f"Vast's API answered without success ({status}){why}.")
    return Outcome(Kind.DONE, "Vast's API said yes.", body)


def _said_yes(body: dict[str, Any]) -> bool:
    return body.get("success") is True
