"""What else on a job's page has news: its status tells, so that the other regions need not ask.

The status carries in its address a token of what the page shows, a part for each region. A part that
is another by now is answered with that region's event (``HX-Trigger``), for which the region waits.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping


def token(versions: Mapping[str, str]) -> str:
    """The versions of all regions in one word, as short as an address wants it."""
    return "-".join(f"{zlib.crc32(version.encode()):x}" for version in versions.values())


def events(shown: str, versions: Mapping[str, str]) -> str:
    """The events of the regions that are drawn otherwise by now; all of them for a strange token."""
    parts, now = shown.split("-"), token(versions).split("-")
    if len(parts) != len(now):
        return ", ".join(map(event, versions))
    differ = [name for name, a, b in zip(versions, parts, now, strict=True) if a != b]
    return ", ".join(map(event, differ))


def event(region: str) -> str:
    """What a region waits for; its fragment names the same in ``hx-trigger``."""
    return f"{region}-news"
