"""The loss curve of a report as inline SVG."""

from __future__ import annotations

import math
from collections.abc import Iterable
from html import escape

from app.jobs.points import Point

WIDTH, HEIGHT = 900, 260
LEFT, BOTTOM = 56, 24
BUCKETS = 420


def curve_svg(points: Iterable[Point]) -> str:
    """The loss over steps: every spike is drawn (the least and the most of each bucket). Empty without points."""
    series = [(p.step, p.loss) for p in points if p.loss is not None and math.isfinite(p.loss)]
    if len(series) < 2:
        return ""
    first, last = min(s for s, _ in series), max(s for s, _ in series)
    low, high = min(v for _, v in series), max(v for _, v in series)
    high = high if high > low else low + 1e-9

    def place(step: float, value: float) -> str:
        x = LEFT + (step - first) / max(1, last - first) * (WIDTH - LEFT - 8)
        y = 8 + (high - value) / (high - low) * (HEIGHT - BOTTOM - 16)
        return f"{x:.1f},{y:.1f}"

    raw = " ".join(place(*point) for point in decimated(series))
    smooth = " ".join(place(*point) for point in decimated(_smoothed(series)))
    marks = "".join(
        f'<text x="{LEFT - 8}" y="{8 + share * (HEIGHT - BOTTOM - 16) + 4:.0f}" text-anchor="end">'
        f"{escape(f'{high - share * (high - low):.3g}')}</text>"
        for share in (0, 0.5, 1)
    )
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="Loss from step {first} to {last}">'
        f'<polyline class="raw" points="{raw}"/><polyline class="smooth" points="{smooth}"/>{marks}'
        f'<text x="{LEFT}" y="{HEIGHT - 4}">step {first}</text>'
        f'<text x="{WIDTH - 8}" y="{HEIGHT - 4}" text-anchor="end">step {last}</text></svg>'
    )


def decimated(series: list[tuple[int, float]], buckets: int = BUCKETS) -> list[tuple[int, float]]:
    """At most two points a bucket, its least and its most, in order."""
    if len(series) <= 2 * buckets:
        return series
    found: list[tuple[int, float]] = []
    for number in range(buckets):
        part = series[len(series) * number // buckets : len(series) * (number + 1) // buckets]
        ends = {part.index(min(part, key=_value)), part.index(max(part, key=_value))}
        found += [part[at] for at in sorted(ends)]
    return found


def _value(point: tuple[int, float]) -> float:
    return point[1]


def _smoothed(series: list[tuple[int, float]]) -> list[tuple[int, float]]:
    """An exponential mean over about a thirtieth of the run."""
    weight = 1 - 1 / max(2.0, len(series) / 30)
    value, found = series[0][1], []
    for step, loss in series:
        value = value * weight + loss * (1 - weight)
        found.append((step, value))
    return found
