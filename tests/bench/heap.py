"""Measures whether the page of a running job grows while it is open: its heap, minute by minute.

``scripts/bench.sh heap`` (about 12 minutes; BENCH_MINUTES makes it shorter). The job records a point and
writes a line of its log each second; before each reading the browser collects its garbage. At minute 1 and
minute 10 the heap is also taken apart; with BENCH_SNAPSHOTS=FOLDER these two are kept there, for the
browser's own tools to compare.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from app.jobs.series import Sample, Series
from tests.bench.queue import make
from tests.bench.table import Table
from tests.support import chromium
from tests.support.server import Server

MINUTES = int(os.environ.get("BENCH_MINUTES", "11"))
SNAPSHOTS = os.environ.get("BENCH_SNAPSHOTS", "")
LIMIT = 1.10
READINGS, BETWEEN_MS = 5, 700


class Recording(threading.Thread):
    """What a trainer writes: the stand-in keeps no records, and draws one line over and over."""

    def __init__(self, run: Path) -> None:
        super().__init__(daemon=True)
        self._run, self.over = run, threading.Event()

    def run(self) -> None:
        metrics = self._run / "metrics"
        metrics.mkdir(exist_ok=True)
        (metrics / ".built").touch()
        step = 0
        while not self.over.wait(1):
            step += 1
            Series(metrics / "loss").append([Sample(step, 1, time.time(), 1 / step)])
            with (self._run / "attempts/1/log.txt").open("a") as log:
                log.write(f"\nstep {step}: loss {1 / step:.4f}, all of it is well\n")


class Heap:
    """The heap of one page through the browser's own protocol, which leaves nothing in the page."""

    def __init__(self, page: Any) -> None:
        self._page = page
        self._session = page.context.new_cdp_session(page)

    def read(self) -> dict[str, float]:
        """What is left after the garbage is gone: the least of some readings, since a poll may be under way."""
        return min((self._read() for _ in range(READINGS)), key=lambda found: found["scripts"])

    def _read(self) -> dict[str, float]:
        """Bytes of scripts, of the document's own, counts."""
        self._page.wait_for_timeout(BETWEEN_MS)
        for _ in range(3):  # what one collection only marks, the next one frees
            self._session.send("HeapProfiler.collectGarbage")
        used = self._session.send("Runtime.getHeapUsage")
        counts = self._session.send("Memory.getDOMCounters")
        return {
            "scripts": used["usedSize"],
            "document": used.get("embedderHeapUsedSize", 0),
            "nodes": counts["nodes"],
            "listeners": counts["jsEventListeners"],
        }

    def snapshot(self) -> str:
        """The whole heap as the browser's own tools read it."""
        chunks: list[str] = []
        take = lambda event: chunks.append(event["chunk"])  # noqa: E731
        self._session.on("HeapProfiler.addHeapSnapshotChunk", take)
        self._session.send("HeapProfiler.takeHeapSnapshot", {"reportProgress": False})
        self._session.remove_listener("HeapProfiler.addHeapSnapshotChunk", take)
        return "".join(chunks)


def sizes(snapshot: str) -> dict[str, int]:
    """Bytes by kind: ``code`` is what the browser compiled, ``native`` the document's, ``data`` the rest."""
    found = json.loads(snapshot)
    meta, nodes = found["snapshot"]["meta"], found["nodes"]
    fields, kinds = meta["node_fields"], meta["node_types"][0]
    kind, size = fields.index("type"), fields.index("self_size")
    total = {"code": 0, "native": 0, "data": 0}
    for at in range(0, len(nodes), len(fields)):
        name = kinds[nodes[at + kind]]
        total[name if name in total else "data"] += nodes[at + size]
    return total


def watched(table: Table, server: Server) -> None:
    with chromium.started() as browser:
        if browser is None:
            table.add("heap of an open page", "not measured: no Chromium")
            return
        page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
        # Not waited for by the tools' own script, which would be a third of the heap.
        page.goto(f"{server.url}/jobs/1", wait_until="commit")
        heap, begin = Heap(page), time.monotonic()
        seen, kinds = [], {}
        for minute in range(1, MINUTES + 1):
            page.wait_for_timeout(max(0.0, begin + 60 * minute - time.monotonic()) * 1000)
            seen.append(heap.read())
            now, first = seen[-1], seen[0]
            table.add(
                f"minute {minute}",
                f"{now['scripts'] / 1e6:.3f} MB ({now['scripts'] / first['scripts'] - 1:+.1%}), document "
                f"{now['document'] / 1e6:.3f} MB, {now['nodes']} nodes, {now['listeners']} listeners",
            )
            if minute in (1, min(10, MINUTES)):
                whole = heap.snapshot()
                kinds[minute] = sizes(whole)
                if SNAPSHOTS:
                    (Path(SNAPSHOTS) / f"minute-{minute}.heapsnapshot").write_text(whole, "utf-8")
    _judge(table, seen, kinds)


def _judge(table: Table, seen: list[dict[str, float]], kinds: dict[int, dict[str, int]]) -> None:
    last = max(kinds)
    grown = seen[last - 1]["scripts"] / seen[0]["scripts"]
    asked = f"(asked: {LIMIT:g} at most): {'ok' if grown <= LIMIT else 'too much'}"
    table.add(f"minute {last} / minute 1", f"{grown:.3f} {asked}")
    for name, told in (
        ("data", "objects, arrays, text, closures: what a script that leaks keeps"),
        ("code", "what the browser compiled of functions that run often"),
    ):
        before, after = kinds[1][name], kinds[last][name]
        table.add(
            f"  of that {name}",
            f"{before / 1e6:.3f} to {after / 1e6:.3f} MB ({after / before - 1:+.1%}): {told}",
        )


def main() -> int:
    table = Table()
    with tempfile.TemporaryDirectory(prefix="vast-lora-bench-") as name:
        server, document = make(Path(name), STANDIN_SECONDS="1")
        server.start()
        recording = None
        try:
            server.post("/api/v1/jobs", {**document, "length": {"steps": 4000}})
            server.wait_for(1, "running")
            recording = Recording(server.data / "jobs/1")
            recording.start()
            watched(table, server)
        finally:
            if recording is not None:
                recording.over.set()
                recording.join()
            server.post("/api/v1/jobs/1/stop")
            server.wait_for(1, "cancelled")
            server.kill()
    return 0


if __name__ == "__main__":
    sys.exit(main())
