"""The rows of the one table: what was measured, its yardstick, what is asked, what others are stated to take."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

HEAD = ("", "median", "yardstick", "ratio", "asked", "others, as stated once (not of this run)")


@dataclass(frozen=True)
class Measure:
    """One row. ``ours`` and ``yard`` are in ``unit``; ``against`` says what the yardstick is.

    ``most`` is the highest value that is asked for, ``least`` the lowest (None: nothing is asked);
    ``of_ratio``: they bound the ratio, not the value. ``peers`` quotes figures of other programs.
    """

    what: str
    ours: float
    unit: str
    yard: float | None = None
    against: str = ""
    most: float | None = None
    least: float | None = None
    of_ratio: bool = False
    peers: str = ""

    @property
    def ratio(self) -> float | None:
        return self.ours / self.yard if self.yard else None

    @property
    def kept(self) -> bool | None:
        """Whether what was asked for is reached; None where nothing is asked."""
        value = self.ratio if self.of_ratio else self.ours
        if value is None or (self.most is None and self.least is None):
            return None
        low = self.least is None or value >= self.least
        return low and (self.most is None or value <= self.most)

    def cells(self) -> tuple[str, ...]:
        yard = f"{_short(self.yard)} {self.unit} {self.against}" if self.yard else self.against
        return (
            self.what, f"{_short(self.ours)} {self.unit}", yard,
            f"{self.ratio:.2f}" if self.ratio is not None else "", self._asked(), self.peers,
        )  # fmt: skip

    def _asked(self) -> str:
        bound = "ratio " if self.of_ratio else ""
        unit = "" if self.of_ratio else f" {self.unit}"
        words = [f"<= {bound}{self.most:g}{unit}"] if self.most is not None else []
        words += [f">= {bound}{self.least:g}{unit}"] if self.least is not None else []
        return " ".join([*words, "" if self.kept is not False else "MISSED"]).strip()


def _short(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def text(rows: Iterable[Measure]) -> str:
    """The table, columns in line."""
    lines = [HEAD, *(row.cells() for row in rows)]
    widths = [max(len(line[n]) for line in lines) for n in range(len(HEAD) - 1)]
    return "\n".join(
        "  ".join(
            [*(c.ljust(w) for c, w in zip(line[:-1], widths, strict=True)), line[-1]]
        ).rstrip()
        for line in lines
    )
