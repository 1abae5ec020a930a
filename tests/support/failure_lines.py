"""Which code that handles a failure no test has run: bodies of ``except`` and every ``raise``.

``scripts/coverage.sh`` measures and prints it. A line counts as run wherever coverage.py saw it: in a test's
own process, in the server, in its children. What runs outside of the project's environment is not seen: the
runner and the reader of GPUs (``scripts/run_job.py``, ``gpu_readings.py``) in a real run.
"""

from __future__ import annotations

import ast
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from app.settings import ROOT


def failure_lines(source: str) -> set[int]:
    """The first line of each statement that handles or raises a failure."""
    found: set[int] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Raise):
            found.add(node.lineno)
        if isinstance(node, ast.ExceptHandler):
            inside = (inner for statement in node.body for inner in ast.walk(statement))
            found |= {inner.lineno for inner in inside if isinstance(inner, ast.stmt)}
    return found


def rows(report: dict[str, Any]) -> Iterator[tuple[str, int, list[int]]]:
    """Of each file of coverage.py's JSON: its name, how many such lines it has, those that never ran."""
    for name, seen in sorted(report["files"].items()):
        never = set(seen["missing_lines"])
        lines = failure_lines((ROOT / name).read_text("utf-8"))
        lines &= never | set(
            seen["executed_lines"]
        )  # what is left out of the measure counts nowhere
        yield name, len(lines), sorted(lines & never)


def main() -> None:
    """Print the table of the report that is named."""
    report = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    found = list(rows(report))
    for name, _, never in sorted(found, key=lambda row: -len(row[2])):
        if never:
            print(f"{name:44} {len(never):3} never ran: {' '.join(map(str, never))}")
    total, never_ran = sum(row[1] for row in found), sum(len(row[2]) for row in found)
    told = report["totals"]
    print(f"statements {told['percent_statements_covered']:.1f} %", end=", ")
    print(f"branches {told['percent_branches_covered']:.1f} %", end=", ")
    print(f"lines that handle a failure {100 - 100 * never_ran / total:.1f} % of {total}")


if __name__ == "__main__":
    main()
