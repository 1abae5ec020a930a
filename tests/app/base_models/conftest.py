"""Downloads that wait for nobody and see none of this machine's own settings."""

from __future__ import annotations

import pytest

from app import transfer


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(transfer.time, "sleep", lambda _seconds: None)
    for name in ("HF_HUB_OFFLINE", "HF_HUB_CACHE", "http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
