"""What the installed engines accept, read from their own sources, and kept until they change.

Reading takes about a second, so it is done in a thread; until then, and where it cannot be
done, the list shipped for the pinned commit is used.
"""

from __future__ import annotations

import logging
import threading
from pathlib import Path

from app.jobs.installations import Installation
from engines.base import OptionList

log = logging.getLogger(__name__)

_Stamp = tuple[Path, int, int]
_lock = threading.Lock()
_known: dict[str, tuple[_Stamp, OptionList]] = {}
_problems: dict[str, str] = {}
_reading: dict[str, threading.Thread] = {}


def of(installation: Installation, *, wait: float = 0.0) -> OptionList:
    """The list of an installation; the shipped one while it is being read (at most ``wait`` s)."""
    name = installation.name
    if installation.problem:
        return installation.engine.shipped_options()
    stamp = _stamp(installation)
    with _lock:
        known = _known.get(name)
        if known is not None and known[0] == stamp:
            return known[1]
        thread = _reading.get(name)
        if thread is None:
            thread = threading.Thread(target=_read, args=(installation, stamp), daemon=True)
            _reading[name] = thread
            thread.start()
    if wait:
        thread.join(wait)
        with _lock:
            known = _known.get(name)
    return known[1] if known is not None else installation.engine.shipped_options()


def problem(installation: Installation) -> str:
    """Why the installed list could not be read; empty when it could."""
    return _problems.get(installation.name, "")


def _files(installation: Installation) -> list[Path]:
    found = (installation.home.glob(pattern) for pattern in installation.engine.option_sources())
    return sorted({path for group in found for path in group})


def _stamp(installation: Installation) -> _Stamp:
    """Changes when the checkout does: an update writes new files into its top folders."""
    places = [installation.home, *(p for p in installation.home.iterdir() if p.is_dir())]
    times = [place.stat().st_mtime_ns for place in places]
    return installation.home, len(times), max(times)


def _read(installation: Installation, stamp: _Stamp) -> None:
    name = installation.name
    try:
        texts = {
            str(path.relative_to(installation.home)): path.read_text("utf-8", "replace")
            for path in _files(installation)
        }
        options = installation.engine.read_options(texts)
        why = ""
    except (OSError, ValueError) as error:
        options = installation.engine.shipped_options()
        why = f"its options could not be read ({error}); the list of the pinned commit is used"
        log.warning("%s: %s", name, why)
    with _lock:
        _known[name] = (stamp, options)
        _problems[name] = why
        _reading.pop(name, None)
