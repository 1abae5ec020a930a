"""Measures the queue: start, restart, submit to exec, idle, eight busy jobs. Prints a table.

``scripts/bench.sh queue``. Absolute times of one machine mean little: run it beside what you
compare with, in one sitting.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path

from app.jobs.rundir import read_json
from tests.bench.processes import gunicorns, load, memory_mb
from tests.support import chaos, engines, nvml
from tests.support.server import Server
from tests.support.wait import until


def make(folder: Path, **env: str) -> tuple[Server, dict[str, object]]:
    server = Server(folder, {**engines.make(folder / "engines"), **env})
    document = {**chaos.document(folder), "engine": "kohya_ss"}
    return server, document


def start(server: Server) -> float:
    begin = time.monotonic()
    server.start()
    return time.monotonic() - begin


def submit_to_exec(server: Server, document: dict[str, object], times: int) -> list[float]:
    """Seconds from sending the request to the trainer's start, as the runner recorded it."""
    measured = []
    for _ in range(times):
        begin = time.time()
        job = server.post("/api/v1/jobs", document)["id"]
        path = server.data / f"jobs/{job}/attempts/1/launch.json"
        until(lambda path=path: "started" in (read_json(path) or {}), 20, "the trainer starts")
        measured.append((read_json(path) or {})["started"] - begin)
        server.wait_for(job, "succeeded", "failed")
    return measured


def main() -> int:
    """Measure, and show the server's log if it fails."""
    rows: list[tuple[str, str]] = []
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        server, document = make(folder / "one", STANDIN_SECONDS="0.005")
        server.data.mkdir(parents=True)
        first = start(server)
        waits = submit_to_exec(server, document, 9)
        rows.append(
            (
                "submit to the trainer's exec, median of 9",
                f"{statistics.median(waits) * 1000:.0f} ms",
            )
        )
        rows.append(("idle, percent of a core over 30 s", f"{load(server, 30):.2f}"))
        rows.append(("memory (PSS) of master and worker", f"{memory_mb(gunicorns(server)):.0f} MB"))
        server.kill()
        rows.append(("first start to 200 (new database)", f"{first:.2f} s"))
        again = []
        for _ in range(5):
            again.append(start(server))
            server.kill()
        rows.append(
            ("start after SIGKILL to 200, median of 5", f"{statistics.median(again):.2f} s")
        )
        if nvml.COMPILER:
            rows.append(("8 jobs with 100 lines/s each, percent of a core", f"{eight(folder):.1f}"))
    width = max(len(label) for label, _ in rows)
    print("\n".join(f"{label:{width}}  {value}" for label, value in rows))
    return 0


def eight(folder: Path) -> float:
    """Eight stand-ins on eight stand-in GPUs; each step draws two bars."""
    gpus = {**nvml.build(folder / "nvml"), "DOUBLE_COUNT": "8"}
    server, document = make(folder / "eight", STANDIN_SECONDS="0.02", **gpus)
    server.data.mkdir(parents=True)
    server.start()
    for _ in range(8):
        server.post("/api/v1/jobs", {**document, "length": {"steps": 4000}})
    for job in range(1, 9):
        server.wait_for(job, "running")
    used = load(server, 20)
    for job in range(1, 9):
        server.post(f"/api/v1/jobs/{job}/stop")
    for job in range(1, 9):
        server.wait_for(job, "cancelled")
    server.kill()
    return used


if __name__ == "__main__":
    sys.exit(main())
