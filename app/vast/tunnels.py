"""The address of the Cloudflare tunnel that Vast's portal opened for us; another one after each start.

Asked of the portal's tunnel manager on loopback, at the moment somebody wants to see it: nothing
is kept, so nothing is shown that is over. Source: ``portal-aio/README.md`` of vast-ai/base-image.
"""

from __future__ import annotations

import http.client
import json
from urllib.parse import urlsplit

TIMEOUT = 0.5
"""Seconds. It is on this machine, and a page waits for it."""
OUTER_PORT = 7860
"""The port of our entry in PORTAL_CONFIG, which the tunnel leads to."""
_MOST_BYTES = 100_000


def address(manager: str) -> str:
    """``https://….trycloudflare.com``; empty where there is no manager, no tunnel or no answer."""
    if not manager:
        return ""
    parts = urlsplit(manager)
    try:
        connection = http.client.HTTPConnection(
            parts.hostname or "", parts.port or 80, timeout=TIMEOUT
        )
        try:
            connection.request("GET", "/get-all-quick-tunnels")
            told = json.loads(connection.getresponse().read(_MOST_BYTES))
        finally:
            connection.close()
    except (OSError, http.client.HTTPException, ValueError):
        return ""
    return next(filter(None, map(_ours, told if isinstance(told, list) else ())), "")


def _ours(tunnel: object) -> str:
    if not isinstance(tunnel, dict):
        return ""
    try:
        inner, outer = urlsplit(str(tunnel["targetUrl"])), urlsplit(str(tunnel["tunnelUrl"]))
        mine = inner.port == OUTER_PORT
    except (KeyError, ValueError):
        return ""
    return f"https://{outer.netloc}" if mine and outer.scheme == "https" and outer.netloc else ""
