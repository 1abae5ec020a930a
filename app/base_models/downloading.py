"""The work ``model.download``: a repository, a file of it, or a web address; then a new library."""

from __future__ import annotations

import os
import time
from typing import Any

from app import addresses
from app.base_models import hub_fetch, scanning, url_fetch
from app.base_models.cache import cache_folder
from app.base_models.tokens import hf_token
from app.tasks import Work

_WINDOW_SECONDS = 5.0


def run(work: Work) -> dict[str, Any]:
    """In a child. Arguments: ``repo``, ``file``, ``patterns``; or ``url``, or ``secret`` for one in the vault."""
    settings = work.settings
    reserve = int(settings.disk_hard_gb * 1e9)
    speed = _Speed(work)
    if repo := work.arguments.get("repo"):
        wish = hub_fetch.Wish(
            repo,
            cache_folder(settings.hf_home, os.environ.get("HF_HUB_CACHE")),
            work.arguments.get("file", ""),
            tuple(work.arguments.get("patterns", ())),
            reserve,
        )
        result = hub_fetch.bring(wish, settings, hf_token(settings), speed.told)
    else:
        url = addresses.whole(settings, work.arguments)
        result = url_fetch.bring(url, settings.models_dir, speed.told, reserve=reserve)
        addresses.forget(settings, work.arguments)
    scanning.refresh(settings)
    return result


class _Speed:
    """Tells how far it is, with the speed of the last seconds: what an earlier try brought is not in it."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._seen: list[tuple[float, int]] = []

    def told(self, done: int, total: int | None, label: str) -> None:
        """Progress with speed and time left once they are known."""
        now = time.monotonic()
        if not self._seen or now - self._seen[-1][0] > 0.2:
            self._seen.append((now, done))
        while len(self._seen) > 2 and now - self._seen[0][0] > _WINDOW_SECONDS:
            self._seen.pop(0)
        (begun, first) = self._seen[0]
        words = [label] if label else []
        rate = (done - first) / (now - begun) if now - begun > 0.5 else 0.0
        if rate > 0:
            words.append(f"{rate / 1e6:.1f} MB/s")
            if total:
                words.append(f"{_clock((total - done) / rate)} left")
        self._work.progress(done, total, " · ".join(words), unit="bytes")


def _clock(seconds: float) -> str:
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    return f"{whole // 60} min" if whole < 3600 else f"{whole // 3600} h {whole % 3600 // 60} min"
