"""Log lines as HTML: colours of the terminal become classes, warnings and errors stand out."""

from __future__ import annotations

import re
from collections.abc import Iterable

from markupsafe import Markup, escape

from app.jobs.logsearch import ERROR, WARNING

_SGR = re.compile(r"\x1b\[([0-9;:]*)m")
_LEFT = re.compile(r"\x1b(?:\[[0-9;?]*[@-~]?)?")
"""Whatever other escape is left: a browser would show a box."""
_PADDING = re.compile(r"\s{4,}(\S+\.py:\d+)\s*$")
_COLOURS = ("black", "red", "green", "yellow", "blue", "magenta", "cyan", "white")


class Painter:
    """Remembers colours from line to line, as a terminal does."""

    def __init__(self) -> None:
        self._style: dict[str, str] = {}

    def line(self, text: str) -> Markup:
        """One line, safe to put into a page."""
        if ".py:" in text:
            text = _PADDING.sub(r"  \1", text)
        shown = self._coloured(text) if self._style or "\x1b" in text else escape(text)
        kind = severity(text)
        return Markup('<span class="{}">{}</span>').format(kind, shown) if kind else shown

    def _coloured(self, text: str) -> Markup:
        parts: list[Markup] = []
        at = 0
        for code in _SGR.finditer(text):
            parts.append(self._part(text[at : code.start()]))
            self._apply(code[1])
            at = code.end()
        parts.append(self._part(text[at:]))
        return Markup("").join(parts)

    def _part(self, text: str) -> Markup:
        text = _LEFT.sub("", text)
        if not text or not self._style:
            return escape(text)
        return Markup('<span class="{}">{}</span>').format(" ".join(self._style.values()), text)

    def _apply(self, codes: str) -> None:
        numbers = [int(n) for n in re.split("[;:]", codes) if n] or [0]
        while numbers:
            code = numbers.pop(0)
            if code in (38, 48):
                self._extended(code, numbers)
            else:
                self._simple(code)

    def _simple(self, code: int) -> None:
        style = self._style
        if code == 0:
            style.clear()
        elif code in (1, 2, 3, 4):
            style[f"t{code}"] = ("a-bold", "a-dim", "a-italic", "a-under")[code - 1]
        elif code in (22, 23, 24):
            for name in {22: ("t1", "t2"), 23: ("t3",), 24: ("t4",)}[code]:
                style.pop(name, None)
        elif 30 <= code <= 37 or 90 <= code <= 97:
            style["fg"] = f"a-{_COLOURS[code % 10]}"
        elif 40 <= code <= 47 or 100 <= code <= 107:
            style["bg"] = f"a-on-{_COLOURS[code % 10]}"
        elif code in (39, 49):
            style.pop("fg" if code == 39 else "bg", None)

    def _extended(self, code: int, numbers: list[int]) -> None:
        """256 colours and true colours: the nearest of the eight."""
        kind = numbers.pop(0) if numbers else 0
        if kind == 5 and numbers:
            index = numbers.pop(0)
            red, green, blue = _of_palette(index)
        elif kind == 2 and len(numbers) >= 3:
            red, green, blue = numbers[0], numbers[1], numbers[2]
            del numbers[:3]
        else:
            numbers.clear()
            return
        place = "fg" if code == 38 else "bg"
        top = max(red, green, blue)
        bits = sum(bit for bit, value in ((1, red), (2, green), (4, blue)) if value * 2 > top)
        self._style[place] = f"a-{'' if code == 38 else 'on-'}{_COLOURS[bits if top > 60 else 0]}"


def _of_palette(index: int) -> tuple[int, int, int]:
    if index < 16:
        red, green, blue = (255 if index % 8 & bit else 0 for bit in (1, 2, 4))
        return red, green, blue
    if index < 232:
        index -= 16
        return index // 36 * 51, index // 6 % 6 * 51, index % 6 * 51
    return ((index - 232) * 10 + 8,) * 3


def severity(line: str) -> str:
    """The class of a line that says that something is wrong; empty for others."""
    raw = line.encode("utf-8", "replace")
    if ERROR.search(raw):
        return "l-error"
    return "l-warning" if WARNING.search(raw) else ""


def block(lines: Iterable[str], mark: int | None = None) -> Markup:
    """Lines, each with its line break; the line of number ``mark`` is marked."""
    painter = Painter()
    painted = [Markup(f"{painter.line(line)}\n") for line in lines]
    if mark is not None and 0 <= mark < len(painted):
        painted[mark] = Markup('<mark id="mark" tabindex="-1">{}</mark>').format(painted[mark])
    return Markup("".join(painted))  # all of it is markup


def line(text: str) -> Markup:
    """One line, without a break."""
    return Painter().line(text)
