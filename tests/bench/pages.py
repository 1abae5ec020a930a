"""Measures every page as Lighthouse does, without Lighthouse: paints, blocking, shifts, axe, habits.

``scripts/bench.sh pages``. ``measure_pages`` gives the rows to other benches.

- Loopback: median of BENCH_LOADS cold loads (3) as they are, beside a page of one line from Python's own
  server in the same seconds: what Chromium takes here for nothing.
- Scores: one load with 40 ms and 10 Mbit/s, which is Lighthouse's desktop line, no slower processor.
  Performance: its weights (FCP 10, Speed Index 10, LCP 25, TBT 30, CLS 25) and its log-normal curve with
  its desktop control points. The Speed Index is not filmed: the later of both paints stands for it.
  Accessibility: 100 where axe-core finds nothing, else the share of its rules that are kept; Lighthouse
  weighs the same rules. Best practices: the share of the checks in ``HABITS`` that hold.
- Shifts: all of BENCH_SECONDS (10) of polling together, which is more than CLS counts.
"""

from __future__ import annotations

import math
import os
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

from tests.bench.browser import WINDOW
from tests.bench.table import Table
from tests.support import chromium, showcase, vitals

if TYPE_CHECKING:
    # Unit tests take what reckons from here, and start no browser.
    from playwright.sync_api import Browser, BrowserContext, Page, Response

LOADS = int(os.environ.get("BENCH_LOADS", "3"))
SECONDS = float(os.environ.get("BENCH_SECONDS", "10"))
DESKTOP = {
    "offline": False,
    "latency": 40,
    "downloadThroughput": 1_310_720,
    "uploadThroughput": 1_310_720,
}
CURVES: dict[str, tuple[float, float, float]] = {
    "fcp": (0.10, 934, 1600), "si": (0.10, 1311, 2300), "lcp": (0.25, 1200, 2400),
    "tbt": (0.30, 150, 350), "cls": (0.25, 0.1, 0.25),
}  # fmt: skip
"""Weight, the value that earns 0.9, and the value that earns 0.5."""
_INVERSE_ERFC_ONE_FIFTH = 0.9061938024368232
_PICTURES = "[...document.images].filter((i) => !i.closest('[hidden]'))"
_VIEWPORT = "document.querySelector('meta[name=viewport]')?.content"
HABITS: Mapping[str, str] = {
    "doctype": "document.doctype?.name === 'html' && document.compatMode === 'CSS1Compat'",
    "charset": "document.characterSet === 'UTF-8'",
    "language": "!!document.documentElement.lang",
    "title": "!!document.title.trim()",
    "viewport that lets people zoom": f"/width=device-width/.test({_VIEWPORT})"
    f" && !/user-scalable=no|maximum-scale/.test({_VIEWPORT})",
    "pictures with alt": f"{_PICTURES}.every((i) => i.hasAttribute('alt'))",
    "pictures with their size": f"{_PICTURES}.every((i) => i.width && i.height"
    " && (i.hasAttribute('width') || getComputedStyle(i).position === 'absolute'))",
    "passwords can be pasted": "[...document.querySelectorAll('input[type=password]')]"
    ".every((i) => !i.onpaste)",
    "no deprecated interface": "window.__vitals.deprecated.length === 0",
    "nothing from elsewhere": "performance.getEntriesByType('resource')"
    ".every((e) => e.name.startsWith(location.origin) || e.name.startsWith('data:'))",
    "no document.write, no synchronous script in the body": "!document.querySelector("
    "'body script:not([defer]):not([async]):not([type])')",
}
"""Expressions that hold in a page that keeps the habit."""


@dataclass
class PageRow:
    """One page. Times in ms, sizes in bytes, scores from 0 to 100."""

    name: str
    requests: int = 0
    size: int = 0
    first_paint: float = 0.0
    bare_paint: float = 0.0
    largest_paint: float = 0.0
    blocked: float = 0.0
    moved: float = 0.0
    performance: int = 0
    accessibility: int = 0
    best_practices: int = 0
    errors: list[str] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)
    broken_habits: list[str] = field(default_factory=list)
    shifts: list[vitals.Shift] = field(default_factory=list)


def score(name: str, value: float) -> float:
    """From 0 to 1, by Lighthouse's log-normal curve for a metric."""
    _, good, median = CURVES[name]
    if value <= 0:
        return 1.0
    place = math.log(value / median) * _INVERSE_ERFC_ONE_FIFTH / -math.log(good / median)
    share = (1 - math.erf(place)) / 2
    if value <= good:
        return max(0.9, min(1.0, share))
    return max(0.5, min(0.8999, share)) if value <= median else max(0.0, min(0.4999, share))


def performance(seen: vitals.Vitals) -> int:
    """The weighted score, as a whole number."""
    values = {
        "fcp": seen.first_paint, "si": max(seen.first_paint, seen.largest_paint),
        "lcp": seen.largest_paint, "tbt": seen.blocked, "cls": seen.moved,
    }  # fmt: skip
    return round(100 * sum(CURVES[name][0] * score(name, value) for name, value in values.items()))


def measure_pages(
    server_url: str,
    pages: Mapping[str, str],
    *,
    seconds: float = SECONDS,
    told: Callable[[PageRow], None] = lambda row: None,
) -> list[PageRow]:
    """A row for each page, in both themes what axe finds; ``told`` hears of each as it comes."""
    rows = []
    with chromium.started() as browser:
        if browser is None:
            sys.exit("There is no Chromium on this machine: install it, or name it in CHROMIUM.")
        for name, address in pages.items():
            rows.append(_measure(browser, name, server_url + address, seconds))
            told(rows[-1])
    return rows


def _measure(browser: Browser, name: str, address: str, seconds: float) -> PageRow:
    row = PageRow(name)
    _loopback(browser, row, address)
    _as_lighthouse(browser, row, address)
    _for_a_while(browser, row, address, seconds)
    return row


def _loopback(browser: Browser, row: PageRow, address: str) -> None:
    firsts, bare = [], []
    for _ in range(LOADS):
        with _one_line() as nothing:
            context = _visit(browser, nothing)
            bare.append(vitals.of(context.pages[0]).first_paint)
            context.close()
        context = _visit(browser, address)
        page = context.pages[0]
        loads = vitals.arrived(page)
        firsts.append(vitals.of(page).first_paint)
        row.requests, row.size = len(loads), sum(size for _, size in loads)
        context.close()
    row.first_paint, row.bare_paint = statistics.median(firsts), statistics.median(bare)


class _OneLine(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = b"<!doctype html><title>nothing</title><p>One line.</p>"
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        with suppress(BrokenPipeError):  # the browser has seen enough
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Silent."""


@contextmanager
def _one_line() -> Iterator[str]:
    """The address of a page of one line."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _OneLine)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


def _as_lighthouse(browser: Browser, row: PageRow, address: str) -> None:
    context = _visit(browser, address, slow=True)
    page = context.pages[0]
    page.wait_for_timeout(2500)
    seen = vitals.of(page)
    row.largest_paint, row.blocked = seen.largest_paint, seen.blocked
    row.performance = performance(seen)
    context.close()


def _for_a_while(browser: Browser, row: PageRow, address: str, seconds: float) -> None:
    source = vitals.axe_source()
    kept = broken = 0
    for theme in ("light", "dark"):
        context = browser.new_context(viewport={"width": 1350, "height": 940}, color_scheme=theme)
        vitals.watch(context)
        page = context.new_page()
        _listen(page, row)
        answer = page.goto(address, wait_until="load")
        if theme == "light":
            page.wait_for_timeout(seconds * 1000)
            seen = vitals.of(page)
            row.moved, row.shifts = seen.moved, seen.shifts
            _habits(page, row, answer)
        findings, passes = vitals.axe(page, source)
        row.findings += findings
        kept, broken = kept + passes, broken + len({line.split(":")[0] for line in findings})
        context.close()
    row.accessibility = round(100 * kept / (kept + broken)) if kept + broken else 0


def _listen(page: Page, row: PageRow) -> None:
    page.on("console", lambda m: row.errors.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda error: row.errors.append(str(error)))


def _habits(page: Page, row: PageRow, answer: Response | None) -> None:
    row.broken_habits = [name for name, test in HABITS.items() if not page.evaluate(test)]
    if row.errors:
        row.broken_habits.append("no errors in the console")
    policy = answer.headers.get("content-security-policy", "") if answer else ""
    if not policy or "unsafe" in policy:
        row.broken_habits.append("a strict content security policy")
    row.best_practices = round(100 * (1 - len(row.broken_habits) / (len(HABITS) + 2)))


def _visit(browser: Browser, address: str, *, slow: bool = False) -> BrowserContext:
    """A context of its own, so that nothing is kept from before, with the page in it."""
    context = browser.new_context(viewport={"width": 1350, "height": 940})
    vitals.watch(context)
    page = context.new_page()
    if slow:
        line = context.new_cdp_session(page)
        line.send("Network.enable")
        line.send("Network.emulateNetworkConditions", DESKTOP)
    # As from another page of the program: Chromium's process for it runs, nothing is kept yet.
    page.goto("/".join(address.split("/")[:3]) + "/favicon.ico")
    page.wait_for_timeout(WINDOW)
    page.goto(address, wait_until="load")
    return context


def tell(row: PageRow) -> str:
    """A row in one line."""
    return (
        f"{row.requests} requests {row.size / 1000:5.1f} KB | FCP {row.first_paint:4.0f} ms"
        f" (bare {row.bare_paint:.0f}) | 10 Mbit/s: "
        f"LCP {row.largest_paint:4.0f} TBT {row.blocked:3.0f} ms | moved {row.moved:.4f} | "
        f"{row.performance}/{row.accessibility}/{row.best_practices}"
    )


def main() -> int:
    table, chosen = Table(), sys.argv[1:] or list(showcase.PAGES)
    print("page: loopback | scores as Lighthouse's performance/accessibility/best practices")
    with tempfile.TemporaryDirectory(prefix="bench-pages-") as name:
        server = showcase.prepare(Path(name))
        try:
            pages = {page: showcase.PAGES[page] for page in chosen}
            rows = measure_pages(server.url, pages, told=lambda row: table.add(row.name, tell(row)))
        finally:
            showcase.end(server)
    for row in rows:
        for line in (*row.errors, *row.findings, *row.broken_habits):
            table.add(row.name, line)
        for shift in row.shifts:
            table.add(row.name, f"moved {shift.by:.4f} at {shift.at:.0f} ms: {shift.what}")
    table.add(
        "worst scores",
        " / ".join(
            str(min(s))
            for s in zip(
                *((r.performance, r.accessibility, r.best_practices) for r in rows), strict=True
            )
        ),
    )
    table.add(
        "slowest first paint on loopback (asked: under 150)",
        f"{max(r.first_paint for r in rows):.0f} ms",
    )
    beyond = max(r.first_paint - r.bare_paint for r in rows)
    table.add("most beyond a page of one line in the same seconds", f"{beyond:.0f} ms")
    table.add("most that moved (asked: under 0.02)", f"{max(r.moved for r in rows):.4f}")
    table.add(
        "heaviest (asked: 70 KB, 8 requests)",
        f"{max(r.size for r in rows) / 1000:.1f} KB, {max(r.requests for r in rows)} requests",
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
