"""How nodes see the dashboard's folders: the same files, under other names."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class PathMap:
    """Pairs of (here, there), the longest first. Empty: the same paths everywhere."""

    pairs: tuple[tuple[str, str], ...] = ()

    @classmethod
    def parse(cls, text: str) -> PathMap:
        """From ``/here=/there,/more=/other``. Raises ValueError with a sentence."""
        pairs = []
        for part in filter(None, (part.strip() for part in text.split(","))):
            here, _, there = (side.strip() for side in part.partition("="))
            if not (here.startswith("/") and there.startswith("/")):
                raise ValueError(f"{part!r} is no pair of absolute paths; write /here=/there.")
            pairs.append((here.rstrip("/") or "/", there.rstrip("/") or "/"))
        return cls(tuple(sorted(pairs, key=lambda pair: -len(pair[0]))))

    def there(self, text: str) -> str:
        """The text with every path of ours in it as nodes see it: an argument, a whole file."""
        if not self.pairs:
            return text
        found = dict(self.pairs)
        # A path begins after something that is no part of a path, and ends at a slash or a border.
        choices = "|".join(re.escape(here) for here, _ in self.pairs)
        return re.sub(
            rf"(?<![\w./~-])(?:{choices})(?![\w.~-])", lambda match: found[match[0]], text
        )
