"""Measures 500 queued jobs on a real Slurm cluster of 4 fake GPUs: ``scripts/bench.sh cluster``.

The dashboard's share of a core (with the commands that it runs), how often it asks squeue, and how
long the jobs table takes, beside the same queue on the local executor. Needs root and Slurm.
"""

from __future__ import annotations

import contextlib
import sqlite3
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from tests.bench.limits import median
from tests.bench.processes import load
from tests.support import chaos, engines, slurm
from tests.support.server import Server
from tests.support.wait import until

JOBS = 500
SECONDS = 30.0


def make(folder: Path, **env: str) -> Server:
    """A server with so many jobs in its queue; they train for longer than anybody looks."""
    folder.mkdir()
    settings = engines.make(folder / "engines")
    server = Server(folder, {**settings, "STANDIN_SECONDS": "1", **env})
    server.start()
    server.post("/api/v1/queue/pause")
    document = {**chaos.document(folder), "engine": "kohya_ss", "length": {"steps": 100_000}}
    server.post("/api/v1/jobs", document)
    server.kill()
    with contextlib.closing(sqlite3.connect(server.data / "lora.db")) as table, table:
        names = [row[1] for row in table.execute("PRAGMA table_info(job)") if row[1] != "id"]
        columns = ", ".join(f'"{name}"' for name in names)
        for _ in range(JOBS - 1):
            table.execute(f"INSERT INTO job ({columns}) SELECT {columns} FROM job WHERE id = 1")
    server.start()
    server.post("/api/v1/queue/resume")
    return server


def count_squeue(folder: Path, cluster: slurm.Cluster) -> tuple[dict[str, str], Path]:
    """A squeue that writes a line for each call, first in the PATH."""
    folder.mkdir()
    calls = folder / "calls"
    calls.touch()
    program = folder / "squeue"
    program.write_text(f'#!/bin/sh\necho >> {calls}\nexec /usr/bin/squeue "$@"\n')
    program.chmod(0o755)
    return {**cluster.env, "PATH": f"{folder}:{cluster.env['PATH']}"}, calls


def counts(server: Server) -> dict[str, int]:
    with contextlib.closing(sqlite3.connect(server.data / "lora.db")) as table:
        return dict(table.execute("SELECT state, count(*) FROM job GROUP BY state").fetchall())


def page_ms(server: Server, path: str) -> float:
    """Median of 15 answers."""
    return median(lambda: urllib.request.urlopen(server.url + path, timeout=30).read(), 15) * 1000


def on_slurm(folder: Path, most: str) -> list[tuple[str, str]]:
    """One row a number, for jobs handed over all at once or at most so many."""
    cluster = slurm.Cluster()
    server = None
    try:
        cluster.start()
        env, calls = count_squeue(folder / f"squeue-{most}", cluster)
        server = make(folder / f"slurm-{most}", **env, EXECUTOR="slurm", SLURM_MAX_JOBS=most)
        handed = JOBS if most == "all" else int(most)
        begin = time.monotonic()
        # Four of them run; the others wait there.
        until(lambda: counts(server).get("running", 0) == 4, 300, "4 run")
        until(lambda: len(cluster.slurm.jobs()) >= handed, 900, "all are handed over")
        took = time.monotonic() - begin
        until(lambda: counts(server).get("queued", 0) == JOBS - handed, 60, "the rest is queued")
        time.sleep(10)
        before = calls.stat().st_size
        share = load(server, SECONDS, waited=True)
        per_second = (calls.stat().st_size - before) / SECONDS
        return [
            (f"handed over: {most}; until all were there", f"{took:.0f} s"),
            (f"handed over: {most}; percent of a core over {SECONDS:.0f} s", f"{share:.2f}"),
            (f"handed over: {most}; squeue a second (a round is 2 s)", f"{per_second:.2f}"),
            (f"handed over: {most}; jobs page, median", f"{page_ms(server, '/'):.0f} ms"),
            (
                f"handed over: {most}; jobs table, median",
                f"{page_ms(server, '/jobs/table'):.0f} ms",
            ),
        ]
    finally:
        if server is not None:
            server.kill()
        cluster.stop()


def on_this_machine(folder: Path) -> list[tuple[str, str]]:
    server = make(folder / "local")
    try:
        until(lambda: counts(server).get("running", 0) == 1, 120, "one runs")
        time.sleep(10)
        return [
            (
                f"local, 1 runs; percent of a core over {SECONDS:.0f} s",
                f"{load(server, SECONDS, waited=True):.2f}",
            ),
            ("local, 1 runs; jobs page, median", f"{page_ms(server, '/'):.0f} ms"),
            ("local, 1 runs; jobs table, median", f"{page_ms(server, '/jobs/table'):.0f} ms"),
        ]
    finally:
        server.post("/api/v1/jobs/1/stop")
        server.wait_for(1, "cancelled", "failed")
        server.kill()


def main() -> int:
    if why := slurm.missing():
        print(why, file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        for measure in (
            lambda: on_this_machine(folder),
            lambda: on_slurm(folder, "8"),
            lambda: on_slurm(folder, "all"),
        ):
            for label, value in measure():
                print(f"{label:<62} {value:>10}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
