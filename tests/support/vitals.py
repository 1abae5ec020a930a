"""What a browser can tell of a page: what moved, what blocked, what came over the wire, when it painted."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

WATCH = """(() => {
  const seen = window.__vitals = { shifts: [], tasks: [], lcp: 0, deprecated: [] };
  const name = (node) => node ? node.id || node.className || "" : "";
  const path = (node) => node ? `${node.localName ?? "text"}.${name(node)}<${name(node.parentElement)}` : "?";
  const watch = (type, take) => new PerformanceObserver((list) => list.getEntries().forEach(take))
    .observe({ type, buffered: true });
  watch("layout-shift", (entry) => {
    if (entry.hadRecentInput) return;
    seen.shifts.push([entry.startTime, entry.value, entry.sources.map((s) => path(s.node)).join(" ")]);
  });
  watch("longtask", (entry) => seen.tasks.push([entry.startTime, entry.duration]));
  watch("largest-contentful-paint", (entry) => { seen.lcp = entry.startTime; });
  const take = (reports) => reports.forEach((report) => seen.deprecated.push(report.body.message));
  if (window.ReportingObserver) new ReportingObserver(take, { types: ["deprecation"], buffered: true }).observe();
})()"""
"""Run before a page's own scripts."""

LOADED = "(performance.timing.loadEventEnd - performance.timing.navigationStart)"
ARRIVED = """() => {
  // What a poll brings later belongs to the life of a page, not to its arrival.
  const end = LOADED + 500;
  return [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")]
    .filter((entry) => entry.startTime <= end && !entry.name.startsWith("data:"))
    .filter((entry) => !["img", "video"].includes(entry.initiatorType))
    .map((entry) => [entry.name, entry.transferSize]);
}""".replace("LOADED", LOADED)
"""Addresses and bytes of everything but pictures, half a second after the page has loaded."""

FIRST_PAINT = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0"


@dataclass(frozen=True)
class Shift:
    """Something moved, at a time in ms, by so much; what it was."""

    at: float
    by: float
    what: str


@dataclass
class Vitals:
    """Times in ms since the navigation."""

    first_paint: float
    largest_paint: float
    blocked: float
    shifts: list[Shift] = field(default_factory=list)
    deprecated: list[str] = field(default_factory=list)

    @property
    def moved(self) -> float:
        """Every shift together: stricter than the worst window of five seconds that CLS takes."""
        return sum(shift.by for shift in self.shifts)


def watch(context: BrowserContext) -> None:
    """Have every page of the context keep what it sees."""
    context.add_init_script(WATCH)


def of(page: Page) -> Vitals:
    """What the page has seen so far."""
    seen: dict[str, Any] = page.evaluate("window.__vitals")
    first = float(page.evaluate(FIRST_PAINT))
    blocked = sum(
        max(0.0, length - 50) for begin, length in seen["tasks"] if begin + length > first
    )
    return Vitals(
        first, float(seen["lcp"]) or first, blocked,
        [Shift(*shift) for shift in seen["shifts"]], seen["deprecated"],
    )  # fmt: skip


def arrived(page: Page) -> list[tuple[str, int]]:
    """Addresses and bytes over the wire; waits until the page has been there for half a second."""
    page.wait_for_function(f"() => performance.now() > {LOADED} + 500")
    return [(name, size) for name, size in page.evaluate(ARRIVED)]


def axe_source() -> str:
    """The script of axe-core."""
    found = find_spec("axe_playwright_python")
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).with_name("axe.min.js").read_text("utf-8")


def _told(page: Page, source: str, tries: int = 5) -> Any:
    """Brings the script and runs it at one go, so that no reload comes in between; one amid it: again."""
    # Unit tests take what reckons from here, and start no browser.
    from playwright.sync_api import Error

    run = "axe.run({resultTypes: ['violations'], rules: {'target-size': {enabled: true}}})"
    for left in reversed(range(tries)):
        page.wait_for_load_state("load")
        try:
            return page.evaluate(f"{source};\n{run}")
        except Error as error:
            if not left or "context was destroyed" not in str(error):
                raise
    raise AssertionError("unreachable")


def axe(page: Page, source: str) -> tuple[list[str], int]:
    """What axe-core finds, one line for each element, and how many rules it found kept."""
    told = _told(page, source)
    findings = [
        f"{rule['id']}: {node['target']} {node['failureSummary']}"
        for rule in told["violations"]
        for node in rule["nodes"]
    ]
    return findings, len(told["passes"])
