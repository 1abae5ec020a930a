"""Draws curves as an SVG picture: for pages without JavaScript, as a first picture, and in reports."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from html import escape

from app.jobs.curves import Curve
from app.jobs.series import Sample
from app.numbers import thousands

WIDTH, HEIGHT = 720, 260
_LEFT, _RIGHT, _TOP, _BOTTOM = 58, 10, 12, 28
_TICKS = 7
_NAMESPACE = ' xmlns="http://www.w3.org/2000/svg"'
COLOURS = ("#2f6fd0", "#c4572b", "#2f8a55", "#8a4fc0", "#a8780a", "#b03a72")


def smoothed(values: Sequence[float], strength: float = 0.9) -> list[float]:
    """An exponential mean from both sides, so that the curve is not shifted; gaps stay gaps."""
    forward = _mean(values, strength)
    backward = _mean(list(reversed(values)), strength)[::-1]
    return [(a + b) / 2 for a, b in zip(forward, backward, strict=True)]


def _mean(values: Sequence[float], strength: float) -> list[float]:
    found, last, weight = [], 0.0, 0.0
    for value in values:
        if math.isfinite(value):
            last = last * strength + value * (1 - strength)
            weight = weight * strength + (1 - strength)
        found.append(last / weight if weight else math.nan)
    return found


def svg(curves: Sequence[Curve], title: str, *, smooth: bool = True, inline: bool = False) -> str:
    """The curves over steps, on one scale, with their names where there are several.

    ``inline`` is for a place within a document, else it is a file of its own.
    """
    shown = [curve for curve in curves if curve.samples]
    points = [s for curve in shown for s in curve.samples if math.isfinite(s.value)]
    head = (
        f'<svg{"" if inline else _NAMESPACE} viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'class="curve-picture" font-family="system-ui, sans-serif" font-size="11">'
        f"<title>{escape(title)}</title>"
    )
    if not points:
        return f"{head}{_text(WIDTH / 2, HEIGHT / 2, 'No points yet', 'middle')}</svg>"
    frame = _Frame(points)
    body = [*_grid(frame)]
    for at, curve in enumerate(shown):
        body += _lines(frame, curve, COLOURS[at % len(COLOURS)], smooth=smooth)
    if len(shown) > 1:
        body += _names(shown)
    return head + "".join(body) + "</svg>"


class _Frame:
    """From values to places on the picture."""

    def __init__(self, points: Sequence[Sample]) -> None:
        steps = [p.step for p in points]
        values = sorted(p.value for p in points)
        self.first, self.last = min(steps), max(max(steps), min(steps) + 1)
        low, high = values[0], values[-1]
        margin = (high - low) * 0.05 or abs(high) * 0.05 or 1.0
        self.low, self.high = low - margin, high + margin

    def x(self, step: float) -> float:
        share = (step - self.first) / (self.last - self.first)
        return round(_LEFT + share * (WIDTH - _LEFT - _RIGHT), 1)

    def y(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return round(HEIGHT - _BOTTOM - share * (HEIGHT - _TOP - _BOTTOM), 1)


def _grid(frame: _Frame) -> Iterable[str]:
    for value in round_ticks(frame.low, frame.high):
        y = frame.y(value)
        yield f'<path d="M{_LEFT} {y}H{WIDTH - _RIGHT}" stroke="#8884" fill="none"/>'
        yield _text(_LEFT - 6, y + 4, f"{value:.4g}", "end")
    for step in round_ticks(frame.first, frame.last):
        if step == int(step):
            yield _text(frame.x(step), HEIGHT - 10, thousands(int(step)), "middle")


def round_ticks(low: float, high: float) -> list[float]:
    """Some round numbers from ``low`` to ``high``: 1, 2 or 5 times a power of ten apart."""
    wide = (high - low) / _TICKS
    power = 10.0 ** math.floor(math.log10(wide))
    apart = next(n * power for n in (1, 2, 5, 10) if n * power >= wide)
    return [n * apart for n in range(math.ceil(low / apart), math.floor(high / apart) + 1)]


def _lines(frame: _Frame, curve: Curve, colour: str, *, smooth: bool) -> Iterable[str]:
    rough = [s.value for s in curve.samples]
    if smooth and len(rough) > 20:
        yield _path(frame, curve.samples, rough, colour, opacity="0.3", width="1")
        yield _path(frame, curve.samples, smoothed(rough), colour, opacity="1", width="1.8")
    else:
        yield _path(frame, curve.samples, rough, colour, opacity="1", width="1.6")
    for seam in curve.seams:
        x = frame.x(seam.step)
        yield _mark(f"M{x} {_TOP}V{HEIGHT - _BOTTOM}", "#888", f"attempt {seam.attempt}")
    for s in curve.samples:
        if not math.isfinite(s.value):
            yield _mark(f"M{frame.x(s.step)} {_TOP}v6", "#c33", f"step {s.step}: not a number")


def _path(
    frame: _Frame,
    samples: Sequence[Sample],
    values: Sequence[float],
    colour: str,
    *,
    opacity: str,
    width: str,
) -> str:
    words, pen = [], "M"
    for sample, value in zip(samples, values, strict=True):
        if math.isfinite(value):
            words.append(f"{pen}{frame.x(sample.step)} {frame.y(value)}")
            pen = "L"
        else:
            pen = "M"
    return (
        f'<path d="{"".join(words)}" fill="none" stroke="{colour}" stroke-width="{width}" '
        f'stroke-opacity="{opacity}"/>'
    )


def _mark(path: str, colour: str, title: str) -> str:
    return (
        f'<path d="{path}" stroke="{colour}" stroke-dasharray="3 3"><title>{title}</title></path>'
    )


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}" fill="#767676">{escape(text)}</text>'


def _names(curves: Sequence[Curve]) -> Iterable[str]:
    for at, curve in enumerate(curves):
        y = _TOP + 12 + 15 * at
        yield f'<path d="M{WIDTH - 190} {y - 4}h14" stroke="{COLOURS[at % len(COLOURS)]}" stroke-width="3"/>'
        yield f'<text x="{WIDTH - 170}" y="{y}" fill="#767676">{escape(curve.name[:28])}</text>'
